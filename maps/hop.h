/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Next hops as the FIB gave them a moment ago: a table for each CPU, the index is the stable backend id.
 *
 * A hop answers for the question that it was found by alone: the generation (which fixes both addresses) and the
 * interface that the packet came in by; and for packets no longer than what is known to fit. Written and read by: the
 * program; explain and replay always ask the FIB, and put its answer into entry 0, which is no backend's. Not pinned:
 * another program starts with none. Cannot fill: ids are bounded by the capacities.
 */
#ifndef WEIR_MAPS_HOP_H
#define WEIR_MAPS_HOP_H

#include <linux/types.h>

/* How long a hop is good for: 100 ms at the lowest tick that x86 and arm64 can be built with (100 Hz), 40 at 250 Hz, 10
 * at 1000 Hz. The program cannot know the tick of every kernel, and must not be slower to notice on any. */
#define WEIR_HOP_JIFFIES 10

struct weir_hop {
	__u64 found : 48;      /* bpf_jiffies64() */
	__u64 fits : 16;       /* bytes of the longest IP packet, outer header included, that is known to fit */
	__u32 generation;      /* 0: nothing was found yet */
	__u32 ingress, egress; /* interfaces */
	__u8 destination[6];   /* link addresses */
	__u8 source[6];
};
_Static_assert(sizeof(struct weir_hop) == 32, "two a cache line");

#endif
