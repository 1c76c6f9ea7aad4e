/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the traced variant of the program says about one packet, and what it is told for it.
 *
 * Only the variant loaded for explain and replay (rodata cfg_trace) touches it; it is never pinned. User space
 * writes the inputs before a test run and reads the rest after. Holds one entry.
 */
#ifndef WEIR_MAPS_TRACE_H
#define WEIR_MAPS_TRACE_H

#include <linux/types.h>
#include "policy.h"

enum weir_stage {
	WEIR_STAGE_NONE = 0,
	WEIR_STAGE_PARSE,
	WEIR_STAGE_PROTECT,
	WEIR_STAGE_ADMIT,
	WEIR_STAGE_LIMIT,
	WEIR_STAGE_STEER,
	WEIR_STAGE_FORWARD,
};

struct weir_trace {
	/* inputs */
	__u64 now_ns;	  /* the time that the program is to believe */
	__u32 ifindex;	  /* the interface that the packet is to have come in by */
	__u32 generation; /* 0: the live one; else the generation to use */
	/* outcome */
	__u32 verdict; /* enum weir_verdict */
	__u32 reason;  /* enum weir_reason */
	__u32 stage;   /* enum weir_stage: the one that decided */
	__u32 used_generation;
	/* what the packet was found to be */
	struct weir_addr source, destination;
	__u32 family;	    /* enum weir_family, 0: not IP */
	__u32 ip_length;    /* bytes of the IP packet */
	__u16 sport, dport; /* host order, 0 where there is none */
	__u8 protocol;
	__u8 tcp_flags;
	__u8 fragment; /* 0 whole, 1 first, 2 later */
	__u8 vlan_tags;
	__u8 ttl;
	__u8 icmp_quote; /* 1: an ICMP error; the addresses and ports below steer it */
	__u8 ban_length; /* prefix length of the live entry that decided */
	__u8 ban_lists;	 /* WEIR_BAN_* of that entry, 0: none matched */
	__u32 protect;	 /* index + 1 of the protect entry that matched */
	/* limits */
	__u32 limit_id; /* stable id of the limit that dropped it, else 0 */
	__u32 rule_id;	/* stable id of the rule that decided, else 0 */
	/* steering */
	__u32 vip;	  /* 1: for a VIP */
	__u32 service_id; /* stable ids, 0: none */
	__u32 backend_id;
	__u32 slot; /* index within its ring */
	__u32 ring_size;
	__u16 slot_current, slot_previous;
	__u8 slot_state;
	__u8 exception;	 /* 1: a recorded exception chose the backend, 2: the previous backend did */
	__u8 next_hop;	 /* 1: from the FIB, 2: assumed */
	__u8 fib_result; /* BPF_FIB_LKUP_RET_* */
	__u32 egress_ifindex;
	__u32 mtu; /* announced in a too-big, else 0 */
};
_Static_assert(sizeof(struct weir_trace) % 8 == 0, "layout");

#endif
