/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes over the live entries that are in force: those of the hashes, and those of the live generation's tables that no
 * tombstone ends. */
#include "parts.h"
#include "../base/array.h"
#include <errno.h>
#include <string.h>

/* What is in a hash. */
struct row {
	struct prefix prefix;
	struct weir_ban value;
};

struct found {
	struct row *rows;
	size_t rows_count, rows_room;
	struct ban *bans;
	size_t count, room;
	int64_t now_s;
};

static int add_ban(struct found *found, const struct prefix *prefix, uint32_t list, uint64_t until_ns)
{
	struct ban *grown = array_grow(found->bans, &found->room, found->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	found->bans = grown;
	grown[found->count++] =
		(struct ban){.prefix = *prefix, .list = list, .added_s = found->now_s, .until_ns = until_ns};
	return 0;
}

static int add_row(void *arg, const struct prefix *prefix, const struct weir_ban *value)
{
	struct found *found = arg;
	struct row *grown = array_grow(found->rows, &found->rows_room, found->rows_count + 1, sizeof(*grown));
	int error = 0;

	if (!grown)
		return -ENOMEM;
	found->rows = grown;
	grown[found->rows_count++] = (struct row){.prefix = *prefix, .value = *value};
	if (value->lists & WEIR_BAN_DENY)
		error = add_ban(found, prefix, WEIR_BAN_DENY, value->deny_until_ns);
	if (!error && value->lists & WEIR_BAN_ALLOW)
		error = add_ban(found, prefix, WEIR_BAN_ALLOW, value->allow_until_ns);
	return error;
}

static int compare_rows(const void *a, const void *b)
{
	return prefix_compare(&((const struct row *)a)->prefix, &((const struct row *)b)->prefix);
}

/* Those of the tables that the hashes say nothing of: neither a tombstone nor the same entry. */
static int add_folded(struct found *found, const struct folded *folded)
{
	size_t row = 0;

	for (size_t i = 0; i < folded->count; i++) {
		struct prefix prefix = compile_folded_prefix(&folded->entries[i]);
		uint32_t said = 0;

		while (row < found->rows_count && prefix_compare(&found->rows[row].prefix, &prefix) < 0)
			row++;
		if (row < found->rows_count && prefix_compare(&found->rows[row].prefix, &prefix) == 0)
			said = found->rows[row].value.lists;
		for (uint32_t list = WEIR_BAN_DENY; list <= WEIR_BAN_ALLOW; list++)
			if (folded->entries[i].lists & list && !(said & (list | WEIR_BAN_GONE(list))) &&
			    add_ban(found, &prefix, list, 0))
				return -ENOMEM;
	}
	return 0;
}

/* Ends what a controller that died began: entries that are in the tables too, and tombstones of none. */
static int tidy(const struct reconcile *reconcile, const struct found *found)
{
	for (size_t i = 0; i < found->rows_count; i++) {
		const struct row *row = &found->rows[i];
		struct weir_ban want = overlay_want(reconcile, &reconcile->bans, &row->prefix);
		int error = overlay_same(&want, &row->value) ? 0 : overlay_put(reconcile->kernel, &row->prefix, &want);

		if (error)
			return error;
	}
	return 0;
}

static int read_all(struct reconcile *reconcile, struct found *found)
{
	uint32_t generation = reconcile->live->generation;
	int error = generation ? folded_read(reconcile->kernel, generation % WEIR_BANKS, &reconcile->folded) : 0;

	if (!error)
		error = overlay_each(reconcile->kernel, add_row, found);
	if (error)
		return error;
	if (found->rows_count)
		qsort(found->rows, found->rows_count, sizeof(*found->rows), compare_rows);
	error = add_folded(found, &reconcile->folded);
	if (!error)
		error = ban_store_with(&reconcile->bans, found->bans, found->count, &reconcile->bans);
	return error;
}

/* What the hashes should have. */
static void count_overlay(struct reconcile *reconcile)
{
	const struct ban_store *store = &reconcile->bans;

	for (size_t i = 0; i < store->count; i++) {
		const struct prefix *prefix = &store->bans[i]->prefix;
		struct weir_ban value;

		if (i && prefix_compare(&store->bans[i - 1]->prefix, prefix) == 0)
			continue;
		value = overlay_want(reconcile, store, prefix);
		overlay_count(&reconcile->overlay, prefix, &value, 1);
	}
	for (size_t i = 0; i < reconcile->folded.count; i++) {
		struct prefix prefix = compile_folded_prefix(&reconcile->folded.entries[i]);
		struct weir_ban value;

		if (ban_store_find(store, &prefix, WEIR_BAN_DENY) || ban_store_find(store, &prefix, WEIR_BAN_ALLOW))
			continue;
		value = overlay_want(reconcile, store, &prefix);
		overlay_count(&reconcile->overlay, &prefix, &value, 1);
	}
}

int bans_open(struct reconcile *reconcile, struct problem *problem)
{
	struct found found = {.now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S};
	int error = read_all(reconcile, &found);

	if (!error) {
		count_overlay(reconcile);
		bans_find_next_end(reconcile);
		error = tidy(reconcile, &found);
	}
	if (!error)
		error = overlay_put_lengths(reconcile->kernel, &reconcile->overlay, NULL);
	free(found.rows);
	free(found.bans);
	if (error)
		return problem_set(problem, error, "the live entries in the kernel cannot be read: %s",
				   strerror(-error));
	return 0;
}
