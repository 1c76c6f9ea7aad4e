/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: sets out of GeoIP databases. */
#include "tests/unit/config_refusal.h"

static void assert_regions(const struct config_set *set, const char *expected)
{
	char *text AUTO_FREE = config_regions_format(set);

	assert_int_equal(set->kind, CONFIG_SET_GEOIP);
	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void geoip_sets_are_read_in_every_form(void **state)
{
	static const struct {
		const char *text, *regions;
	} rows[] = {
		{"countries: [DE, FR]", "DE, FR"},
		{"countries: NO", "NO"}, /* no boolean */
		{"countries: [fr, De, FR]", "DE, FR"},
		{"continents: EU", "EU"},
		{"continents: [AF, AN, AS, EU, NA, OC, SA]", "AF, AN, AS, EU, NA, OC, SA"},
		{"asns: [64496, AS64511, as1]", "AS1, AS64496, AS64511"},
		{"asns: 4294967295", "AS4294967295"},
		{"asns: [64496, AS64496]", "AS64496"},
		{"asns: [64496], continents: [EU], countries: [EU]", "EU, EU, AS64496"},
		{"asns: [9, 8, 7, 6, 5, 4, 3, 2, 1]", "AS1, AS2, AS3, AS4, AS5, AS6, AS7, AS8, AS9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		struct config *config;

		snprintf(text, sizeof(text), "sets: {a: {geoip: {file: x.mmdb, %s}}}\n", rows[i].text);
		config = accepted_as("/etc/weir/f", text);
		assert_regions(&config->sets[0], rows[i].regions);
		assert_string_equal(config->sets[0].path, "/etc/weir/x.mmdb");
		assert_int_equal(config->sets[0].refresh_ms, 10000);
		assert_int_equal(config->sets[0].max_change_percent, 0);
		config_free(config);
	}
}

static void geoip_options_and_places_are_kept(void **state)
{
	struct config *config = accepted_as("f", "sets:\n"
						 "  a:\n"
						 "    geoip: {file: /x.mmdb, countries: [FR, DE]}\n"
						 "    refresh: 1d\n"
						 "    max_change: 20%\n");
	const struct config_set *set = &config->sets[0];

	(void)state;
	assert_int_equal(set->refresh_ms, 86400000);
	assert_int_equal(set->max_change_percent, 20);
	assert_int_equal(set->region_places[0].line, 3); /* DE */
	assert_int_equal(set->region_places[0].column, 44);
	assert_int_equal(set->region_places[1].column, 40);
	config_free(config);
}

/* Two that differ behind what is written differ in what is written. */
static void geoip_many_regions_are_told_apart_by_their_digest(void **state)
{
	static const char *const lists[] = {"1,2,3,4,5,6,7,8,9,10", "1,2,3,4,5,6,7,8,9,11"};
	char *texts[2], text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct config *config;

		snprintf(text, sizeof(text), "sets: {a: {geoip: {file: x.mmdb, asns: [%s]}}}\n", lists[i]);
		config = accepted_as("f", text);
		texts[i] = config_regions_format(&config->sets[0]);
		assert_non_null(strstr(texts[i], "AS8 and 2 more (digest "));
		config_free(config);
	}
	assert_string_not_equal(texts[0], texts[1]);
	free(texts[0]);
	free(texts[1]);
}

#define GEOIP(inner) "sets: {a: {geoip: {" inner "}}}\n"

static void geoip_sets_that_are_wrong_are_refused_with_their_place(void **state)
{
	static const struct refusal rows[] = {
		{"sets: {a: {geoip: x.mmdb}}\n", "f:1:19: \"geoip\" is written as keys with values"},
		{GEOIP("countries: [DE]"), "f:1:19: \"geoip\" needs \"file\""},
		{GEOIP("file: x.mmdb"),
		 "f:1:19: \"geoip\" needs at least one of \"countries\", \"continents\" and \"asns\""},
		{GEOIP("file: \"\", countries: [DE]"), "f:1:26: \"file\" is empty"},
		{GEOIP("file: x.mmdb, countries: []"), "f:1:45: \"countries\" is an empty list"},
		{GEOIP("file: x.mmdb, countries: [DE, DEU]"),
		 "f:1:50: \"DEU\" for \"countries\": a country is its two letters in ISO 3166-1, as in DE\n"},
		{GEOIP("file: x.mmdb, countries: [Germany]"), "f:1:46: \"Germany\" for \"countries\": a country is"},
		{GEOIP("file: x.mmdb, countries: [D1]"), "f:1:46: \"D1\" for \"countries\": a country is"},
		{GEOIP("file: x.mmdb, countries: [49]"), "f:1:46: \"49\" for \"countries\": a country is"},
		{GEOIP("file: x.mmdb, countries: [~]"), "f:1:46: \"countries\" has no value"},
		{GEOIP("file: x.mmdb, countries: [[DE]]"), "f:1:46: \"countries\" takes a single value, not a list"},
		{GEOIP("file: x.mmdb, country: [DE]"),
		 "f:1:34: unknown key \"country\" in \"geoip\"; did you mean \"countries\"?"},
		{GEOIP("file: x.mmdb, continents: [EU, US]"),
		 "f:1:51: \"US\" for \"continents\": a continent is AF, AN, AS, EU, NA, OC or SA\n"},
		{GEOIP("file: x.mmdb, continents: Europe"), "f:1:46: \"Europe\" for \"continents\": a continent is"},
		{GEOIP("file: x.mmdb, asns: [0]"),
		 "f:1:41: \"0\" for \"asns\": an AS number is 1 to 4294967295, with or without \"AS\""},
		{GEOIP("file: x.mmdb, asns: [64496, 4294967296]"), "f:1:48: \"4294967296\" for \"asns\""},
		{GEOIP("file: x.mmdb, asns: [AS]"), "f:1:41: \"AS\" for \"asns\""},
		{GEOIP("file: x.mmdb, asns: [-1]"), "f:1:41: \"-1\" for \"asns\""},
		{GEOIP("file: x.mmdb, asns: [1.10]"), "f:1:41: \"1.10\" for \"asns\""},
		{GEOIP("file: x.mmdb, asns: [18446744073709551617]"), "f:1:41: \"18446744073709551617\" for \"asns\""},
		{"sets: {a: {geoip: {file: x.mmdb, countries: [DE]}, strict: true}}\n",
		 "f:1:52: \"strict\" belongs to a set with a \"file\": leave it out"},
		{"sets: {a: {geoip: {file: x.mmdb, countries: [DE]}, prefixes: [10.0.0.0/8]}}\n",
		 "f:1:19: a set has \"prefixes\" or \"geoip\": make two sets of it"},
		{"sets: {a: {geoip: {file: x.mmdb, countries: [DE]}, file: x}}\n",
		 "f:1:12: a set has a \"file\" or \"geoip\": make two sets of it"},
		{"sets: {a: {file: x.mmdb}}\n",
		 "f:1:18: \"x.mmdb\" is a GeoIP database: it is written geoip: {file: x.mmdb, countries: [DE]}"},
		{"sets: {a: {file: x, countries: [DE]}}\n",
		 "f:1:21: \"countries\" belongs to \"geoip\": geoip: {file: PATH.mmdb, countries: [...]}"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geoip_sets_are_read_in_every_form),
		cmocka_unit_test(geoip_options_and_places_are_kept),
		cmocka_unit_test(geoip_many_regions_are_told_apart_by_their_digest),
		cmocka_unit_test(geoip_sets_that_are_wrong_are_refused_with_their_place),
	};

	return cmocka_run_group_tests_name("config_geoip", tests, NULL, NULL);
}
