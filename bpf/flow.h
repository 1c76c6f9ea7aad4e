/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of exceptions: which backend a flow has, where its slot alone does not say. See maps/flow.h. */
#ifndef WEIR_BPF_FLOW_H
#define WEIR_BPF_FLOW_H

#include "bits.h"

#define FLOW_BACKEND(way) ((__u16)((way) >> 16))
#define FLOW_SECONDS(way) ((__u16)(way))
#define FLOW_REFRESH_S	  8 /* an entry is stamped anew only when its stamp is older */

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

/* The recorded backend, 0 when there is none. A hit keeps the entry young. */
static __always_inline __u32 flow_find(struct packet *p)
{
	struct weir_flow_line *line = flow_line(p);
	__u16 seconds;

	if (!line)
		return 0;
#pragma unroll
	for (int i = 0; i < WEIR_FLOW_WAYS; i++) {
		__u64 way = line->way[i];

		if (way >> 32 != flow_tag(p) || !FLOW_BACKEND(way))
			continue;
		if (!cfg_read_only) {
			seconds = flow_seconds(p);
			if ((__u16)(seconds - FLOW_SECONDS(way)) > FLOW_REFRESH_S)
				line->way[i] = flow_pack(p, FLOW_BACKEND(way), seconds);
		}
		return FLOW_BACKEND(way);
	}
	return 0;
}

/* Records the flow's backend in its own way, an empty one, or the one that has been quiet for longest. */
static __always_inline void flow_record(struct packet *p, __u32 backend)
{
	struct weir_flow_line *line = flow_line(p);
	__u16 seconds, oldest = 0;
	__u32 victim = 0;

	if (cfg_read_only || !line)
		return;
	seconds = flow_seconds(p);
#pragma unroll
	for (int i = 0; i < WEIR_FLOW_WAYS; i++) {
		__u64 way = line->way[i];
		__u16 age = seconds - FLOW_SECONDS(way);

		if (!FLOW_BACKEND(way) || way >> 32 == flow_tag(p)) {
			victim = i;
			break;
		}
		if (age >= oldest) {
			oldest = age;
			victim = i;
		}
	}
	line->way[victim & (WEIR_FLOW_WAYS - 1)] = flow_pack(p, backend, seconds);
}

#endif
