/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot as Prometheus text, named as OpenTelemetry's compatibility rules for Prometheus name it. */
#include "telemetry.h"
#include "../base/scope.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define NAME_MAX_BYTES 256

/* UCUM's abbreviations in the words that Prometheus uses. */
static const struct unit {
	const char *ucum, *word, *per;
} units[] = {
	{"By", "bytes", "byte"},      {"bit", "bits", "bit"},	    {"s", "seconds", "second"},
	{"ms", "milliseconds", NULL}, {"us", "microseconds", NULL}, {"ns", "nanoseconds", NULL},
	{"min", "minutes", "minute"}, {"h", "hours", "hour"},	    {"d", "days", "day"},
	{"%", "percent", NULL},
};

static const struct unit *unit_find(const char *ucum, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strlen(units[i].ucum) == length && !strncmp(units[i].ucum, ucum, length))
			return &units[i];
	}
	return NULL;
}

/* "bytes" for "By", "bytes_per_second" for "By/s", "per_second" for "{packet}/s", "" for "{packet}": annotations in
 * braces are for people. A dimensionless gauge is a ratio. */
static void unit_suffix(const struct telemetry_point *point, char *out, size_t size)
{
	const char *ucum = point->unit ? point->unit : "", *slash = strchr(ucum, '/');
	size_t length = slash ? (size_t)(slash - ucum) : strlen(ucum);
	const struct unit *unit = unit_find(ucum, length),
			  *per = slash ? unit_find(slash + 1, strlen(slash + 1)) : NULL;
	const char *word = unit ? unit->word : "";

	if (!slash && !strcmp(ucum, "1") && point->type == TELEMETRY_GAUGE)
		word = "ratio";
	if (per && per->per)
		snprintf(out, size, "%s%sper_%s", word, word[0] ? "_" : "", per->per);
	else
		snprintf(out, size, "%s", word);
}

/* Where token stands in name between underscores, or NULL. */
static char *find_token(char *name, const char *token)
{
	size_t length = strlen(token);

	for (char *at = strstr(name, token); at; at = strstr(at + 1, token)) {
		if ((at == name || at[-1] == '_') && (at[length] == '\0' || at[length] == '_'))
			return at;
	}
	return NULL;
}

static void write_identifier(const char *from, char *to, size_t size)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		to[i] = isalnum((unsigned char)from[i]) ? from[i] : '_';
	to[i] = '\0';
}

/* A sum's "total" stands at the end, wherever its name had it. */
static void metric_name(const struct telemetry_point *point, char *out)
{
	char name[NAME_MAX_BYTES - 64], suffix[32], *total;
	bool is_sum = point->type == TELEMETRY_SUM, has_suffix;

	write_identifier(point->name, name, sizeof(name));
	total = is_sum ? find_token(name, "total") : NULL;
	if (total && total > name)
		memmove(total - 1, total + strlen("total"), strlen(total + strlen("total")) + 1);
	unit_suffix(point, suffix, sizeof(suffix));
	has_suffix = suffix[0] && !find_token(name, suffix);
	snprintf(out, NAME_MAX_BYTES, "%s%s%s%s", name, has_suffix ? "_" : "", has_suffix ? suffix : "",
		 is_sum ? "_total" : "");
}

static void write_escaped(FILE *file, const char *text, bool is_quoted)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '\\' || (is_quoted && *text == '"'))
			fprintf(file, "\\%c", *text);
		else
			fputc(*text, file);
	}
}

static void write_double(FILE *file, double value)
{
	char text[32];

	if (isnan(value) || isinf(value)) {
		fputs(isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf", file);
		return;
	}
	/* The shortest of the two that reads back as the same number. */
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	fputs(text, file);
}

static void write_point(FILE *file, const char *name, const struct telemetry_point *point)
{
	fputs(name, file);
	for (size_t i = 0; i < point->attributes_count; i++) {
		char key[NAME_MAX_BYTES];

		write_identifier(point->attributes[i].key, key, sizeof(key));
		fprintf(file, "%s%s=\"", i ? "," : "{", key);
		write_escaped(file, point->attributes[i].value, true);
		fputc('"', file);
	}
	fputs(point->attributes_count ? "} " : " ", file);
	if (point->is_double)
		write_double(file, point->value_double);
	else
		fprintf(file, "%llu", (unsigned long long)point->value);
	fputc('\n', file);
}

static void write_head(FILE *file, const char *name, const struct telemetry_point *point)
{
	if (point->help) {
		fprintf(file, "# HELP %s ", name);
		write_escaped(file, point->help, false);
		fputc('\n', file);
	}
	fprintf(file, "# TYPE %s %s\n", name, point->type == TELEMETRY_SUM ? "counter" : "gauge");
}

int telemetry_encode_prometheus(const struct telemetry_points *points, char **text, size_t *size)
{
	AUTO_FREE char *written = NULL;
	char name[NAME_MAX_BYTES] = "";
	size_t written_size = 0;
	bool is_short;
	FILE *file;

	file = open_memstream(&written, &written_size);
	if (!file)
		return -ENOMEM;
	for (size_t i = 0; i < points->count; i++) {
		const struct telemetry_point *point = &points->points[i];

		if (!i || strcmp(point->name, points->points[i - 1].name) != 0) {
			metric_name(point, name);
			write_head(file, name, point);
		}
		write_point(file, name, point);
	}
	is_short = ferror(file);
	if (fclose(file) || is_short)
		return -ENOMEM;
	*text = TAKE_PTR(written);
	*size = written_size;
	return 0;
}
