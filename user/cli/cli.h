/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: one file a subcommand, each with an entry below and in the table of main.c.
 *
 * A subcommand parses its own arguments with argp, prints its result to standard output (tables for people, JSON
 * with --json) and its errors through cli_fail. Exit status: 0 done, 1 failed, 2 usage.
 */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include "../base/problem.h"
#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name;
	const char *summary;		   /* one line for `weir --help` */
	int (*run)(int argc, char **argv); /* argv[0] is "weir NAME" for argp's messages */
};
extern const struct cli_command cli_commands[]; /* ends with a NULL name */

int cli_run(int argc, char **argv);   /* weir run */
int cli_check(int argc, char **argv); /* weir check */
int cli_apply(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_deny(int argc, char **argv);
int cli_allow(int argc, char **argv);
int cli_rule(int argc, char **argv);
int cli_set(int argc, char **argv);
int cli_backend(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_attach(int argc, char **argv);
int cli_detach(int argc, char **argv);
int cli_backend_host(int argc, char **argv);
int cli_maps(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/* What most subcommands take alike. */
struct cli_common {
	const char *socket, *pins; /* NULL: as cli_call and cli_pins say */
	bool json;
};
/* Takes --json, --socket and --pins; false when key is another. A subcommand offers those that it lists. */
bool cli_common_option(struct cli_common *common, int key, char *value);
#define CLI_OPTION_JSON(what)                                                                                          \
	{                                                                                                              \
		"json", 'j', 0, 0, "Print the " what " as JSON", 0                                                     \
	}
#define CLI_OPTION_SOCKET                                                                                              \
	{                                                                                                              \
		"socket", 's', "PATH", 0, "The control socket (default " CLI_DEFAULT_SOCKET ")", 0                     \
	}

/* argp_parse with the house's settings (usage errors exit with CLI_USAGE). */
error_t cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Prints "weir: TEXT" and "  HINT" to standard error; returns CLI_FAILED. */
int cli_fail(const struct problem *problem);
/* Prints the JSON document with a newline; steals the reference. */
int cli_print_json(json_t *json);
/* Whether standard output takes colour: a terminal, and NO_COLOR is not set. */
bool cli_colour(void);
/* Calls the controller: the socket is --socket, $WEIR_SOCKET or the default (socket NULL: one of the latter two). */
int cli_call(const char *socket, const char *command, json_t *arguments, json_t **result, struct problem *problem);
/* The same for a command whose whole job is one call: steals arguments; 0 with *result, or CLI_FAILED, told. */
int cli_ask(const char *socket, const char *command, json_t *arguments, json_t **result);
/* The same for one that may take seconds: on a terminal, a line shows what the controller is at. */
int cli_ask_waiting(const char *socket, const char *command, json_t *arguments, json_t **result);
/* Puts a text in the place of the line before, on standard error if that is a terminal; empty: takes it away. */
void cli_show_doing(const char *text);
/* The directory of pins: --pins, $WEIR_PINS or the default. */
const char *cli_pins(const char *pins);

/* "90s", "5m", "1h", "2d", "1w". 0 with *seconds > 0, or -EINVAL. */
int cli_parse_duration(const char *text, int64_t *seconds);
/* A whole number of digits alone, min..max. 0 or -EINVAL. */
int cli_parse_number(const char *text, int64_t min, int64_t max, int64_t *out);

/* A table in columns as wide as they need to be. align: a letter a column, 'l' or 'r'. */
struct cli_table {
	const char *align;
	char **cells;
	size_t count, capacity;
};
/* Appends a cell; rows fill up from the left. */
__attribute__((format(printf, 2, 3))) void cli_table_add(struct cli_table *table, const char *format, ...);
void cli_table_headings(struct cli_table *table, const char *const *headings);
/* Prints and frees it. A table of headings alone is not printed. */
void cli_table_print(struct cli_table *table);

/* A member of a JSON document, with "" or 0 in the place of what is not there. */
const char *cli_text(const json_t *object, const char *key);
long long cli_number(const json_t *object, const char *key);
/* The string at an index of an array, or what stands in for it. */
const char *cli_item(const json_t *array, size_t index, const char *otherwise);
/* Where the set of a row comes from: "configuration", a path, or a path and what a GeoIP database is. The caller frees
 * it; NULL: no memory. */
char *cli_set_source(const json_t *row);
/* "3 h 12 min" for a number of seconds; out has room for CLI_AGE_MAX. Returns out. */
#define CLI_AGE_MAX 32
char *cli_age(long long seconds, char *out);

/* What is probably not meant in a configuration that is valid, beside its sets and rules, as an array of sentences. */
struct config;
json_t *cli_config_dangers(const struct config *config);

#define CLI_DEFAULT_CONFIG "/etc/weir/weir.yaml"
#define CLI_DEFAULT_SOCKET "/run/weir/control.sock"
#define CLI_DEFAULT_PINS   "/sys/fs/bpf/weir"

#endif
