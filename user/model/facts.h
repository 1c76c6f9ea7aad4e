/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: the parts of a configuration as names and lines of text, which is what a diff compares. */
#ifndef WEIR_MODEL_FACTS_H
#define WEIR_MODEL_FACTS_H

#include "../config/config.h"

#define FACTS_MAX 9

/* One object: its name and its fields as text, in the order of its kind's labels. */
struct fact_object {
	char *name;
	char *fields[FACTS_MAX];
};

struct fact_list {
	struct fact_object *objects;
	size_t count;
};

struct fact_kind {
	const char *noun;
	const char *labels[FACTS_MAX + 1]; /* ends with NULL; none: the name says it all */
	int (*collect)(const struct config *config, struct fact_list *list);
	bool single;	 /* there is always exactly one: it changes, but is never added or removed */
	bool is_ordered; /* rules: which comes first matters too */
};

extern const struct fact_kind fact_kinds[];
extern const size_t fact_kinds_count;

/* The objects of a kind, sorted by name; none for config NULL. 0 or -ENOMEM. Free with fact_list_free. */
int fact_list_collect(const struct fact_kind *kind, const struct config *config, struct fact_list *list);
void fact_list_free(struct fact_list *list);

#endif
