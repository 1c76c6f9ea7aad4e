/* SPDX-License-Identifier: BSD-2-Clause */
/* Live allow and deny entries: the store and the kernel's tables change together or not at all. */
#include "parts.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>

#define BANS_RETRY_S 60

/* The wall clock can be set, the kernel's cannot: an end is a duration from now on. */
static uint64_t ban_end_from_wall(int64_t until_s)
{
	int64_t real_ns = clock_read_ns(CLOCK_REALTIME), monotonic_ns = clock_read_ns(CLOCK_MONOTONIC);
	int64_t left_s = until_s - real_ns / NS_PER_S;

	if (!until_s)
		return 0;
	if (left_s > (INT64_MAX - monotonic_ns) / NS_PER_S)
		return INT64_MAX;
	monotonic_ns += left_s * NS_PER_S - real_ns % NS_PER_S;
	return monotonic_ns > 0 ? (uint64_t)monotonic_ns : 1;
}

/* To the nearest second, so that an end does not creep from one conversion to the next. */
int64_t ban_end_to_wall(uint64_t until_ns)
{
	int64_t real_ns = clock_read_ns(CLOCK_REALTIME), left_ns;

	if (!until_ns)
		return 0;
	left_ns = (int64_t)until_ns - clock_read_ns(CLOCK_MONOTONIC);
	return real_ns / NS_PER_S + (real_ns % NS_PER_S + left_ns % NS_PER_S + NS_PER_S / 2) / NS_PER_S +
	       left_ns / NS_PER_S;
}

void bans_find_next_end(struct reconcile *reconcile)
{
	reconcile->next_end_ns = 0;
	for (size_t i = 0; i < reconcile->bans.count; i++) {
		uint64_t until_ns = reconcile->bans.bans[i]->until_ns;

		if (until_ns && (!reconcile->next_end_ns || until_ns < reconcile->next_end_ns))
			reconcile->next_end_ns = until_ns;
	}
}

/* An end that is not there any more is found when it would have come. */
static void bans_note_ends(struct reconcile *reconcile, const struct prefix *touched, size_t count)
{
	static const uint32_t lists[] = {WEIR_BAN_DENY, WEIR_BAN_ALLOW};

	for (size_t i = 0; i < count * ARRAY_SIZE(lists); i++) {
		const struct ban *ban =
			ban_store_find(&reconcile->bans, &touched[i / ARRAY_SIZE(lists)], lists[i % ARRAY_SIZE(lists)]);

		if (ban && ban->until_ns && (!reconcile->next_end_ns || ban->until_ns < reconcile->next_end_ns))
			reconcile->next_end_ns = ban->until_ns;
	}
}

static int bans_check_room(const struct ban_store *store, const struct overlay_counts *counts, struct problem *problem)
{
	if (store->lasting <= WEIR_MAX_FOLDED)
		return overlay_check_room(counts, problem);
	problem_set(problem, -ENOSPC,
		    "there would be %zu live entries without an end, and at most %d fit (WEIR_MAX_FOLDED); nothing was "
		    "changed",
		    store->lasting, WEIR_MAX_FOLDED);
	problem_hint(problem,
		     "delete some, join neighbours into shorter prefixes, or make a set of a list file of them "
		     "(sets: in the configuration)");
	return -ENOSPC;
}

/* The hashes get what `to` asks for instead of what `from` does, or what they had when the kernel refuses. */
static int bans_sync(const struct reconcile *reconcile, const struct ban_store *to, const struct prefix *prefixes,
		     size_t count)
{
	const struct ban_store *from = &reconcile->bans;
	struct weir_ban value;
	size_t done = 0;
	int error = 0;

	while (!error && done < count) {
		value = overlay_want(reconcile, to, &prefixes[done]);
		error = overlay_put(reconcile->kernel, &prefixes[done++], &value);
	}
	for (size_t i = 0; error && i < done; i++) {
		value = overlay_want(reconcile, from, &prefixes[i]);
		overlay_put(reconcile->kernel, &prefixes[i], &value);
	}
	return error;
}

