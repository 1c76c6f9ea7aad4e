/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling in a problem. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

int problem_set(struct problem *problem, int error, const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return error;
	va_start(arguments, format);
	vsnprintf(problem->text, sizeof(problem->text), format, arguments);
	va_end(arguments);
	problem->hint[0] = 0;
	return error;
}

void problem_hint(struct problem *problem, const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return;
	va_start(arguments, format);
	vsnprintf(problem->hint, sizeof(problem->hint), format, arguments);
	va_end(arguments);
}
