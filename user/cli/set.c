/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir set`: the sets of addresses, what is in them, and whether their lists are believed. */
#include "cli.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>
#include <time.h>

#define RULES_SHOWN 4

struct options;
typedef int verb_run(const struct options *options);

struct options {
	struct cli_common common;
	const char *verb, *word;
	bool accept;
	verb_run *run;
};

static verb_run run_list, run_show, run_lookup, run_refresh;

static const struct {
	const char *verb;
	const char *missing; /* what to ask when there is no word; NULL: it takes none */
	verb_run *run;
} verbs[] = {
	{"list", NULL, run_list},
	{"show", "which set? (`weir set list` shows the names)", run_show},
	{"lookup", "which ADDRESS?", run_lookup},
	{"refresh", "which set? (`weir set list` shows the names)", run_refresh},
};

static void check_words(struct options *options, struct argp_state *state)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(verbs) && strcmp(verbs[i].verb, options->verb) != 0)
		i++;
	if (i == ARRAY_SIZE(verbs)) {
		argp_error(state, "\"%s\" is none of list, show, lookup, refresh", options->verb);
		return;
	}
	options->run = verbs[i].run;
	if (verbs[i].missing && !options->word)
		argp_error(state, "%s", verbs[i].missing);
	if (!verbs[i].missing && options->word)
		argp_error(state, "%s takes no arguments", options->verb);
	if (options->accept && options->run != run_refresh)
		argp_error(state, "--accept goes with refresh");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'a':
		options->accept = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!options->verb)
			options->verb = value;
		else if (!options->word)
			options->word = value;
		else
			argp_error(state, "one at a time: \"%s\" is too much", value);
		return 0;
	case ARGP_KEY_END:
		if (!options->verb)
			argp_error(state, "list, show, lookup or refresh?");
		else
			check_words(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* "listed, no-ntp and 7 more" */
static void add_rules(struct cli_table *table, const json_t *rules)
{
	size_t count = json_array_size(rules), shown = count <= RULES_SHOWN + 1 ? count : RULES_SHOWN, used = 0;
	char text[(RULES_SHOWN + 1) * 64 + 32] = "-";

	for (size_t i = 0; i < shown && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
					 cli_item(rules, i, ""));
	if (shown < count && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used, " and %zu more", count - shown);
	cli_table_add(table, "%s", text);
}

static void add_source(struct cli_table *table, const json_t *row)
{
	AUTO_FREE char *source = cli_set_source(row);

	cli_table_add(table, "%s", source ? source : "");
}

static void add_row(struct cli_table *table, const json_t *row)
{
	bool is_read = json_object_get(row, "read") != NULL;
	const char *why = cli_text(row, "why");
	char age[CLI_AGE_MAX];

	cli_table_add(table, "%s", cli_text(row, "set"));
	cli_table_add(table, "%lld", cli_number(row, "prefixes"));
	cli_table_add(table, "%.0f", json_number_value(json_object_get(row, "v4_addresses")));
	if (is_read && cli_number(row, "read"))
		cli_table_add(table, "%s ago", cli_age((long long)time(NULL) - cli_number(row, "read"), age));
	else
		cli_table_add(table, is_read ? "before the start" : "-");
	add_rules(table, json_object_get(row, "rules"));
	add_source(table, row);
	cli_table_add(table, "%s%s",
		      !*why					   ? "ok"
		      : json_is_true(json_object_get(row, "held")) ? "HELD BACK: "
								   : "BROKEN: ",
		      why);
}

static void print_sets(const json_t *result)
{
	static const char *const headings[] = {"SET", "PREFIXES", "IPV4 ADDRESSES", "READ", "RULES", "SOURCE", "STATE"};
	struct cli_table table = {.align = "lrrrlll"};
	const json_t *row;
	size_t i;

	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(result, "sets"), i, row)
		add_row(&table, row);
	if (table.count <= strlen(table.align))
		fprintf(stderr, "the configuration has no sets; `sets:` takes them\n");
	cli_table_print(&table);
}

static int run_list(const struct options *options)
{
	json_t *result = NULL;

	if (cli_ask(options->common.socket, "set.list", NULL, &result))
		return CLI_FAILED;
	if (options->common.json)
		return cli_print_json(result);
	print_sets(result);
	json_decref(result);
	return CLI_DONE;
}

static void print_page(const json_t *prefixes)
{
	const json_t *prefix;
	size_t i;

	json_array_foreach(prefixes, i, prefix)
		puts(json_string_value(prefix));
}

/* Of a GeoIP database, beside the prefixes so that these can still be fed to something. Returns it with a reference. */
static json_t *tell_source(const struct options *options, const json_t *page)
{
	json_t *geoip = json_object_get(page, "geoip");
	AUTO_FREE char *source = geoip && !options->common.json ? cli_set_source(page) : NULL;

	if (source)
		fprintf(stderr, "set %s: %s\n", options->word, source);
	return json_incref(geoip);
}

/* Page after page, as they come; for JSON one document. */
static int run_show(const struct options *options)
{
	json_t *all = json_array(), *last = NULL;
	json_t *source = NULL;
	bool more = true;

	while (more) {
		json_t *arguments = json_pack("{s:o, s:O*}", "name", json_text(options->word), "after", last);
		json_t *page = NULL, *prefixes;
		size_t count;

		json_decref(last);
		if (cli_ask(options->common.socket, "set.show", arguments, &page)) {
			json_decref(source);
			json_decref(all);
			return CLI_FAILED;
		}
		prefixes = json_object_get(page, "prefixes");
		count = json_array_size(prefixes);
		if (options->common.json)
			json_array_extend(all, prefixes);
		else
			print_page(prefixes);
		if (!source)
			source = tell_source(options, page);
		last = json_incref(json_array_get(prefixes, count - 1));
		more = json_is_true(json_object_get(page, "more")) && last;
		json_decref(page);
	}
	json_decref(last);
	if (options->common.json)
		return cli_print_json(json_pack("{s:o, s:o*, s:o}", "set", json_text(options->word), "geoip", source,
						"prefixes", all));
	json_decref(source);
	json_decref(all);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "weir: the list could not be written to its end: %s\n", strerror(errno));
		return CLI_FAILED;
	}
	return CLI_DONE;
}

static int run_lookup(const struct options *options)
{
	static const char *const headings[] = {"SET", "ENTRY", "RULES", "SOURCE"};
	struct cli_table table = {.align = "llll"};
	json_t *result = NULL, *row;
	size_t i;

	if (cli_ask(options->common.socket, "set.lookup", json_pack("{s:o}", "address", json_text(options->word)),
		    &result))
		return CLI_FAILED;
	if (options->common.json)
		return cli_print_json(result);
	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(result, "sets"), i, row) {
		cli_table_add(&table, "%s", cli_text(row, "set"));
		cli_table_add(&table, "%s", cli_text(row, "entry"));
		add_rules(&table, json_object_get(row, "rules"));
		add_source(&table, row);
	}
	if (table.count <= strlen(table.align))
		printf("%s is in no set\n", options->word);
	cli_table_print(&table);
	json_decref(result);
	return CLI_DONE;
}

static int run_refresh(const struct options *options)
{
	json_t *arguments = json_pack("{s:o, s:b}", "name", json_text(options->word), "accept", options->accept);
	json_t *result = NULL;

	if (cli_ask_waiting(options->common.socket, "set.refresh", arguments, &result))
		return CLI_FAILED;
	if (options->common.json)
		return cli_print_json(result);
	printf("set %s: %lld prefixes, %s\n", options->word,
	       cli_number(json_array_get(json_object_get(result, "sets"), 0), "prefixes"),
	       json_is_true(json_object_get(result, "changed")) ? "live now" : "the same as before");
	json_decref(result);
	return CLI_DONE;
}

int cli_set(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"accept", 'a', 0, 0, "Take a version that is held back because it changes more than max_change", 0},
		CLI_OPTION_JSON("result"),
		CLI_OPTION_SOCKET,
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "list\nshow NAME\nlookup ADDRESS\nrefresh NAME",
		.doc = "Show the sets of addresses that rules speak of, or read the file of one at once."
		       "\vlist: all sets, with what keeps a list's newest version out. show: every prefix of one. "
		       "lookup: which sets hold an address, by which entry, and which rules that concerns. refresh: "
		       "do not wait for the next look at the file.\n\nExamples:\n"
		       "  weir set lookup 203.0.113.7        why is it dropped?\n"
		       "  weir set refresh listed --accept   the list really is that short now",
	};
	struct options options = {0};

	cli_parse(&argp, argc, argv, &options);
	return options.run(&options);
}
