/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir deny` and `weir allow`: the live entries. */
#include "cli.h"
#include "import.h"
#include "../base/text.h"
#include <errno.h>
#include <string.h>
#include <time.h>

struct options {
	struct cli_common common;
	const char *list; /* "deny" or "allow" */
	const char *verb, *note;
	int64_t for_s; /* 0: no end */
	bool force;
	json_t *words; /* the arguments after the verb */
};

static void check_verb(const struct options *options, struct argp_state *state)
{
	bool is_list = !strcmp(options->verb, "list");

	if (!is_list && strcmp(options->verb, "add") != 0 && strcmp(options->verb, "del") != 0 &&
	    strcmp(options->verb, "import") != 0)
		argp_error(state, "\"%s\" is none of add, del, list, import", options->verb);
	if (is_list && json_array_size(options->words))
		argp_error(state, "list takes no arguments");
	if (!strcmp(options->verb, "import") && json_array_size(options->words) > 1)
		argp_error(state, "import takes one FILE, or - for standard input");
	if (!is_list && !json_array_size(options->words) && strcmp(options->verb, "import") != 0)
		argp_error(state, "which PREFIX?");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'f':
		if (cli_parse_duration(value, &options->for_s))
			argp_error(state, "--for takes a duration such as 90s, 5m, 1h, 2d or 1w");
		return 0;
	case 'n':
		for (const char *at = value; *at; at += text_sequence(at))
			if (!text_sequence(at))
				argp_error(state, "--note takes text in UTF-8");
		options->note = value;
		return 0;
	case 'F':
		options->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!options->verb)
			options->verb = value;
		else if (json_array_append_new(options->words, json_string(value)))
			argp_error(state, "\"%s\" is not text", value);
		return 0;
	case ARGP_KEY_END:
		if (!options->verb)
			argp_error(state, "add, del, list or import?");
		else
			check_verb(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Page after page, as {"entries": [...]}. */
static int fetch_list(const struct options *options, json_t **list)
{
	json_t *entries = json_array(), *arguments = NULL, *page;
	char command[16];
	bool more;

	snprintf(command, sizeof(command), "%s.list", options->list);
	do {
		page = NULL;
		if (cli_ask(options->common.socket, command, arguments, &page)) {
			json_decref(entries);
			return CLI_FAILED;
		}
		json_array_extend(entries, json_object_get(page, "entries"));
		more = json_is_true(json_object_get(page, "more")) && json_array_size(entries);
		json_decref(page);
		if (more)
			arguments = json_pack(
				"{s:O}", "after",
				json_object_get(json_array_get(entries, json_array_size(entries) - 1), "prefix"));
	} while (more);
	*list = json_pack("{s:o}", "entries", entries);
	return CLI_DONE;
}

static int print_list(const struct options *options)
{
	static const char *const headings[] = {"PREFIX", "ADDED", "ENDS IN", "NOTE"};
	struct cli_table table = {.align = "lrrl"};
	long long now = (long long)time(NULL);
	json_t *result = NULL, *row;
	char age[CLI_AGE_MAX];
	size_t i;

	if (fetch_list(options, &result))
		return CLI_FAILED;
	if (options->common.json)
		return cli_print_json(result);
	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(result, "entries"), i, row) {
		bool ends = json_is_integer(json_object_get(row, "until"));

		cli_table_add(&table, "%s", cli_text(row, "prefix"));
		cli_table_add(&table, "%s ago", cli_age(now - cli_number(row, "added"), age));
		cli_table_add(&table, "%s", ends ? cli_age(cli_number(row, "until") - now, age) : "never");
		cli_table_add(&table, "%s", cli_text(row, "note"));
	}
	if (table.count <= strlen(table.align))
		fprintf(stderr, "the %s list is empty\n", options->list);
	cli_table_print(&table);
	json_decref(result);
	return CLI_DONE;
}

/* Takes over prefixes. */
static int send_prefixes(const struct options *options, json_t *prefixes)
{
	bool is_deletion = !strcmp(options->verb, "del");
	json_t *arguments = json_pack("{s:o}", "prefixes", prefixes), *result = NULL;
	char command[16];

	if (!is_deletion && options->for_s)
		json_object_set_new(arguments, "for_s", json_integer(options->for_s));
	if (!is_deletion && options->note)
		json_object_set_new(arguments, "note", json_string(options->note));
	if (!is_deletion && options->force)
		json_object_set_new(arguments, "force", json_true());
	snprintf(command, sizeof(command), "%s.%s", options->list, is_deletion ? "del" : "add");
	if (cli_ask(options->common.socket, command, arguments, &result))
		return CLI_FAILED;
	if (options->common.json)
		return cli_print_json(result);
	printf("%lld %s %s\n", cli_number(result, is_deletion ? "deleted" : "added"),
	       is_deletion ? "deleted from" : "added to", options->list);
	json_decref(result);
	return CLI_DONE;
}

static int run(const struct argp *argp, const char *list, int argc, char **argv)
{
	struct options options = {.list = list, .words = json_array()};
	struct problem problem = {0};
	json_t *prefixes = NULL;
	int err;

	cli_parse(argp, argc, argv, &options);
	if (!strcmp(options.verb, "list")) {
		err = print_list(&options);
	} else {
		if (!strcmp(options.verb, "import"))
			err = import_read(cli_item(options.words, 0, "-"), &prefixes, &problem);
		else
			err = import_check(options.words, &prefixes, &problem);
		err = err ? cli_fail(&problem) : send_prefixes(&options, prefixes);
	}
	json_decref(options.words);
	return err;
}

static const struct argp_option option_list[] = {
	{"for", 'f', "TIME", 0, "End the entries by themselves after 90s, 5m, 1h, 2d, 1w (default: never)", 0},
	{"note", 'n', "TEXT", 0, "Why, to be shown in the list", 0},
	{"force", 'F', 0, 0, "Deny even what would cut off everybody, or a backend's health checks", 0},
	CLI_OPTION_JSON("result"),
	CLI_OPTION_SOCKET,
	{0},
};

int cli_deny(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse_option,
		.args_doc = "add PREFIX...\ndel PREFIX...\nlist\nimport [FILE]",
		.doc = "Drop what comes from addresses and prefixes, at once and until further notice. Entries outlive "
		       "applies and restarts. What protect: names in the configuration cannot be denied, and an allow "
		       "entry that covers a source beats every deny."
		       "\vimport reads a prefix a line (# and ; begin comments) from FILE or standard input: all of "
		       "them "
		       "are added, or none when a line has an error.\n\nExamples:\n"
		       "  weir deny add 203.0.113.7 2001:db8:bad::/48 --for 1h --note 'flood, ticket 42'\n"
		       "  weir deny import drop.txt\n  weir deny del 203.0.113.7",
	};

	return run(&argp, "deny", argc, argv);
}

int cli_allow(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse_option,
		.args_doc = "add PREFIX...\ndel PREFIX...\nlist\nimport [FILE]",
		.doc = "Let addresses and prefixes pass whatever the deny list says: an allow entry that covers a "
		       "source beats every deny entry, and no rate limit applies to it. Entries outlive applies and "
		       "restarts."
		       "\vimport reads a prefix a line (# and ; begin comments) from FILE or standard input: all of "
		       "them "
		       "are added, or none when a line has an error.\n\nExample:\n"
		       "  weir allow add 198.51.100.77 --for 2d --note 'our monitoring'",
	};

	return run(&argp, "allow", argc, argv);
}
