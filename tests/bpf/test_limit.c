/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits: how many pass at once and over time, per whom, and what is not limited at all. */
#include "harness.h"
#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ull
#define BACKENDS                                                                                                       \
	"pools:\n"                                                                                                     \
	"  local: {backends: [{name: a, address: 10.0.0.11}, {name: b, address: 10.0.0.12}]}\n"                        \
	"services:\n"                                                                                                  \
	"  - {name: www, address: [" V4 ", \"" V6 "\"], ports: [tcp/443, udp/443], pools: [local]}\n"

static const char per_packet[] = "limits:\n  - {name: per-client, key: source, rate: 10/s, burst: 5}\n" BACKENDS;
static const char per_net[] = "limits:\n  - {name: nets, key: \"source/24,/56\", rate: 10/s, burst: 5}\n" BACKENDS;
static const char per_bit[] = "limits:\n  - {name: bits, key: source, rate: 80kbit/s, burst: 4kB}\n" BACKENDS;
static const char two[] = "limits:\n"
			  "  - {name: loose, key: source, rate: 100/s, burst: 50}\n"
			  "  - {name: tight, key: \"source/24,/56\", rate: 10/s, burst: 5}\n" BACKENDS;

static unsigned int pass_of(struct harness *harness, const char *source, const char *destination, size_t payload,
			    unsigned int count)
{
	const struct packet_spec spec = {.source = source,
					 .destination = destination,
					 .protocol = IPPROTO_UDP,
					 .sport = 40000,
					 .dport = 443,
					 .payload = payload};
	uint8_t frame[PACKET_MAX];
	size_t size = packet_build(&spec, frame);
	unsigned int passed = 0;
	struct harness_result result;

	for (unsigned int i = 0; i < count; i++) {
		harness_run(harness, frame, size, &result);
		passed += result.trace.reason != WEIR_REASON_LIMITED;
	}
	return passed;
}

static struct weir_limit_count limit_count(struct harness *harness, const char *name)
{
	struct weir_limit_count count;

	assert_int_equal(kernel_map_sum(kernel_map_fd(harness->kernel, KERNEL_MAP_count_limit),
					harness_id(harness, WEIR_NAMES_LIMITS, name), sizeof(count) / 8, &count.passed),
			 0);
	return count;
}

static void limit_burst_passes_then_the_rate(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);
	struct weir_limit_count count;

	(void)state;
	assert_int_equal(pass_of(harness, C4, V4, 10, 100), 5);
	harness->now_ns += SECOND_NS / 10;
	assert_int_equal(pass_of(harness, C4, V4, 10, 100), 1);
	harness->now_ns += SECOND_NS / 5;
	assert_int_equal(pass_of(harness, C4, V4, 10, 100), 2);
	harness->now_ns += 3600 * SECOND_NS; /* what was not used for an hour is not saved up */
	assert_int_equal(pass_of(harness, C4, V4, 10, 100), 5);
	count = limit_count(harness, "per-client");
	assert_int_equal(count.passed, 13);
	assert_int_equal(count.dropped, 387);
	assert_int_equal(count.passed_bytes, 13 * 38);
	assert_int_equal(count.dropped_bytes, 387 * 38);
	assert_int_equal(harness_count_verdict(harness, WEIR_DROP, WEIR_REASON_LIMITED).packets, 387);
	harness_close(harness);
}

static void limit_is_per_source(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);

	(void)state;
	assert_int_equal(pass_of(harness, C4, V4, 0, 50), 5);
	assert_int_equal(pass_of(harness, "198.51.100.8", V4, 0, 50), 5);
	assert_int_equal(pass_of(harness, C6, V6, 0, 50), 5);
	assert_int_equal(pass_of(harness, "2001:db8:c::8", V6, 0, 50), 5);
	harness_close(harness);
}

static void limit_by_prefix_holds_for_all_of_it(void **state)
{
	struct harness *harness = harness_open(per_net, HARNESS_TRACED);

	(void)state;
	assert_int_equal(pass_of(harness, "198.51.100.1", V4, 0, 3), 3);
	assert_int_equal(pass_of(harness, "198.51.100.254", V4, 0, 3), 2);
	assert_int_equal(pass_of(harness, "198.51.101.1", V4, 0, 50), 5);
	assert_int_equal(pass_of(harness, "2001:db8:c:0100::1", V6, 0, 50), 5);
	assert_int_equal(pass_of(harness, "2001:db8:c:01ff:1::1", V6, 0, 50), 0);
	assert_int_equal(pass_of(harness, "2001:db8:c:0200::1", V6, 0, 50), 5);
	harness_close(harness);
}

