/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/feeds: every form of a list, every way in which one can be wrong. */
#include "feed_file.h"

#define SAMPLES	 "tests/unit/data/feeds/"
#define MAX_LINE 16384

static void feeds_samples_of_each_format_are_read(void **state)
{
	static const struct {
		const char *path, *format;
		uint64_t lines;
		size_t entries, joined;
		const char *set;
	} rows[] = {
		{SAMPLES "plain.txt", "plain list", 13, 9, 4,
		 "192.0.2.0/28 198.51.100.0/24 203.0.113.4/30 2001:db8::/48 2001:db8:1::/120"},
		{SAMPLES "firehol.netset", "FireHOL netset", 21, 5, 1,
		 "192.0.2.0/24 198.51.100.16 198.51.100.24/29 203.0.113.0/24"},
		{SAMPLES "firehol.ipset", "FireHOL netset", 13, 4, 2, "192.0.2.3 192.0.2.4/31 198.51.100.200"},
		{SAMPLES "drop.txt", "Spamhaus DROP", 7, 4, 1, "192.0.2.0/24 198.51.100.0/24 2001:db8:bad::/48"},
		{SAMPLES "drop.json", "JSON lines", 4, 3, 0, "192.0.2.0/24 198.51.100.0/25 2001:db8:bad::/48"},
		{SAMPLES "objects.json", "JSON array", 8, 2, 0, "192.0.2.0/24 2001:db8:bad::/48"},
		{SAMPLES "strings.json", "JSON array", 1, 3, 0, "192.0.2.1 192.0.2.4/30 198.51.100.0/24"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feeds_options options = {.strict = true};
		struct prefixes *prefixes = NULL;
		struct feeds_report report;
		struct problem problem = {0};
		struct stat status;

		if (feeds_load(rows[i].path, &options, &prefixes, &report, &problem))
			fail_msg("%s", problem.text);
		feed_assert_set(prefixes, rows[i].set);
		assert_string_equal(feeds_format_name(report.format), rows[i].format);
		assert_int_equal(report.lines, rows[i].lines);
		assert_int_equal(report.entries, rows[i].entries);
		assert_int_equal(report.joined, rows[i].joined);
		assert_int_equal(report.masked + report.mapped + report.places_count + report.everything_line, 0);
		assert_int_equal(stat(rows[i].path, &status), 0);
		assert_int_equal(report.bytes, status.st_size);
		prefixes_release(prefixes);
	}
}

static void feeds_text_in_every_shape_is_taken(void **state)
{
	static const struct {
		const char *text, *set;
		size_t entries, masked, mapped;
		uint64_t everything_line;
	} rows[] = {
		{"", "", 0, 0, 0, 0},
		{"# nothing\n\n;\n", "", 0, 0, 0, 0},
		{"\xef\xbb\xbf# marked\n192.0.2.1\n", "192.0.2.1", 1, 0, 0, 0},
		{"\xef\xbb\xbf", "", 0, 0, 0, 0},
		{"192.0.2.1\r\n192.0.2.3\r\n", "192.0.2.1 192.0.2.3", 2, 0, 0, 0},
		{"\t192.0.2.1 \t\r\n", "192.0.2.1", 1, 0, 0, 0},
		{"192.0.2.1#x;y\n192.0.2.2;x#y", "192.0.2.1 192.0.2.2", 2, 0, 0, 0},
		{"192.0.2.1", "192.0.2.1", 1, 0, 0, 0},
		{"192.0.2.7/24\n", "192.0.2.0/24", 1, 1, 0, 0},
		{"2001:db8::1/32\n192.0.2.1/31\n", "192.0.2.0/31 2001:db8::/32", 2, 2, 0, 0},
		{"::ffff:192.0.2.1\n", "192.0.2.1", 1, 0, 1, 0},
		{"::ffff:192.0.2.0/120\n", "192.0.2.0/24", 1, 0, 1, 0},
		{"::ffff:192.0.2.9/120\n", "192.0.2.0/24", 1, 1, 1, 0},
		{"::ffff:192.0.2.1-::ffff:192.0.2.2\n", "192.0.2.1 192.0.2.2", 1, 0, 1, 0},
		{"::ffff:192.0.2.1", "192.0.2.1", 1, 0, 1, 0},
		{"192.0.2.1\n0.0.0.0/0\n", "0.0.0.0/0", 2, 0, 0, 2},
		{"\n\n::/0\n0.0.0.0/0\n", "0.0.0.0/0 ::/0", 2, 0, 0, 3},
		{"0.0.0.0-255.255.255.255\n", "0.0.0.0/0", 1, 0, 0, 1},
		{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n", "::/0", 1, 0, 0, 1},
		{"192.0.2.1\t-\t192.0.2.1\n", "192.0.2.1", 1, 0, 0, 0},
		{"{\"cidr\":\"192.0.2.0/24\"}\n192.0.3.0/24\n", "192.0.2.0/23", 2, 0, 0, 0},
		{"  {\"cidr\":\"192.0.2.1\"}", "192.0.2.1", 1, 0, 0, 0},
		{"[]", "", 0, 0, 0, 0},
		{"\n [ ] \r\n", "", 0, 0, 0, 0},
		{"[\"192.0.2.1\",{\"cidr\":\"192.0.2.9/24\"}]\n", "192.0.2.0/24", 2, 1, 0, 0},
	};
	struct feed_file file = feed_file_begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feeds_options options = {.strict = false};
		struct prefixes *prefixes = NULL;
		struct feeds_report report;
		struct problem problem = {0};

		feed_file_write(file.path, rows[i].text, strlen(rows[i].text));
		if (feeds_load(file.path, &options, &prefixes, &report, &problem))
			fail_msg("row %zu: %s", i, problem.text);
		feed_assert_set(prefixes, rows[i].set);
		assert_int_equal(report.entries, rows[i].entries);
		assert_int_equal(report.masked, rows[i].masked);
		assert_int_equal(report.mapped, rows[i].mapped);
		assert_int_equal(report.places_count, rows[i].masked + rows[i].mapped);
		assert_int_equal(report.everything_line, rows[i].everything_line);
		prefixes_release(prefixes);
	}
	feed_file_end(&file);
}

static void feeds_repairs_are_counted_and_the_first_named(void **state)
{
	static const char text[] = "# head\n192.0.2.7/24\n::ffff:192.0.2.1\n192.0.2.1/31\n192.0.2.1/30\n192.0.2.1/29\n"
				   "::ffff:192.0.2.1-::ffff:192.0.2.9\n192.0.2.1/28\n";
	static const char *const sentences[FEEDS_PLACES] = {
		"line 2: 192.0.2.7/24 has bits set beyond its length; taken as 192.0.2.0/24",
		"line 3: ::ffff:192.0.2.1 is an IPv4 address within IPv6; taken as 192.0.2.1",
		"line 4: 192.0.2.1/31 has bits set beyond its length; taken as 192.0.2.0/31",
		"line 5: 192.0.2.1/30 has bits set beyond its length; taken as 192.0.2.0/30",
		"line 6: 192.0.2.1/29 has bits set beyond its length; taken as 192.0.2.0/29",
	};
	const struct feeds_options options = {.strict = false};
	struct feed_file file = feed_file_begin();
	char sentence[FEEDS_SENTENCE_MAX];
	struct prefixes *prefixes = NULL;
	struct feeds_report report;

	(void)state;
	feed_file_write(file.path, text, strlen(text));
	assert_int_equal(feeds_load(file.path, &options, &prefixes, &report, NULL), 0);
	assert_int_equal(report.masked, 5);
	assert_int_equal(report.mapped, 2);
	assert_int_equal(report.places_count, FEEDS_PLACES);
	for (size_t i = 0; i < FEEDS_PLACES; i++)
		assert_string_equal(feeds_place_sentence(&report.places[i], sentence), sentences[i]);
	prefixes_release(prefixes);
	feed_file_end(&file);
}

struct refusal {
	const char *text;
	bool strict;
	const char *error, *hint; /* the whole sentence behind the path; a part of the hint */
};

/* Nothing is handed out, and nothing is left behind. */
static void assert_refused(const struct feed_file *file, const struct feeds_options *options, int error,
			   const char *sentence, const char *hint)
{
	struct prefixes *prefixes = (struct prefixes *)(uintptr_t)1;
	struct feeds_report report = {.lines = 77};
	struct problem problem = {0};

	assert_int_equal(feeds_load(file->path, options, &prefixes, &report, &problem), error);
	assert_ptr_equal(prefixes, (void *)(uintptr_t)1);
	assert_int_equal(report.lines, 77);
	assert_true(!strncmp(problem.text, file->path, strlen(file->path)));
	assert_string_equal(problem.text + strlen(file->path), sentence);
	if (!strstr(problem.hint, hint))
		fail_msg("%s\nexpected: %s\ngot: %s", problem.text, hint, problem.hint);
	assert_int_equal(feeds_load(file->path, options, &prefixes, NULL, NULL), error);
}

static void assert_refusals(const struct refusal *rows, size_t count)
{
	struct feed_file file = feed_file_begin();

	for (size_t i = 0; i < count; i++) {
		const struct feeds_options options = {.strict = rows[i].strict};

		feed_file_write(file.path, rows[i].text, strlen(rows[i].text));
		assert_refused(&file, &options, -EINVAL, rows[i].error, rows[i].hint);
	}
	feed_file_end(&file);
}

static void feeds_text_that_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct refusal rows[] = {
		{"192.0.2.1\nexample.net\n", false, ":2: \"example.net\" is no address, prefix or range", "192.0.2.7"},
		{"my-host\n", false, ":1: \"my-host\" is no address, prefix or range", "192.0.2.1-192.0.2.9"},
		{"-\n", false, ":1: \"-\" is no address, prefix or range", "192.0.2.7"},
		{"192.0.2.256\n", false, ":1: \"192.0.2.256\" is no address, prefix or range", ""},
		{"192.0.02.1\n", false, ":1: \"192.0.02.1\" is no address, prefix or range", ""},
		{"fe80::1%lo\n", false, ":1: \"fe80::1%lo\" is no address, prefix or range", ""},
		{"0/0\n", false, ":1: \"0/0\" is no address, prefix or range", ""},
		{"192.0.2.1-9\n", false, ":1: \"192.0.2.1-9\" is no address, prefix or range", "192.0.2.1-192.0.2.9"},
		{"192.0.2.0/24-192.0.3.0/24\n", false,
		 ":1: \"192.0.2.0/24-192.0.3.0/24\" is no address, prefix or range", ""},
		{"# x\n192.0.2.0/33\n", false,
		 ":2: \"192.0.2.0/33\": the length of an IPv4 prefix is a number from 0 to 32", "192.0.2.0/24"},
		{"192.0.2.0/\n", false, ":1: \"192.0.2.0/\": the length of an IPv4 prefix is a number from 0 to 32",
		 ""},
		{"2001:db8::/129\n", false,
		 ":1: \"2001:db8::/129\": the length of an IPv6 prefix is a number from 0 to 128", "2001:db8::/32"},
		{"192.0.2.0/255.255.255.0\n", false,
		 ":1: \"192.0.2.0/255.255.255.0\": the length of an IPv4 prefix is a number from 0 to 32",
		 "write the bits after \"/\""},
		{"192.0.2.1 192.0.2.2\n", false, ":1: \"192.0.2.1 192.0.2.2\" is more than one entry",
		 "an entry a line"},
		{"192.0.2.1, 192.0.2.2\n", false, ":1: \"192.0.2.1, 192.0.2.2\" is more than one entry", ""},
		{"192.0.2.1\r192.0.2.2\r", false, ":1: \"192.0.2.1?192.0.2.2\" is more than one entry", ""},
		{"192.0.2.9-192.0.2.1\n", false, ":1: the range from 192.0.2.9 to 192.0.2.1 runs backwards",
		 "was 192.0.2.1-192.0.2.9 meant?"},
		{"192.0.2.1-2001:db8::1\n", false, ":1: the range from 192.0.2.1 to 2001:db8::1 is of two families",
		 ""},
		{"::ffff:192.0.2.1-2001:db8::1\n", false,
		 ":1: the range from ::ffff:192.0.2.1 to 2001:db8::1 is of two families", ""},
		{"192.0.2.7/24\n", true, ":1: 192.0.2.7/24 has bits set beyond its length", "was 192.0.2.0/24 meant?"},
		{"::ffff:192.0.2.1\n", true, ":1: ::ffff:192.0.2.1 is an IPv4 address within IPv6",
		 "was 192.0.2.1 meant?"},
		{"192.0.2.1\n\x01\x02\n", false, ":2: this is binary data", "is it compressed?"},
		{"\x1b[31mred\n", false, ":1: this is binary data", ""},
		{"\xc3\xa4\xff\n", false, ":1: \"\xc3\xa4?\" is no address, prefix or range", ""},
		{"\n<!DOCTYPE html>\n", false, ":2: \"<!DOCTYPE html>\" is more than one entry", ""},
	};

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
}

