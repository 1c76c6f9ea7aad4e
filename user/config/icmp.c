/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP types of rules: "echo-request", "3/4".
 *
 * ICMP and ICMPv6 number their types apart, and a packet's type is one number whatever its family: a name stands for a
 * number only once the rule is known to be of one family.
 */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"
#include "units.h"

struct icmp_draft {
	struct config_ranges types;
	uint8_t families; /* that the rule has, and from the first pass on that all names have */
	bool resolve;	  /* the second pass: families is final */
};

static uint8_t families_of_pair(const struct keyword_pair *pair)
{
	return (pair->ipv4 >= 0 ? FAMILY_BIT_IPV4 : 0) | (pair->ipv6 >= 0 ? FAMILY_BIT_IPV6 : 0);
}

static bool refuse_type(struct form *form, const struct yaml_node *node, const char *item, const char *type)
{
	struct nearest nearest = {.word = type};

	for (size_t i = 0; i < keywords_icmp_count; i++)
		nearest_try(&nearest, keywords_icmp[i].word);
	errors_add(
		form->errors, node->place,
		"\"%s\" for \"icmp\": a type is a name as echo-request or a number from 0 to 255, perhaps with a code "
		"as in 3/4%s",
		SHOWN(item), MEANT(&nearest));
	return false;
}

/* The first pass leaves the families that all names have; the second knows the number. */
static bool resolve_name(struct form *form, const struct yaml_node *node, const struct keyword_pair *pair,
			 struct icmp_draft *draft, uint64_t *type)
{
	uint8_t left = draft->families & families_of_pair(pair);

	if (!left) {
		errors_add(form->errors, node->place,
			   "\"%s\" for \"icmp\" is of IPv%d alone, the rest of the rule %s%s", pair->word,
			   pair->ipv4 >= 0 ? 4 : 6, draft->families == FAMILY_BIT_IPV4 ? "of IPv4" : "of IPv6",
			   ": write a rule for each family");
		return false;
	}
	if (!draft->resolve) {
		draft->families = left;
		return true;
	}
	if (left == FAMILY_BITS) {
		errors_add(form->errors, node->place,
			   "\"%s\" is type %d in ICMP and %d in ICMPv6: say which by \"proto: icmpv4\" or \"proto: "
			   "icmpv6\", "
			   "in a rule for each",
			   pair->word, pair->ipv4, pair->ipv6);
		return false;
	}
	*type = (uint64_t)(left == FAMILY_BIT_IPV4 ? pair->ipv4 : pair->ipv6);
	return true;
}

static bool read_type(struct form *form, const struct yaml_node *node, const char *item, void *object)
{
	struct icmp_draft *draft = object;
	const char *slash = strchr(item, '/');
	char word[64];
	uint64_t type, code = 0;

	snprintf(word, sizeof(word), "%.*s", slash ? (int)(slash - item) : (int)strlen(item), item);
	if (slash && (units_integer(slash + 1, &code) || code > UINT8_MAX))
		return refuse_type(form, node, item, word);
	if (units_integer(word, &type)) {
		size_t i = 0;

		while (i < keywords_icmp_count && strcmp(keywords_icmp[i].word, word))
			i++;
		if (i == keywords_icmp_count)
			return refuse_type(form, node, item, word);
		if (!resolve_name(form, node, &keywords_icmp[i], draft, &type))
			return false;
	} else if (type > UINT8_MAX) {
		return refuse_type(form, node, item, word);
	}
	if (!draft->resolve)
		return true;
	type <<= 8;
	return ranges_add(form, &draft->types, (unsigned int)(type | code),
			  (unsigned int)(slash ? type | code : type | 255));
}

/* A name that just one family has makes the rule one of that family. */
static void narrow_protocols(struct form *form, struct config_rule *rule, uint8_t families)
{
	struct config_ranges protocols = {};
	unsigned int value = families == FAMILY_BIT_IPV4 ? 1 : 256 + 58;

	if (!ranges_add(form, &protocols, value, value))
		return;
	ranges_clear(&rule->protocols);
	rule->protocols = protocols;
}

void rule_read_icmp(struct form *form, struct rule_draft *draft)
{
	struct config_rule *rule = draft->rule;
	uint8_t families = rule_families(form->config, rule), of_icmp;
	struct icmp_draft icmp = {};

	/* Other protocols beside ICMP say nothing about the family of an ICMP packet. */
	of_icmp = (ranges_hold(&rule->protocols, 1) ? FAMILY_BIT_IPV4 : 0) |
		  (ranges_hold(&rule->protocols, 256 + 58) ? FAMILY_BIT_IPV6 : 0);
	icmp.families = families & of_icmp ? families & of_icmp : FAMILY_BITS;
	families = icmp.families;
	if (!items_read(form, draft->icmp, read_type, &icmp))
		return;
	icmp.resolve = true;
	if (!items_read(form, draft->icmp, read_type, &icmp)) {
		ranges_clear(&icmp.types);
		return;
	}
	ranges_join(&icmp.types);
	rule->icmp = icmp.types;
	if (icmp.families != families && of_icmp == FAMILY_BITS)
		narrow_protocols(form, rule, icmp.families);
}
