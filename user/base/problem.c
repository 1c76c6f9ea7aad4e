/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling in a problem. */
#include "problem.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

/* What does not fit is cut between two characters. */
static void fill(char *out, size_t room, const char *format, va_list arguments)
{
	if (vsnprintf(out, room, format, arguments) >= (int)room)
		text_trim(out);
}

int problem_set(struct problem *problem, int error, const char *format, ...)
{
	va_list arguments;

	if (!problem)
		return error;
	va_start(arguments, format);
	fill(problem->text, sizeof(problem->text), format, arguments);
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
	fill(problem->hint, sizeof(problem->hint), format, arguments);
	va_end(arguments);
}
