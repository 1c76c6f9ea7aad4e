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
int cli_backend(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_attach(int argc, char **argv);
int cli_detach(int argc, char **argv);
int cli_backend_host(int argc, char **argv);
int cli_maps(int argc, char **argv);

/* argp_parse with the house's settings (usage errors exit with CLI_USAGE). */
error_t cli_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Prints "weir: TEXT" and "  HINT" to standard error; returns CLI_FAILED. */
int cli_fail(const struct problem *problem);
/* Prints the JSON document with a newline; steals the reference. */
int cli_print_json(json_t *json);
/* Whether standard output takes colour: a terminal, and NO_COLOR is not set. */
bool cli_colour(void);
/* Calls the controller: the socket is --socket, $WEIR_SOCKET or the default. */
int cli_call(const char *socket, const char *command, json_t *arguments, json_t **result, struct problem *problem);

#define CLI_DEFAULT_CONFIG "/etc/weir/weir.yaml"
#define CLI_DEFAULT_SOCKET "/run/weir/control.sock"
#define CLI_DEFAULT_PINS   "/sys/fs/bpf/weir"

#endif
