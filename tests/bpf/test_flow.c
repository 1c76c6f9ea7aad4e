/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows while their slots change: who keeps them, what is remembered of them, and for how long. */
#include "harness.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FLOWS	  3000
#define SECOND_NS 1000000000ull
#define SETTLE_MS 600000
#define FORGETFUL "steering: {idle: 1s}\n"

#define POOL(name)	    "  " name ":\n    health: {type: tcp, port: 80}\n    backends:\n"
#define BACKEND(name, last) "      - {name: " name ", address: 10.0.0." last "}\n"
#define SERVICE(pools)	    "services:\n  - {name: www, address: " V4 ", ports: [tcp/443], pools: " pools "}\n"
static const char two_backends[] =
	FORGETFUL "pools:\n" POOL("local") BACKEND("a", "11") BACKEND("b", "12") SERVICE("[local]");
static const char two_pools[] = FORGETFUL "pools:\n" POOL("local") BACKEND("a", "11") BACKEND("b", "12") POOL("midtier")
	BACKEND("m", "13") SERVICE("[local, midtier]");

/* The time of the kernel, by which reconcile stamps slots, and some seconds. */
static void set_time(struct harness *harness, int64_t seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	harness->now_ns = (uint64_t)(now.tv_sec + seconds) * SECOND_NS;
}

static uint32_t run_flow(struct harness *harness, unsigned int flow, uint8_t flags)
{
	const struct packet_spec spec = {.source = C4,
					 .destination = V4,
					 .protocol = IPPROTO_TCP,
					 .sport = (uint16_t)flow,
					 .dport = 443,
					 .flags = flags};
	struct harness_result result;
	uint8_t frame[PACKET_MAX];

	harness_run(harness, frame, packet_build(&spec, frame), &result);
	if (result.trace.reason != WEIR_REASON_STEERED)
		assert_in_range(result.trace.reason, WEIR_REASON_NO_BACKEND, WEIR_REASON_FALLBACK_REJECT);
	return result.trace.reason == WEIR_REASON_STEERED ? result.trace.backend_id : 0;
}

static void establish(struct harness *harness, uint32_t *backends)
{
	for (unsigned int flow = 1; flow <= FLOWS; flow++) {
		backends[flow] = run_flow(harness, flow, SYN);
		assert_int_equal(run_flow(harness, flow, ACK), backends[flow]);
		assert_int_not_equal(backends[flow], 0);
	}
}

static void expect_kept(struct harness *harness, const uint32_t *backends)
{
	for (unsigned int flow = 1; flow <= FLOWS; flow++) {
		uint32_t now = run_flow(harness, flow, ACK);

		if (now != backends[flow])
			fail_msg("flow %u of backend %u went to %u", flow, backends[flow], now);
	}
}

static void set_admin(struct harness *harness, const char *name, enum weir_admin admin)
{
	struct problem problem = {0};

	if (reconcile_backend_admin(harness->reconcile, name, admin, &problem))
		fail_msg("%s", problem.text);
}

/* So that transitions are over, and slots without exceptions at rest. */
static void pass_time(struct harness *harness)
{
	static uint64_t now_ms = 1000;

	for (int i = 0; i < 3; i++, now_ms += SETTLE_MS)
		reconcile_tick(harness->reconcile, now_ms);
}

static uint32_t count_slots(const struct harness *harness, enum weir_slot_state state)
{
	uint32_t counts[3];

	reconcile_ring_counts(harness->reconcile, 0, counts);
	return counts[state];
}

static void settle(struct harness *harness)
{
	pass_time(harness);
	assert_int_equal(count_slots(harness, WEIR_SLOT_TRANSITION) + count_slots(harness, WEIR_SLOT_EXCEPTIONS), 0);
}

/* One after the other: slots of the first go to the second, and then to nobody, while their flows are silent. */
static void drain_local(struct harness *harness)
{
	set_admin(harness, "local/a", WEIR_ADMIN_DRAIN);
	set_admin(harness, "local/b", WEIR_ADMIN_DRAIN);
}

/* The port is used again while the slot is settled; a later change must not send it to where it once was. */
static void flow_record_of_an_earlier_change_is_not_heeded(void **state)
{
	struct harness *harness = harness_open(two_backends, HARNESS_TRACED);
	const uint32_t b = harness_id(harness, WEIR_NAMES_BACKENDS, "local/b");
	static uint32_t before[FLOWS + 1];

	(void)state;
	set_time(harness, -100);
	establish(harness, before);
	set_admin(harness, "local/a", WEIR_ADMIN_DRAIN);
	expect_kept(harness, before);
	settle(harness);
	establish(harness, before);
	for (unsigned int flow = 1; flow <= FLOWS; flow++)
		assert_int_equal(before[flow], b);
	set_admin(harness, "local/a", WEIR_ADMIN_ENABLED);
	set_admin(harness, "local/b", WEIR_ADMIN_DRAIN);
	set_time(harness, 1);
	expect_kept(harness, before);
	harness_close(harness);
}

