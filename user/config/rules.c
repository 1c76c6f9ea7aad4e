/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of the filter: ordered rules and what happens to packets that none of them matches. */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"
#include "units.h"

static void read_name(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	form_name(form, node, draft->rule->name);
}

static void note_icmp(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	(void)form;
	draft->icmp = node;
}

static void read_action(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"pass", CONFIG_ACTION_PASS},	  {"allow", CONFIG_ACTION_ALLOW}, {"drop", CONFIG_ACTION_DROP},
		{"reject", CONFIG_ACTION_REJECT}, {"limit", CONFIG_ACTION_LIMIT}, {"mark", CONFIG_ACTION_MARK},
	};
	struct rule_draft *draft = object;
	int action;

	draft->action = node;
	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &action))
		draft->rule->action = (enum config_action)action;
}

static void read_limit(struct form *form, const struct yaml_node *node, void *object)
{
	const struct config *config = form->config;
	struct rule_draft *draft = object;
	const char *text = form_text(form, node);
	struct nearest nearest = {.word = text};

	draft->limit = node;
	if (!text)
		return;
	for (size_t i = 0; i < config->limits_count; i++) {
		nearest_try(&nearest, config->limits[i].name);
		if (!strcmp(config->limits[i].name, text)) {
			draft->rule->limit = i;
			return;
		}
	}
	errors_add(form->errors, node->place, "there is no limit \"%s\"%s", SHOWN(text), MEANT(&nearest));
}

static void read_mark(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;
	const char *text = form_text(form, node);

	draft->mark = node;
	if (text)
		form_units(form, node, units_mark(text, &draft->rule->mark));
}

static void read_mode(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"enforce", CONFIG_RULE_ENFORCE}, {"shadow", CONFIG_RULE_SHADOW}, {"off", CONFIG_RULE_OFF}};
	struct rule_draft *draft = object;
	int mode;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &mode))
		draft->rule->mode = (enum config_rule_mode)mode;
}

static void read_expires(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;
	const char *text = form_text(form, node);

	if (text)
		form_units(form, node, units_date(text, &draft->rule->expires_s));
}

/* "limit" and "mark" make an action by themselves; the word may stand beside the key, and not without it. */
static void check_own_key(struct form *form, const struct rule_draft *draft, const struct yaml_node *value,
			  enum config_action action, const char *word, const char *needs)
{
	if (value && draft->action && draft->rule->action != action)
		errors_add(form->errors, value->place,
			   "\"%s\" goes with \"action: %s\", which a rule with \"%s\" has by itself: leave \"action\" "
			   "out",
			   word, word, word);
	else if (!value && draft->action && draft->rule->action == action)
		errors_add(form->errors, draft->action->place, "\"action: %s\" needs \"%s\" with %s", word, word,
			   needs);
}

static void check_action(struct form *form, const struct yaml_node *node, struct rule_draft *draft)
{
	if (draft->limit && draft->mark)
		errors_add(form->errors, draft->mark->place,
			   "\"mark\" and \"limit\" are two actions, and a rule has one: the first rule that matches "
			   "decides");
	else if (!draft->action && !draft->limit && !draft->mark)
		errors_add(form->errors, node->place,
			   "a rule needs \"action\" (pass, allow, drop or reject), \"limit\" with a limit's name, or "
			   "\"mark\" with a number");
	check_own_key(form, draft, draft->limit, CONFIG_ACTION_LIMIT, "limit", "the name of one of \"limits\"");
	check_own_key(form, draft, draft->mark, CONFIG_ACTION_MARK, "mark", "a number, such as 0x10");
	if (draft->limit)
		draft->rule->action = CONFIG_ACTION_LIMIT;
	else if (draft->mark)
		draft->rule->action = CONFIG_ACTION_MARK;
}

