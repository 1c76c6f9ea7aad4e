/* SPDX-License-Identifier: BSD-2-Clause */
/* What changes from one configuration to another: two sorted lists of each kind of part, merged. */
#include "../base/scope.h"
#include "facts.h"
#include "model.h"

#include <errno.h>
#include <string.h>

static int write_changes(FILE *file, const struct fact_kind *kind, const struct fact_object *old,
			 const struct fact_object *new)
{
	int lines = 0;

	for (size_t i = 0; kind->labels[i]; i++) {
		if (strcmp(old->fields[i], new->fields[i]) == 0)
			continue;
		fprintf(file, "%s %s: %s %s -> %s\n", kind->noun, new->name, kind->labels[i], old->fields[i],
			new->fields[i]);
		lines++;
	}
	return lines;
}

static int write_merge(FILE *file, const struct fact_kind *kind, const struct fact_list *old,
		       const struct fact_list *new)
{
	size_t i = 0, j = 0;
	int lines = 0;

	while (i < old->count || j < new->count) {
		int order = i == old->count ? 1 : -1;

		if (i < old->count && j < new->count)
			order = strcmp(old->objects[i].name, new->objects[j].name);
		if (order == 0) {
			lines += write_changes(file, kind, &old->objects[i++], &new->objects[j++]);
			continue;
		}
		if (order < 0)
			fprintf(file, "%s %s removed\n", kind->noun, old->objects[i++].name);
		else
			fprintf(file, "%s %s added\n", kind->noun, new->objects[j++].name);
		lines++;
	}
	return lines;
}

/* A rule that both configurations have. */
struct kept_rule {
	const char *name;
	size_t was, is; /* positions in the old and the new order */
	bool moved;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct kept_rule *)a)->name, ((const struct kept_rule *)b)->name);
}

/* The rules of both in the new order; their number. */
static size_t match_rules(const struct config_filter *old, const struct config_filter *new, struct kept_rule *before,
			  struct kept_rule *kept)
{
	size_t used = 0;

	for (size_t i = 0; i < old->rules_count; i++)
		before[i] = (struct kept_rule){.name = old->rules[i].name, .was = i};
	qsort(before, old->rules_count, sizeof(*before), compare_names);
	for (size_t i = 0; i < new->rules_count; i++) {
		const struct kept_rule key = {.name = new->rules[i].name};
		const struct kept_rule *found = bsearch(&key, before, old->rules_count, sizeof(*before), compare_names);

		if (found)
			kept[used++] = (struct kept_rule){.name = key.name, .was = found->was, .is = i, .moved = true};
	}
	return used;
}

/* Marks the fewest rules that must have moved: all but a longest run whose old positions ascend. ends[n]: of the runs
 * of n + 1 rules, the last rule of the one that ends lowest; previous[i]: the rule before i in its run. */
static void mark_moved(struct kept_rule *kept, size_t count, size_t *ends, size_t *previous)
{
	size_t longest = 0, at;

	for (size_t i = 0; i < count; i++) {
		size_t low = 0, high = longest;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (kept[ends[middle]].was < kept[i].was)
				low = middle + 1;
			else
				high = middle;
		}
		previous[i] = low ? ends[low - 1] : count;
		ends[low] = i;
		if (low == longest)
			longest++;
	}
	at = longest ? ends[longest - 1] : count;
	for (; at < count; at = previous[at])
		kept[at].moved = false;
}

/* Where rules are that kept their name and changed their place among the others. The number of lines or -ENOMEM. */
static int write_moves(FILE *file, const struct config *old, const struct config *new)
{
	size_t room = old ? old->filter.rules_count + new->filter.rules_count : 0, count;
	struct kept_rule *before AUTO_FREE = calloc(room + 1, sizeof(*before));
	struct kept_rule *kept AUTO_FREE = calloc(room + 1, sizeof(*kept));
	size_t *ends AUTO_FREE = calloc(room + 1, sizeof(*ends));
	size_t *previous AUTO_FREE = calloc(room + 1, sizeof(*previous));
	int lines = 0;

	if (!before || !kept || !ends || !previous)
		return -ENOMEM;
	if (!room)
		return 0;
	count = match_rules(&old->filter, &new->filter, before, kept);
	mark_moved(kept, count, ends, previous);
	for (size_t i = 0; i < count; i++) {
		if (!kept[i].moved)
			continue;
		if (kept[i].is)
			fprintf(file, "rule %s moved: now behind %s\n", kept[i].name,
				new->filter.rules[kept[i].is - 1].name);
		else
			fprintf(file, "rule %s moved: now the first\n", kept[i].name);
		lines++;
	}
	return lines;
}

static int write_kind(FILE *file, const struct fact_kind *kind, const struct config *old, const struct config *new)
{
	struct fact_list before __attribute__((cleanup(fact_list_free))) = {0};
	struct fact_list after __attribute__((cleanup(fact_list_free))) = {0};
	int lines, moves = 0;

	if (kind->single && !old)
		return 0;
	if (fact_list_collect(kind, old, &before) || fact_list_collect(kind, new, &after))
		return -ENOMEM;
	lines = write_merge(file, kind, &before, &after);
	if (kind->is_ordered)
		moves = write_moves(file, old, new);
	return moves < 0 ? moves : lines + moves;
}

int model_diff(const struct config *old, const struct config *new, char **text)
{
	char *buffer AUTO_FREE = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&buffer, &size);
	int total = 0;
	bool failed = !file;

	for (size_t i = 0; i < fact_kinds_count && !failed; i++) {
		int lines = write_kind(file, &fact_kinds[i], old, new);

		failed = lines < 0;
		total += failed ? 0 : lines;
	}
	failed = failed || ferror(file);
	if (file && fclose(file) != 0)
		failed = true;
	if (failed)
		return -ENOMEM;
	*text = TAKE_PTR(buffer);
	return total;
}