static int bans_change(struct reconcile *reconcile, const struct ban_store *next, const struct prefix *prefixes,
		       size_t count, struct problem *problem)
{
	struct overlay_counts counts = reconcile->overlay;
	int error;

	for (size_t i = 0; i < count; i++) {
		struct weir_ban old = overlay_want(reconcile, &reconcile->bans, &prefixes[i]);
		struct weir_ban new = overlay_want(reconcile, next, &prefixes[i]);

		overlay_count(&counts, &prefixes[i], &old, -1);
		overlay_count(&counts, &prefixes[i], &new, 1);
	}
	error = bans_check_room(next, &counts, problem);
	if (error)
		return error;
	overlay_make_room(reconcile, &counts);
	error = overlay_put_lengths(reconcile->kernel, &counts, &reconcile->overlay);
	if (!error)
		error = bans_sync(reconcile, next, prefixes, count);
	if (error) {
		overlay_put_lengths(reconcile->kernel, &reconcile->overlay, NULL);
		return problem_set(problem, error, "the kernel refused a live entry, and none was changed: %s",
				   strerror(-error));
	}
	/* A bit too many costs a probe a packet and is mended by the next change. */
	overlay_put_lengths(reconcile->kernel, &counts, NULL);
	reconcile->overlay = counts;
	return 0;
}

void bans_free_retired(struct reconcile *reconcile)
{
	if (!reconcile->is_saving && !reconcile->is_planning)
		ban_retired_free(TAKE_PTR(reconcile->retired));
}

static void bans_replace(struct reconcile *reconcile, struct ban_store *next)
{
	bool is_read = reconcile->is_saving || reconcile->is_planning;

	ban_store_drop(&reconcile->bans, next, is_read ? &reconcile->retired : NULL);
	reconcile->bans = *next;
	reconcile->ban_changes++;
}

/* Takes `next` over in the kernel's tables and in memory; touched are the prefixes in which it differs. On failure
 * the tables are put back and next is freed. */
static int bans_take_over(struct reconcile *reconcile, struct ban_store *next, struct prefix_list *touched,
			  struct problem *problem)
{
	int error = 0;

	prefix_list_sort(touched);
	if (reconcile->is_planning && prefix_list_reserve(&reconcile->touched, touched->count))
		error = problem_set(problem, -ENOMEM, "out of memory; no live entry was changed");
	if (!error)
		error = bans_change(reconcile, next, touched->prefixes, touched->count, problem);
	if (error) {
		ban_store_drop(next, &reconcile->bans, NULL);
		return error;
	}
	for (size_t i = 0; reconcile->is_planning && i < touched->count; i++)
		prefix_list_add(&reconcile->touched, &touched->prefixes[i]);
	bans_replace(reconcile, next);
	bans_note_ends(reconcile, touched->prefixes, touched->count);
	state_changed(reconcile);
	return 0;
}

/* A note that was cut within a character would make the state file unreadable. */
static int ban_copy_note(const char *from, char *to, size_t size)
{
	json_t *note = NULL;

	snprintf(to, size, "%s", from);
	for (size_t length = strlen(to); !note; length--) {
		to[length] = '\0';
		note = json_string(to);
		if (!note && !length)
			return -ENOMEM;
	}
	json_decref(note);
	return 0;
}

