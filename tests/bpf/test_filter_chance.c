/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program against a plain interpreter of the rules: configurations and packets by chance, each packet one frame
 * through the loaded program, compared in verdict, reason, the rule that decided, and the counters of all rules and
 * limits.
 *
 * WEIR_FILTER_PACKETS says how many packets, WEIR_FILTER_SEED which. The same seed does the same.
 */
#include "filter_world.h"
#include <linux/bpf.h>
#include <maps/mark.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PACKETS	  1000000
#define EACH	  20000 /* packets through one configuration */
#define NEVER	  UINT32_MAX
#define SHAPES	  ARRAY_SIZE(shapes)
#define LIMIT_IDS ((const char *const[WORLD_LIMITS]){"all", "one", "other"})

/* Rules that look at little take all packets early; in many rules, those behind would have none left. */
static const struct world_shape shapes[] = {
	{.rules = 2, .rarity = NEVER, .listed = 500, .is_quick = true},
	{.rules = 256, .rarity = 2, .listed = 200},
	{.rules = 40, .rarity = 4, .listed = 1000},
	{.rules = 256, .rarity = 3, .listed = 30},
	{.rules = 256, .rarity = 3, .listed = 200, .is_timeless = true},
	{.rules = 64, .rarity = 3, .is_listed = true},
	{.rules = 5, .rarity = NEVER, .listed = 100, .is_quick = true},
	{.rules = 1, .rarity = 2, .listed = 6000},
	{.rules = 200, .rarity = 2, .listed = 1000},
	{.rules = 65, .rarity = 3, .listed = 30, .is_timeless = true},
	{.rules = 1000, .rarity = 2, .listed = 200},
	{.rules = 8, .rarity = 8, .listed = 3000, .is_listed = true},
	{.rules = 256, .rarity = 2, .listed = 30},
	{.rules = 449, .rarity = 2, .listed = 200},
	{.rules = 4096, .rarity = 2, .listed = 100},
	{.rules = 20, .rarity = 6, .listed = 200, .is_listed = true},
	{.rules = 2500, .rarity = 2, .listed = 30, .is_timeless = true},
	{.rules = 4, .rarity = NEVER, .listed = 30, .is_timeless = true, .is_quick = true},
	{.rules = 0, .rarity = 1},
};

/* Counters of a whole configuration. */
struct counts {
	struct weir_rule_count rules[WEIR_MAX_RULES];
	uint64_t limits[WORLD_LIMITS];
};

struct trial {
	struct world world; /* these two are too large for a stack */
	struct counts before, after, expected;
	struct world_packet packet;
	struct world_outcome outcome;
	struct harness *harness[2]; /* traced; as an interface runs it */
	struct harness *now;
	uint64_t seed, packets, decided, marked; /* decided: by a rule */
	uint64_t by_reason[WEIR_REASON_MAX];
};

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static uint32_t rule_id(const struct trial *trial, size_t rule)
{
	return reconcile_model(trial->now->reconcile)->rules[rule].id;
}

static struct weir_rule_count count_of_rule(const struct trial *trial, size_t rule)
{
	struct weir_rule_count count;

	assert_int_equal(kernel_map_sum(kernel_map_fd(trial->now->kernel, KERNEL_MAP_count_rule), rule_id(trial, rule),
					sizeof(count) / 8, &count.packets),
			 0);
	return count;
}

static void read_counts(const struct trial *trial, struct counts *counts)
{
	for (size_t i = 0; i < trial->world.rules.config.filter.rules_count; i++)
		counts->rules[i] = count_of_rule(trial, i);
	for (size_t i = 0; i < WORLD_LIMITS; i++) {
		struct weir_limit_count count;

		assert_int_equal(kernel_map_sum(kernel_map_fd(trial->now->kernel, KERNEL_MAP_count_limit),
						harness_id(trial->now, WEIR_NAMES_LIMITS, LIMIT_IDS[i]),
						sizeof(count) / 8, &count.passed),
				 0);
		assert_int_equal(count.dropped, 0);
		counts->limits[i] = count.passed;
	}
}

static void differ(const struct trial *trial, const char *what, unsigned long long program, unsigned long long oracle)
{
	print_error("%s: the program says %llu, the rules %llu\nWEIR_FILTER_SEED=%llu, packet %llu, %s program\n", what,
		    program, oracle, (unsigned long long)trial->seed, (unsigned long long)trial->packets,
		    trial->now->traced ? "traced" : "plain");
	print_error("expected: verdict %u, reason %u, rule %d, %zu shadows before\n", trial->outcome.verdict,
		    trial->outcome.reason, trial->outcome.rule, trial->outcome.shadows_count);
	world_print(&trial->world, reconcile_config(trial->now->reconcile), &trial->packet);
	fail_msg("the program and the rules differ");
}

