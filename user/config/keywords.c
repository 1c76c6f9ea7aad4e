/* SPDX-License-Identifier: BSD-2-Clause */
/* Protocols and ICMP types (IANA's numbers), TCP flags (RFC 9293, section 3.1), DSCPs (RFC 2474, 2597, 3246, 5865). */
#include "keywords.h"

#include "../base/scope.h"

/* "icmp" first: what both of its halves are in is called by it. */
const struct keyword_pair keywords_protocol[] = {
	{"icmp", 1, 58},    {"icmpv4", 1, -1},	{"icmpv6", -1, 58},    {"tcp", 6, 6},	  {"udp", 17, 17},
	{"igmp", 2, 2},	    {"ipip", 4, 4},	{"dccp", 33, 33},      {"ipv6", 41, 41},  {"gre", 47, 47},
	{"esp", 50, 50},    {"ah", 51, 51},	{"ospf", 89, 89},      {"pim", 103, 103}, {"vrrp", 112, 112},
	{"l2tp", 115, 115}, {"sctp", 132, 132}, {"udplite", 136, 136},
};
const size_t keywords_protocol_count = ARRAY_SIZE(keywords_protocol);

const struct keyword_pair keywords_icmp[] = {
	{"echo-reply", 0, 129},
	{"destination-unreachable", 3, 1},
	{"source-quench", 4, -1},
	{"redirect", 5, 137},
	{"echo-request", 8, 128},
	{"router-advertisement", 9, 134},
	{"router-solicitation", 10, 133},
	{"time-exceeded", 11, 3},
	{"parameter-problem", 12, 4},
	{"timestamp-request", 13, -1},
	{"timestamp-reply", 14, -1},
	{"packet-too-big", -1, 2},
	{"multicast-listener-query", -1, 130},
	{"multicast-listener-report", -1, 131},
	{"multicast-listener-done", -1, 132},
	{"neighbour-solicitation", -1, 135},
	{"neighbour-advertisement", -1, 136},
	{"neighbor-solicitation", -1, 135},
	{"neighbor-advertisement", -1, 136},
	{"multicast-listener-report-v2", -1, 143},
};
const size_t keywords_icmp_count = ARRAY_SIZE(keywords_icmp);

const struct keyword keywords_tcp_flag[] = {
	{"fin", 1}, {"syn", 2}, {"rst", 4}, {"psh", 8}, {"ack", 16}, {"urg", 32}, {"ece", 64}, {"cwr", 128},
};
_Static_assert(ARRAY_SIZE(keywords_tcp_flag) == KEYWORDS_TCP_FLAGS, "counted");

const struct keyword keywords_dscp[] = {
	{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},	{"cs4", 32},  {"cs5", 40},  {"cs6", 48},  {"cs7", 56},
	{"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28},
	{"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38}, {"ef", 46},   {"va", 44},   {"le", 1},
};
_Static_assert(ARRAY_SIZE(keywords_dscp) == KEYWORDS_DSCPS, "counted");
