/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir stats`: the counters, from the controller or straight from the pinned tables. */
#include "cli.h"
#include "tables.h"
#include "../controller/controller.h"
#include <errno.h>
#include <string.h>

struct options {
	struct cli_common common;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* One table of the document: its headings, and the keys that fill its columns ('r' columns are numbers). */
struct section {
	const char *key, *align;
	const char *headings[6], *columns[6];
};

static void print_section(const json_t *stats, const struct section *section)
{
	struct cli_table table = {.align = section->align};
	const json_t *row;
	size_t i;

	cli_table_headings(&table, section->headings);
	json_array_foreach(json_object_get(stats, section->key), i, row) {
		for (size_t column = 0; section->align[column]; column++) {
			if (section->align[column] == 'r')
				cli_table_add(&table, "%lld", cli_number(row, section->columns[column]));
			else
				cli_table_add(&table, "%s", cli_text(row, section->columns[column]));
		}
	}
	if (table.count > strlen(section->align) && strcmp(section->key, "verdicts") != 0)
		putchar('\n');
	cli_table_print(&table);
}

static json_t *read_tables(const char *pins, struct problem *problem)
{
	struct kernel *kernel = NULL;
	json_t *stats;

	if (cli_open_tables(pins, &kernel, problem))
		return NULL;
	stats = controller_tables_stats(kernel);
	kernel_free(kernel);
	if (!stats)
		problem_set(problem, -ENOMEM, "out of memory");
	return stats;
}

int cli_stats(int argc, char **argv)
{
	static const struct section sections[] = {
		{"verdicts",
		 "llrrl",
		 {"VERDICT", "REASON", "PACKETS", "BYTES", "MEANING"},
		 {"verdict", "reason", "packets", "bytes", "meaning"}},
		{"rules", "lrr", {"RULE", "PACKETS", "BYTES"}, {"rule", "packets", "bytes"}},
		{"services",
		 "lrrr",
		 {"SERVICE", "PACKETS", "BYTES", "FLOWS"},
		 {"service", "packets", "bytes", "flows"}},
		{"backends",
		 "llrrr",
		 {"POOL", "BACKEND", "PACKETS", "BYTES", "FLOWS"},
		 {"pool", "backend", "packets", "bytes", "flows"}},
		{"limits",
		 "lrrrr",
		 {"LIMIT", "PASSED", "BYTES", "DROPPED", "BYTES"},
		 {"limit", "passed", "passed_bytes", "dropped", "dropped_bytes"}},
	};
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("document"),
		CLI_OPTION_SOCKET,
		{"pins", 'p', "DIR", 0,
		 "The pinned tables, read when no controller answers (default " CLI_DEFAULT_PINS ")", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.doc = "Show the counters: every packet once by verdict and reason, and under its rule, service, "
		       "backend and limit where it met one. They count from when the tables were made, across applies "
		       "and restarts."
		       "\vExample:\n  weir stats --json | jq '.verdicts[] | select(.verdict == \"drop\")'",
	};
	struct problem unanswered = {0}, problem = {0};
	struct options options = {0};
	json_t *stats = NULL;

	cli_parse(&argp, argc, argv, &options);
	if (cli_call(options.common.socket, "stats", NULL, &stats, &unanswered)) {
		stats = read_tables(cli_pins(options.common.pins), &problem);
		if (!stats) {
			cli_fail(&unanswered);
			return cli_fail(&problem);
		}
		fprintf(stderr, "weir: %s: this is what the tables say\n", unanswered.text);
	}
	if (options.common.json)
		return cli_print_json(stats);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		print_section(stats, &sections[i]);
	json_decref(stats);
	return CLI_DONE;
}