static void compare(const struct trial *trial, const char *what, unsigned long long program, unsigned long long oracle)
{
	if (program != oracle)
		differ(trial, what, program, oracle);
}

/* Each counter has moved as the packets since the last time ask for. */
static void compare_counts(struct trial *trial)
{
	char what[64];

	read_counts(trial, &trial->after);
	for (size_t i = 0; i < trial->world.rules.config.filter.rules_count; i++) {
		snprintf(what, sizeof(what), "packets of rule %zu, up to here", i);
		compare(trial, what, trial->after.rules[i].packets - trial->before.rules[i].packets,
			trial->expected.rules[i].packets);
		snprintf(what, sizeof(what), "bytes of rule %zu, up to here", i);
		compare(trial, what, trial->after.rules[i].bytes - trial->before.rules[i].bytes,
			trial->expected.rules[i].bytes);
	}
	for (size_t i = 0; i < WORLD_LIMITS; i++) {
		snprintf(what, sizeof(what), "packets of limit %s, up to here", LIMIT_IDS[i]);
		compare(trial, what, trial->after.limits[i] - trial->before.limits[i], trial->expected.limits[i]);
	}
}

static void expect_count(struct trial *trial)
{
	const struct world_outcome *outcome = &trial->outcome;
	struct weir_rule_count *rules = trial->expected.rules;

	for (size_t i = 0; i < outcome->shadows_count; i++) {
		rules[outcome->shadows[i]].packets++;
		rules[outcome->shadows[i]].bytes += trial->packet.size;
	}
	if (outcome->rule >= 0) {
		trial->decided++;
		rules[outcome->rule].packets++;
		rules[outcome->rule].bytes += trial->packet.size;
	}
	for (size_t i = 0; i < WORLD_LIMITS; i++)
		trial->expected.limits[i] += outcome->is_charged[i];
	trial->by_reason[outcome->reason]++;
}

/* A packet that passes is what it was, behind its mark where the program sets one. */
static void compare_passed(struct trial *trial, const struct harness_result *result)
{
	size_t marked = trial->now->traced || !trial->outcome.mark ? 0 : sizeof(struct weir_mark);
	struct weir_mark mark;

	memcpy(&mark, result->data, sizeof(mark));
	compare(trial, "bytes of a packet that passes", result->size, trial->packet.size + marked);
	if (marked) {
		trial->marked++;
		compare(trial, "magic of the mark", mark.magic, WEIR_MARK_MAGIC);
		compare(trial, "mark", mark.mark, trial->outcome.mark);
	}
	if (memcmp(result->data + marked, trial->packet.frame, trial->packet.size) != 0)
		differ(trial, "a packet that passes is another", result->size, trial->packet.size);
}

