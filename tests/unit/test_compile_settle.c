/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: how slots that changed come to rest, and which have exceptions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/compile/compile.h"

#define SIZE	  64
#define SETTLE_MS 10000
#define IDLE_S	  100

enum { SETTLED = WEIR_SLOT_SETTLED, TRANSITION, EXCEPTIONS };

static struct compile_settling at(uint64_t now_ms)
{
	return (struct compile_settling){
		.now_ms = now_ms, .now_s = (uint16_t)(now_ms / 1000), .settle_ms = SETTLE_MS, .idle_s = IDLE_S};
}

/* An entry of a flow in the slot, of a ring of SIZE. */
static uint64_t entry(uint32_t slot, uint32_t backend, uint16_t second, uint64_t flags)
{
	return (uint64_t)slot << (32 + 26) | flags | (uint64_t)backend << 16 | second;
}

static void compile_settle_slots_move_on_by_the_clock_and_then_when_nothing_holds_them(void **state)
{
	struct weir_slot slots[SIZE] = {{1, 2, TRANSITION, 0, 50}, {1, 2, TRANSITION, 0, 50}, {3, 0, SETTLED, 0, 0}};
	const struct weir_slot settled = {1, 0, SETTLED, 0, 0}, exceptions = {1, 0, EXCEPTIONS, 0, 50};
	uint32_t changed_ms[SIZE] = {0};
	const uint64_t nothing[1] = {0}, second[1] = {2};
	struct compile_settling now = at(60000);

	(void)state;
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 2);
	now = at(60000 + SETTLE_MS);
	slots[1] = (struct weir_slot){1, 4, TRANSITION, 0, 50}; /* it changed again a moment ago */
	changed_ms[1] = 60000 + 5000;
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 2);
	assert_memory_equal(&slots[0], &exceptions, sizeof(exceptions));
	assert_int_equal(slots[1].state, TRANSITION);
	assert_int_equal(slots[1].previous, 4);
	now = at(60000 + 5000 + SETTLE_MS); /* what holds it is not known */
	assert_int_equal(compile_ring_settle(&now, NULL, slots, changed_ms, SIZE), 2);
	assert_memory_equal(&slots[0], &exceptions, sizeof(exceptions));
	assert_memory_equal(&slots[1], &exceptions, sizeof(exceptions));
	now = at(90000);
	assert_int_equal(compile_ring_settle(&now, second, slots, changed_ms, SIZE), 1);
	assert_memory_equal(&slots[0], &settled, sizeof(settled));
	assert_memory_equal(&slots[1], &exceptions, sizeof(exceptions));
	now = at(90000 + 3600000);
	assert_int_equal(compile_ring_settle(&now, second, slots, changed_ms, SIZE), 1);
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 0);
	assert_memory_equal(&slots[1], &settled, sizeof(settled));
	assert_int_equal(slots[2].current, 3);
}

/* A packet that saw the slot in transition may be recorded a moment after it is there no more. */
static void compile_settle_slot_has_exceptions_for_a_second_at_least(void **state)
{
	struct weir_slot slots[SIZE] = {{1, 2, TRANSITION, 0, 50}};
	uint32_t changed_ms[SIZE] = {60001 - SETTLE_MS};
	const uint64_t nothing[1] = {0};
	struct compile_settling now = at(60001);

	(void)state;
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 1);
	now = at(60001 + 999);
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 1);
	now = at(60001 + 1000);
	assert_int_equal(compile_ring_settle(&now, nothing, slots, changed_ms, SIZE), 0);
}

