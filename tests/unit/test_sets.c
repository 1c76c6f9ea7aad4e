/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/sets: what is read of lists, how changes are followed, and what is told about them. */
#include "sets_world.h"

/* --- what is read ------------------------------------------------------------------------------------------ */

static void sets_read_of_inline_sets_and_files_has_the_contents_of_each(void **state)
{
	struct world *world = world_begin("192.0.2.0/25\n192.0.2.128/25\n2001:db8::/32\n");
	struct prefix prefixes[2];
	struct config_set *set = add_set(world, "office");

	(void)state;
	assert_int_equal(prefix_parse("203.0.113.7", &prefixes[0]), 0);
	assert_int_equal(prefix_parse("203.0.113.6", &prefixes[1]), 0);
	*set = (struct config_set){.name = "office", .prefixes = prefixes, .prefixes_count = 2};
	*add_set(world, "nobody") = (struct config_set){.name = "nobody"};
	read_anew(world);
	assert_int_equal(world->contents.count, 3);
	feed_assert_set(world->contents.contents[0], "192.0.2.0/24 2001:db8::/32");
	feed_assert_set(world->contents.contents[1], "203.0.113.6/31");
	feed_assert_set(world->contents.contents[2], "");
	assert_int_equal(world->told_count, 0);
	assert_null(sets_find(world->sets, set));
	assert_false(state_of(world, 0)->held || state_of(world, 0)->restored);
	assert_true(state_of(world, 0)->read_s > 0);
	world_end(world);
}

static void sets_first_version_that_cannot_be_read_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text; /* NULL: no file */
		const char *sentence;
		int error;
	} rows[] = {
		{NULL, " is not there", -ENOENT},
		{"192.0.2.1\n\nnonsense\n", ":3: \"nonsense\" is no address, prefix or range", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *world = world_begin(rows[i].text);
		char sentence[192];

		assert_int_equal(read_sets(world), rows[i].error);
		snprintf(sentence, sizeof(sentence), "%s%s", world->file.path, rows[i].sentence);
		assert_string_equal(world->problem.text, sentence);
		assert_has(world->problem.hint, "\"listed\" (weir.yaml:7:3)");
		assert_int_equal(world->contents.count, 0);
		assert_int_equal(refresh(world), 0); /* nothing to be followed yet */
		write_list(world, "192.0.2.1\n");
		assert_content(world, "192.0.2.1");
		world_end(world);
	}
}

static void sets_repairs_are_told_with_their_lines(void **state)
{
	struct world *world = world_begin("# one\n192.0.2.7/24\n0.0.0.0/0\n");

	(void)state;
	read_anew(world);
	assert_has(world->told, "/list: line 2: 192.0.2.7/24 has bits set");
	assert_has(world->told, "/list:3: an entry of length 0 covers every address");
	read_anew(world); /* of the same version there is nothing more to say */
	assert_int_equal(world->told_count, 0);
	world_end(world);
}

/* --- what changes ------------------------------------------------------------------------------------------ */

static void sets_refresh_takes_a_change_when_it_is_due(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");

	(void)state;
	read_anew(world);
	assert_int_equal(refresh(world), 0); /* from here on the time counts */
	write_list(world, "192.0.2.1\n192.0.2.9\n");
	world->now_ms -= 1;
	assert_int_equal(sets_refresh(world->sets, &world->config, world->now_ms + 999, told, world), 0);
	feed_assert_set(state_of(world, 0)->good, "192.0.2.1");
	assert_int_equal(refresh(world), 0);
	world->now_ms += 1;
	assert_int_equal(refresh(world), 1);
	feed_assert_set(state_of(world, 0)->good, "192.0.2.1 192.0.2.9");
	feed_assert_set(world->contents.contents[0], "192.0.2.1"); /* whoever had the one before still has it */
	assert_int_equal(refresh(world), 0);
	assert_content(world, "192.0.2.1 192.0.2.9");
	world_end(world);
}

/* As another thread reads what has changed, and what it read takes the place afterwards. */
static void sets_clone_reads_for_itself(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	struct sets *first = world->sets, *clone;

	(void)state;
	read_anew(world);
	assert_true(sets_due(first, &world->config, world->now_ms)); /* from the first look on the time counts */
	refresh(world);
	assert_false(sets_due(first, &world->config, world->now_ms + 999));
	assert_true(sets_due(first, &world->config, world->now_ms + 1000));
	write_list(world, "192.0.2.1\n192.0.2.9\n");
	assert_int_equal(sets_clone(first, &clone), 0);
	world->sets = clone;
	assert_int_equal(refresh(world), 1);
	feed_assert_set(sets_find(first, &world->set[0])->good, "192.0.2.1");
	feed_assert_set(state_of(world, 0)->good, "192.0.2.1 192.0.2.9");
	assert_true(sets_due(first, &world->config, world->now_ms));
	assert_false(sets_due(clone, &world->config, world->now_ms));
	sets_close(first);
	feed_assert_set(world->contents.contents[0], "192.0.2.1");
	assert_content(world, "192.0.2.1 192.0.2.9");
	world->config.sets_count = 0; /* what is not named any more is to be forgotten */
	assert_true(sets_due(clone, &world->config, world->now_ms));
	world_end(world);
}

