/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of live entries that move from the kernel's hashes into the address tables of a generation, and back out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/wait.h>

/* With the fault points, which the library has not. */
#define WEIR_FAULTS
#include "user/reconcile/apply.c"
#include "user/reconcile/overlay.c"

#include "folding.h"

#define MANY 200

/* 10.1.0.0/32 and on, denied, without an end; the third one is allowed too. */
static void add_many(struct pinned *pinned, struct edge *edge)
{
	AUTO_FREE struct reconcile_ban *bans = calloc(MANY + 1, sizeof(*bans));

	assert_non_null(bans);
	for (uint32_t i = 0; i < MANY; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.1.0.%u", i);
		bans[i] = ban_of(text, WEIR_BAN_DENY, 0, "one of many");
	}
	bans[MANY] = ban_of("10.1.0.2", WEIR_BAN_ALLOW, 0, "the third");
	assert_int_equal(reconcile_ban_add(edge->reconcile, bans, MANY + 1, &pinned->problem), 0);
}

static struct edge start_folded(struct pinned *pinned)
{
	struct edge edge = start_applied(pinned);

	add_many(pinned, &edge);
	fold(pinned, &edge);
	return edge;
}

static void reconcile_fold_moves_entries_without_an_end_and_leaves_the_others(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	const struct reconcile_ban ending = ban_of("198.51.100.0/24", WEIR_BAN_DENY, 3600, "an hour");

	add_many(pinned, &edge);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &ending, 1, &pinned->problem), 0);
	expect_counts(&edge, 0, MANY + 1, 0);
	assert_int_equal(kernel_keys(&edge), MANY + 1);
	fold(pinned, &edge);
	expect_counts(&edge, MANY + 1, 1, 0);
	assert_int_equal(kernel_keys(&edge), 1);
	assert_int_equal(kernel_lists(&edge, "198.51.100.0/24"), WEIR_BAN_DENY);
	assert_true(kernel_ban_lengths(&edge).v4 == 1ull << 24 && !kernel_ban_lengths(&edge).gone4);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.2").total, MANY + 1);
	assert_int_equal(find_ban(&edge, WEIR_BAN_ALLOW, "10.1.0.2").count, 1);
	stop(&edge);
}

static void reconcile_fold_of_few_entries_is_not_done(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct reconcile_ban bans[RECONCILE_FOLD_LEAST];

	for (uint32_t i = 0; i < RECONCILE_FOLD_LEAST; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.1.%u.0/24", i);
		bans[i] = ban_of(text, WEIR_BAN_DENY, 0, "");
	}
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, RECONCILE_FOLD_LEAST - 1, &pinned->problem), 0);
	fold(pinned, &edge);
	expect_counts(&edge, 0, RECONCILE_FOLD_LEAST - 1, 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.0/24"), WEIR_BAN_DENY);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &bans[RECONCILE_FOLD_LEAST - 1], 1, &pinned->problem), 0);
	fold(pinned, &edge);
	expect_counts(&edge, RECONCILE_FOLD_LEAST, 0, 0);
	stop(&edge);
}

static void reconcile_fold_deleted_entry_has_a_tombstone_until_the_next_one(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);
	const struct prefix third = prefix_of("10.1.0.2"), fourth = prefix_of("10.1.0.3");

	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_ALLOW, &third, 1, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &fourth, 1, &pinned->problem), 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.2"), WEIR_BAN_GONE(WEIR_BAN_ALLOW));
	assert_int_equal(kernel_lists(&edge, "10.1.0.3"), WEIR_BAN_GONE(WEIR_BAN_DENY));
	assert_true(kernel_ban_lengths(&edge).gone4 == 1ull << 32 && !kernel_ban_lengths(&edge).v4);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.3").count, 0);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.2").count, 1);
	expect_counts(&edge, MANY - 1, 2, 2);
	fold(pinned, &edge);
	expect_counts(&edge, MANY - 1, 0, 0);
	assert_int_equal(kernel_keys(&edge), 0);
	assert_true(!kernel_ban_lengths(&edge).gone4);
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &fourth, 1, &pinned->problem), -ENOENT);
	stop(&edge);
}