static void read_content(struct form *form, const struct yaml_node *node, struct config_rule *rule)
{
	static const struct form_key keys[] = {
		{"name", read_name, false},
		{"from", rule_read_from, false},
		{"to", rule_read_to, false},
		{"proto", rule_read_protocol, false},
		{"sport", rule_read_sport, false},
		{"dport", rule_read_dport, false},
		{"tcp_flags", rule_read_tcp_flags, false},
		{"icmp", note_icmp, false},
		{"length", rule_read_length, false},
		{"ttl", rule_read_ttl, false},
		{"dscp", rule_read_dscp, false},
		{"fragment", rule_read_fragment, false},
		{"ipv6_extensions", rule_read_extensions, false},
		{"vlan", rule_read_vlan, false},
		{"interface", rule_read_interface, false},
		{"action", read_action, false},
		{"limit", read_limit, false},
		{"mark", read_mark, false},
		{"mode", read_mode, false},
		{"expires", read_expires, false},
	};
	static const struct form_map map = {"a rule", keys, ARRAY_SIZE(keys), NULL};
	struct rule_draft draft = {.rule = rule};
	size_t errors = form->errors->count;

	form_read_map(form, node, &map, &draft);
	/* What could not be read would look like what is not there. */
	if (form->errors->count != errors)
		return;
	check_action(form, node, &draft);
	if (draft.icmp && rule_families(form->config, draft.rule))
		rule_read_icmp(form, &draft);
	if (form->errors->count == errors)
		rule_check_contradictions(form, &draft);
}

/* A rule that is refused keeps its place among the others. */
static bool read_rule(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_rule *rule = item;
	size_t errors = form->errors->count;

	rule->place = node->place;
	read_content(form, node, rule);
	rule->unread = form->errors->count != errors;
	return true;
}

/* The filter while its keys are read. */
struct filter_draft {
	struct config_filter *filter;
	size_t of_rules; /* errors in single rules */
};

static void read_default(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {{"pass", CONFIG_ACTION_PASS}, {"drop", CONFIG_ACTION_DROP}};
	struct filter_draft *draft = object;
	int action;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &action))
		draft->filter->default_action = (enum config_action)action;
}

static void read_rules(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct config_rule), read_rule, false, false};
	struct filter_draft *draft = object;
	struct config_filter *filter = draft->filter;
	size_t errors = form->errors->count;

	if (!form_read_list(form, node, &list, &filter->rules, &filter->rules_count))
		return;
	rule_names_check(form, filter->rules, filter->rules_count);
	draft->of_rules = form->errors->count - errors;
	if (filter->rules_count > WEIR_MAX_RULES)
		errors_add(form->errors, node->place,
			   "%zu rules, at most %d (WEIR_MAX_RULES): a set takes many addresses into one rule",
			   filter->rules_count, WEIR_MAX_RULES);
}

/* A rule that is off still names its limit: switching it must not make the limit one of everything. */
static void note_limits(struct config *config)
{
	for (size_t i = 0; i < config->filter.rules_count; i++) {
		const struct config_rule *rule = &config->filter.rules[i];

		if (rule->action == CONFIG_ACTION_LIMIT && rule->limit < config->limits_count)
			config->limits[rule->limit].by_rule = !config->limits[rule->limit].has_match;
	}
}

void form_filter(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {{"default", read_default, false}, {"rules", read_rules, false}};
	static const struct form_map map = {"the filter", keys, ARRAY_SIZE(keys), NULL};

	struct filter_draft draft = {.filter = &form->config->filter};
	size_t errors = form->errors->count;

	draft.filter->place = node->key->place;
	if (form_read_map(form, node, &map, &draft))
		note_limits(form->config);
	draft.filter->unread = form->errors->count - errors > draft.of_rules;
}

void rule_clear(struct config_rule *rule)
{
	struct config_ranges *const ranges[] = {&rule->protocols, &rule->sports, &rule->dports, &rule->icmp,
						&rule->length,	  &rule->ttl,	 &rule->dscp,	&rule->vlan};

	free(rule->from);
	free(rule->to);
	free(rule->interfaces);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		ranges_clear(ranges[i]);
}