/* What was recorded since the slot became unsettled stays known through further changes. */
static void flow_record_of_this_change_outlives_the_next_one(void **state)
{
	struct harness *harness = harness_open(two_backends, HARNESS_TRACED);
	static uint32_t before[FLOWS + 1];

	(void)state;
	establish(harness, before);
	set_admin(harness, "local/a", WEIR_ADMIN_DRAIN);
	set_time(harness, 1);
	expect_kept(harness, before);
	set_admin(harness, "local/a", WEIR_ADMIN_ENABLED);
	set_admin(harness, "local/b", WEIR_ADMIN_DRAIN);
	set_time(harness, 500);
	expect_kept(harness, before);
	harness_close(harness);
}

/* However long: until the client has said that it ends, and a minute more. */
static void flow_is_remembered_for_as_long_as_it_lives(void **state)
{
	struct harness *harness = harness_open(two_backends + sizeof(FORGETFUL) - 1, HARNESS_TRACED);
	static uint32_t before[FLOWS + 1];

	(void)state;
	set_time(harness, 0);
	establish(harness, before);
	set_admin(harness, "local/a", WEIR_ADMIN_DRAIN);
	set_time(harness, 0);
	expect_kept(harness, before);
	for (int i = 0; i < 3; i++) {
		pass_time(harness);
		assert_int_equal(count_slots(harness, WEIR_SLOT_TRANSITION), 0);
		assert_true(count_slots(harness, WEIR_SLOT_EXCEPTIONS) > FLOWS / 4);
		expect_kept(harness, before);
	}
	for (unsigned int flow = 1; flow <= FLOWS; flow++) {
		bool goes_on = flow <= 2;

		set_time(harness, goes_on ? 0 : -90);
		assert_int_equal(run_flow(harness, flow, FIN | ACK), before[flow]);
		if (goes_on)
			assert_int_equal(run_flow(harness, flow, ACK), before[flow]);
	}
	pass_time(harness);
	assert_in_range(count_slots(harness, WEIR_SLOT_EXCEPTIONS), 0, 2);
	set_time(harness, 0);
	assert_int_equal(run_flow(harness, 1, ACK), before[1]);
	assert_int_equal(run_flow(harness, 2, ACK), before[2]);
	harness_close(harness);
}

static void flow_of_a_pool_that_drains_whole_goes_on_and_new_ones_are_refused(void **state)
{
	struct harness *harness = harness_open(two_backends, HARNESS_TRACED);
	static uint32_t before[FLOWS + 1];

	(void)state;
	establish(harness, before);
	drain_local(harness);
	set_time(harness, 2);
	expect_kept(harness, before);
	for (unsigned int flow = FLOWS + 1; flow <= 2 * FLOWS; flow++)
		assert_int_equal(run_flow(harness, flow, SYN), 0);
	expect_kept(harness, before);
	harness_close(harness);
}

static void flow_stays_when_its_service_goes_to_another_pool_and_back(void **state)
{
	struct harness *harness = harness_open(two_pools, HARNESS_TRACED);
	const uint32_t m = harness_id(harness, WEIR_NAMES_BACKENDS, "midtier/m");
	static uint32_t before[FLOWS + 1], during[FLOWS + 1];

	(void)state;
	establish(harness, before);
	drain_local(harness);
	set_time(harness, 2);
	expect_kept(harness, before);
	for (unsigned int flow = 1; flow <= FLOWS; flow++)
		during[flow] = run_flow(harness, flow, SYN);
	for (unsigned int flow = 1; flow <= FLOWS; flow++)
		assert_int_equal(during[flow], m);
	expect_kept(harness, during);
	settle(harness);
	set_admin(harness, "local/b", WEIR_ADMIN_ENABLED);
	expect_kept(harness, during);
	for (unsigned int flow = 1; flow <= FLOWS; flow++)
		assert_int_equal(run_flow(harness, FLOWS + flow, SYN),
				 harness_id(harness, WEIR_NAMES_BACKENDS, "local/b"));
	harness_close(harness);
}

