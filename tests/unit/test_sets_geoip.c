/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/sets: sets out of GeoIP databases follow their file as those of lists do. */
#include "tests/unit/mmdb_writer.h"
#include "tests/unit/sets_world.h"

#define COUNTRY(code)                                                                                                  \
	(struct region)                                                                                                \
	{                                                                                                              \
		REGION_COUNTRY, (uint32_t)(code)[0] << 8 | (uint32_t)(code)[1]                                         \
	}

static struct region german, french, british;
static struct config_place place = {.line = 7, .column = 40};

static void be_geoip(struct config_set *set, struct region *region)
{
	set->kind = CONFIG_SET_GEOIP;
	set->regions = region;
	set->region_places = &place;
	set->regions_count = 1;
}

/* Networks 10.0.0.0/16, 10.2.0.0/16 ... of DE, as many, and 192.0.2.0/24 of FR. */
static void write_database(const struct world *world, unsigned int germans)
{
	struct mmdb_write to = mmdb_write_begin(24, 6);
	uint32_t de = mmdb_put_country(&to, "DE", "EU"), fr = mmdb_put_country(&to, "FR", "EU");
	char text[ADDR_TEXT_MAX], fresh[128];

	to.type = "Test-Country";
	for (unsigned int i = 0; i < germans; i++) {
		snprintf(text, sizeof(text), "10.%u.0.0/16", 2 * i);
		mmdb_write_add(&to, text, de);
	}
	mmdb_write_add(&to, "192.0.2.0/24", fr);
	snprintf(fresh, sizeof(fresh), "%s.new", world->file.path);
	mmdb_write_file(&to, fresh);
	assert_int_equal(rename(fresh, world->file.path), 0);
	mmdb_write_end(&to);
}

static struct world *geoip_world(unsigned int germans, struct region *region)
{
	struct world *world = world_begin(NULL);

	german = COUNTRY("DE");
	french = COUNTRY("FR");
	british = COUNTRY("UK");
	be_geoip(&world->set[0], region);
	write_database(world, germans);
	return world;
}

static void sets_geoip_database_that_is_replaced_is_taken_when_it_is_due(void **state)
{
	struct world *world = geoip_world(1, &german);

	(void)state;
	assert_content(world, "10.0.0.0/16");
	assert_string_equal(world->told, "");
	assert_int_equal(refresh(world), 0);
	write_database(world, 2);
	assert_int_equal(refresh(world), 1);
	assert_content(world, "10.0.0.0/16 10.2.0.0/16");
	assert_string_equal(state_of(world, 0)->report.database, "Test-Country");
	assert_int_equal(state_of(world, 0)->report.built_s, MMDB_WRITE_BUILT_S);
	world_end(world);
}

static void sets_geoip_change_beyond_max_change_is_held_back_until_it_is_accepted(void **state)
{
	struct world *world = geoip_world(10, &german);

	(void)state;
	world->set[0].max_change_percent = 20;
	read_anew(world);
	refresh(world);
	write_database(world, 4);
	assert_int_equal(refresh(world), 0);
	assert_true(state_of(world, 0)->held);
	assert_has(world->told, "from 10 to 4 prefixes");
	assert_int_equal(renew(world, true), 1);
	assert_content(world, "10.0.0.0/16 10.2.0.0/16 10.4.0.0/16 10.6.0.0/16");
	world_end(world);
}

static void sets_geoip_database_that_breaks_keeps_its_last_good_version_over_a_restart(void **state)
{
	struct world *world = geoip_world(2, &german);

	(void)state;
	read_anew(world);
	refresh(world);
	write_list(world, "<html>not today</html>\n");
	assert_int_equal(refresh(world), 0);
	assert_has(world->told, "is no whole MaxMind database");
	assert_has(world->told, "the last good version, of 2 prefixes, stays in use");
	restart(world);
	assert_content(world, "10.0.0.0/16 10.2.0.0/16");
	assert_true(state_of(world, 0)->restored);
	world_end(world);
}

static void sets_geoip_of_one_database_have_each_their_own_regions(void **state)
{
	struct world *world = geoip_world(1, &german);

	(void)state;
	be_geoip(add_set(world, "other"), &french);
	read_anew(world);
	feed_assert_set(world->contents.contents[0], "10.0.0.0/16");
	feed_assert_set(world->contents.contents[1], "192.0.2.0/24");
	world_end(world);
}

/* What was asked for before is no version of what is asked for now. */
static void sets_geoip_with_other_regions_is_another_set(void **state)
{
	struct world *world = geoip_world(10, &german);

	(void)state;
	world->set[0].max_change_percent = 20;
	read_anew(world);
	world->set[0].regions = &french;
	assert_content(world, "192.0.2.0/24");
	assert_string_equal(state_of(world, 0)->why, "");
	write_list(world, "broken\n");
	world->set[0].regions = &british;
	assert_int_equal(read_sets(world), -EINVAL);
	restart(world);
	assert_int_equal(read_sets(world), -EINVAL);
	write_database(world, 10);
	world->set[0].regions = &german;
	read_anew(world);
	world_end(world);
}

static void sets_geoip_region_without_networks_is_told_with_its_place(void **state)
{
	struct world *world = geoip_world(1, &british);

	(void)state;
	read_anew(world);
	assert_int_equal(world->told_count, 1);
	assert_has(world->told, "7:40: set \"listed\": no network of ");
	assert_has(world->told, " (Test-Country) is in the country UK; was GB meant?\n");
	assert_int_equal(prefixes_count(world->contents.contents[0]), 0);
	world_end(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_geoip_database_that_is_replaced_is_taken_when_it_is_due),
		cmocka_unit_test(sets_geoip_change_beyond_max_change_is_held_back_until_it_is_accepted),
		cmocka_unit_test(sets_geoip_database_that_breaks_keeps_its_last_good_version_over_a_restart),
		cmocka_unit_test(sets_geoip_of_one_database_have_each_their_own_regions),
		cmocka_unit_test(sets_geoip_with_other_regions_is_another_set),
		cmocka_unit_test(sets_geoip_region_without_networks_is_told_with_its_place),
	};

	return cmocka_run_group_tests_name("sets_geoip", tests, NULL, NULL);
}
