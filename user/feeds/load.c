/* SPDX-License-Identifier: BSD-2-Clause */
/* A list from its file: what kind of file it is, its entries, the report about them. */
#include "reading.h"

#include <errno.h>
#include <string.h>

#include "../base/scope.h"
#include <weir/capacity.h>

#define AUTO_READING __attribute__((cleanup(reading_close)))

const char *feeds_format_name(enum feeds_format format)
{
	static const char *const names[] = {
		[FEEDS_PLAIN] = "plain list",	     [FEEDS_FIREHOL] = "FireHOL netset",
		[FEEDS_DROP_TEXT] = "Spamhaus DROP", [FEEDS_JSON_LINES] = "JSON lines",
		[FEEDS_JSON_ARRAY] = "JSON array",   [FEEDS_GEOIP] = "GeoIP database",
	};

	return (size_t)format < ARRAY_SIZE(names) ? names[format] : "unknown";
}

/* Files that are no text, told by their first bytes, and what makes a list of them. */
static const struct {
	const char *magic, *what, *hint;
} FOREIGN[] = {
	{"\x1f\x8b", "is compressed", "gunzip it"},
	{"\xfd\x37zXZ", "is compressed", "unxz it"},
	{"BZh", "is compressed", "bunzip2 it"},
	{"\x28\xb5\x2f\xfd", "is compressed", "unzstd it"},
	{"PK\x03\x04", "is an archive", "unzip it"},
	{"\xff\xfe", "is text in UTF-16", "write it in UTF-8, such as with iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "is text in UTF-16", "write it in UTF-8, such as with iconv -f UTF-16 -t UTF-8"},
};

static bool begins_with(const char *bytes, size_t size, const char *magic)
{
	size_t length = strlen(magic);

	return size >= length && !memcmp(bytes, magic, length);
}

int reading_check_foreign(struct reading *reading, const char *bytes, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(FOREIGN); i++) {
		if (!begins_with(bytes, size, FOREIGN[i].magic))
			continue;
		problem_set(reading->problem, -EINVAL, "%s %s", reading->path, FOREIGN[i].what);
		problem_hint(reading->problem, "%s", FOREIGN[i].hint);
		return -EINVAL;
	}
	return 0;
}

static bool is_array(const struct reading *reading)
{
	size_t at = reading->at;

	while (at < reading->end && reading->buffer[at] && strchr(" \t\r\n", reading->buffer[at]))
		at++;
	return at < reading->end && reading->buffer[at] == '[';
}

static int take_all(struct reading *reading)
{
	int error = reading_fill(reading), changed;

	if (!error)
		error = reading_check_foreign(reading, reading->buffer + reading->at, reading->end - reading->at);
	if (error)
		return error;
	if (begins_with(reading->buffer + reading->at, reading->end - reading->at,
			"\xef\xbb\xbf")) /* the byte order mark of UTF-8 */
		reading->at += 3;
	error = is_array(reading) ? reading_take_json_array(reading) : reading_take_lines(reading);
	if (error && error != -EINVAL)
		return error;
	changed = reading_check_whole(reading); /* explains nonsense, too */
	return changed ? changed : error;
}

static int finish(struct reading *reading, struct prefixes **out)
{
	struct feeds_report *report = &reading->report;
	size_t collected = reading->builder.v4_count + reading->builder.v6_count;
	struct prefixes *prefixes;
	int error = prefixes_finish(&reading->builder, &prefixes);

	if (error)
		return problem_set(reading->problem, error, "%s: out of memory", reading->path);
	report->entries = prefixes->given;
	report->joined = collected - prefixes->v4_count - prefixes->v6_count;
	*out = prefixes;
	return 0;
}

int feeds_load(const char *path, const struct feeds_options *options, struct prefixes **out,
	       struct feeds_report *report, struct problem *problem)
{
	AUTO_READING struct reading reading = {.path = path, .options = *options, .problem = problem, .fd = -1};
	int error;

	if (!options->max_entries || options->max_entries > WEIR_MAX_PREFIXES)
		reading.options.max_entries = WEIR_MAX_PREFIXES;
	error = reading_open(&reading);
	if (!error)
		error = options->regions_count ? reading_take_geoip(&reading) : take_all(&reading);
	if (!error)
		error = finish(&reading, out);
	if (!error && report)
		*report = reading.report;
	return error;
}
