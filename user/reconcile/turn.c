/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the hashes of live entries follow from one generation to the next.
 *
 * From before the flip until no packet sees the old generation, they hold what either of the two needs, so that no
 * packet finds an entry in neither. What that takes is found out on another thread, of a snapshot of the store; what
 * came of the store meanwhile is looked at by itself.
 */
#include "parts.h"
#include "../base/fault.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LISTS (WEIR_BAN_DENY | WEIR_BAN_ALLOW)

int turn_open(const struct reconcile *reconcile, struct overlay_turn *turn)
{
	struct ban_store snapshot = reconcile->bans;

	snapshot.bans = reallocarray(NULL, snapshot.count ?: 1, sizeof(struct ban *));
	if (!snapshot.bans)
		return -ENOMEM;
	if (snapshot.count)
		memcpy(snapshot.bans, reconcile->bans.bans, snapshot.count * sizeof(struct ban *));
	turn->snapshot = snapshot;
	return 0;
}

/* Everything that is in the store, or in the tables of one of two generations, in ascending order. */
struct walk {
	const struct ban_store *store;
	const struct folded *folded[2];
	size_t ban, entry[2];
};

struct place {
	struct prefix prefix;
	struct ban_store here; /* its entries */
	uint32_t lists[2];     /* of each generation */
};

static bool take_lower(struct prefix *lowest, bool *found, const struct prefix *prefix)
{
	if (*found && prefix_compare(lowest, prefix) <= 0)
		return false;
	*lowest = *prefix;
	*found = true;
	return true;
}

static bool walk_next(struct walk *walk, struct place *place)
{
	bool found = false;
	struct prefix here;

	*place = (struct place){.here.bans = walk->store->bans + walk->ban};
	if (walk->ban < walk->store->count)
		take_lower(&place->prefix, &found, &walk->store->bans[walk->ban]->prefix);
	for (int i = 0; i < 2; i++) {
		if (walk->entry[i] == walk->folded[i]->count)
			continue;
		here = compile_folded_prefix(&walk->folded[i]->entries[walk->entry[i]]);
		take_lower(&place->prefix, &found, &here);
	}
	while (walk->ban < walk->store->count &&
	       prefix_compare(&walk->store->bans[walk->ban]->prefix, &place->prefix) == 0) {
		place->here.count++;
		walk->ban++;
	}
	for (int i = 0; i < 2; i++) {
		if (walk->entry[i] == walk->folded[i]->count)
			continue;
		here = compile_folded_prefix(&walk->folded[i]->entries[walk->entry[i]]);
		if (prefix_compare(&here, &place->prefix) == 0)
			place->lists[i] = walk->folded[i]->entries[walk->entry[i]++].lists;
	}
	return found;
}

/* What the hashes hold for a prefix while one generation follows the other. */
static struct weir_ban value_between(const struct ban_store *store, const struct prefix *prefix,
				     const uint32_t lists[2], bool is_first)
{
	return overlay_value(store, prefix, is_first ? lists[1] : lists[0] & lists[1], lists[0] | lists[1]);
}

int turn_build(const struct reconcile *reconcile, struct overlay_turn *turn)
{
	struct walk walk = {.store = &turn->snapshot, .folded = {&reconcile->folded, &turn->next}};
	bool is_first = !reconcile->live->generation;
	struct place place;
	int error = 0;

	while (!error && walk_next(&walk, &place)) {
		const struct prefix *prefix = &place.prefix;
		const uint32_t *lists = place.lists;
		uint32_t held = reconcile->overlay_behind ? LISTS : lists[0];
		struct weir_ban before = overlay_value(&place.here, prefix, held, lists[0]);
		struct weir_ban between = value_between(&place.here, prefix, lists, is_first);
		struct weir_ban after = overlay_value(&place.here, prefix, lists[1], lists[1]);

		overlay_count(&turn->between, prefix, &between, 1);
		overlay_count(&turn->after, prefix, &after, 1);
		if (!overlay_same(&before, &between))
			error = prefix_list_add(&turn->before_flip, prefix);
		if (!error && !overlay_same(&between, &after))
			error = prefix_list_add(&turn->behind_flip, prefix);
	}
	return error;
}

