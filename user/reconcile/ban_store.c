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

static bool ban_same_prefix(const struct ban *a, const struct ban *b)
{
	return prefix_compare(&a->prefix, &b->prefix) == 0;
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

static void ban_store_append(struct ban_store *store, struct ban *ban)
{
	int family = ban->prefix.addr.family == WEIR_IPV6;

	if (!store->count || !ban_same_prefix(store->bans[store->count - 1], ban))
		store->prefixes[family]++;
	store->lengths[family][ban->prefix.length]++;
	store->bans[store->count++] = ban;
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
			ban_store_append(out, copy);
		} else {
			error = -ENOMEM;
		}
	}
	free(order);
	return error;
}

int ban_store_with(const struct ban_store *store, const struct ban *add, size_t count, struct ban_store *out)
{
	struct ban_store fresh = {.bans = calloc(count ?: 1, sizeof(*fresh.bans))};
	struct ban_store merged = {.bans = calloc(store->count + count ?: 1, sizeof(*merged.bans))};
	int error = fresh.bans && merged.bans ? ban_copy_sorted(add, count, &fresh) : -ENOMEM;
	size_t old = 0, new = 0;

	if (error) {
		ban_store_drop(&fresh, NULL);
		free(merged.bans);
		return error;
	}
	while (old < store->count || new < fresh.count) {
		int order = old == store->count	 ? 1
			    : new == fresh.count ? -1
						 : ban_compare(store->bans[old], fresh.bans[new]);

		ban_store_append(&merged, order < 0 ? store->bans[old] : fresh.bans[new]);
		old += order <= 0;
		new += order >= 0;
	}
	free(fresh.bans);
	*out = merged;
	return 0;
}

int ban_store_without(const struct ban_store *store, bool (*leave)(void *arg, const struct ban *ban), void *arg,
		      struct ban_store *out)
{
	struct ban_store rest = {.bans = calloc(store->count ?: 1, sizeof(*rest.bans))};

	if (!rest.bans)
		return -ENOMEM;
	for (size_t i = 0; i < store->count; i++) {
		if (!leave(arg, store->bans[i]))
			ban_store_append(&rest, store->bans[i]);
	}
	*out = rest;
	return 0;
}

void ban_store_drop(struct ban_store *store, const struct ban_store *keep)
{
	size_t next = 0;

	for (size_t i = 0; i < store->count; i++) {
		struct ban *ban = store->bans[i];

		while (keep && next < keep->count && ban_compare(keep->bans[next], ban) < 0)
			next++;
		if (!keep || next == keep->count || keep->bans[next] != ban)
			free(ban);
	}
	free(store->bans);
	*store = (struct ban_store){};
}