static void feeds_json_that_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct refusal rows[] = {
		{"{\"cidr\":\"192.0.2.0/24\"}\n{\"cidr\":5}\n", false, ":2: \"cidr\" is no string", "\"cidr\""},
		{"{\"asn\":64496}\n", false, ":1: an object without \"cidr\"", "\"cidr\""},
		{"{\"cidr\":\"example.net\"}\n", false, ":1: \"example.net\" is no address, prefix or range", ""},
		{"{\"cidr\":\"192.0.2.7/24\"}\n", true, ":1: 192.0.2.7/24 has bits set beyond its length",
		 "was 192.0.2.0/24 meant?"},
		{"{\"cidr\":\"192.0.2.0/24\"},\n", false, ":1: no JSON: end of file expected near ','", "fetch"},
		{"{\n\"cidr\":\"192.0.2.0/24\"}\n", false, ":1: an object that goes on in the next line", ""},
		{"[\"192.0.2.1\",\n5]", false, ":2: an entry that is neither a string nor an object", "strings"},
		{"[\"192.0.2.1\",\n\"\"]", false, ":2: \"\" is no address, prefix or range", ""},
		{"[\"192.0.2.1\"\n\"192.0.2.2\"]", false, ":2: neither \",\" nor \"]\" follows an entry", ""},
		{"[\"192.0.2.1\",\n\n]", false, ":3: no JSON: unexpected token near ']'", ""},
		{"[\"192.0.2.1\"]\nmore", false, ":2: something follows the array's \"]\"", ""},
		{"[[\"192.0.2.1\"]]", false, ":1: an entry that is neither a string nor an object", ""},
		{"[\"\\u0000\"]", false,
		 ":1: no JSON: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'", ""},
		{"[nonsense]", false, ":1: no JSON: invalid token near 'nonsense'", ""},
		{"{\"cidr\":\"192.0.2.0/2", false, ":1: the file ends in the middle of its JSON", "fetch it again"},
		{"[", false, ":1: the file ends in the middle of its JSON", "fetch it again"},
		{"[\"192.0.2.1\"", false, ":1: the file ends in the middle of its JSON", "fetch it again"},
		{"[\"192.0.2.1\",\n", false, ":2: the file ends in the middle of its JSON", "fetch it again"},
		{"[\"192.0.2.1\",\n\"192.0", false, ":2: the file ends in the middle of its JSON", "fetch it again"},
	};

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
}

