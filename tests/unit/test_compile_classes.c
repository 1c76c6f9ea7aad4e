/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: many classes and long lists, how equal hashes are told apart, and what is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "chance.h"
#include "user/compile/addresses.h"
#include "user/compile/rows.h"

#define SETS_MAX 17

/* Enough different lines that hashes of 32 bits collide. */
static void compile_addresses_long_list_is_found_as_the_set_holds_it(void **state)
{
	struct chance chance = {.state = 9};
	struct prefixes_builder builder = {0};
	struct compile_addresses addresses;
	struct prefixes *set;

	(void)state;
	for (uint32_t i = 0; i < 600000; i++) {
		struct prefix prefix = prefix_around(WEIR_IPV4, (i / 3) << 8 | chance_below(&chance, 256), 32);

		assert_int_equal(prefixes_add(&builder, &prefix), 0);
	}
	assert_int_equal(prefixes_finish(&builder, &set), 0);
	assert_int_equal(compile_addresses_build((const struct prefixes *const *)&set, 1, &addresses, NULL), 0);
	for (size_t i = 0; i < set->v4_count; i++) {
		struct addr last = addr_of(WEIR_IPV4, set->v4[i].last), next = addr_of(WEIR_IPV4, set->v4[i].last + 1);

		assert_int_equal(compile_addresses_find(&addresses, &last), 1);
		assert_int_equal(compile_addresses_find(&addresses, &next), 0);
	}
	compile_addresses_free(&addresses);
	prefixes_release(set);
}

/* Combinations are hashed by exclusive or: among 40 sets some have, together, the hash of none. */
static void compile_rows_that_hash_alike_are_told_apart(void **state)
{
	struct compile_rows rows __attribute__((cleanup(compile_rows_close))) = {0};
	uint64_t pivots[32] = {0}, made_of[32] = {0}, alike = 0;
	uint16_t none, number;

	(void)state;
	assert_int_equal(compile_rows_open(&rows, 40), 0);
	assert_int_equal(compile_rows_number(&rows, &none), 0);
	for (size_t bit = 0; bit < 40 && !alike; bit++) {
		uint64_t combination = 1ull << bit, left;

		compile_rows_toggle(&rows, bit);
		left = rows.hash >> 32;
		compile_rows_toggle(&rows, bit);
		while (left && pivots[__builtin_ctzll(left)]) {
			combination ^= made_of[__builtin_ctzll(left)];
			left ^= pivots[__builtin_ctzll(left)];
		}
		if (!left) {
			alike = combination;
			break;
		}
		pivots[__builtin_ctzll(left)] = left;
		made_of[__builtin_ctzll(left)] = combination;
	}
	assert_true(alike);
	for (uint64_t left = alike; left; left &= left - 1)
		compile_rows_toggle(&rows, __builtin_ctzll(left));
	assert_int_equal(rows.hash >> 32, 0);
	assert_int_equal(compile_rows_number(&rows, &number), 0);
	assert_int_not_equal(number, none);
}

/* Set s holds address a when bit s of a is set: every combination of sets occurs. */
static int compile_all_combinations(size_t sets_count, struct compile_addresses *addresses, struct problem *problem)
{
	struct prefixes *sets[SETS_MAX];
	int error;

	for (size_t i = 0; i < sets_count; i++) {
		struct prefixes_builder builder = {0};

		for (uint32_t a = 0; a < 1u << sets_count; a += 2u << i) {
			struct addr first = addr_of(WEIR_IPV4, a + (1u << i));
			struct addr last = addr_of(WEIR_IPV4, a + (2u << i) - 1);

			assert_int_equal(prefixes_add_range(&builder, &first, &last), 0);
		}
		assert_int_equal(prefixes_finish(&builder, &sets[i]), 0);
	}
	error = compile_addresses_build((const struct prefixes *const *)sets, sets_count, addresses, problem);
	for (size_t i = 0; i < sets_count; i++)
		prefixes_release(sets[i]);
	return error;
}

static void compile_addresses_fault_14_what_exceeds_a_capacity_is_refused_by_name(void **state)
{
	const struct prefixes full = {.v6_count = WEIR_MAX_PREFIXES + 1};
	const struct prefixes *set = &full;
	struct compile_addresses addresses = {0};
	struct problem problem = {.text = ""};

	(void)state;
	assert_int_equal(compile_all_combinations(16, &addresses, &problem), 0);
	assert_int_equal(addresses.classes_count, WEIR_MAX_CLASSES);
	for (uint32_t i = 0; i < 65536; i += 7) {
		struct addr addr = addr_of(WEIR_IPV4, i);

		assert_int_equal(addresses.members[compile_addresses_find(&addresses, &addr)], i);
	}
	compile_addresses_free(&addresses);

	assert_int_equal(compile_all_combinations(17, &addresses, &problem), -E2BIG);
	assert_int_equal(addresses.classes_count, 0);
	assert_non_null(strstr(problem.text, "WEIR_MAX_CLASSES"));
	assert_true(problem.hint[0]);

	assert_int_equal(compile_addresses_build(&set, 1, &addresses, &problem), -E2BIG);
	assert_non_null(strstr(problem.text, "WEIR_MAX_PREFIXES"));
	assert_true(problem.hint[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_addresses_long_list_is_found_as_the_set_holds_it),
		cmocka_unit_test(compile_rows_that_hash_alike_are_told_apart),
		cmocka_unit_test(compile_addresses_fault_14_what_exceeds_a_capacity_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
