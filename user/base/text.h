/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that others must be able to read: well-formed UTF-8 (RFC 3629, section 4). */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include <stddef.h>

/* Bytes of the well-formed sequence that a NUL-terminated text starts with, 0 where it is none. */
size_t text_sequence(const char *text);
/* Puts '?' in the place of each byte that belongs to no well-formed sequence. Returns text. */
char *text_repair(char *text);
/* Takes an unfinished sequence off the end, as a text has one that was cut to fit. */
void text_trim(char *text);

#endif
