/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters, per CPU, never reset by an apply.
 *
 * count_verdict is indexed by verdict + WEIR_VERDICTS * reason; the others by stable ids. Written by: the program
 * at its single exit. Read by: kernel/ for telemetry and commands, which sums the possible CPUs. Cannot fill: ids
 * are bounded by the capacities.
 */
#ifndef WEIR_MAPS_COUNT_H
#define WEIR_MAPS_COUNT_H

#include <linux/types.h>
#include <weir/reason.h>

#define WEIR_COUNT_VERDICTS (WEIR_VERDICTS * WEIR_REASON_MAX)

struct weir_count {
	__u64 packets;
	__u64 bytes; /* of the frame as it came in, Ethernet header included */
};
_Static_assert(sizeof(struct weir_count) == 16, "layout");

/* Of a service or a backend. */
struct weir_flow_count {
	__u64 packets;
	__u64 bytes; /* of the IP packet as the client sent it: no Ethernet header, no outer header */
	__u64 flows; /* TCP SYNs (without ACK) steered */
};
_Static_assert(sizeof(struct weir_flow_count) == 24, "layout");

struct weir_limit_count {
	__u64 passed;	    /* packets within the limit */
	__u64 passed_bytes; /* of the IP packet */
	__u64 dropped;
	__u64 dropped_bytes;
};
_Static_assert(sizeof(struct weir_limit_count) == 32, "layout");

#endif
