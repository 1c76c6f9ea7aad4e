/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of rate limits. */
#include "form.h"

#include <stdio.h>
#include <string.h>

#include "../base/scope.h"
#include "units.h"

/* The program counts in whole nanoseconds a packet and picoseconds a byte: faster ones would lose their precision,
 * slower ones in bits would overflow a large packet's cost. */
#define PACKETS_MAX    1e8
#define BITS_MIN       1e3
#define BITS_MAX       1e12
#define FILL_MAX_S     (7 * 86400.0)
#define FRAME_BITS     (1518 * 8.0)
#define BURST_BITS_MAX 1e15

struct limit_draft {
	struct config_limit *limit;
	const struct yaml_node *burst; /* read last: its unit is the rate's */
	const struct yaml_node *rate;
};

static void read_name(struct form *form, const struct yaml_node *node, void *object)
{
	struct limit_draft *draft = object;

	form_name(form, node, draft->limit->name);
}

static void read_match_to(struct form *form, const struct yaml_node *node, void *object)
{
	const char *text = form_text(form, node);

	(void)object;
	if (text && strcmp(text, "@vips"))
		errors_add(form->errors, node->place, "this version limits only what goes \"to: @vips\", not to \"%s\"",
			   SHOWN(text));
}

static void read_match(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_key keys[] = {{"to", read_match_to, true}};
	static const char *const later[] = {"from", "proto", "sport", "dport", "tcp_flags", NULL};
	static const struct form_map map = {"the match of a limit", keys, ARRAY_SIZE(keys), later};

	struct limit_draft *draft = object;

	draft->limit->has_match = true;
	form_read_map(form, node, &map, object);
}

static void read_key(struct form *form, const struct yaml_node *node, void *object)
{
	struct limit_draft *draft = object;
	const char *text = form_text(form, node);

	if (text)
		form_units(form, node, units_limit_key(text, &draft->limit->prefix4, &draft->limit->prefix6));
}

static void read_rate(struct form *form, const struct yaml_node *node, void *object)
{
	struct limit_draft *draft = object;
	const char *text = form_text(form, node);
	enum config_limit_unit unit;
	double rate;

	if (!text || !form_units(form, node, units_rate(text, &unit, &rate)))
		return;
	if (unit == CONFIG_PER_PACKET && rate > PACKETS_MAX)
		form_units(form, node, "a rate is at most 100M/s");
	else if (unit == CONFIG_PER_BIT && (rate < BITS_MIN || rate > BITS_MAX))
		form_units(form, node, "a rate in bits is 1kbit/s to 1000Gbit/s");
	else {
		draft->rate = node;
		draft->limit->unit = unit;
		draft->limit->rate_per_s = rate;
	}
}

static void read_burst(struct form *form, const struct yaml_node *node, void *object)
{
	struct limit_draft *draft = object;

	(void)form;
	draft->burst = node;
}

static void read_action(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {{"drop", 0}};
	int action;

	(void)object;
	form_choose(form, node, choices, ARRAY_SIZE(choices), &action);
}

/* A bucket holds at least one packet: below that nothing would ever pass. */
static double burst_default(const struct config_limit *limit)
{
	double least = limit->unit == CONFIG_PER_BIT ? FRAME_BITS : 1;

	return limit->rate_per_s > least ? limit->rate_per_s : least;
}

static void check_burst(struct form *form, const struct limit_draft *draft)
{
	struct config_limit *limit = draft->limit;
	bool in_bits = limit->unit == CONFIG_PER_BIT;
	const char *text, *sentence;

	if (!draft->rate)
		return;
	limit->burst = burst_default(limit);
	if (!draft->burst)
		return;
	text = form_text(form, draft->burst);
	if (!text)
		return;
	sentence = in_bits ? units_size(text, &limit->burst) : units_count(text, &limit->burst);
	if (!sentence && in_bits && limit->burst < FRAME_BITS)
		sentence = "the burst is smaller than one packet, so no full packet would pass: at least 1518B";
	if (!sentence && (limit->burst > BURST_BITS_MAX || limit->burst / limit->rate_per_s > FILL_MAX_S))
		sentence = "the burst is more than the rate gives in a week";
	form_units(form, draft->burst, sentence);
}

/* What a limit is decides the name of one that has none, so that its counters survive a reordering. */
static void name_by_content(struct config_limit *limit)
{
	char key[16] = "";

	if (*limit->name || !limit->rate_per_s)
		return;
	if (limit->prefix4 != 32 || limit->prefix6 != 128)
		snprintf(key, sizeof(key), "-%u-%u", limit->prefix4, limit->prefix6);
	snprintf(limit->name, sizeof(limit->name), "source%s-%.12g%s", key, limit->rate_per_s,
		 limit->unit == CONFIG_PER_BIT ? "bps" : "pps");
	for (char *plus = limit->name; (plus = strchr(plus, '+'));)
		*plus = '_';
}

static bool read_limit(struct form *form, const struct yaml_node *node, void *item)
{
	static const struct form_key keys[] = {{"name", read_name, false},   {"match", read_match, false},
					       {"key", read_key, false},     {"rate", read_rate, true},
					       {"burst", read_burst, false}, {"action", read_action, false}};
	static const struct form_map map = {"a limit", keys, ARRAY_SIZE(keys), NULL};
	struct config_limit *limit = item;
	struct limit_draft draft = {.limit = limit};

	limit->place = node->place;
	limit->prefix4 = 32;
	limit->prefix6 = 128;
	if (!form_read_map(form, node, &map, &draft))
		return false;
	check_burst(form, &draft);
	name_by_content(limit);
	return true;
}

void form_limits(struct form *form, const struct yaml_node *node)
{
	static const struct form_list list = {sizeof(struct config_limit), read_limit, false, false};
	struct config *config = form->config;
	AUTO_NAMES struct form_names names = {};

	if (!form_read_list(form, node, &list, &config->limits, &config->limits_count))
		return;
	for (size_t i = 0; i < config->limits_count; i++) {
		if (*config->limits[i].name)
			form_names_add(form, &names, "limit", config->limits[i].name, config->limits[i].place);
	}
	if (config->limits_count > WEIR_MAX_LIVE_LIMITS)
		errors_add(form->errors, node->place, "%zu limits, at most %d (WEIR_MAX_LIVE_LIMITS)",
			   config->limits_count, WEIR_MAX_LIVE_LIMITS);
}
