/* SPDX-License-Identifier: BSD-2-Clause */
/* Live allow and deny entries: the store and the kernel's tables change together or not at all. */
#include "parts.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>

#define BANS_RETRY_S 60

union ban_key {
	struct weir_ban4_key v4;
	struct weir_ban6_key v6;
};

static enum kernel_map ban_map(const struct prefix *prefix)
{
	return prefix->addr.family == WEIR_IPV6 ? KERNEL_MAP_ban6 : KERNEL_MAP_ban4;
}

static union ban_key ban_key(const struct prefix *prefix)
{
	union ban_key key = {};

	if (prefix->addr.family == WEIR_IPV6) {
		memcpy(key.v6.address, prefix->addr.bytes.word, sizeof(key.v6.address));
		key.v6.length = prefix->length;
	} else {
		key.v4.address = prefix->addr.bytes.word[0];
		key.v4.length = prefix->length;
	}
	return key;
}

static struct prefix ban_prefix(enum kernel_map map, const union ban_key *key)
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

size_t reconcile_ban_count(const struct reconcile *reconcile, uint32_t list)
{
	return reconcile->bans.lists[list];
}

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

/* Makes the kernel's entry of a prefix what the store says. */
static int ban_sync(const struct reconcile *reconcile, const struct ban_store *store, const struct prefix *prefix)
{
	const struct ban *deny = ban_store_find(store, prefix, WEIR_BAN_DENY);
	const struct ban *allow = ban_store_find(store, prefix, WEIR_BAN_ALLOW);
	const struct weir_ban value = {
		.deny_until_ns = deny ? deny->until_ns : 0,
		.allow_until_ns = allow ? allow->until_ns : 0,
		.lists = (deny ? WEIR_BAN_DENY : 0) | (allow ? WEIR_BAN_ALLOW : 0),
	};
	int fd = kernel_map_fd(reconcile->kernel, ban_map(prefix));
	union ban_key key = ban_key(prefix);
	int error;

	if (value.lists)
		return kernel_map_put(fd, &key, &value);
	error = kernel_map_delete(fd, &key);
	return error == -ENOENT ? 0 : error;
}

/* The lengths of a, and of b if it is given. */
static int ban_sync_lengths(const struct reconcile *reconcile, const struct ban_store *a, const struct ban_store *b)
{
	struct weir_ban_lengths lengths = {};
	const __u32 zero = 0;

	for (unsigned int length = 0; length <= 128; length++) {
		uint64_t bit = 1ull << (length % 64);

		if (length <= 32 && (a->lengths[0][length] || (b && b->lengths[0][length])))
			lengths.v4 |= bit;
		if (a->lengths[1][length] || (b && b->lengths[1][length]))
			lengths.v6[length / 64] |= bit;
	}
	return kernel_map_put(kernel_map_fd(reconcile->kernel, KERNEL_MAP_ban_lengths), &zero, &lengths);
}

static void bans_find_next_end(struct reconcile *reconcile)
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