/* 4 kB are four packets of 1000 bytes and the one that crosses the burst; 80 kbit/s are ten such a second. */
static void limit_in_bits_counts_lengths(void **state)
{
	struct harness *harness = harness_open(per_bit, HARNESS_TRACED);

	(void)state;
	assert_in_range(pass_of(harness, C4, V4, 1000 - 28, 50), 4, 5);
	harness->now_ns += SECOND_NS / 10;
	assert_int_equal(pass_of(harness, C4, V4, 1000 - 28, 50), 1);
	harness->now_ns += 10 * SECOND_NS;
	assert_in_range(pass_of(harness, C4, V4, 0, 400), 4000 / 28, 4000 / 28 + 2);
	harness_close(harness);
}

static void limit_does_not_touch_the_hosts_own_traffic(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);

	(void)state;
	assert_int_equal(pass_of(harness, C4, OTHER4, 0, 50), 50);
	assert_int_equal(limit_count(harness, "per-client").passed, 0);
	harness_close(harness);
}

static void limit_spares_allowed_sources(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);

	(void)state;
	harness_ban(harness, WEIR_BAN_ALLOW, "198.51.100.0/24", 0);
	assert_int_equal(pass_of(harness, C4, V4, 0, 50), 50);
	harness_unban(harness, WEIR_BAN_ALLOW, "198.51.100.0/24");
	assert_int_equal(pass_of(harness, C4, V4, 0, 50), 5);
	harness_close(harness);
}

/* Fragments, tags and what has no service are limited too: there is no way around. */
static void limit_counts_every_kind_of_packet(void **state)
{
	const struct packet_spec kinds[] = {
		{.source = C4, .destination = V4, .protocol = IPPROTO_TCP, .dport = 443, .offset = 8, .payload = 8},
		{.source = C4, .destination = V4, .protocol = IPPROTO_ICMP, .icmp_type = 8},
		{.source = C4, .destination = V4, .protocol = 47, .payload = 8},
		{.source = C4, .destination = V4, .protocol = IPPROTO_TCP, .dport = 443, .tags = 2, .options = 4},
		{.source = C4, .destination = V4, .protocol = IPPROTO_UDP, .dport = 9},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct harness *harness = harness_open(per_packet, HARNESS_TRACED);
		unsigned int limited = 0;
		struct harness_result result;

		for (int packet = 0; packet < 20; packet++) {
			harness_run_spec(harness, &kinds[i], &result);
			limited += result.trace.reason == WEIR_REASON_LIMITED;
		}
		assert_int_equal(limited, 15);
		harness_close(harness);
	}
}

static void limit_of_two_the_tighter_one_is_named(void **state)
{
	struct harness *harness = harness_open(two, HARNESS_TRACED);
	const struct packet_spec spec = {.source = C4, .destination = V4, .protocol = IPPROTO_UDP, .dport = 443};
	struct harness_result result;

	(void)state;
	assert_int_equal(pass_of(harness, C4, V4, 0, 20), 5);
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.limit_id, harness_id(harness, WEIR_NAMES_LIMITS, "tight"));
	harness_close(harness);
}

/* Buckets belong to the limit, not to the generation: an apply forgives nobody. */
static void limit_outlives_an_apply(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);

	(void)state;
	assert_int_equal(pass_of(harness, C4, V4, 0, 50), 5);
	harness_apply(harness, per_packet);
	assert_int_equal(pass_of(harness, C4, V4, 0, 50), 0);
	assert_int_equal(limit_count(harness, "per-client").dropped, 95);
	harness_close(harness);
}

/* A flood of sources shares the sketch with a client: two rows keep nearly every honest source whole. */
static void limit_honest_sources_live_beside_a_flood_of_others(void **state)
{
	struct harness *harness = harness_open(per_packet, HARNESS_TRACED);
	unsigned int harmed = 0;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		char source[16];

		snprintf(source, sizeof(source), "10.%u.%u.9", 50 + (i >> 8), i & 255);
		pass_of(harness, source, V4, 0, 6);
	}
	for (uint32_t i = 1; i < 200; i++) {
		char source[16];

		snprintf(source, sizeof(source), "198.51.100.%u", i);
		harmed += pass_of(harness, source, V4, 0, 5) != 5;
	}
	assert_in_range(harmed, 0, 3); /* 20,000 of 524,288 cells are run up: 0.15 % of pairs of them */
	harness_close(harness);
}

int group_limit(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_burst_passes_then_the_rate),
		cmocka_unit_test(limit_is_per_source),
		cmocka_unit_test(limit_by_prefix_holds_for_all_of_it),
		cmocka_unit_test(limit_in_bits_counts_lengths),
		cmocka_unit_test(limit_does_not_touch_the_hosts_own_traffic),
		cmocka_unit_test(limit_spares_allowed_sources),
		cmocka_unit_test(limit_counts_every_kind_of_packet),
		cmocka_unit_test(limit_of_two_the_tighter_one_is_named),
		cmocka_unit_test(limit_outlives_an_apply),
		cmocka_unit_test(limit_honest_sources_live_beside_a_flood_of_others),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
