/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the program, fills its tables from a configuration, runs packets, and compares rows with what became of them.
 */
#include "harness.h"
#include "user/replay/replay.h"
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Captured outputs: one file for the whole run. */
static struct replay_writer *dump;

int harness_dump_open(const char *path)
{
	struct problem problem = {0};
	int error = replay_writer_open(path, &dump, &problem);

	if (error)
		fprintf(stderr, "%s\n", problem.text);
	return error;
}

int harness_dump_close(void)
{
	int error = replay_writer_close(dump);

	dump = NULL;
	return error;
}

void harness_apply(struct harness *harness, const char *configuration)
{
	harness_apply_filter(harness, configuration, NULL);
}

void harness_apply_filter(struct harness *harness, const char *configuration, const struct model_filter *filter)
{
	struct config_errors errors = {0};
	struct problem problem = {0};
	struct config *config = NULL;

	if (config_parse("test.yaml", configuration, strlen(configuration), &config, &errors))
		fail_msg("%s", errors.text);
	config_errors_free(&errors);
	if (reconcile_apply(harness->reconcile, config, filter, &problem))
		fail_msg("%s %s", problem.text, problem.hint);
}

struct harness *harness_open(const char *configuration, enum harness_mode mode)
{
	const struct kernel_options options = {
		.trace = mode != HARNESS_PLAIN && mode != HARNESS_ATTACHED,
		.read_only = mode == HARNESS_READ_ONLY,
		.assume_next_hop = mode == HARNESS_ASSUME || mode == HARNESS_PLAIN,
	};
	struct harness *harness = calloc(1, sizeof(*harness));
	struct problem problem = {0};
	struct timespec now;

	assert_non_null(harness);
	clock_gettime(CLOCK_MONOTONIC, &now);
	harness->now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	harness->ifindex = if_nametoindex("edge0");
	harness->traced = options.trace;
	if (kernel_load(&options, &harness->kernel, &problem) ||
	    reconcile_open(harness->kernel, NULL, &harness->reconcile, &problem))
		fail_msg("%s %s", problem.text, problem.hint);
	if (configuration)
		harness_apply(harness, configuration);
	return harness;
}

void harness_close(struct harness *harness)
{
	reconcile_close(harness->reconcile);
	kernel_free(harness->kernel);
	free(harness);
}

void harness_run(struct harness *harness, const void *data, size_t size, struct harness_result *result)
{
	int error;

	result->size = sizeof(result->data);
	result->trace = (struct weir_trace){.now_ns = harness->now_ns, .ifindex = harness->ifindex};
	error = kernel_test_run(harness->kernel, data, size, result->data, &result->size, &result->action,
				harness->traced ? &result->trace : NULL);
	if (error)
		fail_msg("a frame of %zu bytes could not be run: %s", size, strerror(-error));
}

static void harness_dump(const struct packet_spec *spec, const struct harness_result *result)
{
	if (dump && !spec->bad_checksum && (result->action == XDP_TX || result->action == XDP_REDIRECT))
		assert_int_equal(replay_writer_put(dump, result->data, result->size, result->trace.now_ns), 0);
}

void harness_run_spec(struct harness *harness, const struct packet_spec *spec, struct harness_result *result)
{
	uint8_t frame[PACKET_MAX];
	size_t size = packet_build(spec, frame);

	harness_run(harness, frame, size, result);
	harness_dump(spec, result);
}

void harness_ban(struct harness *harness, uint32_t list, const char *prefix, int64_t until_s)
{
	struct reconcile_ban ban = {.list = list, .added_s = time(NULL), .until_s = until_s};
	struct problem problem = {0};

	assert_int_equal(prefix_parse(prefix, &ban.prefix), 0);
	if (reconcile_ban_add(harness->reconcile, &ban, 1, &problem))
		fail_msg("%s", problem.text);
}

void harness_unban(struct harness *harness, uint32_t list, const char *text)
{
	struct problem problem = {0};
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	if (reconcile_ban_delete(harness->reconcile, list, &prefix, 1, &problem))
		fail_msg("%s", problem.text);
}

uint32_t harness_id(struct harness *harness, uint32_t kind, const char *name)
{
	int fd = kernel_map_fd(harness->kernel, KERNEL_MAP_names);
	uint32_t count = kind == WEIR_NAMES_SERVICES   ? WEIR_MAX_SERVICES
			 : kind == WEIR_NAMES_BACKENDS ? WEIR_MAX_BACKENDS
			 : kind == WEIR_NAMES_LIMITS   ? WEIR_MAX_LIMITS
						       : WEIR_MAX_RULE_IDS;

	for (uint32_t id = 1; id < count; id++) {
		uint32_t index = kind + id;
		struct weir_name entry;

		assert_int_equal(kernel_map_get(fd, &index, &entry), 0);
		if (entry.used && !strcmp(entry.name, name))
			return id;
	}
	fail_msg("nothing is called %s", name);
	return 0;
}

