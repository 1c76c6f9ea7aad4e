/* SPDX-License-Identifier: BSD-2-Clause */
/* That there is one controller only, and since when the counters count. Private to controller/. */
#ifndef WEIR_CONTROLLER_INSTANCE_H
#define WEIR_CONTROLLER_INSTANCE_H

#include "../base/problem.h"
#include <stdbool.h>
#include <stdint.h>

/* Locks STATE/lock, which holds the controller's pid; the lock lasts as long as the descriptor (>= 0) that is
 * returned. -EBUSY names the pid that has it. */
int instance_lock_state(const char *state_directory, struct problem *problem);
/* Locks the directory of pins, so that no second controller with another state directory writes the same tables. */
int instance_lock_pins(const char *pin_directory, struct problem *problem);

/* CLOCK_REALTIME in ns since when the pinned counters count: now when they are fresh, else as remembered. */
uint64_t instance_counters_since(const char *state_directory, bool fresh);

#endif