static int ban_accept(const struct reconcile_ban *from, struct ban *to, int64_t now_s, struct problem *problem)
{
	unsigned int bits = from->prefix.addr.family == WEIR_IPV4 ? 32 : 128;
	char text[ADDR_TEXT_MAX];

	if ((from->prefix.addr.family != WEIR_IPV4 && from->prefix.addr.family != WEIR_IPV6) ||
	    from->prefix.length > bits || (from->list != WEIR_BAN_DENY && from->list != WEIR_BAN_ALLOW))
		return problem_set(problem, -EINVAL, "a live entry needs a prefix and a list");
	if (from->until_s && from->until_s <= now_s) {
		problem_set(problem, -EINVAL, "%s: its end is in the past", prefix_format(&from->prefix, text));
		problem_hint(problem, "give a time to come, or none");
		return -EINVAL;
	}
	*to = (struct ban){
		.prefix = from->prefix,
		.list = from->list,
		.added_s = from->added_s ?: now_s,
		.until_ns = ban_end_from_wall(from->until_s),
	};
	if (ban_copy_note(from->note, to->note, sizeof(to->note)))
		return problem_set(problem, -ENOMEM, "out of memory; no entry was added");
	return 0;
}

/* The store with these; touched are their prefixes. */
static int bans_with(const struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count,
		     struct prefix_list *touched, struct ban_store *next, struct problem *problem)
{
	AUTO_FREE struct ban *accepted = calloc(count ?: 1, sizeof(*accepted));
	int64_t now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;

	if (!accepted || prefix_list_reserve(touched, count))
		return problem_set(problem, -ENOMEM, "out of memory; no entry was added");
	for (size_t i = 0; i < count; i++) {
		int error = ban_accept(&bans[i], &accepted[i], now_s, problem);

		if (error)
			return error;
		prefix_list_add(touched, &accepted[i].prefix);
	}
	if (ban_store_with(&reconcile->bans, accepted, count, next))
		return problem_set(problem, -ENOMEM, "out of memory; no entry was added");
	return 0;
}

int reconcile_ban_add(struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count,
		      struct problem *problem)
{
	struct prefix_list touched = {0};
	struct ban_store next;
	int error = bans_with(reconcile, bans, count, &touched, &next, problem);

	if (!error)
		error = bans_take_over(reconcile, &next, &touched, problem);
	prefix_list_free(&touched);
	return error;
}

