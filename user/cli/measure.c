/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the lists that a configuration names and compiles it, for the sizes and for what the lists say. */
#include "cli.h"
#include "measure.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../compile/compile.h"
#include "../controller/controller.h"
#include "../sets/sets.h"
#include <errno.h>
#include <string.h>

/* Lists up to so many bytes are read before anybody wonders. */
#define QUIET_BYTES (8 << 20)

static void show_reading(void *arg, const char *set, uint64_t done_bytes, uint64_t total_bytes)
{
	char text[160];

	(void)arg;
	if (total_bytes < QUIET_BYTES)
		return;
	snprintf(text, sizeof(text), "reading the list of set \"%s\": %llu %%", set,
		 (unsigned long long)(100 * done_bytes / total_bytes));
	cli_show_doing(text);
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

static bool names(const struct config_term *terms, size_t count, size_t set)
{
	for (size_t i = 0; i < count; i++)
		if (terms[i].set >= 0 && (size_t)terms[i].set == set)
			return true;
	return false;
}

/* A list that holds nothing, with the first rule that names its set. */
static void warn_of_empty(const struct config *config, size_t index, struct config_findings *findings)
{
	const struct config_set *set = &config->sets[index];
	struct config_place use = {0};

	for (size_t i = 0; i < config->filter.rules_count && !use.line; i++) {
		const struct config_rule *rule = &config->filter.rules[i];

		if (names(rule->from, rule->from_count, index) || names(rule->to, rule->to_count, index))
			use = rule->place;
	}
	config_findings_add(findings, set->place, use, "see what makes the list, or remove the set",
			    "set \"%s\" is empty: its list holds no prefix", set->name);
}

/* Each list by itself, so that one that cannot be read does not hide the others. */
static void read_one_by_one(const struct config *config, struct measure *out)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		struct sets_contents contents = {0};
		struct problem problem = {0};
		struct config one = *config;
		struct sets *sets = NULL;
		int error = 0;

		if (config->sets[i].kind == CONFIG_SET_INLINE || config->sets[i].unread)
			continue;
		one.sets = &config->sets[i];
		one.sets_count = 1;
		if (!sets_open(NULL, &sets)) {
			sets_watch(sets, show_reading, NULL);
			error = sets_read(sets, &one, &contents, add_warning, out->warnings, &problem);
		}
		if (error)
			json_array_append_new(out->errors, list_error(&problem));
		else if (one.sets->kind == CONFIG_SET_FILE && contents.count && !prefixes_count(contents.contents[0]))
			warn_of_empty(config, i, &out->findings);
		sets_contents_clear(&contents);
		sets_close(sets);
	}
}

static void collect_geoip(const struct config *config, const struct sets *sets, const struct sets_contents *contents,
			  json_t *out)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];

		if (set->kind == CONFIG_SET_GEOIP)
			json_array_append_new(out, json_pack("{s:s, s:I, s:o, s:o}", "set", set->name, "prefixes",
							     (json_int_t)prefixes_count(contents->contents[i]),
							     "source", json_text(set->path), "geoip",
							     controller_geoip_json(set, sets_find(sets, set))));
	}
}

static int read_lists(const struct config *config, struct sets_filter **filter, struct measure *out,
		      struct problem *problem)
{
	struct sets *sets = NULL;
	int err = sets_open(NULL, &sets);

	if (err)
		return problem_set(problem, err, "out of memory");
	sets_watch(sets, show_reading, NULL);
	err = sets_filter_open(sets, config, filter, add_warning, out->warnings, problem);
	if (!err)
		collect_geoip(config, sets, &(*filter)->contents, out->geoip);
	sets_close(sets);
	if (err && err != -ENOMEM && err != -E2BIG) {
		json_array_clear(out->warnings); /* all of them are told again */
		read_one_by_one(config, out);
	}
	return err;
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

static void begin(struct measure *out)
{
	*out = (struct measure){.warnings = json_array(), .geoip = json_array(), .errors = json_array()};
}

void measure_lists(const struct config *config, struct measure *out)
{
	begin(out);
	read_one_by_one(config, out);
	cli_show_doing("");
}

int measure_take(const struct config *config, struct measure *out, struct problem *problem)
{
	struct sets_filter *filter = NULL;
	int err;

	begin(out);
	err = read_lists(config, &filter, out, problem);
	if (!err) {
		cli_show_doing("compiling...");
		for (size_t i = 0; i < config->sets_count; i++)
			if (config->sets[i].kind == CONFIG_SET_FILE && !prefixes_count(filter->contents.contents[i]))
				warn_of_empty(config, i, &out->findings);
		out->sizes = compile(config, filter, problem);
		err = out->sizes ? 0 : -EINVAL;
	}
	cli_show_doing("");
	sets_filter_close(filter);
	return err;
}

void measure_clear(struct measure *measure)
{
	json_decref(measure->sizes);
	json_decref(measure->warnings);
	json_decref(measure->geoip);
	json_decref(measure->errors);
	config_findings_free(&measure->findings);
	*measure = (struct measure){0};
}
