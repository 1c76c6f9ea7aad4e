/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules and sets: what they are, what they hit, and the operators' overrides. */
#include "change.h"
#include "counters.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

/* Prefixes of a page: with the longest ones it still fits into a frame. Each page walks the set from its start. */
#define SHOW_MAX 65536

static const char *const mode_names[] = CONFIG_RULE_MODE_NAMES;

/* NULL with *problem when its counters cannot be read. */
static json_t *rule_json(const struct controller *controller, size_t i, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	const struct config_rule *rule = &config->filter.rules[i];
	const struct model_rule *live = &reconcile_model(controller->reconcile)->rules[i];
	AUTO_FREE char *match = config_rule_match_format(config, rule);
	char action[CONFIG_ACTION_TEXT_MAX];
	struct weir_rule_count count;
	int error = counters_rule(controller->kernel, live->id, &count);
	json_t *row;

	if (error) {
		problem_set(problem, error, "the counters of rule \"%s\" cannot be read: %s", rule->name,
			    strerror(-error));
		return NULL;
	}
	row = json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:i}", "number", (int)i + 1, "rule", rule->name, "match",
			match ? match : "", "action", config_rule_action_format(config, rule, action), "mode",
			mode_names[live->mode], "packets", (json_int_t)count.packets, "bytes", (json_int_t)count.bytes,
			"line", rule->place.line);
	if (reconcile_rule_override(controller->reconcile, rule->name) >= 0)
		json_object_set_new(row, "configured_mode", json_string(mode_names[rule->mode]));
	if (rule->expires_s)
		json_object_set_new(row, "expires", json_integer(rule->expires_s));
	if (count.last_ns)
		json_object_set_new(row, "last_s_ago", json_integer(counters_seconds_ago(count.last_ns)));
	return row;
}

/* The rows of all rules, or of the one of that name. NULL with *problem. */
static json_t *rules_json(const struct controller *controller, const char *name, struct problem *problem)
{
	const struct config_filter *filter = &reconcile_config(controller->reconcile)->filter;
	json_t *rows = json_array();

	for (size_t i = 0; i < filter->rules_count; i++) {
		json_t *row;

		if (name && strcmp(filter->rules[i].name, name) != 0)
			continue;
		row = rule_json(controller, i, problem);
		if (!row) {
			json_decref(rows);
			return NULL;
		}
		json_array_append_new(rows, row);
	}
	return rows;
}

json_t *command_rule_list(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	json_t *rows = rules_json(controller, NULL, problem);

	(void)unused;
	(void)arguments;
	if (!rows)
		return NULL;
	return json_pack("{s:o, s:s}", "rules", rows, "default",
			 config->filter.default_action == CONFIG_ACTION_DROP ? "drop" : "pass");
}

int command_rule_mode(struct change *change, uint32_t mode, json_t *arguments, struct problem *problem)
{
	const char *name = json_string_value(json_object_get(arguments, "name"));

	if (!name || strlen(name) >= sizeof(change->name))
		return problem_set(problem, -EINVAL, name ? "no rule has so long a name" : "no rule was named");
	change->kind = CHANGE_RULE;
	change->mode = mode == COMMAND_RULE_CONFIGURED ? -1 : (int)mode;
	memcpy(change->name, name, strlen(name) + 1);
	return 0;
}

json_t *command_rule_changed(const struct change *change, struct problem *problem)
{
	json_t *rows = rules_json(change->controller, change->name, problem);

	return rows ? json_pack("{s:o}", "rules", rows) : NULL;
}

/* The rules that name the set, by name. */
static json_t *uses_json(const struct config *config, size_t set)
{
	json_t *names = json_array();

	for (size_t i = 0; i < config->filter.rules_count; i++) {
		const struct config_rule *rule = &config->filter.rules[i];
		bool used = false;

		for (size_t j = 0; j < rule->from_count; j++)
			used = used || rule->from[j].set == (int)set;
		for (size_t j = 0; j < rule->to_count; j++)
			used = used || rule->to[j].set == (int)set;
		if (used)
			json_array_append_new(names, json_string(rule->name));
	}
	return names;
}

static void add_source(const struct controller *controller, const struct config_set *set, json_t *row)
{
	bool is_read = set->kind != CONFIG_SET_INLINE;

	json_object_set_new(row, "source", json_text(is_read ? set->path : "configuration"));
	if (set->kind == CONFIG_SET_GEOIP)
		json_object_set_new(row, "geoip", controller_geoip_json(set, sets_find(controller->sets, set)));
}

