/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: the shares and steadiness of rings, and slots in transition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/compile/compile.h"

/* n backends "pool/b0".. with ids from 1, all of weight 1 and in service. */
static struct model_pool make_pool(size_t n, uint32_t ring_size)
{
	struct model_pool pool = {.name = "pool", .backends_count = n, .ring_size = ring_size};

	pool.backends = calloc(n ?: 1, sizeof(*pool.backends));
	assert_non_null(pool.backends);
	for (size_t i = 0; i < n; i++) {
		struct model_backend *backend = &pool.backends[i];

		snprintf(backend->name, sizeof(backend->name), "pool/b%zu", i);
		backend->id = i + 1;
		backend->weight = 1;
		backend->takes_new = backend->keeps_old = true;
	}
	return pool;
}

static struct weir_slot *make_ring(const struct model_pool *pool, const struct weir_slot *before)
{
	struct weir_slot *ring = calloc(pool->ring_size, sizeof(*ring));

	assert_non_null(ring);
	assert_int_equal(compile_ring(pool, before, ring), 0);
	return ring;
}

static void set_service(struct model_backend *backend, bool takes_new, bool keeps_old)
{
	backend->takes_new = takes_new;
	backend->keeps_old = keeps_old;
}

/* The largest distance of any backend's share from what its weight asks for, as a part of the whole ring. */
static double worst_share(const struct model_pool *pool, const struct weir_slot *ring)
{
	size_t *counts AUTO_FREE = calloc(WEIR_MAX_BACKENDS, sizeof(*counts));
	double weights = 0, worst = 0;

	assert_non_null(counts);
	for (uint32_t i = 0; i < pool->ring_size; i++)
		counts[ring[i].current]++;
	for (size_t i = 0; i < pool->backends_count; i++)
		weights += pool->backends[i].weight;
	for (size_t i = 0; i < pool->backends_count; i++) {
		double share = (double)counts[pool->backends[i].id] / pool->ring_size;

		worst = fmax(worst, fabs(share - pool->backends[i].weight / weights));
	}
	return worst;
}

static void compile_ring_equal_weights_have_equal_shares(void **state)
{
	static const struct {
		size_t backends;
		uint32_t size;
	} rows[] = {{1, 1021}, {2, 1021}, {7, 1021}, {10, 1021}, {40, 4093}, {163, 16381}, {655, 65537}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(rows[i].backends, rows[i].size);
		struct weir_slot *ring AUTO_FREE = make_ring(&pool, NULL);

		/* Round robin: nobody has more than one slot over another. */
		assert_true(worst_share(&pool, ring) * rows[i].size < 1);
		free(pool.backends);
	}
}

static void compile_ring_unequal_weights_have_shares_in_proportion(void **state)
{
	static const struct {
		size_t backends;
		uint32_t size;
		uint16_t weights[4]; /* repeated over the backends */
	} rows[] = {
		{2, 1021, {1, 3, 1, 3}},	 {3, 1021, {10, 1, 1, 0}},   {10, 1021, {1, 2, 3, 4}},
		{40, 4093, {1000, 1, 500, 999}}, {163, 16381, {7, 7, 7, 1}}, {600, 65537, {1, 1000, 1, 1}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(rows[i].backends, rows[i].size);
		struct weir_slot *ring AUTO_FREE = NULL;

		for (size_t j = 0; j < pool.backends_count; j++)
			pool.backends[j].weight = rows[i].weights[j % 4];
		ring = make_ring(&pool, NULL);
		assert_true(worst_share(&pool, ring) < 0.01);
		free(pool.backends);
	}
}

static void compile_ring_odd_sizes_are_filled(void **state)
{
	static const uint32_t sizes[] = {1, 2, 4, 12, 1000, 1021};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct model_pool pool = make_pool(3, sizes[i]);
		struct weir_slot *ring AUTO_FREE = make_ring(&pool, NULL);

		for (uint32_t j = 0; j < sizes[i]; j++)
			assert_in_range(ring[j].current, 1, 3);
		free(pool.backends);
	}
}

/* Slots that left a backend which is still there. */
static size_t needless_moves(const struct weir_slot *old, const struct weir_slot *new, uint32_t size, uint16_t gone)
{
	size_t moves = 0;

	for (uint32_t i = 0; i < size; i++)
		moves += old[i].current != gone && old[i].current != new[i].current;
	return moves;
}

