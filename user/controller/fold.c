/* SPDX-License-Identifier: BSD-2-Clause */
/* Has live entries folded into the address tables when that is due. */
#include "fold.h"
#include "change.h"
#include "../base/clock.h"
#include "../base/log.h"

bool fold_is_due(struct fold_schedule *schedule, const struct reconcile_folding *folding, uint64_t now_ms)
{
	if (folding->changes != schedule->changes) {
		schedule->changes = folding->changes;
		schedule->last_ms = now_ms;
		if (!schedule->first_ms)
			schedule->first_ms = now_ms;
	}
	if (!schedule->first_ms || folding->waiting + folding->tombstones < RECONCILE_FOLD_LEAST ||
	    (now_ms - schedule->last_ms < FOLD_QUIET_MS && now_ms - schedule->first_ms < FOLD_LATE_MS))
		return false;
	schedule->first_ms = 0;
	return true;
}

static void on_folded(struct change *change)
{
	struct reconcile_folding now = reconcile_folding(change->controller->reconcile);

	if (change->error)
		log_error("live entries stay beside the address tables: %s", change->problem.text);
	else
		log_info("%zu live entries are in the address tables, %zu beside them: generation %u is live after "
			 "%llu ms",
			 now.folded, now.overlay, reconcile_generation(change->controller->reconcile),
			 (unsigned long long)clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS - change->now_ms);
}

/* Another change that is under way folds, too. */
void fold_keep(struct controller *controller)
{
	struct reconcile_folding folding = reconcile_folding(controller->reconcile);
	uint64_t now_ms = (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS);
	struct change *change;

	if (!controller->filter || controller->changes || !fold_is_due(&controller->fold, &folding, now_ms))
		return;
	change = change_new(controller, CHANGE_FOLD, on_folded);
	if (change)
		change_queue(change);
	else
		log_error("out of memory: live entries stay beside the address tables");
}
