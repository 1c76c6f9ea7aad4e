/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir status`: what is running, as the controller tells it, or as far as the pinned tables do without one. */
#include "cli.h"
#include "tables.h"
#include "../controller/controller.h"
#include <errno.h>
#include <string.h>
#include <time.h>

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

static void print_controller(const json_t *status)
{
	const json_t *controller = json_object_get(status, "controller");
	const json_t *heartbeat = json_object_get(controller, "heartbeat_age_s");
	char age[CLI_AGE_MAX];

	if (json_is_true(json_object_get(controller, "running"))) {
		printf("controller  pid %lld, version %s, up %s\n", cli_number(controller, "pid"),
		       cli_text(controller, "version"),
		       cli_age((long long)time(NULL) - cli_number(controller, "since"), age));
		printf("            %s\n", cli_text(controller, "config"));
	} else if (json_is_real(heartbeat)) {
		printf("controller  NOT RUNNING: stale since %s (its pid was %lld); the dataplane goes on as it was "
		       "left\n",
		       cli_age((long long)json_real_value(heartbeat), age), cli_number(controller, "pid"));
	} else {
		printf("controller  NOT RUNNING, and none ever was on these tables\n");
	}
	printf("generation  %lld\n", cli_number(status, "generation"));
}

static void print_interfaces(const json_t *status)
{
	const json_t *interfaces = json_object_get(status, "interfaces"), *row;
	size_t i;

	if (!json_array_size(interfaces))
		printf("interfaces  none: nothing is filtered or steered\n");
	json_array_foreach(interfaces, i, row)
		printf("%-10s  %s %s%s%s\n", i ? "" : "interfaces", cli_text(row, "name"), cli_text(row, "mode"),
		       *cli_text(row, "why") ? ": " : "", cli_text(row, "why"));
}

static void print_services(const json_t *status)
{
	static const char *const headings[] = {"SERVICE", "POOL", "HEALTHY", "BACKENDS", ""};
	struct cli_table table = {.align = "llrrl"};
	const json_t *row;
	size_t i;

	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(status, "services"), i, row) {
		bool known = json_object_get(row, "backends") != NULL;
		const char *pool = cli_text(row, "pool");

		cli_table_add(&table, "%s", cli_text(row, "name"));
		cli_table_add(&table, "%s", *pool ? pool : "-");
		cli_table_add(&table, known ? "%lld" : "?", cli_number(row, "healthy"));
		cli_table_add(&table, known ? "%lld" : "?", cli_number(row, "backends"));
		cli_table_add(&table, "%s",
			      json_is_true(json_object_get(row, "panic")) ? "PANIC: all are used, too few are healthy"
			      : known && !*pool				  ? "NOBODY SERVES"
									  : "");
	}
	if (table.count > strlen(table.align))
		putchar('\n');
	cli_table_print(&table);
}

static void print_backends(const json_t *status)
{
	static const char *const headings[] = {"BACKEND", "HEALTH", "ADMIN", "FOR"};
	struct cli_table table = {.align = "lllr"};
	char age[CLI_AGE_MAX];
	const json_t *row;
	size_t i;

	cli_table_headings(&table, headings);
	json_array_foreach(json_object_get(status, "backends"), i, row) {
		long long since = cli_number(row, "since");

		cli_table_add(&table, "%s/%s", cli_text(row, "pool"), cli_text(row, "name"));
		cli_table_add(&table, "%s", cli_text(row, "health"));
		cli_table_add(&table, "%s", cli_text(row, "admin"));
		cli_table_add(&table, "%s", since ? cli_age((long long)time(NULL) - since, age) : "-");
	}
	if (table.count > strlen(table.align))
		putchar('\n');
	cli_table_print(&table);
}

/* "filter      12 rules act, 2 as shadows, 1 off; default pass; 3 sets of 1034000 prefixes" */
static void print_filter(const json_t *status)
{
	static const struct {
		const char *key, *unit;
	} kinds[] = {{"shadow", "as shadows"}, {"off", "off"}, {"expired", "expired"}};
	const json_t *filter = json_object_get(status, "filter"), *row;
	size_t i;

	if (!json_is_object(filter))
		return;
	printf("filter      %lld rules act", cli_number(filter, "enforced"));
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (cli_number(filter, kinds[i].key))
			printf(", %lld %s", cli_number(filter, kinds[i].key), kinds[i].unit);
	printf("; default %s", cli_text(filter, "default"));
	if (json_object_get(filter, "sets"))
		printf("; %lld sets of %lld prefixes", cli_number(filter, "sets"), cli_number(filter, "prefixes"));
	putchar('\n');
	json_array_foreach(json_object_get(filter, "kept_out"), i, row)
		printf("            set %s %s: %s\n", cli_text(row, "set"),
		       json_is_true(json_object_get(row, "held")) ? "HELD BACK" : "BROKEN", cli_text(row, "why"));
}

static void print_rest(const json_t *status)
{
	const json_t *packets = json_object_get(status, "packets"), *bans = json_object_get(status, "bans");
	const json_t *collector = json_object_get(status, "collector");

	printf("packets     %lld passed, %lld dropped, %lld sent on (tx), %lld redirected\n",
	       cli_number(packets, "pass"), cli_number(packets, "drop"), cli_number(packets, "tx"),
	       cli_number(packets, "redirect"));
	print_filter(status);
	if (bans)
		printf("bans        %lld denied, %lld allowed; %lld in the address tables, %lld beside them\n",
		       cli_number(bans, "deny"), cli_number(bans, "allow"), cli_number(bans, "folded"),
		       cli_number(bans, "overlay"));
	if (json_is_object(collector))
		printf("collector   %s: %lld sent, %lld failed attempts, %lld queued, %lld lost%s%s\n",
		       cli_text(collector, "endpoint"), cli_number(collector, "sent"),
		       cli_number(collector, "failed_attempts"), cli_number(collector, "queued"),
		       cli_number(collector, "dropped"), *cli_text(collector, "last_error") ? "; last: " : "",
		       cli_text(collector, "last_error"));
}

static json_t *read_tables(const char *pins, struct problem *problem)
{
	struct kernel *kernel = NULL;
	json_t *status;

	if (cli_open_tables(pins, &kernel, problem))
		return NULL;
	status = controller_tables_status(kernel, pins);
	kernel_free(kernel);
	if (!status)
		problem_set(problem, -ENOMEM, "out of memory");
	return status;
}

int cli_status(int argc, char **argv)
{
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
		.doc = "Show the controller, the interfaces, the services with the pool that serves each, the "
		       "backends, the sums of packets, rules, sets and bans, and the collector."
		       "\vWithout a controller the pinned tables are read instead (as root): what they hold is shown, "
		       "with "
		       "since when nobody has been looking after them.\n\nExample:\n"
		       "  weir status --json | jq '.backends[] | select(.health == \"down\")'",
	};
	struct problem unanswered = {0}, problem = {0};
	struct options options = {0};
	json_t *status = NULL;

	cli_parse(&argp, argc, argv, &options);
	if (cli_call(options.common.socket, "status", NULL, &status, &unanswered)) {
		status = read_tables(cli_pins(options.common.pins), &problem);
		if (!status) {
			cli_fail(&unanswered);
			return cli_fail(&problem);
		}
		fprintf(stderr, "weir: %s: this is what the tables say\n", unanswered.text);
	}
	if (options.common.json)
		return cli_print_json(status);
	print_controller(status);
	print_interfaces(status);
	print_rest(status);
	print_services(status);
	print_backends(status);
	json_decref(status);
	return CLI_DONE;
}
