/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hashes of live entries: what they have to hold beside the address tables, and how that changes with these.
 *
 * An entry without an end that the tables have is left out here; what the tables have and the store has not, or has
 * with an end, needs a tombstone. What nobody looks up any more is taken out bit by bit: the lengths in use do not
 * speak of it.
 */
#include "parts.h"
#include "../base/array.h"
#include "../base/fault.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LISTS (WEIR_BAN_DENY | WEIR_BAN_ALLOW)

union overlay_key {
	struct weir_ban4_key v4;
	struct weir_ban6_key v6;
};

static enum kernel_map overlay_map(const struct prefix *prefix)
{
	return prefix->addr.family == WEIR_IPV6 ? KERNEL_MAP_ban6 : KERNEL_MAP_ban4;
}

static union overlay_key overlay_key(const struct prefix *prefix)
{
	union overlay_key key = {};

	if (prefix->addr.family == WEIR_IPV6) {
		memcpy(key.v6.address, prefix->addr.bytes.word, sizeof(key.v6.address));
		key.v6.length = prefix->length;
	} else {
		key.v4.address = prefix->addr.bytes.word[0];
		key.v4.length = prefix->length;
	}
	return key;
}

static struct prefix overlay_prefix(enum kernel_map map, const union overlay_key *key)
{
	struct prefix prefix = {};

	if (map == KERNEL_MAP_ban6) {
		prefix.addr.family = WEIR_IPV6;
		memcpy(prefix.addr.bytes.word, key->v6.address, sizeof(key->v6.address));
		prefix.length = (uint8_t)key->v6.length;
	} else {
		prefix.addr.family = WEIR_IPV4;
		prefix.addr.bytes.word[0] = key->v4.address;
		prefix.length = (uint8_t)key->v4.length;
	}
	return prefix;
}

/* One list's part of a value. all and any: the lists that every table has the prefix on, and that some table has. */
static void overlay_add_list(struct weir_ban *value, const struct ban *ban, uint32_t list, uint32_t all, uint32_t any)
{
	if (ban && (ban->until_ns || !(all & list))) {
		value->lists |= list;
		*(list == WEIR_BAN_DENY ? &value->deny_until_ns : &value->allow_until_ns) = ban->until_ns;
	}
	if (any & list && (!ban || ban->until_ns))
		value->lists |= WEIR_BAN_GONE(list);
}

struct weir_ban overlay_value(const struct ban_store *store, const struct prefix *prefix, uint32_t all, uint32_t any)
{
	struct weir_ban value = {};

	overlay_add_list(&value, ban_store_find(store, prefix, WEIR_BAN_DENY), WEIR_BAN_DENY, all, any);
	overlay_add_list(&value, ban_store_find(store, prefix, WEIR_BAN_ALLOW), WEIR_BAN_ALLOW, all, any);
	return value;
}

struct weir_ban overlay_want(const struct reconcile *reconcile, const struct ban_store *store,
			     const struct prefix *prefix)
{
	uint32_t lists = folded_lists(&reconcile->folded, prefix);
	uint32_t before = reconcile->is_turning ? folded_lists(&reconcile->folded_before, prefix) : lists;

	return overlay_value(store, prefix, reconcile->overlay_behind ? LISTS : lists & before, lists | before);
}

bool overlay_same(const struct weir_ban *a, const struct weir_ban *b)
{
	return a->lists == b->lists && a->deny_until_ns == b->deny_until_ns && a->allow_until_ns == b->allow_until_ns;
}

int overlay_put(const struct kernel *kernel, const struct prefix *prefix, const struct weir_ban *value)
{
	int fd = kernel_map_fd(kernel, overlay_map(prefix));
	union overlay_key key = overlay_key(prefix);
	int error;

	if (value->lists)
		return kernel_map_put(fd, &key, value);
	error = kernel_map_delete(fd, &key);
	return error == -ENOENT ? 0 : error;
}

void overlay_count(struct overlay_counts *counts, const struct prefix *prefix, const struct weir_ban *value, int sign)
{
	int family = prefix->addr.family == WEIR_IPV6;

	if (!value->lists)
		return;
	counts->prefixes[family] += (size_t)sign;
	if (value->lists & WEIR_BAN_DENY && !value->deny_until_ns)
		counts->waiting += (size_t)sign;
	if (value->lists & WEIR_BAN_ALLOW && !value->allow_until_ns)
		counts->waiting += (size_t)sign;
	if (value->lists & LISTS)
		counts->lengths[family][prefix->length] += (uint32_t)sign;
	if (value->lists & WEIR_BAN_GONE(LISTS)) {
		counts->gone[family][prefix->length] += (uint32_t)sign;
		counts->tombstones += (size_t)sign;
	}
}

static uint64_t length_bit(const uint32_t counts[129], const uint32_t also[129], unsigned int length)
{
	return counts[length] || (also && also[length]) ? 1ull << length % 64 : 0;
}

int overlay_put_lengths(const struct kernel *kernel, const struct overlay_counts *counts,
			const struct overlay_counts *also)
{
	struct weir_ban_lengths lengths = {};
	const __u32 zero = 0;

	for (unsigned int length = 0; length <= 128; length++) {
		lengths.v6[length / 64] |= length_bit(counts->lengths[1], also ? also->lengths[1] : NULL, length);
		lengths.gone6[length / 64] |= length_bit(counts->gone[1], also ? also->gone[1] : NULL, length);
		if (length > 32)
			continue;
		lengths.v4 |= length_bit(counts->lengths[0], also ? also->lengths[0] : NULL, length);
		lengths.gone4 |= length_bit(counts->gone[0], also ? also->gone[0] : NULL, length);
	}
	return kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_ban_lengths), &zero, &lengths);
}

