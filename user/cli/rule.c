/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir rule`: the rules of the filter with what they hit, and the operators' overrides. */
#include "cli.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <string.h>
#include <time.h>

static const struct {
	const char *verb, *command;
	bool is_named;
} verbs[] = {
	{"list", "rule.list", false},  {"enable", "rule.enforce", true}, {"shadow", "rule.shadow", true},
	{"disable", "rule.off", true}, {"reset", "rule.reset", true},
};

struct options {
	struct cli_common common;
	const char *verb, *name;
	size_t which; /* of verbs */
};

static void check_words(struct options *options, struct argp_state *state)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(verbs) && strcmp(verbs[i].verb, options->verb) != 0)
		i++;
	options->which = i;
	if (i == ARRAY_SIZE(verbs))
		argp_error(state, "\"%s\" is none of list, enable, shadow, disable, reset", options->verb);
	else if (verbs[i].is_named && !options->name)
		argp_error(state, "which rule? (`weir rule list` shows the names)");
	else if (!verbs[i].is_named && options->name)
		argp_error(state, "list takes no arguments");
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
		else
			argp_error(state, "one rule at a time");
		return 0;
	case ARGP_KEY_END:
		if (!options->verb)
			argp_error(state, "list, enable, shadow, disable or reset?");
		else
			check_words(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool has_expired(const json_t *row)
{
	long long expires = cli_number(row, "expires");

	return expires && expires <= (long long)time(NULL);
}

static void add_row(struct cli_table *table, const json_t *row)
{
	bool was_hit = json_object_get(row, "last_s_ago") != NULL;
	bool is_override = json_object_get(row, "configured_mode") != NULL;
	char age[CLI_AGE_MAX];

	cli_table_add(table, "%lld", cli_number(row, "number"));
	cli_table_add(table, "%s", cli_text(row, "rule"));
	cli_table_add(table, "%s%s%s", cli_text(row, "mode"), is_override ? "*" : "",
		      has_expired(row) ? ", expired" : "");
	cli_table_add(table, "%s", cli_text(row, "action"));
	cli_table_add(table, "%lld", cli_number(row, "packets"));
	cli_table_add(table, "%lld", cli_number(row, "bytes"));
	cli_table_add(table, was_hit ? "%s ago" : "never", cli_age(cli_number(row, "last_s_ago"), age));
	cli_table_add(table, "%s", cli_text(row, "match"));
}

static void print_rules(const json_t *result)
{
	static const char *const headings[] = {"NO", "RULE", "MODE", "ACTION", "PACKETS", "BYTES", "LAST", "MATCHES"};
	struct cli_table table = {.align = "rlllrrrl"};
	const char *otherwise = cli_text(result, "default");
	bool overridden = false;
	const json_t *row;
	size_t i;

	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(result, "rules"), i, row) {
		add_row(&table, row);
		overridden = overridden || json_object_get(row, "configured_mode");
	}
	if (table.count <= strlen(table.align))
		fprintf(stderr, "the configuration has no rules; `filter: rules:` takes them\n");
	cli_table_print(&table);
	if (overridden)
		printf("* an override; `weir rule reset NAME` goes back to the configuration\n");
	if (*otherwise)
		printf("what no rule matches: %s\n", otherwise);
}

int cli_rule(int argc, char **argv)
{
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("result"),
		CLI_OPTION_SOCKET,
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "list\nenable NAME\nshadow NAME\ndisable NAME\nreset NAME",
		.doc = "Show the rules of the filter in their order, with what each of them hit, or override the mode "
		       "that the configuration gives one. Overrides act at once, and outlive applies and restarts."
		       "\venable: it acts. shadow: it counts what it would hit, and does not act. disable: it is "
		       "skipped. reset: back to the mode in the configuration.\n\nExample:\n"
		       "  weir rule shadow no-ntp     look before it acts\n"
		       "  weir rule list              what would it have hit?\n"
		       "  weir rule enable no-ntp",
	};
	struct options options = {0};
	json_t *arguments, *result = NULL;

	cli_parse(&argp, argc, argv, &options);
	arguments = options.name ? json_pack("{s:o}", "name", json_text(options.name)) : NULL;
	if (cli_ask(options.common.socket, verbs[options.which].command, arguments, &result))
		return CLI_FAILED;
	if (options.common.json)
		return cli_print_json(result);
	print_rules(result);
	json_decref(result);
	return CLI_DONE;
}
