/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: what the readers of rules share. */
#ifndef WEIR_CONFIG_RULE_H
#define WEIR_CONFIG_RULE_H

#include "form.h"

#include "keywords.h"

/* A rule while its keys are read, with the values that what is checked at the end points to; NULL: not there. */
struct rule_draft {
	struct config_rule *rule;
	const struct yaml_node *from, *to, *proto, *sport, *dport, *tcp_flags, *icmp, *fragment, *extensions;
	const struct yaml_node *action, *limit, *mark;
};

/* Reads one item of a list: YAML's, or of words between commas. Returns false after it reported. */
typedef bool item_reader(struct form *form, const struct yaml_node *node, const char *item, void *object);
bool items_read(struct form *form, const struct yaml_node *node, item_reader *read, void *object);

/* What a number in a packet may be, and how it may be written. */
struct range_kind {
	uint16_t max;
	const struct keyword *words;
	size_t words_count;
};
extern const struct range_kind range_port, range_length, range_ttl, range_dscp, range_vlan;

/* Numbers, ranges and comparisons into *out: sorted, joined where they touch, so that what means the same is the
 * same. *out is untouched after an error. */
void ranges_read(struct form *form, const struct yaml_node *node, const struct range_kind *kind,
		 struct config_ranges *out);
bool ranges_add(struct form *form, struct config_ranges *ranges, unsigned int first, unsigned int last);
void ranges_join(struct config_ranges *ranges);
bool ranges_hold(const struct config_ranges *ranges, unsigned int value);
/* Every value of inner is one of outer; without ranges it is every value there is. */
bool ranges_cover(const struct config_ranges *outer, const struct config_ranges *inner);
bool ranges_equal(const struct config_ranges *a, const struct config_ranges *b);
void ranges_clear(struct config_ranges *ranges);
#define AUTO_RANGES __attribute__((cleanup(ranges_clear)))

/* The readers of a rule's keys; object is a struct rule_draft. */
form_reader rule_read_from, rule_read_to, rule_read_protocol, rule_read_sport, rule_read_dport, rule_read_tcp_flags,
	rule_read_length, rule_read_ttl, rule_read_dscp, rule_read_fragment, rule_read_extensions, rule_read_vlan,
	rule_read_interface;
/* Read when all others are: what a type is called depends on the family that they leave. */
void rule_read_icmp(struct form *form, struct rule_draft *draft);

/* Reports what no packet can be. */
void rule_check_contradictions(struct form *form, const struct rule_draft *draft);

enum { FAMILY_BIT_IPV4 = 1, FAMILY_BIT_IPV6 = 2, FAMILY_BITS = 3 };
/* The families that some packet which a side of a rule lets through may have; files count as both. */
uint8_t rule_families_of_terms(const struct config *config, const struct config_term *terms, size_t count);
/* The same of a whole rule. */
uint8_t rule_families(const struct config *config, const struct config_rule *rule);
/* Bits of the protocols that a rule lets through. */
bool rule_has_protocol(const struct config_rule *rule, uint8_t ipv4, uint8_t ipv6);

/* Names those that have none, and reports those that share one. */
void rule_names_check(struct form *form, struct config_rule *rules, size_t count);

void rule_clear(struct config_rule *rule);

#endif