/* One packet: the frame through the program, and the rules read one by one. */
static void try_packet(struct trial *trial, struct chance *chance)
{
	static const unsigned int actions[WEIR_VERDICTS] = {XDP_PASS, XDP_DROP, XDP_TX, XDP_REDIRECT};
	static struct harness_result result;
	struct world_outcome *outcome = &trial->outcome;
	struct harness *harness = trial->now;
	struct weir_count before = {0}, after;

	world_packet_make(&trial->world, chance, &trial->packet);
	if (!harness->traced)
		trial->packet.packet.ifindex = 1; /* of a test run */
	world_packet_build(chance, &trial->packet);
	world_judge(&trial->world, &trial->packet, outcome);
	harness->ifindex = trial->packet.packet.ifindex;
	harness->now_ns = trial->packet.now_ns;
	if (!harness->traced)
		before = harness_count_verdict(harness, outcome->verdict, outcome->reason);
	harness_run(harness, trial->packet.frame, trial->packet.size, &result);
	trial->packets++;
	expect_count(trial);
	compare(trial, "XDP action", result.action, actions[outcome->verdict]);
	if (harness->traced) {
		compare(trial, "reason", result.trace.reason, outcome->reason);
		compare(trial, "verdict", result.trace.verdict, outcome->verdict);
		compare(trial, "id of the rule", result.trace.rule_id,
			outcome->rule < 0 ? 0 : rule_id(trial, (size_t)outcome->rule));
	} else {
		after = harness_count_verdict(harness, outcome->verdict, outcome->reason);
		compare(trial, "packets of the expected reason", after.packets - before.packets, 1);
		if (outcome->rule >= 0)
			compare(trial, "packets of the expected rule",
				count_of_rule(trial, (size_t)outcome->rule).packets -
					trial->before.rules[outcome->rule].packets,
				trial->expected.rules[outcome->rule].packets);
	}
	if (result.action == XDP_PASS)
		compare_passed(trial, &result);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One configuration and its packets. */
static void try_world(struct trial *trial, const struct world_shape *shape, uint64_t packets)
{
	struct chance chance = {.state = trial->seed};
	struct rules_by_chance *rules = &trial->world.rules;
	struct model_filter filter = {.contents = rules->contents, .ifindexes = rules->ifindexes};
	struct problem problem = {0};
	struct harness *harness = trial->harness[shape->is_timeless];
	uint64_t start_ns = harness->now_ns + WORLD_STEP_NS;

	trial->now = harness;
	if (shape->is_timeless)
		start_ns = clock_ns();
	trial->world.lasts_s = (uint32_t)(packets * WORLD_STEP_NS / 1000000000) + 1;
	world_open(&trial->world, &chance, shape, start_ns);
	filter.realtime_ns = rules->input.realtime_ns;
	filter.monotonic_ns = start_ns;
	if (reconcile_apply(harness->reconcile, world_config(&trial->world), &filter, &problem))
		fail_msg("WEIR_FILTER_SEED=%llu: %s %s", (unsigned long long)trial->seed, problem.text, problem.hint);
	memset(&trial->expected, 0, sizeof(trial->expected));
	read_counts(trial, &trial->before);
	for (uint64_t i = 0; i < packets; i++) {
		trial->packet.now_ns = start_ns + (shape->is_timeless ? 0 : i * WORLD_STEP_NS);
		try_packet(trial, &chance);
		if ((i + 1) % 2000 == 0 || i + 1 == packets)
			compare_counts(trial);
	}
	world_close(&trial->world);
}

static struct harness *open_banned(enum harness_mode mode)
{
	struct harness *harness = harness_open(NULL, mode);

	harness_ban(harness, WEIR_BAN_DENY, WORLD_DENIED4, 0);
	harness_ban(harness, WEIR_BAN_DENY, WORLD_DENIED6, 0);
	harness_ban(harness, WEIR_BAN_ALLOW, WORLD_ALLOWED4, 0);
	harness_ban(harness, WEIR_BAN_ALLOW, WORLD_ALLOWED6, 0);
	return harness;
}

static void print_reasons(const struct trial *trial)
{
#define PRINT_REASON(number, symbol, name, verdict, sentence)                                                          \
	if (trial->by_reason[number])                                                                                  \
		print_message(" %s %llu,", name, (unsigned long long)trial->by_reason[number]);
	WEIR_REASONS(PRINT_REASON)
#undef PRINT_REASON
	print_message(" no difference\n");
}

static void filter_decides_as_the_rules_read_one_by_one(void **state)
{
	uint64_t packets = number_from("WEIR_FILTER_PACKETS", PACKETS), start_ns = clock_ns();
	uint64_t seed = number_from("WEIR_FILTER_SEED", 1);
	struct trial *trial = calloc(1, sizeof(*trial));
	size_t worlds = 0;

	(void)state;
	assert_non_null(trial);
	trial->harness[0] = open_banned(HARNESS_TRACED);
	trial->harness[1] = open_banned(HARNESS_ATTACHED);
	while (trial->packets < packets) {
		uint64_t left = packets - trial->packets;

		trial->seed = seed + worlds;
		try_world(trial, &shapes[trial->seed % SHAPES], left < EACH ? left : EACH);
		worlds++;
	}
	print_message("filter: %llu packets, %zu configurations, %llu decided by a rule, %llu marked, %llu s:",
		      (unsigned long long)trial->packets, worlds, (unsigned long long)trial->decided,
		      (unsigned long long)trial->marked, (unsigned long long)(clock_ns() - start_ns) / 1000000000);
	print_reasons(trial);
	harness_close(trial->harness[0]);
	harness_close(trial->harness[1]);
	free(trial);
}

int group_filter_chance(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_decides_as_the_rules_read_one_by_one),
	};

	return cmocka_run_group_tests_name("filter by chance", tests, NULL, NULL);
}
