/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of sets: addresses written here, or in files. */
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
	const struct yaml_node *prefixes, *file, *of_file; /* of_file: a key that only files have */
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

/* What is relative belongs to the directory of the configuration, not to the one that somebody happens to be in. */
static void read_file(struct form *form, const struct yaml_node *node, void *object)
{
	struct set_draft *draft = object;
	struct config_set *set = draft->set;
	const char *base = form->config->path, *slash = strrchr(base, '/');
	char path[sizeof(set->path)];
	size_t directory;

	draft->file = node;
	if (!form_string(form, node, path, sizeof(path)))
		return;
	directory = *path != '/' && slash ? (size_t)(slash - base) + 1 : 0;
	if (directory + strlen(path) >= sizeof(set->path)) {
		errors_add(form->errors, node->place,
			   "\"file\" is too long with the configuration's directory in front");
		return;
	}
	set->kind = CONFIG_SET_FILE;
	memcpy(set->path, base, directory);
	strcpy(set->path + directory, path);
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

	draft->of_file = node;
	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &strict))
		draft->set->strict = strict;
}

static void read_map(struct form *form, const struct yaml_node *node, struct set_draft *draft)
{
	static const struct form_key keys[] = {{"prefixes", read_prefixes, false},
					       {"file", read_file, false},
					       {"refresh", read_refresh, false},
					       {"max_change", read_max_change, false},
					       {"strict", read_strict, false}};
	static const char *const later[] = {"geoip", "url", NULL};
	static const struct form_map map = {"a set", keys, ARRAY_SIZE(keys), later};
	size_t errors = form->errors->count;

	if (!form_read_map(form, node, &map, draft) || form->errors->count != errors)
		return;
	if (draft->prefixes && draft->file)
		errors_add(form->errors, draft->file->place,
			   "a set has \"prefixes\" or a \"file\": make two sets of it");
	else if (!draft->prefixes && !draft->file)
		errors_add(form->errors, node->place, "a set needs \"prefixes\" or \"file\"");
	else if (draft->of_file && !draft->file)
		errors_add(form->errors, draft->of_file->key->place,
			   "\"%s\" belongs to a set with a \"file\": leave it out", draft->of_file->key->text);
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
