/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings within a generation: replaced area by area, carried from one generation to the next, and settled. */
#include "parts.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS_A_TICK 2	 /* rings whose exceptions are looked for: four milliseconds each */
#define LINES_A_TICK 512 /* of the table of exceptions that are cleaned: all within nine minutes */
_Static_assert(WEIR_FLOW_LINES % LINES_A_TICK == 0, "whole turns");

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

static uint16_t ring_second(void)
{
	return (uint16_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_S);
}

/* The ring word's index of each live service by its stable id, -1 where there is none. Read from the tables: a fresh
 * controller has no other memory of the generation that it took over. */
static int services_find_live(const struct reconcile *reconcile, int indices[WEIR_MAX_SERVICES])
{
	AUTO_CLOSE int fd = -1;

	memset(indices, -1, WEIR_MAX_SERVICES * sizeof(*indices));
	if (!reconcile->view.rings)
		return 0;
	fd = kernel_bank_open(reconcile->kernel, KERNEL_MAP_services, reconcile->live->generation % WEIR_BANKS);
	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < reconcile->view.rings_count; i++) {
		struct weir_service service;
		int error = kernel_map_get(fd, &i, &service);

		if (error)
			return error;
		if (service.id && service.id < WEIR_MAX_SERVICES)
			indices[service.id] = (int)i;
	}
	return 0;
}

/* The live ring of the first service of the route that has one; size 0: none has. */
static struct weir_ring route_find_live(const struct reconcile *reconcile, const struct model *model, size_t route,
					const int *indices)
{
	for (size_t i = 0; i < model->services_count; i++) {
		const struct model_service *service = &model->services[i];
		struct weir_ring ring;

		if (service->route != route || indices[service->id] < 0)
			continue;
		ring = ring_load(&reconcile->view.rings[indices[service->id]]);
		if (ring.size && (uint64_t)ring.base + ring.size <= reconcile->view.slots_count)
			return ring;
	}
	return (struct weir_ring){};
}

/* The route of the live generation whose ring this is, NULL: there is none. */
static const struct ring_route *route_find(const struct reconcile *reconcile, struct weir_ring ring)
{
	for (size_t i = 0; reconcile->routes && i < reconcile->model->routes_count; i++) {
		const struct ring_route *route = &reconcile->routes[i];

		if (route->base + route->area * route->size == ring.base && route->size == ring.size)
			return route;
	}
	return NULL;
}

static bool slot_differs(const struct weir_slot *a, const struct weir_slot *b)
{
	return a->current != b->current || a->previous != b->previous || a->state != b->state;
}

/* The moments of the slots that stay as they were. Without memory all count from now. */
static void route_carry_moments(struct ring_route *to, const struct weir_slot *now, const struct ring_route *from,
				const struct weir_slot *before)
{
	if (!from->changed_ms)
		return;
	to->changed_ms = calloc(to->size, sizeof(*to->changed_ms));
	for (uint32_t i = 0; to->changed_ms && i < to->size; i++)
		to->changed_ms[i] = slot_differs(&now[i], &before[i]) ? 0 : from->changed_ms[i];
}

static bool slots_are_settled(const struct weir_slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].state != WEIR_SLOT_SETTLED)
			return false;
	}
	return true;
}

void rings_free(struct ring_route *routes, const struct model *model)
{
	for (size_t i = 0; routes && i < model->routes_count; i++)
		free(routes[i].changed_ms);
	free(routes);
}

static void route_carry(const struct reconcile *reconcile, const struct model *model, const int *indices, size_t index,
			struct weir_slot *slots, struct ring_route *route)
{
	struct weir_ring live = route_find_live(reconcile, model, index, indices);
	const struct weir_slot *before = live.size ? reconcile->view.slots + live.base : NULL;
	const struct ring_route *from = route_find(reconcile, live);

