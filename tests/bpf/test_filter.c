/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules match: every kind of match in both families, packets on either side of its edge. */
#include "harness.h"
#include <net/if.h>

/* Rows change what the macros begin with. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define PASS   WEIR_PASS, WEIR_REASON_NOT_VIP, NULL
#define DROP   WEIR_DROP, WEIR_REASON_RULE, NULL
#define TO4(n) .source = C4, .destination = "10.50.0." #n
#define TO6(n) .source = C6, .destination = "2001:db8:50::" #n
#define TCP    .protocol = IPPROTO_TCP, .sport = 40000, .dport = 4000
#define UDP    .protocol = IPPROTO_UDP, .sport = 40000, .dport = 4000
#define ICMP   .protocol = IPPROTO_ICMP

/* Each rule has a destination of its own, so that a row speaks of one rule. */
#define TO(n) "to: [10.50.0." #n ", \"2001:db8:50::" #n "\"], "
static const char matches[] =
	"interfaces: [edge0, edge1]\n"
	"sets:\n"
	"  near: [198.51.100.0/24, \"2001:db8:c::/48\"]\n"
	"  hosts: [198.51.100.9, 198.51.100.16/30, \"2001:db8:c::9\", \"2001:db8:c:1::/64\"]\n"
	"filter:\n"
	"  rules:\n"
	"  - {name: from, " TO(
		1) "from: [198.51.100.0/30, \"2001:db8:c:1::/64\"], action: drop}\n"
		   "  - {name: set, " TO(
			   2) "from: \"@hosts\", action: drop}\n"
			      "  - {name: but, " TO(
				      3) "from: [\"@near\", \"!@hosts\", \"!198.51.100.1\"], action: "
					 "drop}\n"
					 "  - {name: outside, " TO(
						 4) "from: \"!@near\", action: drop}\n"
						    "  - {name: proto, " TO(
							    5) "proto: [gre, 50], action: drop}\n"
							       "  - {name: sport, " TO(
								       6) "sport: \"19,1000-1999\", "
									  "action: drop}\n"
									  "  - {name: dport, " TO(
										  7) "proto: udp, dport: "
										     "\"<=53\", action: "
										     "drop}\n"
										     "  - {name: "
										     "flags, " TO(8) "tcp_"
												     "flags"
												     ": "
												     "\"syn"
												     "/syn,"
												     "ack\""
												     ", "
												     "actio"
												     "n: "
												     "drop}"
												     "\n"
												     "  - "
												     "{name"
												     ": "
												     "icmp,"
												     " " TO(9) "icmp: "
													       "[8/0, "
													       "128, "
													       "3/4], "
													       "action:"
													       " drop}"
													       "\n"
													       "  - "
													       "{name: "
													       "length,"
													       " " TO(10) "length: \"60-100\", action: drop}\n"
															  "  - {name: ttl, " TO(
																  11) "ttl: \"<=1,255\", action: drop}\n"
																      "  - {name: dscp, " TO(12) "dscp: [ef, 1], action: drop}\n"
																				 "  - {name: first, " TO(13) "fragment: first, action: drop}\n"
																							     "  - {name: later, " TO(14) "fragment: later, action: drop}\n"
																											 "  - {name: whole, " TO(15) "fragment: no, action: drop}\n"
																														     "  - {name: extended, " TO(16) "ipv6_extensions: present, action: drop}\n"
																																		    "  - {name: bare, " TO(17) "ipv6_extensions: absent, action: drop}\n"
																																					       "  - {name: vlan, " TO(18) "vlan: \"100-199\", action: drop}\n"
																																									  "  - {name: untagged, " TO(19) "vlan: none, action: drop}\n"
																																													 "  - {name: here, " TO(
																																														 20) "interface: edge0, action: drop}\n"
																																														     "  - {name: there, " TO(21) "interface: edge1, action: drop}\n"
																																																		 "  - {name: all-of-it, " TO(22) "from: \"@near\", proto: tcp, dport: 4000, ttl: 64, action: drop}\n"
																																																						 "  - {name: vips, to: \"@vips\", proto: udp, sport: 123, action: drop}\n"
																																																						 "  - {name: early, " TO(23) "proto: tcp, action: pass}\n"
																																																									     "  - {name: late, " TO(
																																																										     23) "action: drop}\n"
																																																											 "pools: {local: {backends: [{name: a, address: 10.0.0.11}]}}\n"
																																																											 "services:\n"
																																																											 "  - {name: www, address: [" V4
																																																											 ", \"" V6
																																																											 "\"], ports: [udp/443], pools: [local]}\n";

