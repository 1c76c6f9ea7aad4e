/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of when live entries are folded, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "user/controller/fold.h"

/* Seconds until it is due when `each` more entries wait every second for `seconds`, and none after; 0: not within 100.
 */
static unsigned int due_after(size_t each, unsigned int seconds, size_t tombstones)
{
	struct reconcile_folding folding = {.tombstones = tombstones, .changes = tombstones > 0};
	struct fold_schedule schedule = {};

	for (unsigned int now = 1; now <= 100; now++) {
		if (now <= seconds) {
			folding.waiting += each;
			folding.changes++;
		}
		if (fold_is_due(&schedule, &folding, now * 1000ull))
			return now;
	}
	return 0;
}

static void fold_is_due_when_enough_wait_and_it_is_quiet(void **state)
{
	(void)state;
	assert_int_equal(due_after(10000, 1, 0), 3);
	assert_int_equal(due_after(10, 20, 0), 22);
	assert_int_equal(due_after(RECONCILE_FOLD_LEAST, 1, 0), 3);
}

static void fold_is_due_when_it_never_gets_quiet(void **state)
{
	(void)state;
	assert_int_equal(due_after(3, 1000, 0), 31);
	assert_int_equal(due_after(1, 1000, 0), RECONCILE_FOLD_LEAST);
}

static void fold_is_not_due_for_a_few(void **state)
{
	(void)state;
	assert_int_equal(due_after(RECONCILE_FOLD_LEAST - 1, 1, 0), 0);
	assert_int_equal(due_after(0, 1000, 0), 0);
}

static void fold_is_due_for_tombstones_too(void **state)
{
	(void)state;
	assert_int_equal(due_after(0, 0, RECONCILE_FOLD_LEAST), 3);
	assert_int_equal(due_after(1, 1, RECONCILE_FOLD_LEAST - 1), 3);
	assert_int_equal(due_after(1, 1, RECONCILE_FOLD_LEAST - 2), 0);
}

/* What could not be done once is not tried all the time. */
static void fold_is_due_once_until_something_changes(void **state)
{
	struct reconcile_folding folding = {.waiting = 1000, .changes = 1};
	struct fold_schedule schedule = {};

	(void)state;
	assert_false(fold_is_due(&schedule, &folding, 1000));
	assert_true(fold_is_due(&schedule, &folding, 3000));
	for (uint64_t now_ms = 4000; now_ms < 100000; now_ms += 1000)
		assert_false(fold_is_due(&schedule, &folding, now_ms));
	folding.changes++;
	assert_false(fold_is_due(&schedule, &folding, 100000));
	assert_true(fold_is_due(&schedule, &folding, 102000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fold_is_due_when_enough_wait_and_it_is_quiet),
		cmocka_unit_test(fold_is_due_when_it_never_gets_quiet),
		cmocka_unit_test(fold_is_not_due_for_a_few),
		cmocka_unit_test(fold_is_due_for_tombstones_too),
		cmocka_unit_test(fold_is_due_once_until_something_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
