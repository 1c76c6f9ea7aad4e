/* SPDX-License-Identifier: BSD-2-Clause */
/* Distinct rows of bits: a hash that follows the toggles finds a row, and its bits decide. */
#include "rows.h"

int compile_rows_open(struct compile_rows *rows, size_t bits)
{
	size_t words = bits ? (bits + 63) / 64 : 1;
	uint64_t *current = calloc(words, sizeof(*current));

	if (!current)
		return -ENOMEM;
	*rows = (struct compile_rows){.words = words, .current = current};
	return 0;
}

void compile_rows_close(struct compile_rows *rows)
{
	free(rows->bits);
	free(rows->current);
	compile_slots_free(&rows->slots);
	*rows = (struct compile_rows){0};
}

/* The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t bit_hash(uint64_t bit)
{
	bit = (bit + 1) * 0x9e3779b97f4a7c15;
	bit = (bit ^ bit >> 30) * 0xbf58476d1ce4e5b9;
	bit = (bit ^ bit >> 27) * 0x94d049bb133111eb;
	return bit ^ bit >> 31;
}

void compile_rows_toggle(struct compile_rows *rows, size_t bit)
{
	rows->current[bit / 64] ^= 1ull << bit % 64;
	rows->hash ^= bit_hash(bit);
}

void compile_rows_clear(struct compile_rows *rows)
{
	memset(rows->current, 0, rows->words * sizeof(*rows->current));
	rows->hash = 0;
}

int compile_rows_number(struct compile_rows *rows, uint16_t *number)
{
	size_t bytes = rows->words * sizeof(*rows->bits), step = 0;
	uint32_t hash = rows->hash >> 32, row;
	uint64_t *bits;

	while ((row = compile_slots_next(&rows->slots, hash, &step)) != COMPILE_SLOTS_END) {
		if (memcmp(rows->bits + row * rows->words, rows->current, bytes) != 0)
			continue;
		*number = row;
		return 0;
	}
	if (rows->count == WEIR_MAX_CLASSES)
		return -E2BIG;
	bits = array_grow(rows->bits, &rows->room, rows->count + 1, bytes);
	if (!bits)
		return -ENOMEM;
	rows->bits = bits;
	if (compile_slots_add(&rows->slots, hash, rows->count))
		return -ENOMEM;
	memcpy(bits + rows->count * rows->words, rows->current, bytes);
	*number = rows->count++;
	return 0;
}
