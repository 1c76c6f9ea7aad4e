/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the module: distinct rows of bits, numbered in the order in which they first occur.
 *
 * The sets that hold an address, the rules that a value satisfies: as an address or a value ascends, bits of one
 * current row are toggled, and each combination that occurs becomes a class.
 */
#ifndef WEIR_COMPILE_ROWS_H
#define WEIR_COMPILE_ROWS_H

#include "slots.h"
#include <weir/capacity.h>

/* Zero it to begin. */
struct compile_rows {
	uint64_t *bits; /* [count * words] */
	size_t words, count, room;
	uint64_t *current; /* [words] */
	uint64_t hash;	   /* of current: each bit's own number, combined by exclusive or */
	struct compile_slots slots;
};

/* Rows of so many bits; the current one is clear. 0 or -ENOMEM. */
int compile_rows_open(struct compile_rows *rows, size_t bits);
void compile_rows_close(struct compile_rows *rows);

void compile_rows_toggle(struct compile_rows *rows, size_t bit);
void compile_rows_clear(struct compile_rows *rows);

/* The number of the current row. 0, -ENOMEM, or -E2BIG when it would be one more than WEIR_MAX_CLASSES. */
int compile_rows_number(struct compile_rows *rows, uint16_t *number);

#endif