struct weir_count harness_count_verdict(struct harness *harness, enum weir_verdict verdict, enum weir_reason reason)
{
	struct weir_count count;

	assert_int_equal(kernel_map_sum(kernel_map_fd(harness->kernel, KERNEL_MAP_count_verdict),
					reason * WEIR_VERDICTS + verdict, sizeof(count) / 8, &count.packets),
			 0);
	return count;
}

struct weir_flow_count harness_count_flows(struct harness *harness, enum kernel_map map, uint32_t id)
{
	struct weir_flow_count count;

	assert_int_equal(kernel_map_sum(kernel_map_fd(harness->kernel, map), id, sizeof(count) / 8, &count.packets), 0);
	return count;
}

struct weir_rule_count harness_count_rule(struct harness *harness, const char *rule)
{
	struct weir_rule_count count;

	assert_int_equal(kernel_map_sum(kernel_map_fd(harness->kernel, KERNEL_MAP_count_rule),
					harness_id(harness, WEIR_NAMES_RULES, rule), sizeof(count) / 8, &count.packets),
			 0);
	return count;
}

static const char *reason_name(uint32_t reason)
{
	switch (reason) {
#define REASON_NAME(number, symbol, name, verdict, sentence)                                                           \
	case number:                                                                                                   \
		return name;
		WEIR_REASONS(REASON_NAME)
#undef REASON_NAME
	default:
		return "?";
	}
}

static const char *const verdict_names[WEIR_VERDICTS] = WEIR_VERDICT_NAMES;
static const unsigned int verdict_actions[WEIR_VERDICTS] = {XDP_PASS, XDP_DROP, XDP_TX, XDP_REDIRECT};

static bool row_holds(struct harness *harness, const struct row *row)
{
	uint8_t frame[PACKET_MAX];
	size_t size = packet_build(&row->packet, frame);
	struct harness_result result;

	harness_run(harness, frame, size, &result);
	harness_dump(&row->packet, &result);
	if (result.action != verdict_actions[row->verdict] || result.trace.verdict != row->verdict ||
	    result.trace.reason != row->reason) {
		print_error("%s: wanted %s, %s; came out as %s, %s (XDP action %u)\n", row->sentence,
			    verdict_names[row->verdict], reason_name(row->reason),
			    verdict_names[result.trace.verdict % WEIR_VERDICTS], reason_name(result.trace.reason),
			    result.action);
		return false;
	}
	if (result.action == XDP_PASS) {
		assert_int_equal(result.size, size);
		assert_memory_equal(result.data, frame, size);
	}
	if (row->reason == WEIR_REASON_STEERED)
		expect_steered(harness, row->sentence, frame, size, &result);
	if (row->check)
		row->check(row, frame, size, &result);
	return true;
}

void table_run(struct harness *harness, const struct table *table)
{
	size_t failed = 0;

	for (size_t i = 0; i < table->count; i++)
		failed += !row_holds(harness, &table->rows[i]);
	if (failed)
		fail_msg("%zu of %zu rows of the table \"%s\" do not hold", failed, table->count, table->name);
}

static uint64_t rules_counted(struct harness *harness)
{
	const struct model *model = reconcile_model(harness->reconcile);
	uint64_t packets = 0;

	for (size_t i = 0; i < model->rules_count; i++)
		packets += harness_count_rule(harness, model->rules[i].name).packets;
	return packets;
}

void filter_rows_run(struct harness *harness, const struct filter_row *rows, size_t count)
{
	size_t failed = 0;

	for (size_t i = 0; i < count; i++) {
		const char *rule = rows[i].rule;
		uint64_t before = rule ? harness_count_rule(harness, rule).packets : 0, all = rules_counted(harness);
		bool holds = row_holds(harness, &rows[i].row);

		if (rules_counted(harness) - all != !!rule ||
		    (rule && harness_count_rule(harness, rule).packets - before != 1)) {
			print_error("%s: not counted by the rule %s alone\n", rows[i].row.sentence,
				    rule ? rule : "of none");
			holds = false;
		}
		failed += !holds;
	}
	if (failed)
		fail_msg("%zu of %zu rows do not hold", failed, count);
}

int group_open_standard(void **state)
{
	*state = harness_open(configuration_standard, HARNESS_TRACED);
	return 0;
}

int group_close(void **state)
{
	harness_close(*state);
	return 0;
}
