/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of rules: unique, and made of the content for those that have none, so that counters survive a reordering. */
#include "rule.h"

#include <search.h>
#include <string.h>

#include "../base/scope.h"

/* Room for a "-" and the number of a rule behind what the content gives. */
#define CONTENT_MAX (WEIR_NAME_MAX - 6)
#define DIGITS	    8

struct taken {
	char name[WEIR_NAME_MAX];
	unsigned int next; /* the number that the next rule of the same content gets */
};

struct taken_names {
	void *tree;
};

static int compare_taken(const void *left, const void *right)
{
	return strcmp(((const struct taken *)left)->name, ((const struct taken *)right)->name);
}

static void clear_taken(struct taken_names *names)
{
	while (names->tree) {
		struct taken *taken = *(struct taken **)names->tree;

		tdelete(taken, &names->tree, compare_taken);
		free(taken);
	}
}

/* The entry of a name; *fresh says whether it was made now. NULL: no memory. */
static struct taken *take(struct taken_names *names, const char *name, bool *fresh)
{
	struct taken *made = calloc(1, sizeof(*made)), **found = NULL;

	if (made) {
		strcpy(made->name, name);
		made->next = 2;
		found = tsearch(made, &names->tree, compare_taken);
	}
	if (!found) {
		free(made);
		return NULL;
	}
	*fresh = *found == made;
	if (!*fresh)
		free(made);
	return *found;
}

/* FNV-1a. */
static uint32_t digest(const char *text)
{
	uint32_t value = 2166136261u;

	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * 16777619u;
	return value;
}

/* "from @listed dport 80,443 drop" becomes "from-listed-dport-80_443-drop"; a long one ends in a digest of all. */
static void name_of_content(const char *text, char out[WEIR_NAME_MAX])
{
	size_t used = 0, length = strlen(text), most = length > CONTENT_MAX - 1 ? CONTENT_MAX - 2 - DIGITS : length;

	for (const char *at = text; *at && used < most; at++) {
		if (*at == '@')
			continue;
		if (*at == ' ')
			out[used++] = '-';
		else
			out[used++] = strchr("/,:!<>", *at) ? '_' : *at;
	}
	out[used] = 0;
	if (length > CONTENT_MAX - 1)
		snprintf(out + used, WEIR_NAME_MAX - used, "-%0*x", DIGITS, digest(text));
}

static bool name_by_content(const struct config *config, struct config_rule *rule, struct taken_names *names)
{
	AUTO_FREE char *text = config_rule_format(config, rule);
	char base[WEIR_NAME_MAX], name[WEIR_NAME_MAX];
	struct taken *first;
	bool fresh;

	if (!text)
		return false;
	name_of_content(text, base);
	strcpy(name, base);
	first = take(names, base, &fresh);
	while (first && !fresh) {
		snprintf(name, sizeof(name), "%.*s-%u", CONTENT_MAX - 1, base, first->next++);
		if (!take(names, name, &fresh))
			return false;
	}
	strcpy(rule->name, name);
	return first;
}

void rule_names_check(struct form *form, struct config_rule *rules, size_t count)
{
	__attribute__((cleanup(clear_taken))) struct taken_names taken = {};
	AUTO_NAMES struct form_names names = {};
	bool fresh, good = true;

	for (size_t i = 0; i < count; i++) {
		if (!*rules[i].name)
			continue;
		form_names_add(form, &names, "rule", rules[i].name, rules[i].place);
		good = take(&taken, rules[i].name, &fresh) && good;
	}
	/* What could not be read has no content to go by. */
	for (size_t i = 0; i < count && good; i++) {
		if (!*rules[i].name && !rules[i].unread)
			good = name_by_content(form->config, &rules[i], &taken);
	}
	if (!good)
		form->errors->no_memory = true;
}
