/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of live entries that come and go while one generation follows the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "folding.h"

/* What was asked for, of some prefixes of three lengths. The first ones stay. */
#define STAYING 70
#define PLACES	(STAYING + 60)
enum { NOT_THERE, LASTING, ENDING };
struct wish {
	int state[PLACES][2]; /* denied, allowed */
	unsigned int seed;
};

static const char *place_text(unsigned int place, char text[32])
{
	static const unsigned int lengths[] = {32, 28, 24};

	snprintf(text, 32, "10.1.%u.0/%u", place, lengths[place % 3]);
	return text;
}

static void change_some(struct pinned *pinned, struct edge *edge, struct wish *wish, unsigned int count)
{
	for (; count; count--) {
		unsigned int place = STAYING + rand_r(&wish->seed) % (PLACES - STAYING),
			     which = rand_r(&wish->seed) % 2;
		int now = rand_r(&wish->seed) % 3, *before = &wish->state[place][which];
		char text[32];
		struct reconcile_ban ban = ban_of(place_text(place, text), which ? WEIR_BAN_ALLOW : WEIR_BAN_DENY,
						  now == ENDING ? 3600 : 0, "");

		if (now)
			assert_int_equal(reconcile_ban_add(edge->reconcile, &ban, 1, &pinned->problem), 0);
		else
			assert_int_equal(
				reconcile_ban_delete(edge->reconcile, ban.list, &ban.prefix, 1, &pinned->problem),
				*before ? 0 : -ENOENT);
		*before = now;
	}
}

/* With the tables of a generation that packets may see. */
static void expect_wish(const struct edge *edge, const struct wish *wish, uint32_t generation, const char *when)
{
	struct folded_view view = read_view(edge, generation);
	char text[32];

	for (unsigned int place = 0; place < PLACES; place++)
		for (int which = 0; which < 2; which++)
			if (acts(edge, &view, place_text(place, text), which ? WEIR_BAN_ALLOW : WEIR_BAN_DENY) !=
			    (wish->state[place][which] != NOT_THERE))
				fail_msg("%s: %s is %d on list %d", text, when, !wish->state[place][which], which);
	free(view.entries);
}

/* From one generation to the next, by hand: what comes and goes at any time acts at once, also for packets that are
 * still in the old one. Every third plan is given up. */
static void reconcile_turn_changes_while_a_plan_is_made_act_at_once(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct wish wish = {.seed = 1};

	for (unsigned int place = 0; place < STAYING; place++) {
		char text[32];
		struct reconcile_ban ban = ban_of(place_text(place, text), WEIR_BAN_DENY, 0, "");

		wish.state[place][0] = LASTING;
		assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	}
	for (unsigned int round = 0; round < 24; round++) {
		uint32_t old = reconcile_generation(edge.reconcile);
		struct reconcile_plan *plan = NULL;

		change_some(pinned, &edge, &wish, 5);
		assert_int_equal(reconcile_plan_open(edge.reconcile, &plan, &pinned->problem), 0);
		change_some(pinned, &edge, &wish, 5);
		assert_int_equal(reconcile_plan_build(plan, NULL, NULL, &pinned->problem), 0);
		change_some(pinned, &edge, &wish, 5);
		expect_wish(&edge, &wish, old, "before the flip");
		if (round % 3 < 2) {
			assert_int_equal(reconcile_plan_commit(plan, NULL, &pinned->problem), 0);
			expect_wish(&edge, &wish, old, "right behind the flip, in the old tables");
			expect_wish(&edge, &wish, old + 1, "right behind the flip, in the new tables");
			change_some(pinned, &edge, &wish, 5);
			expect_wish(&edge, &wish, old, "behind the flip, in the old tables");
			expect_wish(&edge, &wish, old + 1, "behind the flip, in the new tables");
			reconcile_plan_await(plan);
		}
		reconcile_plan_close(plan);
		expect_wish(&edge, &wish, reconcile_generation(edge.reconcile), "at the end");
		assert_int_equal(reconcile_folding(edge.reconcile).overlay, kernel_keys(&edge));
	}
	stop(&edge);
	edge = start(pinned);
	expect_wish(&edge, &wish, reconcile_generation(edge.reconcile), "in the next controller");
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_turn_changes_while_a_plan_is_made_act_at_once),
	};

	return PINNED_RUN(tests);
}
