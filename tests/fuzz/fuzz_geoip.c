/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GeoIP databases from strangers: any bytes give the networks of the regions asked for, or a sentence with the file's
 * name and nothing else. What two regions have together is what each of them has.
 */
#include "user/feeds/feeds.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENTRIES_MAX 4096

static const struct region REGIONS[] = {
	{REGION_COUNTRY, 'D' << 8 | 'E'}, {REGION_CONTINENT, 'E' << 8 | 'U'}, {REGION_ASN, 64496}};
#define REGIONS_COUNT (sizeof(REGIONS) / sizeof(REGIONS[0]))

static char path[64]; /* of a memory file that lives as long as the process */
static int fd = -1;

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_geoip: %s\n", what);
	abort();
}

static void fill(const void *data, size_t size)
{
	if (fd < 0) {
		fd = memfd_create("database", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	require(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size, "no memory file");
}

/* Mapped addresses are no packet's source; what is wider than their /96 may hold them. */
static int check_prefix(void *arg, const struct prefix *prefix)
{
	(void)arg;
	require(prefix->addr.family == WEIR_IPV4 || prefix->length < 96 || prefix->addr.bytes.word[0] ||
			prefix->addr.bytes.word[1] || prefix->addr.bytes.word[2] != htonl(0xffff),
		"a mapped network");
	return 0;
}

static void check_report(const struct feeds_report *report, size_t regions)
{
	require(report->format == FEEDS_GEOIP, "another format");
	require(report->missing_count <= regions, "more regions are missing than there are");
	for (const char *at = report->database; *at; at++)
		require((unsigned char)*at >= ' ' && *at != 0x7f, "a name that drives a terminal");
}

/* NULL when it was refused. */
static struct prefixes *load(const struct region *regions, size_t count, size_t size)
{
	const struct feeds_options options = {.max_entries = ENTRIES_MAX, .regions = regions, .regions_count = count};
	struct feeds_report report = {.lines = 77};
	struct prefixes *prefixes = NULL;
	struct problem problem = {0};

	if (feeds_load(path, &options, &prefixes, &report, &problem)) {
		require(!prefixes && report.lines == 77, "a database in part");
		require(!strncmp(problem.text, path, strlen(path)) && *problem.hint, "a problem without its file");
		return NULL;
	}
	require(prefixes && !problem.text[0] && report.bytes == size, "a database that is not whole");
	require(prefixes->v4_count + prefixes->v6_count <= ENTRIES_MAX, "too many prefixes");
	check_report(&report, count);
	prefixes_each(prefixes, check_prefix, NULL);
	return prefixes;
}

static int add(void *arg, const struct prefix *prefix)
{
	return prefixes_add(arg, prefix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct prefixes_builder builder = {0};
	struct prefixes *all, *parts = NULL;
	bool is_whole = true;

	fill(data, size);
	all = load(REGIONS, REGIONS_COUNT, size);
	for (size_t i = 0; all && i < REGIONS_COUNT; i++) {
		struct prefixes *one = load(&REGIONS[i], 1, size);

		is_whole = is_whole && one;
		if (one)
			require(!prefixes_each(one, add, &builder), "no memory");
		prefixes_release(one);
	}
	if (all && is_whole) /* a region alone may take more entries, being less of a piece */
		require(!prefixes_finish(&builder, &parts) && prefixes_equal(all, parts), "not what its parts have");
	prefixes_builder_free(&builder);
	prefixes_release(parts);
	prefixes_release(all);
	return 0;
}
