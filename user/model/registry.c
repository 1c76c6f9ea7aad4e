/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to stable ids, in the array that is pinned beside the counters. */
#include "model.h"

#include <errno.h>
#include <string.h>

const struct model_kind_range model_kinds[MODEL_KINDS] = {
	[MODEL_SERVICE] = {"service", "WEIR_MAX_SERVICES", WEIR_NAMES_SERVICES, WEIR_MAX_SERVICES},
	[MODEL_BACKEND] = {"backend", "WEIR_MAX_BACKENDS", WEIR_NAMES_BACKENDS, WEIR_MAX_BACKENDS},
	[MODEL_LIMIT] = {"limit", "WEIR_MAX_LIMITS", WEIR_NAMES_LIMITS, WEIR_MAX_LIMITS},
	[MODEL_RULE] = {"rule", "WEIR_MAX_RULE_IDS", WEIR_NAMES_RULES, WEIR_MAX_RULE_IDS},
};

uint32_t model_registry_find(const struct model_registry *registry, enum model_kind kind, const char *name)
{
	const struct weir_name *names = registry->names + model_kinds[kind].base;

	for (uint32_t id = 1; id < model_kinds[kind].ids; id++)
		if (names[id].used && strncmp(names[id].name, name, WEIR_NAME_MAX) == 0)
			return id;
	return 0;
}

const char *model_registry_name(const struct model_registry *registry, enum model_kind kind, uint32_t id)
{
	const struct model_kind_range *range = &model_kinds[kind];

	if (id == 0 || id >= range->ids || !registry->names[range->base + id].used)
		return NULL;
	return registry->names[range->base + id].name;
}

/* An id that never had a name, else one whose object is gone, else 0. */
static uint32_t pick_id(const struct model_registry *registry, enum model_kind kind,
			bool (*in_use)(void *arg, enum model_kind kind, uint32_t id), void *arg)
{
	const struct model_kind_range *range = &model_kinds[kind];

	for (uint32_t id = 1; id < range->ids; id++)
		if (!registry->names[range->base + id].used)
			return id;
	for (uint32_t id = 1; id < range->ids; id++)
		if (!in_use || !in_use(arg, kind, id))
			return id;
	return 0;
}

int model_registry_assign(struct model_registry *registry, enum model_kind kind, const char *name,
			  bool (*in_use)(void *arg, enum model_kind kind, uint32_t id), void *arg, uint32_t *id,
			  bool *fresh, struct problem *problem)
{
	const struct model_kind_range *range = &model_kinds[kind];
	size_t length = strlen(name);
	struct weir_name *entry;
	uint32_t found;

	if (length >= WEIR_NAME_MAX) {
		problem_set(problem, -ENAMETOOLONG, "%s \"%s\": the name has %zu bytes, at most %d fit (WEIR_NAME_MAX)",
			    range->noun, name, length, WEIR_NAME_MAX - 1);
		problem_hint(problem, "shorten the name%s",
			     kind == MODEL_BACKEND ? "; a backend's name and its pool's count together" : "");
		return -ENAMETOOLONG;
	}
	found = model_registry_find(registry, kind, name);
	if (found) {
		*id = found;
		*fresh = false;
		return 0;
	}
	found = pick_id(registry, kind, in_use, arg);
	if (!found) {
		problem_set(problem, -ENOSPC, "%s \"%s\": all %u ids of %ss are in use (%s)", range->noun, name,
			    range->ids - 1, range->noun, range->capacity);
		problem_hint(problem,
			     "remove %ss from the configuration; ids of removed ones are free again after the "
			     "next apply but one",
			     range->noun);
		return -ENOSPC;
	}
	entry = &registry->names[range->base + found];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, name, length);
	entry->used = 1;
	*id = found;
	*fresh = true;
	return 0;
}