static void reconcile_fold_entry_added_again_is_what_was_said_last(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);
	const struct prefix prefix = prefix_of("10.1.0.3");
	struct reconcile_ban ban = ban_of("10.1.0.3", WEIR_BAN_DENY, 3600, "for an hour");
	struct weir_ban value;

	/* With an end: the tables' entry has none, and must not act in its stead. */
	assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	assert_int_equal(kernel_ban4(&edge, "10.1.0.3", &value), 0);
	assert_int_equal(value.lists, WEIR_BAN_DENY | WEIR_BAN_GONE(WEIR_BAN_DENY));
	assert_true(value.deny_until_ns > 0);
	/* Without one: the tables say it all. */
	ban.until_s = 0;
	assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.3"), 0);
	/* Deleted and added. */
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &prefix, 1, &pinned->problem), 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.3"), WEIR_BAN_GONE(WEIR_BAN_DENY));
	assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.3"), 0);
	/* The other list of a prefix that is folded. */
	ban.list = WEIR_BAN_ALLOW;
	assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	assert_int_equal(kernel_lists(&edge, "10.1.0.3"), WEIR_BAN_ALLOW);
	expect_counts(&edge, MANY + 1, 1, 0);
	stop(&edge);
}

static void reconcile_fold_all_deleted_but_a_few_are_unfolded(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);
	struct prefix leaving[MANY - 10];

	for (uint32_t i = 0; i < MANY - 10; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.1.0.%u", i + 10);
		leaving[i] = prefix_of(text);
	}
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, leaving, MANY - 10, &pinned->problem), 0);
	expect_counts(&edge, 11, MANY - 10, MANY - 10);
	fold(pinned, &edge);
	expect_counts(&edge, 0, 10, 0);
	assert_int_equal(kernel_keys(&edge), 10);
	assert_int_equal(kernel_lists(&edge, "10.1.0.2"), WEIR_BAN_DENY | WEIR_BAN_ALLOW);
	stop(&edge);
}

static void reconcile_fold_stays_through_an_apply_and_a_restart(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);
	const struct prefix fourth = prefix_of("10.1.0.3");

	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &fourth, 1, &pinned->problem), 0);
	stop(&edge);
	edge = start(pinned);
	expect_counts(&edge, MANY, 1, 1);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.3").count, 0);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.4").total, MANY - 1);
	assert_string_equal(find_ban(&edge, WEIR_BAN_ALLOW, "10.1.0.2").found.note, "the third");
	apply_yaml(pinned, &edge, yaml_two_pools);
	expect_counts(&edge, MANY, 0, 0);
	assert_int_equal(kernel_keys(&edge), 0);
	stop(&edge);
}

/* The tables are gone, as after a reboot: the state file has all. */
static void reconcile_fold_starts_again_from_the_state_file(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);

	stop(&edge);
	assert_int_equal(kernel_unpin(pinned->pins, &pinned->problem), 0);
	edge = start_applied(pinned);
	expect_counts(&edge, MANY + 1, 0, 0);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.2").total, MANY);
	stop(&edge);
}

/* Below a /15, whatever ends in a one bit is denied, at each length: every host is a combination of its own. */
static void reconcile_fold_more_classes_than_fit_leaves_entries_in_the_hashes(void **state)
{
	const size_t count = (1u << 17) - 1;
	AUTO_FREE struct reconcile_ban *bans = calloc(count, sizeof(*bans));
	AUTO_FREE struct prefix *hosts = calloc(1u << 16, sizeof(*hosts));
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	size_t used = 0;

	assert_true(bans && hosts);
	for (uint8_t length = 16; length <= 32; length++)
		for (uint32_t i = 1; i < 1u << (length - 15); i += 2)
			bans[used++] = (struct reconcile_ban){
				.prefix = {.addr = {.bytes = {{htonl(0x0a000000 | i << (32 - length))}},
						    .family = WEIR_IPV4},
					   .length = length},
				.list = WEIR_BAN_DENY,
			};
	assert_int_equal(used, count);
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, count, &pinned->problem), 0);
	fold(pinned, &edge);
	expect_counts(&edge, 0, count, 0);
	assert_int_equal(kernel_keys(&edge), count);
	assert_int_equal(kernel_lists(&edge, "10.1.255.255"), WEIR_BAN_DENY);
	/* With one level less all fit. */
	for (size_t i = 0; i < 1u << 16; i++)
		hosts[i] = bans[count - (1u << 16) + i].prefix;
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, hosts, 1u << 16, &pinned->problem), 0);
	fold(pinned, &edge);
	expect_counts(&edge, count - (1u << 16), 0, 0);
	stop(&edge);
}

/* Deletes a folded entry, adds another, and folds: killed at the step. */
static void fold_and_die(struct pinned *pinned, const char *step)
{
	struct edge edge = start(pinned);
	const struct prefix fourth = prefix_of("10.1.0.3");
	const struct reconcile_ban added = ban_of("10.2.0.0/16", WEIR_BAN_DENY, 0, "late");

	apply_yaml(pinned, &edge, yaml_two_pools);
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &fourth, 1, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &added, 1, &pinned->problem), 0);
	setenv("WEIR_FAULT", step, 1);
	reconcile_apply(edge.reconcile, NULL, NULL, &pinned->problem);
	_exit(0);
}

