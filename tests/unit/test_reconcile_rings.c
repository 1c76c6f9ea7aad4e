/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of user/reconcile on the running kernel: rings replaced, carried from one generation to the next, settled. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ring.h"

#define SETTLE_MS 1000

static void reconcile_health_down_takes_the_backend_out_of_its_rings(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	uint32_t a = backend_id(&edge, "near/a"), z = backend_id(&edge, "far/z");

	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	for (uint32_t service = 0; service < 2; service++)
		assert_int_equal(count_slots(&edge, service, a, -1), 0);
	set_health(pinned, &edge, "near/b", WEIR_HEALTH_DOWN);
	set_health(pinned, &edge, "near/c", WEIR_HEALTH_DOWN);
	assert_true(count_slots(&edge, 0, z, -1) > 0);			     /* www falls back to the second pool */
	assert_int_equal(count_slots(&edge, 1, 0, -1), ring_size(&edge, 1)); /* dns has none */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(count_slots(&edge, 1, backend_id(&edge, i ? "near/b" : "near/c"), -1), 0);
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_UP);
	assert_int_equal(count_slots(&edge, 0, a, -1), ring_size(&edge, 0));
	assert_int_equal(count_slots(&edge, 1, a, -1), ring_size(&edge, 1));
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	stop(&edge);
}