struct watch {
	char set[WEIR_NAME_MAX];
	unsigned int calls;
	uint64_t done, total;
};

static void watch(void *arg, const char *set, uint64_t done_bytes, uint64_t total_bytes)
{
	struct watch *watch = arg;

	snprintf(watch->set, sizeof(watch->set), "%s", set);
	watch->calls++;
	watch->done = done_bytes;
	watch->total = total_bytes;
}

static void sets_reading_is_told_to_who_watches(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	struct watch seen = {0};
	struct sets *clone;

	(void)state;
	sets_watch(world->sets, watch, &seen);
	read_anew(world);
	assert_string_equal(seen.set, "listed");
	assert_int_equal(seen.done, 10);
	assert_int_equal(seen.total, 10);
	seen = (struct watch){0};
	read_anew(world); /* a version that is known is not read */
	assert_int_equal(seen.calls, 0);
	assert_int_equal(sets_clone(world->sets, &clone), 0);
	sets_close(world->sets);
	world->sets = clone;
	write_list(world, "192.0.2.1\n192.0.2.9\n");
	read_anew(world);
	assert_int_equal(seen.done, 20);
	world_end(world);
}

static void sets_version_with_the_same_contents_is_the_same_object(void **state)
{
	struct world *world = world_begin("192.0.2.0/24\n");
	const struct prefixes *good;

	(void)state;
	read_anew(world);
	refresh(world);
	good = state_of(world, 0)->good;
	write_list(world, "192.0.2.128/25\n192.0.2.0/25 # in halves\n");
	assert_int_equal(refresh(world), 0);
	assert_ptr_equal(state_of(world, 0)->good, good);
	assert_int_equal(renew(world, false), 0);
	assert_content(world, "192.0.2.0/24");
	world_end(world);
}

static void sets_list_that_breaks_keeps_its_last_good_version_and_is_told_once(void **state)
{
	static const struct {
		const char *text; /* NULL: the file vanishes */
		const char *why;
	} rows[] = {
		{"192.0.2.1\n<html>\n", ":2: \"<html>\" is no address, prefix or range"},
		{NULL, " is not there"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *world = world_begin("192.0.2.1\n192.0.2.9\n");

		read_anew(world);
		refresh(world);
		if (rows[i].text)
			write_list(world, rows[i].text);
		else
			unlink(world->file.path);
		assert_int_equal(refresh(world), 0);
		assert_int_equal(world->told_count, 1);
		assert_has(world->told, "set \"listed\": ");
		assert_has(world->told, "the last good version, of 2 prefixes, stays in use");
		assert_has(state_of(world, 0)->why, rows[i].why);
		assert_false(state_of(world, 0)->held);
		assert_int_equal(refresh(world), 0);
		assert_int_equal(world->told_count, 0);
		assert_content(world, "192.0.2.1 192.0.2.9");
		/* Nobody can accept what cannot be read. */
		assert_int_equal(renew(world, true), -EINVAL);
		assert_has(world->problem.text, rows[i].why);
		assert_has(world->problem.hint, "weir set refresh listed reads it at once");
		write_list(world, "192.0.2.3\n");
		assert_int_equal(refresh(world), 1);
		assert_string_equal(state_of(world, 0)->why, "");
		assert_content(world, "192.0.2.3");
		world_end(world);
	}
}

static void sets_list_that_is_away_and_comes_back_unchanged_is_in_use(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	struct feed_file file = world->file;
	char aside[128];

	(void)state;
	snprintf(aside, sizeof(aside), "%s-aside", file.directory);
	read_anew(world);
	refresh(world);
	assert_int_equal(rename(file.directory, aside), 0); /* the file itself keeps all of its times */
	refresh(world);
	assert_has(state_of(world, 0)->why, "is not there");
	assert_int_equal(rename(aside, file.directory), 0);
	assert_int_equal(refresh(world), 0);
	assert_string_equal(state_of(world, 0)->why, "");
	world_end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_read_of_inline_sets_and_files_has_the_contents_of_each),
		cmocka_unit_test(sets_first_version_that_cannot_be_read_is_refused_with_its_place),
		cmocka_unit_test(sets_repairs_are_told_with_their_lines),
		cmocka_unit_test(sets_refresh_takes_a_change_when_it_is_due),
		cmocka_unit_test(sets_clone_reads_for_itself),
		cmocka_unit_test(sets_reading_is_told_to_who_watches),
		cmocka_unit_test(sets_version_with_the_same_contents_is_the_same_object),
		cmocka_unit_test(sets_list_that_breaks_keeps_its_last_good_version_and_is_told_once),
		cmocka_unit_test(sets_list_that_is_away_and_comes_back_unchanged_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
