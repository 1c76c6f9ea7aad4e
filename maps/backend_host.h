/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of the program on a cache host, which takes the edges' tunnels off: its own inventory, apart from the
 * edge's.
 *
 * WEIR_HOST_MAPS(X): X(name, TYPE, key, value, max_entries, flags) -- one map, pinned as its name in the directory
 * of its interface. host_vips, host_edges and host_settings are written by `weir backend-host` and read by the program;
 * host_count is written by the program and read by `weir backend-host status`.
 * Full: more VIPs or edges than there is room for are refused before the first write. Counters cannot fill.
 */
#ifndef WEIR_MAPS_BACKEND_HOST_H
#define WEIR_MAPS_BACKEND_HOST_H

#include "count.h"
#include "policy.h"
#include <linux/types.h>

#define WEIR_HOST_MAX_VIPS  WEIR_MAX_VIPS
#define WEIR_HOST_MAX_EDGES 1024

/* host_edges: the outer sources that may tunnel to this host, as prefixes of both families. */
struct weir_host_edge_key {
	__u32 length;  /* WEIR_HOST_FAMILY_BITS + bits of the prefix */
	__be32 family; /* enum weir_family: the first bits of what is matched */
	struct weir_addr address;
};
_Static_assert(sizeof(struct weir_host_edge_key) == 24, "layout");
#define WEIR_HOST_FAMILY_BITS 32

struct weir_host_settings {
	__u32 check_edges; /* 1: a tunnel must come from host_edges */
	__u32 reserved;
};
_Static_assert(sizeof(struct weir_host_settings) == 8, "layout");

/* clang-format off */
#define WEIR_HOST_MAPS(X)                                                                                              \
	X(host_vips, HASH, struct weir_vip_key, __u32, WEIR_HOST_MAX_VIPS, BPF_F_NO_PREALLOC)                          \
	X(host_edges, LPM_TRIE, struct weir_host_edge_key, __u32, WEIR_HOST_MAX_EDGES, BPF_F_NO_PREALLOC)              \
	X(host_settings, ARRAY, __u32, struct weir_host_settings, 1, 0)                                                \
	X(host_count, PERCPU_ARRAY, __u32, struct weir_count, WEIR_HOST_OUTCOMES_ROOM, 0)

/*
 * What became of a frame: X(number, SYMBOL, "name", VERDICT, "sentence"); the number is its index in host_count.
 * Numbers are never reused.
 */
#define WEIR_HOST_OUTCOMES(X)                                                                                          \
	X(1, OTHER, "other", PASS, "no tunnel: the host's own traffic")                                                \
	X(2, DECAPSULATED4, "decapsulated-ipv4", PASS, "an IPv4 packet for a VIP, its tunnel taken off")               \
	X(3, DECAPSULATED6, "decapsulated-ipv6", PASS, "an IPv6 packet for a VIP, its tunnel taken off")               \
	X(4, FOREIGN_INNER, "not-vip", PASS, "a tunnelled packet for no VIP of this host, left to the kernel")         \
	X(5, FRAGMENT, "fragment", PASS, "a fragment of a tunnel packet, left to the kernel")                          \
	X(6, IPV6_CHAIN, "ipv6-chain", PASS, "an outer IPv6 header chain that only the kernel can walk")               \
	X(7, MALFORMED, "malformed", DROP, "a tunnel packet whose headers lie about their own or its length")          \
	X(8, FOREIGN_EDGE, "not-edge", DROP, "a tunnel packet for a VIP from an address that is no edge")              \
	X(9, ECN, "ecn", DROP, "congestion marked on the tunnel, and an inner packet that cannot say so (RFC 6040)")   \
	X(10, BUG, "bug", DROP, "an invariant does not hold: please report it")
/* clang-format on */

#define WEIR_HOST_OUTCOMES_ROOM 16

#define WEIR_HOST_OUTCOME_ENUM(number, symbol, name, verdict, sentence) WEIR_HOST_##symbol = (number),
enum weir_host_outcome { WEIR_HOST_NONE = 0, WEIR_HOST_OUTCOMES(WEIR_HOST_OUTCOME_ENUM) WEIR_HOST_OUTCOMES_KNOWN };
#undef WEIR_HOST_OUTCOME_ENUM
_Static_assert(WEIR_HOST_OUTCOMES_KNOWN <= WEIR_HOST_OUTCOMES_ROOM, "room for every outcome");

#endif