static void reconcile_drain_transition_settles_in_two_steps(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	uint32_t a = backend_id(&edge, "near/a"), counts[3];
	size_t moved = count_slots(&edge, 0, a, -1);
	struct ring ring;

	assert_int_equal(reconcile_backend_admin(edge.reconcile, "near/a", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	assert_int_equal(count_slots(&edge, 0, a, -1), 0);
	assert_true(count_slots(&edge, 0, 0, WEIR_SLOT_TRANSITION) >= moved);
	ring = read_ring(&edge, 0);
	for (size_t i = 0, of_a = 0; i < ring.size; i++) {
		of_a += ring.slots[i].previous == a;
		if (i + 1 == ring.size)
			assert_int_equal(of_a, moved);
	}
	free(ring.slots);
	reconcile_tick(edge.reconcile, 5000);
	reconcile_tick(edge.reconcile, 5000 + SETTLE_MS - 1);
	reconcile_ring_counts(edge.reconcile, 0, counts);
	assert_true(counts[WEIR_SLOT_TRANSITION] >= moved);
	reconcile_tick(edge.reconcile, 5000 + SETTLE_MS);
	reconcile_ring_counts(edge.reconcile, 0, counts);
	assert_int_equal(counts[WEIR_SLOT_TRANSITION], 0);
	assert_true(counts[WEIR_SLOT_EXCEPTIONS] >= moved);
	ring = read_ring(&edge, 0);
	for (size_t i = 0; i < ring.size; i++)
		assert_int_equal(ring.slots[i].previous, 0);
	free(ring.slots);
	reconcile_tick(edge.reconcile, 5000 + 2 * SETTLE_MS);
	assert_int_equal(count_slots(&edge, 0, 0, WEIR_SLOT_SETTLED), ring_size(&edge, 0));
	stop(&edge);
}

/* With the same process and with a new one, which has only the tables to go by. */
static void reconcile_apply_carries_transitions_over(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct ring before, after;

	assert_int_equal(reconcile_backend_admin(edge.reconcile, "near/a", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	before = read_ring(&edge, 0);
	for (int round = 0; round < 2; round++) {
		apply_yaml(pinned, &edge, yaml_two_pools);
		after = read_ring(&edge, 0);
		assert_int_equal(after.size, before.size);
		assert_memory_equal(after.slots, before.slots, before.size * sizeof(*before.slots));
		free(after.slots);
		stop(&edge);
		edge = start(pinned);
	}
	free(before.slots);
	stop(&edge);
}

static void expect_ring_from(const struct ring *before, const struct ring *after, uint32_t current)
{
	assert_int_equal(after->size, before->size);
	for (size_t i = 0; i < after->size; i++) {
		assert_int_equal(after->slots[i].current, current);
		assert_int_equal(after->slots[i].previous, before->slots[i].current);
		assert_int_equal(after->slots[i].state, WEIR_SLOT_TRANSITION);
	}
}

/* www falls back to the pool far while all of near drains, dns to nobody: the flows that there are stay. */
static void reconcile_drain_of_a_whole_pool_keeps_its_flows(void **state)
{
	static const char *const names[] = {"near/a", "near/b", "near/c"};
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	uint32_t z = backend_id(&edge, "far/z");
	struct ring www = {}, dns = {}, after;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (i == 2) { /* all are c's now, or still in transition to it */
			reconcile_tick(edge.reconcile, 1000);
			reconcile_tick(edge.reconcile, 1000 + SETTLE_MS);
			reconcile_tick(edge.reconcile, 1000 + 2 * SETTLE_MS);
			www = read_ring(&edge, 0);
			dns = read_ring(&edge, 1);
		}
		assert_int_equal(reconcile_backend_admin(edge.reconcile, names[i], WEIR_ADMIN_DRAIN, &pinned->problem),
				 0);
	}
	after = read_ring(&edge, 0);
	expect_ring_from(&www, &after, z);
	free(after.slots);
	after = read_ring(&edge, 1);
	expect_ring_from(&dns, &after, 0);
	free(after.slots);
	/* A new process and a new generation know it too; then www comes back from far. */
	stop(&edge);
	edge = start_applied(pinned);
	after = read_ring(&edge, 0);
	expect_ring_from(&www, &after, z);
	free(after.slots);
	reconcile_tick(edge.reconcile, 1000);
	reconcile_tick(edge.reconcile, 1000 + SETTLE_MS);
	reconcile_tick(edge.reconcile, 1000 + 2 * SETTLE_MS);
	assert_int_equal(count_slots(&edge, 0, z, WEIR_SLOT_SETTLED), www.size);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "near/a", WEIR_ADMIN_ENABLED, &pinned->problem), 0);
	after = read_ring(&edge, 0);
	for (size_t i = 0; i < after.size; i++)
		assert_int_equal(after.slots[i].previous, z);
	free(after.slots);
	free(www.slots);
	free(dns.slots);
	stop(&edge);
}

/* What happens to other pools does not start the settling of a ring anew. */
static void reconcile_settling_ends_while_another_pool_flaps(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);

	assert_int_equal(reconcile_backend_admin(edge.reconcile, "near/a", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	reconcile_tick(edge.reconcile, 1000);
	set_health(pinned, &edge, "far/z", WEIR_HEALTH_DOWN);
	reconcile_tick(edge.reconcile, 1000 + SETTLE_MS);
	assert_int_equal(count_slots(&edge, 0, 0, WEIR_SLOT_TRANSITION), 0);
	set_health(pinned, &edge, "far/z", WEIR_HEALTH_UP);
	reconcile_tick(edge.reconcile, 1000 + 2 * SETTLE_MS);
	assert_int_equal(count_slots(&edge, 0, 0, WEIR_SLOT_SETTLED), ring_size(&edge, 0));
	stop(&edge);
}

/* An eleventh backend, and an operator's other size. */
static void reconcile_apply_of_another_ring_keeps_the_flows_in_transition(void **state)
{
	static const char head[] = "pools:\n  p:\n    source: [10.9.0.1]\n",
			  tail[] = "services:\n  - {name: www, address: "
				   "[198.51.100.10], ports: "
				   "[tcp/80], pools: [p]}\n";
	static const char *const sizes[] = {"", "", "    ring_size: 16381\n"};
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	struct ring before = {}, after;

	for (size_t round = 0; round < ARRAY_SIZE(sizes); round++) {
		char yaml[2048];
		int length = snprintf(yaml, sizeof(yaml), "%s%s    backends:\n", head, sizes[round]);
		size_t kept = 0;

		for (size_t i = 0; i < 10 + round; i++)
			length += snprintf(yaml + length, sizeof(yaml) - (size_t)length,
					   "      - {name: b%zu, address: 10.9.0.%zu}\n", i, 20 + i);
		snprintf(yaml + length, sizeof(yaml) - (size_t)length, "%s", tail);
		apply_yaml(pinned, &edge, yaml);
		after = read_ring(&edge, 0);
		for (size_t i = 0; i < after.size && round; i++) {
			const struct weir_slot *old = &before.slots[(2 * i + 1) * before.size / (2 * after.size)];
			uint16_t known = old->previous ?: old->current;

			kept += after.slots[i].current == known || after.slots[i].previous == known ||
				after.slots[i].previous == old->current;
		}
		assert_int_equal(kept, round ? after.size : 0);
		free(before.slots);
		before = after;
	}
	free(before.slots);
	stop(&edge);
}

/* A plan that is built while backends go down and are drained: the generation that it becomes knows. */
static void reconcile_plan_takes_over_what_happened_while_it_was_built(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct reconcile_plan *plan = NULL, *other = NULL;
	struct config *config = parse(yaml_two_pools);
	uint32_t a = backend_id(&edge, "near/a"), b = backend_id(&edge, "near/b");
	struct ring before, after;

	assert_int_equal(reconcile_plan_open(edge.reconcile, &plan, &pinned->problem), 0);
	assert_int_equal(reconcile_plan_open(edge.reconcile, &other, &pinned->problem), -EBUSY);
	assert_int_equal(reconcile_plan_build(plan, config, NULL, &pinned->problem), 0);
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "near/b", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	before = read_ring(&edge, 0);
	assert_int_equal(reconcile_plan_commit(plan, config, &pinned->problem), 0);
	reconcile_plan_close(plan);
	assert_int_equal(reconcile_generation(edge.reconcile), 2);
	assert_int_equal(count_slots(&edge, 0, a, -1), 0);
	assert_int_equal(count_slots(&edge, 0, b, -1), 0);
	after = read_ring(&edge, 0);
	assert_int_equal(after.size, before.size);
	assert_memory_equal(after.slots, before.slots, before.size * sizeof(*before.slots));
	assert_false(reconcile_model(edge.reconcile)->pools[0].backends[0].takes_new);
	/* The model was taken over too: what comes back is in the ring again. */
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_UP);
	assert_true(count_slots(&edge, 0, a, -1) > 0);
	free(before.slots);
	free(after.slots);
	stop(&edge);
}

static void reconcile_plan_that_is_given_up_changes_nothing(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct config *config = parse("steering: {settle: 2s}\n");
	struct reconcile_plan *plan = NULL;
	uint32_t size = ring_size(&edge, 0);

	assert_int_equal(reconcile_plan_open(edge.reconcile, &plan, &pinned->problem), 0);
	assert_int_equal(reconcile_plan_build(plan, config, NULL, &pinned->problem), 0);
	reconcile_plan_close(plan);
	config_free(config);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	assert_int_equal(ring_size(&edge, 0), size);
	apply_yaml(pinned, &edge, yaml_two_pools);
	assert_int_equal(reconcile_generation(edge.reconcile), 2);
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_health_down_takes_the_backend_out_of_its_rings),
		PINNED_TEST(reconcile_drain_transition_settles_in_two_steps),
		PINNED_TEST(reconcile_apply_carries_transitions_over),
		PINNED_TEST(reconcile_plan_takes_over_what_happened_while_it_was_built),
		PINNED_TEST(reconcile_plan_that_is_given_up_changes_nothing),
		PINNED_TEST(reconcile_drain_of_a_whole_pool_keeps_its_flows),
		PINNED_TEST(reconcile_settling_ends_while_another_pool_flaps),
		PINNED_TEST(reconcile_apply_of_another_ring_keeps_the_flows_in_transition),
	};

	return PINNED_RUN(tests);
}
