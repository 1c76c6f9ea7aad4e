/* SPDX-License-Identifier: BSD-2-Clause */
/* The sorted store of live entries. A change makes a successor, so that it can be given up as a whole. */
#include "parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ban_compare(const struct ban *a, const struct ban *b)
{
	int order = prefix_compare(&a->prefix, &b->prefix);

	return order ? order : (a->list > b->list) - (a->list < b->list);
}

struct ban *ban_store_find(const struct ban_store *store, const struct prefix *prefix, uint32_t list)
{
	const struct ban wanted = {.prefix = *prefix, .list = list};
	size_t low = 0, high = store->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = ban_compare(&wanted, store->bans[middle]);

		if (order == 0)
			return store->bans[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The first from `from` on that is not before the entry. */
static size_t ban_store_place(const struct ban_store *store, size_t from, const struct ban *ban)
{
	size_t low = from, high = store->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ban_compare(store->bans[middle], ban) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Counts an entry that comes (change 1) or goes (-1). */
static void ban_store_count(struct ban_store *store, const struct ban *ban, int change)
{
	store->lists[ban->list] += (size_t)change;
	if (!ban->until_ns)
		store->lasting += (size_t)change;
}

static const struct ban *ban_store_at(const struct ban_store *store, size_t index)
{
	return index < store->count ? store->bans[index] : NULL;
}

/* Entries from `from` up to `to` of the other store, which are not looked at. */
static void ban_store_carry(struct ban_store *store, const struct ban_store *other, size_t from, size_t to)
{
	if (from == to)
		return;
	memcpy(store->bans + store->count, other->bans + from, (to - from) * sizeof(*store->bans));
	store->count += to - from;
}

/* Equals stay in the order in which they came: their addresses lie in one array. */
static int ban_compare_pointers(const void *a, const void *b)
{
	const struct ban *first = *(struct ban *const *)a;
	const struct ban *second = *(struct ban *const *)b;
	int order = ban_compare(first, second);

	return order ? order : (first > second) - (first < second);
}

/* Sorted copies of bans, without all but the last of equals. */
static int ban_copy_sorted(const struct ban *bans, size_t count, struct ban_store *out)
{
	const struct ban **order = calloc(count ?: 1, sizeof(*order));
	int error = order ? 0 : -ENOMEM;

	for (size_t i = 0; !error && i < count; i++)
		order[i] = &bans[i];
	if (!error)
		qsort(order, count, sizeof(*order), ban_compare_pointers);
	for (size_t i = 0; !error && i < count; i++) {
		struct ban *copy;

		if (i + 1 < count && ban_compare(order[i], order[i + 1]) == 0)
			continue;
		copy = malloc(sizeof(*copy));
		if (copy) {
			*copy = *order[i];
			out->bans[out->count++] = copy;
		} else {
			error = -ENOMEM;
		}
	}
	free(order);
	return error;
}

/* A large store is copied without a look at its entries, so that one more takes no longer than finding its place. */
int ban_store_with(const struct ban_store *store, const struct ban *add, size_t count, struct ban_store *out)
{
	struct ban_store fresh = {.bans = calloc(count ?: 1, sizeof(*fresh.bans))}, merged = *store;
	int error;
	size_t old = 0;

	merged.bans = calloc(store->count + count ?: 1, sizeof(*merged.bans));
	merged.count = 0;
	error = fresh.bans && merged.bans ? ban_copy_sorted(add, count, &fresh) : -ENOMEM;
	if (error) {
		ban_store_drop(&fresh, NULL, NULL);
		free(merged.bans);
		return error;
	}
	for (size_t i = 0; i < fresh.count; i++) {
		struct ban *ban = fresh.bans[i];
		size_t place = ban_store_place(store, old, ban);
		const struct ban *next = ban_store_at(store, place);

		ban_store_carry(&merged, store, old, place);
		old = place;
		if (next && ban_compare(next, ban) == 0) {
			ban_store_count(&merged, next, -1);
			old++;
		}
		ban_store_count(&merged, ban, 1);
		merged.bans[merged.count++] = ban;
	}
	ban_store_carry(&merged, store, old, store->count);
	free(fresh.bans);
	*out = merged;
	return 0;
}

int ban_store_without(const struct ban_store *store, bool (*leave)(void *arg, const struct ban *ban), void *arg,
		      struct ban_store *out)
{
	struct ban_store rest = *store;

	rest.bans = calloc(store->count ?: 1, sizeof(*rest.bans));
	rest.count = 0;
	if (!rest.bans)
		return -ENOMEM;
	for (size_t i = 0; i < store->count; i++) {
		struct ban *ban = store->bans[i];

		if (leave(arg, ban))
			ban_store_count(&rest, ban, -1);
		else
			rest.bans[rest.count++] = ban;
	}
	*out = rest;
	return 0;
}

static void ban_drop(struct ban *ban, struct ban **retired)
{
	if (!retired) {
		free(ban);
		return;
	}
	ban->retired = *retired;
	*retired = ban;
}

/* Both are sorted; what they share is told by the pointers alone. */
void ban_store_drop(struct ban_store *store, const struct ban_store *keep, struct ban **retired)
{
	size_t next = 0, kept = keep ? keep->count : 0;

	for (size_t i = 0; i < store->count;) {
		int order = -1;

		if (next < kept && store->bans[i] == keep->bans[next]) {
			i++;
			next++;
			continue;
		}
		if (next < kept)
			order = ban_compare(store->bans[i], keep->bans[next]);
		if (order <= 0)
			ban_drop(store->bans[i++], retired);
		next += order >= 0;
	}
	free(store->bans);
	*store = (struct ban_store){};
}

void ban_retired_free(struct ban *retired)
{
	while (retired) {
		struct ban *next = retired->retired;

		free(retired);
		retired = next;
	}
}
