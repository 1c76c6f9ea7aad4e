/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/feeds: files that are not there or change, versions that are held back, versions that are kept. */
#include "feed_file.h"

#include "user/base/file.h"
#include <weir/capacity.h>

static const struct feeds_options LENIENT = {.strict = false};

static void assert_refused(const char *path, int error, const char *sentence, const char *hint)
{
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	assert_int_equal(feeds_load(path, &LENIENT, &prefixes, NULL, &problem), error);
	assert_null(prefixes);
	assert_true(!strncmp(problem.text, path, strlen(path)));
	assert_string_equal(problem.text + strlen(path), sentence);
	assert_non_null(strstr(problem.hint, hint));
}

static void feeds_file_that_cannot_be_read_is_named(void **state)
{
	struct feed_file file = feed_file_begin();
	uid_t before = geteuid();

	(void)state;
	assert_refused(file.path, -ENOENT, " is not there", "fetch the list first");
	assert_refused(file.directory, -EISDIR, " is a directory", "name one file");
	assert_refused("/dev/zero", -EINVAL, " is no regular file", "put it in a file");
	assert_int_equal(mkfifo(file.path, 0600), 0); /* nobody writes into it */
	assert_refused(file.path, -EINVAL, " is no regular file", "put it in a file");
	unlink(file.path);
	feed_file_write(file.path, "192.0.2.1\n", 10);
	assert_int_equal(chmod(file.path, 0), 0);
	if (!before)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(file.path, -EACCES, " may not be read", "the user that weir runs as");
	if (!before)
		assert_int_equal(seteuid(before), 0);
	assert_int_equal(chmod(file.path, 0600), 0);
	assert_int_equal(truncate(file.path, 600ll << 20), 0);
	assert_refused(file.path, -EFBIG, " is larger than 512 MiB", "is this the list?");
	feed_file_end(&file);
}

static void feeds_entries_beyond_the_limit_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		int error; /* 0, or its line */
	} rows[] = {
		{"192.0.2.1\n192.0.2.2\n", 2, 0},    {"192.0.2.1\n192.0.2.1\n# three\n192.0.2.1\n", 2, 4},
		{"2001:db8::1-2001:db8::4\n", 3, 0}, /* three prefixes */
		{"2001:db8::1-2001:db8::4\n", 2, 1}, {"[\"192.0.2.1\",\n\"192.0.2.2\"]", 1, 2},
	};
	struct feed_file file = feed_file_begin();
	char expected[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct feeds_options options = {.max_entries = rows[i].max};
		struct prefixes *prefixes = NULL;
		struct problem problem = {0};

		feed_file_write(file.path, rows[i].text, strlen(rows[i].text));
		assert_int_equal(feeds_load(file.path, &options, &prefixes, NULL, &problem),
				 rows[i].error ? -E2BIG : 0);
		snprintf(expected, sizeof(expected), "%s:%d: more than %zu prefixes", file.path, rows[i].error,
			 rows[i].max);
		assert_string_equal(problem.text, rows[i].error ? expected : "");
		prefixes_release(prefixes);
	}
	feed_file_end(&file);
}

/* --- large files, and what becomes of them while they are read ------------------------------------------- */

#define MANY 60000 /* lines of up to 16 bytes: several blocks */

static void write_many(const char *path, bool is_json)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(is_json ? "[" : "# many\n", file);
	for (unsigned int i = 0; i < MANY; i++)
		fprintf(file, is_json ? "%s\"10.%u.%u.%u\"" : "%s10.%u.%u.%u\n", is_json && i ? ",\n" : "",
			i >> 12 & 255, i >> 4 & 255, (i & 15) * 2);
	fputs(is_json ? "]\n" : "", file);
	assert_int_equal(fclose(file), 0);
}

struct watch {
	const char *path;
	void (*meddle)(const char *path); /* at the first call; may be NULL */
	unsigned int calls;
	uint64_t done, total;
};

static void watch_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	struct watch *watch = arg;

	assert_true(done_bytes >= watch->done);
	assert_true(!watch->total || total_bytes == watch->total);
	watch->done = done_bytes;
	watch->total = total_bytes;
	if (!watch->calls++ && watch->meddle)
		watch->meddle(watch->path);
}

