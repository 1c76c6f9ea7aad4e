/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of sets: addresses written here, in lists, or in GeoIP databases. */
#include "form.h"

#include <errno.h>
#include <string.h>

#include "../base/scope.h"
#include "units.h"

#define REFRESH_MS     10000u
#define REFRESH_MIN_MS 1000u
#define REFRESH_MAX_MS (30 * 86400000u)

struct set_draft {
	struct config_set *set;
	const struct yaml_node *prefixes, *file, *geoip;
	const struct yaml_node *of_file; /* a key that both of the latter have */
	const struct yaml_node *of_list; /* a key that only lists have */
};

static bool read_prefix(struct form *form, const struct yaml_node *node, void *item)
{
	const char *text = form_text(form, node);
	struct prefix unused;

	if (text && (*text == '@' || *text == '!')) {
		errors_add(
			form->errors, node->place,
			"\"%s\": a set holds prefixes alone; sets are put together in the \"from\" and \"to\" of rules",
			SHOWN(text));
		return false;
	}
	if (text && node->parent->kind == YAML_MAP && prefix_parse(text, &unused) == -EINVAL) {
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": not an address or prefix; a list in a file is written {file: PATH}",
			   SHOWN(text), SHOWN(form_label(node)));
		return false;
	}
	return text && form_prefix_of(form, node, text, item);
}

static void read_prefixes(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct prefix), read_prefix, true, true};
	struct set_draft *draft = object;

	draft->prefixes = node;
	form_read_list(form, node, &list, &draft->set->prefixes, &draft->set->prefixes_count);
}

bool form_set_path(struct form *form, const struct yaml_node *node, struct config_set *set)
{
	const char *base = form->config->path, *slash = strrchr(base, '/');
	char path[sizeof(set->path)];
	size_t directory;

	if (!form_string(form, node, path, sizeof(path)))
		return false;
	directory = *path != '/' && slash ? (size_t)(slash - base) + 1 : 0;
	if (directory + strlen(path) >= sizeof(set->path)) {
		errors_add(form->errors, node->place,
			   "\"file\" is too long with the configuration's directory in front");
		return false;
	}
	memcpy(set->path, base, directory);
	strcpy(set->path + directory, path);
	return true;
}

static void read_file(struct form *form, const struct yaml_node *node, void *object)
{
	struct set_draft *draft = object;
	const char *end;

	draft->file = node;
	draft->set->kind = CONFIG_SET_FILE;
	if (!form_set_path(form, node, draft->set))
		return;
	end = strrchr(node->text, '.');
	if (end && !strcmp(end, ".mmdb"))
		errors_add(form->errors, node->place,
			   "\"%s\" is a GeoIP database: it is written geoip: {file: %s, countries: [DE]}",
			   SHOWN(node->text), SHOWN(node->text));
}

static void read_geoip(struct form *form, const struct yaml_node *node, void *object)
{
	struct set_draft *draft = object;

	draft->geoip = node;
	form_geoip(form, node, draft->set);
}

static void read_misplaced(struct form *form, const struct yaml_node *node, void *object)
{
	(void)object;
	errors_add(form->errors, node->key->place, "\"%s\" belongs to \"geoip\": geoip: {file: PATH.mmdb, %s: [...]}",
		   node->key->text, node->key->text);
}

static void read_refresh(struct form *form, const struct yaml_node *node, void *object)
{
	struct set_draft *draft = object;

	draft->of_file = node;
	form_duration(form, node, REFRESH_MIN_MS, REFRESH_MAX_MS, &draft->set->refresh_ms);
}

static void read_max_change(struct form *form, const struct yaml_node *node, void *object)
{
	struct set_draft *draft = object;
	const char *text = form_text(form, node);

	draft->of_file = node;
	if (text)
		form_units(form, node, units_change(text, &draft->set->max_change_percent));
}

static void read_strict(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {{"false", 0}, {"true", 1}};
	struct set_draft *draft = object;
	int strict;

	draft->of_list = node;
	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &strict))
		draft->set->strict = strict;
}

/* One of the three, and the keys that go with it. */
static void check_source(struct form *form, const struct yaml_node *node, const struct set_draft *draft)
{
	const struct yaml_node *read = draft->file ? draft->file : draft->geoip;
	const struct yaml_node *stray = draft->of_list && !draft->file ? draft->of_list : read ? NULL : draft->of_file;

	if (draft->file && draft->geoip)
		errors_add(form->errors, draft->geoip->key->place,
			   "a set has a \"file\" or \"geoip\": make two sets of it");
	else if (draft->prefixes && read)
		errors_add(form->errors, read->place, "a set has \"prefixes\" or %s: make two sets of it",
			   draft->file ? "a \"file\"" : "\"geoip\"");
	else if (!draft->prefixes && !read)
		errors_add(form->errors, node->place, "a set needs \"prefixes\", \"file\" or \"geoip\"");
	else if (stray)
		errors_add(form->errors, stray->key->place, "\"%s\" belongs to a set with a \"file\"%s: leave it out",
			   stray->key->text, stray == draft->of_list ? "" : " or \"geoip\"");
}

static void read_map(struct form *form, const struct yaml_node *node, struct set_draft *draft)
{
	static const struct form_key keys[] = {
		{"prefixes", read_prefixes, false},	{"file", read_file, false},
		{"geoip", read_geoip, false},		{"refresh", read_refresh, false},
		{"max_change", read_max_change, false}, {"strict", read_strict, false},
		{"countries", read_misplaced, false},	{"continents", read_misplaced, false},
		{"asns", read_misplaced, false}};
	static const char *const later[] = {"url", NULL};
	static const struct form_map map = {"a set", keys, ARRAY_SIZE(keys), later};
	size_t errors = form->errors->count;

	if (!form_read_map(form, node, &map, draft) || form->errors->count != errors)
		return;
	check_source(form, node, draft);
}

static void read_set(struct form *form, const struct yaml_node *node, struct config_set *set)
{
	struct set_draft draft = {.set = set};
	size_t errors = form->errors->count;

	set->place = node->key->place;
	set->refresh_ms = REFRESH_MS;
	if (form_name(form, node->key, set->name) && !strcmp(set->name, "vips"))
		errors_add(form->errors, node->key->place,
			   "\"vips\" stands for the addresses of all services: choose another name");
	if (node->kind == YAML_MAP)
		read_map(form, node, &draft);
	else
		read_prefixes(form, node, &draft);
	set->unread = form->errors->count != errors;
}

void form_sets(struct form *form, const struct yaml_node *node)
{
	struct config *config = form->config;
	AUTO_NAMES struct form_names names = {};

	if (node->kind != YAML_MAP || !node->count) {
		errors_add(form->errors, node->place, "\"sets\" must name at least one set: {office: [192.0.2.0/24]}");
		return;
	}
	config->sets = calloc(node->count, sizeof(*config->sets));
	if (!config->sets) {
		form->errors->no_memory = true;
		return;
	}
	for (const struct yaml_node *value = node->first; value && !form->errors->more; value = value->next) {
		struct config_set *set = &config->sets[config->sets_count];

		/* Counted at once, so that config_free finds what it holds. */
		config->sets_count++;
		read_set(form, value, set);
		if (*set->name)
			form_names_add(form, &names, "set", set->name, set->place);
	}
	if (config->sets_count > WEIR_MAX_SETS)
		errors_add(form->errors, node->place, "%zu sets, at most %d (WEIR_MAX_SETS)", config->sets_count,
			   WEIR_MAX_SETS);
}
