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

static int write_kind(FILE *file, const struct fact_kind *kind, const struct config *old, const struct config *new)
{
	struct fact_list before __attribute__((cleanup(fact_list_free))) = {0};
	struct fact_list after __attribute__((cleanup(fact_list_free))) = {0};

	if (kind->single && !old)
		return 0;
	if (fact_list_collect(kind, old, &before) || fact_list_collect(kind, new, &after))
		return -ENOMEM;
	return write_merge(file, kind, &before, &after);
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
