/* SPDX-License-Identifier: BSD-2-Clause */
/* The errors of one configuration file while they are collected. */
#ifndef WEIR_CONFIG_ERRORS_H
#define WEIR_CONFIG_ERRORS_H

#include <stdio.h>

#include "../base/nearest.h"
#include "config.h"

#define ERRORS_MAX 50

struct error_entry {
	struct config_place place;
	size_t order;
	char *sentence;
};

struct error_list {
	const char *path;
	const char *text; /* what the places point into */
	size_t size;
	struct error_entry entries[ERRORS_MAX];
	size_t count;
	bool more;	/* at least one found no room */
	bool no_memory; /* whatever is listed, the parse failed for want of memory */
};

/* A place of {0, 0} is the whole file. */
__attribute__((format(printf, 3, 4))) void errors_add(struct error_list *list, struct config_place place,
						      const char *format, ...);
/* Sorts by place and writes the text for a person. 0 or -ENOMEM. */
int errors_render(struct error_list *list, struct config_errors *out);
void errors_clear(struct error_list *list);
/* The line of a place, windowed around it when it is long, and a caret below. */
void errors_render_line(FILE *out, const struct error_list *list, struct config_place place);

/* A value as it may be shown: shortened, nothing in it that could drive a terminal. */
#define SHOWN_MAX 80
const char *errors_show(const char *text, char out[SHOWN_MAX]);
#define SHOWN(text) errors_show((text), (char[SHOWN_MAX]){0})

/* "; did you mean "x"?" or "". */
#define MEANT_MAX 100
const char *nearest_text(const struct nearest *nearest, char out[MEANT_MAX]);
#define MEANT(nearest) nearest_text((nearest), (char[MEANT_MAX]){0})

#endif
