/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering: which service, which backend, and what is done when nobody can serve. */
#include "harness.h"
#include <stdio.h>

#define PASS(why) WEIR_PASS, WEIR_REASON_##why, NULL
#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define RESET	  WEIR_TX, WEIR_REASON_FALLBACK_REJECT, expect_reset
#define REFUSED	  WEIR_TX, WEIR_REASON_FALLBACK_REJECT, expect_unreachable
#define FROM4	  .source = C4, .sport = 40000
#define FROM6	  .source = C6, .sport = 40000
#define TCP	  .protocol = IPPROTO_TCP
#define UDP	  .protocol = IPPROTO_UDP

static const struct row rows[] = {
	{"an address that is no VIP", {FROM4, .destination = OTHER4, TCP, .dport = 443}, PASS(NOT_VIP)},
	{"an IPv6 address that is no VIP", {FROM6, .destination = OTHER6, UDP, .dport = 443}, PASS(NOT_VIP)},
	{"the other port of a service", {FROM4, .destination = V4, TCP, .dport = 80, .flags = SYN}, STEERED},
	{"a port that the VIP does not have", {FROM4, .destination = V4, TCP, .dport = 8080}, DROP(NO_SERVICE)},
	{"a port that the VIP has for TCP alone", {FROM4, .destination = V4, UDP, .dport = 80}, DROP(NO_SERVICE)},
	{"port 0", {FROM4, .destination = V4, TCP, .dport = 0}, DROP(NO_SERVICE)},
	{"the first port of a range", {FROM4, .destination = L2_4, UDP, .dport = 8000}, STEERED},
	{"the last port of a range", {FROM4, .destination = L2_4, UDP, .dport = 8009}, STEERED},
	{"behind the last port of a range", {FROM4, .destination = L2_4, UDP, .dport = 8010}, DROP(NO_SERVICE)},
	{"a service for any port", {FROM4, .destination = SOURCE4, TCP, .dport = 65535}, STEERED},
	{"any port, but of another protocol", {FROM4, .destination = SOURCE4, UDP, .dport = 443}, DROP(NO_SERVICE)},

	{"fallback drop", {FROM4, .destination = DROP4, TCP, .dport = 443}, DROP(NO_BACKEND)},
	{"fallback kernel", {FROM4, .destination = KERNEL4, TCP, .dport = 443}, PASS(FALLBACK_KERNEL)},
	{"a SYN refused",
	 {.source = "198.51.100.70",
	  .sport = 1,
	  .destination = REJECT4,
	  TCP,
	  .dport = 443,
	  .flags = SYN,
	  .sequence = 0xfffffffe,
	  .payload = 5},
	 RESET},
	{"a segment refused",
	 {.source = "198.51.100.71",
	  .sport = 1,
	  .destination = REJECT4,
	  TCP,
	  .dport = 443,
	  .flags = ACK,
	  .sequence = 7,
	  .acknowledge = 0x12345678,
	  .payload = 100},
	 RESET},
	{"a FIN without ACK refused behind two tags",
	 {.source = "198.51.100.72",
	  .sport = 1,
	  .destination = REJECT4,
	  TCP,
	  .dport = 443,
	  .flags = FIN,
	  .tags = 2,
	  .tci = {5, 6}},
	 RESET},
	{"a SYN refused over IPv6",
	 {.source = "2001:db8:c::70",
	  .sport = 1,
	  .destination = REJECT6,
	  TCP,
	  .dport = 443,
	  .flags = SYN,
	  .sequence = 99,
	  .payload = 1},
	 RESET},
	{"a SYN in a padded frame refused",
	 {.source = "198.51.100.73", .sport = 1, .destination = REJECT4, TCP, .dport = 443, .flags = SYN, .padding = 6},
	 RESET},
	{"an ICMP error that quotes nothing of ours is not answered by another",
	 {.source = "198.51.100.76", .destination = REJECT4, .protocol = IPPROTO_ICMP, .icmp_type = 3, .payload = 8},
	 DROP(NO_BACKEND)},
	{"the same over IPv6",
	 {.source = "2001:db8:c::76", .destination = REJECT6, .protocol = IPPROTO_ICMP, .icmp_type = 1, .payload = 8},
	 DROP(NO_BACKEND)},
	{"a RST is never answered",
	 {.source = "198.51.100.74", .sport = 1, .destination = REJECT4, TCP, .dport = 443, .flags = RST},
	 DROP(NO_ANSWER)},
	{"a short datagram refused",
	 {.source = "198.51.100.75", .sport = 1, .destination = REJECT4, UDP, .dport = 443, .payload = 3},
	 REFUSED},
	{"a long datagram refused behind a tag",
	 {.source = "198.51.100.76",
	  .sport = 1,
	  .destination = REJECT4,
	  UDP,
	  .dport = 443,
	  .payload = 1400,
	  .tags = 1,
	  .tci = {12}},
	 REFUSED},
	{"a datagram with options refused",
	 {.source = "198.51.100.77",
	  .sport = 1,
	  .destination = REJECT4,
	  UDP,
	  .dport = 443,
	  .payload = 64,
	  .options = 10},
	 REFUSED},
	{"a datagram refused over IPv6",
	 {.source = "2001:db8:c::71", .sport = 1, .destination = REJECT6, UDP, .dport = 443, .payload = 1000},
	 REFUSED},
};
const struct table table_steer = {"steer", rows, ARRAY_SIZE(rows)};

