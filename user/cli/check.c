/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir check`: validates a configuration, says how big it is and what it would change. */
#include "cli.h"
#include "measure.h"
#include "../base/file.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../controller/controller.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

struct options {
	struct cli_common common;
	const char *path;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case ARGP_KEY_ARG:
		if (options->path)
			argp_error(state, "one FILE at a time");
		options->path = value;
		return 0;
	case ARGP_KEY_END:
		if (!options->path)
			options->path = CLI_DEFAULT_CONFIG;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The lines of change against what is live; JSON null when no controller answers. */
static json_t *compare_with_live(const struct options *options)
{
	AUTO_FREE char *text = NULL, *path = realpath(options->path, NULL);
	json_t *arguments, *result = NULL, *changes;
	struct problem problem = {0};
	size_t size;
	int err;

	if (file_read(options->path, CONFIG_MAX_BYTES, &text, &size))
		return json_null();
	arguments = json_pack("{s:o, s:s%, s:b}", "path", json_text(path ? path : options->path), "text", text, size,
			      "dry_run", 1);
	err = cli_call(options->common.socket, "apply", arguments, &result, &problem);
	json_decref(arguments);
	if (err)
		return json_null();
	changes = json_incref(json_object_get(result, "changes"));
	json_decref(result);
	return changes ? changes : json_null();
}

static json_t *list_warnings(const struct config *config, const json_t *of_lists)
{
	json_t *warnings = cli_config_dangers(config), *paths = controller_path_warnings(config);

	json_array_extend(warnings, (json_t *)of_lists);
	json_array_extend(warnings, paths);
	json_decref(paths);
	return warnings;
}

static void print_lines(const char *heading, const json_t *lines, const char *bullet)
{
	const json_t *line;
	size_t i;

	if (!json_array_size(lines))
		return;
	printf("\n%s\n", heading);
	json_array_foreach(lines, i, line)
		printf("  %s%s\n", bullet, json_string_value(line));
}

static void print_report(const char *path, const json_t *report)
{
	const json_t *sizes = json_object_get(report, "sizes"), *changes = json_object_get(report, "changes");

	printf("%s is valid\n\n", path);
	printf("  %lld interfaces, %lld protected prefixes, %lld limits\n", cli_number(sizes, "interfaces"),
	       cli_number(sizes, "protect"), cli_number(sizes, "limits"));
	printf("  %lld rules, %lld sets of %lld prefixes, %lld classes of addresses\n", cli_number(sizes, "rules"),
	       cli_number(sizes, "sets"), cli_number(sizes, "prefixes"), cli_number(sizes, "classes"));
	printf("  %lld services on %lld VIPs and %lld ports\n", cli_number(sizes, "services"),
	       cli_number(sizes, "vips"), cli_number(sizes, "ports"));
	printf("  %lld backends in %lld pools, %lld ring slots with their spare halves\n",
	       cli_number(sizes, "backends"), cli_number(sizes, "pools"), cli_number(sizes, "ring_slots"));
	printf("  %.1f KiB of kernel tables a generation, %.1f KiB of them for sets and rules\n",
	       (double)cli_number(sizes, "table_bytes") / 1024, (double)cli_number(sizes, "filter_bytes") / 1024);
	print_lines("Probably not meant:", json_object_get(report, "warnings"), "! ");
	print_lines("An apply would change:", changes, "");
	if (json_is_null(changes))
		printf("\nNo controller answers: there is nothing to compare with.\n");
	else if (!json_array_size(changes))
		printf("\nThis is what is live already.\n");
}

/* Tells errors, one to a line; with --json as a document too. */
static int refuse(const struct options *options, const char *text, size_t count)
{
	fputs(text, stderr);
	if (options->common.json)
		cli_print_json(json_pack("{s:b, s:o, s:I}", "valid", 0, "errors", json_text(text), "errors_count",
					 (json_int_t)count));
	return CLI_FAILED;
}

static int refuse_measure(const struct options *options, const struct measure *measure, const struct problem *problem)
{
	size_t count = json_array_size(measure->errors), size = 0;
	AUTO_FREE char *text = NULL;
	AUTO_FCLOSE FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return cli_fail(problem);
	for (size_t i = 0; i < count; i++)
		fprintf(stream, "%s\n", cli_item(measure->errors, i, ""));
	if (!count)
		fprintf(stream, "%s%s%s\n", problem->text, *problem->hint ? "\n  " : "", problem->hint);
	fflush(stream);
	return refuse(options, text, count ?: 1);
}

static int report_measure(const struct options *options, const struct config *config)
{
	struct problem problem = {0};
	struct measure measure;
	json_t *report;
	int err = measure_take(config, &measure, &problem);

	if (err) {
		err = refuse_measure(options, &measure, &problem);
		measure_clear(&measure);
		return err;
	}
	report = json_pack("{s:b, s:O, s:o, s:o}", "valid", 1, "sizes", measure.sizes, "warnings",
			   list_warnings(config, measure.warnings), "changes", compare_with_live(options));
	measure_clear(&measure);
	if (options->common.json)
		return cli_print_json(report);
	print_report(options->path, report);
	json_decref(report);
	return CLI_DONE;
}

int cli_check(int argc, char **argv)
{
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("report"),
		{"socket", 's', "PATH", 0, "The control socket to compare with (default " CLI_DEFAULT_SOCKET ")", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "[FILE]",
		.doc = "Validate a configuration: every error with its line and a caret. The lists of a valid one are "
		       "read, it is measured, looked through for what is probably not meant, and compared with the "
		       "live policy when a controller answers. Nothing is changed."
		       "\vExample:\n  weir check /etc/weir/weir.yaml && weir apply /etc/weir/weir.yaml",
	};
	struct options options = {0};
	struct config_errors errors = {0};
	struct config *config = NULL;
	int err;

	cli_parse(&argp, argc, argv, &options);
	err = config_load(options.path, &config, &errors);
	if (err)
		err = refuse(&options, errors.text ? errors.text : strerror(-err), errors.count);
	else
		err = report_measure(&options, config);
	config_errors_free(&errors);
	config_free(config);
	return err;
}