static int bans_check_room(const struct ban_store *store, struct problem *problem)
{
	static const char *const families[] = {"IPv4", "IPv6"};
	unsigned int lengths6 = 0;
	int error;

	for (size_t length = 0; length < ARRAY_SIZE(store->lengths[1]); length++)
		lengths6 += store->lengths[1][length] > 0;
	for (size_t family = 0; family < ARRAY_SIZE(families); family++) {
		if (store->prefixes[family] <= WEIR_MAX_BANS)
			continue;
		error = problem_set(problem, -ENOSPC,
				    "there would be %zu live %s entries, and at most %d fit "
				    "(WEIR_MAX_BANS); nothing was changed",
				    store->prefixes[family], families[family], WEIR_MAX_BANS);
		problem_hint(problem, "delete some, or join neighbours into shorter prefixes");
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

/* Takes `next` over in the kernel's tables and in memory; touched are the prefixes in which it differs. On failure
 * the tables are put back and next is freed. */
static int bans_take_over(struct reconcile *reconcile, struct ban_store *next, const struct prefix *touched,
			  size_t count, struct problem *problem)
{
	size_t done = 0;
	int error = ban_sync_lengths(reconcile, next, &reconcile->bans);

	while (!error && done < count)
		error = ban_sync(reconcile, next, &touched[done++]);
	if (error) {
		for (size_t i = 0; i < done; i++)
			ban_sync(reconcile, &reconcile->bans, &touched[i]);
		ban_sync_lengths(reconcile, &reconcile->bans, NULL);
		ban_store_drop(next, &reconcile->bans, NULL);
		return problem_set(problem, error, "the kernel refused a live entry, and none was changed: %s",
				   strerror(-error));
	}
	/* A bit too many costs a probe a packet and is mended by the next change. */
	ban_sync_lengths(reconcile, next, NULL);
	ban_store_drop(&reconcile->bans, next, reconcile->is_saving ? &reconcile->retired : NULL);
	reconcile->bans = *next;
	bans_note_ends(reconcile, touched, count);
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

int reconcile_ban_add(struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count,
		      struct problem *problem)
{
	AUTO_FREE struct ban *accepted = calloc(count ?: 1, sizeof(*accepted));
	AUTO_FREE struct prefix *touched = calloc(count ?: 1, sizeof(*touched));
	int64_t now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;
	struct ban_store next;
	int error;

	if (!accepted || !touched)
		return problem_set(problem, -ENOMEM, "out of memory; no entry was added");
	for (size_t i = 0; i < count; i++) {
		error = ban_accept(&bans[i], &accepted[i], now_s, problem);
		if (error)
			return error;
		touched[i] = accepted[i].prefix;
	}
	if (ban_store_with(&reconcile->bans, accepted, count, &next))
		return problem_set(problem, -ENOMEM, "out of memory; no entry was added");
	error = bans_check_room(&next, problem);
	if (error) {
		ban_store_drop(&next, &reconcile->bans, NULL);
		return error;
	}
	return bans_take_over(reconcile, &next, touched, count, problem);
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
	char text[ADDR_TEXT_MAX];
	struct ban_store next;

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
	if (ban_store_without(&reconcile->bans, ban_is_leaving, &leaving, &next))
		return problem_set(problem, -ENOMEM, "out of memory; no entry was deleted");
	return bans_take_over(reconcile, &next, prefixes, count, problem);
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
	struct prefix *prefixes;
	size_t count;
};

static bool ban_has_ended(void *arg, const struct ban *ban)
{
	struct ban_ended *ended = arg;

	if (!ban->until_ns || ban->until_ns > ended->now_ns)
		return false;
	ended->prefixes[ended->count++] = ban->prefix;
	return true;
}

/* The program heeds ends by itself; this only makes room. */
void bans_expire(struct reconcile *reconcile)
{
	struct ban_ended ended = {.now_ns = (uint64_t)clock_read_ns(CLOCK_MONOTONIC)};
	AUTO_FREE struct prefix *prefixes = NULL;
	struct problem problem = {};
	struct ban_store next;
	int error;

	if (!reconcile->next_end_ns || ended.now_ns < reconcile->next_end_ns)
		return;
	prefixes = calloc(reconcile->bans.count, sizeof(*prefixes));
	ended.prefixes = prefixes;
	error = prefixes ? ban_store_without(&reconcile->bans, ban_has_ended, &ended, &next) : -ENOMEM;
	if (error)
		problem_set(&problem, error, "out of memory");
	else
		error = bans_take_over(reconcile, &next, prefixes, ended.count, &problem);
	if (!error) {
		bans_find_next_end(reconcile);
		return;
	}
	reconcile->next_end_ns = ended.now_ns + BANS_RETRY_S * NS_PER_S;
	log_warning("live entries that have ended were not removed (%s); they have no effect, and removing them is "
		    "tried again in %d s",
		    problem.text, BANS_RETRY_S);
}

struct bans_found {
	struct ban *bans;
	size_t count, capacity;
};

static int bans_found_add(struct bans_found *found, const struct prefix *prefix, const struct weir_ban *value,
			  uint32_t list)
{
	if (!(value->lists & list))
		return 0;
	if (found->count == found->capacity) {
		size_t capacity = found->capacity ? found->capacity * 2 : 64;
		struct ban *more = reallocarray(found->bans, capacity, sizeof(*more));

		if (!more)
			return -ENOMEM;
		found->bans = more;
		found->capacity = capacity;
	}
	found->bans[found->count++] = (struct ban){
		.prefix = *prefix,
		.list = list,
		.added_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S,
		.until_ns = list == WEIR_BAN_DENY ? value->deny_until_ns : value->allow_until_ns,
	};
	return 0;
}

static int bans_read_table(const struct reconcile *reconcile, enum kernel_map map, struct bans_found *found)
{
	int fd = kernel_map_fd(reconcile->kernel, map);
	union ban_key key, next;
	int error = kernel_map_next(fd, NULL, &next);

	while (!error) {
		struct weir_ban value;
		struct prefix prefix;

		key = next;
		prefix = ban_prefix(map, &key);
		error = kernel_map_get(fd, &key, &value);
		if (!error)
			error = bans_found_add(found, &prefix, &value, WEIR_BAN_DENY);
		if (!error)
			error = bans_found_add(found, &prefix, &value, WEIR_BAN_ALLOW);
		if (!error)
			error = kernel_map_next(fd, &key, &next);
	}
	return error == -ENOENT ? 0 : error;
}

int bans_open(struct reconcile *reconcile, struct problem *problem)
{
	struct bans_found found = {};
	int error = bans_read_table(reconcile, KERNEL_MAP_ban4, &found);

	if (!error)
		error = bans_read_table(reconcile, KERNEL_MAP_ban6, &found);
	if (!error)
		error = ban_store_with(&reconcile->bans, found.bans, found.count, &reconcile->bans);
	free(found.bans);
	if (error)
		return problem_set(problem, error, "the live entries in the kernel cannot be read: %s",
				   strerror(-error));
	bans_find_next_end(reconcile);
	return 0;
}
