/* SPDX-License-Identifier: BSD-2-Clause */
/* The benchmark's command line: which groups, how long, and in what form the figures are told. */
#include "bench.h"
#include "user/base/scope.h"
#include <argp.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#define CHECK_RERUNS 2

static const struct {
	const char *name;
	void (*run)(struct bench *bench, struct results *results);
	bool checked; /* part of --check when no group is named */
} groups[] = {
	{"floor", group_floor, true}, {"filter", group_filter, true}, {"router", group_router, true},
	{"flood", group_flood, true}, {"live", group_live, false},    {"controller", group_controller, false},
};

struct order {
	struct bench_options options;
	bool wanted[ARRAY_SIZE(groups)];
	bool any_named;
};

enum { OPTION_OBJECT = 256, OPTION_BASELINE, OPTION_WRITE, OPTION_WEIR, OPTION_CPU, OPTION_ROUNDS, OPTION_PACKETS };

static const struct argp_option arguments[] = {
	{"json", 'j', 0, 0, "print a JSON array", 0},
	{"check", 'c', 0, 0, "compare ratios with the baseline; exit status 1 when a row is slower by more than 20 %",
	 0},
	{"write-baseline", OPTION_WRITE, 0, 0, "write the baseline anew, of the groups that run", 0},
	{"baseline", OPTION_BASELINE, "FILE", 0, "the baseline (default tests/bench/baseline.json)", 0},
	{"markdown", 'm', "FILE", 0, "write the table with method and machine", 0},
	{"quick", 'q', 0, 0, "few rounds: shows that it works, not what things cost", 0},
	{"object", OPTION_OBJECT, "FILE", 0,
	 "another build of the program, run beside ours on the same tables as rows NAME~", 0},
	{"weir", OPTION_WEIR, "FILE", 0, "the binary whose start is timed (default build/weir)", 0},
	{"cpu", OPTION_CPU, "N", 0, "the core to run on (default: the last)", 0},
	{"rounds", OPTION_ROUNDS, "N", 0, "rounds of each row (default 31)", 0},
	{"packets", OPTION_PACKETS, "N", 0, "packets of one run (default 200000)", 0},
	{0},
};

static error_t parse_group(struct argp_state *state, const char *text)
{
	struct order *order = state->input;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!strcmp(groups[i].name, text)) {
			order->wanted[i] = order->any_named = true;
			return 0;
		}
	}
	argp_error(state, "there is no group %s: floor filter router flood live controller", text);
	return EINVAL;
}

static unsigned int parse_count(struct argp_state *state, const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value < least || value > most)
		argp_error(state, "\"%s\" is not a number from %lu to %lu", text, least, most);
	return value;
}

static error_t parse_argument(int key, char *text, struct argp_state *state)
{
	struct bench_options *options = &((struct order *)state->input)->options;

	switch (key) {
	case 'j':
		options->json = true;
		return 0;
	case 'c':
		options->check = true;
		return 0;
	case 'm':
		options->markdown = text;
		return 0;
	case 'q':
		options->quick = true;
		options->rounds = 7;
		options->packets = 20000;
		return 0;
	case OPTION_OBJECT:
		options->object = text;
		return 0;
	case OPTION_BASELINE:
		options->baseline = text;
		return 0;
	case OPTION_WRITE:
		options->write_baseline = true;
		return 0;
	case OPTION_WEIR:
		options->weir = text;
		return 0;
	case OPTION_CPU:
		options->cpu = (int)parse_count(state, text, 0, 1023);
		return 0;
	case OPTION_ROUNDS:
		options->rounds = parse_count(state, text, 1, BENCH_ROUNDS_MAX);
		return 0;
	case OPTION_PACKETS:
		options->packets = parse_count(state, text, 1, 10000000);
		return 0;
	case ARGP_KEY_ARG:
		return parse_group(state, text);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void run_group(const struct bench_options *options, size_t index, struct results *results)
{
	struct bench bench = {.options = options, .group = groups[index].name};

	fprintf(stderr, "%s: measuring\n", bench.group);
	groups[index].run(&bench, results);
}

/* The better of two results of a row is the truer one: what disturbs only ever adds. */
static void keep_best(struct results *results, const struct results *again)
{
	for (size_t i = 0; i < again->count; i++) {
		for (size_t k = 0; k < results->count; k++) {
			struct result *r = &results->row[k];

			if (!strcmp(r->group, again->row[i].group) && !strcmp(r->name, again->row[i].name) &&
			    again->row[i].ratio < r->ratio)
				*r = again->row[i];
		}
	}
}

/* Runs groups with a slow row again before it says that they are. */
static int check(const struct bench_options *options, struct results *results)
{
	char slow[ARRAY_SIZE(groups)][16];
	size_t slow_groups, beyond = check_baseline(options->baseline, results, false, slow, &slow_groups);

	for (int rerun = 0; rerun < CHECK_RERUNS && beyond; rerun++) {
		struct results again = {0};

		for (size_t i = 0; i < slow_groups; i++) {
			for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
				if (!strcmp(groups[g].name, slow[i]))
					run_group(options, g, &again);
			}
		}
		keep_best(results, &again);
		beyond = check_baseline(options->baseline, results, false, slow, &slow_groups);
	}
	return check_baseline(options->baseline, results, true, slow, &slow_groups) ? 1 : 0;
}

static void write_file(const char *path, void (*write)(FILE *, const struct results *), const struct results *results)
{
	FILE *file = fopen(path, "we");

	if (!file)
		bench_fail("%s: %s", path, strerror(errno));
	write(file, results);
	if (fclose(file))
		bench_fail("%s: %s", path, strerror(errno));
}

static int tell(const struct order *order, struct results *results)
{
	const struct bench_options *options = &order->options;

	if (options->json)
		report_json(stdout, results);
	else
		report_table(stdout, results);
	if (options->markdown)
		write_file(options->markdown, report_markdown, results);
	if (options->write_baseline)
		write_file(options->baseline, report_json, results);
	return options->check ? check(options, results) : 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {arguments,
					 parse_argument,
					 "[GROUP...]",
					 "Measures what packets cost in Weir and in what one would use instead.\v"
					 "Groups: floor filter router flood live controller (default: all; with "
					 "--check and --write-baseline the first four).",
					 NULL,
					 NULL,
					 NULL};
	static struct results results;
	bool is_ratio_run;
	struct order order = {.options = {.baseline = "tests/bench/baseline.json",
					  .weir = "build/weir",
					  .rounds = 31,
					  .packets = 200000,
					  .cpu = (int)sysconf(_SC_NPROCESSORS_ONLN) - 1,
					  .two_cores = sysconf(_SC_NPROCESSORS_ONLN) >= 2}};

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &order);
	libbpf_set_print(NULL);
	is_ratio_run = order.options.check || order.options.write_baseline;
	network_open();
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (order.any_named ? order.wanted[i] : groups[i].checked || !is_ratio_run)
			run_group(&order.options, i, &results);
	}
	return tell(&order, &results);
}
