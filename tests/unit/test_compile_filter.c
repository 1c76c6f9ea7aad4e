/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: rules to bit vectors, and what the vectors say against the rules read one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rule_chance.h"
#include "user/base/scope.h"

static struct rules_by_chance world; /* too large for a stack; each test fills it anew */

/* --- the search, as the program makes it ----------------------------------------------------------------- */

static uint32_t value_of(const struct compile_filter *filter, const struct oracle_packet *packet,
			 enum weir_dimension dimension)
{
	bool is_v6 = packet->source.family == WEIR_IPV6, later = packet->fragment == 2;
	bool has_ports = !later && (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP);
	bool is_icmp = !later && packet->protocol == (is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	uint32_t position = 0;

	switch (dimension) {
	case WEIR_DIMENSION_PROTOCOL:
		return packet->protocol | (is_v6 ? 256 : 0);
	case WEIR_DIMENSION_SPORT:
		return has_ports ? packet->sport : WEIR_NO_PORT;
	case WEIR_DIMENSION_DPORT:
		return has_ports ? packet->dport : WEIR_NO_PORT;
	case WEIR_DIMENSION_TCP_FLAGS:
		return !later && packet->protocol == IPPROTO_TCP ? packet->tcp_flags : WEIR_NO_TCP_FLAGS;
	case WEIR_DIMENSION_ICMP:
		return is_icmp ? packet->icmp_type << 8 | packet->icmp_code : WEIR_NO_ICMP;
	case WEIR_DIMENSION_LENGTH:
		return packet->length < 65535 ? packet->length : 65535;
	case WEIR_DIMENSION_TTL:
		return packet->ttl;
	case WEIR_DIMENSION_DSCP:
		return packet->dscp;
	case WEIR_DIMENSION_FRAGMENT:
		return packet->fragment | (packet->extensions ? WEIR_EXTENDED : 0);
	case WEIR_DIMENSION_VLAN:
		return packet->vlan;
	default:
		while (position < WEIR_MAX_INTERFACES && filter->head.interfaces[position] &&
		       filter->head.interfaces[position] != packet->ifindex)
			position++;
		return position < WEIR_MAX_INTERFACES && filter->head.interfaces[position] ? position : 16;
	}
}

static const struct weir_vector_line *vector_of(const struct compile_filter *filter, const struct oracle_packet *packet,
						enum weir_dimension dimension)
{
	const struct addr *addr = dimension == WEIR_DIMENSION_SOURCE ? &packet->source : &packet->destination;
	size_t class, line;

	if (dimension <= WEIR_DIMENSION_DESTINATION) {
		class = compile_addresses_find(&filter->addresses, addr);
	} else {
		size_t element = filter->head.index_base[dimension] + value_of(filter, packet, dimension);

		assert_true(element / 4 < filter->indexes_count);
		class = (uint16_t)(filter->indexes[element / 4] >> (element % 4 * 16));
	}
	line = filter->head.vector_base[dimension] + class * filter->head.vector_lines;
	assert_true(line + filter->head.vector_lines <= filter->vectors_count);
	return filter->vectors + line;
}

static uint64_t word_of(const struct weir_vector_line *lines, size_t word)
{
	return lines[word / 8].word[word % 8];
}

/* The AND of a word over all dimensions in use. */
static uint64_t match_word(const struct weir_vector_line *const *vectors, size_t count, size_t word)
{
	uint64_t bits = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		bits &= word_of(vectors[i], word);
	return bits;
}

/* One rule that matches; true: it decides. */
static bool take_rule(const struct compile_filter *filter, size_t number, struct oracle_verdict *verdict)
{
	const struct weir_rule *rule = &filter->rules[number];
	const struct weir_vector_line *enforcing = filter->vectors + filter->head.enforcing;
	bool acts = word_of(enforcing, 1 + number / 64) >> number % 64 & 1;

	assert_true(number < filter->rules_count);
	assert_int_equal(acts, !rule->shadow);
	assert_int_equal(word_of(enforcing + filter->head.vector_lines, 1 + number / 64) >> number % 64 & 1, !acts);
	if (acts)
		verdict->rule = (int)rule->id - 1;
	else
		verdict->shadows[verdict->shadows_count++] = rule->id - 1;
	return acts;
}

static void search(const struct compile_filter *filter, const struct oracle_packet *packet,
		   struct oracle_verdict *verdict)
{
	const struct weir_vector_line *vectors[WEIR_DIMENSIONS_TOTAL];
	size_t count = 0;

