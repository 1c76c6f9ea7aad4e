/* SPDX-License-Identifier: BSD-2-Clause */
/* Parsing: what is honest is understood, tags, options, extensions and fragments included; what lies is dropped. */
#include "harness.h"

#define TCP4	  .source = C4, .destination = V4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define TCP6	  .source = C6, .destination = V6, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define UDP4	  .source = C4, .destination = V4, .protocol = IPPROTO_UDP, .sport = 40000, .dport = 443
#define UDP6	  .source = C6, .destination = V6, .protocol = IPPROTO_UDP, .sport = 40000, .dport = 443
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define PASS(why) WEIR_PASS, WEIR_REASON_##why, NULL
#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define MALFORMED DROP(MALFORMED)

static const struct row rows[] = {
	{"a SYN over IPv4", {TCP4, .flags = SYN}, STEERED},
	{"a segment over IPv6", {TCP6, .payload = 100}, STEERED},
	{"a datagram over IPv4", {UDP4, .payload = 100}, STEERED},
	{"a datagram over IPv6", {UDP6, .payload = 1}, STEERED},
	{"a short frame padded to 60 bytes", {UDP4, .payload = 2, .padding = 16}, STEERED},

	{"IPv4 of version 5", {TCP4, .lie_version = 1}, MALFORMED},
	{"IPv4 with a header of 4 words", {TCP4, .lie_ihl = -1}, MALFORMED},
	{"IPv4 with a header of no words", {TCP4, .lie_ihl = -5}, MALFORMED},
	{"IPv4 with a header that is longer than the packet", {UDP4, .lie_ihl = 10}, MALFORMED},
	{"IPv4 longer than the frame", {TCP4, .lie_length = 1}, MALFORMED},
	{"IPv4 of 65535 bytes in a short frame", {TCP4, .lie_length = 65535 - 40}, MALFORMED},
	{"IPv4 shorter than its header", {TCP4, .lie_length = -21}, MALFORMED},
	{"IPv4 of length 0", {TCP4, .lie_length = -40}, MALFORMED},
	{"IPv4 too short for its TCP header", {TCP4, .lie_length = -1}, MALFORMED},
	{"IPv4 cut by the frame's end", {TCP4, .payload = 50, .cut = 51}, MALFORMED},
	{"IPv6 of version 4", {TCP6, .lie_version = -2}, MALFORMED},
	{"IPv6 longer than the frame", {TCP6, .lie_length = 1}, MALFORMED},
	{"IPv6 too short for its TCP header", {TCP6, .lie_length = -1}, MALFORMED},
	{"IPv6 of no payload that should hold TCP", {TCP6, .lie_length = -20}, MALFORMED},
	{"TCP with a header of 4 words", {TCP4, .lie_doff = -1}, MALFORMED},
	{"TCP with a header longer than the packet", {TCP4, .lie_doff = 1}, MALFORMED},
	{"TCP over IPv6 with a header longer than the packet", {TCP6, .payload = 39, .lie_doff = 10}, MALFORMED},
	{"UDP of length 7", {UDP4, .lie_udp_length = -1}, MALFORMED},
	{"UDP longer than the packet", {UDP4, .payload = 10, .lie_udp_length = 1}, MALFORMED},
	{"UDP over IPv6 longer than the packet", {UDP6, .lie_udp_length = 1}, MALFORMED},
	{"ICMPv6 over IPv4", {.source = C4, .destination = V4, .protocol = IPPROTO_ICMPV6, .payload = 20}, MALFORMED},
	{"a protocol that no service has",
	 {.source = C4, .destination = V4, .protocol = 132, .payload = 20},
	 DROP(NO_SERVICE)},

	{"IPv4 with one word of options", {TCP4, .options = 1}, STEERED},
	{"IPv4 with ten words of options", {TCP4, .options = 10, .payload = 5}, STEERED},
	{"IPv4 with options that a datagram follows", {UDP4, .options = 3}, STEERED},
	{"IPv4 with options that leave no room for TCP", {TCP4, .options = 2, .lie_ihl = 2}, MALFORMED},

	{"a first fragment for a VIP", {TCP4, .more_fragments = true, .payload = 60}, DROP(VIP_FRAGMENT)},
	{"a later fragment for a VIP", {TCP4, .offset = 80, .payload = 60}, DROP(VIP_FRAGMENT)},
	{"a last fragment over IPv6", {TCP6, .extensions = "F", .offset = 80, .payload = 60}, DROP(VIP_FRAGMENT)},
	{"a first fragment over IPv6", {TCP6, .extensions = "F", .more_fragments = true}, DROP(VIP_FRAGMENT)},
	{"an atomic fragment over IPv6 (RFC 6946)", {TCP6, .extensions = "f"}, STEERED},
	{"a first fragment of 8 bytes of TCP", {TCP4, .more_fragments = true, .keep = 8}, DROP(TINY_FRAGMENT)},
	{"a first fragment of 19 bytes of TCP", {TCP4, .more_fragments = true, .keep = 19}, DROP(TINY_FRAGMENT)},
	{"a first fragment of 7 bytes of UDP", {UDP4, .more_fragments = true, .keep = 7}, DROP(TINY_FRAGMENT)},
	{"a first fragment of 8 bytes of TCP over IPv6",
	 {TCP6, .extensions = "F", .more_fragments = true, .keep = 8},
	 DROP(TINY_FRAGMENT)},
	{"a later fragment that looks like a protected port",
	 {.source = MANAGER4, .destination = V4, .protocol = IPPROTO_TCP, .sport = 50000, .dport = 22, .offset = 8},
	 DROP(VIP_FRAGMENT)},
	{"a later fragment over IPv6 that looks like a protected port",
	 {.source = "2001:db8:bbbb::1",
	  .destination = V6,
	  .protocol = IPPROTO_TCP,
	  .sport = 22,
	  .dport = 22,
	  .extensions = "F",
	  .offset = 1480},
	 DROP(VIP_FRAGMENT)},
	{"a later fragment for the host",
	 {.source = C4, .destination = OTHER4, .protocol = IPPROTO_UDP, .offset = 8},
	 PASS(NOT_VIP)},

	{"a hop-by-hop header", {TCP6, .extensions = "h"}, STEERED},
	{"hop-by-hop, destination and mobility routing", {TCP6, .extensions = "hdr", .payload = 9}, STEERED},
	{"an authentication header", {UDP6, .extensions = "a"}, STEERED},
	{"six extension headers", {TCP6, .extensions = "hdrdad"}, STEERED},
	{"seven extension headers", {TCP6, .extensions = "hdddddd"}, DROP(IPV6_CHAIN)},
	{"a routing header of type 0", {TCP6, .extensions = "0"}, DROP(ROUTING_HEADER)},
	{"a routing header of type 0 behind others", {TCP6, .extensions = "hd0"}, DROP(ROUTING_HEADER)},
	{"an extension header longer than the packet", {TCP6, .extensions = "d", .lie_extension = 3}, MALFORMED},
	{"an extension header of 2048 bytes", {TCP6, .extensions = "d", .lie_extension = 255}, MALFORMED},
	{"an authentication header of 1028 bytes", {TCP6, .extensions = "a", .lie_extension = 251}, MALFORMED},
	{"a next header that nobody knows",
	 {.source = C6, .destination = V6, .protocol = 253, .payload = 40},
	 DROP(NO_SERVICE)},
	{"no next header (59) with bytes that look like TCP",
	 {.source = C6, .destination = V6, .protocol = 59, .payload = 40},
	 DROP(NO_SERVICE)},
	{"ESP", {.source = C6, .destination = V6, .protocol = 50, .payload = 40}, DROP(NO_SERVICE)},

	{"a VLAN tag", {TCP4, .tags = 1, .tci = {100}}, STEERED},
	{"a priority tag", {TCP6, .tags = 1, .tci = {0xa000}}, STEERED},
	{"a service tag", {TCP4, .tags = 1, .tci = {7}, .tpid = {0x88a8}}, STEERED},
	{"two tags", {TCP4, .tags = 2, .tci = {7, 100}, .tpid = {0x88a8}, .flags = SYN}, STEERED},
	{"two tags over IPv6", {UDP6, .tags = 2, .tci = {7, 100}, .payload = 3}, STEERED},
	{"three tags", {TCP4, .tags = 3, .tci = {1, 2, 3}}, DROP(VLAN_DEPTH)},
	{"four tags over IPv6", {TCP6, .tags = 4, .tci = {1, 2, 3, 4}}, DROP(VLAN_DEPTH)},
	{"a lying packet behind a tag", {TCP4, .tags = 1, .lie_length = 1}, MALFORMED},
	{"a frame that ends within its tag", {TCP4, .tags = 1, .cut = 42}, MALFORMED},

	{"ARP", {.ethertype = 0x0806}, PASS(ARP)},
	{"ARP behind a tag", {.ethertype = 0x0806, .tags = 1}, PASS(ARP)},
	{"LLDP", {.ethertype = 0x88cc}, PASS(NOT_IP)},
	{"a length instead of an ethertype (LLC)", {.ethertype = 0x0027}, PASS(NOT_IP)},
	{"IPv4 that calls itself IPv6", {.source = C4, .destination = V4, .ethertype = 0x86dd}, MALFORMED},
};