static const struct filter_row address_rows[] = {
	{{"the first address of a prefix", {TO4(1), UDP, .source = "198.51.100.0"}, DROP}, "from"},
	{{"the last address of a prefix", {TO4(1), UDP, .source = "198.51.100.3"}, DROP}, "from"},
	{{"one behind a prefix", {TO4(1), UDP, .source = "198.51.100.4"}, PASS}, NULL},
	{{"one before a prefix", {TO4(1), UDP, .source = "198.51.99.255"}, PASS}, NULL},
	{{"the first address of a v6 prefix", {TO6(1), UDP, .source = "2001:db8:c:1::"}, DROP}, "from"},
	{{"the last address of a v6 prefix", {TO6(1), UDP, .source = "2001:db8:c:1:ffff:ffff:ffff:ffff"}, DROP},
	 "from"},
	{{"one behind a v6 prefix", {TO6(1), UDP, .source = "2001:db8:c:2::"}, PASS}, NULL},
	{{"one before a v6 prefix", {TO6(1), UDP, .source = "2001:db8:c:0:ffff:ffff:ffff:ffff"}, PASS}, NULL},
	{{"a host of a set", {TO4(2), UDP, .source = "198.51.100.9"}, DROP}, "set"},
	{{"a host beside one of a set", {TO4(2), UDP, .source = "198.51.100.10"}, PASS}, NULL},
	{{"a prefix of a set", {TO4(2), UDP, .source = "198.51.100.19"}, DROP}, "set"},
	{{"a v6 host of a set", {TO6(2), UDP, .source = "2001:db8:c::9"}, DROP}, "set"},
	{{"a v6 host beside one of a set", {TO6(2), UDP, .source = "2001:db8:c::a"}, PASS}, NULL},
	{{"in a set and in no exception", {TO4(3), UDP}, DROP}, "but"},
	{{"in a set and in an exception that is a set", {TO4(3), UDP, .source = "198.51.100.17"}, PASS}, NULL},
	{{"in a set and in an exception that is written", {TO4(3), UDP, .source = "198.51.100.1"}, PASS}, NULL},
	{{"in no set of a rule with exceptions", {TO4(3), UDP, .source = OTHER4}, PASS}, NULL},
	{{"in a set and in no exception, v6", {TO6(3), UDP}, DROP}, "but"},
	{{"in a set and in an exception, v6", {TO6(3), UDP, .source = "2001:db8:c:1::5"}, PASS}, NULL},
	{{"within what is negated", {TO4(4), UDP}, PASS}, NULL},
	{{"outside of what is negated", {TO4(4), UDP, .source = OTHER4}, DROP}, "outside"},
	{{"within what is negated, v6", {TO6(4), UDP}, PASS}, NULL},
	{{"outside of what is negated, v6", {TO6(4), UDP, .source = OTHER6}, DROP}, "outside"},
	{{"to a VIP", {.source = C4, .destination = V4, UDP, .sport = 123}, DROP}, "vips"},
	{{"to a VIP, v6", {.source = C6, .destination = V6, UDP, .sport = 123}, DROP}, "vips"},
	{{"to no VIP", {.source = C4, .destination = OTHER4, UDP, .sport = 123}, PASS}, NULL},
};

