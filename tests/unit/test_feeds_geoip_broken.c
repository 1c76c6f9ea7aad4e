/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/feeds: databases that are cut off, damaged or made to do harm are refused by name, whole or not at
 * all. */
#include "tests/unit/mmdb_writer.h"

static const struct region GERMAN[] = {{REGION_COUNTRY, 'D' << 8 | 'E'}};

/* 0, or what it is refused by; then nothing else was touched, and the problem begins with the file's name. */
static int try_load(const char *path, struct problem *problem)
{
	const struct feeds_options options = {.regions = GERMAN, .regions_count = 1};
	struct feeds_report report = {.lines = 77};
	struct prefixes *prefixes = NULL;
	int error;

	*problem = (struct problem){0};
	error = feeds_load(path, &options, &prefixes, &report, problem);
	if (!error) {
		assert_non_null(prefixes);
		prefixes_release(prefixes);
		return 0;
	}
	assert_null(prefixes);
	assert_int_equal(report.lines, 77);
	assert_memory_equal(problem->text, path, strlen(path));
	assert_true(*problem->hint);
	return error;
}

static struct mmdb_write some_database(void)
{
	struct mmdb_write to = mmdb_write_begin(24, 6);
	uint32_t de = mmdb_put_country(&to, "DE", "EU"), fr = mmdb_put_country(&to, "FR", "EU");

	mmdb_write_add(&to, "192.0.2.0/24", de);
	mmdb_write_add(&to, "198.51.100.0/24", fr);
	mmdb_write_add(&to, "2001:db8::/32", de);
	mmdb_write_alias(&to, "2002::/16");
	return to;
}

static void geoip_cut_off_anywhere_is_refused(void **state)
{
	struct mmdb_write to = some_database(), bytes = mmdb_write_bytes(&to);
	struct feed_file file = feed_file_begin();
	struct problem problem;

	(void)state;
	for (size_t size = 0; size < bytes.data_size; size++) {
		feed_file_write(file.path, bytes.data, size);
		if (try_load(file.path, &problem) != -EINVAL)
			fail_msg("taken with %zu of %zu bytes", size, bytes.data_size);
	}
	feed_file_write(file.path, bytes.data, bytes.data_size);
	assert_int_equal(try_load(file.path, &problem), 0);
	feed_file_end(&file);
	mmdb_write_end(&bytes);
	mmdb_write_end(&to);
}

/* What comes of it is another database or none; the sanitizers watch. */
static void geoip_any_byte_changed_is_read_or_refused(void **state)
{
	static const uint8_t changes[] = {0x01, 0x20, 0x80, 0xff};
	struct mmdb_write to = some_database(), bytes = mmdb_write_bytes(&to);
	struct feed_file file = feed_file_begin();
	struct problem problem;
	size_t refused = 0;

	(void)state;
	for (size_t at = 0; at < bytes.data_size; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
			bytes.data[at] ^= changes[i];
			feed_file_write(file.path, bytes.data, bytes.data_size);
			refused += try_load(file.path, &problem) != 0;
			bytes.data[at] ^= changes[i];
		}
	}
	assert_true(refused > 0);
	feed_file_end(&file);
	mmdb_write_end(&bytes);
	mmdb_write_end(&to);
}

/* --- made to do harm ------------------------------------------------------------------------------------- */

static void make_circle(struct mmdb_write *to)
{
	*mmdb_write_find(to, "2001:db8::/64") = (struct mmdb_write_record){WRITE_NODE, 0};
}

static void make_circle_of_zeros(struct mmdb_write *to)
{
	to->nodes[0][0] = (struct mmdb_write_record){WRITE_NODE, 0};
}

static void make_circle_in_ipv4(struct mmdb_write *to)
{
	*mmdb_write_find(to, "192.0.2.0/24") = *mmdb_write_find(to, "::/96");
}

/* Every node leads to the next by both records: 2 to the power of 100 ways through. */
static void make_fan(struct mmdb_write *to)
{
	to->nodes_count = 0;
	for (uint32_t i = 0; i < 100; i++) {
		uint32_t node = mmdb_write_node(to);

		to->nodes[node][0] = to->nodes[node][1] = (struct mmdb_write_record){WRITE_NODE, i + 1};
	}
	mmdb_write_node(to);
}

static void make_deep(struct mmdb_write *to)
{
	uint32_t node = mmdb_write_node(to);

	*mmdb_write_find(to, "2001:db8::1/128") = (struct mmdb_write_record){WRITE_NODE, node};
}

static void lead_beyond_the_data(struct mmdb_write *to)
{
	mmdb_write_add(to, "2001:db8::/32", 10000000);
}

static void lead_between_tree_and_data(struct mmdb_write *to)
{
	mmdb_write_add(to, "2001:db8::/32", (uint32_t)-5);
}