	verdict->rule = -1;
	verdict->shadows_count = 0;
	if (!filter->head.rules)
		return;
	for (int i = 0; i < WEIR_DIMENSIONS_TOTAL; i++)
		if (filter->head.dimensions >> i & 1)
			vectors[count++] = vector_of(filter, packet, i);
	assert_int_not_equal(count, 0);
	for (uint64_t words = match_word(vectors, count, 0); words; words &= words - 1) {
		size_t word = __builtin_ctzll(words);

		for (uint64_t bits = match_word(vectors, count, word + 1); bits; bits &= bits - 1)
			if (take_rule(filter, word * 64 + __builtin_ctzll(bits), verdict))
				return;
	}
}

static struct compile_filter *build(void)
{
	struct compile_filter *filter = NULL;
	struct problem problem;

	if (compile_filter_build(&world.input, &filter, &problem))
		fail_msg("%s", problem.text);
	return filter;
}

/* --- by chance ------------------------------------------------------------------------------------------- */

static void expect_as_judged(const struct compile_filter *filter, const struct oracle_packet *packet)
{
	static struct oracle_verdict judged, found;

	oracle_judge(&world.input, packet, &judged);
	search(filter, packet, &found);
	assert_int_equal(found.rule, judged.rule);
	assert_int_equal(found.shadows_count, judged.shadows_count);
	if (judged.shadows_count)
		assert_memory_equal(found.shadows, judged.shadows, judged.shadows_count * sizeof(judged.shadows[0]));
}

static void compile_filter_rules_by_chance_decide_as_read_one_by_one(void **state)
{
	static const struct {
		uint32_t rounds, rules, rarity, packets;
	} rows[] = {
		{60, 3, 2, 500},
		{40, 20, 4, 1000},
		{20, 150, 6, 1000},
		{10, 70, 30, 1000},
		{1, WEIR_MAX_RULES, 5, 1000},
	};
	struct chance chance = {.state = 40};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint32_t round = 0; round < rows[i].rounds; round++) {
			struct compile_filter *filter;

			assert_int_equal(rules_by_chance_make(&chance, rows[i].rules, rows[i].rarity, &world), 0);
			filter = build();
			for (uint32_t n = 0; n < rows[i].packets; n++) {
				struct oracle_packet packet = chance_packet(&chance, &world);

				expect_as_judged(filter, &packet);
			}
			compile_filter_free(filter);
			rules_by_chance_free(&world);
		}
	}
}

static void expect_equal_arrays(const void *a, size_t a_count, const void *b, size_t b_count, size_t size)
{
	assert_int_equal(a_count, b_count);
	if (a_count)
		assert_memory_equal(a, b, a_count * size);
}

static void compile_filter_same_rules_give_the_same_bytes(void **state)
{
	struct chance chance = {.state = 41};
	struct compile_filter *a, *b;

	(void)state;
	assert_int_equal(rules_by_chance_make(&chance, 300, 4, &world), 0);
	a = build();
	b = build();
	assert_memory_equal(&a->head, &b->head, sizeof(a->head));
	expect_equal_arrays(a->indexes, a->indexes_count, b->indexes, b->indexes_count, sizeof(*a->indexes));
	expect_equal_arrays(a->vectors, a->vectors_count, b->vectors, b->vectors_count, sizeof(*a->vectors));
	expect_equal_arrays(a->rules, a->rules_count, b->rules, b->rules_count, sizeof(*a->rules));
	expect_equal_arrays(a->addresses.members, a->addresses.classes_count, b->addresses.members,
			    b->addresses.classes_count, a->addresses.member_words * 8);
	compile_filter_free(a);
	compile_filter_free(b);
	rules_by_chance_free(&world);
}

/* --- by hand --------------------------------------------------------------------------------------------- */

