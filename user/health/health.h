/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Health checks: TCP and HTTP probes on the loop, counted into consecutive rises and falls.
 *
 * The engine knows targets, not models: it is told what to check and reports changes. It never sleeps and never
 * blocks; a probe that outlives its timeout is a failure. Intervals are jittered by up to 10 % so that probes do
 * not march in step. Time comes from the monotonic clock, and a gap in it (the process was stopped) voids the
 * probes under way instead of failing them; so does a lack of descriptors or memory on this host.
 *
 * A target that is up goes down after `fall` failures in a row, one that is down comes up after `rise` successes.
 * From unknown the first success is enough for up (a start must not wait to serve), while down takes `fall`
 * failures. First probes are spread over the interval.
 */
#ifndef WEIR_HEALTH_H
#define WEIR_HEALTH_H

#include "../base/addr.h"
#include "../base/loop.h"
#include "../config/config.h"
#include <maps/object.h>

struct health_target {
	uint32_t backend_id;
	char name[WEIR_NAME_MAX];
	struct addr address;
	const struct config_health *check; /* borrowed: lives until the next health_set_targets */
	enum weir_health initial;	   /* where it starts: what was known before */
};

struct health_result {
	uint32_t backend_id;
	bool ok;
	uint64_t latency_us;
	char error[160]; /* why not, as a sentence part: "connection refused", "answered 500"; empty when ok */
	uint64_t checks, failures; /* so far */
	uint32_t streak;	   /* consecutive equal results */
	enum weir_health health;   /* after this result */
	bool changed;		   /* health differs from before */
};

struct health;

/* on_result is called for each finished probe. */
int health_open(uv_loop_t *loop, struct loop_http *http, void (*on_result)(void *arg, const struct health_result *),
		void *arg, struct health **out);
/* Cancels what is under way. The loop must run once more before it is closed itself. */
void health_close(struct health *health);
/* Replaces all targets; those without a check are left out. One that goes on under the same id, address and check
 * keeps its streak and state. 0, -ENOMEM, or -EINVAL when an id occurs twice; on failure the old targets go on. */
int health_set_targets(struct health *health, const struct health_target *targets, size_t count);
/* The last result of a backend; false when there is none yet. */
bool health_last(const struct health *health, uint32_t backend_id, struct health_result *out);

#endif
