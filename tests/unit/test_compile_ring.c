/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: the shares and steadiness of rings, and slots in transition. */
#include "pool.h"

#include <math.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/compile/compile.h"

/* before (may be NULL) is of before_size slots. */
static struct weir_slot *follow_ring(const struct model_pool *pool, const struct weir_slot *before,
				     uint32_t before_size, uint16_t now_s)
{
	struct model_pool pools[] = {*pool};
	const struct model model = {.pools = pools, .pools_count = 1};
	struct weir_slot *ring = calloc(pool->ring_size, sizeof(*ring));

	assert_non_null(ring);
	assert_int_equal(compile_ring(pool, pool->ring_size, ring), 0);
	if (before)
		compile_ring_follow(&model, before, before_size, now_s, ring, pool->ring_size);
	return ring;
}

static struct weir_slot *make_ring(const struct model_pool *pool, const struct weir_slot *before)
{
	return follow_ring(pool, before, pool->ring_size, 0);
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
	struct model_pool empty = make_pool(0, 1021), dead = make_pool(3, 1021);
	struct weir_slot *before AUTO_FREE = make_ring(&dead, NULL), *ring AUTO_FREE = make_ring(&empty, NULL);
	struct weir_slot *after AUTO_FREE = NULL, *none AUTO_FREE = calloc(1021, sizeof(*none));

	(void)state;
	assert_memory_equal(ring, zero, sizeof(zero));
	for (size_t i = 0; i < 3; i++)
		set_service(&dead.backends[i], false, false);
	after = make_ring(&dead, before);
	assert_memory_equal(after, zero, sizeof(zero));
	assert_non_null(none);
	assert_int_equal(compile_ring(NULL, 1021, none), 0);
	assert_memory_equal(none, zero, sizeof(zero));
	free(empty.backends);
	free(dead.backends);
}

/* The last ones too: new flows find nobody, but those that there are go on. */
static void compile_ring_all_drained_keep_their_flows(void **state)
{
	struct model_pool pool = make_pool(3, 1021);
	struct weir_slot *before AUTO_FREE = make_ring(&pool, NULL), *after AUTO_FREE = NULL, *back AUTO_FREE = NULL;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		set_service(&pool.backends[i], false, true);
	after = make_ring(&pool, before);
	for (uint32_t i = 0; i < 1021; i++) {
		assert_int_equal(after[i].current, 0);
		assert_int_equal(after[i].previous, before[i].current);
		assert_int_equal(after[i].state, WEIR_SLOT_TRANSITION);
	}
	set_service(&pool.backends[0], true, true);
	back = make_ring(&pool, after);
	for (uint32_t i = 0; i < 1021; i++) {
		bool is_own = before[i].current == 1;

		assert_int_equal(back[i].current, 1);
		assert_int_equal(back[i].previous, is_own ? 0 : before[i].current);
		assert_int_equal(back[i].state, is_own ? WEIR_SLOT_EXCEPTIONS : WEIR_SLOT_TRANSITION);
	}
	free(pool.backends);
}

/* Where a flow of the old ring is found in the new one. */
static bool flow_stays(const struct weir_slot *old, uint32_t old_size, const struct weir_slot *new, uint32_t size,
		       uint32_t hash)
{
	const struct weir_slot *slot = &new[(uint64_t)hash * size >> 32];

	return (slot->previous ?: slot->current) == old[(uint64_t)hash * old_size >> 32].current;
}

static unsigned int count_broken(const struct weir_slot *old, uint32_t old_size, const struct weir_slot *new,
				 uint32_t size)
{
	unsigned int broken = 0;

	for (uint32_t flow = 0; flow < 10000; flow++)
		broken += !flow_stays(old, old_size, new, size, flow * 2654435761u);
	return broken;
}

static void compile_ring_one_backend_more_or_less_breaks_no_flow(void **state)
{
	static const size_t steps[] = {1, 10, 40, 163, 655};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct model_pool pool = make_pool(steps[i] + 1, MODEL_RING_SIZE);
		struct weir_slot *few AUTO_FREE = NULL, *more AUTO_FREE = NULL, *drained AUTO_FREE = NULL;

		pool.backends_count--;
		few = make_ring(&pool, NULL);
		pool.backends_count++;
		more = make_ring(&pool, few);
		assert_int_equal(count_broken(few, MODEL_RING_SIZE, more, MODEL_RING_SIZE), 0);
		free(more);
		more = make_ring(&pool, NULL);
		set_service(&pool.backends[steps[i]], false, true);
		drained = make_ring(&pool, more);
		assert_int_equal(count_broken(more, MODEL_RING_SIZE, drained, MODEL_RING_SIZE), 0);
		free(pool.backends);
	}
}

/* An operator may do so. Flows beside the borders of the old slots are lost, a quarter of a new slot at each. */
static void compile_ring_another_size_keeps_what_lies_inside_its_slots(void **state)
{
	static const struct {
		uint32_t before, after;
		unsigned int broken;
	} rows[] = {{1021, 65537, 60}, {4093, 65537, 200}, {1021, 4093, 700}, {16381, 65537, 700}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(10, rows[i].before);
		struct weir_slot *before AUTO_FREE = make_ring(&pool, NULL), *after AUTO_FREE = NULL;

		pool.ring_size = rows[i].after;
		after = follow_ring(&pool, before, rows[i].before, 7);
		assert_in_range(count_broken(before, rows[i].before, after, rows[i].after), 0, rows[i].broken);
		free(pool.backends);
	}
}

