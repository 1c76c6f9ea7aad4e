/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of live allow and deny entries on the running kernel's tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "edge.h"
#include "user/base/file.h"
#include "user/base/scope.h"
#include "user/reconcile/parts.h"

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

struct store_model {
	bool held[8][3], ends[8][3]; /* by prefix and list */
};

static struct ban entry_of(unsigned int prefix, uint32_t list)
{
	struct ban ban = {.list = list};

	ban.prefix.addr.family = prefix % 2 ? WEIR_IPV6 : WEIR_IPV4;
	ban.prefix.addr.bytes.word[0] = prefix / 4;
	ban.prefix.length = prefix & 2 ? 32 : 24;
	return ban;
}

static bool is_dropped(void *arg, const struct ban *ban)
{
	struct store_model *dropped = arg;
	unsigned int prefix = (ban->prefix.addr.family == WEIR_IPV6) + (ban->prefix.length == 32 ? 2 : 0) +
			      4 * ban->prefix.addr.bytes.word[0];

	return dropped->held[prefix][ban->list];
}

static void expect_store(const struct ban_store *store, const struct store_model *model)
{
	size_t count = 0, lasting = 0, lists[3] = {0};

	for (unsigned int i = 0; i < 8; i++) {
		for (uint32_t list = WEIR_BAN_DENY; list <= WEIR_BAN_ALLOW; list++) {
			struct ban entry = entry_of(i, list);

			assert_int_equal(ban_store_find(store, &entry.prefix, list) != NULL, model->held[i][list]);
			count += model->held[i][list];
			lists[list] += model->held[i][list];
			lasting += model->held[i][list] && !model->ends[i][list];
		}
	}
	assert_int_equal(store->count, count);
	assert_int_equal(store->lasting, lasting);
	for (uint32_t list = WEIR_BAN_DENY; list <= WEIR_BAN_ALLOW; list++)
		assert_int_equal(store->lists[list], lists[list]);
	for (size_t i = 1; i < store->count; i++)
		assert_true(ban_compare(store->bans[i - 1], store->bans[i]) < 0);
}

/* Few entries that come, go and are replaced, thousands of times: what the store counts along is what is in it. */
static void ban_store_counts_what_it_holds(void **state)
{
	struct ban_store store = {0}, next;
	struct store_model model = {0};
	unsigned int seed = 4;

	(void)state;
	for (int step = 0; step < 5000; step++) {
		struct store_model change = {0};
		struct ban entries[6];
		size_t count = rand_r(&seed) % 6;

		for (size_t i = 0; i < count; i++) {
			unsigned int prefix = rand_r(&seed) % 8;
			uint32_t list = rand_r(&seed) % 2 ? WEIR_BAN_DENY : WEIR_BAN_ALLOW;

			entries[i] = entry_of(prefix, list);
			entries[i].until_ns = rand_r(&seed) % 2;
			change.held[prefix][list] = true;
			change.ends[prefix][list] = entries[i].until_ns != 0;
		}
		if (step % 2)
			assert_int_equal(ban_store_without(&store, is_dropped, &change, &next), 0);
		else
			assert_int_equal(ban_store_with(&store, entries, count, &next), 0);
		for (int i = 0; i < 8 * 3; i++) {
			if (!change.held[i / 3][i % 3])
				continue;
			model.held[i / 3][i % 3] = !(step % 2);
			model.ends[i / 3][i % 3] = change.ends[i / 3][i % 3];
		}
		ban_store_drop(&store, &next, NULL);
		store = next;
		expect_store(&store, &model);
	}
	ban_store_drop(&store, NULL, NULL);
}

static bool state_file_has(const struct pinned *pinned, const char *text)
{
	AUTO_FREE char *content = NULL;
	char path[256];
	size_t size;

	snprintf(path, sizeof(path), "%s/state.json", pinned->state);
	assert_int_equal(file_read(path, 1 << 24, &content, &size), 0);
	return strstr(content, text);
}

/* So many that the file is not written with each change: entries go and come while it is. */
static void reconcile_save_writes_what_was_in_force_when_it_began(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	const struct reconcile_ban leaving = ban_of("203.0.113.1", WEIR_BAN_DENY, 0, "says \"go\""),
				   coming = ban_of("203.0.113.2", WEIR_BAN_ALLOW, 0, "");
	enum { MANY = 5000 };
	AUTO_FREE struct reconcile_ban *bans = calloc(MANY, sizeof(*bans));
	struct reconcile_save *save;

	assert_non_null(bans);
	for (uint32_t i = 0; i < MANY; i++) {
		bans[i] = ban_of("10.0.0.0", WEIR_BAN_DENY, i % 2 ? 3600 : 0, "");
		bans[i].prefix.addr.bytes.word[0] = htonl(0x0a000000 + i);
	}
	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, MANY, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &leaving, 1, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_count(edge.reconcile, WEIR_BAN_DENY), MANY + 1);
	save = reconcile_save_open(edge.reconcile);
	assert_non_null(save);
	assert_null(reconcile_save_open(edge.reconcile));
	assert_int_equal(reconcile_ban_delete(edge.reconcile, WEIR_BAN_DENY, &leaving.prefix, 1, &pinned->problem), 0);
	assert_int_equal(reconcile_ban_add(edge.reconcile, &coming, 1, &pinned->problem), 0);
	reconcile_save_write(save);
	reconcile_save_close(save);
	assert_true(state_file_has(pinned, "203.0.113.1"));
	assert_true(state_file_has(pinned, "says \\\"go\\\""));
	assert_false(state_file_has(pinned, "203.0.113.2"));
	save = reconcile_save_open(edge.reconcile);
	assert_non_null(save);
	reconcile_save_write(save);
	reconcile_save_close(save);
	assert_null(reconcile_save_open(edge.reconcile));
	assert_false(state_file_has(pinned, "203.0.113.1"));
	assert_true(state_file_has(pinned, "203.0.113.2"));
	stop(&edge);
	edge = start(pinned);
	assert_int_equal(reconcile_ban_count(edge.reconcile, WEIR_BAN_DENY), MANY);
	assert_int_equal(find_ban(&edge, WEIR_BAN_ALLOW, "203.0.113.2").count, 1);
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
		PINNED_TEST(reconcile_save_writes_what_was_in_force_when_it_began),
		cmocka_unit_test(ban_store_counts_what_it_holds),
	};

	return PINNED_RUN(tests);
}