/* So many rules that match everything. */
static void plain_rules(size_t count)
{
	struct chance chance = {.state = 1};

	assert_int_equal(rules_by_chance_make(&chance, 0, 1, &world), 0);
	world.config.filter.rules_count = count;
	for (size_t i = 0; i < count && i < WEIR_MAX_RULES; i++) {
		world.rules[i] = (struct config_rule){.action = CONFIG_ACTION_DROP};
		world.ids[i] = i + 1;
	}
}

static struct config_ranges ranges(size_t rule, size_t list, uint16_t first, uint16_t last)
{
	world.lists[rule].ranges[list][0] = (struct config_range){.first = first, .last = last};
	return (struct config_ranges){.ranges = world.lists[rule].ranges[list], .count = 1};
}

static void from_prefix(size_t rule, uint32_t number, uint8_t length)
{
	world.lists[rule].from[0] =
		(struct config_term){.set = CONFIG_TERM_PREFIX, .prefix = prefix_around(WEIR_IPV4, number, length)};
	world.rules[rule].from = world.lists[rule].from;
	world.rules[rule].from_count = 1;
}

static struct oracle_packet tcp_packet(void)
{
	return (struct oracle_packet){.source = addr_of(WEIR_IPV4, 0xc0000201),
				      .destination = addr_of(WEIR_IPV4, 0xc6336401),
				      .protocol = IPPROTO_TCP,
				      .vlan = WEIR_NO_VLAN,
				      .ttl = 64,
				      .length = 60};
}

static int decided_by(const struct compile_filter *filter, const struct oracle_packet *packet)
{
	static struct oracle_verdict verdict;

	expect_as_judged(filter, packet);
	search(filter, packet, &verdict);
	return verdict.rule;
}

static void compile_filter_no_rules_is_empty(void **state)
{
	struct weir_filter nothing = {0};

	(void)state;
	for (int drop = 0; drop < 2; drop++) {
		struct compile_filter *filter;

		plain_rules(2);
		world.rules[0].mode = CONFIG_RULE_OFF;
		world.rules[1].expires_s = RULE_CHANCE_NOW_S;
		world.config.filter.default_action = drop ? CONFIG_ACTION_DROP : CONFIG_ACTION_PASS;
		nothing.default_action = drop ? WEIR_ACTION_DROP : WEIR_ACTION_PASS;
		filter = build();
		assert_memory_equal(&filter->head, &nothing, sizeof(nothing));
		assert_int_equal(filter->rules_count + filter->indexes_count + filter->vectors_count, 0);
		assert_int_equal(filter->addresses.bits4_count + filter->addresses.tops6_count, 0);
		compile_filter_free(filter);
		rules_by_chance_free(&world);
	}
}

