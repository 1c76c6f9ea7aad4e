/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every group in a network namespace of its own. WEIR_TEST_PCAP names a capture for what leaves the host. */
#include "harness.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	int (*const groups[])(void) = {group_parse, group_protect_admit, group_limit, group_steer, group_forward,
				       group_hop,   group_icmp,		 group_flow,  group_faults};
	const char *path = getenv("WEIR_TEST_PCAP");
	int failed = 0, error = harness_network();

	if (error) {
		fprintf(stderr, "the network namespace of the tests cannot be set up: %s\n", strerror(-error));
		return 1;
	}
	if (path && harness_dump_open(path))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		failed += !!groups[i]();
	error = harness_dump_close();
	if (error)
		fprintf(stderr, "%s: %s\n", path, strerror(-error));
	return failed || error;
}
