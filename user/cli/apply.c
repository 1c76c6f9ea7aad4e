/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir apply`: makes a configuration the live policy. */
#include "cli.h"
#include "../base/file.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../config/config.h"
#include <errno.h>
#include <string.h>
#include <time.h>

struct options {
	struct cli_common common;
	const char *path, *base;
	int64_t base_number;
	bool dry_run;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'n':
		options->dry_run = true;
		return 0;
	case 'b':
		options->base = value;
		if (cli_parse_number(value, 0, UINT32_MAX, &options->base_number))
			argp_error(state, "--base takes the number of a generation");
		return 0;
	case ARGP_KEY_ARG:
		if (options->path)
			argp_error(state, "one FILE at a time");
		options->path = value;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which FILE?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_lines(FILE *file, const json_t *lines, const char *before)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
		fprintf(file, "%s%s\n", before, json_string_value(line));
}

static void print_result(const struct options *options, const json_t *result)
{
	const json_t *changes = json_object_get(result, "changes");

	print_lines(stdout, changes, "  ");
	if (!json_array_size(changes))
		printf("  no changes\n");
	if (options->dry_run)
		printf("nothing was applied; generation %lld is live\n", cli_number(result, "generation"));
	else
		printf("generation %lld is live\n", cli_number(result, "generation"));
	print_lines(stderr, json_object_get(result, "warnings"), "weir: ");
	if (!options->dry_run && !json_is_true(json_object_get(result, "same_file")))
		fprintf(stderr, "weir: the controller starts from %s: put this there if it is to last\n",
			cli_text(result, "starts_from"));
}

/* Looks at the text here first: the errors are complete, and nothing is sent that cannot be right. */
static int check_text(const struct options *options, const char *text, size_t size)
{
	struct config_report report;
	int err = config_examine(options->path, text, size, time(NULL), &report);

	if (err) {
		fputs(report.errors.text ? report.errors.text : strerror(-err), stderr);
		fprintf(stderr, "weir: nothing was applied; the live policy is as it was\n");
	} else if (!options->common.json) {
		AUTO_FREE char *found = config_findings_format(&report.findings, options->path, text, size);
		json_t *dangers = cli_config_dangers(report.config);

		fputs(found ? found : "", stderr);
		print_lines(stderr, dangers, "weir: warning: ");
		json_decref(dangers);
	}
	config_report_free(&report);
	return err;
}

int cli_apply(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"dry-run", 'n', 0, 0, "Show what would change, change nothing", 0},
		{"base", 'b', "N", 0, "Refuse unless generation N is live: nobody else changed it meanwhile", 0},
		CLI_OPTION_JSON("result"),
		CLI_OPTION_SOCKET,
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "FILE",
		.doc = "Make FILE the live policy: built beside the live one, then flipped by one word, so that every "
		       "packet sees one or the other and none is lost. A FILE with an error changes nothing."
		       "\vExample:\n  weir apply --dry-run new.yaml\n  weir apply new.yaml",
	};
	struct options options = {0};
	struct problem problem = {0};
	AUTO_FREE char *text = NULL, *path = NULL;
	json_t *arguments, *result = NULL;
	size_t size;
	int err;

	cli_parse(&argp, argc, argv, &options);
	err = file_read(options.path, CONFIG_MAX_BYTES, &text, &size);
	if (err) {
		problem_set(&problem, err, "%s cannot be read: %s", options.path, strerror(-err));
		return cli_fail(&problem);
	}
	if (check_text(&options, text, size))
		return CLI_FAILED;
	path = realpath(options.path, NULL);
	arguments = json_pack("{s:o, s:s%, s:b}", "path", json_text(path ? path : options.path), "text", text, size,
			      "dry_run", options.dry_run);
	if (options.base)
		json_object_set_new(arguments, "base", json_integer(options.base_number));
	err = cli_ask_waiting(options.common.socket, "apply", arguments, &result);
	if (err)
		return err;
	if (options.common.json)
		return cli_print_json(result);
	print_result(&options, result);
	json_decref(result);
	return CLI_DONE;
}
