/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rate limits: the parameters of a generation's limits, and the sketch that holds every bucket.
 *
 * A limit is a GCRA whose only state is one 64-bit time per bucket (the theoretical arrival time, in ns of
 * CLOCK_MONOTONIC). Buckets live in a sketch of WEIR_SKETCH_ROWS rows addressed by seeded hashes of (limit id,
 * key); a packet is over only when every row says so. The sketch cannot fill: more sources only share cells, which
 * can only make a row stricter, and two rows make a collision in both rare. Written and read by: the program.
 */
#ifndef WEIR_MAPS_LIMIT_H
#define WEIR_MAPS_LIMIT_H

#include <linux/types.h>

/* limits[bank] -> array[WEIR_MAX_LIVE_LIMITS]; the first weir_policy.limits are in use. */
struct weir_limit {
	__u32 id;     /* stable: the index of its counters and its name, and part of its buckets' hash */
	__u8 prefix4; /* bits of an IPv4 source that form the key, 1..32 */
	__u8 prefix6; /* bits of an IPv6 source that form the key, 1..128 */
	__u8 by_rule; /* only packets that a rule of the filter sends here are charged */
	__u8 reserved;
	__u64 packet_cost_ns; /* time that a packet uses up; 0 for a limit in bits */
	__u64 byte_cost_ps;   /* picoseconds that a byte uses up; 0 for a limit in packets */
	__u64 burst_ns;	      /* how far ahead of now a bucket may run */
};
_Static_assert(sizeof(struct weir_limit) == 32, "layout");

#endif
