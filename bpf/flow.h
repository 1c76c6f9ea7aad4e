/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of exceptions: which backend a flow has, where its slot alone does not say. See maps/flow.h.
 *
 * The search and the record are global functions, which the verifier checks once by themselves; only flows of unsettled
 * slots pay for the call.
 */
#ifndef WEIR_BPF_FLOW_H
#define WEIR_BPF_FLOW_H

#include "bits.h"

#define FLOW_REFRESH_S 8   /* an entry is stamped anew only when its stamp is older */
#define FLOW_ONCE_S    300 /* a flow that was seen once counts as quiet for so much longer */

/* What flow_find does to the entry that it finds. */
enum { FLOW_LEAVE, FLOW_REFRESH, FLOW_CLOSE };

static __always_inline struct weir_flow_line *flow_line(__u64 hash)
{
	__u32 index = hash & (WEIR_FLOW_LINES - 1);

	return bpf_map_lookup_elem(&flows, &index);
}

static __always_inline __u64 flow_pack(__u64 hash, __u32 backend, __u16 now_s)
{
	return (__u64)WEIR_FLOW_TAG(hash) << 32 | (__u64)backend << 16 | now_s;
}

/* The way as the packet leaves it: seen again now, and closing or not. */
static __always_inline __u64 flow_stamp(__u64 way, __u16 now_s, __u32 use)
{
	__u64 closing = use == FLOW_CLOSE ? WEIR_FLOW_CLOSING : 0;

	return (way & ~(WEIR_FLOW_CLOSING | 0xffff)) | WEIR_FLOW_SEEN_AGAIN | closing | now_s;
}

/* The backend that was recorded since since_s, 0 when there is none; what becomes of the entry use says. One that is
 * young and as it should be is not written. One of the backend needless, to which its flow would go without it, is
 * taken out. Ages are compared, which wrap after 18 hours: the controller sees to it that no slot's does. */
__noinline __u32 flow_find(__u64 hash, __u32 since_s, __u32 now_s, __u32 use, __u32 needless)
{
	struct weir_flow_line *line = flow_line(hash);

	if (!line)
		return 0;
	for (int i = 0; i < WEIR_FLOW_WAYS; i++) {
		__u64 way = line->way[i], stamped = flow_stamp(way, now_s, use);
		__u16 quiet_s = now_s - WEIR_FLOW_SECOND(way);

		if (WEIR_FLOW_TAG_OF(way) != WEIR_FLOW_TAG(hash) || !WEIR_FLOW_BACKEND(way) ||
		    quiet_s > (__u16)(now_s - since_s))
			continue;
		if (WEIR_FLOW_BACKEND(way) == needless)
			stamped = 0;
		if (!cfg_read_only && use != FLOW_LEAVE && ((way ^ stamped) >> 16 || quiet_s > FLOW_REFRESH_S))
			line->way[i] = stamped;
		return WEIR_FLOW_BACKEND(way);
	}
	return 0;
}

/* How readily an entry is given up: the flow's own before an empty one, then one that is closing, then by how long it
 * has been quiet. The way's number is below, so that the greatest names it. Without a branch, as the verifier would
 * follow each. */
static __always_inline __u32 flow_rank(__u64 hash, __u64 way, __u16 now_s, __u32 index)
{
	__u32 quiet_s = (__u16)(now_s - WEIR_FLOW_SECOND(way)),
	      is_seen_once = (~way & WEIR_FLOW_SEEN_AGAIN) / WEIR_FLOW_SEEN_AGAIN;
	__u32 is_empty = (WEIR_FLOW_BACKEND(way) - 1) >> 31;
	__u32 is_closing = (way & WEIR_FLOW_CLOSING) / WEIR_FLOW_CLOSING;
	__u32 is_own = ((__u64)(WEIR_FLOW_TAG_OF(way) ^ WEIR_FLOW_TAG(hash)) - 1) >> 63 & ~is_empty;

	return (quiet_s + is_seen_once * FLOW_ONCE_S + (is_closing << 19) + (is_empty << 20) + (is_own << 21)) << 3 |
	       index;
}

static __always_inline __u32 flow_greater(__u32 a, __u32 b)
{
	__s32 less = a - b; /* both are below 2^31 */

	return a - (less & less >> 31);
}

__noinline int flow_record(__u64 hash, __u32 backend, __u32 now_s)
{
	struct weir_flow_line *line = flow_line(hash);
	__u32 victim = 0;

	if (cfg_read_only || !line)
		return 0;
	for (int i = 0; i < WEIR_FLOW_WAYS; i++)
		victim = flow_greater(victim, flow_rank(hash, line->way[i], now_s, i));
	line->way[victim & (WEIR_FLOW_WAYS - 1)] = flow_pack(hash, backend, now_s);
	return 0;
}

#endif
