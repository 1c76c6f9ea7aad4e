/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of what is said of places in a file, and how a person reads them. */
#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

/* More of them are one mistake made many times. */
#define SHOWN_COUNT 50

static bool is_before(const struct config_place *a, const struct config_place *b)
{
	return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* Room for powers of two, one of them to spare. */
static bool grow(struct config_findings *findings)
{
	struct config_finding *grown;

	if (findings->count & (findings->count - 1))
		return true;
	grown = reallocarray(findings->findings, findings->count ? 2 * findings->count : 1, sizeof(*grown));
	if (grown)
		findings->findings = grown;
	return grown;
}

int config_findings_add(struct config_findings *findings, struct config_place place, struct config_place other,
			const char *hint, const char *format, ...)
{
	struct config_finding fresh = {.place = place, .other = other};
	size_t at = findings->count;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&fresh.sentence, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	if (!grow(findings)) {
		free(fresh.sentence);
		return -ENOMEM;
	}
	snprintf(fresh.hint, sizeof(fresh.hint), "%s", hint);
	while (at && is_before(&place, &findings->findings[at - 1].place))
		at--;
	memmove(&findings->findings[at + 1], &findings->findings[at], (findings->count - at) * sizeof(fresh));
	findings->findings[at] = fresh;
	findings->count++;
	return 0;
}

char *config_findings_format(const struct config_findings *findings, const char *path, const char *text, size_t size)
{
	const struct error_list list = {.path = path, .text = text, .size = size};
	size_t out_size = 0;
	char *out = NULL;
	FILE *stream = open_memstream(&out, &out_size);

	if (!stream)
		return NULL;
	for (size_t i = 0; i < findings->count && i < SHOWN_COUNT; i++) {
		const struct config_finding *finding = &findings->findings[i];

		fprintf(stream, "%s:%d:%d: warning: %s", path, finding->place.line, finding->place.column,
			finding->sentence);
		if (finding->other.line)
			fprintf(stream, " (%d:%d)", finding->other.line, finding->other.column);
		fprintf(stream, "%s%s\n", *finding->hint ? "; " : "", finding->hint);
		errors_render_line(stream, &list, finding->place);
	}
	if (findings->count > SHOWN_COUNT)
		fprintf(stream, "%s: %zu more warnings of sets and rules\n", path, findings->count - SHOWN_COUNT);
	if (fclose(stream)) {
		free(out);
		return NULL;
	}
	return out;
}

void config_findings_free(struct config_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		free(findings->findings[i].sentence);
	free(findings->findings);
	findings->findings = NULL;
	findings->count = 0;
}