static void steer_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_steer);
}

static uint32_t backend_of(struct harness *harness, const struct packet_spec *spec)
{
	uint8_t frame[PACKET_MAX];
	struct harness_result result;

	harness_run(harness, frame, packet_build(spec, frame), &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_STEERED);
	return result.trace.backend_id;
}

static void steer_flows_spread_over_the_backends(void **state)
{
	const uint32_t ids[3] = {harness_id(*state, WEIR_NAMES_BACKENDS, "local/a"),
				 harness_id(*state, WEIR_NAMES_BACKENDS, "local/b"),
				 harness_id(*state, WEIR_NAMES_BACKENDS, "local/c")};
	unsigned int counts[3] = {0};

	for (uint16_t port = 1024; port < 1024 + 3000; port++) {
		const struct packet_spec spec = {.source = C4, .destination = V4, TCP, .sport = port, .dport = 443};
		uint32_t id = backend_of(*state, &spec);

		for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
			counts[i] += ids[i] == id;
	}
	assert_int_equal(counts[0] + counts[1] + counts[2], 3000);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_in_range(counts[i], 850, 1150);
}

/* Any number of edges with one configuration send a flow the same way. */
static void steer_second_edge_agrees(void **state)
{
	struct harness *second = harness_open(configuration_standard, HARNESS_READ_ONLY);

	for (uint16_t port = 1; port < 500; port++) {
		const struct packet_spec spec4 = {.source = C4, .destination = V4, TCP, .sport = port, .dport = 443};
		const struct packet_spec spec6 = {.source = C6, .destination = SIX6, UDP, .sport = port, .dport = 443};
		struct harness_result mine, theirs;

		harness_run_spec(*state, &spec4, &mine);
		harness_run_spec(second, &spec4, &theirs);
		assert_int_equal(mine.trace.slot, theirs.trace.slot);
		assert_int_equal(mine.trace.backend_id, theirs.trace.backend_id);
		harness_run_spec(*state, &spec6, &mine);
		harness_run_spec(second, &spec6, &theirs);
		assert_int_equal(mine.trace.backend_id, theirs.trace.backend_id);
	}
	harness_close(second);
}

static void steer_affinity_source_looks_at_no_port(void **state)
{
	const struct packet_spec first = {.source = C4, .destination = SOURCE4, TCP, .sport = 1, .dport = 1};
	uint32_t id = backend_of(*state, &first);
	unsigned int others = 0;

	for (uint16_t port = 2; port < 300; port++) {
		const struct packet_spec spec = {
			.source = C4, .destination = SOURCE4, TCP, .sport = port, .dport = (uint16_t)(port * 7)};

		assert_int_equal(backend_of(*state, &spec), id);
	}
	for (int i = 1; i < 64; i++) {
		char source[16];
		const struct packet_spec spec = {.source = source, .destination = SOURCE4, TCP, .sport = 1, .dport = 1};

		snprintf(source, sizeof(source), "198.51.100.%d", i);
		others += backend_of(*state, &spec) != id;
	}
	assert_in_range(others, 25, 60);
}

