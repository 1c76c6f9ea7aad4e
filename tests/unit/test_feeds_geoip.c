/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/feeds: GeoIP databases, their trees, their records, and what is none. */
#include "tests/unit/mmdb_writer.h"

#define COUNTRY(code)                                                                                                  \
	{                                                                                                              \
		REGION_COUNTRY, (uint32_t)(code)[0] << 8 | (uint32_t)(code)[1]                                         \
	}
#define CONTINENT(code)                                                                                                \
	{                                                                                                              \
		REGION_CONTINENT, (uint32_t)(code)[0] << 8 | (uint32_t)(code)[1]                                       \
	}
#define ASN(number)                                                                                                    \
	{                                                                                                              \
		REGION_ASN, number                                                                                     \
	}

static int load(const char *path, const struct region *regions, size_t count, struct prefixes **out,
		struct feeds_report *report, struct problem *problem)
{
	const struct feeds_options options = {.regions = regions, .regions_count = count};

	return feeds_load(path, &options, out, report, problem);
}

/* words: the prefixes that the database has of these regions. */
static void assert_networks(const struct mmdb_write *database, const struct region *regions, size_t count,
			    const char *words, struct feeds_report *report)
{
	struct feed_file file = feed_file_begin();
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	mmdb_write_file(database, file.path);
	if (load(file.path, regions, count, &prefixes, report, &problem))
		fail_msg("%s", problem.text);
	feed_assert_set(prefixes, words);
	prefixes_release(prefixes);
	feed_file_end(&file);
}

static void geoip_country_of_every_record_size_and_family_has_its_networks(void **state)
{
	static const struct region german[] = {COUNTRY("DE")}, both[] = {COUNTRY("DE"), COUNTRY("FR")};

	(void)state;
	for (unsigned int record_bits = 24; record_bits <= 32; record_bits += 4) {
		for (unsigned int ip_version = 4; ip_version <= 6; ip_version += 2) {
			struct mmdb_write to = mmdb_write_begin(record_bits, ip_version);
			uint32_t de = mmdb_put_country(&to, "DE", "EU"), fr = mmdb_put_country(&to, "FR", "EU");
			bool is_6 = ip_version == 6;

			mmdb_write_add(&to, "192.0.2.0/25", de);
			mmdb_write_add(&to, "192.0.2.128/25", fr);
			mmdb_write_add(&to, "198.51.100.0/24", fr);
			mmdb_write_add(&to, "203.0.113.0/24", de);
			mmdb_write_add(&to, "203.0.113.77/32", fr); /* within */
			mmdb_write_add(&to, "255.255.255.255/32", de);
			if (is_6) {
				mmdb_write_add(&to, "2001:db8::/32", de);
				mmdb_write_add(&to, "2001:db8:7::1/128", fr);
				mmdb_write_add(&to, "ffff::/16", de);
			}
			assert_networks(&to, both, 2,
					is_6 ? "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 255.255.255.255 "
					       "2001:db8::/32 ffff::/16"
					     : "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 255.255.255.255",
					NULL);
			if (is_6) /* the other 96 prefixes of 2001:db8::/32 are more words than are written here */
				mmdb_write_add(&to, "2001:db8::/33", fr);
			if (is_6)
				mmdb_write_add(&to, "2001:db8:8000::/33", de);
			assert_networks(
				&to, german, 1,
				is_6 ? "192.0.2.0/25 203.0.113.0/26 203.0.113.64/29 203.0.113.72/30 203.0.113.76 "
				       "203.0.113.78/31 203.0.113.80/28 203.0.113.96/27 203.0.113.128/25 "
				       "255.255.255.255 2001:db8:8000::/33 ffff::/16"
				     : "192.0.2.0/25 203.0.113.0/26 203.0.113.64/29 203.0.113.72/30 203.0.113.76 "
				       "203.0.113.78/31 203.0.113.80/28 203.0.113.96/27 203.0.113.128/25 "
				       "255.255.255.255",
				NULL);
			mmdb_write_end(&to);
		}
	}
}

