/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IPv4 tables: for each /16 a node, for each /24 that differs from the most a value, for each /24 with more than
 * one class a line of its ranges or eight lines of its addresses.
 *
 * Equal lines are one line: a list of single addresses, however long, makes few different ones, and those stay in the
 * processor's cache.
 */
#include "../base/scope.h"
#include "classes.h"

#define DENSE_LINES 8

/* So many /24s of a /16, one after the other, have the same value. */
struct span {
	uint32_t value, count;
};

struct table4 {
	const struct compile_run4 *run, *end; /* run: the one that holds the address at hand */
	struct weir_node4 *nodes;
	uint64_t *values;
	size_t values_count, values_room; /* count: of entries, two in each element; room: of elements */
	struct weir_line4 *lines;
	size_t lines_count, lines_room;
	struct compile_slots ranges, dense; /* of what is in lines */
	uint16_t *tally;		    /* by class, zero between nodes */
};

static void table_close(struct table4 *table)
{
	free(table->nodes);
	free(table->values);
	free(table->lines);
	free(table->tally);
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
	grown = compile_array_grow(table->lines, &table->lines_room, table->lines_count + count, sizeof(*grown));
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

static int value_of(struct table4 *table, uint32_t first, uint32_t *value)
{
	size_t count = 1;

	while (table->run + count < table->end && table->run[count].first <= (first | 255))
		count++;
	return count <= WEIR_LINE4_RANGES ? place_ranges(table, count, value) : place_dense(table, first, value);
}

/* The spans of a /16, at most 256 of them. */
static int spans_of(struct table4 *table, uint32_t number, struct span *spans, size_t *spans_count)
{
	uint32_t end = (number + 1) << 8; /* in /24s, like at */
	size_t count = 0;

	for (uint32_t at = number << 8; at < end; at += spans[count++].count) {
		struct span *span = &spans[count];
		int error = 0;

		span->count = 1;
		if (!advance(table, at << 8, at << 8 | 255)) {
			error = value_of(table, at << 8, &span->value);
		} else {
			bool whole = table->run + 1 == table->end || table->run[1].first >> 8 >= end;

			span->value = table->run->class;
			span->count = (whole ? end : table->run[1].first >> 8) - at;
		}
		if (error)
			return error;
	}
	*spans_count = count;
	return 0;
}

/* Of the classes that whole /24s have; the lowest of those that are equally many. */
static uint16_t most_frequent(struct table4 *table, const struct span *spans, size_t count)
{
	uint32_t most = 0;
	uint16_t class = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t value = spans[i].value, times;

		if (WEIR_VALUE4_KIND(value) != WEIR_VALUE4_CLASS)
			continue;
		times = table->tally[value] += spans[i].count;
		if (times > most || (times == most && value < class))
			class = value;
		if (times > most)
			most = times;
	}
	for (size_t i = 0; i < count; i++)
		if (WEIR_VALUE4_KIND(spans[i].value) == WEIR_VALUE4_CLASS)
			table->tally[spans[i].value] = 0;
	return class;
}

static void write_node(struct table4 *table, struct weir_node4 *node, const struct span *spans, size_t count)
{
	uint32_t bit = 0;

	node->class = most_frequent(table, spans, count);
	for (size_t i = 0; i < count; i++) {
		uint32_t end = bit + spans[i].count;

		for (; bit < end && spans[i].value != node->class; bit++) {
			node->present[bit >> 6] |= 1ull << (bit & 63);
			table->values[table->values_count / 2] |= (uint64_t)spans[i].value
								  << (table->values_count % 2 * 32);
			table->values_count++;
		}
		bit = end;
	}
	for (int i = 1; i < 4; i++)
		node->before[i] = node->before[i - 1] + __builtin_popcountll(node->present[i - 1]);
}

static int fill_node(struct table4 *table, uint32_t number)
{
	struct span spans[256];
	uint64_t *grown;
	size_t count = 0;
	int error = spans_of(table, number, spans, &count);

	if (error)
		return error;
	grown = compile_array_grow(table->values, &table->values_room, table->values_count / 2 + 129, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->values = grown;
	write_node(table, &table->nodes[number], spans, count);
	return 0;
}

static int fill_nodes(struct table4 *table)
{
	for (uint32_t i = 0; i < WEIR_NODES4; i++) {
		int error = 0;

		table->nodes[i].base = table->values_count;
		if (advance(table, i << 16, i << 16 | 0xffff))
			table->nodes[i].class = table->run->class;
		else
			error = fill_node(table, i);
		if (error)
			return error;
	}
	return 0;
}

int compile_table4(const struct compile_run4 *runs, size_t count, struct compile_addresses *out)
{
	struct table4 table AUTO_TABLE = {.run = runs, .end = runs + count};
	int error;

	table.nodes = calloc(WEIR_NODES4, sizeof(*table.nodes));
	table.tally = calloc(WEIR_MAX_CLASSES, sizeof(*table.tally));
	if (!table.nodes || !table.tally)
		return -ENOMEM;
	error = fill_nodes(&table);
	if (error)
		return error;
	out->nodes4_count = WEIR_NODES4;
	out->nodes4 = TAKE_PTR(table.nodes);
	out->values4_count = (table.values_count + 1) / 2;
	out->values4 = compile_array_trim(TAKE_PTR(table.values), out->values4_count, sizeof(*out->values4));
	out->lines4_count = table.lines_count;
	out->lines4 = compile_array_trim(TAKE_PTR(table.lines), out->lines4_count, sizeof(*out->lines4));
	return 0;
}
