/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings within a generation: replaced area by area, carried from one generation to the next, and settled. */
#include "parts.h"
#include "../base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A slot as it is stored: whole. */
typedef uint64_t __attribute__((may_alias)) slot_word;

static struct weir_ring ring_load(const uint64_t *word)
{
	uint64_t value = __atomic_load_n(word, __ATOMIC_RELAXED);
	struct weir_ring ring;

	memcpy(&ring, &value, sizeof(ring));
	return ring;
}

/* After the slots: a packet that sees the word sees what it points at. */
static void ring_store(uint64_t *word, struct weir_ring ring)
{
	uint64_t value;

	memcpy(&value, &ring, sizeof(value));
	if (__atomic_load_n(word, __ATOMIC_RELAXED) != value)
		__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool pool_takes_new(const struct model_pool *pool)
{
	for (size_t i = 0; i < pool->backends_count; i++) {
		if (pool->backends[i].takes_new)
			return true;
	}
	return false;
}

static bool pool_owns(const struct reconcile *reconcile, const char *pool, uint32_t backend_id)
{
	const char *name = model_registry_name(&reconcile->registry, MODEL_BACKEND, backend_id);
	size_t length = strlen(pool);

	return name && strncmp(name, pool, length) == 0 && name[length] == '/';
}

/* The ring by which a pool of that name and size serves now. Found from the tables alone: a fresh controller has
 * no other memory of the generation that it took over. */
static const struct weir_slot *rings_find_live(const struct reconcile *reconcile, const struct model_pool *pool)
{
	const struct bank_view *view = &reconcile->view;

	for (size_t i = 0; i < view->rings_count; i++) {
		struct weir_ring ring = ring_load(&view->rings[i]);

		if (!ring.size || ring.size != pool->ring_size || (uint64_t)ring.base + ring.size > view->slots_count)
			continue;
		if (pool_owns(reconcile, pool->name, view->slots[ring.base].current))
			return &view->slots[ring.base];
	}
	return NULL;
}

int rings_carry(const struct reconcile *reconcile, const struct model *model, struct compile_image *image)
{
	for (size_t i = 0; i < model->pools_count; i++) {
		const struct weir_slot *before = rings_find_live(reconcile, &model->pools[i]);
		int error = before ? compile_ring(&model->pools[i], before, image->slots + image->pools[i].base) : 0;

		if (error)
			return error;
	}
	return 0;
}

static bool slots_are_settled(const struct weir_slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].state != WEIR_SLOT_SETTLED)
			return false;
	}
	return true;
}

static void pool_start_phase(struct ring_pool *pool, const struct weir_slot *slots)
{
	pool->phase = slots_are_settled(slots, pool->size) ? WEIR_SLOT_SETTLED : WEIR_SLOT_TRANSITION;
	pool->timed = false;
}

struct ring_pool *rings_pools(const struct compile_image *image)
{
	struct ring_pool *pools = calloc(image->pools_count ?: 1, sizeof(*pools));

	for (size_t i = 0; pools && i < image->pools_count; i++) {
		pools[i].base = image->pools[i].base;
		pools[i].size = image->pools[i].size;
		pool_start_phase(&pools[i], image->slots + pools[i].base);
	}
	return pools;
}

static struct weir_slot *pool_slots(const struct reconcile *reconcile, const struct ring_pool *pool, unsigned int area)
{
	return reconcile->view.slots + pool->base + (size_t)area * pool->size;
}

/* Whether the ring of a pool looks other than it did. Both are of one configuration. */
static bool pool_differs(const struct model_pool *a, const struct model_pool *b)
{
	for (size_t i = 0; i < a->backends_count; i++) {
		const struct model_backend *before = &a->backends[i], *after = &b->backends[i];

		if (before->takes_new != after->takes_new || before->keeps_old != after->keeps_old ||
		    before->weight != after->weight)
			return true;
	}
	return false;
}

/* Writes the new ring of each pool that differs into the area that no ring word points at. */
static int rings_write(struct reconcile *reconcile, const struct model *next, bool *replaced)
{
	for (size_t i = 0; i < next->pools_count; i++) {
		const struct ring_pool *pool = &reconcile->pools[i];
		int error;

		/* Without takers the ring stays for the day that one returns; the services' words say that
		 * nobody serves. */
		if (!pool_differs(&reconcile->model->pools[i], &next->pools[i]) || !pool_takes_new(&next->pools[i]))
			continue;
		error = compile_ring(&next->pools[i], pool_slots(reconcile, pool, pool->area),
				     pool_slots(reconcile, pool, !pool->area));
		if (error)
			return error;
		replaced[i] = true;
	}
	return 0;
}

