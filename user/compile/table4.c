/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IPv4 tables: for each /24 that is not in class 0 a bit, and a value or an entry; for each /24 of many classes a
 * line of its ranges or eight lines of its addresses.
 *
 * Equal lines are one line. /16s with equal values share those, so that a large network takes no more room than one
 * /16.
 */
#include "../base/scope.h"
#include "classes.h"
#include "entries4.h"

#define DENSE_LINES 8
#define TOP_VALUES  256 /* /24s of a /16 */
/* A /16 with so many /24s of a class, or with all of one word's, has values rather than entries. */
#define TOP_IS_FULL 128
#define WORD_24S    64 /* of a word of bits */

struct table4 {
	const struct compile_run4 *run, *end; /* run: the one that holds the address at hand */
	uint64_t *bits, *tops;
	uint32_t *values;
	size_t values_count, values_room;
	struct weir_entry4 *entries; /* in order, not yet where they are looked for */
	size_t entries_count, entries_room;
	struct weir_line4 *lines;
	size_t lines_count, lines_room;
	struct compile_slots shared, ranges, dense; /* of what is in values and in lines */
};

static void table_close(struct table4 *table)
{
	free(table->bits);
	free(table->tops);
	free(table->values);
	free(table->entries);
	free(table->lines);
	compile_slots_free(&table->shared);
	compile_slots_free(&table->ranges);
	compile_slots_free(&table->dense);
}

#define AUTO_TABLE __attribute__((cleanup(table_close)))

static uint32_t hash_lines(const struct weir_line4 *lines, size_t count)
{
	uint64_t hash = count;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(lines->word); j++)
			hash = compile_hash_word(hash, lines[i].word[j]);
	return compile_hash_end(hash);
}