/* "198.51.100.0/24" without its last byte would be 192.0.0.0/2: never repaired where the line has no end. */
static void feeds_cut_off_in_the_last_line_is_refused(void **state)
{
	static const struct refusal rows[] = {
		{"192.0.2.1\n198.51.100.0/2", false, ":2: 198.51.100.0/2 has bits set beyond its length",
		 "was 192.0.0.0/2 meant?; if the file is cut off here, fetch it again"},
		{"192.0.2.1\n198.51.10", false, ":2: \"198.51.10\" is no address, prefix or range", "cut off here"},
		{"192.0.2.1\n198.51.100.0/", false,
		 ":2: \"198.51.100.0/\": the length of an IPv4 prefix is a number from 0 to 32", "cut off here"},
		{"192.0.2.1-192.0.", false, ":1: \"192.0.2.1-192.0.\" is no address, prefix or range", "cut off here"},
	};

	(void)state;
	assert_refusals(rows, ARRAY_SIZE(rows));
}

static void feeds_bytes_that_are_no_text_are_refused(void **state)
{
	static const struct {
		const char *data;
		size_t size;
		const char *error, *hint;
	} rows[] = {
		{"192.0.2.1\n192\0.2\n", 17, ":2: a NUL byte: this is binary data", "fetch it again"},
		{"\0", 1, ":1: a NUL byte: this is binary data", "fetch it again"},
		{"{\"cidr\":\"192.0.2.1\"}\0\n", 22, ":1: a NUL byte: this is binary data", ""},
		{"[\0]", 3, ":1: a NUL byte: this is binary data", ""},
		{"[\"192.0.2.1\"]\0", 14, ":1: something follows the array's \"]\"", ""},
		{"\x1f\x8b\x08\0\0", 5, " is compressed", "gunzip"},
		{"PK\x03\x04", 4, " is an archive", "unzip"},
		{"\xff\xfe"
		 "1\0",
		 4, " is text in UTF-16", "UTF-8"},
	};
	const struct feeds_options options = {.strict = false};
	struct feed_file file = feed_file_begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		feed_file_write(file.path, rows[i].data, rows[i].size);
		assert_refused(&file, &options, -EINVAL, rows[i].error, rows[i].hint);
	}
	feed_file_end(&file);
}

