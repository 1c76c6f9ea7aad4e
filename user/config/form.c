/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps, lists and names: the structure of a configuration, whatever its values are. */
#include "form.h"

#include <search.h>
#include <string.h>

#include "../base/scope.h"

const char *form_label(const struct yaml_node *node)
{
	while (node && !node->key)
		node = node->parent;
	return node ? node->key->text : "the file";
}

static bool is_later(const struct form_map *map, const char *word)
{
	for (const char *const *later = map->later; later && *later; later++) {
		if (!strcmp(*later, word))
			return true;
	}
	return false;
}

static void report_unknown(struct form *form, const struct form_map *map, const struct yaml_node *value)
{
	const struct yaml_node *key = value->key;
	struct nearest nearest = {.word = key->text};
	bool is_part; /* of a value before it, which a comma ended: {dport: 80,443} */

	if (is_later(map, key->text)) {
		errors_add(form->errors, key->place, "this version does not have \"%s\" in %s yet", key->text,
			   map->what);
		return;
	}
	for (size_t i = 0; i < map->keys_count; i++)
		nearest_try(&nearest, map->keys[i].name);
	is_part = value->null && value != value->parent->first && !nearest.best;
	errors_add(form->errors, key->place, "unknown key \"%s\" in %s%s", SHOWN(key->text), map->what,
		   is_part ? "; if it belongs to the value before it, put that in quotes, commas and all"
			   : MEANT(&nearest));
}

static const struct form_key *find_key(const struct form_map *map, const char *name)
{
	for (size_t i = 0; i < map->keys_count; i++) {
		if (!strcmp(map->keys[i].name, name))
			return &map->keys[i];
	}
	return NULL;
}

bool form_read_map(struct form *form, const struct yaml_node *node, const struct form_map *map, void *object)
{
	const struct yaml_node *seen[64] = {};

	if (node->kind != YAML_MAP) {
		errors_add(form->errors, node->place, "%s is written as keys with values, {key: value, ...}%s",
			   map->what, node->kind == YAML_LIST ? ", not as a list" : "");
		return false;
	}
	for (const struct yaml_node *value = node->first; value; value = value->next) {
		const struct form_key *key = find_key(map, value->key->text);
		size_t index;

		if (form->errors->more)
			break;
		if (!key) {
			report_unknown(form, map, value);
			continue;
		}
		index = (size_t)(key - map->keys);
		if (seen[index]) {
			errors_add(form->errors, value->key->place, "\"%s\" is here twice, first in line %d", key->name,
				   seen[index]->place.line);
			continue;
		}
		seen[index] = value->key;
		key->read(form, value, object);
	}
	for (size_t i = 0; i < map->keys_count; i++) {
		if (map->keys[i].required && !seen[i])
			errors_add(form->errors, node->place, "%s needs \"%s\"", map->what, map->keys[i].name);
	}
	return true;
}

bool form_read_list(struct form *form, const struct yaml_node *node, const struct form_list *list, void *items,
		    size_t *count)
{
	bool is_one = list->allow_one && node->kind != YAML_LIST && !node->null;
	size_t capacity = is_one ? 1 : node->count, used = 0;
	char *array;

	if (!is_one && node->kind != YAML_LIST) {
		errors_add(form->errors, node->place, "\"%s\" must be a list: [...] or lines that begin with \"- \"",
			   SHOWN(form_label(node)));
		return false;
	}
	if (!capacity) {
		if (!list->allow_empty)
			errors_add(form->errors, node->place,
				   "\"%s\" is an empty list: that never means \"any\"; name something or leave the key "
				   "out",
				   SHOWN(form_label(node)));
		return list->allow_empty;
	}
	array = calloc(capacity, list->item_size);
	if (!array) {
		form->errors->no_memory = true;
		return false;
	}
	for (const struct yaml_node *item = is_one ? node : node->first; item; item = is_one ? NULL : item->next) {
		if (form->errors->more)
			break;
		memset(array + used * list->item_size, 0, list->item_size);
		used += list->read(form, item, array + used * list->item_size);
	}
	memcpy(items, &array, sizeof(array));
	*count = used;
	return true;
}

struct seen_name {
	int line;
	char text[];
};

static int compare_names(const void *left, const void *right)
{
	const struct seen_name *a = left, *b = right;

	return strcmp(a->text, b->text);
}

bool form_names_add(struct form *form, struct form_names *names, const char *kind, const char *name,
		    struct config_place place)
{
	struct seen_name *fresh = malloc(sizeof(*fresh) + strlen(name) + 1);
	struct seen_name **found = NULL;

	if (fresh) {
		fresh->line = place.line;
		strcpy(fresh->text, name);
		found = tsearch(fresh, &names->tree, compare_names);
	}
	if (!found) {
		free(fresh);
		form->errors->no_memory = true;
		return false;
	}
	if (*found == fresh)
		return true;
	errors_add(form->errors, place, "%s \"%s\" is here twice, first in line %d", kind, SHOWN(name), (*found)->line);
	free(fresh);
	return false;
}

void form_names_clear(struct form_names *names)
{
	while (names->tree) {
		struct seen_name *name = *(struct seen_name **)names->tree;

		tdelete(name, &names->tree, compare_names);
		free(name);
	}
}
