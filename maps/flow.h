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

/* One way, packed into a u64 so that it is read and written whole: tag 32 bits | seen again 1 | 0 | backend 14 |
 * CLOCK_MONOTONIC second of the last packet 16. */
struct weir_flow_line {
	__u64 way[WEIR_FLOW_WAYS];
};
_Static_assert(sizeof(struct weir_flow_line) == 64, "one cache line");

#endif
