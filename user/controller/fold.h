/* SPDX-License-Identifier: BSD-2-Clause */
/* When live entries are folded into the address tables: enough of them wait, and nobody is adding more just now. */
#ifndef WEIR_CONTROLLER_FOLD_H
#define WEIR_CONTROLLER_FOLD_H

#include "../reconcile/reconcile.h"

#define FOLD_QUIET_MS 2000  /* after the last change */
#define FOLD_LATE_MS  30000 /* after the first one, if there is no quiet */

/* Zero it to begin. */
struct fold_schedule {
	uint64_t changes;	    /* of the lists, as last seen */
	uint64_t first_ms, last_ms; /* when changes since the last attempt were seen; 0: none */
};

/* Call it every second. now_ms is of a monotonic clock and not 0. True once for a run of changes: whether it can be
 * done or not, it is not worth another attempt until something changes. */
bool fold_is_due(struct fold_schedule *schedule, const struct reconcile_folding *folding, uint64_t now_ms);

#endif