/* Ages are told modulo 2^16 seconds: no slot's comes near. */
static void compile_settle_age_of_a_slot_is_bounded(void **state)
{
	static const struct {
		uint16_t since_s, after_s;
		uint64_t now_s;
	} rows[] = {
		{400, 400, 500},
		{400, 400, 400 + COMPILE_AGE_MAX_S},
		{400, 401, 400 + COMPILE_AGE_MAX_S + 1},
		{65000, 65000, 65536 + 100},
		{65000, 40000 - COMPILE_AGE_MAX_S, 65536 + 40000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct weir_slot slots[SIZE] = {{1, 0, EXCEPTIONS, 0, rows[i].since_s}};
		uint32_t changed_ms[SIZE] = {1};
		struct compile_settling now = at(rows[i].now_s * 1000);

		compile_ring_settle(&now, NULL, slots, changed_ms, SIZE);
		if (slots[0].since_s != rows[i].after_s)
			fail_msg("row %zu: since %u", i, slots[0].since_s);
	}
}

static void compile_settle_slot_is_held_by_live_flows_of_other_backends(void **state)
{
	enum { NOW_S = 1000, SINCE_S = 500 };
	static const struct {
		uint32_t backend;
		unsigned int quiet_s;
		uint64_t flags;
		uint8_t slot_state;
		bool holds;
	} rows[] = {
		{2, 0, WEIR_FLOW_SEEN_AGAIN, EXCEPTIONS, true},
		{2, 0, 0, EXCEPTIONS, true},
		{2, 0, 0, TRANSITION, true},
		{2, 0, 0, SETTLED, false},
		{1, 0, WEIR_FLOW_SEEN_AGAIN, EXCEPTIONS, false}, /* where the slot would send it anyway */
		{0, 0, 0, EXCEPTIONS, false},			 /* empty */
		{2, IDLE_S, 0, EXCEPTIONS, true},
		{2, IDLE_S + 1, 0, EXCEPTIONS, false},
		{2, 60, WEIR_FLOW_CLOSING, EXCEPTIONS, true},
		{2, 61, WEIR_FLOW_CLOSING, EXCEPTIONS, false},
		{2, NOW_S - SINCE_S + 1, 0, EXCEPTIONS, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct weir_slot slots[SIZE] = {0};
		struct weir_flow_line lines[3] = {0};
		uint64_t held[1] = {0};
		struct compile_settling now = at(NOW_S * 1000);

		slots[40] = (struct weir_slot){1, 0, rows[i].slot_state, 0, SINCE_S};
		lines[1].way[7] = entry(40, rows[i].backend, NOW_S - rows[i].quiet_s, rows[i].flags);
		compile_ring_hold(&now, lines, 3, slots, SIZE, held);
		if (held[0] != (rows[i].holds ? 1ull << 40 : 0))
			fail_msg("row %zu: held %#lx", i, (unsigned long)held[0]);
	}
}

/* Else one that nobody has seen for 18 hours would look young, and keep its place from one that is. */
static void compile_settle_flows_are_forgotten_before_their_ages_wrap(void **state)
{
	static const struct {
		uint16_t second;
		bool stays;
	} rows[] = {{1000, true},
		    {1000 - 100, true},
		    {(uint16_t)(1000 - COMPILE_AGE_MAX_S), true},
		    {(uint16_t)(1000 - COMPILE_AGE_MAX_S - 1), false},
		    {1000 + 20000, false}};
	struct compile_settling now = at(65536000 + 1000000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct weir_flow_line lines[2] = {0};

		lines[1].way[3] = entry(5, 9, rows[i].second, WEIR_FLOW_SEEN_AGAIN);
		compile_flows_forget(&now, lines, 2);
		if ((lines[1].way[3] != 0) != rows[i].stays)
			fail_msg("row %zu: %#lx", i, (unsigned long)lines[1].way[3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_settle_slots_move_on_by_the_clock_and_then_when_nothing_holds_them),
		cmocka_unit_test(compile_settle_slot_has_exceptions_for_a_second_at_least),
		cmocka_unit_test(compile_settle_age_of_a_slot_is_bounded),
		cmocka_unit_test(compile_settle_slot_is_held_by_live_flows_of_other_backends),
		cmocka_unit_test(compile_settle_flows_are_forgotten_before_their_ages_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