/* As packets see it, before anybody tidies. */
static void expect_in_force(struct pinned *pinned, const char *step)
{
	const struct kernel_options options = {.pin_directory = pinned->pins, .must_exist = true};
	struct edge edge = {};
	struct weir_live live;
	struct folded_view view;

	assert_int_equal(kernel_load(&options, &edge.kernel, &pinned->problem), 0);
	assert_int_equal(kernel_map_get(kernel_map_fd(edge.kernel, KERNEL_MAP_live), &(uint32_t){0}, &live), 0);
	view = read_view(&edge, live.generation);
	if (!acts(&edge, &view, "10.2.0.0/16", WEIR_BAN_DENY) || acts(&edge, &view, "10.1.0.3", WEIR_BAN_DENY) ||
	    !acts(&edge, &view, "10.1.0.4", WEIR_BAN_DENY) || !acts(&edge, &view, "10.1.0.2", WEIR_BAN_ALLOW))
		fail_msg("packets see something else after %s", step);
	free(view.entries);
	kernel_free(edge.kernel);
}

/* The next controller has the same, and ends what was begun. Then all is as it was at first. */
static void expect_taken_over(struct pinned *pinned)
{
	const struct reconcile_ban fourth = ban_of("10.1.0.3", WEIR_BAN_DENY, 0, "");
	const struct prefix late = prefix_of("10.2.0.0/16");
	struct edge edge = start(pinned);

	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.1.0.3").count, 0);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "10.2.0.0/16").total, MANY);
	apply_yaml(pinned, &edge, yaml_two_pools);
	expect_counts(&edge, MANY + 1, 0, 0);
	assert_int_equal(kernel_keys(&edge), 0);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &fourth, 1, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &late, 1, &pinned->problem), 0);
	fold(pinned, &edge);
	stop(&edge);
}

static void reconcile_fold_killed_at_any_step_loses_and_revives_nothing(void **state)
{
	static const char *const steps[] = {"apply:1", "apply:2", "apply:3", "apply:4",
					    "fold:1",  "apply:5", "fold:2",  "fold:3"};
	struct pinned *pinned = *state;
	struct edge edge = start_folded(pinned);

	stop(&edge);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			fold_and_die(pinned, steps[i]);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("not killed at %s", steps[i]);
		expect_in_force(pinned, steps[i]);
		expect_taken_over(pinned);
	}
}

/* More than there is room for beside the tables: with the first generation all of it is in force. */
static void reconcile_fold_starts_with_more_than_the_hashes_hold(void **state)
{
	const size_t half = WEIR_MAX_BANS * 2 / 3;
	AUTO_FREE struct reconcile_ban *bans = calloc(half, sizeof(*bans));
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);

	assert_non_null(bans);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < half; i++)
			bans[i] = (struct reconcile_ban){
				.prefix = {.addr = {.bytes = {{htonl((10 + round) << 24 | i)}}, .family = WEIR_IPV4},
					   .length = 32},
				.list = WEIR_BAN_DENY,
			};
		assert_int_equal(reconcile_ban_add(edge.reconcile, bans, half, &pinned->problem), 0);
		if (!round)
			assert_int_equal(reconcile_ban_add(edge.reconcile, bans, half, &pinned->problem), 0);
		fold(pinned, &edge);
	}
	expect_counts(&edge, 2 * half, 0, 0);
	stop(&edge);
	assert_int_equal(kernel_unpin(pinned->pins, &pinned->problem), 0);
	edge = start_applied(pinned);
	expect_counts(&edge, 2 * half, 0, 0);
	assert_int_equal(kernel_keys(&edge), 0);
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_fold_moves_entries_without_an_end_and_leaves_the_others),
		PINNED_TEST(reconcile_fold_of_few_entries_is_not_done),
		PINNED_TEST(reconcile_fold_deleted_entry_has_a_tombstone_until_the_next_one),
		PINNED_TEST(reconcile_fold_entry_added_again_is_what_was_said_last),
		PINNED_TEST(reconcile_fold_all_deleted_but_a_few_are_unfolded),
		PINNED_TEST(reconcile_fold_stays_through_an_apply_and_a_restart),
		PINNED_TEST(reconcile_fold_starts_again_from_the_state_file),
		PINNED_TEST(reconcile_fold_more_classes_than_fit_leaves_entries_in_the_hashes),
		PINNED_TEST(reconcile_fold_starts_with_more_than_the_hashes_hold),
		PINNED_TEST(reconcile_fold_killed_at_any_step_loses_and_revives_nothing),
	};

	return PINNED_RUN(tests);
}
