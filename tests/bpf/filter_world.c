/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets, rules and addresses of one configuration by chance, and that configuration as reconcile takes it. */
#include "filter_world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is the same in every world. The VIPs are others; their pool has nobody to serve. */
static const char surroundings[] =
	"protect:\n"
	"  - {from: [10.2.0.16/28, \"2001:db8::ff00/120\"]}\n"
	"  - {from: [10.2.0.0/24, \"2001:db9::/64\"], ports: [tcp/22, udp/161]}\n"
	"limits:\n"
	"  - {name: all, key: source, rate: 100M/s, burst: 100M}\n"
	"  - {name: one, key: source, rate: 100M/s, burst: 100M}\n"
	"  - {name: other, key: \"source/24,/56\", rate: 100M/s, burst: 100M}\n"
	"pools:\n"
	"  nobody: {backends: [{name: a, address: 10.9.9.9, weight: 0}]}\n"
	"services:\n"
	"  - {name: www, address: 10.9.9.10, ports: [tcp/443, udp/53], pools: [nobody], fallback: kernel}\n";
static const char *const protected_whole[] = {"10.2.0.16/28", "2001:db8::ff00/120"};
static const char *const protected_ports[] = {"10.2.0.0/24", "2001:db9::/64"};

static void *copy_of(const void *from, size_t count, size_t size)
{
	void *copy = NULL;

	if (!count)
		return NULL;
	copy = malloc(count * size);
	assert_non_null(copy);
	return memcpy(copy, from, count * size);
}

static struct config_ranges ranges_copy(struct config_ranges from)
{
	from.ranges = copy_of(from.ranges, from.count, sizeof(*from.ranges));
	return from;
}

static struct config_rule rule_copy(const struct config_rule *from, size_t number)
{
	struct config_rule rule = *from;

	snprintf(rule.name, sizeof(rule.name), "rule-%zu", number);
	rule.from = copy_of(from->from, from->from_count, sizeof(*from->from));
	rule.to = copy_of(from->to, from->to_count, sizeof(*from->to));
	rule.interfaces = copy_of(from->interfaces, from->interfaces_count, sizeof(*from->interfaces));
	rule.protocols = ranges_copy(from->protocols);
	rule.sports = ranges_copy(from->sports);
	rule.dports = ranges_copy(from->dports);
	rule.icmp = ranges_copy(from->icmp);
	rule.length = ranges_copy(from->length);
	rule.ttl = ranges_copy(from->ttl);
	rule.dscp = ranges_copy(from->dscp);
	rule.vlan = ranges_copy(from->vlan);
	return rule;
}

struct config *world_config(const struct world *world)
{
	const struct config *from = &world->rules.config;
	struct config_errors errors = {0};
	struct config *config = NULL;
	struct config_rule *rules = calloc(WEIR_MAX_RULES, sizeof(*rules));

	assert_non_null(rules);
	if (config_parse("chance.yaml", surroundings, strlen(surroundings), &config, &errors))
		fail_msg("%s", errors.text);
	config_errors_free(&errors);
	for (size_t i = 0; i < from->filter.rules_count; i++)
		rules[i] = rule_copy(&from->filter.rules[i], i);
	config->filter = (struct config_filter){
		.rules = rules,
		.rules_count = from->filter.rules_count,
		.default_action = from->filter.default_action,
	};
	for (size_t i = 1; i < WORLD_LIMITS; i++)
		config->limits[i].by_rule = true;
	config->sets = copy_of(from->sets, from->sets_count, sizeof(*from->sets));
	for (size_t i = 0; i < from->sets_count; i++)
		snprintf(config->sets[i].name, sizeof(config->sets[i].name), "set-%zu", i);
	config->sets_count = from->sets_count;
	free(config->interfaces);
	config->interfaces = copy_of(from->interfaces, from->interfaces_count, sizeof(*from->interfaces));
	config->interfaces_count = from->interfaces_count;
	for (size_t i = 0; i < from->interfaces_count; i++)
		snprintf(config->interfaces[i].name, sizeof(config->interfaces[i].name), "eth%u",
			 (unsigned int)i % WEIR_MAX_INTERFACES);
	free(config->services[0].addresses);
	config->services[0].addresses =
		copy_of(from->services[0].addresses, from->services[0].addresses_count, sizeof(struct addr));
	config->services[0].addresses_count = from->services[0].addresses_count;
	return config;
}

/* Where many /24s of one /16, or few /24s much, and many lengths of one /32 have something of their own. spread: bits
 * of the IPv4 addresses that differ. */
static struct prefix wide_prefix(struct chance *chance, uint32_t spread)
{
	uint8_t shortest = spread == 16 ? 22 : 26;

	number128 low = (number128)chance_word(chance) << 64 | chance_word(chance);

	if (chance_one_in(chance, 2))
		return prefix_around(WEIR_IPV4, 0x0a010000 + chance_below(chance, 1u << spread),
				     shortest + chance_below(chance, 33 - shortest));
	low &= ~(number128)0 >> (32 + chance_below(chance, 32));
	return prefix_around(WEIR_IPV6, ((number128)0x20010db8 + chance_below(chance, 2)) << 96 | low,
			     17 + chance_below(chance, 112));
}