/* Refusals are throttled: a flood is not answered with one. */
static void steer_rejects_of_one_source_are_throttled(void **state)
{
	const struct packet_spec spec = {
		.source = "198.51.100.90", .destination = REJECT4, TCP, .sport = 1, .dport = 443, .flags = SYN};
	struct harness *harness = *state;
	unsigned int answered = 0;
	struct harness_result result;

	for (int i = 0; i < 100; i++) {
		harness_run_spec(harness, &spec, &result);
		answered += result.trace.reason == WEIR_REASON_FALLBACK_REJECT;
	}
	assert_in_range(answered, 10, 11);
	assert_int_equal(result.trace.reason, WEIR_REASON_NO_BACKEND);
	harness->now_ns += 1000000000;
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_FALLBACK_REJECT);
}

static void steer_without_a_policy_everything_passes(void **state)
{
	const struct packet_spec spec = {.source = C4, .destination = V4, TCP, .sport = 1, .dport = 443};
	const struct packet_spec lie = {.source = C4, .destination = V4, TCP, .lie_length = 1};
	struct harness *harness = harness_open(NULL, HARNESS_TRACED);
	struct harness_result result;

	(void)state;
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_NO_POLICY);
	harness_run_spec(harness, &lie, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_MALFORMED);
	harness_close(harness);
}

/* Names address i of a fixed series of random ones, every second of IPv6. */
static void random_address(unsigned int i, char text[ADDR_TEXT_MAX])
{
	struct addr addr = {.family = i % 2 ? WEIR_IPV6 : WEIR_IPV4};
	uint64_t hash = i;

	for (int word = 0; word < (i % 2 ? 4 : 1); word++) {
		hash = (hash + 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93;
		addr.bytes.word[word] = (uint32_t)(hash >> 32);
	}
	((uint8_t *)&addr.bytes)[0] = i % 2 ? 0x20 : 100 + i % 100; /* unicast */
	addr_format(&addr, text);
}

/* The filter before the table of VIPs may let through what is none, but holds no VIP back: with few it is nearly empty,
 * with many nearly full. */
static void steer_every_vip_of_many_is_found_and_nothing_else(void **state)
{
	static const unsigned int counts[] = {1, 2, 40, 300, 2000};
	struct harness *harness = harness_open(NULL, HARNESS_TRACED);

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(counts); row++) {
		AUTO_FREE char *text = NULL;
		size_t size;
		FILE *file = open_memstream(&text, &size);
		char vip[ADDR_TEXT_MAX];

		assert_non_null(file);
		fprintf(file, "pools: {p: {source: 10.0.0.1, backends: [{name: a, address: 10.0.0.11}]}}\n"
			      "services:\n  - {name: s, ports: [tcp/443], pools: [p], address: [");
		for (unsigned int i = 0; i < counts[row]; i++) {
			random_address(i, vip);
			fprintf(file, "%s\"%s\"", i ? ", " : "", vip);
		}
		fprintf(file, "]}\n");
		assert_int_equal(fclose(file), 0);
		harness_apply(harness, text);
		for (unsigned int i = 0; i < 2 * counts[row] + 200; i++) {
			const struct packet_spec spec = {
				.source = i % 2 ? C6 : C4, .destination = vip, TCP, .dport = 443};
			struct harness_result result;

			random_address(i, vip);
			harness_run_spec(harness, &spec, &result);
			assert_int_equal(result.trace.vip, i < counts[row]);
			assert_int_equal(result.trace.reason,
					 i < counts[row] ? WEIR_REASON_STEERED : WEIR_REASON_NOT_VIP);
		}
	}
	harness_close(harness);
}

int group_steer(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steer_table_gives_what_it_says),
		cmocka_unit_test(steer_flows_spread_over_the_backends),
		cmocka_unit_test(steer_second_edge_agrees),
		cmocka_unit_test(steer_affinity_source_looks_at_no_port),
		cmocka_unit_test(steer_rejects_of_one_source_are_throttled),
		cmocka_unit_test(steer_without_a_policy_everything_passes),
		cmocka_unit_test(steer_every_vip_of_many_is_found_and_nothing_else),
	};

	return cmocka_run_group_tests_name("steer", tests, group_open_standard, group_close);
}