static void lists_of(const struct reconcile *reconcile, const struct overlay_turn *turn, const struct prefix *prefix,
		     uint32_t lists[2])
{
	lists[0] = folded_lists(&reconcile->folded, prefix);
	lists[1] = folded_lists(&turn->next, prefix);
}

/* turn->between, as of now. */
static struct overlay_counts count_between(const struct reconcile *reconcile, const struct overlay_turn *turn,
					   bool is_first)
{
	struct overlay_counts counts = turn->between;

	for (size_t i = 0; i < reconcile->touched.count; i++) {
		const struct prefix *prefix = &reconcile->touched.prefixes[i];
		struct weir_ban then, now;
		uint32_t lists[2];

		lists_of(reconcile, turn, prefix, lists);
		then = value_between(&turn->snapshot, prefix, lists, is_first);
		now = value_between(&reconcile->bans, prefix, lists, is_first);
		overlay_count(&counts, prefix, &then, -1);
		overlay_count(&counts, prefix, &now, 1);
	}
	return counts;
}

static int put_between(struct reconcile *reconcile, const struct overlay_turn *turn, const struct prefix_list *prefixes,
		       bool is_first)
{
	int error = 0;

	for (size_t i = 0; !error && i < prefixes->count; i++) {
		struct weir_ban value;
		uint32_t lists[2];

		lists_of(reconcile, turn, &prefixes->prefixes[i], lists);
		value = value_between(&reconcile->bans, &prefixes->prefixes[i], lists, is_first);
		error = overlay_put(reconcile->kernel, &prefixes->prefixes[i], &value);
	}
	return error;
}

int turn_prepare(struct reconcile *reconcile, struct overlay_turn *turn, struct problem *problem)
{
	bool is_first = !reconcile->live->generation;
	struct overlay_counts counts;
	int error;

	prefix_list_sort(&reconcile->touched);
	counts = count_between(reconcile, turn, is_first);
	error = overlay_check_room(&counts, problem);
	if (error)
		return error;
	overlay_make_room(reconcile, &counts);
	error = overlay_put_lengths(reconcile->kernel, &counts, &reconcile->overlay);
	if (!error)
		error = put_between(reconcile, turn, &turn->before_flip, is_first);
	if (!error)
		error = put_between(reconcile, turn, &reconcile->touched, is_first);
	if (!error) {
		turn->between = counts;
		return 0;
	}
	overlay_leave(reconcile, &turn->before_flip);
	overlay_leave(reconcile, &reconcile->touched);
	overlay_put_lengths(reconcile->kernel, &reconcile->overlay, NULL);
	return problem_set(problem, error, "the kernel refused a live entry: %s", strerror(-error));
}

/* Other fields of the turn are as of the snapshot; between is as of now, and so are the hashes. */
void turn_flip(struct reconcile *reconcile, struct overlay_turn *turn, bool is_first)
{
	reconcile->overlay = turn->between;
	reconcile->overlay_behind = false;
	reconcile->folded_before = reconcile->folded;
	reconcile->folded = turn->next;
	turn->next = (struct folded){};
	reconcile->is_turning = !is_first;
}

void turn_settle(struct reconcile *reconcile, const struct overlay_turn *turn)
{
	struct overlay_counts counts = turn->after;

	reconcile->is_turning = false;
	folded_free(&reconcile->folded_before);
	prefix_list_sort(&reconcile->touched);
	for (size_t i = 0; i < reconcile->touched.count; i++) {
		const struct prefix *prefix = &reconcile->touched.prefixes[i];
		struct weir_ban then = overlay_want(reconcile, &turn->snapshot, prefix);
		struct weir_ban now = overlay_want(reconcile, &reconcile->bans, prefix);

		overlay_count(&counts, prefix, &then, -1);
		overlay_count(&counts, prefix, &now, 1);
	}
	reconcile->overlay = counts;
	overlay_put_lengths(reconcile->kernel, &counts, NULL);
	overlay_leave(reconcile, &reconcile->touched);
	overlay_leave(reconcile, &turn->behind_flip);
	overlay_clean(reconcile, OVERLAY_CLEAN);
}

void turn_close(struct reconcile *reconcile, struct overlay_turn *turn)
{
	free(turn->snapshot.bans);
	folded_free(&turn->next);
	prefix_list_free(&turn->before_flip);
	prefix_list_free(&turn->behind_flip);
	prefix_list_free(&reconcile->touched);
}
