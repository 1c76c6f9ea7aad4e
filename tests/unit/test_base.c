/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/base: addresses, files, log lines, problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/addr.h"
#include "user/base/file.h"
#include "user/base/json.h"
#include "user/base/log.h"
#include "user/base/nearest.h"
#include "user/base/problem.h"
#include "user/base/scope.h"
#include "user/base/text.h"

static void addr_text_parsed_and_formatted_is_canonical(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},	{"0.0.0.0", "0.0.0.0"}, {"255.255.255.255", "255.255.255.255"},
		{"2001:DB8::1", "2001:db8::1"}, {"::", "::"},		{"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
	};
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(addr_parse(rows[i].in, &addr), 0);
		assert_string_equal(addr_format(&addr, text), rows[i].out);
	}
}

static void addr_nonsense_is_refused_and_leaves_the_output(void **state)
{
	static const char *const rows[] = {
		"",	    "1.2.3",	   "1.2.3.4.5", "256.1.1.1", "01.2.3.4",  "1.2.3.4/32",
		" 1.2.3.4", "2001:db8:::", "g::",	"::1%lo",    "localhost", "1.2.3.4\n"};
	struct addr addr = {.family = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(addr_parse(rows[i], &addr), -EINVAL);
		assert_int_equal(addr.family, 77);
	}
}

static void prefix_text_parsed_and_formatted(void **state)
{
	static const struct {
		const char *in;
		int error;
		const char *out;
	} rows[] = {
		{"192.0.2.0/24", 0, "192.0.2.0/24"},
		{"192.0.2.7", 0, "192.0.2.7"},
		{"192.0.2.7/32", 0, "192.0.2.7"},
		{"0.0.0.0/0", 0, "0.0.0.0/0"},
		{"::/0", 0, "::/0"},
		{"2001:db8:5::/48", 0, "2001:db8:5::/48"},
		{"2001:db8::1/128", 0, "2001:db8::1"},
		{"192.0.2.7/24", -ERANGE, "192.0.2.0/24"},
		{"2001:db8::1/33", -ERANGE, "2001:db8::/33"},
		{"192.0.2.0/33", -EINVAL, NULL},
		{"::/129", -EINVAL, NULL},
		{"192.0.2.0/", -EINVAL, NULL},
		{"192.0.2.0/-1", -EINVAL, NULL},
		{"192.0.2.0/+8", -EINVAL, NULL},
		{"192.0.2.0/024", -EINVAL, NULL},
		{"192.0.2.0/4294967320", -EINVAL, NULL},
		{"192.0.2.0/24/24", -EINVAL, NULL},
		{"/24", -EINVAL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefix prefix = {.length = 99};
		char text[ADDR_TEXT_MAX];

		assert_int_equal(prefix_parse(rows[i].in, &prefix), rows[i].error);
		if (rows[i].out)
			assert_string_equal(prefix_format(&prefix, text), rows[i].out);
		else
			assert_int_equal(prefix.length, 99);
	}
}

/* Nearly addresses, by chance: what inet_pton takes is taken, and nothing else. */
static void prefix_of_an_ipv4_address_is_what_inet_pton_takes(void **state)
{
	static const char *const bytes[] = {"0",   "1",	  "9",	 "10",	"99", "100", "199", "249",
					    "255", "256", "260", "999", "00", "01",  "010", "1000",
					    "",	   "a",	  " 1",	 "1 ",	"-1", "+1",  ":",   "/"};
	unsigned int taken = 0, seed = 7;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned int parts = rand_r(&seed) % 8 ? 4 : rand_r(&seed) % 6;
		struct prefix prefix = {};
		struct in_addr expected;
		char text[64] = "";

		for (unsigned int k = 0; k < parts; k++) {
			unsigned int few = rand_r(&seed) % 4 ? 9 : ARRAY_SIZE(bytes);

			strcat(text, k ? "." : "");
			strcat(text, bytes[rand_r(&seed) % few]);
		}
		if (inet_pton(AF_INET, text, &expected) == 1) {
			assert_int_equal(prefix_parse(text, &prefix), 0);
			assert_int_equal(prefix.addr.bytes.word[0], expected.s_addr);
			assert_int_equal(prefix.length, 32);
			taken++;
		} else if (!strchr(text, ':')) {
			assert_int_equal(prefix_parse(text, &prefix), -EINVAL);
		}
	}
	assert_in_range(taken, 50000, 190000);
}

static void prefix_covers_only_its_own_family_and_range(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool covers;
	} rows[] = {
		{"192.0.2.0/25", "192.0.2.127", true},
		{"192.0.2.0/25", "192.0.2.128", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "::", false},
		{"::/0", "0.0.0.0", false},
		{"::/0", "2001:db8::1", true},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefix prefix;
		struct addr addr;

		assert_int_equal(prefix_parse(rows[i].prefix, &prefix), 0);
		assert_int_equal(addr_parse(rows[i].addr, &addr), 0);
		assert_int_equal(prefix_covers(&prefix, &addr), rows[i].covers);
	}
}