int overlay_check_room(const struct overlay_counts *counts, struct problem *problem)
{
	static const char *const families[] = {"IPv4", "IPv6"};
	unsigned int lengths6 = 0;
	int error;

	for (size_t length = 0; length <= 128; length++)
		lengths6 += counts->lengths[1][length] > 0;
	for (size_t family = 0; family < 2; family++) {
		if (counts->prefixes[family] <= WEIR_MAX_BANS)
			continue;
		error = problem_set(problem, -ENOSPC,
				    "there would be %zu live %s entries beside the address tables, and at most %d fit "
				    "(WEIR_MAX_BANS); nothing was changed",
				    counts->prefixes[family], families[family], WEIR_MAX_BANS);
		problem_hint(problem, "entries without an end, and what was deleted, move into the tables within "
				      "seconds: change fewer at once, and the next ones when `weir status` shows none "
				      "waiting; or join neighbours into shorter prefixes");
		return error;
	}
	if (lengths6 <= WEIR_MAX_BAN_LENGTHS)
		return 0;
	error = problem_set(problem, -ENOSPC,
			    "there would be live IPv6 entries of %u prefix lengths, and at most %d "
			    "fit (WEIR_MAX_BAN_LENGTHS); nothing was changed",
			    lengths6, WEIR_MAX_BAN_LENGTHS);
	problem_hint(problem, "use prefix lengths that are in use already, such as /128, /64, /56 or /48");
	return error;
}

int overlay_each(const struct kernel *kernel,
		 int (*visit)(void *arg, const struct prefix *prefix, const struct weir_ban *value), void *arg)
{
	static const enum kernel_map maps[] = {KERNEL_MAP_ban4, KERNEL_MAP_ban6};
	int error = 0;

	for (size_t i = 0; i < 2 && (!error || error == -ENOENT); i++) {
		int fd = kernel_map_fd(kernel, maps[i]);
		union overlay_key key, next;

		error = kernel_map_next(fd, NULL, &next);
		while (!error) {
			struct weir_ban value;
			struct prefix prefix;

			key = next;
			prefix = overlay_prefix(maps[i], &key);
			error = kernel_map_get(fd, &key, &value);
			if (!error)
				error = visit(arg, &prefix, &value);
			if (!error)
				error = kernel_map_next(fd, &key, &next);
		}
	}
	return error == -ENOENT ? 0 : error;
}

/* What stays too long does no harm: an entry that the tables have too, or a tombstone of one that they have not. */
static void overlay_refresh(const struct reconcile *reconcile, const struct prefix *prefix)
{
	struct weir_ban value = overlay_want(reconcile, &reconcile->bans, prefix);

	overlay_put(reconcile->kernel, prefix, &value);
	fault_point("fold", 3);
}

void overlay_leave(struct reconcile *reconcile, const struct prefix_list *prefixes)
{
	struct prefix_list *list = &reconcile->leftovers;

	if (prefix_list_reserve(list, prefixes->count)) {
		for (size_t i = 0; i < prefixes->count; i++)
			overlay_refresh(reconcile, &prefixes->prefixes[i]);
		return;
	}
	for (size_t i = 0; i < prefixes->count; i++)
		prefix_list_add(list, &prefixes->prefixes[i]);
}

void overlay_clean(struct reconcile *reconcile, size_t most)
{
	struct prefix_list *list = &reconcile->leftovers;

	for (; list->count && most; most--)
		overlay_refresh(reconcile, &list->prefixes[--list->count]);
	if (!list->count)
		prefix_list_free(list);
}

void overlay_make_room(struct reconcile *reconcile, const struct overlay_counts *counts)
{
	const size_t left = reconcile->leftovers.count;

	if (counts->prefixes[0] + left > WEIR_MAX_BANS || counts->prefixes[1] + left > WEIR_MAX_BANS)
		overlay_clean(reconcile, left);
}

int prefix_list_reserve(struct prefix_list *list, size_t more)
{
	struct prefix *grown;

	if (list->count + more <= list->room)
		return 0;
	grown = array_grow(list->prefixes, &list->room, list->count + more, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->prefixes = grown;
	return 0;
}

int prefix_list_add(struct prefix_list *list, const struct prefix *prefix)
{
	if (prefix_list_reserve(list, 1))
		return -ENOMEM;
	list->prefixes[list->count++] = *prefix;
	return 0;
}

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

void prefix_list_sort(struct prefix_list *list)
{
	size_t count = list->count;

	list->count = 0;
	if (count)
		qsort(list->prefixes, count, sizeof(*list->prefixes), compare_prefixes);
	for (size_t i = 0; i < count; i++)
		if (!list->count || prefix_compare(&list->prefixes[list->count - 1], &list->prefixes[i]) != 0)
			list->prefixes[list->count++] = list->prefixes[i];
}

void prefix_list_free(struct prefix_list *list)
{
	free(list->prefixes);
	*list = (struct prefix_list){};
}
