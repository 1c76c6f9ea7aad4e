/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults that the program survives: truncation, everything denied, a backend that goes, and counters that add up. */
#include "harness.h"
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#define FLOWS 3000

const struct table *const tables[6] = {&table_parse, &table_protect, &table_admit,
				       &table_steer, &table_forward, &table_icmp};

/* Calls each for the frame of every row of every table. */
static void frames_each(void *state, void (*each)(void *state, const uint8_t *frame, size_t size))
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t row = 0; row < tables[i]->count; row++) {
			uint8_t frame[PACKET_MAX];
			size_t size = packet_build(&tables[i]->rows[row].packet, frame);

			each(state, frame, size);
		}
	}
}

static void run_prefixes(void *state, const uint8_t *frame, size_t size)
{
	struct harness *harness = state;
	struct harness_result result;

	for (size_t length = 14; length <= size; length++) {
		harness_run(harness, frame, length, &result);
		if (result.action == XDP_ABORTED || result.action > XDP_REDIRECT)
			fail_msg("%zu bytes of %zu: XDP action %u", length, size, result.action);
		if (!harness->traced)
			continue;
		if (result.trace.reason == WEIR_REASON_BUG || result.trace.reason == WEIR_REASON_NONE)
			fail_msg("%zu bytes of %zu: reason %u", length, size, result.trace.reason);
		if (result.action == XDP_PASS)
			assert_memory_equal(result.data, frame, length);
	}
}

static void faults_every_prefix_of_every_packet_has_a_verdict(void **state)
{
	frames_each(*state, run_prefixes);
}

static void faults_every_prefix_has_a_verdict_in_the_plain_program(void **state)
{
	struct harness *plain = harness_open(configuration_standard, HARNESS_PLAIN);

	(void)state;
	frames_each(plain, run_prefixes);
	harness_close(plain);
}

/* Every byte of every header, turned around: no abort, no claim of a bug. */
static void run_flips(void *state, const uint8_t *frame, size_t size)
{
	struct harness *harness = state;
	struct harness_result result;
	uint8_t work[PACKET_MAX];

	memcpy(work, frame, size);
	for (size_t at = 12; at < size && at < 110; at++) {
		static const uint8_t flips[] = {0xff, 0x01, 0x40};

		for (size_t i = 0; i < ARRAY_SIZE(flips); i++) {
			work[at] ^= flips[i];
			harness_run(harness, work, size, &result);
			if (result.action == XDP_ABORTED || result.action > XDP_REDIRECT ||
			    result.trace.reason == WEIR_REASON_BUG || result.trace.reason == WEIR_REASON_NONE)
				fail_msg("byte %zu of %zu ^ %02x: XDP action %u, reason %u", at, size, flips[i],
					 result.action, result.trace.reason);
			work[at] ^= flips[i];
		}
	}
}

static void faults_flipped_header_bytes_have_a_verdict(void **state)
{
	frames_each(*state, run_flips);
}

/* The traced variant, which explains, must not decide differently from the one that is attached. The throttles of
 * answers start afresh in both. */
static void faults_plain_and_traced_programs_agree(void **state)
{
	struct harness *plain = harness_open(configuration_standard, HARNESS_PLAIN);
	struct harness *traced = harness_open(configuration_standard, HARNESS_ASSUME);

	(void)state;
	traced->ifindex = 0; /* as the plain one: where the kernel says that the test frame came in */
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t row = 0; row < tables[i]->count; row++) {
			const struct row *it = &tables[i]->rows[row];
			struct harness_result first, second;

			harness_run_spec(plain, &it->packet, &first);
			harness_run_spec(traced, &it->packet, &second);
			if (first.action != second.action || first.size != second.size)
				fail_msg("%s: XDP action %u and %zu bytes; traced: %u and %zu", it->sentence,
					 first.action, first.size, second.action, second.size);
		}
	}
	harness_close(traced);
	harness_close(plain);
}

