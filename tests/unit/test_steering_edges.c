/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows that go from one edge to another (the network's choice changed) while both learn of a change of the backends,
 * the second one later. In slots that the change left alone no flow may be lost. In the others some are: the edges do
 * not tell each other what they recorded. How many is printed, and bounded.
 */
#include "steering_ring.h"

#include <stdio.h>

#include "chance.h"
#include "pool.h"
#include "user/base/scope.h"

#define BACKENDS 30
#define FLOWS	 60000
#define CHANGE_S 100000
#define LAG_S	 5    /* the second edge's checks find it later */
#define SPAN_S	 3600 /* flows begin so long before and behind the change, and go to the other edge within it */
#define STEP_S	 60
#define FIRST_S	 (CHANGE_S - SPAN_S)
#define LAST_S	 (CHANGE_S + 3 * SPAN_S)
#define NONE	 UINT32_MAX

struct flow {
	uint64_t hash;
	uint64_t next_s, move_s, end_s;
	uint32_t gap_s;
	uint16_t backend; /* 0: not yet begun; else the first edge's choice */
	uint32_t after;	  /* the next that talks in the same second, or NONE */
};

/* Those that talk in each second: the first of a list. */
static uint32_t due[LAST_S - FIRST_S];

struct outcome {
	unsigned int moved, unlucky; /* came to another backend than their own, which lives */
};

static void add_backend(struct model_pool *pool)
{
	pool->backends_count = BACKENDS;
}

static void drain_backend(struct model_pool *pool)
{
	pool->backends[3].takes_new = false;
}

static void lose_backend(struct model_pool *pool)
{
	pool->backends[3].takes_new = pool->backends[3].keeps_old = false;
}

static void queue(struct flow *flows, uint32_t index)
{
	struct flow *flow = &flows[index];

	if (flow->next_s >= LAST_S)
		return;
	flow->after = due[flow->next_s - FIRST_S];
	due[flow->next_s - FIRST_S] = index;
}

static void begin_flows(struct flow *flows, struct chance *chance)
{
	memset(due, UINT8_MAX, sizeof(due));
	for (uint32_t i = 0; i < FLOWS; i++) {
		uint64_t start_s = FIRST_S + chance_below(chance, 2 * SPAN_S);

		flows[i] = (struct flow){.hash = chance_word(chance), .next_s = start_s};
		flows[i].gap_s = 10 + chance_below(chance, 50);
		flows[i].move_s = start_s + 1 + chance_below(chance, SPAN_S);
		flows[i].end_s = flows[i].move_s + chance_below(chance, SPAN_S);
		queue(flows, i);
	}
}

static void talk(struct flow *flow, const struct steering_ring edges[2], const struct model_pool *pool,
		 const bool *changed, struct outcome *outcome)
{
	bool has_moved = flow->backend && flow->next_s >= flow->move_s;
	const struct steering_edge *at = &edges[has_moved].edge;
	uint32_t backend = steering_send(at, flow->hash, flow->backend ? STEERING_ACK : STEERING_SYN, flow->next_s);

	if (!flow->backend)
		flow->backend = (uint16_t)backend;
	outcome->moved += has_moved && flow->next_s - flow->gap_s < flow->move_s;
	flow->next_s += flow->gap_s;
	if (flow->next_s > flow->end_s)
		flow->next_s = UINT64_MAX;
	if (backend == flow->backend)
		return;
	flow->next_s = UINT64_MAX; /* reset */
	if (!pool->backends[flow->backend - 1].keeps_old)
		return;
	if (!has_moved || !changed[weir_flow_slot(WEIR_FLOW_TAG(flow->hash), STEERING_RING)])
		fail_msg("a flow of backend %u went to %u", flow->backend, backend);
	outcome->unlucky++;
}

/* Which slots the change gives to another backend. */
static void note_changed(const struct steering_ring *ring, bool *changed)
{
	for (uint32_t i = 0; i < STEERING_RING; i++)
		changed[i] = ring->before[i].current != ring->edge.slots[i].current;
}

static struct outcome pass_by(void (*change)(struct model_pool *pool))
{
	struct chance chance = {.state = 11};
	struct model_pool pool = make_pool(BACKENDS, STEERING_RING);
	struct flow *flows AUTO_FREE = calloc(FLOWS, sizeof(*flows));
	bool *changed AUTO_FREE = calloc(STEERING_RING, sizeof(*changed));
	struct steering_ring edges[2];
	struct outcome outcome = {0};

	assert_true(flows && changed);
	pool.backends_count -= change == add_backend;
	begin_flows(flows, &chance);
	for (int i = 0; i < 2; i++) {
		steering_ring_open(&edges[i]);
		steering_ring_change(&edges[i], &pool, FIRST_S);
	}
	for (uint64_t now_s = FIRST_S; now_s < LAST_S; now_s++) {
		if (now_s == CHANGE_S)
			change(&pool);
		for (int i = 0; i < 2; i++)
			if (now_s == CHANGE_S + (uint64_t)i * LAG_S)
				steering_ring_change(&edges[i], &pool, now_s);
		if (now_s == CHANGE_S)
			note_changed(&edges[0], changed);
		for (uint32_t index = due[now_s - FIRST_S], after; index != NONE; index = after) {
			after = flows[index].after;
			talk(&flows[index], edges, &pool, changed, &outcome);
			queue(flows, index);
		}
		for (int i = 0; i < 2 && now_s % STEP_S == 0; i++)
			steering_ring_settle(&edges[i], now_s);
	}
	for (int i = 0; i < 2; i++)
		steering_ring_close(&edges[i]);
	free(pool.backends);
	return outcome;
}

static void steering_fault_32_flow_that_moves_to_another_edge_is_safe_in_slots_that_did_not_change(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct model_pool *pool);
	} rows[] = {{"one more", add_backend}, {"one drained", drain_backend}, {"one lost", lose_backend}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome outcome = pass_by(rows[i].change);
		double rate = 100.0 * outcome.unlucky / outcome.moved;

		print_message("%d backends, %s: of %u flows that went to another edge within an hour of the change, %u "
			      "came to another backend (%.2f %%)\n",
			      BACKENDS, rows[i].name, outcome.moved, outcome.unlucky, rate);
		assert_true(outcome.moved > FLOWS / 2);
		assert_true(rate < 100.0 / BACKENDS); /* the part of the slots that changes */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			steering_fault_32_flow_that_moves_to_another_edge_is_safe_in_slots_that_did_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
