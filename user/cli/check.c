/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir check`: validates a configuration, says how big it is and what it would change. */
#include "cli.h"
#include "measure.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../controller/controller.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

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
static json_t *compare_with_live(const struct options *options, const struct config_report *found)
{
	AUTO_FREE char *path = realpath(options->path, NULL);
	json_t *arguments, *result = NULL, *changes;
	struct problem problem = {0};
	int err;

	arguments = json_pack("{s:o, s:s%, s:b}", "path", json_text(path ? path : options->path), "text", found->text,
			      found->size, "dry_run", 1);
	err = cli_call(options->common.socket, "apply", arguments, &result, &problem);
	json_decref(arguments);
	if (err)
		return json_null();
	changes = json_incref(json_object_get(result, "changes"));
	json_decref(result);
	return changes ? changes : json_null();
}

/* What has no place in the file. */
static json_t *list_warnings(const struct config *config, const json_t *of_lists)
{
	json_t *warnings = cli_config_dangers(config), *paths = controller_path_warnings(config);

	json_array_extend(warnings, (json_t *)of_lists);
	json_array_extend(warnings, paths);
	json_decref(paths);
	return warnings;
}

/* What has one: an object each. */
static json_t *list_places(const char *path, const struct config_findings *findings)
{
	json_t *places = json_array();

	for (size_t i = 0; i < findings->count; i++) {
		const struct config_finding *finding = &findings->findings[i];
		json_t *row = json_pack("{s:o, s:i, s:i, s:o}", "file", json_text(path), "line", finding->place.line,
					"column", finding->place.column, "message", json_text(finding->sentence));

		if (finding->other.line)
			json_object_set_new(
				row, "other",
				json_pack("{s:i, s:i}", "line", finding->other.line, "column", finding->other.column));
		if (*finding->hint)
			json_object_set_new(row, "hint", json_text(finding->hint));
		json_array_append_new(places, row);
	}
	return places;
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

static void print_geoip(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		AUTO_FREE char *source = cli_set_source(row);

		printf("    set %s: %lld prefixes from %s\n", cli_text(row, "set"), cli_number(row, "prefixes"),
		       source ? source : "");
	}
}

static void print_report(const char *path, const char *findings, const json_t *report)
{
	const json_t *sizes = json_object_get(report, "sizes"), *changes = json_object_get(report, "changes");

	printf("%s is valid\n\n", path);
	printf("  %lld interfaces, %lld protected prefixes, %lld limits\n", cli_number(sizes, "interfaces"),
	       cli_number(sizes, "protect"), cli_number(sizes, "limits"));
	printf("  %lld rules, %lld sets of %lld prefixes, %lld classes of addresses\n", cli_number(sizes, "rules"),
	       cli_number(sizes, "sets"), cli_number(sizes, "prefixes"), cli_number(sizes, "classes"));
	print_geoip(json_object_get(report, "geoip"));
	printf("  %lld services on %lld VIPs and %lld ports\n", cli_number(sizes, "services"),
	       cli_number(sizes, "vips"), cli_number(sizes, "ports"));
	printf("  %lld backends in %lld pools, %lld ring slots with their spare halves\n",
	       cli_number(sizes, "backends"), cli_number(sizes, "pools"), cli_number(sizes, "ring_slots"));
	printf("  %.1f KiB of kernel tables a generation, %.1f KiB of them for sets and rules\n",
	       (double)cli_number(sizes, "table_bytes") / 1024, (double)cli_number(sizes, "filter_bytes") / 1024);
	print_lines("Probably not meant:", json_object_get(report, "warnings"), "! ");
	if (*findings)
		printf("\n%s", findings);
	print_lines("An apply would change:", changes, "");
	if (json_is_null(changes))
		printf("\nNo controller answers: there is nothing to compare with.\n");
	else if (!json_array_size(changes))
		printf("\nThis is what is live already.\n");
}

/* What the lists say of sets joins what the configuration says of them. */
static void join_findings(struct config_findings *into, const struct config_findings *from)
{
	for (size_t i = 0; i < from->count; i++)
		config_findings_add(into, from->findings[i].place, from->findings[i].other, from->findings[i].hint,
				    "%s", from->findings[i].sentence);
}

static char *format_findings(const struct options *options, const struct config_report *found)
{
	char *text = config_findings_format(&found->findings, options->path, found->text, found->size);

	return text ? text : strdup("");
}

/* Tells all that is wrong, errors first; with --json as a document too. of_lists are errors of list files. */
static int refuse(const struct options *options, const struct config_report *found, const json_t *of_lists)
{
	AUTO_FREE char *findings = format_findings(options, found);
	json_t *errors = list_places(options->path, &found->errors.entries);
	const json_t *error;
	size_t i;

	fputs(found->errors.text ? found->errors.text : "", stderr);
	json_array_foreach(of_lists, i, error) {
		fprintf(stderr, "%s\n", json_string_value(error));
		json_array_append_new(errors, json_pack("{s:O}", "message", error));
	}
	fputs(findings ? findings : "", stderr);
	if (options->common.json)
		cli_print_json(json_pack("{s:b, s:o, s:o}", "valid", 0, "errors", errors, "findings",
					 list_places(options->path, &found->findings)));
	else
		json_decref(errors);
	return CLI_FAILED;
}

static int refuse_measure(const struct options *options, const struct config_report *found,
			  const struct measure *measure, const struct problem *problem)
{
	if (!json_array_size(measure->errors))
		json_array_append_new(measure->errors, json_sprintf("%s%s%s", problem->text,
								    *problem->hint ? "\n  " : "", problem->hint));
	return refuse(options, found, measure->errors);
}

/* Of a configuration that is refused the lists are read all the same: one run tells all. */
static int refuse_config(const struct options *options, struct config_report *found, int err)
{
	struct measure measure = {0};

	if (!found->errors.text)
		fprintf(stderr, "%s: %s\n", options->path, strerror(-err));
	if (found->config) {
		measure_lists(found->config, &measure);
		join_findings(&found->findings, &measure.findings);
	}
	err = refuse(options, found, measure.errors);
	measure_clear(&measure);
	return err;
}

static int report_measure(const struct options *options, struct config_report *found)
{
	AUTO_FREE char *findings = NULL;
	struct problem problem = {0};
	struct measure measure;
	json_t *report;
	int err = measure_take(found->config, &measure, &problem);

	join_findings(&found->findings, &measure.findings);
	if (err) {
		err = refuse_measure(options, found, &measure, &problem);
		measure_clear(&measure);
		return err;
	}
	report = json_pack("{s:b, s:O, s:O, s:o, s:o, s:o}", "valid", 1, "sizes", measure.sizes, "geoip", measure.geoip,
			   "warnings", list_warnings(found->config, measure.warnings), "findings",
			   list_places(options->path, &found->findings), "changes", compare_with_live(options, found));
	measure_clear(&measure);
	if (options->common.json)
		return cli_print_json(report);
	findings = format_findings(options, found);
	print_report(options->path, findings ? findings : "", report);
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
		.doc = "Validate a configuration: every error, and what is probably not meant, with its line and a "
		       "caret, in one run. Its lists are read. A valid one is measured and compared with the live "
		       "policy when a controller answers. Nothing is changed."
		       "\vExample:\n  weir check /etc/weir/weir.yaml && weir apply /etc/weir/weir.yaml",
	};
	struct options options = {0};
	struct config_report found;
	int err;

	cli_parse(&argp, argc, argv, &options);
	err = config_examine_file(options.path, time(NULL), &found);
	err = err ? refuse_config(&options, &found, err) : report_measure(&options, &found);
	config_report_free(&found);
	return err;
}