static void faults_deny_everything_keeps_what_the_host_needs(void **state)
{
	struct harness *harness = *state;
	size_t protected = 0, denied = 0;

	harness_ban(harness, WEIR_BAN_DENY, "0.0.0.0/0", 0);
	harness_ban(harness, WEIR_BAN_DENY, "::/0", 0);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t row = 0; row < tables[i]->count; row++) {
			const struct row *it = &tables[i]->rows[row];
			bool needed = it->verdict == WEIR_PASS && it->reason <= WEIR_REASON_PROTECTED;
			struct harness_result result;

			harness_run_spec(harness, &it->packet, &result);
			if (needed ? result.action != XDP_PASS : result.action != XDP_DROP)
				fail_msg("%s: XDP action %u", it->sentence, result.action);
			protected += needed;
			denied += result.trace.reason == WEIR_REASON_DENIED;
		}
	}
	assert_in_range(protected, 15, 1000);
	assert_in_range(denied, 50, 1000);
	harness_unban(harness, WEIR_BAN_DENY, "0.0.0.0/0");
	harness_unban(harness, WEIR_BAN_DENY, "::/0");
}

static void faults_counters_add_up(void **state)
{
	struct harness *harness = harness_open(configuration_standard, HARNESS_TRACED);
	uint64_t packets = 0, bytes = 0, counted = 0, counted_bytes = 0, steered = 0, syns = 0;
	const uint32_t www = harness_id(harness, WEIR_NAMES_SERVICES, "www");
	struct weir_flow_count sum = {0}, service;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t row = 0; row < tables[i]->count; row++) {
			const struct packet_spec *spec = &tables[i]->rows[row].packet;
			uint8_t frame[PACKET_MAX];
			size_t size = packet_build(spec, frame);
			struct harness_result result;

			harness_run(harness, frame, size, &result);
			packets++;
			bytes += size;
			if (result.trace.reason == WEIR_REASON_STEERED && result.trace.service_id == www) {
				steered++;
				syns += spec->protocol == IPPROTO_TCP && (spec->flags & (SYN | ACK)) == SYN;
			}
		}
	}
	for (unsigned int reason = 0; reason < WEIR_REASON_MAX; reason++) {
		for (unsigned int verdict = 0; verdict < WEIR_VERDICTS; verdict++) {
			struct weir_count count = harness_count_verdict(harness, verdict, reason);

			counted += count.packets;
			counted_bytes += count.bytes;
		}
	}
	assert_true(counted == packets && counted_bytes == bytes);
	service = harness_count_flows(harness, KERNEL_MAP_count_service, www);
	assert_true(service.packets == steered && service.flows == syns && syns > 0);
	for (const char *const *name = (const char *const[]){"local/a", "local/b", "local/c", NULL}; *name; name++) {
		struct weir_flow_count count = harness_count_flows(harness, KERNEL_MAP_count_backend,
								   harness_id(harness, WEIR_NAMES_BACKENDS, *name));

		sum.packets += count.packets;
		sum.bytes += count.bytes;
		sum.flows += count.flows;
	}
	/* The service "source" is served by the same pool. */
	service.packets += harness_count_flows(harness, KERNEL_MAP_count_service,
					       harness_id(harness, WEIR_NAMES_SERVICES, "source"))
				   .packets;
	assert_true(sum.packets == service.packets && sum.flows >= service.flows);
	harness_close(harness);
}

#define POOL_HEAD	    "pools:\n  local:\n    health: {type: tcp, port: 80}\n    backends:\n"
#define POOL_TAIL	    "services:\n  - {name: www, address: " V4 ", ports: [tcp/443], pools: [local]}\n"
#define BACKEND(name, last) "      - {name: " name ", address: 10.0.0." last "}\n"
static const char four_backends[] =
	POOL_HEAD BACKEND("a", "11") BACKEND("b", "12") BACKEND("c", "13") BACKEND("d", "14") POOL_TAIL;
static const char three_backends[] = POOL_HEAD BACKEND("a", "11") BACKEND("b", "12") BACKEND("c", "13") POOL_TAIL;

static void run_flow(struct harness *harness, unsigned int flow, uint8_t flags, struct harness_result *result)
{
	const struct packet_spec spec = {.source = C4,
					 .destination = V4,
					 .protocol = IPPROTO_TCP,
					 .sport = (uint16_t)(2000 + flow),
					 .dport = 443,
					 .flags = flags};
	uint8_t frame[PACKET_MAX];

	harness_run(harness, frame, packet_build(&spec, frame), result);
	assert_int_equal(result->trace.reason, WEIR_REASON_STEERED);
}

/* Where every flow is, established before the change. */
static void record_flows(struct harness *harness, uint32_t *backends)
{
	struct harness_result result;

	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		run_flow(harness, flow, SYN, &result);
		backends[flow] = result.trace.backend_id;
		run_flow(harness, flow, ACK, &result);
		assert_int_equal(result.trace.backend_id, backends[flow]);
	}
}