static void geoip_records_of_more_than_24_bits_are_read(void **state)
{
	static const struct region german[] = {COUNTRY("DE")};
	static const unsigned int sizes[] = {28, 32};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct mmdb_write to = mmdb_write_begin(sizes[i], 4);
		AUTO_FREE char *filler = calloc(1, (1 << 24) + 64);
		uint32_t de, fr;

		mmdb_put_control(&to, MMDB_BYTES, (1 << 24) + 64);
		mmdb_put(&to, filler, (1 << 24) + 64);
		de = mmdb_put_country(&to, "DE", "EU");
		fr = mmdb_put_country(&to, "FR", "EU");
		mmdb_write_add(&to, "10.0.0.0/9", de);
		mmdb_write_add(&to, "10.128.0.0/9", fr);
		mmdb_write_add(&to, "172.16.0.0/12", fr);
		mmdb_write_add(&to, "172.32.0.0/12", de);
		assert_networks(&to, german, 1, "10.0.0.0/9 172.32.0.0/12", NULL);
		mmdb_write_end(&to);
	}
}

static void geoip_aliases_of_ipv4_are_walked_once_and_are_no_ipv6(void **state)
{
	static const struct region german[] = {COUNTRY("DE")};
	static const char *const aliases[] = {"::ffff:0:0/96", "2002::/16", "2001::/32", "64:ff9b::/96"};
	struct mmdb_write to = mmdb_write_begin(28, 6);
	struct feeds_report report = {0};
	uint32_t de = mmdb_put_country(&to, "DE", "EU");

	(void)state;
	mmdb_write_add(&to, "192.0.2.0/24", de);
	mmdb_write_add(&to, "2001:db8::/32", de);
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		mmdb_write_alias(&to, aliases[i]);
	assert_networks(&to, german, 1, "192.0.2.0/24 2001:db8::/32", &report);
	assert_int_equal(report.entries, 2);
	mmdb_write_end(&to);
}

/* Some write a copy instead of an alias. */
static void geoip_mapped_networks_are_left_out(void **state)
{
	static const struct region german[] = {COUNTRY("DE")};
	struct mmdb_write to = mmdb_write_begin(24, 6);
	uint32_t de = mmdb_put_country(&to, "DE", "EU");

	(void)state;
	mmdb_write_add(&to, "::ffff:192.0.2.0/120", de);
	mmdb_write_add(&to, "2001:db8::/32", de);
	assert_networks(&to, german, 1, "2001:db8::/32", NULL);
	mmdb_write_end(&to);
}

/* As a look-up of any IPv4 address says. */
static void geoip_network_around_all_of_ipv4_holds_it(void **state)
{
	static const struct region german[] = {COUNTRY("DE")};
	struct mmdb_write to = mmdb_write_begin(24, 6);

	(void)state;
	mmdb_write_add(&to, "::/8", mmdb_put_country(&to, "DE", "EU"));
	assert_networks(&to, german, 1, "0.0.0.0/0 ::/8", NULL);
	mmdb_write_end(&to);
}

static void geoip_regions_of_several_kinds_are_one_set(void **state)
{
	static const struct region regions[] = {COUNTRY("FR"), CONTINENT("AS"), ASN(64496)};
	struct mmdb_write to = mmdb_write_begin(24, 4);

	(void)state;
	mmdb_write_add(&to, "10.1.0.0/16", mmdb_put_country(&to, "DE", "EU"));
	mmdb_write_add(&to, "10.3.0.0/16", mmdb_put_country(&to, "FR", "EU"));
	mmdb_write_add(&to, "10.5.0.0/16", mmdb_put_country(&to, "JP", "AS"));
	mmdb_write_add(&to, "10.7.0.0/16", mmdb_put_asn(&to, 64496));
	mmdb_write_add(&to, "10.9.0.0/16", mmdb_put_asn(&to, 64497));
	assert_networks(&to, regions, 3, "10.3.0.0/16 10.5.0.0/16 10.7.0.0/16", NULL);
	mmdb_write_end(&to);
}

/* {country_code: "DE", continent_code: "EU", asn: "AS64511"}, with the names that such layouts have beside. */
static uint32_t put_flat(struct mmdb_write *to, const char *country, const char *continent, const char *asn)
{
	uint32_t at = (uint32_t)to->data_size;

	mmdb_put_control(to, MMDB_MAP, 5);
	mmdb_put_text(to, "asn");
	mmdb_put_text(to, asn);
	mmdb_put_text(to, "country");
	mmdb_put_text(to, "Somewhere");
	mmdb_put_text(to, "country_code");
	mmdb_put_text(to, country);
	mmdb_put_text(to, "continent");
	mmdb_put_text(to, "A continent");
	mmdb_put_text(to, "continent_code");
	mmdb_put_text(to, continent);
	return at;
}