/* Sparse: what is not written reads as zeros. */
static void feeds_fault_34_a_file_of_100_mb_is_refused_at_its_first_bad_byte(void **state)
{
	static const struct {
		const char *begins, *error;
	} rows[] = {
		{"", ":1: a line of more than 16384 bytes"},
		{"# a list\n192.0.2.1\n", ":3: a line of more than 16384 bytes"},
		{"# a list\n192.0.2.1\n\n0", ":4: a line of more than 16384 bytes"},
		{"[\"192.0.2.1\",\n", ":2: a NUL byte: this is binary data"},
	};
	const struct feeds_options options = {.strict = false};
	struct feed_file file = feed_file_begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		feed_file_write(file.path, rows[i].begins, strlen(rows[i].begins));
		assert_int_equal(truncate(file.path, 100 << 20), 0);
		assert_refused(&file, &options, -EINVAL, rows[i].error, "");
	}
	feed_file_end(&file);
}

/* A line of `length` bytes that holds an address and a comment, behind `before` bytes of other lines. */
static void write_long_line(const char *path, size_t before, size_t length)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	for (size_t i = 0; i < before; i++)
		fputc(i % 64 == 63 || i + 1 == before ? '\n' : '#', file);
	fprintf(file, "192.0.2.1 #");
	for (size_t i = 11; i < length; i++)
		fputc('x', file);
	fprintf(file, "\n192.0.2.3\n");
	assert_int_equal(fclose(file), 0);
}