static void rings_switch(struct reconcile *reconcile, const struct model *next, const bool *replaced)
{
	for (size_t i = 0; i < next->pools_count; i++) {
		struct ring_pool *pool = &reconcile->pools[i];

		if (!replaced[i])
			continue;
		pool->area = !pool->area;
		pool_start_phase(pool, pool_slots(reconcile, pool, pool->area));
	}
	for (size_t i = 0; i < next->services_count; i++) {
		int index = next->services[i].pool;
		struct weir_ring ring = {};

		if (index >= 0 && pool_takes_new(&next->pools[index])) {
			const struct ring_pool *pool = &reconcile->pools[index];

			ring.base = pool->base + pool->area * pool->size;
			ring.size = pool->size;
		}
		ring_store(&reconcile->view.rings[i], ring);
	}
}

int rings_refresh(struct reconcile *reconcile, struct problem *problem)
{
	const struct model_world world = {.states = reconcile->states};
	struct model *next = NULL;
	bool *replaced = NULL;
	int error;

	reconcile->rings_behind = true;
	error = model_build(reconcile->config, &reconcile->registry, &world, NULL, NULL, &next, problem);
	if (error)
		return error;
	replaced = calloc(next->pools_count ?: 1, sizeof(*replaced));
	error = replaced ? rings_write(reconcile, next, replaced) : -ENOMEM;
	if (!error) {
		rings_switch(reconcile, next, replaced);
		model_free(reconcile->model);
		reconcile->model = next;
		reconcile->rings_behind = false;
	} else {
		model_free(next);
		problem_set(problem, error, "the rings could not be rebuilt (%s); the old ones stay until a next try",
			    strerror(-error));
	}
	free(replaced);
	return error;
}

static void slots_settle(struct weir_slot *slots, size_t count, enum weir_slot_state from, enum weir_slot_state to)
{
	for (size_t i = 0; i < count; i++) {
		struct weir_slot slot = slots[i];
		uint64_t value;

		if (slot.state != from)
			continue;
		slot.previous = 0;
		slot.state = (uint8_t)to;
		memcpy(&value, &slot, sizeof(value));
		__atomic_store_n((slot_word *)&slots[i], value, __ATOMIC_RELAXED);
	}
}

/* A transition records flows, then only looks them up, then is over; each phase lasts settle_ms from the last
 * change of the pool's ring. */
static void pool_settle(struct reconcile *reconcile, struct ring_pool *pool, uint64_t now_ms)
{
	struct weir_slot *slots = pool_slots(reconcile, pool, pool->area);

	if (!pool->timed) {
		pool->since_ms = now_ms;
		pool->timed = true;
	}
	if (now_ms - pool->since_ms < reconcile->config->settle_ms)
		return;
	if (pool->phase == WEIR_SLOT_TRANSITION) {
		slots_settle(slots, pool->size, WEIR_SLOT_TRANSITION, WEIR_SLOT_EXCEPTIONS);
		pool->phase = WEIR_SLOT_EXCEPTIONS;
		pool->since_ms = now_ms;
	} else {
		slots_settle(slots, pool->size, WEIR_SLOT_EXCEPTIONS, WEIR_SLOT_SETTLED);
		pool->phase = WEIR_SLOT_SETTLED;
	}
}

void rings_settle(struct reconcile *reconcile, uint64_t now_ms)
{
	struct problem problem = {};

	if (!reconcile->model)
		return;
	if (reconcile->rings_behind && rings_refresh(reconcile, &problem))
		log_error("rings are older than the state of their backends: %s", problem.text);
	for (size_t i = 0; i < reconcile->model->pools_count; i++) {
		if (reconcile->pools[i].phase != WEIR_SLOT_SETTLED)
			pool_settle(reconcile, &reconcile->pools[i], now_ms);
	}
}

void reconcile_ring_counts(const struct reconcile *reconcile, size_t pool, uint32_t counts[3])
{
	const struct ring_pool *ring = &reconcile->pools[pool];
	const struct weir_slot *slots = pool_slots(reconcile, ring, ring->area);

	memset(counts, 0, 3 * sizeof(*counts));
	for (size_t i = 0; i < ring->size; i++) {
		if (slots[i].state <= WEIR_SLOT_EXCEPTIONS)
			counts[slots[i].state]++;
	}
}
