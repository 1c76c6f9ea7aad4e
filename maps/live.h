/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The word that makes a generation live, and what the program needs before it has one.
 *
 * Written by: reconcile (through mmap, the generation with one atomic store). Read by: the program, once a packet.
 * Holds one entry; cannot fill.
 */
#ifndef WEIR_MAPS_LIVE_H
#define WEIR_MAPS_LIVE_H

#include <linux/types.h>

#define WEIR_LAYOUT 4 /* of all pinned maps together; a change of any pinned layout raises it */

struct weir_live {
	__u32 layout;	    /* WEIR_LAYOUT of the writer */
	__u32 generation;   /* 0: none yet. Else its lowest bit picks the bank of every generational map */
	__u64 sketch_seed;  /* random, per host: an attacker cannot aim at a sketch cell */
	__u64 heartbeat_ns; /* CLOCK_MONOTONIC of the controller's last sign of life */
	__u32 controller_pid;
	__u32 reserved;
};
_Static_assert(sizeof(struct weir_live) == 32, "layout");

#endif
