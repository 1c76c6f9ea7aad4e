/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/sets: versions that are held back, and what outlasts a start or an apply that is refused. */
#include "sets_world.h"

/* --- what is held back ------------------------------------------------------------------------------------- */

static void sets_change_beyond_max_change_is_held_back_until_it_is_accepted(void **state)
{
	struct world *world = world_begin("192.0.2.1\n192.0.2.3\n192.0.2.5\n192.0.2.7\n");

	(void)state;
	world->set[0].max_change_percent = 30;
	read_anew(world);
	refresh(world);
	write_list(world, "192.0.2.1\n192.0.2.3\n");
	assert_int_equal(refresh(world), 0);
	assert_int_equal(world->told_count, 1);
	assert_true(state_of(world, 0)->held);
	assert_has(state_of(world, 0)->why, "from 4 to 2 prefixes: a change of 50.0 %");
	assert_int_equal(refresh(world), 0);
	assert_int_equal(world->told_count, 0);
	write_list(world, "# nothing\n");
	assert_int_equal(refresh(world), 0);
	assert_has(world->told, "from 4 prefixes to none");
	assert_int_equal(renew(world, false), -EINVAL);
	assert_has(world->problem.hint, "weir set refresh listed --accept");
	assert_true(state_of(world, 0)->held);
	assert_content(world, "192.0.2.1 192.0.2.3 192.0.2.5 192.0.2.7");
	assert_int_equal(renew(world, true), 1);
	assert_false(state_of(world, 0)->held);
	assert_string_equal(state_of(world, 0)->why, "");
	assert_content(world, "");
	world_end(world);
}

static void sets_other_measures_have_a_known_version_judged_again(void **state)
{
	struct world *world = world_begin("192.0.2.1\n192.0.2.3\n");

	(void)state;
	world->set[0].max_change_percent = 30;
	read_anew(world);
	write_list(world, "192.0.2.7/24\n");
	assert_content(world, "192.0.2.1 192.0.2.3");
	assert_true(state_of(world, 0)->held);
	world->set[0].max_change_percent = 0;
	assert_content(world, "192.0.2.0/24");
	assert_false(state_of(world, 0)->held);
	world->set[0].strict = true;
	assert_content(world, "192.0.2.0/24");
	assert_has(state_of(world, 0)->why, ":1: 192.0.2.7/24 has bits set beyond its length");
	world_end(world);
}

static void sets_renew_of_what_is_no_list_is_refused(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");

	(void)state;
	*add_set(world, "nobody") = (struct config_set){.name = "nobody"};
	read_anew(world);
	assert_int_equal(sets_renew(world->sets, &world->config, "nobody", false, &world->problem), -ENOENT);
	assert_int_equal(sets_renew(world->sets, &world->config, "unheard", false, &world->problem), -ENOENT);
	assert_has(world->problem.text, "no set \"unheard\" is read from a file");
	world_end(world);
}

/* Each line is 30 prefixes, so that few of them are many. */
static void sets_total_beyond_capacity_is_refused_and_the_largest_named(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	FILE *file = fopen(world->file.path, "we");

	(void)state;
	assert_non_null(file);
	for (unsigned int i = 0; i < 65536; i++)
		fprintf(file, "%u.%u.0.1-%u.%u.255.254\n", i >> 8, i & 255, i >> 8, i & 255);
	assert_int_equal(fclose(file), 0);
	add_set(world, "second");
	read_anew(world);
	assert_int_equal(prefixes_count(world->contents.contents[0]), 30 * 65536);
	add_set(world, "third");
	assert_int_equal(read_sets(world), -E2BIG);
	assert_has(world->problem.text, "5898240 prefixes in all sets, but at most 4194304 fit (WEIR_MAX_PREFIXES)");
	assert_has(world->problem.hint, "the largest is \"listed\" with 1966080");
	world_end(world);
}

/* --- what outlasts ----------------------------------------------------------------------------------------- */

static void sets_start_with_a_broken_list_has_the_last_good_version(void **state)
{
	static const char *const texts[] = {"nonsense\n", NULL, "192.0.2.1\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct world *world = world_begin("192.0.2.1\n192.0.2.9\n2001:db8::/48\n");

		world->set[0].max_change_percent = 30;
		read_anew(world);
		if (texts[i])
			write_list(world, texts[i]);
		else
			unlink(world->file.path);
		restart(world);
		assert_content(world, "192.0.2.1 192.0.2.9 2001:db8::/48");
		assert_true(state_of(world, 0)->restored);
		assert_true(*state_of(world, 0)->why);
		assert_int_equal(state_of(world, 0)->held, i == 2);
		write_list(world, "192.0.2.1\n192.0.2.3\n2001:db8::/48\n");
		assert_content(world, "192.0.2.1 192.0.2.3 2001:db8::/48");
		assert_false(state_of(world, 0)->restored);
		world_end(world);
	}
}

