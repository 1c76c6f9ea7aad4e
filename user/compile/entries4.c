/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entries of /24s, each in the line that its hash leads to or in the next one that has room.
 *
 * Nothing is looked for that is not there (bits4 says so), so lines may be rather full: where one entry finds no room
 * in WEIR_ENTRY4_PROBES lines, all of them are put in anew with another seed, then with more lines.
 */
#include "entries4.h"
#include "part.h"

#include <errno.h>
#include <stdlib.h>

#define SEEDS 4
/* Two places in five are taken, since each entry that finds its line full costs packets another wait for memory; each
 * round has half as many lines again. */
#define LOAD_NUMERATOR	 5
#define LOAD_DENOMINATOR 8
#define ROUNDS		 8

static bool place(const struct weir_entry4 *entry, struct weir_line *lines, uint32_t seed, uint32_t hashed)
{
	uint32_t at = weir_hash4(entry->key & 0xffffff, seed, hashed);

	for (uint32_t i = 0; i < WEIR_ENTRY4_PROBES; i++) {
		for (int j = 0; j < WEIR_LINE_ENTRIES4; j++) {
			struct weir_entry4 *free_one = &lines[at + i].entries4[j];

			if (free_one->key)
				continue;
			*free_one = *entry;
			return true;
		}
	}
	return false;
}

static bool place_all(const struct weir_entry4 *entries, size_t count, struct weir_line *lines, uint32_t seed,
		      uint32_t hashed)
{
	for (size_t i = 0; i < count; i++)
		if (!place(&entries[i], lines, seed, hashed))
			return false;
	return true;
}

static int refuse(struct problem *problem)
{
	problem_set(problem, -E2BIG, "IPv4 prefixes in the sets hash alike: more than %u /24s in %u lines",
		    WEIR_ENTRY4_PROBES * WEIR_LINE_ENTRIES4, WEIR_ENTRY4_PROBES);
	problem_hint(problem, "this does not happen by chance: find out who put the prefixes into the lists");
	return -E2BIG;
}

/* With each seed; 1 when the entries do not fit. */
static int try_lines(const struct weir_entry4 *entries, size_t count, uint32_t hashed, struct compile_addresses *out)
{
	size_t total = hashed + WEIR_ENTRY4_PROBES - 1;

	for (uint32_t seed = 0; seed < SEEDS; seed++) {
		struct weir_line *lines = calloc(total, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		if (place_all(entries, count, lines, seed, hashed)) {
			out->entries4 = lines;
			out->entries4_count = total;
			out->entries4_hashed = hashed;
			out->entries4_seed = seed;
			return 0;
		}
		free(lines);
	}
	return 1;
}

int compile_entries4(const struct weir_entry4 *entries, size_t count, struct compile_addresses *out,
		     struct problem *problem)
{
	uint32_t hashed = (uint32_t)(count * LOAD_NUMERATOR / LOAD_DENOMINATOR + 1);
	int result = count ? 1 : 0;

	for (int round = 0; round < ROUNDS && result > 0; round++) {
		result = try_lines(entries, count, hashed, out);
		hashed += hashed / 2 + 1;
	}
	return result > 0 ? refuse(problem) : result;
}