static struct prefixes *finish(struct prefixes_builder *builder)
{
	struct prefixes *set = NULL;

	assert_int_equal(prefixes_finish(builder, &set), 0);
	return set;
}

/* The last three sets become large; the first stays unknown, the others have a few prefixes. */
static void make_listed(struct world *world, struct chance *chance, size_t count)
{
	struct rules_by_chance *rules = &world->rules;
	static const uint8_t spreads[] = {16, 12, 13, 11};
	uint32_t spread = spreads[chance_below(chance, ARRAY_SIZE(spreads))];

	world->listed = calloc(3 * count + 1, sizeof(*world->listed));
	assert_non_null(world->listed);
	for (size_t i = RULE_CHANCE_SETS - 3; i < RULE_CHANCE_SETS && count; i++) {
		struct prefixes_builder builder = {0};

		for (size_t n = 0; n < count; n++) {
			struct prefix prefix = chance_one_in(chance, 2)
						       ? wide_prefix(chance, spread)
						       : chance_prefix(chance, world->listed, world->listed_count);

			/* What holds a good part of all addresses would leave nothing to tell apart. */
			if (prefix.length < 12)
				prefix = wide_prefix(chance, spread);
			world->listed[world->listed_count++] = prefix;
			assert_int_equal(prefixes_add(&builder, &prefix), 0);
		}
		prefixes_release(rules->contents[i]);
		rules->contents[i] = finish(&builder);
	}
}

static bool lies_in(const struct addr *addr, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix_covers(&prefix, addr);
}

