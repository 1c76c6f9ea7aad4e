/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every group, or those that are named, in a network namespace of its own. WEIR_TEST_PCAP names a capture for what
 * leaves the host. */
#include "harness.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(void);
} groups[] = {
	{"parse", group_parse},
	{"protect-admit", group_protect_admit},
	{"folded", group_folded},
	{"filter", group_filter},
	{"filter-actions", group_filter_actions},
	{"limit", group_limit},
	{"steer", group_steer},
	{"forward", group_forward},
	{"hop", group_hop},
	{"icmp", group_icmp},
	{"flow", group_flow},
	{"faults", group_faults},
	{"filter-faults", group_filter_faults},
	{"filter-chance", group_filter_chance},
	{"mark", group_mark},
};

static bool is_wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name, names[i]))
			return true;
	return !count;
}

int main(int argc, char **argv)
{
	const char *path = getenv("WEIR_TEST_PCAP");
	int failed = 0, ran = 0, error = harness_network();

	if (error) {
		fprintf(stderr, "the network namespace of the tests cannot be set up: %s\n", strerror(-error));
		return 1;
	}
	if (path && harness_dump_open(path))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!is_wanted(groups[i].name, argc - 1, argv + 1))
			continue;
		ran++;
		failed += !!groups[i].run();
	}
	error = path ? harness_dump_close() : 0;
	if (error)
		fprintf(stderr, "%s: %s\n", path, strerror(-error));
	return failed || error || !ran;
}
