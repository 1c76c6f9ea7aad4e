/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules that no packet can match, whatever it is. */
#include "rule.h"

#include <netinet/in.h>
#include <string.h>

bool rule_has_protocol(const struct config_rule *rule, uint8_t ipv4, uint8_t ipv6)
{
	return ranges_hold(&rule->protocols, ipv4) || ranges_hold(&rule->protocols, 256u + ipv6);
}

static uint8_t families_of_protocols(const struct config_ranges *protocols)
{
	uint8_t found = 0;

	for (size_t i = 0; i < protocols->count; i++) {
		if (protocols->ranges[i].first < 256)
			found |= FAMILY_BIT_IPV4;
		if (protocols->ranges[i].last >= 256)
			found |= FAMILY_BIT_IPV6;
	}
	return protocols->count ? found : FAMILY_BITS;
}

uint8_t rule_families(const struct config *config, const struct config_rule *rule)
{
	return rule_families_of_terms(config, rule->from, rule->from_count) &
	       rule_families_of_terms(config, rule->to, rule->to_count) & families_of_protocols(&rule->protocols) &
	       (rule->extensions > 0 ? FAMILY_BIT_IPV6 : FAMILY_BITS);
}

static void check_families(struct form *form, const struct rule_draft *draft)
{
	const struct config_rule *rule = draft->rule;
	uint8_t from = rule_families_of_terms(form->config, rule->from, rule->from_count);
	uint8_t to = rule_families_of_terms(form->config, rule->to, rule->to_count);
	uint8_t protocols = families_of_protocols(&rule->protocols);

	if (!from || !to)
		errors_add(form->errors, from ? draft->to->place : draft->from->place,
			   "\"%s\" leaves no address: every family is taken out by a \"!\" or not named",
			   from ? "to" : "from");
	else if (!(from & to))
		errors_add(
			form->errors, draft->to->place,
			"\"from\" is of one family and \"to\" of the other, which no packet is: write a rule for each "
			"family");
	else if (!(from & to & protocols))
		errors_add(form->errors, draft->proto ? draft->proto->place : draft->icmp->place,
			   "the protocol is of IPv%d and the addresses are of IPv%d, which no packet is: change one of "
			   "them",
			   protocols == FAMILY_BIT_IPV4 ? 4 : 6, protocols == FAMILY_BIT_IPV4 ? 6 : 4);
	else if (rule->extensions > 0 && !(from & to & protocols & FAMILY_BIT_IPV6))
		errors_add(form->errors, draft->extensions->place,
			   "extension headers are of IPv6, the rest of the rule of IPv4, which no packet is: leave one "
			   "out");
}

static void check_protocol(struct form *form, const struct yaml_node *node, const char *needed, bool is_there)
{
	if (node && !is_there)
		errors_add(form->errors, node->place,
			   "\"%s\" never holds: it is of %s, which \"proto\" leaves out: change \"proto\" or leave one "
			   "out",
			   form_label(node), needed);
}

static void check_pair(struct form *form, const struct yaml_node *a, const struct yaml_node *b)
{
	if (a && b)
		errors_add(form->errors, b->place,
			   "\"%s\" and \"%s\" hold for no packet together: leave one out, or write two rules",
			   form_label(a), form_label(b));
}

static void check_fragment(struct form *form, const struct rule_draft *draft)
{
	const struct yaml_node *const nodes[] = {draft->sport, draft->dport, draft->tcp_flags, draft->icmp};

	if (draft->rule->fragments != 4)
		return;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		if (nodes[i])
			errors_add(form->errors, nodes[i]->place,
				   "\"%s\" never holds: later fragments do not have it; leave it or \"fragment\" out",
				   form_label(nodes[i]));
	}
}

/* Certain only: the same set, or a prefix within a prefix. */
static bool is_taken_away(const struct config_term *term, const struct config_term *terms, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!terms[i].negated || terms[i].set != term->set)
			continue;
		if (term->set != CONFIG_TERM_PREFIX)
			return true;
		if (terms[i].prefix.length <= term->prefix.length &&
		    prefix_covers(&terms[i].prefix, &term->prefix.addr))
			return true;
	}
	return false;
}

/* Long lists are taken as meant: the work grows with the square. */
#define TERMS_COMPARED 1000

static void check_terms(struct form *form, const struct yaml_node *node, const struct config_term *terms, size_t count)
{
	size_t positive = 0;

	if (count > TERMS_COMPARED)
		return;
	for (size_t i = 0; i < count; i++) {
		if (terms[i].negated)
			continue;
		positive++;
		if (!is_taken_away(&terms[i], terms, count))
			return;
	}
	if (positive)
		errors_add(
			form->errors, node->place,
			"\"%s\" leaves no address: all that it names is taken out again by a \"!\"; remove one of them",
			form_label(node));
}

void rule_check_contradictions(struct form *form, const struct rule_draft *draft)
{
	const struct config_rule *rule = draft->rule;
	bool tcp = rule_has_protocol(rule, IPPROTO_TCP, IPPROTO_TCP);
	bool udp = rule_has_protocol(rule, IPPROTO_UDP, IPPROTO_UDP);
	bool icmp = rule_has_protocol(rule, IPPROTO_ICMP, IPPROTO_ICMPV6);

	check_terms(form, draft->from, rule->from, rule->from_count);
	check_terms(form, draft->to, rule->to, rule->to_count);
	check_families(form, draft);
	if (draft->proto) {
		check_protocol(form, draft->sport, "TCP and UDP", tcp || udp);
		check_protocol(form, draft->dport, "TCP and UDP", tcp || udp);
		check_protocol(form, draft->tcp_flags, "TCP", tcp);
		check_protocol(form, draft->icmp, "ICMP", icmp);
	}
	if (!draft->proto || (icmp && (tcp || udp))) {
		check_pair(form, draft->icmp, draft->sport);
		check_pair(form, draft->icmp, draft->dport);
		check_pair(form, draft->icmp, draft->tcp_flags);
	}
	check_fragment(form, draft);
}