/* All flows of a source have one slot; but while it changes, old ones and new ones have different backends. */
static void flow_of_a_source_stays_when_the_source_opens_another(void **state)
{
	static const char yaml[] =
		"pools:\n" POOL("local") BACKEND("a", "11") BACKEND("b", "12") SERVICE("[local], affinity: source");
	struct harness *harness = harness_open(yaml, HARNESS_TRACED);
	const uint32_t a = harness_id(harness, WEIR_NAMES_BACKENDS, "local/a");
	static uint32_t before[FLOWS + 1];

	(void)state;
	set_time(harness, 0);
	establish(harness, before);
	for (unsigned int flow = 1; flow <= FLOWS; flow++)
		assert_int_equal(before[flow], before[1]);
	set_admin(harness, before[1] == a ? "local/a" : "local/b", WEIR_ADMIN_DRAIN);
	for (unsigned int flow = FLOWS + 1; flow <= 2 * FLOWS; flow++)
		assert_int_not_equal(run_flow(harness, flow, SYN), before[1]);
	expect_kept(harness, before);
	for (unsigned int flow = FLOWS + 1; flow <= 2 * FLOWS; flow++)
		assert_int_not_equal(run_flow(harness, flow, ACK), before[1]);
	harness_close(harness);
}

/* 10 to 11 backends and back: the size of the ring is none of the configuration's business. */
static void flow_stays_when_a_backend_is_added_and_drained(void **state)
{
	char yaml[2][2048];
	static uint32_t before[FLOWS + 1];
	struct harness *harness;

	(void)state;
	for (int more = 0; more < 2; more++) {
		int length = snprintf(yaml[more], sizeof(yaml[more]), "pools:\n" POOL("local"));

		for (int i = 0; i < 10 + more; i++)
			length += snprintf(yaml[more] + length, sizeof(yaml[more]) - (size_t)length,
					   "      - {name: b%d, address: 10.0.0.%d}\n", i, 11 + i);
		snprintf(yaml[more] + length, sizeof(yaml[more]) - (size_t)length, "%s", SERVICE("[local]"));
	}
	harness = harness_open(yaml[0], HARNESS_ASSUME);
	set_time(harness, -100);
	establish(harness, before);
	harness_apply(harness, yaml[1]);
	expect_kept(harness, before);
	settle(harness);
	establish(harness, before);
	set_admin(harness, "local/b10", WEIR_ADMIN_DRAIN);
	set_time(harness, 1);
	expect_kept(harness, before);
	harness_close(harness);
}

/* Puts seven younger flows that were seen once beside each flow that is recorded. */
static void crowd_lines(struct harness *harness)
{
	static const struct weir_flow_line empty;
	int fd = kernel_map_fd(harness->kernel, KERNEL_MAP_flows);

	for (uint32_t index = 0; index < WEIR_FLOW_LINES; index++) {
		struct weir_flow_line line;

		assert_int_equal(kernel_map_get(fd, &index, &line), 0);
		for (uint64_t i = 0; i < WEIR_FLOW_WAYS && memcmp(&line, &empty, sizeof(line)); i++) {
			if (!line.way[i])
				line.way[i] = (0xffff0000 + i) << 32 | 1 << 16 |
					      (uint16_t)(harness->now_ns / SECOND_NS + 100);
		}
		assert_int_equal(kernel_map_put(fd, &index, &line), 0);
	}
}

static void flow_established_outlives_a_flood_of_syns(void **state)
{
	struct harness *harness = harness_open(two_backends, HARNESS_TRACED);
	static uint32_t before[FLOWS + 1];

	(void)state;
	set_admin(harness, "local/a", WEIR_ADMIN_DRAIN);
	set_time(harness, 1);
	establish(harness, before);
	crowd_lines(harness);
	set_time(harness, 101);
	for (unsigned int flow = FLOWS + 1; flow < 65536; flow++)
		run_flow(harness, flow, SYN);
	expect_kept(harness, before);
	harness_close(harness);
}

int group_flow(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_record_of_an_earlier_change_is_not_heeded),
		cmocka_unit_test(flow_record_of_this_change_outlives_the_next_one),
		cmocka_unit_test(flow_is_remembered_for_as_long_as_it_lives),
		cmocka_unit_test(flow_of_a_pool_that_drains_whole_goes_on_and_new_ones_are_refused),
		cmocka_unit_test(flow_stays_when_its_service_goes_to_another_pool_and_back),
		cmocka_unit_test(flow_of_a_source_stays_when_the_source_opens_another),
		cmocka_unit_test(flow_stays_when_a_backend_is_added_and_drained),
		cmocka_unit_test(flow_established_outlives_a_flood_of_syns),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
