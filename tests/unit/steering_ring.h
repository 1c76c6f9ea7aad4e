/* SPDX-License-Identifier: BSD-2-Clause */
/* The ring of an edge as its controller keeps it: replaced when backends change, and settled once in a while. */
#ifndef WEIR_TESTS_UNIT_STEERING_RING_H
#define WEIR_TESTS_UNIT_STEERING_RING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "steering_program.h"
#include "user/compile/compile.h"

#define STEERING_RING	  16381
#define STEERING_SETTLE_S 600
#define STEERING_IDLE_S	  7200

struct steering_ring {
	struct steering_edge edge;
	struct weir_slot *before; /* the last change */
	uint32_t *changed_ms;
	uint64_t *held;
};

static inline void steering_ring_open(struct steering_ring *ring)
{
	*ring = (struct steering_ring){
		.edge = {calloc(STEERING_RING, sizeof(struct weir_slot)), STEERING_RING,
			 calloc(WEIR_FLOW_LINES, sizeof(struct weir_flow_line))},
		.before = calloc(STEERING_RING, sizeof(*ring->before)),
		.changed_ms = calloc(STEERING_RING, sizeof(*ring->changed_ms)),
		.held = calloc((STEERING_RING + 63) / 64, sizeof(*ring->held)),
	};
	assert_true(ring->edge.slots && ring->edge.lines && ring->before && ring->changed_ms && ring->held);
}

static inline void steering_ring_close(struct steering_ring *ring)
{
	free(ring->edge.slots);
	free(ring->edge.lines);
	free(ring->before);
	free(ring->changed_ms);
	free(ring->held);
}

/* The successor, of a pool that changed. */
static inline void steering_ring_change(struct steering_ring *ring, struct model_pool *pool, uint64_t now_s)
{
	const struct model model = {.pools = pool, .pools_count = 1};
	struct weir_slot *slots = ring->edge.slots;

	memcpy(ring->before, slots, STEERING_RING * sizeof(*slots));
	memset(slots, 0, STEERING_RING * sizeof(*slots));
	assert_int_equal(compile_ring(pool, STEERING_RING, slots), 0);
	compile_ring_follow(&model, ring->before, STEERING_RING, (uint16_t)now_s, slots, STEERING_RING);
	for (uint32_t i = 0; i < STEERING_RING; i++) {
		const struct weir_slot *was = &ring->before[i];

		if (was->current != slots[i].current || was->previous != slots[i].previous ||
		    was->state != slots[i].state)
			ring->changed_ms[i] = 0;
	}
}

/* Returns how many slots are not settled. */
static inline size_t steering_ring_settle(struct steering_ring *ring, uint64_t now_s)
{
	const struct compile_settling settling = {.now_ms = now_s * 1000,
						  .now_s = (uint16_t)now_s,
						  .settle_ms = STEERING_SETTLE_S * 1000,
						  .idle_s = STEERING_IDLE_S};

	memset(ring->held, 0, (STEERING_RING + 63) / 64 * sizeof(*ring->held));
	compile_flows_forget(&settling, ring->edge.lines, WEIR_FLOW_LINES);
	compile_ring_hold(&settling, ring->edge.lines, WEIR_FLOW_LINES, ring->edge.slots, STEERING_RING, ring->held);
	return compile_ring_settle(&settling, ring->held, ring->edge.slots, ring->changed_ms, STEERING_RING);
}

/* A hash of a flow in that slot. */
static inline uint64_t steering_hash(uint32_t slot, uint64_t random)
{
	uint64_t first = (((uint64_t)slot << 32) + STEERING_RING - 1) / STEERING_RING;
	uint64_t next = (((uint64_t)(slot + 1) << 32) + STEERING_RING - 1) / STEERING_RING;

	return (first + (random >> 32) % (next - first)) << 32 | (uint32_t)random;
}

#endif
