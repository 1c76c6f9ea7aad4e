/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir check`: validates a configuration, says how big it is and what it would change. */
#include "cli.h"
#include "../base/file.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../compile/compile.h"
#include "../config/config.h"
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

static size_t count_bytes(const struct compile_image *image)
{
	return image->protects_count * sizeof(*image->protects) +
	       image->protect_ports_count * sizeof(*image->protect_ports) + image->vips_count * sizeof(*image->vips) +
	       image->ports_count * sizeof(*image->ports) + image->services_count * sizeof(*image->services) +
	       image->services_count * sizeof(*image->rings) + image->backends_count * sizeof(*image->backends) +
	       image->slots_count * sizeof(*image->slots) + image->limits_count * sizeof(*image->limits);
}

/* What the configuration amounts to once compiled. NULL with *problem when it exceeds a capacity. */
static json_t *measure(const struct config *config, struct problem *problem)
{
	AUTO_FREE struct weir_name *names = calloc(WEIR_NAMES_TOTAL, sizeof(*names));
	struct model_registry registry = {.names = names};
	const struct model_world world = {0};
	struct compile_image *image = NULL;
	struct model *model = NULL;
	size_t backends = 0;
	json_t *sizes = NULL;
	int err = names ? model_build(config, &registry, &world, NULL, NULL, &model, problem) : -ENOMEM;

	if (!err)
		err = compile_build(model, &image, problem);
	for (size_t i = 0; i < config->pools_count; i++)
		backends += config->pools[i].backends_count;
	if (!err)
		sizes = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "interfaces",
				  (json_int_t)config->interfaces_count, "services", (json_int_t)config->services_count,
				  "pools", (json_int_t)config->pools_count, "backends", (json_int_t)backends, "limits",
				  (json_int_t)config->limits_count, "protect", (json_int_t)image->protects_count,
				  "vips", (json_int_t)image->vips_count, "ports", (json_int_t)image->ports_count,
				  "ring_slots", (json_int_t)image->slots_count, "table_bytes",
				  (json_int_t)count_bytes(image), "sets", (json_int_t)config->sets_count, "rules",
				  (json_int_t)config->filter.rules_count);
	if (image)
		compile_free(image);
	if (model)
		model_free(model);
	return sizes;
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

static json_t *list_warnings(const struct config *config)
{
	json_t *warnings = cli_config_dangers(config), *paths = controller_path_warnings(config);

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
	printf("  %lld rules, %lld sets\n", cli_number(sizes, "rules"), cli_number(sizes, "sets"));
	printf("  %lld services on %lld VIPs and %lld ports\n", cli_number(sizes, "services"),
	       cli_number(sizes, "vips"), cli_number(sizes, "ports"));
	printf("  %lld backends in %lld pools, %lld ring slots with their spare halves\n",
	       cli_number(sizes, "backends"), cli_number(sizes, "pools"), cli_number(sizes, "ring_slots"));
	printf("  %.1f KiB of kernel tables a generation\n", (double)cli_number(sizes, "table_bytes") / 1024);
	print_lines("Probably not meant:", json_object_get(report, "warnings"), "! ");
	print_lines("An apply would change:", changes, "");
	if (json_is_null(changes))
		printf("\nNo controller answers: there is nothing to compare with.\n");
	else if (!json_array_size(changes))
		printf("\nThis is what is live already.\n");
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
		.doc = "Validate a configuration: every error with its line and a caret. A valid one is measured, "
		       "looked "
		       "through for what is probably not meant, and compared with the live policy when a controller "
		       "answers. Nothing is changed."
		       "\vExample:\n  weir check /etc/weir/weir.yaml && weir apply /etc/weir/weir.yaml",
	};
	struct options options = {0};
	struct config_errors errors = {0};
	struct problem problem = {0};
	struct config *config = NULL;
	json_t *sizes, *report;
	int err;

	cli_parse(&argp, argc, argv, &options);
	err = config_load(options.path, &config, &errors);
	if (err)
		fputs(errors.text ? errors.text : strerror(-err), stderr);
	if (err && options.common.json)
		cli_print_json(json_pack("{s:b, s:s, s:I}", "valid", 0, "errors", errors.text ? errors.text : "",
					 "errors_count", (json_int_t)errors.count));
	config_errors_free(&errors);
	if (err)
		return CLI_FAILED;
	sizes = measure(config, &problem);
	if (!sizes) {
		config_free(config);
		return cli_fail(&problem);
	}
	report = json_pack("{s:b, s:o, s:o, s:o}", "valid", 1, "sizes", sizes, "warnings", list_warnings(config),
			   "changes", compare_with_live(&options));
	config_free(config);
	if (options.common.json)
		return cli_print_json(report);
	print_report(options.path, report);
	json_decref(report);
	return CLI_DONE;
}
