/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of live allow and deny entries on the running kernel's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge.h"
#include "user/base/scope.h"

static void reconcile_ban_both_lists_share_an_entry_and_its_length_bit(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	const struct reconcile_ban bans[] = {
		ban_of("203.0.113.0/24", WEIR_BAN_DENY, 0, "scanner"),
		ban_of("203.0.113.0/24", WEIR_BAN_ALLOW, 3600, "customer"),
		ban_of("2001:db8::/48", WEIR_BAN_DENY, 0, ""),
	};
	struct weir_ban ban;

	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 3, &pinned->problem), 0);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.0/24", &ban), 0);
	assert_int_equal(ban.lists, WEIR_BAN_DENY | WEIR_BAN_ALLOW);
	assert_true(ban.deny_until_ns == 0 && ban.allow_until_ns > 0);
	assert_true(kernel_ban_lengths(&edge).v4 == 1ull << 24);
	assert_true(kernel_ban_lengths(&edge).v6[0] == 1ull << 48);
	assert_string_equal(find_ban(&edge, WEIR_BAN_ALLOW, "203.0.113.0/24").found.note, "customer");

	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &bans[0].prefix, 1, &pinned->problem), 0);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.0/24", &ban), 0);
	assert_int_equal(ban.lists, WEIR_BAN_ALLOW);
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_ALLOW, &bans[0].prefix, 1, &pinned->problem), 0);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.0/24", &ban), -ENOENT);
	assert_true(kernel_ban_lengths(&edge).v4 == 0);
	stop(&edge);
}

static void reconcile_ban_many_at_once_are_all_or_nothing(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	struct reconcile_ban bans[] = {
		ban_of("203.0.113.1", WEIR_BAN_DENY, 0, "first"),
		ban_of("203.0.113.2", WEIR_BAN_DENY, 0, ""),
		ban_of("203.0.113.1", WEIR_BAN_DENY, 0, "last"),
	};
	const struct prefix leaving[] = {prefix_of("203.0.113.1"), prefix_of("203.0.113.9")};
	struct weir_ban ban;

	bans[1].until_s = time(NULL) - 1;
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 3, &pinned->problem), -EINVAL);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.1", &ban), -ENOENT);
	bans[1].until_s = 0;
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 3, &pinned->problem), 0);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.1").total, 2);
	assert_string_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.1").found.note, "last");
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, leaving, 2, &pinned->problem), -ENOENT);
	assert_non_null(strstr(pinned->problem.text, "203.0.113.9"));
	assert_int_equal(kernel_ban4(&edge, "203.0.113.1", &ban), 0);
	stop(&edge);
}

/* The table is filled behind the controller's back, so that the kernel refuses in the middle of a change. */
static void reconcile_ban_kernel_refuses_midway_nothing_is_changed(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	const struct reconcile_ban old = ban_of("203.0.113.1", WEIR_BAN_DENY, 0, "old");
	const struct reconcile_ban bans[] = {
		ban_of("203.0.113.1", WEIR_BAN_ALLOW, 0, ""),
		ban_of("203.0.113.2", WEIR_BAN_DENY, 0, ""),
		ban_of("203.0.114.0/24", WEIR_BAN_DENY, 0, ""),
	};
	const struct weir_ban filler = {.lists = WEIR_BAN_DENY};
	struct weir_ban ban;

	assert_int_equal(reconcile_ban_add(edge.reconcile, &old, 1, &pinned->problem), 0);
	for (uint32_t i = 0; i < WEIR_MAX_BANS - 2; i++) {
		const struct weir_ban4_key key = {.address = i, .length = 32};

		assert_int_equal(kernel_map_put(kernel_map_fd(edge.kernel, KERNEL_MAP_ban4), &key, &filler), 0);
	}
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 3, &pinned->problem), -E2BIG);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.1", &ban), 0);
	assert_int_equal(ban.lists, WEIR_BAN_DENY);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.2", &ban), -ENOENT);
	assert_true(kernel_ban_lengths(&edge).v4 == 1ull << 32);
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.1").total, 1);
	assert_string_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.1").found.note, "old");
	stop(&edge);
}

static void reconcile_ban_beyond_capacity_is_refused_with_the_limit(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	AUTO_FREE struct reconcile_ban *bans = calloc(WEIR_MAX_BANS + 1, sizeof(*bans));
	struct reconcile_ban lengths[WEIR_MAX_BAN_LENGTHS + 1];

	assert_non_null(bans);
	for (uint32_t i = 0; i <= WEIR_MAX_BANS; i++) {
		bans[i].prefix = (struct prefix){.addr = {.bytes = {{i}}, .family = WEIR_IPV4}, .length = 32};
		bans[i].list = WEIR_BAN_DENY;
	}
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, WEIR_MAX_BANS + 1, &pinned->problem), -ENOSPC);
	assert_non_null(strstr(pinned->problem.text, "WEIR_MAX_BANS"));
	for (uint8_t i = 0; i <= WEIR_MAX_BAN_LENGTHS; i++)
		lengths[i] = (struct reconcile_ban){.prefix = {.addr = {.family = WEIR_IPV6}, .length = i},
						    .list = WEIR_BAN_DENY};
	assert_int_equal(reconcile_ban_add(edge.reconcile, lengths, WEIR_MAX_BAN_LENGTHS + 1, &pinned->problem),
			 -ENOSPC);
	assert_non_null(strstr(pinned->problem.text, "WEIR_MAX_BAN_LENGTHS"));
	assert_int_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.1").total, 0);
	stop(&edge);
}

static void await_tick(struct edge *edge, bool (*done)(const struct edge *edge), const char *what)
{
	time_t deadline = time(NULL) + 10;

	for (uint64_t now_ms = 1; !done(edge); now_ms++) {
		if (time(NULL) > deadline)
			fail_msg("not in time: %s", what);
		reconcile_tick(edge->reconcile, now_ms);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	}
}

static bool ban_is_gone(const struct edge *edge)
{
	return !find_ban(edge, WEIR_BAN_DENY, "203.0.113.7").count;
}

static void reconcile_ban_ended_is_deleted_by_a_tick(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	const struct reconcile_ban bans[] = {
		ban_of("203.0.113.7", WEIR_BAN_DENY, 3, ""),
		ban_of("203.0.113.7", WEIR_BAN_ALLOW, 0, ""),
		ban_of("198.51.0.0/16", WEIR_BAN_DENY, 3, ""),
	};
	struct weir_ban ban;

	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 3, &pinned->problem), 0);
	await_tick(&edge, ban_is_gone, "the end of an entry");
	assert_int_equal(kernel_ban4(&edge, "203.0.113.7", &ban), 0);
	assert_int_equal(ban.lists, WEIR_BAN_ALLOW);
	assert_int_equal(kernel_ban4(&edge, "198.51.0.0/16", &ban), -ENOENT);
	assert_true(kernel_ban_lengths(&edge).v4 == 1ull << 32);
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_ban_both_lists_share_an_entry_and_its_length_bit),
		PINNED_TEST(reconcile_ban_many_at_once_are_all_or_nothing),
		PINNED_TEST(reconcile_ban_kernel_refuses_midway_nothing_is_changed),
		PINNED_TEST(reconcile_ban_beyond_capacity_is_refused_with_the_limit),
		PINNED_TEST(reconcile_ban_ended_is_deleted_by_a_tick),
	};

	return PINNED_RUN(tests);
}
