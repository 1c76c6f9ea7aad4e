/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets, rules and packets by chance: rules that overlap, and packets at the edges of what rules ask for. */
#ifndef WEIR_TESTS_UNIT_RULE_CHANCE_H
#define WEIR_TESTS_UNIT_RULE_CHANCE_H

#include "chance.h"
#include "rule_oracle.h"
#include "user/base/scope.h"

#define RULE_CHANCE_SETS       8
#define RULE_CHANCE_NEAR       64 /* prefixes that all sets and rules draw from */
#define RULE_CHANCE_EACH       4  /* terms, ranges and interfaces in a list at most */
#define RULE_CHANCE_INTERFACES 4
#define RULE_CHANCE_NOW_S      1000

/* One rule with room for its lists. */
struct rule_by_chance {
	struct config_term from[RULE_CHANCE_EACH], to[RULE_CHANCE_EACH];
	struct config_range ranges[8][RULE_CHANCE_EACH];
	size_t interfaces[RULE_CHANCE_EACH];
};

struct rules_by_chance {
	struct config config;
	struct config_set sets[RULE_CHANCE_SETS];
	struct config_interface interfaces[RULE_CHANCE_INTERFACES];
	struct config_service service;
	struct addr vips[4];
	struct prefix near[RULE_CHANCE_NEAR];
	struct prefixes *contents[RULE_CHANCE_SETS];
	uint32_t ids[WEIR_MAX_RULES], ifindexes[RULE_CHANCE_INTERFACES];
	struct config_rule rules[WEIR_MAX_RULES];
	struct rule_by_chance lists[WEIR_MAX_RULES];
	struct compile_filter_input input;
};

static inline uint16_t chance_value(struct chance *chance, uint32_t values)
{
	static const uint16_t known[] = {0, 1, 2, 6, 17, 58, 80, 255, 256, 443, 1023, 1024, 65534, 65535};
	uint32_t value = known[chance_below(chance, ARRAY_SIZE(known))];

	if (chance_one_in(chance, 3))
		value = chance_below(chance, values);
	return value < values ? value : values - 1;
}

static inline struct config_ranges chance_ranges(struct chance *chance, struct config_range *room, uint32_t values)
{
	struct config_ranges ranges = {.ranges = room, .count = 1 + chance_below(chance, RULE_CHANCE_EACH)};

	for (size_t i = 0; i < ranges.count; i++) {
		uint16_t a = chance_value(chance, values),
			 b = chance_one_in(chance, 2) ? a : chance_value(chance, values);

		room[i] = (struct config_range){.first = a < b ? a : b, .last = a < b ? b : a};
	}
	return ranges;
}

static inline size_t chance_terms(struct chance *chance, const struct rules_by_chance *all, struct config_term *room)
{
	size_t count = 1 + chance_below(chance, RULE_CHANCE_EACH);

	for (size_t i = 0; i < count; i++) {
		room[i] = (struct config_term){.set = CONFIG_TERM_PREFIX, .negated = chance_one_in(chance, 3)};
		if (chance_one_in(chance, 2))
			room[i].prefix = all->near[chance_below(chance, RULE_CHANCE_NEAR)];
		else if (chance_one_in(chance, 8))
			room[i].set = CONFIG_TERM_VIPS;
		else
			room[i].set = chance_below(chance, RULE_CHANCE_SETS);
	}
	return count;
}

static inline void chance_transport(struct chance *chance, struct config_rule *rule, struct rule_by_chance *lists,
				    uint32_t rarity)
{
	if (chance_one_in(chance, rarity))
		rule->protocols = chance_ranges(chance, lists->ranges[0], 512);
	if (chance_one_in(chance, rarity))
		rule->sports = chance_ranges(chance, lists->ranges[1], 65536);
	if (chance_one_in(chance, rarity))
		rule->dports = chance_ranges(chance, lists->ranges[2], 65536);
	if (chance_one_in(chance, rarity))
		rule->icmp = chance_ranges(chance, lists->ranges[3], 65536);
	if (chance_one_in(chance, rarity)) {
		rule->has_tcp_flags = true;
		rule->tcp_flags_mask = chance_word(chance);
		rule->tcp_flags_set = chance_word(chance) & rule->tcp_flags_mask;
	}
}

