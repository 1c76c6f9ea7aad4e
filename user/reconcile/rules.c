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

static int refuse_name(const struct reconcile *reconcile, const char *name, struct problem *problem)
{
	const struct config_filter *filter = &reconcile->config->filter;
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
static struct model_override *changed(const struct reconcile *reconcile, const char *name, int mode, size_t *count)
{
	struct model_override *next = calloc(reconcile->overrides_count + 1, sizeof(*next));
	size_t used = 0;

	for (size_t i = 0; next && i < reconcile->overrides_count; i++)
		if (strcmp(reconcile->overrides[i].rule, name) != 0)
			next[used++] = reconcile->overrides[i];
	if (next && mode >= 0) {
		snprintf(next[used].rule, sizeof(next[used].rule), "%s", name);
		next[used++].mode = (enum config_rule_mode)mode;
	}
	*count = used;
	return next;
}

int reconcile_rule_mode(struct reconcile *reconcile, const char *rule, int mode, struct problem *problem)
{
	struct model_override *before = reconcile->overrides, *next;
	size_t before_count = reconcile->overrides_count, count;
	bool exists = false;
	int error;

	for (size_t i = 0; i < reconcile->config->filter.rules_count && !exists; i++)
		exists = !strcmp(reconcile->config->filter.rules[i].name, rule);
	if (!exists)
		return refuse_name(reconcile, rule, problem);
	next = changed(reconcile, rule, mode, &count);
	if (!next)
		return problem_set(problem, -ENOMEM, "out of memory");
	reconcile->overrides = next;
	reconcile->overrides_count = count;
	error = reconcile_renew_filter(reconcile, reconcile->model->filter, problem);
	if (error) {
		reconcile->overrides = before;
		reconcile->overrides_count = before_count;
		free(next);
		return error;
	}
	free(before);
	return 0;
}
