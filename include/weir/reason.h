/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet left the program the way it did: the one numbered list of reasons.
 *
 * X(number, SYMBOL, "name", VERDICT, "sentence"). VERDICT is the verdict the reason goes with by design; the
 * counters still keep verdict x reason, so that a disagreement shows. Numbers are never reused: a reason that
 * goes away moves to the retired list below. CLI, metrics, tests and docs derive from this list.
 */
#ifndef WEIR_REASON_H
#define WEIR_REASON_H

enum weir_verdict {
	WEIR_PASS = 0,	   /* to the kernel's stack */
	WEIR_DROP = 1,	   /* dropped here */
	WEIR_TX = 2,	   /* sent out of the interface that it came in by */
	WEIR_REDIRECT = 3, /* sent out of another interface */
	WEIR_VERDICTS = 4,
};

#define WEIR_VERDICT_NAMES                                                                                             \
	{                                                                                                              \
		"pass", "drop", "tx", "redirect"                                                                       \
	}

#define WEIR_REASONS(X)                                                                                                \
	/* parse */                                                                                                    \
	X(1, MALFORMED, "malformed", DROP, "a header lies about its own or the packet's length")                       \
	X(2, TINY_FRAGMENT, "tiny-fragment", DROP, "a first fragment too short to hold the transport header")          \
	X(3, IPV6_CHAIN, "ipv6-chain", DROP, "more than six IPv6 extension headers")                                   \
	X(4, ROUTING_HEADER, "routing-header", DROP, "an IPv6 type 0 routing header (RFC 5095)")                       \
	X(5, VLAN_DEPTH, "vlan-depth", DROP, "more than two VLAN tags")                                                \
	X(6, NOT_IP, "not-ip", PASS, "neither IPv4 nor IPv6 nor ARP: the kernel's business")                           \
	/* protect */                                                                                                  \
	X(10, ARP, "arp", PASS, "ARP always reaches the kernel")                                                       \
	X(11, NEIGHBOUR_DISCOVERY, "neighbour-discovery", PASS, "IPv6 neighbour discovery always reaches the kernel")  \
	X(12, DHCP, "dhcp", PASS, "DHCP always reaches the kernel")                                                    \
	X(13, PROTECTED, "protected", PASS, "matched an entry of protect: in the configuration")                       \
	/* admit */                                                                                                    \
	X(20, MARTIAN, "martian", DROP, "a source address that no packet may come from")                               \
	X(21, LAND, "land", DROP, "source and destination are the same address")                                       \
	X(22, DENIED, "denied", DROP, "the source is on the live deny list")                                           \
	X(23, RULE, "rule", DROP, "a rule of the filter drops it")                                                     \
	X(24, RULE_REJECT, "rule-reject", TX,                                                                          \
	  "a rule of the filter rejects it: answered with a RST or an unreachable")                                    \
	X(25, DEFAULT, "default", DROP, "no rule of the filter matches and its default is drop")                       \
	X(26, REPLY, "reply", PASS, "no rule matches, but it answers what this host sent")                             \
	/* limit */                                                                                                    \
	X(30, LIMITED, "limited", DROP, "over a rate limit")                                                           \
	/* steer */                                                                                                    \
	X(40, NOT_VIP, "not-vip", PASS, "not for a VIP: the host's own traffic")                                       \
	X(41, NO_SERVICE, "no-service", DROP, "for a VIP, but no service has this protocol and port")                  \
	X(42, VIP_FRAGMENT, "vip-fragment", DROP, "a fragment for a VIP: its flow cannot be known from it alone")      \
	X(43, VIP_ECHO, "vip-echo", TX, "an echo request to a VIP, answered by the edge")                              \
	X(44, VIP_ICMP, "vip-icmp", DROP, "an ICMP message to a VIP that speaks of none of its flows")                 \
	X(45, NO_BACKEND, "no-backend", DROP, "no backend can serve and the service's fallback is drop")               \
	X(46, FALLBACK_KERNEL, "fallback-kernel", PASS, "no backend can serve and the fallback is kernel")             \
	X(47, FALLBACK_REJECT, "fallback-reject", TX, "no backend can serve: answered with a RST or an unreachable")   \
	/* forward */                                                                                                  \
	X(60, STEERED, "steered", TX, "sent to a backend")                                                             \
	X(61, TTL_EXPIRED, "ttl-expired", DROP, "the TTL or hop limit ran out at the edge")                            \
	X(62, TOO_BIG, "too-big", TX, "would not fit the path to the backend: the sender is told the MTU")             \
	X(63, TOO_BIG_THROTTLED, "too-big-throttled", DROP, "would not fit, and the sender was told a moment ago")     \
	X(64, NO_ROUTE, "no-route", DROP, "the kernel has no route to the backend")                                    \
	X(65, NO_NEIGHBOUR, "no-neighbour", DROP, "the next hop's link address is not known yet")                      \
	X(66, NO_HEADROOM, "no-headroom", DROP, "the driver left no room for the outer header")                        \
	X(67, NO_ANSWER, "no-answer", DROP, "an answer was due but could not be built in the packet")                  \
	/* exit */                                                                                                     \
	X(70, UNMARKED, "unmarked", PASS,                                                                              \
	  "goes to the kernel without its rule's mark: the driver leaves no room for it")                              \
	/* anywhere */                                                                                                 \
	X(80, NO_POLICY, "no-policy", PASS, "no policy is live yet")                                                   \
	X(81, BUG, "bug", DROP, "an invariant does not hold: please report it")

/* Retired: none. */

#define WEIR_REASON_ENUM(number, symbol, name, verdict, sentence) WEIR_REASON_##symbol = (number),
enum weir_reason {
	WEIR_REASON_NONE = 0,
	WEIR_REASONS(WEIR_REASON_ENUM) WEIR_REASON_MAX = 128, /* capacity of the counters; above every number */
};
#undef WEIR_REASON_ENUM

#endif
