/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir backend`: the backends and the operators' overrides. */
#include "cli.h"
#include "../reconcile/reconcile.h"
#include <errno.h>
#include <string.h>
#include <time.h>

struct options {
	struct cli_common common;
	const char *verb, *name, *weight;
};

static void check_words(const struct options *options, struct argp_state *state)
{
	bool is_list, is_weight;

	is_list = !strcmp(options->verb, "list");
	is_weight = !strcmp(options->verb, "weight");
	if (!is_list && !is_weight && strcmp(options->verb, "drain") != 0 && strcmp(options->verb, "disable") != 0 &&
	    strcmp(options->verb, "enable") != 0)
		argp_error(state, "\"%s\" is none of list, drain, disable, enable, weight", options->verb);
	if (is_list && options->name)
		argp_error(state, "list takes no arguments");
	if (!is_list && !options->name)
		argp_error(state, "which backend? (POOL/NAME, or NAME when it is the only one)");
	if (is_weight != !!options->weight)
		argp_error(state, is_weight ? "which weight? (0 to 1000, or default)" : "one backend at a time");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		if (!options->verb)
			options->verb = value;
		else if (!options->name)
			options->name = value;
		else if (!options->weight)
			options->weight = value;
		else
			argp_error(state, "unexpected argument \"%s\"", value);
		return 0;
	case ARGP_KEY_END:
		if (!options->verb)
			argp_error(state, "list, drain, disable, enable or weight?");
		else
			check_words(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static json_t *make_arguments(const struct options *options)
{
	json_t *arguments;
	int64_t weight;

	if (!options->name)
		return NULL;
	arguments = json_pack("{s:s}", "name", options->name);
	if (options->weight && !cli_parse_number(options->weight, 0, RECONCILE_WEIGHT_MAX, &weight))
		json_object_set_new(arguments, "weight", json_integer(weight));
	else if (options->weight)
		json_object_set_new(arguments, "weight", json_null());
	return arguments;
}

static void add_row(struct cli_table *table, const json_t *row)
{
	const json_t *check = json_object_get(row, "check");
	long long since = cli_number(row, "since");
	char age[CLI_AGE_MAX];

	cli_table_add(table, "%s/%s", cli_text(row, "pool"), cli_text(row, "name"));
	cli_table_add(table, "%s", cli_text(row, "address"));
	cli_table_add(table, "%s", cli_text(row, "health"));
	cli_table_add(table, "%s", cli_text(row, "admin"));
	cli_table_add(table, "%lld", cli_number(row, "weight"));
	cli_table_add(table, "%s", since ? cli_age((long long)time(NULL) - since, age) : "-");
	cli_table_add(table, "%lld", cli_number(row, "packets"));
	cli_table_add(table, "%lld", cli_number(row, "flows"));
	if (json_is_object(check) && json_is_true(json_object_get(check, "ok")))
		cli_table_add(table, "ok in %.1f ms", (double)cli_number(check, "latency_us") / 1000);
	else
		cli_table_add(table, "%s", cli_text(check, "error"));
}

int cli_backend(int argc, char **argv)
{
	static const char *const headings[] = {"BACKEND", "ADDRESS", "HEALTH", "ADMIN",	    "WEIGHT",
					       "FOR",	  "PACKETS", "FLOWS",  "LAST CHECK"};
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("result"),
		CLI_OPTION_SOCKET,
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "list\ndrain NAME\ndisable NAME\nenable NAME\nweight NAME N|default",
		.doc = "Show the backends, or override what the configuration and the health checks say about one. "
		       "NAME is "
		       "POOL/BACKEND, or BACKEND when only one is called so. Overrides outlive applies and restarts."
		       "\vdrain: no new flows, the flows that it has go on. disable: nothing goes there any more. "
		       "enable: "
		       "back to what configuration and checks say. weight: its share of new flows, 0 to 1000.\n\n"
		       "Example:\n  weir backend drain local/cache1    before maintenance\n"
		       "  weir backend enable local/cache1   after it",
	};
	struct cli_table table = {.align = "llllrrrrl"};
	json_t *result = NULL, *row;
	struct options options = {0};
	char command[32];
	int64_t weight;
	size_t i;

	cli_parse(&argp, argc, argv, &options);
	if (options.weight && strcmp(options.weight, "default") != 0 &&
	    cli_parse_number(options.weight, 0, RECONCILE_WEIGHT_MAX, &weight)) {
		fprintf(stderr, "weir: a weight is a whole number from 0 to %d, or default\n", RECONCILE_WEIGHT_MAX);
		return CLI_USAGE;
	}
	snprintf(command, sizeof(command), "backend.%s", options.verb);
	if (cli_ask(options.common.socket, command, make_arguments(&options), &result))
		return CLI_FAILED;
	if (options.common.json)
		return cli_print_json(result);
	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(result, "backends"), i, row)
		add_row(&table, row);
	cli_table_print(&table);
	json_decref(result);
	return CLI_DONE;
}
