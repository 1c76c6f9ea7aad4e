/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets in a text to lines and columns. */
#ifndef WEIR_CONFIG_LOCATE_H
#define WEIR_CONFIG_LOCATE_H

#include "errors.h"

/* A place that moves with an offset. A step costs its distance, in either direction. */
struct locator {
	const char *text;
	size_t offset;
	struct config_place place; /* starts at {1, 1} */
};

void locator_move(struct locator *at, size_t offset);

/* The place, or the end of the text if the place lies behind it. */
struct config_place locator_clamp(const char *text, size_t size, struct config_place place);

/* The text from a place on: a pointer into text, or its end. */
const char *locate_text(const char *text, size_t size, struct config_place place);

/* Reports the first byte that no text has (NUL, or what is not UTF-8) or nesting beyond all sense. True if it did. */
bool locate_bad_text(struct error_list *list);

#endif
