/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of exceptions: flows that do not follow their slot's current backend.
 *
 * Written by: the program, for flows of slots in transition. Read by: the program, for slots that are not settled.
 * Outlives generations: entries hold stable backend ids. Full line: the quietest of its eight flows is replaced, but
 * one that was seen only once before others, so that a flood of SYNs takes the places of its own kind; a flow that
 * loses its entry follows the rule for unknown flows of its slot.
 */
#ifndef WEIR_MAPS_FLOW_H
#define WEIR_MAPS_FLOW_H

#include <linux/types.h>
#include <weir/capacity.h>

#define WEIR_FLOW_WAYS 8
_Static_assert(WEIR_MAX_BACKENDS <= 1 << 14, "a backend id fits its bits");

/* One way, packed into a u64 so that it is read and written whole: tag 32 bits | seen again 1 | closing 1 | backend 14
 * | CLOCK_MONOTONIC second of the last packet 16. Closing: that packet had FIN or RST. The tag is of the hash that
 * gives the flow's slot, so that the slots which have exceptions can be told from the table. */
#define WEIR_FLOW_TAG(hash)    ((__u32)((hash) >> 32))
#define WEIR_FLOW_TAG_OF(way)  ((__u32)((way) >> 32))
#define WEIR_FLOW_BACKEND(way) ((__u32)((way) >> 16) & 0x3fff)
#define WEIR_FLOW_SECOND(way)  ((__u16)(way))
#define WEIR_FLOW_SEEN_AGAIN   (1ull << 31)
#define WEIR_FLOW_CLOSING      (1ull << 30)

/* The slot of a ring of so many that flows of the tag are in. */
static inline __attribute__((always_inline)) __u32 weir_flow_slot(__u32 tag, __u32 size)
{
	return (__u64)tag * size >> 32;
}

struct weir_flow_line {
	__u64 way[WEIR_FLOW_WAYS];
};
_Static_assert(sizeof(struct weir_flow_line) == 64, "one cache line");

#endif