static void compile_ring_fault_31_one_of_n_removed_moves_under_one_percent(void **state)
{
	static const struct {
		size_t backends, weights; /* weights run from 1 to weights */
	} rows[] = {{2, 1}, {3, 1}, {10, 1}, {30, 1}, {100, 1}, {120, 1}, {10, 10}, {100, 10}, {100, 1000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(rows[i].backends, 65537);
		struct weir_slot *before AUTO_FREE = NULL;

		for (size_t j = 0; j < pool.backends_count; j++)
			pool.backends[j].weight = 1 + j * 37 % rows[i].weights;
		before = make_ring(&pool, NULL);
		for (size_t j = 0; j < pool.backends_count; j += 1 + pool.backends_count / 10) {
			struct weir_slot *after AUTO_FREE = NULL;

			set_service(&pool.backends[j], false, false);
			after = make_ring(&pool, NULL);
			assert_true(needless_moves(before, after, 65537, j + 1) < 65537 / 100);
			set_service(&pool.backends[j], true, true);
		}
		free(pool.backends);
	}
}

/* The flows of a slot that moved needlessly stay where they are: it is in transition from a backend that lives. */
static void compile_ring_fault_31_moved_slots_of_survivors_are_in_transition(void **state)
{
	struct model_pool pool = make_pool(20, 4093);
	struct weir_slot *before AUTO_FREE = make_ring(&pool, NULL), *after AUTO_FREE = NULL;
	size_t moved = 0;

	(void)state;
	set_service(&pool.backends[4], false, false);
	after = make_ring(&pool, before);
	for (uint32_t i = 0; i < 4093; i++) {
		assert_int_not_equal(after[i].current, 5);
		if (before[i].current == after[i].current || before[i].current == 5) {
			assert_int_equal(after[i].state, WEIR_SLOT_SETTLED);
			assert_int_equal(after[i].previous, 0);
			continue;
		}
		moved++;
		assert_int_equal(after[i].state, WEIR_SLOT_TRANSITION);
		assert_int_equal(after[i].previous, before[i].current);
	}
	assert_true(moved > 0);
	free(pool.backends);
}

static void compile_ring_permuted_backends_give_the_same_bytes(void **state)
{
	struct model_pool pool = make_pool(50, 16381), turned = make_pool(50, 16381);
	struct weir_slot *ring AUTO_FREE = NULL, *other AUTO_FREE = NULL;

	(void)state;
	for (size_t i = 0; i < 50; i++)
		pool.backends[i].weight = 1 + i % 5;
	for (size_t i = 0; i < 50; i++)
		turned.backends[i] = pool.backends[i * 7 % 50];
	ring = make_ring(&pool, NULL);
	other = make_ring(&turned, NULL);
	assert_memory_equal(ring, other, 16381 * sizeof(*ring));
	free(pool.backends);
	free(turned.backends);
}

/* Edges of different versions must agree, so a change of the hash or of the order of turns is a change of contract. */
static void compile_ring_content_is_pinned(void **state)
{
	static const uint16_t expected[] = {3, 2, 3, 3, 1, 4, 3, 3, 3, 2, 1, 4, 2, 3, 3, 1,
					    4, 3, 1, 3, 2, 3, 1, 3, 3, 4, 4, 3, 3, 3, 2};
	struct model_pool pool = make_pool(4, ARRAY_SIZE(expected));
	struct weir_slot *ring AUTO_FREE = NULL;

	(void)state;
	pool.backends[2].weight = 3;
	ring = make_ring(&pool, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(ring[i].current, expected[i]);
	free(pool.backends);
}

static void compile_ring_nobody_takes_new_is_all_zero(void **state)
{
	static const struct weir_slot zero[1021];
	struct model_pool empty = make_pool(0, 1021), drained = make_pool(3, 1021);
	struct weir_slot *before AUTO_FREE = make_ring(&drained, NULL), *ring AUTO_FREE = make_ring(&empty, NULL);
	struct weir_slot *after AUTO_FREE = NULL;

	(void)state;
	assert_memory_equal(ring, zero, sizeof(zero));
	for (size_t i = 0; i < 3; i++)
		set_service(&drained.backends[i], false, true);
	after = make_ring(&drained, before);
	assert_memory_equal(after, zero, sizeof(zero));
	free(empty.backends);
	free(drained.backends);
}

static void compile_ring_drained_backend_keeps_its_flows(void **state)
{
	struct model_pool pool = make_pool(5, 1021);
	struct weir_slot *before AUTO_FREE = make_ring(&pool, NULL), *after AUTO_FREE = NULL;

	(void)state;
	set_service(&pool.backends[1], false, true);
	after = make_ring(&pool, before);
	for (uint32_t i = 0; i < 1021; i++) {
		assert_int_not_equal(after[i].current, 2);
		if (before[i].current != 2)
			continue;
		assert_int_equal(after[i].previous, 2);
		assert_int_equal(after[i].state, WEIR_SLOT_TRANSITION);
	}
	free(pool.backends);
}

/* A ring of one slot and the backends A = 1, B = 2, C = 3, of which one takes new flows. 9 is a removed backend. */
static void compile_ring_slot_follows_the_table_of_transitions(void **state)
{
	enum { A = 1, B, C, GONE = 9, SETTLED = WEIR_SLOT_SETTLED, TRANSITION, EXCEPTIONS };
	static const struct {
		struct weir_slot before;
		uint16_t owner;
		const char *alive; /* besides the owner */
		struct weir_slot after;
	} rows[] = {
		/* the backend stays */
		{{B, 0, SETTLED, {0}}, B, "A", {B, 0, SETTLED, {0}}},
		{{B, A, TRANSITION, {0}}, B, "A", {B, A, TRANSITION, {0}}},
		{{B, A, TRANSITION, {0}}, B, "", {B, 0, EXCEPTIONS, {0}}},
		{{B, GONE, TRANSITION, {0}}, B, "A", {B, 0, EXCEPTIONS, {0}}},
		{{B, A, EXCEPTIONS, {0}}, B, "A", {B, A, EXCEPTIONS, {0}}},
		{{B, A, EXCEPTIONS, {0}}, B, "", {B, 0, EXCEPTIONS, {0}}},
		{{B, 0, EXCEPTIONS, {0}}, B, "A", {B, 0, EXCEPTIONS, {0}}},
		/* it changes and the old one lives */
		{{B, 0, SETTLED, {0}}, C, "B", {C, B, TRANSITION, {0}}},
		{{B, A, TRANSITION, {0}}, C, "AB", {C, B, TRANSITION, {0}}},
		{{B, A, TRANSITION, {0}}, C, "B", {C, B, TRANSITION, {0}}},
		{{B, 0, EXCEPTIONS, {0}}, C, "AB", {C, B, TRANSITION, {0}}},
		/* it flaps back */
		{{B, A, TRANSITION, {0}}, A, "B", {A, B, TRANSITION, {0}}},
		{{B, A, TRANSITION, {0}}, A, "", {A, 0, EXCEPTIONS, {0}}},
		{{B, A, EXCEPTIONS, {0}}, A, "", {A, 0, EXCEPTIONS, {0}}},
		/* it changes and the old one is dead */
		{{B, 0, SETTLED, {0}}, C, "A", {C, 0, SETTLED, {0}}},
		{{B, A, SETTLED, {0}}, C, "A", {C, 0, SETTLED, {0}}},
		{{B, A, TRANSITION, {0}}, C, "A", {C, A, TRANSITION, {0}}},
		{{B, A, TRANSITION, {0}}, C, "", {C, 0, SETTLED, {0}}},
		{{GONE, A, TRANSITION, {0}}, C, "A", {C, A, TRANSITION, {0}}},
		{{B, A, EXCEPTIONS, {0}}, C, "A", {C, 0, EXCEPTIONS, {0}}},
		/* nobody served before */
		{{0, 0, SETTLED, {0}}, C, "AB", {C, 0, SETTLED, {0}}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(3, 1);
		struct weir_slot after = {0};

		for (uint16_t id = A; id <= C; id++)
			set_service(&pool.backends[id - 1], id == rows[i].owner,
				    id == rows[i].owner || strchr(rows[i].alive, 'A' + id - A));
		assert_int_equal(compile_ring(&pool, &rows[i].before, &after), 0);
		if (memcmp(&after, &rows[i].after, sizeof(after)) != 0)
			fail_msg("row %zu: {%u, %u, %u}", i, after.current, after.previous, after.state);
		free(pool.backends);
	}
}

static void compile_ring_size_has_a_hundred_slots_a_backend(void **state)
{
	static const struct {
		size_t backends;
		uint32_t size;
	} rows[] = {{0, 1021},	  {1, 1021},	{10, 1021},   {11, 4093},   {40, 4093},	   {41, 16381},
		    {163, 16381}, {164, 65537}, {655, 65537}, {656, 65537}, {16383, 65537}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(compile_ring_size(rows[i].backends), rows[i].size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_ring_equal_weights_have_equal_shares),
		cmocka_unit_test(compile_ring_unequal_weights_have_shares_in_proportion),
		cmocka_unit_test(compile_ring_odd_sizes_are_filled),
		cmocka_unit_test(compile_ring_fault_31_one_of_n_removed_moves_under_one_percent),
		cmocka_unit_test(compile_ring_fault_31_moved_slots_of_survivors_are_in_transition),
		cmocka_unit_test(compile_ring_permuted_backends_give_the_same_bytes),
		cmocka_unit_test(compile_ring_content_is_pinned),
		cmocka_unit_test(compile_ring_nobody_takes_new_is_all_zero),
		cmocka_unit_test(compile_ring_drained_backend_keeps_its_flows),
		cmocka_unit_test(compile_ring_slot_follows_the_table_of_transitions),
		cmocka_unit_test(compile_ring_size_has_a_hundred_slots_a_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