static const struct filter_row transport_rows[] = {
	{{"a protocol by name", {TO4(5), .protocol = 47, .payload = 8}, DROP}, "proto"},
	{{"a protocol by number, v6", {TO6(5), .protocol = 50, .payload = 8}, DROP}, "proto"},
	{{"a protocol behind extension headers", {TO6(5), .protocol = 47, .payload = 8, .extensions = "hd"}, DROP},
	 "proto"},
	{{"another protocol", {TO4(5), UDP}, PASS}, NULL},
	{{"a port of a list", {TO4(6), UDP, .sport = 19}, DROP}, "sport"},
	{{"the first port of a range", {TO4(6), TCP, .sport = 1000}, DROP}, "sport"},
	{{"the last port of a range", {TO6(6), UDP, .sport = 1999}, DROP}, "sport"},
	{{"one behind a range of ports", {TO6(6), UDP, .sport = 2000}, PASS}, NULL},
	{{"one before a range of ports", {TO4(6), UDP, .sport = 999}, PASS}, NULL},
	{{"ports of ICMP there are none", {TO4(6), ICMP, .icmp_type = 8, .sport = 19}, PASS}, NULL},
	{{"a later fragment has no ports",
	  {TO4(6), .protocol = IPPROTO_UDP, .sport = 19, .offset = 64, .payload = 16},
	  PASS},
	 NULL},
	{{"a port up to an end", {TO4(7), UDP, .dport = 53}, DROP}, "dport"},
	{{"port 0", {TO6(7), UDP, .dport = 0}, DROP}, "dport"},
	{{"the port of another protocol", {TO4(7), TCP, .dport = 53}, PASS}, NULL},
	{{"one behind an end", {TO6(7), UDP, .dport = 54}, PASS}, NULL},
	{{"SYN", {TO4(8), TCP, .flags = SYN}, DROP}, "flags"},
	{{"SYN with a flag outside of the mask", {TO6(8), TCP, .flags = SYN | FIN}, DROP}, "flags"},
	{{"SYN and ACK", {TO4(8), TCP, .flags = SYN | ACK}, PASS}, NULL},
	{{"no SYN", {TO6(8), TCP, .flags = FIN}, PASS}, NULL},
	{{"flags of UDP there are none", {TO4(8), UDP}, PASS}, NULL},
	{{"an ICMP type with its code", {TO4(9), ICMP, .icmp_type = 8}, DROP}, "icmp"},
	{{"an ICMP type with another code", {TO4(9), ICMP, .icmp_type = 8, .icmp_code = 1}, PASS}, NULL},
	{{"an ICMPv6 type with any code", {TO6(9), ICMP, .icmp_type = 128, .icmp_code = 7}, DROP}, "icmp"},
	{{"an ICMP error with its code", {TO4(9), ICMP, .icmp_type = 3, .icmp_code = 4}, DROP}, "icmp"},
	{{"an ICMP error with another code", {TO4(9), ICMP, .icmp_type = 3, .icmp_code = 3}, PASS}, NULL},
	{{"everything a rule asks for", {TO4(22), TCP}, DROP}, "all-of-it"},
	{{"everything a rule asks for, v6", {TO6(22), TCP}, DROP}, "all-of-it"},
	{{"all but the source", {TO4(22), TCP, .source = OTHER4}, PASS}, NULL},
	{{"all but the protocol", {TO4(22), UDP}, PASS}, NULL},
	{{"all but the port", {TO6(22), TCP, .dport = 4001}, PASS}, NULL},
	{{"all but the TTL", {TO4(22), TCP, .ttl = 63}, PASS}, NULL},
	{{"the first rule that matches decides", {TO4(23), TCP}, PASS}, "early"},
	{{"a later rule decides where the first does not match", {TO6(23), UDP}, DROP}, "late"},
};