static void sets_kept_version_of_another_file_is_not_taken_for_this_one(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");

	(void)state;
	read_anew(world);
	strcat(world->set[0].path, ".other");
	assert_int_equal(read_sets(world), -ENOENT);
	restart(world);
	assert_int_equal(read_sets(world), -ENOENT);
	world_end(world);
}

static void sets_damaged_kept_version_is_left_out(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	char command[160];

	(void)state;
	read_anew(world);
	snprintf(command, sizeof(command), "for f in %s/sets/*; do echo >> $f; done", world->file.directory);
	assert_int_equal(system(command), 0);
	restart(world);
	assert_content(world, "192.0.2.1");
	assert_false(state_of(world, 0)->restored);
	unlink(world->file.path);
	assert_content(world, "192.0.2.1"); /* it was kept anew */
	restart(world);
	assert_content(world, "192.0.2.1");
	assert_true(state_of(world, 0)->restored);
	world_end(world);
}

static void sets_two_of_one_file_are_two_lists(void **state)
{
	struct world *world = world_begin("192.0.2.1\n192.0.2.3\n");

	(void)state;
	add_set(world, "careful")->max_change_percent = 10;
	read_anew(world);
	feed_assert_set(world->contents.contents[1], "192.0.2.1 192.0.2.3");
	refresh(world);
	write_list(world, "192.0.2.1\n");
	assert_int_equal(refresh(world), 1);
	assert_content(world, "192.0.2.1");
	feed_assert_set(world->contents.contents[1], "192.0.2.1 192.0.2.3");
	assert_false(state_of(world, 0)->held);
	assert_true(state_of(world, 1)->held);
	restart(world);
	read_anew(world);
	feed_assert_set(world->contents.contents[1], "192.0.2.1 192.0.2.3");
	world_end(world);
}

/* The configuration that was refused never became the live one. */
static void sets_read_that_fails_leaves_the_lists_of_the_live_configuration_followed(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");
	struct config refused = {.sets_count = 2};
	struct config_set sets[2] = {{.name = "office"}, world->set[0]};
	struct sets_contents contents = {};

	(void)state;
	refused.sets = sets;
	read_anew(world);
	refresh(world);
	strcat(sets[1].path, ".gone");
	assert_int_equal(sets_read(world->sets, &refused, &contents, told, world, &world->problem), -ENOENT);
	assert_null(contents.contents);
	refused.sets_count = 1; /* read whole, and refused for another reason */
	assert_int_equal(sets_read(world->sets, &refused, &contents, told, world, &world->problem), 0);
	sets_contents_clear(&contents);
	write_list(world, "192.0.2.9\n");
	assert_int_equal(refresh(world), 1);
	assert_content(world, "192.0.2.9");
	world_end(world);
}

static void sets_list_that_the_live_configuration_no_longer_names_is_forgotten(void **state)
{
	struct world *world = world_begin("192.0.2.1\n");

	(void)state;
	read_anew(world);
	world->config.sets_count = 0;
	assert_int_equal(refresh(world), 0);
	assert_null(sets_find(world->sets, &world->set[0]));
	unlink(world->file.path);
	world->config.sets_count = 1;
	assert_int_equal(read_sets(world), -ENOENT);
	world_end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_change_beyond_max_change_is_held_back_until_it_is_accepted),
		cmocka_unit_test(sets_other_measures_have_a_known_version_judged_again),
		cmocka_unit_test(sets_renew_of_what_is_no_list_is_refused),
		cmocka_unit_test(sets_total_beyond_capacity_is_refused_and_the_largest_named),
		cmocka_unit_test(sets_start_with_a_broken_list_has_the_last_good_version),
		cmocka_unit_test(sets_kept_version_of_another_file_is_not_taken_for_this_one),
		cmocka_unit_test(sets_damaged_kept_version_is_left_out),
		cmocka_unit_test(sets_two_of_one_file_are_two_lists),
		cmocka_unit_test(sets_read_that_fails_leaves_the_lists_of_the_live_configuration_followed),
		cmocka_unit_test(sets_list_that_the_live_configuration_no_longer_names_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