int bans_restore(struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count, struct problem *problem)
{
	AUTO_FREE struct reconcile_ban *ending = calloc(count ?: 1, sizeof(*ending));
	struct prefix_list touched = {0};
	struct ban_store next;
	size_t ending_count = 0;
	int error = reconcile_ban_add(reconcile, bans, count, problem);

	if (error != -ENOSPC)
		return error;
	if (!ending)
		return problem_set(problem, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (bans[i].until_s)
			ending[ending_count++] = bans[i];
	error = reconcile_ban_add(reconcile, ending, ending_count, problem);
	if (!error)
		error = bans_with(reconcile, bans, count, &touched, &next, problem);
	prefix_list_free(&touched);
	if (error)
		return error;
	bans_replace(reconcile, &next);
	state_changed(reconcile);
	reconcile->overlay_behind = true;
	return 0;
}

/* Entries to leave out: found ones, sorted as the store is, and so met in order. */
struct ban_leaving {
	const struct ban **bans;
	size_t count, met;
};

static bool ban_is_leaving(void *arg, const struct ban *ban)
{
	struct ban_leaving *leaving = arg;

	if (leaving->met == leaving->count || leaving->bans[leaving->met] != ban)
		return false;
	while (leaving->met < leaving->count && leaving->bans[leaving->met] == ban)
		leaving->met++;
	return true;
}

static int ban_compare_found(const void *a, const void *b)
{
	return ban_compare(*(const struct ban *const *)a, *(const struct ban *const *)b);
}

int reconcile_ban_delete(struct reconcile *reconcile, uint32_t list, const struct prefix *prefixes, size_t count,
			 struct problem *problem)
{
	AUTO_FREE const struct ban **found = calloc(count ?: 1, sizeof(*found));
	struct ban_leaving leaving = {.bans = found, .count = count};
	struct prefix_list touched = {0};
	char text[ADDR_TEXT_MAX];
	struct ban_store next;
	int error;

	if (!found)
		return problem_set(problem, -ENOMEM, "out of memory; no entry was deleted");
	for (size_t i = 0; i < count; i++) {
		found[i] = ban_store_find(&reconcile->bans, &prefixes[i], list);
		if (found[i])
			continue;
		problem_set(problem, -ENOENT, "%s is not on the %s list; no entry was deleted",
			    prefix_format(&prefixes[i], text), list == WEIR_BAN_ALLOW ? "allow" : "deny");
		problem_hint(problem, "the list holds exact prefixes: `weir %s list` shows them",
			     list == WEIR_BAN_ALLOW ? "allow" : "deny");
		return -ENOENT;
	}
	qsort(found, count, sizeof(*found), ban_compare_found);
	if (prefix_list_reserve(&touched, count) ||
	    ban_store_without(&reconcile->bans, ban_is_leaving, &leaving, &next)) {
		prefix_list_free(&touched);
		return problem_set(problem, -ENOMEM, "out of memory; no entry was deleted");
	}
	for (size_t i = 0; i < count; i++)
		prefix_list_add(&touched, &prefixes[i]);
	error = bans_take_over(reconcile, &next, &touched, problem);
	prefix_list_free(&touched);
	return error;
}

void reconcile_ban_each(const struct reconcile *reconcile, uint32_t list,
			void (*each)(void *arg, const struct reconcile_ban *ban), void *arg)
{
	for (size_t i = 0; i < reconcile->bans.count; i++) {
		const struct ban *from = reconcile->bans.bans[i];
		struct reconcile_ban ban = {.prefix = from->prefix, .list = from->list, .added_s = from->added_s};

		if (ban.list != list)
			continue;
		ban.until_s = ban_end_to_wall(from->until_ns);
		memcpy(ban.note, from->note, sizeof(ban.note));
		each(arg, &ban);
	}
}

/* Entries that have ended, with their prefixes. */
struct ban_ended {
	uint64_t now_ns;
	struct prefix_list prefixes;
};

static bool ban_has_ended(void *arg, const struct ban *ban)
{
	struct ban_ended *ended = arg;

	if (!ban->until_ns || ban->until_ns > ended->now_ns)
		return false;
	prefix_list_add(&ended->prefixes, &ban->prefix);
	return true;
}

/* The program heeds ends by itself; this only makes room. */
void bans_expire(struct reconcile *reconcile)
{
	struct ban_ended ended = {.now_ns = (uint64_t)clock_read_ns(CLOCK_MONOTONIC)};
	struct problem problem = {};
	struct ban_store next;
	int error;

	if (!reconcile->next_end_ns || ended.now_ns < reconcile->next_end_ns)
		return;
	error = prefix_list_reserve(&ended.prefixes, reconcile->bans.count);
	if (!error)
		error = ban_store_without(&reconcile->bans, ban_has_ended, &ended, &next);
	if (error)
		problem_set(&problem, error, "out of memory");
	else
		error = bans_take_over(reconcile, &next, &ended.prefixes, &problem);
	prefix_list_free(&ended.prefixes);
	if (!error) {
		bans_find_next_end(reconcile);
		return;
	}
	reconcile->next_end_ns = ended.now_ns + BANS_RETRY_S * NS_PER_S;
	log_warning("live entries that have ended were not removed (%s); they have no effect, and removing them is "
		    "tried again in %d s",
		    problem.text, BANS_RETRY_S);
}

size_t reconcile_ban_count(const struct reconcile *reconcile, uint32_t list)
{
	return reconcile->bans.lists[list];
}

struct reconcile_folding reconcile_folding(const struct reconcile *reconcile)
{
	return (struct reconcile_folding){
		.changes = reconcile->ban_changes,
		.folded = reconcile->bans.lasting - reconcile->overlay.waiting,
		.overlay = reconcile->overlay.prefixes[0] + reconcile->overlay.prefixes[1],
		.waiting = reconcile->overlay.waiting,
		.tombstones = reconcile->overlay.tombstones,
	};
}