/* The index of the first of these lines in the table, where they are put if they are new. */
static int share_lines(struct table4 *table, struct compile_slots *slots, const struct weir_line4 *lines, size_t count,
		       uint32_t *index)
{
	uint32_t hash = hash_lines(lines, count), found;
	struct weir_line4 *grown;
	size_t step = 0;

	while ((found = compile_slots_next(slots, hash, &step)) != COMPILE_SLOTS_END) {
		if (memcmp(table->lines + found, lines, count * sizeof(*lines)) != 0)
			continue;
		*index = found;
		return 0;
	}
	grown = array_grow(table->lines, &table->lines_room, table->lines_count + count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->lines = grown;
	if (compile_slots_add(slots, hash, table->lines_count))
		return -ENOMEM;
	memcpy(grown + table->lines_count, lines, count * sizeof(*lines));
	*index = table->lines_count;
	table->lines_count += count;
	return 0;
}

static int place_ranges(struct table4 *table, size_t count, uint32_t *value)
{
	struct weir_line4 line;
	uint32_t index = 0;
	int error;

	memset(line.start, UINT8_MAX, sizeof(line.start));
	for (size_t i = 0; i < count; i++) {
		line.start[i] = i ? table->run[i].first & 255 : 0;
		line.class[i] = table->run[i].class;
	}
	for (size_t i = count; i < WEIR_LINE4_RANGES; i++)
		line.class[i] = line.class[count - 1];
	error = share_lines(table, &table->ranges, &line, 1, &index);
	*value = (uint32_t)WEIR_VALUE4_LINE << 30 | index;
	return error;
}

static int place_dense(struct table4 *table, uint32_t first, uint32_t *value)
{
	const struct compile_run4 *run = table->run;
	struct weir_line4 lines[DENSE_LINES];
	uint32_t index = 0;
	int error;

	for (uint32_t n = 0; n < 256; n++) {
		if (run + 1 < table->end && run[1].first == (first | n))
			run++;
		lines[n >> 5].dense[n & 31] = run->class;
	}
	error = share_lines(table, &table->dense, lines, DENSE_LINES, &index);
	*value = (uint32_t)WEIR_VALUE4_DENSE << 30 | index;
	return error;
}

/* Moves on to the run that holds first; true if that holds last, too. */
static bool advance(struct table4 *table, uint32_t first, uint32_t last)
{
	while (table->run + 1 < table->end && table->run[1].first <= first)
		table->run++;
	return table->run + 1 == table->end || table->run[1].first > last;
}

/* The runs from the one at hand on that begin up to last. */
static size_t count_runs(const struct table4 *table, uint32_t last)
{
	size_t count = 1;

	while (table->run + count < table->end && table->run[count].first <= last)
		count++;
	return count;
}

static int value_of(struct table4 *table, uint32_t first, uint32_t *value)
{
	size_t count = count_runs(table, first | 255);

	return count <= WEIR_LINE4_RANGES ? place_ranges(table, count, value) : place_dense(table, first, value);
}

/* The values of the /24s of a /16, and how many are not class 0. */
static int values_of(struct table4 *table, uint32_t top, uint32_t values[TOP_VALUES])
{
	for (uint32_t n = 0; n < TOP_VALUES; n++) {
		uint32_t first = top << 16 | n << 8;
		int error = 0;

		if (advance(table, first, first | 255))
			values[n] = table->run->class;
		else
			error = value_of(table, first, &values[n]);
		if (error)
			return error;
	}
	return 0;
}

/* The number of the first of these values in the table, where they are put if they are new. */
static int share_values(struct table4 *table, const uint32_t values[TOP_VALUES], uint32_t *base)
{
	uint64_t mixed = 0;
	uint32_t hash, found, *grown;
	size_t step = 0;

	for (uint32_t n = 0; n < TOP_VALUES; n++)
		mixed = compile_hash_word(mixed, values[n]);
	hash = compile_hash_end(mixed);
	while ((found = compile_slots_next(&table->shared, hash, &step)) != COMPILE_SLOTS_END) {
		if (memcmp(table->values + found, values, TOP_VALUES * sizeof(*values)) != 0)
			continue;
		*base = found;
		return 0;
	}
	grown = array_grow(table->values, &table->values_room, table->values_count + TOP_VALUES, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->values = grown;
	if (compile_slots_add(&table->shared, hash, table->values_count))
		return -ENOMEM;
	memcpy(grown + table->values_count, values, TOP_VALUES * sizeof(*values));
	*base = table->values_count;
	table->values_count += TOP_VALUES;
	return 0;
}

static int place_values(struct table4 *table, uint32_t top)
{
	uint32_t values[TOP_VALUES], base = 0;
	int error = values_of(table, top, values);

	if (!error)
		error = share_values(table, values, &base);
	if (error)
		return error;
	memset(table->bits + (size_t)top * (TOP_VALUES / WORD_24S), UINT8_MAX, TOP_VALUES / 8);
	table->tops[top / 2] |= (uint64_t)(base + 1) << top % 2 * 32;
	return 0;
}

/* The runs of one /24 as an entry's ranges within an outer class; false when there are too many. */
static bool ranges_of(const struct compile_run4 *run, size_t count, struct weir_entry4 *entry)
{
	size_t outer = 0, most = 0, inner = 0;

	if (count > 5)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;

		for (size_t j = 0; j < count; j++)
			same += run[j].class == run[i].class;
		if (same > most)
			outer = i;
		if (same > most)
			most = same;
	}
	if (count - most > ARRAY_SIZE(entry->inner))
		return false;
	entry->class = entry->inner[0] = entry->inner[1] = run[outer].class;
	for (size_t i = 0; i < count; i++) {
		uint32_t first = i ? run[i].first & 255 : 0, end = i + 1 < count ? run[i + 1].first & 255 : 256;

		if (run[i].class == run[outer].class)
			continue;
		entry->inner[inner] = run[i].class;
		entry->first[inner] = first;
		entry->span[inner++] = end - first - 1;
	}
	return true;
}

/* Of the /24 that the run at hand begins before or in. */
static int place_entry(struct table4 *table, uint32_t first)
{
	struct weir_entry4 entry = {0}, *grown;
	size_t count = count_runs(table, first | 255);
	uint32_t kind = WEIR_ENTRY4_RANGES, value = 0;
	int error = 0;

	if (!ranges_of(table->run, count, &entry)) {
		error = value_of(table, first, &value);
		kind = WEIR_VALUE4_KIND(value) == WEIR_VALUE4_LINE ? WEIR_ENTRY4_LINE : WEIR_ENTRY4_DENSE;
		entry = (struct weir_entry4){.index = WEIR_VALUE4_INDEX(value)};
	}
	grown = array_grow(table->entries, &table->entries_room, table->entries_count + 1, sizeof(*grown));
	if (error || !grown)
		return error ?: -ENOMEM;
	entry.key = first >> 8 | kind << 24;
	table->entries = grown;
	grown[table->entries_count++] = entry;
	table->bits[first >> 14] |= 1ull << (first >> 8 & 63);
	return 0;
}

static int place_entries(struct table4 *table, uint32_t top)
{
	int error = 0;

	for (uint32_t n = 0; n < TOP_VALUES && !error; n++) {
		uint32_t first = top << 16 | n << 8;

		if (!advance(table, first, first | 255) || table->run->class)
			error = place_entry(table, first);
	}
	return error;
}

/* Whether a /16 has values: by its /24s that are not of class 0 alone. */
static bool is_full(struct table4 *table, uint32_t top)
{
	const struct compile_run4 *run = table->run;
	size_t count = 0, of_word = 0, most = 0;

	for (uint32_t n = 0; n < TOP_VALUES; n++) {
		uint32_t first = top << 16 | n << 8;
		bool is_set = !advance(table, first, first | 255) || table->run->class;

		of_word = n % WORD_24S ? of_word + is_set : is_set;
		count += is_set;
		if (of_word > most)
			most = of_word;
	}
	table->run = run;
	return count >= TOP_IS_FULL || most == WORD_24S;
}

static int fill_tops(struct table4 *table)
{
	for (uint32_t top = 0; top < WEIR_TOPS4 * 2; top++) {
		int error;

		if (advance(table, top << 16, top << 16 | 0xffff) && !table->run->class)
			continue;
		error = is_full(table, top) ? place_values(table, top) : place_entries(table, top);
		if (error)
			return error;
	}
	return 0;
}

int compile_table4(const struct compile_run4 *runs, size_t count, struct compile_addresses *out,
		   struct problem *problem)
{
	struct table4 table AUTO_TABLE = {.run = runs, .end = runs + count};
	int error;

	table.bits = calloc(WEIR_BITS4, sizeof(*table.bits));
	table.tops = calloc(WEIR_TOPS4, sizeof(*table.tops));
	if (!table.bits || !table.tops)
		return -ENOMEM;
	error = fill_tops(&table);
	if (!error)
		error = compile_entries4(table.entries, table.entries_count, out, problem);
	if (error)
		return error;
	out->bits4_count = WEIR_BITS4;
	out->bits4 = TAKE_PTR(table.bits);
	out->tops4_count = WEIR_TOPS4;
	out->tops4 = TAKE_PTR(table.tops);
	out->values4_count = table.values_count;
	out->values4 = compile_array_trim(TAKE_PTR(table.values), out->values4_count, sizeof(*out->values4));
	out->lines4_count = table.lines_count;
	out->lines4 = compile_array_trim(TAKE_PTR(table.lines), out->lines4_count, sizeof(*out->lines4));
	return 0;
}