/* rarity: one rule in so many looks at a field. */
static inline void chance_rule(struct chance *chance, struct rules_by_chance *all, size_t number, uint32_t rarity)
{
	struct config_rule *rule = &all->rules[number];
	struct rule_by_chance *lists = &all->lists[number];

	*rule = (struct config_rule){.from = lists->from, .to = lists->to, .interfaces = lists->interfaces};
	rule->action = chance_below(chance, CONFIG_ACTION_REJECT + 1);
	rule->mark = 1 + (uint32_t)number; /* of any action: it must count for one alone */
	rule->mode = chance_one_in(chance, 3) ? chance_below(chance, 3) : CONFIG_RULE_ENFORCE;
	rule->expires_s = chance_one_in(chance, 6) ? RULE_CHANCE_NOW_S - 1 + chance_below(chance, 3) : 0;
	if (chance_one_in(chance, 2))
		rule->from_count = chance_terms(chance, all, lists->from);
	if (chance_one_in(chance, rarity))
		rule->to_count = chance_terms(chance, all, lists->to);
	chance_transport(chance, rule, lists, rarity);
	if (chance_one_in(chance, rarity))
		rule->length = chance_ranges(chance, lists->ranges[4], 65536);
	if (chance_one_in(chance, rarity))
		rule->ttl = chance_ranges(chance, lists->ranges[5], 256);
	if (chance_one_in(chance, rarity))
		rule->dscp = chance_ranges(chance, lists->ranges[6], 64);
	if (chance_one_in(chance, rarity))
		rule->vlan = chance_ranges(chance, lists->ranges[7], 4097);
	if (chance_one_in(chance, rarity))
		rule->fragments = 1 + chance_below(chance, 7);
	if (chance_one_in(chance, rarity))
		rule->extensions = chance_one_in(chance, 2) ? 1 : -1;
	if (!chance_one_in(chance, rarity))
		return;
	rule->interfaces_count = 1 + chance_below(chance, 2);
	for (size_t i = 0; i < rule->interfaces_count; i++)
		lists->interfaces[i] = chance_below(chance, RULE_CHANCE_INTERFACES);
}

/* Returns 0 or -ENOMEM; rules_by_chance_free in every case. */
static inline int rules_by_chance_make(struct chance *chance, size_t count, uint32_t rarity,
				       struct rules_by_chance *all)
{
	*all = (struct rules_by_chance){.ifindexes = {7, 0, 9, 12}};
	for (size_t i = 0; i < RULE_CHANCE_NEAR; i++)
		all->near[i] = chance_prefix(chance, all->near, i);
	for (size_t i = 0; i < ARRAY_SIZE(all->vips); i++)
		all->vips[i] = chance_address(chance, all->near, RULE_CHANCE_NEAR);
	/* One set stays NULL: nothing is known of it. */
	for (size_t i = 1; i < RULE_CHANCE_SETS; i++) {
		struct prefixes_builder builder = {0};
		int error = 0;

		for (uint32_t n = chance_below(chance, 12); n && !error; n--)
			error = prefixes_add(&builder, &all->near[chance_below(chance, RULE_CHANCE_NEAR)]);
		if (!error)
			error = prefixes_finish(&builder, &all->contents[i]);
		prefixes_builder_free(&builder);
		if (error)
			return error;
	}
	for (size_t i = 0; i < count; i++) {
		all->ids[i] = i + 1;
		chance_rule(chance, all, i, rarity);
	}
	all->service = (struct config_service){.addresses = all->vips, .addresses_count = ARRAY_SIZE(all->vips)};
	all->config = (struct config){
		.sets = all->sets,
		.sets_count = RULE_CHANCE_SETS,
		.interfaces = all->interfaces,
		.interfaces_count = RULE_CHANCE_INTERFACES,
		.services = &all->service,
		.services_count = 1,
		.filter = {.rules = all->rules, .rules_count = count},
	};
	all->input = (struct compile_filter_input){
		.config = &all->config,
		.contents = (const struct prefixes *const *)all->contents,
		.rule_ids = all->ids,
		.realtime_ns = RULE_CHANCE_NOW_S * 1000000000ll,
		.monotonic_ns = 5000000000ll,
		.ifindexes = all->ifindexes,
	};
	return 0;
}

