/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One generation of policy: what is protected, which VIPs exist, which service a port belongs to.
 *
 * Every map here is an outer array of two banks; a bank is an inner map that user space makes, fills, reads back
 * and never changes once it is live. Written by: reconcile. Read by: the program.
 * Full: the compiler refuses a configuration that exceeds a capacity; nothing is written then.
 */
#ifndef WEIR_MAPS_POLICY_H
#define WEIR_MAPS_POLICY_H

#include "filter.h"

/* An address of either family. IPv4 lies in word[0] with the others zero; the family stands beside it. All
 * words are in network byte order. */
struct weir_addr {
	__be32 word[4];
};
_Static_assert(sizeof(struct weir_addr) == 16, "layout");

enum weir_family { WEIR_IPV4 = 4, WEIR_IPV6 = 6 };

/* The filter before vips: 2^WEIR_VIP_FILTER_ORDER bits. */
#define WEIR_VIP_FILTER_ORDER 12
#define WEIR_VIP_FILTER_WORDS ((1 << WEIR_VIP_FILTER_ORDER) / 64)

enum {
	WEIR_FILTERS_RULES = 1,		/* there are rules */
	WEIR_FILTERS_DEFAULT_DROP = 4,	/* what no rule matches is dropped */
	WEIR_FILTERS_SOURCES = 8,	/* some rule looks at the source */
	WEIR_FILTERS_LISTED = 16,	/* every rule does, for sources that some set holds */
	WEIR_FILTERS_DESTINATIONS = 32, /* some rule looks at the destination */
	WEIR_FILTERS_QUICK = 64,	/* rules look at the source alone, act, do not expire; the default is to pass */
	WEIR_FILTERS_FOLDED = 128,	/* live entries are in the address tables; says nothing of rules */
};

/* policy[bank] -> array of one: the generation's header. */
struct weir_policy {
	__u32 generation;
	__u32 limits;	   /* entries in use of limits[bank] */
	__u64 protect_any; /* bit i: protect[i] covers every protocol and port */
	__u64 steer_seed;  /* the same on every edge of a group: it decides which backend a flow gets */
	__u32 protects;	   /* entries in use of protect[bank] */
	__u32 filters;	   /* WEIR_FILTERS_*; 0: nothing to filter by */
	__u64 vip_filter[WEIR_VIP_FILTER_WORDS]; /* bit weir_vip_bit() of every VIP is set */
	struct weir_filter filter;
};
_Static_assert(sizeof(struct weir_policy) == 32 + (1 << WEIR_VIP_FILTER_ORDER) / 8 + sizeof(struct weir_filter),
	       "layout");

/* An address whose bit is not set is no VIP; one whose bit is set has to be looked up. The last octet alone decides
 * eight bits, so that neighbours do not meet. */
static inline __attribute__((always_inline)) __u32 weir_vip_bit(const struct weir_addr *address)
{
	__u32 word = address->word[0] ^ address->word[1] ^ address->word[2] ^ address->word[3];

	return word * 0x9e3779b1u >> (32 - WEIR_VIP_FILTER_ORDER);
}

/* protect[bank] -> array[WEIR_MAX_PROTECT]: source prefixes that always reach the kernel. */
struct weir_protect {
	struct weir_addr address; /* host bits zero */
	struct weir_addr mask;
	__u32 family; /* enum weir_family */
	__u32 reserved;
};
_Static_assert(sizeof(struct weir_protect) == 40, "layout");

/* protect_ports[bank] -> array of u64: bit i set when protect[i] names the port. The index is the port in host
 * order, plus WEIR_PROTECT_UDP for UDP. Sized 1 when no entry names ports. A packet matches by its destination or
 * its source port, so that a session opened from either side lives. */
#define WEIR_PROTECT_UDP   65536
#define WEIR_PROTECT_PORTS 131072

/* vips[bank] -> hash: which addresses are VIPs. */
struct weir_vip_key {
	struct weir_addr address;
	__u32 family;
};
_Static_assert(sizeof(struct weir_vip_key) == 20, "layout");

/* ports[bank] -> hash: the service of a VIP's protocol and port. */
struct weir_port_key {
	__u32 vip;     /* value of vips */
	__be16 port;   /* 0 in the entry for any port; ICMP has port 0 */
	__u8 protocol; /* IPPROTO_TCP, IPPROTO_UDP, or IPPROTO_ICMP for both ICMPs */
	__u8 reserved;
};
_Static_assert(sizeof(struct weir_port_key) == 8, "layout");

enum weir_fallback { WEIR_FALLBACK_REJECT = 0, WEIR_FALLBACK_DROP = 1, WEIR_FALLBACK_KERNEL = 2 };
enum weir_affinity { WEIR_AFFINITY_FLOW = 0, WEIR_AFFINITY_SOURCE = 1 };

/* services[bank] -> array: index is the value of ports, dense within a generation. */
struct weir_service {
	__u32 id;      /* stable: the index of its counters and its name */
	__u8 fallback; /* enum weir_fallback */
	__u8 affinity; /* enum weir_affinity */
	__u16 reserved;
};
_Static_assert(sizeof(struct weir_service) == 8, "layout");

#endif