static void add_record(struct mmdb_write *to, const void *bytes, size_t size)
{
	uint32_t at = (uint32_t)to->data_size;

	mmdb_put(to, bytes, size);
	mmdb_write_add(to, "2001:db8::/32", at);
}

static void make_pointer_to_pointer(struct mmdb_write *to)
{
	uint32_t at = (uint32_t)to->data_size;

	mmdb_put_pointer(to, at);
	mmdb_write_add(to, "2001:db8::/32", at);
}

static void make_pointer_beyond(struct mmdb_write *to)
{
	add_record(to, "\x3f\xff\xff\xff\xff", 5);
}

static void make_large_map(struct mmdb_write *to)
{
	add_record(to, "\xff\xff\xff\xff", 4);
}

static void make_map_of_large_array(struct mmdb_write *to)
{
	add_record(to,
		   "\xe1\x41"
		   "a\x1e\x04\xff\xff",
		   7);
}

static void make_long_string(struct mmdb_write *to)
{
	add_record(to,
		   "\xe1\x41"
		   "a\x5f\xff\xff\xff",
		   7);
}

static void make_long_number(struct mmdb_write *to)
{
	add_record(to,
		   "\xe1\x41"
		   "a\xc5"
		   "12345",
		   9);
}

static void make_key_that_is_no_string(struct mmdb_write *to)
{
	add_record(to, "\xe1\xc1\x01\xc1\x01", 5);
}

static void make_unknown_type(struct mmdb_write *to)
{
	add_record(to,
		   "\xe1\x41"
		   "a\x01\x09",
		   5);
}

/* Maps within maps, each of them a record too: to read them all takes the square of their number. */
static void make_square(struct mmdb_write *to)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned int i = 0; i < 4000; i++) {
		uint32_t at = (uint32_t)to->data_size;

		mmdb_put(to, "\xe1\x41k", 3);
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i / 256, i % 256);
		mmdb_write_add(to, text, at);
	}
	mmdb_put(to, "\x40", 1);
}

static void say_another_version(struct mmdb_write *to)
{
	to->major = 3;
}

static void say_another_record_size(struct mmdb_write *to)
{
	to->record_bits = 20;
}

static void say_another_ip_version(struct mmdb_write *to)
{
	to->ip_version = 5;
}

