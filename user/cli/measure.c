/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the lists that a configuration names and compiles it, for the sizes and for what the lists say. */
#include "measure.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../compile/compile.h"
#include "../sets/sets.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Lists up to so many bytes are read before anybody wonders. */
#define QUIET_BYTES (8 << 20)

/* A line on a terminal that goes away again. */
static void show_progress(bool wanted, const char *text)
{
	if (wanted && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", text);
}

static double list_bytes(const struct config *config)
{
	double bytes = 0;

	for (size_t i = 0; i < config->sets_count; i++) {
		struct stat status;

		if (config->sets[i].kind == CONFIG_SET_FILE && !stat(config->sets[i].path, &status))
			bytes += (double)status.st_size;
	}
	return bytes;
}

static void add_warning(void *arg, const char *sentence)
{
	json_array_append_new(arg, json_text(sentence));
}

static json_t *list_error(const struct problem *problem)
{
	char text[sizeof(problem->text) + sizeof(problem->hint) + 8];

	snprintf(text, sizeof(text), "%s%s%s", problem->text, *problem->hint ? "\n  " : "", problem->hint);
	return json_text(text);
}

/* Each list that cannot be read: the first of them has ended sets_read. */
static void collect_errors(const struct config *config, json_t *errors)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		struct sets_contents contents = {0};
		struct problem problem = {0};
		struct config one = *config;
		struct sets *sets = NULL;

		one.sets = &config->sets[i];
		one.sets_count = 1;
		if (!sets_open(NULL, &sets) && sets_read(sets, &one, &contents, NULL, NULL, &problem))
			json_array_append_new(errors, list_error(&problem));
		sets_contents_clear(&contents);
		sets_close(sets);
	}
}

static int read_lists(const struct config *config, struct sets_filter **filter, struct measure *out,
		      struct problem *problem)
{
	struct sets *sets = NULL;
	int err = sets_open(NULL, &sets);

	if (err)
		return problem_set(problem, err, "out of memory");
	err = sets_filter_open(sets, config, filter, add_warning, out->warnings, problem);
	sets_close(sets);
	if (err && err != -ENOMEM && err != -E2BIG)
		collect_errors(config, out->errors);
	return err;
}

static void warn_of_empty(const struct config *config, const struct sets_contents *contents, json_t *warnings)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];

		if (set->kind == CONFIG_SET_FILE && !prefixes_count(contents->contents[i]))
			json_array_append_new(warnings,
					      json_sprintf("%d:%d: set \"%s\" is empty: its list holds no prefix, and "
							   "no rule matches by it",
							   set->place.line, set->place.column, set->name));
	}
}

static size_t count_filter_bytes(const struct compile_filter *filter)
{
	const struct compile_addresses *addresses = &filter->addresses;
	struct compile_lines tables[COMPILE_LINES];

	return sizeof(filter->head) + compile_filter_lines(filter, tables) * sizeof(struct weir_line) +
	       addresses->bits4_count * sizeof(*addresses->bits4) + addresses->tops4_count * sizeof(*addresses->tops4) +
	       addresses->tops6_count * sizeof(*addresses->tops6) + addresses->bits6_count * sizeof(*addresses->bits6) +
	       filter->indexes_count * sizeof(*filter->indexes) + filter->rules_count * sizeof(*filter->rules);
}

static size_t count_bytes(const struct compile_image *image)
{
	return image->protects_count * sizeof(*image->protects) +
	       image->protect_ports_count * sizeof(*image->protect_ports) + image->vips_count * sizeof(*image->vips) +
	       image->ports_count * sizeof(*image->ports) + image->services_count * sizeof(*image->services) +
	       image->services_count * sizeof(*image->rings) + image->backends_count * sizeof(*image->backends) +
	       image->slots_count * sizeof(*image->slots) + image->limits_count * sizeof(*image->limits) +
	       count_filter_bytes(image->filter);
}

static json_t *sizes_json(const struct config *config, const struct sets_contents *contents,
			  const struct compile_image *image)
{
	size_t backends = 0, prefixes = 0;

	for (size_t i = 0; i < config->pools_count; i++)
		backends += config->pools[i].backends_count;
	for (size_t i = 0; i < contents->count; i++)
		prefixes += prefixes_count(contents->contents[i]);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "interfaces",
			 (json_int_t)config->interfaces_count, "services", (json_int_t)config->services_count, "pools",
			 (json_int_t)config->pools_count, "backends", (json_int_t)backends, "limits",
			 (json_int_t)config->limits_count, "protect", (json_int_t)image->protects_count, "vips",
			 (json_int_t)image->vips_count, "ports", (json_int_t)image->ports_count, "ring_slots",
			 (json_int_t)image->slots_count, "table_bytes", (json_int_t)count_bytes(image), "sets",
			 (json_int_t)config->sets_count, "rules", (json_int_t)config->filter.rules_count, "prefixes",
			 (json_int_t)prefixes, "classes", (json_int_t)image->filter->addresses.classes_count,
			 "filter_bytes", (json_int_t)count_filter_bytes(image->filter));
}

/* NULL with *problem when it exceeds a capacity. */
static json_t *compile(const struct config *config, const struct sets_filter *filter, struct problem *problem)
{
	AUTO_FREE struct weir_name *names = calloc(WEIR_NAMES_TOTAL, sizeof(*names));
	const struct model_world world = {.filter = &filter->model};
	struct model_registry registry = {.names = names};
	struct compile_image *image = NULL;
	struct model *model = NULL;
	json_t *sizes = NULL;
	int err;

	if (!names) {
		problem_set(problem, -ENOMEM, "out of memory");
		return NULL;
	}
	err = model_build(config, &registry, &world, NULL, NULL, &model, problem);
	if (!err)
		err = compile_build(model, &image, problem);
	if (!err)
		sizes = sizes_json(config, &filter->contents, image);
	if (image)
		compile_free(image);
	if (model)
		model_free(model);
	return sizes;
}

int measure_take(const struct config *config, struct measure *out, struct problem *problem)
{
	struct sets_filter *filter = NULL;
	double bytes = list_bytes(config);
	bool is_long = bytes > QUIET_BYTES;
	char text[80];
	int err;

	*out = (struct measure){.warnings = json_array(), .errors = json_array()};
	snprintf(text, sizeof(text), "reading %.0f MiB of lists...", bytes / (1 << 20));
	show_progress(is_long, text);
	err = read_lists(config, &filter, out, problem);
	if (!err) {
		show_progress(is_long, "compiling...");
		warn_of_empty(config, &filter->contents, out->warnings);
		out->sizes = compile(config, filter, problem);
		err = out->sizes ? 0 : -EINVAL;
	}
	show_progress(is_long, "");
	sets_filter_close(filter);
	return err;
}

void measure_clear(struct measure *measure)
{
	json_decref(measure->sizes);
	json_decref(measure->warnings);
	json_decref(measure->errors);
	*measure = (struct measure){0};
}