static void compile_filter_rules_keep_their_order_ids_and_modes(void **state)
{
	const uint8_t modes[5] = {[1] = CONFIG_RULE_SHADOW, [2] = CONFIG_RULE_OFF};
	struct compile_filter *filter;

	(void)state;
	plain_rules(5);
	world.ids[1] = 4711;
	world.rules[0] =
		(struct config_rule){.action = CONFIG_ACTION_LIMIT, .limit = 5, .mark = 9, .mode = CONFIG_RULE_OFF};
	world.rules[1] = (struct config_rule){.action = CONFIG_ACTION_REJECT, .limit = 5};
	world.rules[4] = (struct config_rule){.action = CONFIG_ACTION_MARK, .limit = 5, .mark = 0xfffffff0};
	world.rules[3] = (struct config_rule){.action = CONFIG_ACTION_ALLOW, .expires_s = RULE_CHANCE_NOW_S + 7};
	world.input.rule_modes = modes;
	filter = build();
	assert_true(filter->head.rules == 4 && filter->rules_count == 4);
	assert_true(filter->rules[3].action == WEIR_ACTION_MARK && filter->rules[3].mark == 0xfffffff0);
	assert_true(!filter->rules[3].limit && !filter->rules[0].mark);
	assert_int_equal(filter->rules[0].action, WEIR_ACTION_LIMIT);
	assert_int_equal(filter->rules[0].limit, 5 + 1);
	assert_int_equal(filter->rules[0].shadow, 0);
	assert_int_equal(filter->rules[0].expires_ns, 0);
	assert_int_equal(filter->rules[1].id, 4711);
	assert_int_equal(filter->rules[1].action, WEIR_ACTION_REJECT);
	assert_int_equal(filter->rules[1].limit, 0);
	assert_int_equal(filter->rules[1].shadow, 1);
	assert_int_equal(filter->rules[2].id, 4);
	assert_int_equal(filter->rules[2].expires_ns, 5000000000ll + 7000000000ll);
	assert_true(filter->rules[2].allows && !filter->rules[0].allows);
	assert_int_equal(filter->head.shadows, 1);
	assert_int_equal(filter->vectors[filter->head.enforcing].word[0], 1);
	assert_int_equal(filter->vectors[filter->head.enforcing].word[1], 1 | 4 | 8);
	assert_int_equal(filter->vectors[filter->head.enforcing + 1].word[1], 2);
	compile_filter_free(filter);
	world.rules[3].expires_s = INT64_MAX;
	filter = build();
	assert_int_equal(filter->rules[2].expires_ns, 0);
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_only_what_rules_look_at_has_tables(void **state)
{
	struct compile_filter *filter;

	(void)state;
	plain_rules(1000);
	for (size_t i = 0; i < 1000; i++) {
		world.rules[i].dports = ranges(i, 0, 80, 80);
		from_prefix(i, 0x0a000000 + (i % 2 << 16), 16);
	}
	filter = build();
	assert_int_equal(filter->head.dimensions, 1u << WEIR_DIMENSION_SOURCE | 1u << WEIR_DIMENSION_DPORT);
	assert_int_equal(filter->head.vector_lines, 3); /* 1 + 16 words */
	assert_int_equal(filter->indexes_count, (65537 + 3) / 4);
	/* Two sets that 500 rules share each, so three classes; port 80 and all others; two for the modes. */
	assert_int_equal(filter->addresses.classes_count, 3);
	assert_int_equal(filter->vectors_count, (3 + 2 + 2) * 3);
	assert_int_equal(filter->addresses.bits4_count, WEIR_BITS4);
	assert_int_equal(filter->addresses.tops6_count, 0);
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_rule_that_looks_at_nothing_matches_without_classes(void **state)
{
	struct compile_filter *filter;

	(void)state;
	plain_rules(1);
	filter = build();
	assert_int_equal(filter->head.dimensions, 1u << WEIR_DIMENSION_FRAGMENT);
	assert_int_equal(filter->vectors_count, 1 + 2);
	assert_int_equal(filter->addresses.classes_count, 1);
	assert_int_equal(filter->addresses.bits4_count + filter->addresses.tops6_count, 0);
	assert_int_equal(decided_by(filter, &(struct oracle_packet){.source.family = WEIR_IPV4}), 0);
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_missing_field_matches_no_rule_that_looks_at_it(void **state)
{
	struct oracle_packet packet = tcp_packet();
	struct compile_filter *filter;

	(void)state;
	plain_rules(5);
	world.rules[0].vlan = ranges(0, 0, 4096, 4096);
	world.rules[0].dports = ranges(0, 1, 443, 443);
	world.rules[1].sports = ranges(1, 0, 0, 65535);
	world.rules[2].has_tcp_flags = true;
	world.rules[3].icmp = ranges(3, 0, 0, 65535);
	world.rules[4].protocols = ranges(4, 0, 0, 65535);
	filter = build();
	assert_int_equal(decided_by(filter, &packet), 1);
	packet.dport = 443;
	assert_int_equal(decided_by(filter, &packet), 0);
	packet.vlan = 0;
	assert_int_equal(decided_by(filter, &packet), 1);
	packet.fragment = 2;
	assert_int_equal(decided_by(filter, &packet), 4);
	packet.protocol = IPPROTO_ICMP;
	assert_int_equal(decided_by(filter, &packet), 4);
	packet.fragment = 1;
	assert_int_equal(decided_by(filter, &packet), 3);
	packet.protocol = IPPROTO_ICMPV6; /* in IPv4 */
	assert_int_equal(decided_by(filter, &packet), 4);
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_absent_interface_matches_no_packet(void **state)
{
	struct oracle_packet packet = tcp_packet();
	struct compile_filter *filter;

	(void)state;
	plain_rules(2);
	world.rules[0].interfaces = (size_t[]){1};
	world.rules[1].interfaces = (size_t[]){3, 2};
	world.rules[0].interfaces_count = 1;
	world.rules[1].interfaces_count = 2;
	filter = build();
	assert_int_equal(filter->head.interfaces[0], 7);
	assert_int_equal(filter->head.interfaces[1], 9);
	assert_int_equal(filter->head.interfaces[2], 12);
	assert_int_equal(filter->head.interfaces[3], 0);
	assert_int_equal(decided_by(filter, &packet), -1);
	packet.ifindex = 7;
	assert_int_equal(decided_by(filter, &packet), -1);
	packet.ifindex = 12;
	assert_int_equal(decided_by(filter, &packet), 1);
	compile_filter_free(filter);

	world.input.ifindexes = NULL;
	filter = build();
	assert_int_equal(filter->head.interfaces[0], 0);
	assert_int_equal(decided_by(filter, &packet), -1);
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_last_of_all_rules_is_found(void **state)
{
	struct oracle_packet packet = tcp_packet();
	struct compile_filter *filter;

	(void)state;
	plain_rules(WEIR_MAX_RULES);
	for (size_t i = 0; i < WEIR_MAX_RULES; i++)
		from_prefix(i, 0x0a000000 + i, 32);
	filter = build();
	assert_int_equal(filter->head.vector_lines, WEIR_VECTOR_LINES);
	assert_int_equal(filter->addresses.classes_count, WEIR_MAX_RULES + 1);
	for (uint32_t i = 0; i < WEIR_MAX_RULES; i += 455) {
		packet.source = addr_of(WEIR_IPV4, 0x0a000000 + i);
		assert_int_equal(decided_by(filter, &packet), i);
	}
	compile_filter_free(filter);
	rules_by_chance_free(&world);
}

static void compile_filter_fault_14_what_exceeds_a_capacity_is_refused_by_name(void **state)
{
	static struct config_rule rules[WEIR_MAX_RULES + 1];
	static uint32_t ids[WEIR_MAX_RULES + 1];
	static const struct {
		const char *capacity;
		size_t rules, sets, interfaces;
	} rows[] = {
		{"WEIR_MAX_RULES", WEIR_MAX_RULES + 1, 0, 1},
		{"WEIR_MAX_SETS", 0, WEIR_MAX_SETS + 1, 1},
		{"WEIR_MAX_INTERFACES", 1, 0, WEIR_MAX_INTERFACES + 1},
	};

	(void)state;
	rules[0].interfaces = (size_t[]){0};
	rules[0].interfaces_count = 1;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct compile_filter *filter = NULL;
		struct problem problem = {.text = ""};

		plain_rules(0);
		world.config.filter = (struct config_filter){.rules = rules, .rules_count = rows[i].rules};
		world.config.sets_count = rows[i].sets;
		world.config.interfaces_count = rows[i].interfaces;
		world.input.rule_ids = ids;
		assert_int_equal(compile_filter_build(&world.input, &filter, &problem), -E2BIG);
		assert_null(filter);
		assert_non_null(strstr(problem.text, rows[i].capacity));
		assert_true(problem.hint[0]);
		rules[WEIR_MAX_RULES].mode = CONFIG_RULE_OFF;
		world.config.sets_count = rows[i].sets ? WEIR_MAX_SETS : 0;
		world.config.interfaces_count = 1;
		assert_int_equal(compile_filter_build(&world.input, &filter, &problem), 0);
		compile_filter_free(filter);
		rules_by_chance_free(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_filter_rules_by_chance_decide_as_read_one_by_one),
		cmocka_unit_test(compile_filter_same_rules_give_the_same_bytes),
		cmocka_unit_test(compile_filter_no_rules_is_empty),
		cmocka_unit_test(compile_filter_rules_keep_their_order_ids_and_modes),
		cmocka_unit_test(compile_filter_only_what_rules_look_at_has_tables),
		cmocka_unit_test(compile_filter_rule_that_looks_at_nothing_matches_without_classes),
		cmocka_unit_test(compile_filter_missing_field_matches_no_rule_that_looks_at_it),
		cmocka_unit_test(compile_filter_absent_interface_matches_no_packet),
		cmocka_unit_test(compile_filter_last_of_all_rules_is_found),
		cmocka_unit_test(compile_filter_fault_14_what_exceeds_a_capacity_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
