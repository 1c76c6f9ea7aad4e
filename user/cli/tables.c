/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens the pinned tables for the commands that can do without a controller. */
#include "tables.h"
#include <errno.h>
#include <unistd.h>

int cli_open_tables(const char *pin_directory, struct kernel **out, struct problem *problem)
{
	struct kernel_options options = {.pin_directory = pin_directory, .must_exist = true, .read_only = true};
	int err;

	if (geteuid() != 0) {
		problem_set(problem, -EPERM, "reading the kernel's tables needs root");
		problem_hint(problem, "run as root; a running controller answers its group too");
		return -EPERM;
	}
	err = kernel_load(&options, out, problem);
	if (err && problem && !*problem->hint)
		problem_hint(problem, "`weir run` makes a dataplane; --pins names another directory than %s",
			     pin_directory);
	return err;
}
