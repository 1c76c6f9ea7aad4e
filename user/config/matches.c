/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule matches beside addresses: protocol, ports, flags, ICMP and the other fields of a packet. */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"
#include "units.h"

static bool read_protocol(struct form *form, const struct yaml_node *node, const char *item, void *object)
{
	struct config_ranges *ranges = object;
	struct nearest nearest = {.word = item};
	uint64_t number;

	for (size_t i = 0; i < keywords_protocol_count; i++) {
		const struct keyword_pair *pair = &keywords_protocol[i];

		nearest_try(&nearest, pair->word);
		if (strcmp(pair->word, item))
			continue;
		return (pair->ipv4 < 0 ||
			ranges_add(form, ranges, (unsigned int)pair->ipv4, (unsigned int)pair->ipv4)) &&
		       (pair->ipv6 < 0 ||
			ranges_add(form, ranges, 256u + (unsigned int)pair->ipv6, 256u + (unsigned int)pair->ipv6));
	}
	if (!units_integer(item, &number) && number <= UINT8_MAX)
		return ranges_add(form, ranges, (unsigned int)number, (unsigned int)number) &&
		       ranges_add(form, ranges, 256u + (unsigned int)number, 256u + (unsigned int)number);
	errors_add(
		form->errors, node->place,
		"\"%s\" for \"%s\": a protocol is tcp, udp, icmp, icmpv6, gre, esp or another name of weir.yaml(5), or "
		"a number from 0 to 255%s",
		SHOWN(item), SHOWN(form_label(node)), MEANT(&nearest));
	return false;
}

void rule_read_protocol(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;
	AUTO_RANGES struct config_ranges ranges = {};

	draft->proto = node;
	if (!items_read(form, node, read_protocol, &ranges))
		return;
	ranges_join(&ranges);
	draft->rule->protocols = ranges;
	ranges = (struct config_ranges){};
}

void rule_read_sport(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	draft->sport = node;
	ranges_read(form, node, &range_port, &draft->rule->sports);
}

void rule_read_dport(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	draft->dport = node;
	ranges_read(form, node, &range_port, &draft->rule->dports);
}

void rule_read_length(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	ranges_read(form, node, &range_length, &draft->rule->length);
}

void rule_read_ttl(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	ranges_read(form, node, &range_ttl, &draft->rule->ttl);
}

void rule_read_dscp(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	ranges_read(form, node, &range_dscp, &draft->rule->dscp);
}

void rule_read_vlan(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	ranges_read(form, node, &range_vlan, &draft->rule->vlan);
}

/* "syn,ack", "none" or "all", up to length. NULL, or the word that is no flag. */
static const char *read_flags(const char *text, size_t length, uint8_t *out, char word[16])
{
	uint8_t flags = 0;

	while (true) {
		const char *comma = memchr(text, ',', length);
		size_t size = comma ? (size_t)(comma - text) : length, i = 0;

		if (size >= 16)
			size = 15;
		memcpy(word, text, size);
		word[size] = 0;
		while (i < KEYWORDS_TCP_FLAGS && strcmp(keywords_tcp_flag[i].word, word))
			i++;
		if (i < KEYWORDS_TCP_FLAGS)
			flags |= (uint8_t)keywords_tcp_flag[i].value;
		else if (!strcmp(word, "all"))
			flags = UINT8_MAX;
		else if (strcmp(word, "none"))
			return word;
		if (!comma)
			break;
		length -= size + 1;
		text = comma + 1;
	}
	*out = flags;
	return NULL;
}

static void refuse_flags_outside(struct form *form, const struct yaml_node *node, uint8_t outside)
{
	for (size_t i = 0; i < KEYWORDS_TCP_FLAGS; i++) {
		if (!(outside & keywords_tcp_flag[i].value))
			continue;
		errors_add(form->errors, node->place,
			   "\"%s\" for \"tcp_flags\": never holds, as the mask behind the slash leaves \"%s\" out: add "
			   "it there",
			   SHOWN(node->text), keywords_tcp_flag[i].word);
		return;
	}
}