/* The second when a slot became unsettled stays with it. */
static void compile_ring_slot_keeps_the_second_when_it_became_unsettled(void **state)
{
	enum { SETTLED = WEIR_SLOT_SETTLED, TRANSITION, EXCEPTIONS };
	static const struct {
		struct weir_slot before;
		uint16_t now_s, since_s;
	} rows[] = {
		{{3, 0, SETTLED, 0, 0}, 0, 0},		{{3, 0, SETTLED, 0, 0}, 500, 0},
		{{2, 0, SETTLED, 0, 0}, 500, 500},	{{2, 1, TRANSITION, 0, 400}, 500, 400},
		{{3, 2, TRANSITION, 0, 400}, 500, 400}, {{3, 0, EXCEPTIONS, 0, 400}, 500, 400},
		{{2, 1, EXCEPTIONS, 0, 400}, 500, 400}, {{2, 1, TRANSITION, 0, 65000}, 100, 65000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(3, 1);
		struct weir_slot *after AUTO_FREE = NULL;

		set_service(&pool.backends[0], false, true);
		set_service(&pool.backends[1], false, true);
		after = follow_ring(&pool, &rows[i].before, 1, rows[i].now_s);
		if (after->since_s != rows[i].since_s)
			fail_msg("row %zu: since %u", i, after->since_s);
		free(pool.backends);
	}
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
		{{B, 0, SETTLED, 0, 0}, B, "A", {B, 0, SETTLED, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, B, "A", {B, A, TRANSITION, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, B, "", {B, 0, EXCEPTIONS, 0, 0}},
		{{B, GONE, TRANSITION, 0, 0}, B, "A", {B, 0, EXCEPTIONS, 0, 0}},
		{{B, 0, EXCEPTIONS, 0, 0}, B, "A", {B, 0, EXCEPTIONS, 0, 0}},
		/* it changes and the old one lives */
		{{B, 0, SETTLED, 0, 0}, C, "B", {C, B, TRANSITION, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, C, "AB", {C, A, TRANSITION, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, C, "B", {C, B, TRANSITION, 0, 0}},
		{{B, GONE, TRANSITION, 0, 0}, C, "AB", {C, B, TRANSITION, 0, 0}},
		{{B, 0, EXCEPTIONS, 0, 0}, C, "AB", {C, B, TRANSITION, 0, 0}},
		/* it flaps back */
		{{B, A, TRANSITION, 0, 0}, A, "B", {A, 0, EXCEPTIONS, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, A, "", {A, 0, EXCEPTIONS, 0, 0}},
		{{B, 0, EXCEPTIONS, 0, 0}, A, "B", {A, B, TRANSITION, 0, 0}},
		{{B, 0, EXCEPTIONS, 0, 0}, A, "", {A, 0, EXCEPTIONS, 0, 0}},
		/* it changes and the old one is dead */
		{{B, 0, SETTLED, 0, 0}, C, "A", {C, 0, SETTLED, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, C, "A", {C, A, TRANSITION, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, C, "", {C, 0, EXCEPTIONS, 0, 0}},
		{{GONE, A, TRANSITION, 0, 0}, C, "A", {C, A, TRANSITION, 0, 0}},
		{{B, 0, EXCEPTIONS, 0, 0}, C, "A", {C, 0, EXCEPTIONS, 0, 0}},
		/* nobody served before */
		{{0, 0, SETTLED, 0, 0}, C, "AB", {C, 0, SETTLED, 0, 0}},
		{{0, A, TRANSITION, 0, 0}, C, "A", {C, A, TRANSITION, 0, 0}},
		{{0, A, TRANSITION, 0, 0}, A, "", {A, 0, EXCEPTIONS, 0, 0}},
		{{0, A, TRANSITION, 0, 0}, C, "", {C, 0, EXCEPTIONS, 0, 0}},
		{{0, 0, EXCEPTIONS, 0, 0}, C, "A", {C, 0, EXCEPTIONS, 0, 0}},
		/* nobody serves now */
		{{B, 0, SETTLED, 0, 0}, 0, "B", {0, B, TRANSITION, 0, 0}},
		{{B, 0, SETTLED, 0, 0}, 0, "A", {0, 0, SETTLED, 0, 0}},
		{{B, A, TRANSITION, 0, 0}, 0, "A", {0, A, TRANSITION, 0, 0}},
		{{0, A, TRANSITION, 0, 0}, 0, "A", {0, A, TRANSITION, 0, 0}},
		{{0, A, TRANSITION, 0, 0}, 0, "", {0, 0, EXCEPTIONS, 0, 0}},
		{{0, 0, SETTLED, 0, 0}, 0, "A", {0, 0, SETTLED, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct model_pool pool = make_pool(3, 1);
		struct weir_slot *made AUTO_FREE = NULL, after;

		for (uint16_t id = A; id <= C; id++)
			set_service(&pool.backends[id - 1], id == rows[i].owner,
				    id == rows[i].owner || strchr(rows[i].alive, 'A' + id - A));
		made = make_ring(&pool, &rows[i].before);
		after = *made;
		if (memcmp(&after, &rows[i].after, sizeof(after)) != 0)
			fail_msg("row %zu: {%u, %u, %u}", i, after.current, after.previous, after.state);
		free(pool.backends);
	}
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
		cmocka_unit_test(compile_ring_all_drained_keep_their_flows),
		cmocka_unit_test(compile_ring_one_backend_more_or_less_breaks_no_flow),
		cmocka_unit_test(compile_ring_another_size_keeps_what_lies_inside_its_slots),
		cmocka_unit_test(compile_ring_slot_keeps_the_second_when_it_became_unsettled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