	if (live.size)
		compile_ring_follow(model, before, live.size, ring_second(), slots, route->size);
	route->is_settled = slots_are_settled(slots, route->size);
	if (from && live.size == route->size)
		route_carry_moments(route, slots, from, before);
}

int rings_carry(const struct reconcile *reconcile, const struct model *model, struct compile_image *image,
		struct ring_route **out)
{
	AUTO_FREE int *indices = malloc(WEIR_MAX_SERVICES * sizeof(*indices));
	struct ring_route *routes = calloc(image->routes_count ?: 1, sizeof(*routes));
	int error = indices && routes ? services_find_live(reconcile, indices) : -ENOMEM;

	if (error) {
		free(routes);
		return error;
	}
	for (size_t i = 0; i < image->routes_count; i++) {
		routes[i].base = image->routes[i].base;
		routes[i].size = image->routes[i].size;
		route_carry(reconcile, model, indices, i, image->slots + routes[i].base, &routes[i]);
	}
	*out = routes;
	return 0;
}

static struct weir_slot *route_slots(const struct reconcile *reconcile, const struct ring_route *route,
				     unsigned int area)
{
	return reconcile->view.slots + route->base + (size_t)area * route->size;
}

/* Whether a pool's backends have other parts in rings than they had. Both are of one configuration. */
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

/* A ring that is not settled may name backends of any pool. */
static bool route_may_differ(const struct reconcile *reconcile, const struct model *next, size_t index)
{
	const struct model *model = reconcile->model;
	bool is_settled = reconcile->routes[index].is_settled;
	int pool = next->routes[index].pool;

	if (model->routes[index].pool != pool)
		return true;
	for (size_t i = 0; i < next->pools_count; i++) {
		if ((!is_settled || pool == (int)i) && pool_differs(&model->pools[i], &next->pools[i]))
			return true;
	}
	return false;
}

/* Writes the new ring of a route into the area that no ring word points at, if it is another. */
static int route_write(const struct reconcile *reconcile, const struct model *next, size_t index, bool *replaced)
{
	const struct ring_route *route = &reconcile->routes[index];
	const struct weir_slot *before = route_slots(reconcile, route, route->area);
	AUTO_FREE struct weir_slot *slots = calloc(route->size ?: 1, sizeof(*slots));
	int pool = next->routes[index].pool;
	int error = slots ? compile_ring(pool < 0 ? NULL : &next->pools[pool], route->size, slots) : -ENOMEM;

	if (error)
		return error;
	compile_ring_follow(next, before, route->size, ring_second(), slots, route->size);
	*replaced = memcmp(slots, before, route->size * sizeof(*slots)) != 0;
	if (*replaced)
		memcpy(route_slots(reconcile, route, !route->area), slots, route->size * sizeof(*slots));
	return 0;
}

static int rings_write(const struct reconcile *reconcile, const struct model *next, bool *replaced)
{
	int error = 0;

	for (size_t i = 0; !error && i < next->routes_count; i++) {
		if (route_may_differ(reconcile, next, i))
			error = route_write(reconcile, next, i, &replaced[i]);
	}
	return error;
}

static void route_changed(struct ring_route *route, const struct weir_slot *now, const struct weir_slot *before)
{
	for (uint32_t i = 0; route->changed_ms && i < route->size; i++)
		if (slot_differs(&now[i], &before[i]))
			route->changed_ms[i] = 0;
	route->is_settled = slots_are_settled(now, route->size);
}

static void rings_switch(struct reconcile *reconcile, const struct model *next, const bool *replaced)
{
	for (size_t i = 0; i < next->routes_count; i++) {
		struct ring_route *route = &reconcile->routes[i];

		if (!replaced[i])
			continue;
		route->area = !route->area;
		route_changed(route, route_slots(reconcile, route, route->area),
			      route_slots(reconcile, route, !route->area));
	}
	for (size_t i = 0; i < next->services_count; i++) {
		const struct ring_route *route = &reconcile->routes[next->services[i].route];

		ring_store(&reconcile->view.rings[i],
			   (struct weir_ring){.base = route->base + route->area * route->size, .size = route->size});
	}
}

