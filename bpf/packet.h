/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the stages know of a packet: filled by parse, completed on the way, counted at the exit. */
#ifndef WEIR_BPF_PACKET_H
#define WEIR_BPF_PACKET_H

#include "maps.h"
#include <linux/in.h>
#include <stdbool.h>
#include <weir/reason.h>

#ifndef NULL
#define NULL ((void *)0)
#endif

/* Not in the UAPI headers that BPF code can include. */
#define AF_INET	 2
#define AF_INET6 10

/* Switches that the loader sets; the verifier removes what is off. */
const volatile bool cfg_trace;		 /* time and interface come from the trace map, the outcome goes there */
const volatile bool cfg_read_only;	 /* no counter, bucket or flow is written */
const volatile bool cfg_assume_next_hop; /* where the FIB has no answer, forward all the same */

enum step { STEP_NEXT, STEP_DONE, STEP_ANSWER /* decided, and the edge answers by itself */ };

enum answer { ANSWER_NONE = 0, ANSWER_ECHO, ANSWER_RESET, ANSWER_ERROR };

enum fragment { FRAGMENT_NONE = 0, FRAGMENT_FIRST = 1, FRAGMENT_LATER = 2 };

struct packet {
	struct xdp_md *ctx;
	__u64 sketch_seed;
	__u64 heartbeat_ns; /* the controller's last sign of life */
	struct weir_addr source, destination;
	struct weir_addr client;	/* the client's end of the flow: source, or what an ICMP error quotes */
	__u32 tags[WEIR_MAX_VLAN_TAGS]; /* as in the frame: TPID, TCI */
	__u32 ip_length;
	__u32 frame_length;
	__u16 l3, l4;	     /* offsets in the frame */
	__be16 sport, dport; /* of the flow: client's and VIP's, also for a quoted one */
	__u8 family;	     /* enum weir_family, 0: not IP */
	__u8 protocol;	     /* of the packet; ICMP of either family is IPPROTO_ICMP */
	__u8 flow_protocol;  /* of the flow, also for a quoted one */
	__u8 tcp_flags;
	__u8 ttl;
	__u8 tos;      /* or traffic class */
	__u8 fragment; /* enum fragment */
	__u8 vlan_tags;
	__u8 icmp_type, icmp_code;
	__u8 plain; /* no IPv4 options, no IPv6 extension headers */
	__u8 dont_fragment;
	__u8 quote; /* an ICMP error whose quoted flow is in client, ports and flow_protocol */

	__u8 bank;	    /* of the generation that this packet sees */
	__u8 allowed;	    /* on the live allow list or by a rule: no limits */
	__u8 rule_limit;    /* index + 1 of the limit that a rule charges, 0: none */
	__u16 matched;	    /* MARK_MATCHED of what the filter said, 0: nothing */
	__u8 verdict;	    /* enum weir_verdict */
	__u8 stage;	    /* enum weir_stage */
	__u16 reason;	    /* enum weir_reason */
	__u16 source_class; /* of the filter, 0 where nobody asked */
	__u32 generation;
	__u32 vip;     /* VIP number + 1, 0: not for a VIP */
	__u32 service; /* stable ids, 0: none */
	__u32 backend;
	__u32 limit;
	__u32 rule; /* the one that decided */
	__u64 flow_hash;
	__u32 answer_word;	       /* second word of the ICMP error, network order */
	__u8 answer;		       /* enum answer */
	__u8 answer_type, answer_code; /* of the ICMP error */
};

/* Details that only explain and replay look at. NULL in the plain program, where the verifier removes their uses. */
static __always_inline struct weir_trace *packet_trace(void)
{
	__u32 zero = 0;

	return cfg_trace ? bpf_map_lookup_elem(&trace, &zero) : NULL;
}

#define TRACE(field, value)                                                                                            \
	do {                                                                                                           \
		if (cfg_trace) {                                                                                       \
			struct weir_trace *trace_ = packet_trace();                                                    \
			if (trace_)                                                                                    \
				trace_->field = (value);                                                               \
		}                                                                                                      \
	} while (0)

static __always_inline enum step packet_decide(struct packet *p, enum weir_verdict verdict, enum weir_reason reason)
{
	p->verdict = verdict;
	p->reason = reason;
	return STEP_DONE;
}

static __always_inline __u64 packet_clock(void)
{
	struct weir_trace *t = packet_trace();

	return t ? t->now_ns : bpf_ktime_get_ns();
}

static __always_inline __u32 packet_ifindex(struct packet *p)
{
	struct weir_trace *t = packet_trace();

	return t && t->ifindex ? t->ifindex : p->ctx->ingress_ifindex;
}

/* Two of the words, in network order, the first in the upper half: as global functions take an address. */
static __always_inline __u64 addr_two(const struct weir_addr *address, int word)
{
	return (__u64)address->word[word] << 32 | address->word[word + 1];
}

static __always_inline bool addr_same(const struct weir_addr *a, const struct weir_addr *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

#endif
