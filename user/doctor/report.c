/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of findings, and its JSON. */
#include "doctor.h"
#include "../base/json.h"
#include "../base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *const doctor_severity_names[DOCTOR_SEVERITIES] = {"ok", "note", "warning", "error"};

static void fill(char *out, size_t room, const char *format, va_list arguments)
{
	if (vsnprintf(out, room, format, arguments) >= (int)room)
		text_trim(out);
}

static struct doctor_finding *append(struct doctor_report *report)
{
	if (report->count == report->capacity) {
		size_t capacity = report->capacity ? report->capacity * 2 : 64;
		struct doctor_finding *grown = realloc(report->findings, capacity * sizeof(*grown));

		if (!grown) {
			report->is_cut = true;
			return NULL;
		}
		report->findings = grown;
		report->capacity = capacity;
	}
	report->findings[report->count] = (struct doctor_finding){0};
	return &report->findings[report->count++];
}

void doctor_find(struct doctor_report *report, enum doctor_severity severity, const char *group, const char *subject,
		 const char *format, ...)
{
	struct doctor_finding *finding = append(report);
	va_list arguments;

	if (!finding)
		return;
	finding->severity = severity;
	snprintf(finding->group, sizeof(finding->group), "%s", group);
	snprintf(finding->subject, sizeof(finding->subject), "%s", subject);
	va_start(arguments, format);
	fill(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
}

void doctor_fix(struct doctor_report *report, const char *format, ...)
{
	struct doctor_finding *last = report->count ? &report->findings[report->count - 1] : NULL;
	va_list arguments;

	if (!last || report->is_cut)
		return;
	va_start(arguments, format);
	fill(last->fix, sizeof(last->fix), format, arguments);
	va_end(arguments);
}

size_t doctor_report_count(const struct doctor_report *report, enum doctor_severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->findings[i].severity == severity;
	return count;
}

void doctor_report_clear(struct doctor_report *report)
{
	free(report->findings);
	*report = (struct doctor_report){0};
}

json_t *doctor_report_json(const struct doctor_report *report)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < report->count; i++) {
		const struct doctor_finding *finding = &report->findings[i];

		json_array_append_new(rows, json_pack("{s:o, s:s, s:s, s:o, s:o}", "group", json_text(finding->group),
						      "subject", finding->subject, "severity",
						      doctor_severity_names[finding->severity], "finding",
						      json_text(finding->text), "fix", json_text(finding->fix)));
	}
	return json_pack("{s:o, s:I, s:I}", "findings", rows, "errors",
			 (json_int_t)doctor_report_count(report, DOCTOR_ERROR), "warnings",
			 (json_int_t)doctor_report_count(report, DOCTOR_WARNING));
}
