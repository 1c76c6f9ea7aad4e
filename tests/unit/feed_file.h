/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the tests of user/feeds: a list file in a directory of its own, and sets written as words. */
#ifndef TEST_FEED_FILE_H
#define TEST_FEED_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/scope.h"
#include "user/feeds/feeds.h"

struct feed_file {
	char directory[64];
	char path[96]; /* directory/list, which is not there at first */
};

static inline struct feed_file feed_file_begin(void)
{
	struct feed_file file = {.directory = "/tmp/weir-test-feeds-XXXXXX"};

	assert_non_null(mkdtemp(file.directory));
	snprintf(file.path, sizeof(file.path), "%s/list", file.directory);
	return file;
}

/* The directory holds nothing else: a test that fails here left something behind. */
static inline void feed_file_end(const struct feed_file *file)
{
	unlink(file->path);
	assert_int_equal(rmdir(file->directory), 0);
}

static inline void feed_file_write(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static inline struct prefixes *feed_load_text(const char *text)
{
	struct feed_file file = feed_file_begin();
	const struct feeds_options options = {.strict = true};
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	feed_file_write(file.path, text, strlen(text));
	if (feeds_load(file.path, &options, &prefixes, NULL, &problem))
		fail_msg("%s", problem.text);
	feed_file_end(&file);
	return prefixes;
}

static inline int feed_append_text(void *arg, const struct prefix *prefix)
{
	char *out = arg, text[ADDR_TEXT_MAX];

	if (*out)
		strcat(out, " ");
	strcat(out, prefix_format(prefix, text));
	return 0;
}

/* words: the set's prefixes in order, with a blank between each. */
static inline void feed_assert_set(const struct prefixes *prefixes, const char *words)
{
	char text[4096] = "";

	assert_true(prefixes_count(prefixes) < sizeof(text) / ADDR_TEXT_MAX);
	prefixes_each(prefixes, feed_append_text, text);
	assert_string_equal(text, words);
}

#endif