static bool is_martian(const struct addr *addr)
{
	static const char *const prefixes[] = {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255",
					       "::",	    "::1",	   "ff00::/8",	  "::ffff:0:0/96"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (lies_in(addr, prefixes[i]))
			return true;
	return false;
}

/* Terms of a side over what each set was found to hold. */
static bool side_holds(const struct config_term *terms, size_t count, const struct addr *addr, const bool *held,
		       bool is_vip)
{
	bool asked = false, found = false;

	for (size_t i = 0; i < count; i++) {
		bool holds = terms[i].set == CONFIG_TERM_PREFIX ? prefix_covers(&terms[i].prefix, addr)
			     : terms[i].set == CONFIG_TERM_VIPS ? is_vip
								: held[terms[i].set];

		if (terms[i].negated && holds)
			return false;
		asked |= !terms[i].negated;
		found |= !terms[i].negated && holds;
	}
	return found || !asked;
}

static void address_ask(const struct world *world, struct world_address *address)
{
	const struct rules_by_chance *rules = &world->rules;
	const struct addr *addr = &address->addr;
	bool held[RULE_CHANCE_SETS];

	address->is_martian = is_martian(addr);
	address->is_link_local = lies_in(addr, "fe80::/10");
	address->is_vip = oracle_is_vip(&rules->config, addr);
	address->is_allowed = lies_in(addr, WORLD_ALLOWED4) || lies_in(addr, WORLD_ALLOWED6);
	address->is_denied = lies_in(addr, WORLD_DENIED4) || lies_in(addr, WORLD_DENIED6);
	for (size_t i = 0; i < 2; i++) {
		address->is_protected |= lies_in(addr, protected_whole[i]);
		address->is_managed |= lies_in(addr, protected_ports[i]);
	}
	for (size_t i = 0; i < RULE_CHANCE_SETS; i++)
		held[i] = oracle_set_holds(rules->contents[i], addr);
	for (size_t i = 0; i < rules->config.filter.rules_count; i++) {
		const struct config_rule *rule = &rules->rules[i];
		uint64_t bit = 1ull << i % 64;

		if (side_holds(rule->from, rule->from_count, addr, held, address->is_vip))
			address->from[i / 64] |= bit;
		if (side_holds(rule->to, rule->to_count, addr, held, address->is_vip))
			address->to[i / 64] |= bit;
	}
}

static struct addr choose_address(const struct world *world, struct chance *chance)
{
	const struct rules_by_chance *rules = &world->rules;
	uint32_t kind = chance_below(chance, 32);

	if (!kind)
		return rules->vips[chance_below(chance, ARRAY_SIZE(rules->vips))];
	if (kind < 16 && world->listed_count)
		return chance_address(chance, world->listed, world->listed_count);
	return chance_address(chance, rules->near, RULE_CHANCE_NEAR);
}

static int compare_addresses(const void *a, const void *b)
{
	const struct world_address *left = a, *right = b;

	return addr_compare(&left->addr, &right->addr);
}

static void make_addresses(struct world *world, struct chance *chance)
{
	world->v4_count = 0;
	for (size_t i = 0; i < WORLD_ADDRESSES; i++) {
		struct world_address *address = &world->addresses[i];

		memset(address, 0, sizeof(*address));
		/* Both families need some. */
		address->addr = i ? choose_address(world, chance) : addr_of(WEIR_IPV4, 0x0a010001);
		if (i == 1)
			address->addr = addr_of(WEIR_IPV6, (number128)0x20010db8 << 96 | 1);
		world->v4_count += address->addr.family == WEIR_IPV4;
	}
	qsort(world->addresses, WORLD_ADDRESSES, sizeof(*world->addresses), compare_addresses);
	for (size_t i = 0; i < WORLD_ADDRESSES; i++)
		address_ask(world, &world->addresses[i]);
}

/* Wants a source of some set, whatever it wanted before. */
static void want_source(struct chance *chance, struct config_rule *rule)
{
	if (!rule->from_count)
		rule->from[rule->from_count++].set = chance_below(chance, RULE_CHANCE_SETS);
	for (size_t i = 0; i < rule->from_count; i++)
		rule->from[i].negated = false;
}

static void adapt_rules(struct world *world, struct chance *chance, const struct world_shape *shape)
{
	struct rules_by_chance *rules = &world->rules;

	for (size_t i = 0; i < shape->rules; i++) {
		struct config_rule *rule = &rules->rules[i];

		if (shape->is_listed)
			want_source(chance, rule);
		if (shape->is_quick) {
			rule->mode = CONFIG_RULE_ENFORCE;
			rule->expires_s = 0;
		}
		rule->limit = 1 + chance_below(chance, WORLD_LIMITS - 1);
		if (shape->is_timeless && rule->action == CONFIG_ACTION_REJECT)
			rule->action = CONFIG_ACTION_DROP;
		if (shape->is_timeless && rule->expires_s > RULE_CHANCE_NOW_S)
			rule->expires_s = RULE_CHANCE_NOW_S + 1000000;
		else if (rule->expires_s > RULE_CHANCE_NOW_S)
			rule->expires_s += chance_below(chance, world->lasts_s);
	}
	for (size_t i = 1; i < ARRAY_SIZE(rules->vips); i++)
		for (size_t j = 0; j < i; j++)
			if (addr_equal(&rules->vips[i], &rules->vips[j]))
				rules->vips[i] = addr_of(WEIR_IPV4, 0x0a010000 + (uint32_t)i);
	if (shape->is_timeless)
		rules->ifindexes[0] = 1;
	if (!shape->is_quick && chance_one_in(chance, 3))
		rules->config.filter.default_action = CONFIG_ACTION_DROP;
}

void world_open(struct world *world, struct chance *chance, const struct world_shape *shape, uint64_t start_ns)
{
	assert_int_equal(rules_by_chance_make(chance, shape->rules, shape->rarity, &world->rules), 0);
	world->start_ns = start_ns;
	world->rules.input.monotonic_ns = (int64_t)start_ns;
	adapt_rules(world, chance, shape);
	make_listed(world, chance, shape->listed);
	make_addresses(world, chance);
}

void world_close(struct world *world)
{
	rules_by_chance_free(&world->rules);
	free(world->listed);
	world->listed = NULL;
	world->listed_count = 0;
}

static void print_rule(const struct config *config, size_t number)
{
	static const char *const modes[] = CONFIG_RULE_MODE_NAMES;
	const struct config_rule *rule = &config->filter.rules[number];
	char *text = config_rule_format(config, rule);

	print_error("  rule %zu: %s; %s, expires %lld\n", number, text ? text : "?", modes[rule->mode],
		    (long long)rule->expires_s);
	free(text);
}

static void print_side(const char *name, const struct world_address *address)
{
	char text[ADDR_TEXT_MAX];

	print_error("  %s %s%s%s%s%s\n", name, addr_format(&address->addr, text), address->is_vip ? ", a VIP" : "",
		    address->is_allowed ? ", allowed" : "", address->is_denied ? ", denied" : "",
		    address->is_protected || address->is_managed ? ", protected" : "");
}

void world_print(const struct world *world, const struct config *config, const struct world_packet *packet)
{
	const struct oracle_packet *p = &packet->packet;
	size_t rules = world->rules.config.filter.rules_count;

	print_error("%zu rules, default %s\n", rules,
		    world->rules.config.filter.default_action == CONFIG_ACTION_DROP ? "drop" : "pass");
	for (size_t i = 0; i < rules; i++) {
		uint64_t both = packet->source->from[i / 64] & packet->destination->to[i / 64];

		if (rules <= 64 || both >> i % 64 & 1) /* of many those that the addresses leave */
			print_rule(config, i);
	}
	print_side("from", packet->source);
	print_side("to", packet->destination);
	print_error("  protocol %u, ports %u and %u, flags %02x, ICMP %u/%u, quoted port %u\n", p->protocol, p->sport,
		    p->dport, p->tcp_flags, p->icmp_type, p->icmp_code, packet->quoted_port);
	print_error("  length %u, ttl %u, dscp %u, fragment %u, extensions %d, vlan %u, ifindex %u, after %llu ms\n",
		    p->length, p->ttl, p->dscp, p->fragment, p->extensions, p->vlan, p->ifindex,
		    (unsigned long long)(packet->now_ns - world->start_ns) / 1000000);
	print_error("  frame");
	for (size_t i = 0; i < packet->size && i < 256; i++)
		print_error(" %02x", packet->frame[i]);
	print_error("\n");
}