int rings_refresh(struct reconcile *reconcile, struct problem *problem)
{
	const struct model_world world = {
		.states = reconcile->states,
		.filter = reconcile->model->filter,
		.overrides = reconcile->overrides,
		.overrides_count = reconcile->overrides_count,
	};
	struct model *next = NULL;
	bool *replaced = NULL;
	int error;

	reconcile->rings_behind = true;
	error = model_build(reconcile->config, &reconcile->registry, &world, NULL, NULL, &next, problem);
	if (error)
		return error;
	replaced = calloc(next->routes_count ?: 1, sizeof(*replaced));
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

static bool slots_have_exceptions(const struct weir_slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].state == WEIR_SLOT_EXCEPTIONS)
			return true;
	}
	return false;
}

/* A bit for each slot that has exceptions. NULL: no memory, or no slot that waits for this. */
static uint64_t *route_hold(const struct reconcile *reconcile, const struct ring_route *route,
			    const struct compile_settling *settling)
{
	const struct weir_slot *slots = route_slots(reconcile, route, route->area);
	uint64_t *held;

	if (!slots_have_exceptions(slots, route->size))
		return NULL;
	held = calloc((route->size + 63) / 64, sizeof(*held));
	if (held)
		compile_ring_hold(settling, reconcile->flows, WEIR_FLOW_LINES, slots, route->size, held);
	return held;
}

static void route_settle(struct reconcile *reconcile, struct ring_route *route, const struct compile_settling *settling,
			 bool looks)
{
	struct weir_slot *slots = route_slots(reconcile, route, route->area);
	AUTO_FREE uint64_t *held = looks ? route_hold(reconcile, route, settling) : NULL;

	if (!route->changed_ms)
		route->changed_ms = calloc(route->size, sizeof(*route->changed_ms));
	if (!route->changed_ms)
		return;
	route->is_settled = !compile_ring_settle(settling, held, slots, route->changed_ms, route->size);
	if (!route->is_settled)
		return;
	free(route->changed_ms);
	route->changed_ms = NULL;
}

void rings_settle(struct reconcile *reconcile, uint64_t now_ms)
{
	size_t first = reconcile->routes_turn;
	struct compile_settling settling = {.now_ms = now_ms, .now_s = ring_second()};
	struct problem problem = {};

	if (!reconcile->model)
		return;
	compile_flows_forget(&settling, reconcile->flows + reconcile->flows_turn, LINES_A_TICK);
	reconcile->flows_turn = (reconcile->flows_turn + LINES_A_TICK) % WEIR_FLOW_LINES;
	settling.settle_ms = reconcile->config->settle_ms;
	settling.idle_s = reconcile->config->idle_ms / 1000;
	if (reconcile->rings_behind && rings_refresh(reconcile, &problem))
		log_error("rings are older than the state of their backends: %s", problem.text);
	/* A table to be looked through for each ring takes its time: a few at a time, in turn. */
	for (size_t i = 0, looked = 0; i < reconcile->model->routes_count; i++) {
		size_t index = (first + i) % reconcile->model->routes_count;
		bool looks = looked < HOLDS_A_TICK;

		if (reconcile->routes[index].is_settled)
			continue;
		route_settle(reconcile, &reconcile->routes[index], &settling, looks);
		looked++;
		if (looks)
			reconcile->routes_turn = index + 1;
	}
}

void reconcile_ring_counts(const struct reconcile *reconcile, size_t route, uint32_t counts[3])
{
	const struct ring_route *ring = &reconcile->routes[route];
	const struct weir_slot *slots = route_slots(reconcile, ring, ring->area);

	memset(counts, 0, 3 * sizeof(*counts));
	for (size_t i = 0; i < ring->size; i++) {
		if (slots[i].state <= WEIR_SLOT_EXCEPTIONS)
			counts[slots[i].state]++;
	}
}