static void addr_compare_is_a_total_order(void **state)
{
	static const char *const ordered[] = {"0.0.0.0", "9.0.0.1", "10.0.0.0", "255.0.0.0", "::", "::1", "2001:db8::"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ordered); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ordered); j++) {
			struct addr a, b;
			int order;

			assert_int_equal(addr_parse(ordered[i], &a), 0);
			assert_int_equal(addr_parse(ordered[j], &b), 0);
			order = addr_compare(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	}
}

static void addr_source_towards_loopback_is_loopback(void **state)
{
	struct addr to, source;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1", &to), 0);
	assert_int_equal(addr_source_towards(&to, &source), 0);
	assert_true(addr_equal(&to, &source));
	assert_int_equal(addr_source_towards(&(struct addr){}, &source), -EINVAL);
}

static char *make_directory(char *template)
{
	char *path = mkdtemp(template);

	assert_non_null(path);
	return path;
}

static int count_entries(const char *path)
{
	DIR *directory = opendir(path);
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count - 2;
}

static void file_replaced_is_whole_with_mode_and_no_leftover(void **state)
{
	char directory[] = "/tmp/weir-base-XXXXXX", path[64];
	AUTO_FREE char *data = NULL;
	struct stat status;
	size_t size;

	(void)state;
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/state", directory);
	assert_int_equal(file_replace(path, "one", 3, 0600), 0);
	assert_int_equal(file_replace(path, "a\0b!", 4, 0640), 0);
	assert_int_equal(file_read(path, 100, &data, &size), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(data, "a\0b!", 5);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(count_entries(directory), 1);
	assert_int_equal(unlink(path), 0);

	/* A directory in the way: the rename fails, the temporary file goes. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(file_replace(path, "x", 1, 0600) < 0);
	assert_int_equal(count_entries(directory), 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(file_replace(path, "x", 1, 0600), -ENOENT);
}

static void file_read_stops_at_its_limit(void **state)
{
	char directory[] = "/tmp/weir-base-XXXXXX", path[64];
	size_t big = 300000, size = 7;
	AUTO_FREE char *content = malloc(big), *data = NULL;

	(void)state;
	assert_non_null(content);
	memset(content, 'x', big);
	make_directory(directory);
	snprintf(path, sizeof(path), "%s/big", directory);
	assert_int_equal(file_replace(path, content, big, 0600), 0);
	assert_int_equal(file_read(path, big - 1, &data, &size), -EFBIG);
	assert_int_equal(file_read(path, 0, &data, &size), -EFBIG);
	assert_null(data);
	assert_int_equal(size, 7);
	assert_int_equal(file_read(path, big, &data, &size), 0);
	assert_int_equal(size, big);
	assert_memory_equal(data, content, big);
	assert_int_equal(data[big], 0);
	assert_int_equal(file_read(directory, 10, &content, &size), -EISDIR);
	unlink(path);
	rmdir(directory);
	assert_int_equal(file_read(path, 10, &content, &size), -ENOENT);
}

static void file_make_directories_makes_parents_and_accepts_existing(void **state)
{
	char base[] = "/tmp/weir-base-XXXXXX", path[64], file[64];

	(void)state;
	make_directory(base);
	snprintf(path, sizeof(path), "%s/a/b/c", base);
	assert_int_equal(file_make_directories(path, 0755), 0);
	assert_int_equal(file_make_directories(path, 0755), 0);
	assert_int_equal(rmdir(path), 0);
	snprintf(file, sizeof(file), "%s/a/b", base);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(file_replace(file, "x", 1, 0600), 0);
	assert_int_equal(file_make_directories(path, 0755), -ENOTDIR);
	assert_int_equal(unlink(file), 0);
	snprintf(file, sizeof(file), "%s/a/", base);
	assert_int_equal(file_make_directories(file, 0755), 0);
	assert_int_equal(rmdir(file), 0);
	assert_int_equal(rmdir(base), 0);
}

/* Standard error in a pipe while a few lines are logged. */
static void read_log(char *out, size_t size)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_set_level(LOG_LEVEL_WARNING);
	log_info("not shown");
	log_warning("backend %s is\ndown\033[2J", "cache1");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d");
	log_set_level(LOG_LEVEL_INFO);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(ends[1]);
	got = read(ends[0], out, size - 1);
	assert_true(got >= 0);
	out[got] = 0;
	close(ends[0]);
}

static void log_lines_keep_to_the_level_and_stay_single(void **state)
{
	char text[512];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	read_log(text, sizeof(text));
	assert_string_equal(text, "warning: backend cache1 is?down?[2J\ndebug: d\n");
}

static void problem_set_fills_and_returns_the_error(void **state)
{
	struct problem problem = {.hint = "old"};

	(void)state;
	assert_int_equal(problem_set(&problem, -EBUSY, "%s is busy", "eth0"), -EBUSY);
	assert_string_equal(problem.text, "eth0 is busy");
	assert_string_equal(problem.hint, "");
	problem_hint(&problem, "detach %s first", "eth0");
	assert_string_equal(problem.hint, "detach eth0 first");
	assert_int_equal(problem_set(NULL, -EBUSY, "x"), -EBUSY);
	problem_hint(NULL, "x");
}

static void problem_that_does_not_fit_is_cut_between_characters(void **state)
{
	char long_text[2 * sizeof(((struct problem *)0)->text)];
	struct problem problem = {0};

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(long_text, 'x', shift);
		for (size_t at = shift; at + 3 < sizeof(long_text); at += 3)
			memcpy(long_text + at, "\xe2\x82\xac", 4);
		problem_set(&problem, -EINVAL, "%s", long_text);
		problem_hint(&problem, "%s", long_text);
		assert_true(strlen(problem.text) > sizeof(problem.text) - 5);
		for (const char *at = problem.text; *at; at += text_sequence(at))
			assert_int_not_equal(text_sequence(at), 0);
		for (const char *at = problem.hint; *at; at += text_sequence(at))
			assert_int_not_equal(text_sequence(at), 0);
	}
}

