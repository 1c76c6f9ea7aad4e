/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong on this host for Weir, and what mends it.
 *
 * Facts are read (kernel, memory, sysctls, interfaces) and judged into findings; nothing is changed on the host. A fact
 * that this process may not see is a finding too.
 */
#ifndef WEIR_DOCTOR_H
#define WEIR_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum doctor_severity { DOCTOR_OK = 0, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_SEVERITIES };
extern const char *const doctor_severity_names[DOCTOR_SEVERITIES]; /* "ok", "note", "warning", "error" */

struct doctor_finding {
	char group[32];	  /* "kernel", "memory", "sysctls", "interface eth0" */
	char subject[40]; /* what it is about within the group */
	enum doctor_severity severity;
	char text[512]; /* what is; one sentence */
	char fix[512];	/* a command or a sentence that mends it; empty where nothing has to be done or can be */
};

struct doctor_report {
	struct doctor_finding *findings; /* grouped: a group's findings stand together */
	size_t count, capacity;
	bool is_cut; /* memory ran out: findings are missing */
};

/* Appends a finding. What is appended next with doctor_fix belongs to it. */
__attribute__((format(printf, 5, 6))) void doctor_find(struct doctor_report *report, enum doctor_severity severity,
						       const char *group, const char *subject, const char *format, ...);
__attribute__((format(printf, 2, 3))) void doctor_fix(struct doctor_report *report, const char *format, ...);
size_t doctor_report_count(const struct doctor_report *report, enum doctor_severity severity);
void doctor_report_clear(struct doctor_report *report);
/* {"findings": [{"group", "subject", "severity", "finding", "fix"}], "errors": n, "warnings": n}; NULL without memory.
 */
json_t *doctor_report_json(const struct doctor_report *report);

enum doctor_mode { DOCTOR_MODE_AUTO = 0, DOCTOR_MODE_NATIVE, DOCTOR_MODE_GENERIC };

struct doctor_target {
	char name[16]; /* of an interface */
	enum doctor_mode mode;
};

struct doctor_options {
	const char *root; /* /proc and /sys are looked for below it; "" on a live host */
	const char *pins; /* the directory of Weir's pins */
	/* None: the interfaces that Weir is attached to, else those that could be meant. */
	const struct doctor_target *targets;
	size_t targets_count;
	bool has_policy;		   /* a configuration was read: */
	bool has_backends4, has_backends6; /* it has backends of the family */
};

/* Reads and judges all. What cannot be read is a finding, never a failure. */
void doctor_examine(const struct doctor_options *options, struct doctor_report *report);

#endif
