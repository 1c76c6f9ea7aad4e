/* SPDX-License-Identifier: BSD-2-Clause */
/* A host and an interface that are well, for tests to make ill, and what must be found then. Include cmocka.h first. */
#ifndef WEIR_TESTS_UNIT_DOCTOR_HOST_H
#define WEIR_TESTS_UNIT_DOCTOR_HOST_H

#include <string.h>

#include "user/doctor/facts.h"

/* What must be said of a subject; text and fix are parts, fix "" is none. */
struct expected {
	const char *subject;
	enum doctor_severity severity;
	const char *text, *fix;
};

static inline const struct doctor_finding *doctor_finding_of(const struct doctor_report *report, const char *subject)
{
	for (size_t i = 0; i < report->count; i++)
		if (strcmp(report->findings[i].subject, subject) == 0)
			return &report->findings[i];
	return NULL;
}

static inline void doctor_expect(const struct doctor_report *report, const char *sentence,
				 const struct expected *expected)
{
	const struct doctor_finding *finding = doctor_finding_of(report, expected->subject);

	if (!expected->text) {
		if (finding)
			fail_msg("%s: \"%s\" is found: %s", sentence, expected->subject, finding->text);
		return;
	}
	if (!finding)
		fail_msg("%s: nothing about \"%s\"", sentence, expected->subject);
	if (finding->severity != expected->severity || !strstr(finding->text, expected->text) ||
	    (*expected->fix ? !strstr(finding->fix, expected->fix) : *finding->fix))
		fail_msg("%s: %s: %s: \"%s\", fix \"%s\"", sentence, finding->subject,
			 doctor_severity_names[finding->severity], finding->text, finding->fix);
}

static inline struct host_facts well_host(void)
{
	struct host_facts host = {
		.kernel = {.release = "6.1.0-1-amd64",
			   .major = 6,
			   .minor = 1,
			   .is_jited = true,
			   .has_btf = true,
			   .program = 1},
		.memory = {.memlock = 8 << 20, .has_bpffs = true},
		.sysctls = {.forward4 = 1, .forward6 = 1, .rp_filter_all = 0},
		.cpus_online = 4,
		.cpus_possible = 4,
	};

	for (size_t i = 0; i < FEATURES; i++)
		host.kernel.has[i] = true;
	return host;
}

static inline struct device_facts well_device(void)
{
	return (struct device_facts){.name = "eth0",
				     .ifindex = 2,
				     .is_named = true,
				     .is_up = true,
				     .has_carrier = true,
				     .is_ethernet = true,
				     .mtu = 1500,
				     .driver = "ixgbe",
				     .peer_tx_checksum = FACT_UNKNOWN,
				     .combined = 4,
				     .combined_most = 8,
				     .forward4 = 1,
				     .forward6 = 1};
}

#endif
