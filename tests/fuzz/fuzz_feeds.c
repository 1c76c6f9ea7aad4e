/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists from strangers: any bytes give a set, or a sentence with the file's name and nothing else. What was read
 * must come back from the cache, and written out again must read as the same set.
 */
#include "user/feeds/feeds.h"
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char list_path[64], cache_path[64]; /* of memory files that live as long as the process */
static int list_fd = -1;

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_feeds: %s\n", what);
	abort();
}

static void fill(const void *data, size_t size)
{
	if (list_fd < 0) {
		list_fd = memfd_create("list", MFD_CLOEXEC);
		snprintf(list_path, sizeof(list_path), "/proc/self/fd/%d", list_fd);
		snprintf(cache_path, sizeof(cache_path), "/tmp/fuzz_feeds.%d", (int)getpid());
	}
	require(list_fd >= 0 && !ftruncate(list_fd, 0) && pwrite(list_fd, data, size, 0) == (ssize_t)size,
		"no memory file");
}

/* A range of IPv6 may run across ::ffff:0:0/96, whose parts mean IPv4 where they stand alone. */
static bool is_mapped(const struct prefix *prefix)
{
	return prefix->addr.family == WEIR_IPV6 && !prefix->addr.bytes.word[0] && !prefix->addr.bytes.word[1] &&
	       prefix->addr.bytes.word[2] == htonl(0xffff);
}

static int write_line(void *arg, const struct prefix *prefix)
{
	char text[ADDR_TEXT_MAX];

	if (is_mapped(prefix))
		return 1;
	fprintf(arg, "%s\n", prefix_format(prefix, text));
	return 0;
}

static void write_and_read(const struct prefixes *prefixes)
{
	const struct feeds_options options = {.strict = true};
	struct prefixes *again = NULL;
	char *text = NULL;
	size_t size = 0;
	bool is_whole;
	FILE *file = open_memstream(&text, &size);

	require(file, "no memory stream");
	is_whole = !prefixes_each(prefixes, write_line, file);
	fclose(file);
	fill(text, size);
	free(text);
	if (!is_whole)
		return;
	require(!feeds_load(list_path, &options, &again, NULL, NULL), "what was written out is refused");
	require(prefixes_equal(prefixes, again), "another set after writing it out");
	require(!feeds_judge_change(prefixes, again, 1, NULL), "no change is held back");
	prefixes_release(again);
}

/* Syncing a file takes long: one in a thousand. */
static void store_and_restore(const struct prefixes *prefixes)
{
	static unsigned int calls;
	struct prefixes *again = NULL;

	if (calls++ % 1024)
		return;
	require(!feeds_store(cache_path, prefixes, NULL), "the cache cannot be written");
	require(!feeds_restore(cache_path, &again, NULL) && prefixes_equal(prefixes, again), "the cache changed it");
	prefixes_release(again);
	unlink(cache_path);
}

static void load(const uint8_t *data, size_t size, bool is_strict)
{
	const struct feeds_options options = {.strict = is_strict, .max_entries = 4096};
	struct prefixes *prefixes = NULL;
	struct feeds_report report = {.lines = 77};
	struct problem problem = {0};
	int error;

	fill(data, size);
	error = feeds_load(list_path, &options, &prefixes, &report, &problem);
	if (error) {
		require(!prefixes && report.lines == 77, "a list in part");
		require(!strncmp(problem.text, list_path, strlen(list_path)), "a problem without its file");
		return;
	}
	require(prefixes && !problem.text[0] && report.bytes == size, "a list that is not whole");
	require(!is_strict || !report.places_count, "a repair in a strict list");
	require(report.places_count <= FEEDS_PLACES, "too many places");
	write_and_read(prefixes);
	store_and_restore(prefixes);
	prefixes_release(prefixes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load(data, size, false);
	load(data, size, true);
	return 0;
}
