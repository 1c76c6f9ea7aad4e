/* SPDX-License-Identifier: BSD-2-Clause */
/* The live rings of an edge as the kernel has them, and what changes them. */
#ifndef WEIR_TESTS_UNIT_RING_H
#define WEIR_TESTS_UNIT_RING_H

#include "edge.h"
#include "user/base/scope.h"

static inline uint32_t backend_id(const struct edge *edge, const char *name)
{
	uint32_t id = model_registry_find(reconcile_registry(edge->reconcile), MODEL_BACKEND, name);

	assert_int_not_equal(id, 0);
	return id;
}

static inline void set_health(struct pinned *pinned, struct edge *edge, const char *name, enum weir_health health)
{
	if (reconcile_backend_health(edge->reconcile, backend_id(edge, name), health, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
}

/* The live ring of a service as the kernel has it; an empty one is slots NULL. */
struct ring {
	struct weir_slot *slots;
	size_t size;
};

static inline int bank_fd(const struct edge *edge, enum kernel_map map)
{
	int fd = kernel_bank_open(edge->kernel, map, reconcile_generation(edge->reconcile) % WEIR_BANKS);

	assert_true(fd >= 0);
	return fd;
}

static inline uint32_t ring_size(const struct edge *edge, uint32_t service)
{
	AUTO_CLOSE int rings = bank_fd(edge, KERNEL_MAP_rings);
	struct weir_ring word;

	assert_int_equal(kernel_map_get(rings, &service, &word), 0);
	return word.size;
}

static inline struct ring read_ring(const struct edge *edge, uint32_t service)
{
	AUTO_CLOSE int rings = bank_fd(edge, KERNEL_MAP_rings);
	AUTO_CLOSE int slots = bank_fd(edge, KERNEL_MAP_slots);
	struct weir_ring word;
	struct ring ring = {};

	assert_int_equal(kernel_map_get(rings, &service, &word), 0);
	if (!word.size)
		return ring;
	ring.size = word.size;
	ring.slots = calloc(word.size, sizeof(*ring.slots));
	assert_non_null(ring.slots);
	for (uint32_t i = 0; i < word.size; i++)
		assert_int_equal(kernel_map_get(slots, &(uint32_t){word.base + i}, &ring.slots[i]), 0);
	return ring;
}

static inline size_t count_slots(const struct edge *edge, uint32_t service, uint32_t current, int state)
{
	struct ring ring = read_ring(edge, service);
	size_t count = 0;

	for (size_t i = 0; i < ring.size; i++)
		count += (!current || ring.slots[i].current == current) &&
			 (state < 0 || ring.slots[i].state == (unsigned int)state);
	free(ring.slots);
	return count;
}

#endif