static void text_malformed_is_repaired_byte_by_byte(void **state)
{
	static const struct {
		const char *in, *repaired, *trimmed;
	} rows[] = {
		{"", "", ""},
		{"plain", "plain", "plain"},
		{"\xc3\xa4", "\xc3\xa4", "\xc3\xa4"},
		{"a\xc3", "a?", "a"},
		{"a\xe2\x82", "a??", "a"},
		{"a\xf0\x9f\x98", "a???", "a"},
		{"\xff\xfeok", "??ok", "\xff\xfeok"},
		{"\xed\xa0\x80", "???", "\xed\xa0\x80"},
		{"\x80", "?", "\x80"},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(text_repair(strcpy(text, rows[i].in)), rows[i].repaired);
		text_trim(strcpy(text, rows[i].in));
		assert_string_equal(text, rows[i].trimmed);
	}
}

static void json_text_of_any_bytes_is_a_string(void **state)
{
	AUTO_JSON json_t *json = json_text("eth\xff");

	(void)state;
	assert_string_equal(json_string_value(json), "eth?");
}

static void nearest_is_the_one_with_the_fewest_edits(void **state)
{
	struct nearest nearest = {.word = "helath"}, none = {.word = "xyzzy"};

	(void)state;
	assert_int_equal(nearest_distance("cache1", "cache1"), 0);
	assert_int_equal(nearest_distance("cahce1", "cache1"), 1);
	assert_int_equal(nearest_distance("", "abc"), 3);
	nearest_try(&nearest, "weight");
	nearest_try(&nearest, "health");
	nearest_try(&none, "health");
	assert_string_equal(nearest.best, "health");
	assert_null(none.best);
}

static void prefix_read_says_what_was_probably_meant(void **state)
{
	struct prefix prefix = {.length = 77};
	struct problem problem = {0};

	(void)state;
	assert_int_equal(prefix_read("192.0.2.7/24", &prefix, &problem), -EINVAL);
	assert_string_equal(problem.hint, "was 192.0.2.0/24 meant?");
	assert_int_equal(prefix_read("nonsense", &prefix, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "\"nonsense\""));
	assert_int_equal(prefix.length, 77);
	assert_int_equal(prefix_read("192.0.2.0/24", &prefix, &problem), 0);
	assert_int_equal(prefix.length, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addr_text_parsed_and_formatted_is_canonical),
		cmocka_unit_test(addr_nonsense_is_refused_and_leaves_the_output),
		cmocka_unit_test(prefix_text_parsed_and_formatted),
		cmocka_unit_test(prefix_of_an_ipv4_address_is_what_inet_pton_takes),
		cmocka_unit_test(prefix_covers_only_its_own_family_and_range),
		cmocka_unit_test(addr_compare_is_a_total_order),
		cmocka_unit_test(addr_source_towards_loopback_is_loopback),
		cmocka_unit_test(file_replaced_is_whole_with_mode_and_no_leftover),
		cmocka_unit_test(file_read_stops_at_its_limit),
		cmocka_unit_test(file_make_directories_makes_parents_and_accepts_existing),
		cmocka_unit_test(log_lines_keep_to_the_level_and_stay_single),
		cmocka_unit_test(problem_set_fills_and_returns_the_error),
		cmocka_unit_test(problem_that_does_not_fit_is_cut_between_characters),
		cmocka_unit_test(text_malformed_is_repaired_byte_by_byte),
		cmocka_unit_test(json_text_of_any_bytes_is_a_string),
		cmocka_unit_test(nearest_is_the_one_with_the_fewest_edits),
		cmocka_unit_test(prefix_read_says_what_was_probably_meant),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
