/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rings: weighted Maglev tables (Eisenbud et al., NSDI 2016), and how a slot goes from one backend to the next.
 *
 * Every backend walks its own permutation of the slots, place, place + skip, ..., both taken from a hash of its
 * name, and on its turn takes the next slot that is free. Weights decide how turns follow one another: turn k of a
 * backend of weight w is due at time k / w, and turns are taken by time, then by name. Equal weights give the
 * paper's round robin. When the ring is full at time t, each backend has had t * w turns, rounded down; the order of
 * the turns of any two backends does not depend on the others, which keeps needless moves few.
 *
 * Edges of one group must build the same ring: the hash and the order of turns are part of the contract between
 * versions, and a test pins them.
 */
#include "../base/scope.h"
#include "compile.h"

#include <errno.h>
#include <string.h>

#define SEAT_BITS 14 /* of a turn's key, below its time */
#define TIME_BITS 30 /* of the fraction of a turn's time */
_Static_assert(WEIR_MAX_BACKENDS <= 1 << SEAT_BITS, "a seat fits its bits");
_Static_assert(WEIR_MAX_RING < 1 << (64 - SEAT_BITS - TIME_BITS), "the last turn's time fits");

struct seat {
	const char *name;
	uint16_t id, weight;
	uint32_t place, skip;
	uint64_t turns;
};

