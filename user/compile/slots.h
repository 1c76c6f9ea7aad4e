/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the module: finds a numbered item by its content, and growing arrays to keep such items in.
 *
 * Slots hold the number of an item and half of the hash of its content; whether two contents are equal the owner of the
 * items decides, so that a collision costs a comparison and no more.
 */
#ifndef WEIR_COMPILE_SLOTS_H
#define WEIR_COMPILE_SLOTS_H

#include "../base/array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COMPILE_SLOTS_END UINT32_MAX

/* Zero it to begin. */
struct compile_slots {
	uint64_t *entries;  /* hash << 32 | number + 1; 0: free */
	size_t room, count; /* room: a power of two, at least twice count, or 0 */
};

static inline void compile_slots_free(struct compile_slots *slots)
{
	free(slots->entries);
	*slots = (struct compile_slots){0};
}

/* The next item whose content has this hash, from *step 0 on, or COMPILE_SLOTS_END. */
static inline uint32_t compile_slots_next(const struct compile_slots *slots, uint32_t hash, size_t *step)
{
	while (slots->room) {
		uint64_t entry = slots->entries[(hash + (*step)++) & (slots->room - 1)];

		if (!entry)
			break;
		if (entry >> 32 == hash)
			return (uint32_t)entry - 1;
	}
	return COMPILE_SLOTS_END;
}

static inline void compile_slots_place(struct compile_slots *slots, uint64_t entry)
{
	size_t at = entry >> 32 & (slots->room - 1);

	while (slots->entries[at])
		at = (at + 1) & (slots->room - 1);
	slots->entries[at] = entry;
}

/* An item that is not there yet. 0 or -ENOMEM. */
static inline int compile_slots_add(struct compile_slots *slots, uint32_t hash, uint32_t number)
{
	if (2 * (slots->count + 1) > slots->room) {
		struct compile_slots grown = {.room = slots->room ? 2 * slots->room : 64, .count = slots->count};

		grown.entries = calloc(grown.room, sizeof(*grown.entries));
		if (!grown.entries)
			return -ENOMEM;
		for (size_t i = 0; i < slots->room; i++)
			if (slots->entries[i])
				compile_slots_place(&grown, slots->entries[i]);
		free(slots->entries);
		*slots = grown;
	}
	compile_slots_place(slots, (uint64_t)hash << 32 | (number + 1));
	slots->count++;
	return 0;
}

/* Hashes word after word: start with any number, and end with compile_hash_end. */
static inline uint64_t compile_hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 29;
}

static inline uint32_t compile_hash_end(uint64_t hash)
{
	return (hash ^ hash >> 32) * 0xd6e8feb86659fd93 >> 32;
}

/* The array cut to count items, NULL for none; it stays as it is when that fails. */
static inline void *compile_array_trim(void *array, size_t count, size_t size)
{
	void *trimmed;

	if (!count) {
		free(array);
		return NULL;
	}
	trimmed = realloc(array, count * size);
	return trimmed ? trimmed : array;
}

#endif