static void feeds_large_lists_are_read_with_progress(void **state)
{
	struct feed_file file = feed_file_begin();

	(void)state;
	for (int is_json = 0; is_json < 2; is_json++) {
		struct watch watch = {.path = file.path};
		const struct feeds_options options = {.progress = watch_progress, .arg = &watch};
		struct prefixes *prefixes = NULL;
		struct feeds_report report;

		write_many(file.path, is_json);
		assert_int_equal(feeds_load(file.path, &options, &prefixes, &report, NULL), 0);
		assert_int_equal(report.entries, MANY);
		assert_int_equal(report.joined, 0);
		assert_int_equal(prefixes->v4_count, MANY);
		assert_int_equal(report.lines, MANY + 1);
		assert_true(watch.calls > 2);
		assert_int_equal(watch.done, report.bytes);
		assert_int_equal(watch.total, report.bytes);
		prefixes_release(prefixes);
	}
	feed_file_end(&file);
}

static void cut_to_half(const char *path)
{
	assert_int_equal(truncate(path, 300000), 0);
}

static void cut_to_nothing(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
}

static void append_line(const char *path)
{
	FILE *file = fopen(path, "ae");

	assert_non_null(file);
	fputs("192.0.2.1\n", file);
	assert_int_equal(fclose(file), 0);
}

static void rename_over(const char *path)
{
	assert_int_equal(file_replace(path, "192.0.2.1\n", 10, 0644), 0);
}

static void take_away(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void feeds_file_that_changes_while_it_is_read(void **state)
{
	static const struct {
		void (*meddle)(const char *path);
		int error, changed; /* of the load; of feeds_changed afterwards */
	} rows[] = {
		{cut_to_half, -EAGAIN, 0}, {cut_to_nothing, -EAGAIN, 0}, {append_line, -EAGAIN, 0},
		{rename_over, 0, 1},	   {take_away, 0, -ENOENT},
	};
	struct feed_file file = feed_file_begin();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct watch watch = {.path = file.path, .meddle = rows[i].meddle};
		const struct feeds_options options = {.progress = watch_progress, .arg = &watch};
		struct prefixes *prefixes = NULL;
		struct feeds_report report;
		struct problem problem = {0};

		write_many(file.path, false);
		assert_int_equal(feeds_load(file.path, &options, &prefixes, &report, &problem), rows[i].error);
		if (rows[i].error) {
			assert_null(prefixes);
			assert_non_null(strstr(problem.text, "was written to while it was read"));
			assert_non_null(strstr(problem.hint, "rename"));
			continue;
		}
		assert_int_equal(prefixes_count(prefixes), MANY);
		assert_int_equal(feeds_changed(file.path, &report.fingerprint), rows[i].changed);
		prefixes_release(prefixes);
	}
	feed_file_end(&file);
}

static void feeds_changed_sees_writes_and_replacements(void **state)
{
	const struct feeds_fingerprint none = {0};
	struct feed_file file = feed_file_begin();
	struct prefixes *prefixes = NULL;
	struct feeds_report report;

	(void)state;
	feed_file_write(file.path, "192.0.2.1\n", 10);
	assert_int_equal(feeds_changed(file.path, &none), 1);
	assert_int_equal(feeds_load(file.path, &LENIENT, &prefixes, &report, NULL), 0);
	prefixes_release(prefixes);
	assert_int_equal(feeds_changed(file.path, &report.fingerprint), 0);
	rename_over(file.path); /* the same bytes in another file */
	assert_int_equal(feeds_changed(file.path, &report.fingerprint), 1);
	assert_int_equal(feeds_load(file.path, &LENIENT, &prefixes, &report, NULL), 0);
	prefixes_release(prefixes);
	assert_int_equal(feeds_changed(file.path, &report.fingerprint), 0);
	append_line(file.path);
	assert_int_equal(feeds_changed(file.path, &report.fingerprint), 1);
	take_away(file.path);
	assert_int_equal(feeds_changed(file.path, &report.fingerprint), -ENOENT);
	feed_file_end(&file);
}

/* --- what is held back ----------------------------------------------------------------------------------- */