/* Of N backends one is drained: its flows stay with it, new ones avoid it, and nobody else's move. */
static void faults_drained_backend_keeps_its_flows(void **state)
{
	struct harness *harness = harness_open(four_backends, HARNESS_TRACED);
	const uint32_t drained = harness_id(harness, WEIR_NAMES_BACKENDS, "local/d");
	static uint32_t before[FLOWS];
	unsigned int moved = 0, theirs = 0, needless = 0;
	struct problem problem = {0};
	struct harness_result result;

	(void)state;
	record_flows(harness, before);
	if (reconcile_backend_admin(harness->reconcile, "local/d", WEIR_ADMIN_DRAIN, &problem))
		fail_msg("%s", problem.text);
	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		run_flow(harness, flow, ACK, &result);
		moved += result.trace.backend_id != before[flow];
		theirs += before[flow] == drained;
	}
	assert_int_equal(moved, 0);
	assert_in_range(theirs, FLOWS / 4 - 150, FLOWS / 4 + 150);
	for (unsigned int flow = 0; flow < FLOWS; flow++) { /* the same ports opened anew */
		uint32_t now;

		run_flow(harness, flow, SYN, &result);
		now = result.trace.backend_id;
		assert_int_not_equal(now, drained);
		needless += before[flow] != drained && now != before[flow];
		run_flow(harness, flow, ACK, &result); /* what the SYN chose, the flow keeps */
		assert_int_equal(result.trace.backend_id, now);
	}
	assert_in_range(needless, 0, FLOWS / 100);
	harness_close(harness);
}

/* Of N backends one is dead, or removed from the configuration: its flows go to others, and nobody else's move. */
static void check_gone(struct harness *harness, const uint32_t *before, uint32_t gone)
{
	unsigned int needless = 0;
	struct harness_result result;

	for (unsigned int flow = 0; flow < FLOWS; flow++) {
		run_flow(harness, flow, ACK, &result);
		if (result.trace.backend_id == gone)
			fail_msg(
				"flow %u, slot %u (current %u, previous %u, state %u, exception %u) went to backend %u",
				flow, result.trace.slot, result.trace.slot_current, result.trace.slot_previous,
				result.trace.slot_state, result.trace.exception, gone);
		needless += before[flow] != gone && result.trace.backend_id != before[flow];
	}
	assert_int_equal(needless, 0);
}

static void faults_dead_backend_costs_only_its_own_flows(void **state)
{
	struct harness *harness = harness_open(four_backends, HARNESS_TRACED);
	const uint32_t dead = harness_id(harness, WEIR_NAMES_BACKENDS, "local/d");
	static uint32_t before[FLOWS];
	struct problem problem = {0};

	(void)state;
	record_flows(harness, before);
	if (reconcile_backend_health(harness->reconcile, dead, WEIR_HEALTH_DOWN, &problem))
		fail_msg("%s", problem.text);
	check_gone(harness, before, dead);
	harness_close(harness);
}

static void faults_removed_backend_costs_only_its_own_flows(void **state)
{
	struct harness *harness = harness_open(four_backends, HARNESS_TRACED);
	const uint32_t gone = harness_id(harness, WEIR_NAMES_BACKENDS, "local/d");
	static uint32_t before[FLOWS];

	(void)state;
	record_flows(harness, before);
	harness_apply(harness, three_backends);
	check_gone(harness, before, gone);
	harness_apply(harness, four_backends); /* and when it comes back, flows stay where they are by now */
	check_gone(harness, before, gone);
	harness_close(harness);
}

int group_faults(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_every_prefix_of_every_packet_has_a_verdict),
		cmocka_unit_test(faults_every_prefix_has_a_verdict_in_the_plain_program),
		cmocka_unit_test(faults_flipped_header_bytes_have_a_verdict),
		cmocka_unit_test(faults_plain_and_traced_programs_agree),
		cmocka_unit_test(faults_deny_everything_keeps_what_the_host_needs),
		cmocka_unit_test(faults_counters_add_up),
		cmocka_unit_test(faults_drained_backend_keeps_its_flows),
		cmocka_unit_test(faults_dead_backend_costs_only_its_own_flows),
		cmocka_unit_test(faults_removed_backend_costs_only_its_own_flows),
	};

	return cmocka_run_group_tests_name("faults", tests, group_open_standard, group_close);
}
