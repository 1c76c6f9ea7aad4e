/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of live entries in the compiled tables: what a class says of its lengths, against a look at each entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "user/base/scope.h"
#include "user/compile/compile.h"
#include <maps/ban.h>

#define ENTRIES	  300
#define ADDRESSES 2000

static const char yaml[] = "sets:\n"
			   "  a: {prefixes: [10.1.0.0/16, \"2001:db8::/33\"]}\n"
			   "  b: {prefixes: [10.1.0.0/25, 10.2.0.0/24, \"2001:db8::/64\"]}\n"
			   "filter:\n"
			   "  rules:\n"
			   "    - {from: \"@a\", action: drop}\n"
			   "    - {to: \"@b\", action: pass}\n";

static int compare_entries(const void *a, const void *b)
{
	const struct weir_folded_entry *left = a, *right = b;
	struct prefix first = {.addr.family = left->family, .length = left->length};
	struct prefix second = {.addr.family = right->family, .length = right->length};

	memcpy(first.addr.bytes.word, left->address, sizeof(left->address));
	memcpy(second.addr.bytes.word, right->address, sizeof(right->address));
	return prefix_compare(&first, &second);
}

static size_t make_entries(struct chance *chance, struct weir_folded_entry *entries, struct prefix *prefixes)
{
	size_t used = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		prefixes[i] = chance_prefix(chance, prefixes, i);
		entries[i] = (struct weir_folded_entry){
			.family = prefixes[i].addr.family,
			.length = prefixes[i].length,
			.lists = (uint8_t)(1 + chance_below(chance, 3)),
		};
		memcpy(entries[i].address, prefixes[i].addr.bytes.word, sizeof(entries[i].address));
	}
	qsort(entries, ENTRIES, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < ENTRIES; i++)
		if (!used || compare_entries(&entries[used - 1], &entries[i]) != 0)
			entries[used++] = entries[i];
	return used;
}

/* What the record of the address's class has to be. */
static struct weir_folded judge(const struct weir_folded_entry *entries, size_t count, const struct addr *addr)
{
	struct weir_folded record = {0};

	for (size_t i = 0; i < count; i++) {
		struct prefix prefix = {.addr.family = entries[i].family, .length = entries[i].length};
		uint64_t bit = 1ull << prefix.length % 64;

		memcpy(prefix.addr.bytes.word, entries[i].address, sizeof(entries[i].address));
		if (!prefix_covers(&prefix, addr))
			continue;
		record.lists |= entries[i].lists;
		if (entries[i].lists & WEIR_BAN_DENY)
			record.deny[prefix.length / 64] |= bit;
		if (entries[i].lists & WEIR_BAN_ALLOW)
			record.allow[prefix.length / 64] |= bit;
	}
	return record;
}

static struct config *parse(const char *text)
{
	struct config_errors errors = {0};
	struct config *config = NULL;

	if (config_parse("test.yaml", text, strlen(text), &config, &errors))
		fail_msg("%s", errors.text);
	config_errors_free(&errors);
	return config;
}

static void try_world(uint64_t seed, const char *text)
{
	static struct weir_folded_entry entries[ENTRIES];
	static struct prefix prefixes[ENTRIES];
	static const uint32_t ids[] = {1, 2};
	struct chance chance = {.state = seed};
	struct config *config = parse(text);
	struct compile_filter_input input = {.config = config, .rule_ids = ids};
	struct compile_filter *filter = NULL;
	struct problem problem = {0};

	input.folded = entries;
	input.folded_count = make_entries(&chance, entries, prefixes);
	if (compile_filter_build(&input, &filter, &problem))
		fail_msg("%s", problem.text);
	assert_int_equal(filter->folded_count, filter->addresses.classes_count);
	for (size_t i = 0; i < ADDRESSES; i++) {
		struct addr addr = chance_address(&chance, prefixes, ENTRIES);
		struct weir_folded wanted = judge(entries, input.folded_count, &addr);
		uint16_t class = compile_addresses_find(&filter->addresses, &addr);

		assert_memory_equal(&filter->folded[class], &wanted, sizeof(wanted));
		if (class < WEIR_QUICK_CLASSES)
			assert_int_equal(WEIR_FOUND_FOLDED_LISTS(filter->head.quick[class]), wanted.lists);
	}
	compile_filter_free(filter);
	config_free(config);
}

static void compile_folded_class_has_the_lengths_that_hold_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		try_world(seed, seed % 2 ? yaml : "filter: {default: pass}\n");
}

static void compile_folded_nothing_is_no_table(void **state)
{
	static const uint32_t ids[] = {1, 2};
	struct config *config = parse(yaml);
	const struct compile_filter_input input = {.config = config, .rule_ids = ids};
	struct compile_filter *filter = NULL;
	struct problem problem = {0};

	(void)state;
	assert_int_equal(compile_filter_build(&input, &filter, &problem), 0);
	assert_true(!filter->folded && !filter->folded_count);
	for (size_t i = 0; i < WEIR_QUICK_CLASSES; i++)
		assert_int_equal(WEIR_FOUND_FOLDED_LISTS(filter->head.quick[i]), 0);
	compile_filter_free(filter);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_folded_class_has_the_lengths_that_hold_it),
		cmocka_unit_test(compile_folded_nothing_is_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