static const struct filter_row network_rows[] = {
	{{"the least length", {TO4(10), UDP, .payload = 32}, DROP}, "length"},
	{{"the greatest length", {TO4(10), UDP, .payload = 72}, DROP}, "length"},
	{{"too short", {TO4(10), UDP, .payload = 31}, PASS}, NULL},
	{{"too long, though not without its header", {TO6(10), UDP, .payload = 53}, PASS}, NULL},
	{{"padding behind the packet counts for nothing", {TO4(10), UDP, .payload = 31, .padding = 9}, PASS}, NULL},
	{{"the length of IPv6 with its header", {TO6(10), UDP, .payload = 12}, DROP}, "length"},
	{{"a TTL at the end of a range", {TO4(11), UDP, .ttl = 1}, DROP}, "ttl"},
	{{"a hop limit of 255", {TO6(11), UDP, .ttl = 255}, DROP}, "ttl"},
	{{"a TTL between two ranges", {TO4(11), UDP, .ttl = 2}, PASS}, NULL},
	{{"a DSCP, whatever ECN says", {TO4(12), UDP, .tos = 46 << 2 | 3}, DROP}, "dscp"},
	{{"a DSCP of a traffic class", {TO6(12), UDP, .tos = 1 << 2}, DROP}, "dscp"},
	{{"another DSCP", {TO6(12), UDP, .tos = 47 << 2}, PASS}, NULL},
	{{"a first fragment", {TO4(13), UDP, .payload = 64, .more_fragments = true}, DROP}, "first"},
	{{"a first fragment, v6", {TO6(13), UDP, .payload = 64, .extensions = "F", .more_fragments = true}, DROP},
	 "first"},
	{{"a whole packet is no fragment", {TO4(13), UDP}, PASS}, NULL},
	{{"a later fragment", {TO4(14), UDP, .offset = 64, .payload = 16}, DROP}, "later"},
	{{"a later fragment, v6", {TO6(14), UDP, .offset = 64, .payload = 16, .extensions = "F"}, DROP}, "later"},
	{{"a first fragment is no later one", {TO4(14), UDP, .payload = 64, .more_fragments = true}, PASS}, NULL},
	{{"a whole packet", {TO4(15), UDP}, DROP}, "whole"},
	{{"a fragment that is the whole packet", {TO6(15), UDP, .extensions = "f"}, DROP}, "whole"},
	{{"extension headers", {TO6(16), UDP, .extensions = "d"}, DROP}, "extended"},
	{{"no extension headers", {TO6(16), UDP}, PASS}, NULL},
	{{"IPv4 has none, whatever its options", {TO4(16), UDP, .options = 2}, PASS}, NULL},
	{{"the absence of extension headers", {TO6(17), UDP}, DROP}, "bare"},
	{{"their presence where absence is asked for", {TO6(17), UDP, .extensions = "h"}, PASS}, NULL},
	{{"IPv4 lacks them, too", {TO4(17), UDP, .options = 2}, DROP}, "bare"},
	{{"a VLAN of a range, whatever the priority", {TO4(18), UDP, .tags = 1, .tci = {0xe000 | 199}}, DROP}, "vlan"},
	{{"the outer tag counts", {TO6(18), UDP, .tags = 2, .tci = {100, 7}, .tpid = {0x88a8}}, DROP}, "vlan"},
	{{"the inner tag does not", {TO6(18), UDP, .tags = 2, .tci = {7, 100}, .tpid = {0x88a8}}, PASS}, NULL},
	{{"a VLAN behind the range", {TO4(18), UDP, .tags = 1, .tci = {200}}, PASS}, NULL},
	{{"no tag has no VLAN", {TO4(18), UDP}, PASS}, NULL},
	{{"no tag", {TO4(19), UDP}, DROP}, "untagged"},
	{{"a tag with VLAN 0 is one", {TO6(19), UDP, .tags = 1}, PASS}, NULL},
	{{"the interface that it came in by", {TO4(20), UDP}, DROP}, "here"},
	{{"the interface that it came in by, v6", {TO6(20), UDP}, DROP}, "here"},
	{{"another interface", {TO4(21), UDP}, PASS}, NULL},
};

static int open_matches(void **state)
{
	static uint32_t ifindexes[2];
	static const struct model_filter filter = {.ifindexes = ifindexes};

	ifindexes[0] = if_nametoindex("edge0");
	ifindexes[1] = if_nametoindex("edge1");
	*state = harness_open(NULL, HARNESS_TRACED);
	harness_apply_filter(*state, matches, &filter);
	return 0;
}

static void filter_matches_addresses(void **state)
{
	filter_rows_run(*state, address_rows, ARRAY_SIZE(address_rows));
}

static void filter_matches_what_transport_headers_say(void **state)
{
	filter_rows_run(*state, transport_rows, ARRAY_SIZE(transport_rows));
}

static void filter_matches_what_the_packet_is(void **state)
{
	filter_rows_run(*state, network_rows, ARRAY_SIZE(network_rows));
}

static void filter_matches_the_interface_that_there_is(void **state)
{
	static const struct filter_row rows[] = {
		{{"the other interface", {TO4(21), UDP}, DROP}, "there"},
		{{"no longer the first", {TO6(20), UDP}, PASS}, NULL},
	};
	struct harness *harness = *state;

	harness->ifindex = if_nametoindex("edge1");
	filter_rows_run(harness, rows, ARRAY_SIZE(rows));
	harness->ifindex = if_nametoindex("edge0");
}

int group_filter(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_matches_addresses),
		cmocka_unit_test(filter_matches_what_transport_headers_say),
		cmocka_unit_test(filter_matches_what_the_packet_is),
		cmocka_unit_test(filter_matches_the_interface_that_there_is),
	};

	return cmocka_run_group_tests_name("filter", tests, open_matches, group_close);
}