static void feeds_change_beyond_the_limit_is_held_back(void **state)
{
	static const struct {
		const char *good; /* NULL: nothing yet */
		const char *fresh;
		unsigned int percent;
		const char *problem; /* NULL: goes */
	} rows[] = {
		{NULL, "192.0.2.1\n", 30, NULL},
		{NULL, "", 30, NULL},
		{"", "192.0.2.1\n", 30, NULL},
		{"", "0.0.0.0/0\n", 30, NULL},
		{"192.0.2.1\n", "192.0.2.1\n", 1, NULL},
		{"192.0.2.1\n", "198.51.100.1\n", 1, NULL},
		{"192.0.2.1\n", "", 30, "from 1 prefixes to none; the last good version stays"},
		{"192.0.2.1\n", "", 65535, "from 1 prefixes to none; the last good version stays"},
		{"192.0.2.1\n", "", 0, NULL},
		{"192.0.2.1\n", "0.0.0.0/0\n", 0, NULL},
		{"192.0.2.1\n192.0.2.3\n", "192.0.2.1\n", 50, NULL},
		{"192.0.2.1\n192.0.2.3\n", "192.0.2.1\n", 49,
		 "from 2 to 1 prefixes: a change of 50.0 %, where max_change is 49 %; the last good version stays"},
		{"192.0.2.1\n", "192.0.2.1\n192.0.2.3\n", 99,
		 "from 1 to 2 prefixes: a change of 100.0 %, where max_change is 99 %; the last good version stays"},
		{"192.0.2.1\n", "192.0.2.1\n192.0.2.3\n", 100, NULL},
		{"192.0.2.0/24\n", "192.0.2.0/25\n", 49,
		 "from 256 to 128 IPv4 addresses: a change of 50.0 %, where max_change is 49 %; "
		 "the last good version stays"},
		{"192.0.2.0/24\n198.51.100.7\n", "192.0.2.7\n0.0.0.0/1\n", 100,
		 "from 257 to 2147483649 IPv4 addresses: a change of 835596650.6 %, where max_change is 100 %; "
		 "the last good version stays"},
		{"2001:db8::/64\n", "2001:db8::/63\n", 50,
		 "from 1.84e+19 to 3.69e+19 IPv6 addresses: a change of 100.0 %, where max_change is 50 %; "
		 "the last good version stays"},
		{"192.0.2.1\n192.0.2.3\n", "192.0.2.1\n192.0.2.3\n2001:db8::/32\n", 50, NULL},
		{"192.0.2.1\n192.0.2.3\n", "192.0.2.1\n192.0.2.3\n::/0\n", 50,
		 "from no to all IPv6 addresses; the last good version stays"},
		{"192.0.2.1\n192.0.2.3\n2001:db8::/32\n", "192.0.2.1\n192.0.2.3\n", 50,
		 "from 7.92e+28 to 0 IPv6 addresses: a change of 100.0 %, where max_change is 50 %; "
		 "the last good version stays"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *good = rows[i].good ? feed_load_text(rows[i].good) : NULL;
		struct prefixes *fresh = feed_load_text(rows[i].fresh);
		struct problem problem = {0};

		assert_int_equal(feeds_judge_change(good, fresh, rows[i].percent, &problem),
				 rows[i].problem ? -ERANGE : 0);
		assert_string_equal(problem.text, rows[i].problem ? rows[i].problem : "");
		assert_int_equal(!!strstr(problem.hint, "max_change"), !!rows[i].problem);
		prefixes_release(good);
		prefixes_release(fresh);
	}
}

/* --- what is kept ---------------------------------------------------------------------------------------- */

static void feeds_stored_version_comes_back_as_it_was(void **state)
{
	static const char *const rows[] = {
		"",
		"192.0.2.1\n192.0.2.1\n",
		"0.0.0.0/0\n::/0\n",
		"2001:db8::1\n2001:db8::/48\n",
		"192.0.2.0/24\n198.51.100.1-198.51.100.77\n255.255.255.255\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n",
	};
	struct feed_file file = feed_file_begin();
	struct stat status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *prefixes = feed_load_text(rows[i]), *again = NULL;

		assert_int_equal(feeds_store(file.path, prefixes, NULL), 0);
		assert_int_equal(stat(file.path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0640);
		assert_int_equal(feeds_restore(file.path, &again, NULL), 0);
		assert_true(prefixes_equal(prefixes, again));
		assert_int_equal(again->given, prefixes->given);
		prefixes_release(prefixes);
		prefixes_release(again);
	}
	feed_file_end(&file);
}

static void assert_not_restored(const struct feed_file *file, const char *data, size_t size, const char *sentence)
{
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	feed_file_write(file->path, data, size);
	assert_int_equal(feeds_restore(file->path, &prefixes, &problem), -EBADMSG);
	assert_null(prefixes);
	if (!strstr(problem.text, sentence))
		fail_msg("expected: %s\ngot: %s", sentence, problem.text);
	assert_non_null(strstr(problem.hint, "written anew"));
}

static void feeds_stored_version_that_was_damaged_is_refused(void **state)
{
	struct prefixes *prefixes = feed_load_text("192.0.2.0/24\n198.51.100.7\n2001:db8::/48\n");
	struct feed_file file = feed_file_begin();
	AUTO_FREE char *data = NULL;
	size_t size;

	(void)state;
	assert_int_equal(feeds_store(file.path, prefixes, NULL), 0);
	assert_int_equal(file_read(file.path, 65536, &data, &size), 0);
	for (size_t bit = 0; bit < size * 8; bit++) {
		data[bit / 8] ^= (char)(1 << bit % 8);
		assert_not_restored(&file, data, size, file.path);
		data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t less = 1; less <= size; less++)
		assert_not_restored(&file, data, size - less, size - less < 48 ? "too short" : "its size is not");
	assert_not_restored(&file, "192.0.2.1 # and a text as long as the header is\n\n\n", 50, "is no kept list");
	data[size - 1] ^= 1;
	assert_not_restored(&file, data, size, "its checksum is wrong");
	prefixes_release(prefixes);
	feed_file_end(&file);
}

/* With a checksum that is right: whoever wrote it was no feeds_store that knows what a set is. */
static void feeds_stored_nonsense_is_refused(void **state)
{
	static const struct range4 backwards = {.first = 2, .last = 1};
	static const struct prefix6 host_bits = {.high = 0x20010db800000001, .length = 32}, too_long = {.length = 200};
	static const struct prefixes rows[] = {
		{.v4 = &backwards, .v4_count = 1},
		{.v6 = &host_bits, .v6_count = 1},
		{.v6 = &too_long, .v6_count = 1},
	};
	struct feed_file file = feed_file_begin();
	AUTO_FREE char *data = NULL;
	size_t size;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(feeds_store(file.path, &rows[i], NULL), 0);
		free(TAKE_PTR(data));
		assert_int_equal(file_read(file.path, 65536, &data, &size), 0);
		assert_not_restored(&file, data, size, "it holds what is no prefix");
	}
	feed_file_end(&file);
}