void rule_read_tcp_flags(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;
	const char *text = form_text(form, node), *slash = text ? strchr(text, '/') : NULL, *wrong;
	uint8_t set = 0, mask = 0;
	char word[16];

	draft->tcp_flags = node;
	if (!text)
		return;
	wrong = read_flags(text, slash ? (size_t)(slash - text) : strlen(text), &set, word);
	if (!wrong && slash)
		wrong = read_flags(slash + 1, strlen(slash + 1), &mask, word);
	if (wrong) {
		struct nearest nearest = {.word = wrong};

		for (size_t i = 0; i < KEYWORDS_TCP_FLAGS; i++)
			nearest_try(&nearest, keywords_tcp_flag[i].word);
		errors_add(form->errors, node->place,
			   "\"%s\" for \"tcp_flags\": \"%s\" is no flag; written as \"syn/syn,ack\" of fin, syn, rst, "
			   "psh, "
			   "ack, urg, ece, cwr, none and all%s",
			   SHOWN(text), SHOWN(wrong), MEANT(&nearest));
		return;
	}
	/* Without a mask the flags named must be set; "none" alone means none of all. */
	if (!slash)
		mask = set ? set : UINT8_MAX;
	if (set & ~mask) {
		refuse_flags_outside(form, node, (uint8_t)(set & ~mask));
		return;
	}
	if (!mask) {
		form_units(form, node, "the mask is empty, which any TCP packet matches: write proto: tcp instead");
		return;
	}
	draft->rule->has_tcp_flags = true;
	draft->rule->tcp_flags_set = set;
	draft->rule->tcp_flags_mask = mask;
}

static bool read_fragment(struct form *form, const struct yaml_node *node, const char *item, void *object)
{
	static const struct keyword words[] = {{"no", 1}, {"first", 2}, {"later", 4}, {"yes", 6}};
	struct nearest nearest = {.word = item};
	uint8_t *bits = object;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		nearest_try(&nearest, words[i].word);
		if (!strcmp(words[i].word, item)) {
			*bits |= (uint8_t)words[i].value;
			return true;
		}
	}
	errors_add(form->errors, node->place, "\"%s\" for \"fragment\": must be one of yes, no, first, later%s",
		   SHOWN(item), MEANT(&nearest));
	return false;
}

void rule_read_fragment(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;
	uint8_t bits = 0;

	draft->fragment = node;
	if (!items_read(form, node, read_fragment, &bits))
		return;
	if (bits == 7)
		errors_add(form->errors, node->place, "\"fragment\" takes every packet: leave it out");
	else
		draft->rule->fragments = bits;
}

void rule_read_extensions(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {{"absent", 0}, {"present", 1}};
	struct rule_draft *draft = object;
	int choice;

	draft->extensions = node;
	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &choice))
		draft->rule->extensions = choice ? 1 : -1;
}

static bool read_interface(struct form *form, const struct yaml_node *node, void *item)
{
	const struct config *config = form->config;
	const char *text = form_text(form, node);
	struct nearest nearest = {.word = text};
	size_t *index = item;

	if (!text)
		return false;
	for (size_t i = 0; i < config->interfaces_count; i++) {
		nearest_try(&nearest, config->interfaces[i].name);
		if (!strcmp(config->interfaces[i].name, text)) {
			*index = i;
			return true;
		}
	}
	errors_add(form->errors, node->place, "\"%s\" is none of \"interfaces\": add it there or name one of them%s",
		   SHOWN(text), MEANT(&nearest));
	return false;
}

static int compare_indices(const void *left, const void *right)
{
	const size_t *a = left, *b = right;

	return *a < *b ? -1 : *a > *b;
}

void rule_read_interface(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(size_t), read_interface, true, false};
	struct rule_draft *draft = object;
	struct config_rule *rule = draft->rule;
	size_t used = 0;

	if (!form_read_list(form, node, &list, &rule->interfaces, &rule->interfaces_count) || !rule->interfaces_count)
		return;
	qsort(rule->interfaces, rule->interfaces_count, sizeof(*rule->interfaces), compare_indices);
	for (size_t i = 1; i < rule->interfaces_count; i++) {
		if (rule->interfaces[i] != rule->interfaces[used])
			rule->interfaces[++used] = rule->interfaces[i];
	}
	rule->interfaces_count = used + 1;
}
