/* SPDX-License-Identifier: BSD-2-Clause */
/* What is valid in sets and rules and yet without effect: rules behind rules, sets that nobody names. */
#include "cover.h"

#include <errno.h>
#include <string.h>

#include "../base/scope.h"

struct finder {
	const struct config *config;
	struct config_findings found;
	struct cover cover;
	bool no_memory;
};

/* The arguments are those of config_findings_add. */
#define add(finder, ...)                                                                                               \
	do {                                                                                                           \
		if (config_findings_add(&(finder)->found, __VA_ARGS__))                                                \
			(finder)->no_memory = true;                                                                    \
	} while (0)

static bool does_the_same(const struct config_rule *a, const struct config_rule *b)
{
	return a->action == b->action && (a->action != CONFIG_ACTION_LIMIT || a->limit == b->limit) &&
	       (a->action != CONFIG_ACTION_MARK || a->mark == b->mark);
}

static void report_covered(struct finder *finder, const struct config_rule *outer, const struct config_rule *inner)
{
	bool same = does_the_same(outer, inner);

	if (same && outer->mode == inner->mode && cover_holds(&finder->cover, inner, outer))
		add(finder, inner->place, outer->place, "remove one of them",
		    "rule \"%s\" matches and does the same as rule \"%s\"", inner->name, outer->name);
	else if (inner->mode == CONFIG_RULE_SHADOW)
		add(finder, inner->place, outer->place, "put the shadow ahead of it, or remove one of them",
		    "rule \"%s\" is a shadow that never counts: rule \"%s\" ahead of it takes all that it would match",
		    inner->name, outer->name);
	else
		add(finder, inner->place, outer->place,
		    same ? "remove it" : "put it ahead of that rule, or remove one of them",
		    "rule \"%s\" can never match: rule \"%s\" ahead of it takes all that it would match", inner->name,
		    outer->name);
}

/* The first rule that leaves nothing for this one: what ends the search and does so for good, or a shadow's twin. */
static void find_cover(struct finder *finder, size_t index)
{
	const struct config_rule *rules = finder->config->filter.rules, *inner = &rules[index];

	for (size_t i = 0; i < index && inner->mode != CONFIG_RULE_OFF; i++) {
		const struct config_rule *outer = &rules[i];
		bool ends = outer->mode == CONFIG_RULE_ENFORCE && !outer->expires_s;
		bool twin = outer->mode == CONFIG_RULE_SHADOW && inner->mode == CONFIG_RULE_SHADOW &&
			    does_the_same(outer, inner);

		if (outer->unread || !(ends || twin) || !cover_holds(&finder->cover, outer, inner))
			continue;
		if (!ends && !cover_holds(&finder->cover, inner, outer))
			continue;
		report_covered(finder, outer, inner);
		return;
	}
}

/* Rules at the end that pass what is passed without them. A shadow among them would count more without them. */
static void find_idle_end(struct finder *finder)
{
	const struct config_filter *filter = &finder->config->filter;
	size_t first = filter->rules_count, last = 0, count = 0;

	if (filter->unread || filter->default_action != CONFIG_ACTION_PASS)
		return;
	for (size_t i = filter->rules_count; i; i--) {
		const struct config_rule *rule = &filter->rules[i - 1];

		if (rule->mode == CONFIG_RULE_OFF && !rule->unread)
			continue;
		if (rule->unread || rule->mode != CONFIG_RULE_ENFORCE || rule->action != CONFIG_ACTION_PASS)
			break;
		last = count++ ? last : i - 1;
		first = i - 1;
	}
	if (count == 1)
		add(finder, filter->rules[first].place, filter->place, "remove it, or let the default be drop",
		    "rule \"%s\" has no effect: the default passes what it passes", filter->rules[first].name);
	else if (count)
		add(finder, filter->rules[first].place, filter->rules[last].place,
		    "remove them, or let the default be drop",
		    "the last %zu rules, from \"%s\" to \"%s\", have no effect: the default passes what they pass",
		    count, filter->rules[first].name, filter->rules[last].name);
}

static void check_limit(struct finder *finder, const struct config_rule *rule)
{
	const struct config_limit *limit;

	if (rule->action != CONFIG_ACTION_LIMIT)
		return;
	limit = &finder->config->limits[rule->limit];
	if (limit->has_match)
		add(finder, rule->place, limit->place, "take \"match\" out of the limit, or remove the rule",
		    "rule \"%s\" charges limit \"%s\", which takes everything to the VIPs anyway by its \"match\"",
		    rule->name, limit->name);
}

static bool names_vips(const struct config_term *terms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (terms[i].set == CONFIG_TERM_VIPS)
			return true;
	}
	return false;
}

static void check_vips(struct finder *finder, const struct config_rule *rule)
{
	if (!finder->cover.vips_count && !finder->config->services_unread &&
	    (names_vips(rule->from, rule->from_count) || names_vips(rule->to, rule->to_count)))
		add(finder, rule->place, (struct config_place){}, "add services, or name the addresses",
		    "rule \"%s\" names @vips, but there are no services, so it stands for no address", rule->name);
}

