/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of exceptions: which backend a flow has, where its slot alone does not say. See maps/flow.h. */
#ifndef WEIR_BPF_FLOW_H
#define WEIR_BPF_FLOW_H

#include "bits.h"
#include "count.h"

#define FLOW_BACKEND(way) ((__u32)((way) >> 16) & 0x3fff)
#define FLOW_SECONDS(way) ((__u16)(way))
#define FLOW_SEEN_AGAIN	  (1ull << 31)
#define FLOW_REFRESH_S	  8   /* an entry is stamped anew only when its stamp is older */
#define FLOW_ONCE_S	  300 /* a flow that was seen once counts as quiet for so much longer */

static __always_inline struct weir_flow_line *flow_line(const struct packet *p)
{
	__u32 index = p->flow_hash & (WEIR_FLOW_LINES - 1);

	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline __u32 flow_tag(const struct packet *p)
{
	return p->flow_hash >> 16;
}

static __always_inline __u64 flow_pack(const struct packet *p, __u32 backend, __u16 seconds)
{
	return (__u64)flow_tag(p) << 32 | (__u64)backend << 16 | seconds;
}

static __always_inline __u16 flow_seconds(struct packet *p)
{
	return packet_now(p) / 1000000000;
}

/* Marks the entry as seen again and keeps it young. SYNs and ICMP errors do neither: they prove no connection. */
static __always_inline void flow_refresh(struct packet *p, __u64 *place, __u64 way)
{
	__u16 seconds = flow_seconds(p);

	if (cfg_read_only || p->quote || count_is_new_flow(p))
		return;
	if (!(way & FLOW_SEEN_AGAIN) || (__u16)(seconds - FLOW_SECONDS(way)) > FLOW_REFRESH_S)
		*place = flow_pack(p, FLOW_BACKEND(way), seconds) | FLOW_SEEN_AGAIN;
}

/* The backend that was recorded since since_s, 0 when there is none. Ages are compared, which wrap after 18 hours:
 * the controller sees to it that no slot's does. */
static __always_inline __u32 flow_find(struct packet *p, __u16 since_s)
{
	struct weir_flow_line *line = flow_line(p);
	__u16 seconds = flow_seconds(p), age = seconds - since_s;

	if (!line)
		return 0;
#pragma unroll
	for (int i = 0; i < WEIR_FLOW_WAYS; i++) {
		__u64 way = line->way[i];

		if (way >> 32 != flow_tag(p) || !FLOW_BACKEND(way) || (__u16)(seconds - FLOW_SECONDS(way)) > age)
			continue;
		flow_refresh(p, &line->way[i], way);
		return FLOW_BACKEND(way);
	}
	return 0;
}

/* How readily an entry is given up: the flow's own before an empty one, then by how long it has been quiet. The
 * way's number is below, so that the greatest names it. */
static __always_inline __u32 flow_rank(const struct packet *p, __u64 way, __u16 seconds, __u32 index)
{
	__u32 quiet_s = (__u16)(seconds - FLOW_SECONDS(way));

	if (!(way & FLOW_SEEN_AGAIN))
		quiet_s += FLOW_ONCE_S;
	if (!FLOW_BACKEND(way))
		quiet_s = 1u << 20;
	else if (way >> 32 == flow_tag(p))
		quiet_s = 1u << 21;
	return quiet_s << 3 | index;
}

static __always_inline void flow_record(struct packet *p, __u32 backend)
{
	struct weir_flow_line *line = flow_line(p);
	__u32 victim = 0;
	__u16 seconds;

	if (cfg_read_only || !line)
		return;
	seconds = flow_seconds(p);
#pragma unroll
	for (int i = 0; i < WEIR_FLOW_WAYS; i++) {
		__u32 rank = flow_rank(p, line->way[i], seconds, i);

		if (rank > victim)
			victim = rank;
	}
	line->way[victim & (WEIR_FLOW_WAYS - 1)] = flow_pack(p, backend, seconds);
}

#endif
