/* SPDX-License-Identifier: BSD-2-Clause */
/* Forwarding: every tunnel and L2, TTL and MTU, and what the FIB does not know. */
#include "harness.h"
#include <linux/bpf.h>
#include <string.h>

#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define REDIRECT  WEIR_REDIRECT, WEIR_REASON_STEERED, NULL
#define TOO_BIG	  WEIR_TX, WEIR_REASON_TOO_BIG, expect_too_big
#define TCP	  .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define UDP	  .protocol = IPPROTO_UDP, .sport = 40000, .dport = 443
#define FROM4(n)  .source = "198.51.100." #n
#define FROM6(n)  .source = "2001:db8:c::" #n

static const struct row rows[] = {
	{"IPv4 in IPv4", {FROM4(1), .destination = V4, TCP, .payload = 1000}, STEERED},
	{"IPv4 in IPv4, DF", {FROM4(1), .destination = V4, TCP, .dont_fragment = true}, STEERED},
	{"IPv4 in IPv4, traffic class and ECN", {FROM4(1), .destination = V4, TCP, .tos = 0xbb}, STEERED},
	{"IPv6 in IPv4", {FROM6(1), .destination = V6, TCP, .payload = 77}, STEERED},
	{"IPv6 in IPv4, traffic class", {FROM6(1), .destination = V6, UDP, .tos = 0xb9}, STEERED},
	{"IPv4 in IPv6", {FROM4(1), .destination = SIX4, TCP, .payload = 31}, STEERED},
	{"IPv4 in IPv6, traffic class", {FROM4(1), .destination = SIX4, UDP, .tos = 0x2e}, STEERED},
	{"IPv6 in IPv6", {FROM6(1), .destination = SIX6, UDP, .payload = 500, .tos = 3}, STEERED},
	{"IPv4 by L2", {FROM4(1), .destination = L2_4, TCP, .payload = 3}, STEERED},
	{"IPv6 by L2", {FROM6(1), .destination = L2_6, TCP}, STEERED},
	{"by L2 behind a tag", {FROM4(1), .destination = L2_4, TCP, .tags = 1, .tci = {42}}, STEERED},
	{"IPv6 in IPv6 behind two tags", {FROM6(1), .destination = SIX6, TCP, .tags = 2, .tci = {1, 2}}, STEERED},
	{"out of another interface", {FROM4(1), .destination = NARROW4, TCP, .payload = 9}, REDIRECT},
	{"out of another interface, tags left behind",
	 {FROM6(1), .destination = NARROW6, UDP, .tags = 2, .tci = {1, 2}},
	 REDIRECT},

	{"a TTL of 1", {FROM4(1), .destination = V4, TCP, .ttl = 1}, DROP(TTL_EXPIRED)},
	{"a hop limit of 1", {FROM6(1), .destination = V6, TCP, .ttl = 1}, DROP(TTL_EXPIRED)},
	{"a TTL of 2", {FROM4(1), .destination = V4, TCP, .ttl = 2}, STEERED},
	{"a hop limit of 255", {FROM6(1), .destination = SIX6, TCP, .ttl = 255}, STEERED},

	{"IPv4 that just fits", {FROM4(2), .destination = V4, TCP, .payload = 1440, .dont_fragment = true}, STEERED},
	{"IPv4 that is a byte too long",
	 {FROM4(2), .destination = V4, TCP, .payload = 1441, .dont_fragment = true},
	 TOO_BIG},
	{"IPv4 in IPv6 that just fits", {FROM4(3), .destination = SIX4, UDP, .payload = 1432}, STEERED},
	{"IPv4 in IPv6 that is too long",
	 {FROM4(3), .destination = SIX4, UDP, .payload = 1433, .dont_fragment = true},
	 TOO_BIG},
	{"IPv6 in IPv6 that just fits", {FROM6(4), .destination = SIX6, TCP, .payload = 1400}, STEERED},
	{"IPv6 in IPv6 that is too long", {FROM6(4), .destination = SIX6, TCP, .payload = 1401}, TOO_BIG},
	{"too long for the other interface",
	 {FROM4(5), .destination = NARROW4, TCP, .payload = 1341, .dont_fragment = true},
	 TOO_BIG},
	{"IPv6 too long for the other interface, behind a tag",
	 {FROM6(6), .destination = NARROW6, TCP, .payload = 1350, .tags = 1, .tci = {4}},
	 TOO_BIG},
	{"IPv6 with an extension header that is too long",
	 {FROM6(7), .destination = V6, TCP, .payload = 1440, .extensions = "h"},
	 TOO_BIG},

	{"a backend without a route", {FROM4(1), .destination = UNROUTED4, TCP}, DROP(NO_ROUTE)},
	{"a backend without a neighbour entry", {FROM4(1), .destination = UNKNOWN4, TCP}, DROP(NO_NEIGHBOUR)},
};
const struct table table_forward = {"forward", rows, ARRAY_SIZE(rows)};