static void feeds_store_that_fails_leaves_what_was_there(void **state)
{
	static const struct prefixes too_many = {.v4_count = WEIR_MAX_PREFIXES + 1};
	struct prefixes *prefixes = feed_load_text("192.0.2.0/24\n"), *again = NULL;
	struct feed_file file = feed_file_begin();
	struct problem problem = {0};
	char path[128];

	(void)state;
	assert_int_equal(feeds_restore(file.path, &again, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, file.path));
	assert_int_equal(feeds_store(file.path, prefixes, NULL), 0);
	assert_int_equal(feeds_store(file.path, &too_many, &problem), -E2BIG);
	assert_int_equal(feeds_restore(file.path, &again, NULL), 0);
	assert_true(prefixes_equal(prefixes, again));
	snprintf(path, sizeof(path), "%s/not/there", file.directory);
	assert_int_equal(feeds_store(path, prefixes, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, path));
	prefixes_release(prefixes);
	prefixes_release(again);
	feed_file_end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feeds_file_that_cannot_be_read_is_named),
		cmocka_unit_test(feeds_entries_beyond_the_limit_are_refused),
		cmocka_unit_test(feeds_large_lists_are_read_with_progress),
		cmocka_unit_test(feeds_file_that_changes_while_it_is_read),
		cmocka_unit_test(feeds_changed_sees_writes_and_replacements),
		cmocka_unit_test(feeds_change_beyond_the_limit_is_held_back),
		cmocka_unit_test(feeds_stored_version_comes_back_as_it_was),
		cmocka_unit_test(feeds_stored_version_that_was_damaged_is_refused),
		cmocka_unit_test(feeds_stored_nonsense_is_refused),
		cmocka_unit_test(feeds_store_that_fails_leaves_what_was_there),
	};

	return cmocka_run_group_tests_name("feeds-versions", tests, NULL, NULL);
}