static inline void rules_by_chance_free(struct rules_by_chance *all)
{
	for (size_t i = 0; i < RULE_CHANCE_SETS; i++)
		prefixes_release(all->contents[i]);
}

/* At an end of one of the ranges, or any. */
static inline uint16_t chance_in_ranges(struct chance *chance, const struct config_ranges *ranges, uint32_t values)
{
	const struct config_range *range;

	if (!ranges->count || chance_one_in(chance, 4))
		return chance_value(chance, values);
	range = &ranges->ranges[chance_below(chance, ranges->count)];
	return ((chance_one_in(chance, 2) ? range->first : range->last) + values + chance_below(chance, 5) / 2 - 1) %
	       values;
}

/* A VIP or an address around one of the prefixes; family: that it must be of, 0 for either. */
static inline struct addr chance_side(struct chance *chance, const struct rules_by_chance *all, uint8_t family)
{
	for (int tries = 0; tries < 8; tries++) {
		struct addr addr = chance_one_in(chance, 6) ? all->vips[chance_below(chance, ARRAY_SIZE(all->vips))]
							    : chance_address(chance, all->near, RULE_CHANCE_NEAR);

		if (!family || addr.family == family)
			return addr;
	}
	return addr_of(family, chance_number(chance, family));
}

/* A packet that is close to what one of the rules asks for. */
static inline struct oracle_packet chance_packet(struct chance *chance, const struct rules_by_chance *all)
{
	static const struct config_rule any;
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE};
	size_t count = all->config.filter.rules_count;
	const struct config_rule *rule = count ? &all->rules[chance_below(chance, count)] : &any;
	struct oracle_packet packet = {.source = chance_side(chance, all, 0)};

	packet.destination = chance_side(chance, all, packet.source.family);
	packet.protocol = protocols[chance_below(chance, ARRAY_SIZE(protocols))];
	if (chance_one_in(chance, 4))
		packet.protocol = chance_in_ranges(chance, &rule->protocols, 512);
	packet.sport = chance_in_ranges(chance, &rule->sports, 65536);
	packet.dport = chance_in_ranges(chance, &rule->dports, 65536);
	packet.tcp_flags = chance_one_in(chance, 2) ? rule->tcp_flags_set : chance_word(chance);
	packet.icmp_type = chance_in_ranges(chance, &rule->icmp, 65536) >> 8;
	packet.icmp_code = chance_in_ranges(chance, &rule->icmp, 65536);
	packet.length = chance_in_ranges(chance, &rule->length, 65536);
	if (chance_one_in(chance, 32))
		packet.length += 65536;
	packet.ttl = chance_in_ranges(chance, &rule->ttl, 256);
	packet.dscp = chance_in_ranges(chance, &rule->dscp, 64);
	packet.vlan = chance_one_in(chance, 2) ? WEIR_NO_VLAN : chance_in_ranges(chance, &rule->vlan, 4097);
	packet.fragment = chance_one_in(chance, 3) ? chance_below(chance, 3) : 0;
	packet.extensions = packet.source.family == WEIR_IPV6 && chance_one_in(chance, 3);
	packet.ifindex = chance_one_in(chance, 4) ? 3 : all->ifindexes[chance_below(chance, RULE_CHANCE_INTERFACES)];
	return packet;
}

#endif
