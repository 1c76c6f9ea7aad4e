/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault points of test builds (-DWEIR_FAULTS): WEIR_FAULT=apply:3 kills the process at step 3 of an apply. */
#ifndef WEIR_BASE_FAULT_H
#define WEIR_BASE_FAULT_H

#ifdef WEIR_FAULTS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void fault_point(const char *unit, int step)
{
	const char *wanted = getenv("WEIR_FAULT");
	char here[32];

	snprintf(here, sizeof(here), "%s:%d", unit, step);
	if (wanted && strcmp(wanted, here) == 0)
		raise(SIGKILL);
}
#else
static inline void fault_point(const char *unit, int step)
{
	(void)unit;
	(void)step;
}
#endif

#endif
