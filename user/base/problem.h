/* SPDX-License-Identifier: BSD-2-Clause */
/* A failure as it is shown to a person: what went wrong and what to do next. */
#ifndef WEIR_BASE_PROBLEM_H
#define WEIR_BASE_PROBLEM_H

struct problem {
	char text[1024]; /* what went wrong, with the object's name */
	char hint[512];	 /* what to do next; may be empty */
};

/* Fill *problem (which may be NULL) and return error, so that a function can end with it. */
__attribute__((format(printf, 3, 4))) int problem_set(struct problem *problem, int error, const char *format, ...);
__attribute__((format(printf, 2, 3))) void problem_hint(struct problem *problem, const char *format, ...);

#endif