/* Multiply and fold, byte by byte, then once more so that every bit of the name reaches every bit of the hash. */
static uint64_t hash_name(const char *name, uint64_t hash)
{
	for (; *name; name++) {
		hash = (hash ^ (uint8_t)*name) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93;
	return hash ^ hash >> 32;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static void seat_take_place(struct seat *seat, uint32_t size)
{
	seat->place = hash_name(seat->name, 1) % size;
	seat->skip = size > 1 ? 1 + hash_name(seat->name, 2) % (size - 1) : 1;
	/* Any skip walks the whole of a prime ring; in another it must share no factor with the size. */
	while (common_divisor(seat->skip, size) != 1)
		seat->skip = seat->skip % (size - 1) + 1;
}

static int compare_seats(const void *a, const void *b)
{
	return strcmp(((const struct seat *)a)->name, ((const struct seat *)b)->name);
}

static uint64_t turn_key(const struct seat *seat, size_t index)
{
	return (((seat->turns + 1) << TIME_BITS) / seat->weight) << SEAT_BITS | index;
}

static void sift_down(uint64_t *heap, size_t count, size_t at)
{
	uint64_t key = heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < count && heap[child + 1] < heap[child])
			child++;
		if (child >= count || heap[child] >= key)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = key;
}

/* Fills slots[size], which are all zero, with the ids of the seats. */
static void populate(struct seat *seats, uint64_t *heap, size_t count, struct weir_slot *slots, uint32_t size)
{
	for (size_t i = 0; i < count; i++)
		heap[i] = turn_key(&seats[i], i);
	for (size_t i = count / 2; i-- > 0;)
		sift_down(heap, count, i);
	for (uint32_t filled = 0; filled < size; filled++) {
		size_t index = heap[0] & ((1u << SEAT_BITS) - 1);
		struct seat *seat = &seats[index];

		while (slots[seat->place].current) {
			seat->place += seat->skip;
			if (seat->place >= size)
				seat->place -= size;
		}
		slots[seat->place].current = seat->id;
		seat->turns++;
		heap[0] = turn_key(seat, index);
		sift_down(heap, count, 0);
	}
}

int compile_ring(const struct model_pool *pool, uint32_t size, struct weir_slot *slots)
{
	size_t most = pool ? pool->backends_count : 0, count = 0;
	struct seat *seats AUTO_FREE = calloc(most ?: 1, sizeof(*seats));
	uint64_t *heap AUTO_FREE = calloc(most ?: 1, sizeof(*heap));

	if (!seats || !heap)
		return -ENOMEM;
	for (size_t i = 0; i < most; i++) {
		const struct model_backend *backend = &pool->backends[i];

		if (!backend->takes_new)
			continue;
		seats[count] = (struct seat){.name = backend->name, .id = backend->id, .weight = backend->weight};
		seat_take_place(&seats[count++], size);
	}
	qsort(seats, count, sizeof(*seats), compare_seats);
	if (count)
		populate(seats, heap, count, slots, size);
	return 0;
}

struct id_set {
	uint64_t words[WEIR_MAX_BACKENDS / 64];
};

static bool id_set_has(const struct id_set *set, uint32_t id)
{
	return id < WEIR_MAX_BACKENDS && set->words[id / 64] >> id % 64 & 1;
}

/*
 * What becomes of a slot {current B, previous A, state} whose backend is now C. "A lives" is: A keeps its flows.
 *
 *   C      before        alive          after         previous   why
 *   = B    settled       any            settled       0
 *   = B    transition    A              transition    A          it is still under way
 *   = B    transition    not A          exceptions    0          no unknown flow is A's now; recorded ones stay found
 *   = B    exceptions    any            exceptions    0
 *   = A    transition    any            exceptions    0          unknown flows are A's again; what B had was recorded
 *   other  transition    A              transition    A          unknown flows can only be A's; what B had was recorded
 *   other  transition    B, not A       transition    B
 *   other  transition    neither        exceptions    0          flows of others may be recorded, of earlier changes
 *   /= B   settled       B              transition    B
 *   /= B   settled       not B          settled       0          nothing to keep
 *   /= B   exceptions    B              transition    B          unknown flows are B's
 *   /= B   exceptions    not B          exceptions    0          flows of others may be recorded
 *
 * So however often a slot changes, a flow is lost only if it is silent until the transition is over. Removed, down and
 * disabled backends do not live; backend 0 (nobody serves) does not either, and B and C may be it.
 */
static struct weir_slot slot_change(struct weir_slot before, uint16_t owner, const struct id_set *alive)
{
	bool is_moving = before.state == WEIR_SLOT_TRANSITION, stays = before.current == owner;
	struct weir_slot after = {.current = owner, .state = before.state};

	if (is_moving && before.previous != owner && id_set_has(alive, before.previous))
		after.previous = before.previous;
	else if (!stays && !(is_moving && before.previous == owner) && id_set_has(alive, before.current))
		after.previous = before.current;
	if (after.previous)
		after.state = WEIR_SLOT_TRANSITION;
	else if (is_moving)
		after.state = WEIR_SLOT_EXCEPTIONS;
	return after;
}

/* The second when a slot became unsettled is kept for as long as it stays so: what was recorded since then is heeded.
 */
static struct weir_slot slot_follow(struct weir_slot before, uint16_t owner, const struct id_set *alive, uint16_t now_s)
{
	struct weir_slot after = slot_change(before, owner, alive);

	if (after.state != WEIR_SLOT_SETTLED)
		after.since_s = before.state == WEIR_SLOT_SETTLED ? now_s : before.since_s;
	return after;
}

static void id_set_fill(struct id_set *set, const struct model *model)
{
	for (size_t i = 0; i < model->pools_count; i++) {
		const struct model_pool *pool = &model->pools[i];

		for (size_t j = 0; j < pool->backends_count; j++)
			if (pool->backends[j].keeps_old)
				set->words[pool->backends[j].id / 64] |= 1ull << pool->backends[j].id % 64;
	}
}

void compile_ring_follow(const struct model *model, const struct weir_slot *before, uint32_t before_size,
			 uint16_t now_s, struct weir_slot *slots, uint32_t size)
{
	struct id_set alive = {{0}};

	id_set_fill(&alive, model);
	for (uint32_t i = 0; i < size; i++) {
		/* The slot that the middle of this one was in. */
		uint64_t at = (2ull * i + 1) * before_size / (2ull * size);

		slots[i] = slot_follow(before[at], slots[i].current, &alive, now_s);
	}
}
