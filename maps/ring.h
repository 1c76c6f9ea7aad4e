/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Steering: the ring that serves each service, the rings' slots, and the backends.
 *
 * Generational like maps/policy.h, with one exception: health and drains change rings within a generation. Services
 * that name the same pools in the same order share a ring, which lasts when another of these pools serves. A ring
 * owns two areas of slots; the new one is written to the area that no ring word points at, then each word is
 * replaced by one 8-byte atomic store through mmap. Written by: reconcile. Read by: the program.
 */
#ifndef WEIR_MAPS_RING_H
#define WEIR_MAPS_RING_H

#include <linux/types.h>
#include <weir/capacity.h>
#include "policy.h"

/* rings[bank] -> array (mmapable), index as services[bank]: where the service's ring lies.
 * Read and written as one u64; size 0: there is none. */
struct weir_ring {
	__u32 base; /* index of its first slot in slots[bank] */
	__u32 size; /* number of slots */
};
_Static_assert(sizeof(struct weir_ring) == 8, "layout");

/* A slot in transition sends SYNs to current and what it has not seen to previous, and records both; a slot with
 * exceptions looks flows up but records no more; a settled one needs neither. What was recorded before the slot
 * became unsettled is of an earlier change, and is not heeded. */
enum weir_slot_state { WEIR_SLOT_SETTLED = 0, WEIR_SLOT_TRANSITION = 1, WEIR_SLOT_EXCEPTIONS = 2 };

/* slots[bank] -> array (mmapable). Read and written as one u64. */
struct weir_slot {
	__u16 current;	/* backend id, 0 when nobody takes new flows */
	__u16 previous; /* backend id, 0 when settled or when the previous backend is dead */
	__u8 state;	/* enum weir_slot_state */
	__u8 reserved;
	__u16 since_s; /* CLOCK_MONOTONIC second when it became unsettled, modulo 2^16; 0 when settled */
};
_Static_assert(sizeof(struct weir_slot) == 8, "layout");

enum weir_forward { WEIR_FORWARD_L2 = 1, WEIR_FORWARD_IPIP = 2 };

/* backends[bank] -> array, index is the stable backend id; id 0 is never used. forward 0: no such backend. */
struct weir_backend {
	struct weir_addr address;
	struct weir_addr source; /* of the outer header; unused for L2 */
	__u8 family;		 /* enum weir_family, of both addresses */
	__u8 forward;		 /* enum weir_forward */
	__u16 reserved;
	__u32 reserved2[7];
};
_Static_assert(sizeof(struct weir_backend) == 64, "layout");

#endif