const struct table table_parse = {"parse", rows, ARRAY_SIZE(rows)};

static void parse_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_parse);
}

/* The bytes behind tags mean what they mean without. */
static void parse_tags_change_no_verdict(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packet_spec spec = rows[i].packet;
		struct harness_result plain, tagged;

		if (spec.tags || spec.cut)
			continue;
		harness_run_spec(*state, &spec, &plain);
		spec.tags = 2;
		spec.tpid[0] = 0x88a8;
		spec.tci[0] = 0x0fff;
		harness_run_spec(*state, &spec, &tagged);
		assert_int_equal(plain.trace.reason, tagged.trace.reason);
		assert_int_equal(plain.action, tagged.action);
		assert_int_equal(tagged.trace.vlan_tags, 2);
		assert_int_equal(plain.trace.slot, tagged.trace.slot);
	}
}

static void parse_trace_tells_what_the_packet_is(void **state)
{
	const struct packet_spec spec = {TCP6, .flags = SYN, .tags = 1, .ttl = 9, .payload = 3, .extensions = "h"};
	struct addr source = packet_addr(C6), destination = packet_addr(V6);
	struct harness_result result;

	harness_run_spec(*state, &spec, &result);
	assert_memory_equal(&result.trace.source, &source.bytes, 16);
	assert_memory_equal(&result.trace.destination, &destination.bytes, 16);
	assert_int_equal(result.trace.family, WEIR_IPV6);
	assert_int_equal(result.trace.ip_length, 40 + 8 + 20 + 3);
	assert_int_equal(result.trace.sport, 40000);
	assert_int_equal(result.trace.dport, 443);
	assert_int_equal(result.trace.protocol, IPPROTO_TCP);
	assert_int_equal(result.trace.tcp_flags, SYN);
	assert_int_equal(result.trace.ttl, 9);
	assert_int_equal(result.trace.vlan_tags, 1);
	assert_int_equal(result.trace.fragment, 0);
}

int group_parse(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_table_gives_what_it_says),
		cmocka_unit_test(parse_tags_change_no_verdict),
		cmocka_unit_test(parse_trace_tells_what_the_packet_is),
	};

	return cmocka_run_group_tests_name("parse", tests, group_open_standard, group_close);
}
