/* SPDX-License-Identifier: BSD-2-Clause */
/* Operators' overrides of rules: kept by name, so that they outlive a rule that goes and comes back. */
#include "parts.h"
#include "../base/nearest.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

int reconcile_rule_override(const struct reconcile *reconcile, const char *rule)
{
	for (size_t i = 0; i < reconcile->overrides_count; i++)
		if (!strcmp(reconcile->overrides[i].rule, rule))
			return (int)reconcile->overrides[i].mode;
	return -1;
}

static int refuse_name(const struct config_filter *filter, const char *name, struct problem *problem)
{
	const char *near = NULL;
	unsigned int best = UINT32_MAX;

	for (size_t i = 0; i < filter->rules_count; i++) {
		unsigned int distance = nearest_distance(name, filter->rules[i].name);

		if (distance < best) {
			best = distance;
			near = filter->rules[i].name;
		}
	}
	problem_set(problem, -ENOENT, "no rule is called \"%s\"", name);
	if (near)
		problem_hint(problem, "the nearest name is \"%s\"; `weir rule list` shows all", near);
	else
		problem_hint(problem, "the configuration has no rules; `filter: rules:` takes them");
	return -ENOENT;
}

/* The overrides with another mode for the rule. NULL: no memory. */
static struct model_override *changed(const struct model_override *before, size_t before_count, const char *name,
				      int mode, size_t *count)
{
	struct model_override *next = calloc(before_count + 1, sizeof(*next));
	size_t used = 0;

	for (size_t i = 0; next && i < before_count; i++)
		if (strcmp(before[i].rule, name) != 0)
			next[used++] = before[i];
	if (next && mode >= 0) {
		snprintf(next[used].rule, sizeof(next[used].rule), "%s", name);
		next[used++].mode = (enum config_rule_mode)mode;
	}
	*count = used;
	return next;
}

int rules_override(const struct config *config, const char *rule, int mode, struct model_override **overrides,
		   size_t *count, struct problem *problem)
{
	struct model_override *next;
	bool exists = false;

	for (size_t i = 0; i < config->filter.rules_count && !exists; i++)
		exists = !strcmp(config->filter.rules[i].name, rule);
	if (!exists)
		return refuse_name(&config->filter, rule, problem);
	next = changed(*overrides, *count, rule, mode, count);
	if (!next)
		return problem_set(problem, -ENOMEM, "out of memory");
	free(*overrides);
	*overrides = next;
	return 0;
}
