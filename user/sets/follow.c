/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that are followed: when one is due, what it says now, and which nobody wants any more. */
#include "parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lists that the live configuration does not name. Not when they are read: that one may yet be refused. */
static void forget_unwanted(struct sets *sets, const struct config *config)
{
	size_t kept = 0;

	for (size_t i = 0; i < sets->count; i++)
		sets->lists[i].wanted = false;
	for (size_t i = 0; i < config->sets_count; i++) {
		struct list *list = sets_list_find(sets, &config->sets[i]);

		if (list)
			list->wanted = true;
	}
	for (size_t i = 0; i < sets->count; i++) {
		char path[PATH_MAX];

		if (sets->lists[i].wanted) {
			sets->lists[kept++] = sets->lists[i];
			continue;
		}
		if (sets_list_kept_path(sets, &sets->lists[i], path))
			unlink(path);
		prefixes_release(sets->lists[i].state.good);
	}
	sets->count = kept;
}

/* The list of a set that is followed, or NULL. */
static struct list *followed(const struct sets *sets, const struct config_set *set)
{
	struct list *list = sets_list_find(sets, set);

	return list && list->state.good ? list : NULL;
}

static bool is_due(const struct list *list, const struct config_set *set, uint64_t now_ms)
{
	return !list->looked_ms || now_ms - list->looked_ms >= set->refresh_ms;
}

bool sets_due(const struct sets *sets, const struct config *config, uint64_t now_ms)
{
	size_t wanted = 0;

	for (size_t i = 0; i < config->sets_count; i++) {
		const struct list *list = followed(sets, &config->sets[i]);

		if (list && is_due(list, &config->sets[i], now_ms))
			return true;
		wanted += sets_list_find(sets, &config->sets[i]) != NULL;
	}
	return wanted != sets->count;
}

int sets_refresh(struct sets *sets, const struct config *config, uint64_t now_ms, sets_warn *warn, void *arg)
{
	const struct teller to = {warn, arg};
	int changed = 0;

	forget_unwanted(sets, config);
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];
		struct list *list = followed(sets, set);
		struct problem problem = {};
		bool is_first;

		if (!list || !is_due(list, set, now_ms))
			continue;
		is_first = !list->looked_ms; /* it was read a moment ago */
		list->looked_ms = now_ms;
		if (is_first)
			continue;
		changed |= sets_list_look(sets, set, list, false, &to, &problem) > 0;
	}
	return changed;
}

int sets_renew(struct sets *sets, const struct config *config, const char *name, bool accept, struct problem *problem)
{
	const struct teller nobody = {};

	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];
		struct list *list = sets_list_find(sets, set);
		int changed;

		if (strcmp(set->name, name) != 0 || !list)
			continue;
		*list->state.why = '\0'; /* a version that was refused is looked at again */
		changed = sets_list_look(sets, set, list, accept, &nobody, problem);
		if (changed < 0 || !*list->state.why)
			return changed;
		problem_hint(problem,
			     list->state.held ? "weir set refresh %s --accept takes it all the same"
					      : "correct the file; weir set refresh %s reads it at once",
			     name);
		return -EINVAL;
	}
	problem_set(problem, -ENOENT, "no set \"%s\" is read from a file", name);
	problem_hint(problem, "`weir set list` shows the sets");
	return -ENOENT;
}