static void geoip_flat_layouts_are_read(void **state)
{
	static const struct region french[] = {COUNTRY("FR")}, asian[] = {CONTINENT("AS")}, asn[] = {ASN(64511)};
	struct mmdb_write to = mmdb_write_begin(24, 4);
	uint32_t bare;

	(void)state;
	mmdb_write_add(&to, "10.1.0.0/16", put_flat(&to, "FR", "EU", "AS64511"));
	mmdb_write_add(&to, "10.3.0.0/16", put_flat(&to, "JP", "AS", "64496"));
	bare = (uint32_t)to.data_size;
	mmdb_put_control(&to, MMDB_MAP, 2);
	mmdb_put_text(&to, "country");
	mmdb_put_text(&to, "FR");
	mmdb_put_text(&to, "traits");
	mmdb_put_control(&to, MMDB_MAP, 1);
	mmdb_put_text(&to, "autonomous_system_number");
	mmdb_put_uint(&to, MMDB_UINT32, 64511);
	mmdb_write_add(&to, "10.5.0.0/16", bare);
	assert_networks(&to, french, 1, "10.1.0.0/16 10.5.0.0/16", NULL);
	assert_networks(&to, asian, 1, "10.3.0.0/16", NULL);
	assert_networks(&to, asn, 1, "10.1.0.0/16 10.5.0.0/16", NULL);
	mmdb_write_end(&to);
}

/* Keys, values and maps are shared by pointers of every length. */
static void geoip_pointers_are_followed(void **state)
{
	static const struct region german[] = {COUNTRY("DE")};
	static const uint32_t gaps[] = {0, 3000, 600000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		struct mmdb_write to = mmdb_write_begin(32, 4);
		AUTO_FREE char *filler = calloc(1, gaps[i] + 1);
		uint32_t key, inner, record;

		mmdb_put_control(&to, MMDB_BYTES, gaps[i]);
		mmdb_put(&to, filler, gaps[i]);
		key = (uint32_t)to.data_size;
		mmdb_put_text(&to, "country");
		inner = (uint32_t)to.data_size;
		mmdb_put_control(&to, MMDB_MAP, 1);
		mmdb_put_text(&to, "iso_code");
		mmdb_put_text(&to, "DE");
		record = (uint32_t)to.data_size;
		mmdb_put_control(&to, MMDB_MAP, 2);
		mmdb_put_text(&to, "location");
		mmdb_put_pointer(&to, inner);
		mmdb_put_pointer(&to, key);
		mmdb_put_pointer(&to, inner);
		mmdb_write_add(&to, "10.0.0.0/8", record);
		assert_networks(&to, german, 1, "10.0.0.0/8", NULL);
		mmdb_write_end(&to);
	}
}

static void geoip_report_names_database_and_missing_regions(void **state)
{
	static const struct region regions[] = {COUNTRY("DE"), COUNTRY("UK"), CONTINENT("AN"), CONTINENT("EU")};
	struct mmdb_write to = mmdb_write_begin(24, 4);
	struct feeds_report report = {0};

	(void)state;
	to.type = "GeoLite2-Country";
	mmdb_write_add(&to, "10.0.0.0/9", mmdb_put_country(&to, "DE", "EU"));
	mmdb_write_add(&to, "10.128.0.0/9", mmdb_put_country(&to, "DE", "EU"));
	assert_networks(&to, regions, 4, "10.0.0.0/8", &report);
	assert_int_equal(report.format, FEEDS_GEOIP);
	assert_string_equal(report.database, "GeoLite2-Country");
	assert_int_equal(report.built_s, MMDB_WRITE_BUILT_S);
	assert_int_equal(report.entries, 2);
	assert_int_equal(report.missing_count, 2);
	assert_int_equal(report.missing[0], 1);
	assert_int_equal(report.missing[1], 2);
	mmdb_write_end(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geoip_country_of_every_record_size_and_family_has_its_networks),
		cmocka_unit_test(geoip_records_of_more_than_24_bits_are_read),
		cmocka_unit_test(geoip_aliases_of_ipv4_are_walked_once_and_are_no_ipv6),
		cmocka_unit_test(geoip_mapped_networks_are_left_out),
		cmocka_unit_test(geoip_network_around_all_of_ipv4_holds_it),
		cmocka_unit_test(geoip_regions_of_several_kinds_are_one_set),
		cmocka_unit_test(geoip_flat_layouts_are_read),
		cmocka_unit_test(geoip_pointers_are_followed),
		cmocka_unit_test(geoip_report_names_database_and_missing_regions),
	};

	return cmocka_run_group_tests_name("feeds_geoip", tests, NULL, NULL);
}
