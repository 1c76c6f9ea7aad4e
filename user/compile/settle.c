/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the slots of a ring come to rest after a change: by the clock until every flow that is not silent has been seen,
 * then when none of the flows that were recorded is left. So a flow is found for as long as it lives, and slots where
 * nothing is left to find cost no look-up.
 */
#include "compile.h"

#include <string.h>

/* A packet that saw the slot in transition may still be recorded. */
#define GRACE_MS  1000
#define CLOSING_S 60

/* As they are stored: whole. */
typedef uint64_t __attribute__((may_alias)) slot_word;

static struct weir_slot slot_load(const struct weir_slot *from)
{
	uint64_t word = __atomic_load_n((const slot_word *)from, __ATOMIC_RELAXED);
	struct weir_slot slot;

	memcpy(&slot, &word, sizeof(slot));
	return slot;
}

static void slot_store(struct weir_slot *to, struct weir_slot slot)
{
	uint64_t word;

	memcpy(&word, &slot, sizeof(word));
	__atomic_store_n((slot_word *)to, word, __ATOMIC_RELAXED);
}

static bool is_exception(const struct compile_settling *settling, uint64_t way, struct weir_slot slot)
{
	uint16_t quiet_s = settling->now_s - WEIR_FLOW_SECOND(way);
	uint32_t most_s = way & WEIR_FLOW_CLOSING ? CLOSING_S : settling->idle_s;

	return slot.state != WEIR_SLOT_SETTLED && WEIR_FLOW_BACKEND(way) != slot.current && quiet_s <= most_s &&
	       quiet_s <= (uint16_t)(settling->now_s - slot.since_s);
}

void compile_ring_hold(const struct compile_settling *settling, const struct weir_flow_line *lines, size_t count,
		       const struct weir_slot *slots, uint32_t size, uint64_t *held)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < WEIR_FLOW_WAYS; j++) {
			uint64_t way = __atomic_load_n(&lines[i].way[j], __ATOMIC_RELAXED);
			uint32_t slot;

			if (!WEIR_FLOW_BACKEND(way))
				continue;
			slot = weir_flow_slot(WEIR_FLOW_TAG_OF(way), size);
			if (is_exception(settling, way, slots[slot]))
				held[slot / 64] |= 1ull << slot % 64;
		}
	}
}

void compile_flows_forget(const struct compile_settling *settling, struct weir_flow_line *lines, size_t count)
{
	uint16_t now_s = settling->now_s;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < WEIR_FLOW_WAYS; j++) {
			__u64 *way = &lines[i].way[j], value = __atomic_load_n(way, __ATOMIC_RELAXED);

			if (WEIR_FLOW_BACKEND(value) && (uint16_t)(now_s - WEIR_FLOW_SECOND(value)) > COMPILE_AGE_MAX_S)
				__atomic_compare_exchange_n(way, &value, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		}
	}
}

/* What was recorded since the slot became unsettled is heeded: drawn along, so that its age does not wrap. Flows that
 * have been silent for longer are given up. */
static uint16_t draw_along(uint16_t since_s, uint16_t now_s)
{
	return (uint16_t)(now_s - since_s) > COMPILE_AGE_MAX_S ? (uint16_t)(now_s - COMPILE_AGE_MAX_S) : since_s;
}

/* What becomes of a slot that has been so for age_ms; held: by flows, or nobody knows. */
static struct weir_slot move_on(const struct compile_settling *settling, struct weir_slot slot, uint32_t age_ms,
				bool is_held)
{
	if (slot.state == WEIR_SLOT_TRANSITION && age_ms >= settling->settle_ms) {
		slot.state = WEIR_SLOT_EXCEPTIONS;
		slot.previous = 0;
	} else if (slot.state == WEIR_SLOT_EXCEPTIONS && age_ms >= GRACE_MS && !is_held) {
		return (struct weir_slot){.current = slot.current};
	}
	slot.since_s = draw_along(slot.since_s, settling->now_s);
	return slot;
}

size_t compile_ring_settle(const struct compile_settling *settling, const uint64_t *held, struct weir_slot *slots,
			   uint32_t *changed_ms, uint32_t size)
{
	uint32_t now_ms = (uint32_t)settling->now_ms ?: 1; /* 0 stands for none */
	size_t unsettled = 0;

	for (uint32_t i = 0; i < size; i++) {
		struct weir_slot before = slot_load(&slots[i]), after;

		if (before.state == WEIR_SLOT_SETTLED)
			continue;
		if (!changed_ms[i])
			changed_ms[i] = now_ms;
		after = move_on(settling, before, now_ms - changed_ms[i], !held || held[i / 64] >> i % 64 & 1);
		if (after.state != before.state)
			changed_ms[i] = now_ms;
		if (memcmp(&after, &before, sizeof(after)) != 0)
			slot_store(&slots[i], after);
		unsettled += after.state != WEIR_SLOT_SETTLED;
	}
	return unsettled;
}
