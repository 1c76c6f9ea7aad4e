/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as people read them: "from @listed to @vips tcp dport 80,443 drop". */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"

static void write_terms(FILE *file, const struct config *config, const char *side, const struct config_term *terms,
			size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_term *term = &terms[i];
		char text[ADDR_TEXT_MAX];

		if (i)
			fputs(",", file);
		else
			fprintf(file, " %s ", side);
		fputs(term->negated ? "!" : "", file);
		if (term->set == CONFIG_TERM_PREFIX)
			fputs(prefix_format(&term->prefix, text), file);
		else
			fprintf(file, "@%s", term->set == CONFIG_TERM_VIPS ? "vips" : config->sets[term->set].name);
	}
}

static void write_range(FILE *file, const struct config_range *range, unsigned int max)
{
	if (range->first == range->last)
		fprintf(file, "%u", range->first);
	else if (range->last == max && range->first)
		fprintf(file, ">%u", range->first - 1u);
	else
		fprintf(file, "%u-%u", range->first, range->last);
}

static void write_ranges(FILE *file, const char *label, const struct config_ranges *ranges,
			 const struct range_kind *kind)
{
	for (size_t i = 0; i < ranges->count; i++) {
		struct config_range range = ranges->ranges[i];

		if (i)
			fputs(",", file);
		else
			fprintf(file, " %s ", label);
		if (kind != &range_vlan || range.last <= range_vlan.max) {
			write_range(file, &range, kind->max);
			continue;
		}
		/* "No tag" may have been joined to the highest VID. */
		range.last--;
		if (range.first <= range.last) {
			write_range(file, &range, kind->max);
			fputs(",", file);
		}
		fputs("none", file);
	}
}

/* Names for what they cover, in the order of the table, then numbers for the rest. */
static void write_protocols(FILE *file, const struct config_ranges *protocols)
{
	bool left[512] = {};
	const char *separator = " ";

	for (size_t i = 0; i < protocols->count; i++) {
		for (unsigned int p = protocols->ranges[i].first; p <= protocols->ranges[i].last && p < 512; p++)
			left[p] = true;
	}
	for (size_t i = 0; i < keywords_protocol_count; i++) {
		int ipv4 = keywords_protocol[i].ipv4, ipv6 = keywords_protocol[i].ipv6;

		if ((ipv4 >= 0 && !left[ipv4]) || (ipv6 >= 0 && !left[256 + ipv6]))
			continue;
		if (ipv4 >= 0)
			left[ipv4] = false;
		if (ipv6 >= 0)
			left[256 + ipv6] = false;
		fprintf(file, "%s%s", separator, keywords_protocol[i].word);
		separator = ",";
	}
	for (unsigned int p = 0; p < 256; p++) {
		if (!left[p] && !left[256 + p])
			continue;
		fprintf(file, "%s%u", separator, p);
		separator = ",";
	}
}

static void write_flags(FILE *file, uint8_t flags)
{
	const char *separator = "";

	if (!flags || flags == UINT8_MAX) {
		fputs(flags ? "all" : "none", file);
		return;
	}
	for (size_t i = 0; i < KEYWORDS_TCP_FLAGS; i++) {
		if (!(flags & keywords_tcp_flag[i].value))
			continue;
		fprintf(file, "%s%s", separator, keywords_tcp_flag[i].word);
		separator = ",";
	}
}

/* families: which of the two a type's name is looked up for; when it is both, a number says it all. */
static void write_icmp_type(FILE *file, unsigned int type, uint8_t families)
{
	for (size_t i = 0; i < keywords_icmp_count && families != FAMILY_BITS; i++) {
		int number = families == FAMILY_BIT_IPV4 ? keywords_icmp[i].ipv4 : keywords_icmp[i].ipv6;

		if (number != (int)type)
			continue;
		fputs(keywords_icmp[i].word, file);
		return;
	}
	fprintf(file, "%u", type);
}

static void write_icmp(FILE *file, const struct config_ranges *icmp, uint8_t families)
{
	const char *separator = " icmp ";

	for (size_t i = 0; i < icmp->count; i++) {
		unsigned int last = icmp->ranges[i].last;

		for (unsigned int at = icmp->ranges[i].first; at <= last; at++) {
			bool whole = !(at & 255) && last - at >= 255;

			fputs(separator, file);
			write_icmp_type(file, at >> 8, families);
			if (whole)
				at += 255;
			else
				fprintf(file, "/%u", at & 255);
			separator = ",";
		}
	}
}

static void write_states(FILE *file, const struct config_rule *rule)
{
	static const char *const fragments[] = {NULL, "no", "first", "no,first", "later", "no,later", "yes", "no,yes"};

	if (rule->fragments)
		fprintf(file, " fragment %s", fragments[rule->fragments & 7]);
	if (rule->extensions)
		fprintf(file, " ipv6_extensions %s", rule->extensions > 0 ? "present" : "absent");
}

static void write_match(FILE *file, const struct config *config, const struct config_rule *rule)
{
	write_terms(file, config, "from", rule->from, rule->from_count);
	write_terms(file, config, "to", rule->to, rule->to_count);
	write_protocols(file, &rule->protocols);
	write_ranges(file, "sport", &rule->sports, &range_port);
	write_ranges(file, "dport", &rule->dports, &range_port);
	if (rule->has_tcp_flags) {
		fputs(" tcp_flags ", file);
		write_flags(file, rule->tcp_flags_set);
		fputs("/", file);
		write_flags(file, rule->tcp_flags_mask);
	}
	write_icmp(file, &rule->icmp, rule_families(config, rule));
	write_ranges(file, "length", &rule->length, &range_length);
	write_ranges(file, "ttl", &rule->ttl, &range_ttl);
	write_ranges(file, "dscp", &rule->dscp, &range_dscp);
	write_states(file, rule);
	write_ranges(file, "vlan", &rule->vlan, &range_vlan);
	for (size_t i = 0; i < rule->interfaces_count; i++)
		fprintf(file, "%s%s", i ? "," : " interface ", config->interfaces[rule->interfaces[i]].name);
}

char *config_rule_match_format(const struct config *config, const struct config_rule *rule)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool failed;

	if (!file)
		return NULL;
	write_match(file, config, rule);
	failed = ferror(file);
	if (fclose(file) || failed)
		return NULL;
	if (!size)
		return strdup("any");
	memmove(text, text + 1, size); /* each part brings its own blank */
	return TAKE_PTR(text);
}

char *config_rule_action_format(const struct config *config, const struct config_rule *rule, char *out)
{
	static const char *const names[] = CONFIG_ACTION_NAMES;

	if (rule->action == CONFIG_ACTION_LIMIT)
		snprintf(out, CONFIG_ACTION_TEXT_MAX, "limit %s", config->limits[rule->limit].name);
	else if (rule->action == CONFIG_ACTION_MARK)
		snprintf(out, CONFIG_ACTION_TEXT_MAX, "mark %#x", rule->mark);
	else
		snprintf(out, CONFIG_ACTION_TEXT_MAX, "%s", names[rule->action]);
	return out;
}

char *config_rule_format(const struct config *config, const struct config_rule *rule)
{
	AUTO_FREE char *match = config_rule_match_format(config, rule);
	char action[CONFIG_ACTION_TEXT_MAX], *text = NULL;

	if (!match || asprintf(&text, "%s %s", match, config_rule_action_format(config, rule, action)) < 0)
		return NULL;
	return text;
}