static void forward_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_forward);
}

static void forward_too_big_is_throttled(void **state)
{
	const struct packet_spec spec = {FROM4(80), .destination = V4, TCP, .payload = 1460, .dont_fragment = true};
	unsigned int told = 0;
	struct harness_result result;

	for (int i = 0; i < 100; i++) {
		harness_run_spec(*state, &spec, &result);
		told += result.trace.reason == WEIR_REASON_TOO_BIG;
	}
	assert_in_range(told, 10, 11);
	assert_int_equal(result.trace.reason, WEIR_REASON_TOO_BIG_THROTTLED);
	assert_int_equal(result.action, XDP_DROP);
}

static void forward_without_fib_assumes_a_next_hop_where_told_to(void **state)
{
	struct harness *harness = harness_open(configuration_standard, HARNESS_ASSUME);
	static const char *const destinations[] = {UNROUTED4, UNKNOWN4, V4};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
		const struct packet_spec spec = {FROM4(1), .destination = destinations[i], TCP};
		uint8_t frame[PACKET_MAX];
		size_t size = packet_build(&spec, frame);
		struct harness_result result;

		harness_run(harness, frame, size, &result);
		assert_int_equal(result.trace.reason, WEIR_REASON_STEERED);
		assert_int_equal(result.trace.next_hop, i < 2 ? 2 : 1);
		expect_steered(harness, destinations[i], frame, size, &result);
	}
	harness_close(harness);
}

/* Outer identifications of packets that may be fragmented differ (RFC 6864). */
static void forward_outer_identification_varies_without_df(void **state)
{
	const struct packet_spec spec = {FROM4(1), .destination = V4, TCP};
	struct harness_result first, next;
	unsigned int same = 0;

	harness_run_spec(*state, &spec, &first);
	for (int i = 0; i < 20; i++) {
		harness_run_spec(*state, &spec, &next);
		same += !memcmp(first.data + 18, next.data + 18, 2);
	}
	assert_true(same < 3);
}

static void forward_read_only_writes_nothing(void **state)
{
	const struct packet_spec spec = {FROM4(1), .destination = V4, TCP, .flags = SYN};
	struct harness *harness = harness_open(configuration_standard, HARNESS_READ_ONLY);
	struct harness_result result;

	(void)state;
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_STEERED);
	assert_int_equal(harness_count_verdict(harness, WEIR_TX, WEIR_REASON_STEERED).packets, 0);
	assert_int_equal(harness_count_flows(harness, KERNEL_MAP_count_backend, result.trace.backend_id).packets, 0);
	harness_close(harness);
}

int group_forward(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_table_gives_what_it_says),
		cmocka_unit_test(forward_too_big_is_throttled),
		cmocka_unit_test(forward_without_fib_assumes_a_next_hop_where_told_to),
		cmocka_unit_test(forward_outer_identification_varies_without_df),
		cmocka_unit_test(forward_read_only_writes_nothing),
	};

	return cmocka_run_group_tests_name("forward", tests, group_open_standard, group_close);
}