static void feeds_line_is_as_long_as_it_may_be_and_no_longer(void **state)
{
	/* About the ends of the blocks that are read, too. */
	static const size_t before[] = {0, 64, 262144 - MAX_LINE, 262144 - 64, 262144 - 1, 262144, 2 * 262144 - 100};
	const struct feeds_options options = {.strict = false};
	struct feed_file file = feed_file_begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		struct prefixes *prefixes = NULL;
		char expected[96];

		write_long_line(file.path, before[i], MAX_LINE);
		assert_int_equal(feeds_load(file.path, &options, &prefixes, NULL, NULL), 0);
		feed_assert_set(prefixes, "192.0.2.1 192.0.2.3");
		prefixes_release(prefixes);
		write_long_line(file.path, before[i], MAX_LINE + 1);
		snprintf(expected, sizeof(expected), ":%zu: a line of more than 16384 bytes",
			 (before[i] + 63) / 64 + 1);
		assert_refused(&file, &options, -EINVAL, expected, "an entry a line");
	}
	feed_file_end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feeds_samples_of_each_format_are_read),
		cmocka_unit_test(feeds_text_in_every_shape_is_taken),
		cmocka_unit_test(feeds_repairs_are_counted_and_the_first_named),
		cmocka_unit_test(feeds_text_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(feeds_json_that_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(feeds_cut_off_in_the_last_line_is_refused),
		cmocka_unit_test(feeds_bytes_that_are_no_text_are_refused),
		cmocka_unit_test(feeds_fault_34_a_file_of_100_mb_is_refused_at_its_first_bad_byte),
		cmocka_unit_test(feeds_line_is_as_long_as_it_may_be_and_no_longer),
	};

	return cmocka_run_group_tests_name("feeds", tests, NULL, NULL);
}