static json_t *set_json(const struct controller *controller, const struct config *config, size_t i)
{
	const struct config_set *set = &config->sets[i];
	const struct prefixes *content = controller->filter->contents.contents[i];
	const struct sets_state *state = sets_find(controller->sets, set);
	json_t *row = json_pack("{s:s, s:I, s:I, s:I, s:f, s:o}", "set", set->name, "prefixes",
				(json_int_t)prefixes_count(content), "v4_ranges", (json_int_t)content->v4_count,
				"v6_prefixes", (json_int_t)content->v6_count, "v4_addresses",
				prefixes_addresses4(content), "rules", uses_json(config, i));

	add_source(controller, set, row);
	if (!state)
		return row;
	json_object_set_new(row, "read", json_integer(state->read_s));
	json_object_set_new(row, "held", json_boolean(state->held));
	json_object_set_new(row, "restored", json_boolean(state->restored));
	json_object_set_new(row, "repaired", json_integer((json_int_t)(state->report.masked + state->report.mapped)));
	if (*state->why)
		json_object_set_new(row, "why", json_text(state->why)); /* what the list says is in it */
	return row;
}

json_t *command_set_list(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	json_t *rows = json_array();

	(void)unused;
	(void)arguments;
	(void)problem;
	for (size_t i = 0; i < config->sets_count; i++)
		json_array_append_new(rows, set_json(controller, config, i));
	return json_pack("{s:o}", "sets", rows);
}

static int find_set(const struct controller *controller, const char *name, size_t *out, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);

	for (size_t i = 0; name && i < config->sets_count; i++) {
		if (!strcmp(config->sets[i].name, name)) {
			*out = i;
			return 0;
		}
	}
	problem_set(problem, -ENOENT, "no set is called \"%s\"", name ? name : "");
	problem_hint(problem, "`weir set list` shows the sets");
	return -ENOENT;
}

struct page {
	json_t *rows;
	bool has_after, more;
	struct prefix after;
};

static int show_prefix(void *arg, const struct prefix *prefix)
{
	struct page *page = arg;
	char text[ADDR_TEXT_MAX];

	if (page->has_after && prefix_compare(prefix, &page->after) <= 0)
		return 0;
	if (json_array_size(page->rows) == SHOW_MAX) {
		page->more = true;
		return 1;
	}
	return json_array_append_new(page->rows, json_string(prefix_format(prefix, text)));
}

json_t *command_set_show(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const char *after = json_string_value(json_object_get(arguments, "after"));
	struct page page = {.rows = NULL};
	json_t *row;
	size_t set;

	(void)unused;
	if (find_set(controller, json_string_value(json_object_get(arguments, "name")), &set, problem))
		return NULL;
	page.has_after = after && !prefix_parse(after, &page.after);
	page.rows = json_array();
	prefixes_each(controller->filter->contents.contents[set], show_prefix, &page);
	row = json_pack("{s:o, s:b}", "prefixes", page.rows, "more", page.more);
	add_source(controller, &reconcile_config(controller->reconcile)->sets[set], row);
	return row;
}

json_t *command_set_lookup(struct controller *controller, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	const char *text = json_string_value(json_object_get(arguments, "address"));
	char entry[ADDR_TEXT_MAX];
	struct prefix prefix;
	struct addr addr;
	json_t *rows, *row;

	(void)unused;
	if (!text || addr_parse(text, &addr)) {
		problem_set(problem, -EINVAL, "\"%s\" is not an address", text ? text : "");
		problem_hint(problem, "write one IPv4 or IPv6 address, without a length");
		return NULL;
	}
	rows = json_array();
	for (size_t i = 0; i < config->sets_count; i++) {
		if (!prefixes_hold(controller->filter->contents.contents[i], &addr, &prefix))
			continue;
		row = json_pack("{s:s, s:s, s:o}", "set", config->sets[i].name, "entry", prefix_format(&prefix, entry),
				"rules", uses_json(config, i));
		add_source(controller, &config->sets[i], row);
		json_array_append_new(rows, row);
	}
	return json_pack("{s:s, s:o}", "address", text, "sets", rows);
}

int command_set_refresh(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const struct config *config = reconcile_config(change->controller->reconcile);
	const char *name = json_string_value(json_object_get(arguments, "name"));
	size_t set;
	int error = find_set(change->controller, name, &set, problem);

	(void)unused;
	if (error)
		return error;
	if (config->sets[set].kind == CONFIG_SET_INLINE) {
		problem_set(problem, -EINVAL, "set \"%s\" is written in the configuration, not read from a file", name);
		problem_hint(problem, "change it there, and `weir apply` it");
		return -EINVAL;
	}
	change->kind = CHANGE_SET;
	change->accept = json_is_true(json_object_get(arguments, "accept"));
	memcpy(change->name, config->sets[set].name, sizeof(change->name));
	return 0;
}

json_t *command_set_refreshed(const struct change *change, struct problem *problem)
{
	const struct config *config = reconcile_config(change->controller->reconcile);
	size_t set;

	if (find_set(change->controller, change->name, &set, problem))
		return NULL;
	return json_pack("{s:b, s:o}", "changed", change->is_live, "sets",
			 json_pack("[o]", set_json(change->controller, config, set)));
}