static void geoip_made_to_do_harm_is_refused(void **state)
{
	static const struct {
		void (*make)(struct mmdb_write *to);
		const char *why;
	} rows[] = {
		{make_circle, "its tree runs in circles"},
		{make_circle_of_zeros, "its tree runs in circles"},
		{make_circle_in_ipv4, "its tree runs in circles"},
		{make_fan, "its tree runs in circles"},
		{make_deep, "its tree is deeper than an address has bits"},
		{lead_beyond_the_data, "its tree leads beyond the data"},
		{lead_between_tree_and_data, "its tree leads beyond the data"},
		{make_pointer_to_pointer, "a pointer leads to a pointer"},
		{make_pointer_beyond, "a pointer leads beyond the data"},
		{make_large_map, "a map is larger than the data"},
		{make_map_of_large_array, "an array is larger than the data"},
		{make_long_string, "a value ends beyond the data"},
		{make_long_number, "a number is longer than its type"},
		{make_key_that_is_no_string, "the key of a map is no string"},
		{make_unknown_type, "a value has an unknown type"},
		{make_square, "its records are far larger than those of any such database"},
		{say_another_version, "its metadata says another format than version 2"},
		{say_another_record_size, "its metadata says a record size other than 24, 28 or 32"},
		{say_another_ip_version, "its metadata says an IP version other than 4 or 6"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct feed_file file = feed_file_begin();
		struct mmdb_write to = some_database();
		struct problem problem;

		rows[i].make(&to);
		mmdb_write_file(&to, file.path);
		if (!try_load(file.path, &problem))
			fail_msg("taken, where \"%s\" was expected", rows[i].why);
		if (!strstr(problem.text, " is no whole MaxMind database: ") || !strstr(problem.text, rows[i].why))
			fail_msg("\"%s\" where \"%s\" was expected", problem.text, rows[i].why);
		assert_string_equal(problem.hint, "fetch it again, and unpack it (.mmdb)");
		mmdb_write_end(&to);
		feed_file_end(&file);
	}
}

/* A reader that calls itself for each of them runs out of stack. */
static void geoip_arrays_within_arrays_are_passed_over(void **state)
{
	struct feed_file file = feed_file_begin();
	struct mmdb_write to = some_database();
	uint32_t at = (uint32_t)to.data_size;
	struct problem problem;

	(void)state;
	mmdb_put_control(&to, MMDB_MAP, 1);
	mmdb_put_text(&to, "a");
	for (int i = 0; i < 400000; i++)
		mmdb_put_control(&to, MMDB_ARRAY, 1);
	mmdb_put_text(&to, "");
	mmdb_write_add(&to, "10.0.0.0/8", at);
	mmdb_write_file(&to, file.path);
	if (try_load(file.path, &problem))
		fail_msg("%s", problem.text);
	mmdb_write_end(&to);
	feed_file_end(&file);
}

static void geoip_more_nodes_than_bytes_are_refused(void **state)
{
	struct mmdb_write to = some_database(), bytes = {0};
	struct feed_file file = feed_file_begin();
	struct problem problem;

	(void)state;
	mmdb_write_tree(&bytes, &to);
	mmdb_write_metadata(&bytes, &to, 0xfffffffe);
	feed_file_write(file.path, bytes.data, bytes.data_size);
	assert_int_equal(try_load(file.path, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "its metadata says more nodes than there are"));
	mmdb_write_end(&bytes);
	mmdb_write_end(&to);
	feed_file_end(&file);
}

static void geoip_files_that_are_no_database_are_refused_with_what_they_are(void **state)
{
	static const struct {
		const char *bytes, *why, *hint;
	} rows[] = {
		{"", "the mark before its metadata, at the end, is not there", "fetch it again"},
		{"192.0.2.0/24\n", "the mark before its metadata, at the end, is not there", "fetch it again"},
		{"\x1f\x8b\x08 and so on", "is compressed", "gunzip it"},
		{MMDB_MARK, "a value begins beyond the data", "fetch it again"},
		{MMDB_MARK "\x41"
			   "a",
		 "its metadata is no map", "fetch it again"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct feed_file file = feed_file_begin();
		struct problem problem;

		feed_file_write(file.path, rows[i].bytes, strlen(rows[i].bytes));
		assert_int_equal(try_load(file.path, &problem), -EINVAL);
		if (!strstr(problem.text, rows[i].why) || !strstr(problem.hint, rows[i].hint))
			fail_msg("%s; %s", problem.text, problem.hint);
		feed_file_end(&file);
	}
}

static void geoip_database_of_something_else_is_refused(void **state)
{
	struct feed_file file = feed_file_begin();
	struct mmdb_write to = mmdb_write_begin(24, 4);
	struct problem problem;

	(void)state;
	to.type = "GeoLite2-ASN";
	mmdb_write_add(&to, "10.0.0.0/8", mmdb_put_asn(&to, 64496));
	mmdb_write_file(&to, file.path);
	assert_int_equal(try_load(file.path, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, " (GeoLite2-ASN) has no countries: another database is needed for them"));
	mmdb_write_end(&to);
	feed_file_end(&file);
}

static void geoip_database_of_nothing_is_an_empty_set(void **state)
{
	struct feed_file file = feed_file_begin();
	struct mmdb_write to = mmdb_write_begin(24, 6);
	struct problem problem;

	(void)state;
	mmdb_write_file(&to, file.path);
	assert_int_equal(try_load(file.path, &problem), 0);
	mmdb_write_end(&to);
	feed_file_end(&file);
}

static void geoip_more_prefixes_than_fit_are_refused(void **state)
{
	const struct feeds_options options = {.regions = GERMAN, .regions_count = 1, .max_entries = 2};
	struct feed_file file = feed_file_begin();
	struct mmdb_write to = some_database();
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	(void)state;
	mmdb_write_file(&to, file.path);
	assert_int_equal(feeds_load(file.path, &options, &prefixes, NULL, &problem), 0);
	prefixes_release(prefixes);
	mmdb_write_add(&to, "203.0.113.0/24", 0);
	mmdb_write_file(&to, file.path);
	assert_int_equal(feeds_load(file.path, &options, &prefixes, NULL, &problem), -E2BIG);
	assert_non_null(strstr(problem.text, "has more than 2 prefixes of these regions"));
	mmdb_write_end(&to);
	feed_file_end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geoip_cut_off_anywhere_is_refused),
		cmocka_unit_test(geoip_any_byte_changed_is_read_or_refused),
		cmocka_unit_test(geoip_made_to_do_harm_is_refused),
		cmocka_unit_test(geoip_arrays_within_arrays_are_passed_over),
		cmocka_unit_test(geoip_more_nodes_than_bytes_are_refused),
		cmocka_unit_test(geoip_files_that_are_no_database_are_refused_with_what_they_are),
		cmocka_unit_test(geoip_database_of_something_else_is_refused),
		cmocka_unit_test(geoip_database_of_nothing_is_an_empty_set),
		cmocka_unit_test(geoip_more_prefixes_than_fit_are_refused),
	};

	return cmocka_run_group_tests_name("feeds_geoip_broken", tests, NULL, NULL);
}