/* What goes to the VIPs alone is steered, answered or dropped, but for services that fall back to the kernel. */
static void check_mark(struct finder *finder, const struct config_rule *rule)
{
	const struct config *config = finder->config;
	bool is_to_vips = false;

	if (rule->action != CONFIG_ACTION_MARK)
		return;
	for (size_t i = 0; i < rule->to_count; i++) {
		if (!rule->to[i].negated && rule->to[i].set != CONFIG_TERM_VIPS)
			return;
		is_to_vips = is_to_vips || !rule->to[i].negated;
	}
	for (size_t i = 0; i < config->services_count; i++)
		if (config->services[i].fallback == WEIR_FALLBACK_KERNEL)
			return;
	if (is_to_vips && config->services_count)
		add(finder, rule->place, (struct config_place){}, "take \"@vips\" out of it, or remove the rule",
		    "rule \"%s\" marks nothing: what goes to the VIPs comes to the kernel only by \"fallback: "
		    "kernel\", which "
		    "no service has",
		    rule->name);
}

/* The first rule that names each set. */
static void note_uses(const struct config_rule *rule, const struct config_term *terms, size_t count,
		      const struct config_rule **uses)
{
	for (size_t i = 0; i < count; i++) {
		if (terms[i].set >= 0 && !uses[terms[i].set])
			uses[terms[i].set] = rule;
	}
}

static int compare_prefixes(const void *left, const void *right)
{
	return prefix_compare(left, right);
}

/* Sorted, each prefix once. */
static struct prefix *sort_prefixes(const struct config_set *set, size_t *count)
{
	struct prefix *sorted = calloc(set->prefixes_count, sizeof(*sorted));
	size_t used = 0;

	if (!sorted)
		return NULL;
	memcpy(sorted, set->prefixes, set->prefixes_count * sizeof(*sorted));
	qsort(sorted, set->prefixes_count, sizeof(*sorted), compare_prefixes);
	for (size_t i = 1; i < set->prefixes_count; i++) {
		if (prefix_compare(&sorted[used], &sorted[i]))
			sorted[++used] = sorted[i];
	}
	*count = used + 1;
	return sorted;
}

struct sorted_set {
	struct prefix *prefixes;
	size_t count;
};

static bool same_content(const struct sorted_set *a, const struct sorted_set *b)
{
	if (a->count != b->count || !a->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (prefix_compare(&a->prefixes[i], &b->prefixes[i]))
			return false;
	}
	return true;
}

static void find_twins(struct finder *finder, struct sorted_set *sorted)
{
	const struct config *config = finder->config;

	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];

		if (set->kind != CONFIG_SET_INLINE || !set->prefixes_count || set->unread)
			continue;
		sorted[i].prefixes = sort_prefixes(set, &sorted[i].count);
		if (!sorted[i].prefixes)
			finder->no_memory = true;
		for (size_t j = 0; j < i; j++) {
			if (!same_content(&sorted[j], &sorted[i]))
				continue;
			add(finder, set->place, config->sets[j].place, "keep one of them and name that everywhere",
			    "set \"%s\" holds the same as set \"%s\"", set->name, config->sets[j].name);
			break;
		}
	}
}

static void check_sets(struct finder *finder)
{
	const struct config *config = finder->config;
	const struct config_filter *filter = &config->filter;
	AUTO_FREE const struct config_rule **uses = calloc(config->sets_count + 1, sizeof(*uses));
	AUTO_FREE struct sorted_set *sorted = calloc(config->sets_count + 1, sizeof(*sorted));

	if (!uses || !sorted) {
		finder->no_memory = true;
		return;
	}
	for (size_t i = 0; i < filter->rules_count; i++) {
		note_uses(&filter->rules[i], filter->rules[i].from, filter->rules[i].from_count, uses);
		note_uses(&filter->rules[i], filter->rules[i].to, filter->rules[i].to_count, uses);
	}
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];

		/* A word that was refused may have meant it. */
		if (!uses[i] && !config->refused)
			add(finder, set->place, (struct config_place){}, "name it in a rule, or remove it",
			    "set \"%s\" is named by no rule", set->name);
		if (set->kind == CONFIG_SET_INLINE && !set->prefixes_count && !set->unread)
			add(finder, set->place, uses[i] ? uses[i]->place : (struct config_place){},
			    "add prefixes, or remove it", "set \"%s\" is empty: nothing is in it", set->name);
	}
	find_twins(finder, sorted);
	for (size_t i = 0; i < config->sets_count; i++)
		free(sorted[i].prefixes);
}

static void check_expiry(struct finder *finder, const struct config_rule *rule, int64_t now_s)
{
	if (rule->expires_s && rule->expires_s <= now_s)
		add(finder, rule->place, (struct config_place){}, "remove it, or give it a later \"expires\"",
		    "rule \"%s\" has expired: it does nothing any more", rule->name);
}

int config_findings_collect(const struct config *config, int64_t now_s, struct config_findings *out)
{
	struct finder finder = {.config = config};

	if (cover_begin(&finder.cover, config))
		return -ENOMEM;
	check_sets(&finder);
	for (size_t i = 0; i < config->filter.rules_count && !finder.no_memory; i++) {
		const struct config_rule *rule = &config->filter.rules[i];

		check_expiry(&finder, rule, now_s);
		/* Of what was refused nobody knows what it would match. */
		if (rule->unread)
			continue;
		find_cover(&finder, i);
		check_limit(&finder, rule);
		check_vips(&finder, rule);
		check_mark(&finder, rule);
	}
	find_idle_end(&finder);
	cover_end(&finder.cover);
	if (finder.no_memory) {
		config_findings_free(&finder.found);
		return -ENOMEM;
	}
	*out = finder.found;
	return 0;
}
