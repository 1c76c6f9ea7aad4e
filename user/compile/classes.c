/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets to classes: one walk over the edges of all sets in ascending order.
 *
 * The sets are sorted, so a heap of one edge a set merges them without a copy. A set that has many edges in a row stays
 * on top of the heap at the price of two comparisons: a large set beside thousands of small ones costs what it costs
 * alone.
 */
#include "../base/scope.h"
#include "classes.h"

/* Where a range begins or has ended (IPv4: high is the address), or a prefix (IPv6). */
struct edge {
	uint64_t high, low;
	uint32_t length, set;
};

/* The edge of a set with that number, all but edge->set; false: it has no more. */
typedef bool edge_of_set(const struct prefixes *set, size_t number, struct edge *edge);

struct merge {
	const struct prefixes *const *sets;
	edge_of_set *edge_of;
	size_t *next;	   /* of each set: the number of its edge in the heap */
	struct edge *heap; /* heap[0] is the lowest of all */
	size_t count;
};

static bool edge4(const struct prefixes *set, size_t number, struct edge *edge)
{
	if (number >= 2 * set->v4_count)
		return false;
	edge->high = number % 2 ? set->v4[number / 2].last + 1ull : set->v4[number / 2].first;
	return edge->high <= UINT32_MAX;
}

static bool edge6(const struct prefixes *set, size_t number, struct edge *edge)
{
	if (number >= set->v6_count)
		return false;
	edge->high = set->v6[number].high;
	edge->low = set->v6[number].low;
	edge->length = set->v6[number].length;
	return true;
}

static bool edge_before(const struct edge *a, const struct edge *b)
{
	if (a->high != b->high)
		return a->high < b->high;
	if (a->low != b->low)
		return a->low < b->low;
	return a->length < b->length;
}

static bool edge_same(const struct edge *a, const struct edge *b)
{
	return a->high == b->high && a->low == b->low && a->length == b->length;
}

static void sift_down(struct merge *merge, size_t at)
{
	struct edge edge = merge->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= merge->count)
			break;
		if (child + 1 < merge->count)
			child += edge_before(&merge->heap[child + 1], &merge->heap[child]);
		if (!edge_before(&merge->heap[child], &edge))
			break;
		merge->heap[at] = merge->heap[child];
		at = child;
	}
	merge->heap[at] = edge;
}

static void merge_close(struct merge *merge)
{
	free(merge->next);
	free(merge->heap);
}

#define AUTO_MERGE __attribute__((cleanup(merge_close)))

static int merge_open(struct merge *merge, const struct prefixes *const *sets, size_t count, edge_of_set *edge_of)
{
	merge->sets = sets;
	merge->edge_of = edge_of;
	merge->next = calloc(count ?: 1, sizeof(*merge->next));
	merge->heap = calloc(count ?: 1, sizeof(*merge->heap));
	if (!merge->next || !merge->heap)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct edge edge = {.set = i};

		if (edge_of(sets[i], 0, &edge))
			merge->heap[merge->count++] = edge;
	}
	for (size_t i = merge->count / 2; i-- > 0;)
		sift_down(merge, i);
	return 0;
}

static void merge_advance(struct merge *merge)
{
	struct edge *top = &merge->heap[0];

	if (!merge->edge_of(merge->sets[top->set], ++merge->next[top->set], top))
		*top = merge->heap[--merge->count];
	if (merge->count > 1)
		sift_down(merge, 0);
}

/* Ranges of one set are never adjacent, so each edge toggles the set, whichever end it is. */
int compile_classes4(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		     struct compile_run4 **out, size_t *out_count)
{
	struct merge merge AUTO_MERGE = {0};
	struct compile_run4 *runs AUTO_FREE = NULL;
	size_t most = 1, used = 1;
	int error = merge_open(&merge, sets, count, edge4);

	for (size_t i = 0; i < count; i++)
		most += 2 * sets[i]->v4_count;
	runs = malloc(most * sizeof(*runs));
	if (error || !runs)
		return -ENOMEM;
	compile_rows_clear(rows);
	runs[0] = (struct compile_run4){.first = 0};
	error = compile_rows_number(rows, &runs[0].class);
	while (!error && merge.count) {
		struct edge edge = merge.heap[0];
		struct compile_run4 *run = edge.high ? &runs[used++] : &runs[0];

		do {
			compile_rows_toggle(rows, merge.heap[0].set);
			merge_advance(&merge);
		} while (merge.count && edge_same(&merge.heap[0], &edge));
		run->first = edge.high;
		error = compile_rows_number(rows, &run->class);
	}
	if (error)
		return error;
	*out = TAKE_PTR(runs);
	*out_count = used;
	return 0;
}

/* The prefixes around the one at hand, and the sets that each of them belongs to. */
struct around {
	struct edge edge[129];
	size_t held_before[129];
	size_t depth;
	uint32_t *held; /* a set holds an address by one prefix at most: [sets] */
	size_t held_count;
};

static uint64_t mask_of(uint32_t bits)
{
	return bits ? UINT64_MAX << (64 - bits) : 0;
}

/* inner comes after outer, so it is not a shorter prefix around it. */
static bool edge_holds(const struct edge *outer, const struct edge *inner)
{
	uint32_t high = outer->length < 64 ? outer->length : 64, low = outer->length - high;

	return (inner->high & mask_of(high)) == outer->high && (inner->low & mask_of(low)) == outer->low;
}

static void leave_others(struct around *around, const struct edge *edge, struct compile_rows *rows)
{
	while (around->depth && !edge_holds(&around->edge[around->depth - 1], edge)) {
		around->depth--;
		while (around->held_count > around->held_before[around->depth])
			compile_rows_toggle(rows, around->held[--around->held_count]);
	}
}

int compile_classes6(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		     struct compile_class6 **out, size_t *out_count)
{
	struct merge merge AUTO_MERGE = {0};
	struct compile_class6 *prefixes AUTO_FREE = NULL;
	uint32_t *held AUTO_FREE = calloc(count ?: 1, sizeof(*held));
	struct around around = {.held = held};
	size_t most = 0, used = 0;
	int error = merge_open(&merge, sets, count, edge6);

	for (size_t i = 0; i < count; i++)
		most += sets[i]->v6_count;
	prefixes = malloc((most ?: 1) * sizeof(*prefixes));
	if (error || !prefixes || !held)
		return -ENOMEM;
	compile_rows_clear(rows);
	while (!error && merge.count) {
		struct edge edge = merge.heap[0];
		struct compile_class6 *found = &prefixes[used++];

		leave_others(&around, &edge, rows);
		around.edge[around.depth] = edge;
		around.held_before[around.depth++] = around.held_count;
		do {
			held[around.held_count++] = merge.heap[0].set;
			compile_rows_toggle(rows, merge.heap[0].set);
			merge_advance(&merge);
		} while (merge.count && edge_same(&merge.heap[0], &edge));
		found->prefix = (struct prefix6){.high = edge.high, .low = edge.low, .length = edge.length};
		error = compile_rows_number(rows, &found->class);
	}
	if (error)
		return error;
	*out = TAKE_PTR(prefixes);
	*out_count = used;
	return 0;
}
