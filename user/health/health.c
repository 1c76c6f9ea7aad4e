/* SPDX-License-Identifier: BSD-2-Clause */
/* The health engine: when to probe which target, and what its results add up to. */
#include "health.h"
#include "probe.h"
#include "../base/log.h"
#include "../base/scope.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS	1000000ull
#define JITTER_PERCENT	10
#define LATE_IN_ROW_MAX 2

struct target {
	struct health *health;
	struct addr address;
	struct config_health check;
	bool is_running;     /* the timer is open */
	uv_timer_t timer;    /* to the next probe, or to the timeout of the one under way */
	struct probe *probe; /* under way, or NULL */
	uint64_t due_ns;     /* when the timer should fire */
	uint64_t started_ns; /* of the probe under way or the last one */
	bool is_last_look;   /* the probe under way has timed out; its socket is read once more */
	unsigned int late_in_row;
	struct health_result last; /* health and backend_id are valid before the first result too */
};

struct health {
	uv_loop_t *loop;
	struct loop_http *http;
	void (*on_result)(void *arg, const struct health_result *result);
	void *arg;
	struct target **targets; /* by ascending backend_id */
	size_t count;
	bool is_starved; /* told that this host lacks what probes need */
};

static void target_arm(struct target *target, uint64_t delay_ns);
static void target_arm_spread(struct target *target);
static void target_probe(struct target *target);
static void target_finish(void *arg, const struct probe_outcome *outcome);

static uint64_t random_below(uint64_t limit)
{
	uint64_t value = 0;

	/* Only spreads load: a failure leaves 0, which is a valid choice. */
	uv_random(NULL, NULL, &value, sizeof(value), 0, NULL);
	return limit ? value % limit : 0;
}

static uint64_t jittered_ns(uint32_t interval_ms)
{
	uint64_t interval_ns = interval_ms * NS_PER_MS, jitter_ns = interval_ns * JITTER_PERCENT / 100;

	return interval_ns - jitter_ns + random_below(2 * jitter_ns + 1);
}

/* Whether the loop did not look at the clock in time: the process was stopped, or starved of CPU. A loop that is
 * always late would never find anything dead, so lateness excuses only a few probes in a row. */
static bool was_away(struct target *target, uint64_t latest_ns)
{
	return uv_hrtime() > latest_ns && ++target->late_in_row <= LATE_IN_ROW_MAX;
}

static void on_timer(uv_timer_t *timer)
{
	struct target *target = timer->data;
	struct probe_outcome outcome = {.ok = false};
	uint32_t timeout_ms = target->check.timeout_ms;

	if (!target->probe) {
		if (was_away(target, target->due_ns + (target->check.interval_ms + timeout_ms) * NS_PER_MS))
			target_arm_spread(target);
		else
			target_probe(target);
		return;
	}
	/* Timers run before sockets are looked at: on a loop that is late the answer may be lying there. */
	if (!target->is_last_look) {
		target->is_last_look = true;
		target_arm(target, NS_PER_MS);
		return;
	}
	target->probe->cancel(target->probe);
	if (timeout_ms % 1000)
		snprintf(outcome.error, sizeof(outcome.error), "timed out after %u ms", timeout_ms);
	else
		snprintf(outcome.error, sizeof(outcome.error), "timed out after %u s", timeout_ms / 1000);
	target_finish(target, &outcome);
}

/* libuv counts from the time it last looked at the clock, which may be long ago when the loop was busy. */
static void target_arm(struct target *target, uint64_t delay_ns)
{
	uv_update_time(target->health->loop);
	target->due_ns = uv_hrtime() + delay_ns;
	uv_timer_start(&target->timer, on_timer, (delay_ns + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/* Somewhere in the next interval: what starts together, or wakes together, does not stay in step. */
static void target_arm_spread(struct target *target)
{
	target_arm(target, random_below(target->check.interval_ms * NS_PER_MS));
}

static void target_probe(struct target *target)
{
	struct probe_outcome outcome = {.ok = false};
	struct health *health = target->health;
	int err;

	target->started_ns = uv_hrtime();
	target->is_last_look = false;
	if (target->check.type == CONFIG_HEALTH_HTTP)
		err = probe_http_start(health->http, &target->address, &target->check, target_finish, target,
				       &target->probe);
	else
		err = probe_tcp_start(health->loop, &target->address, target->check.port, target_finish, target,
				      &target->probe);
	target_arm(target, target->check.timeout_ms * NS_PER_MS);
	if (err) {
		probe_outcome_from_errno(&outcome, err);
		target_finish(target, &outcome);
	}
}

/* A failure that says nothing about the backend: this host could not ask, or missed the answer while it was away. */
static bool is_void(struct target *target, const struct probe_outcome *outcome)
{
	struct health *health = target->health;
	uint64_t timeout_ns = target->check.timeout_ms * NS_PER_MS;

	if (outcome->ok)
		return false;
	if (outcome->local_error) {
		if (!health->is_starved)
			log_warning("health checks cannot run: %s; backends keep their state until they can",
				    outcome->error);
		health->is_starved = true;
		return true;
	}
	return was_away(target, target->started_ns + timeout_ns + timeout_ns / 4);
}

static enum weir_health decide(const struct config_health *check, enum weir_health health, bool ok, uint32_t streak)
{
	if (ok && (health == WEIR_HEALTH_UNKNOWN || streak >= check->rise))
		return WEIR_HEALTH_UP;
	if (!ok && streak >= check->fall)
		return WEIR_HEALTH_DOWN;
	return health;
}

/* Ends with the callback, which may replace the targets or close the engine: *target may be gone after it. */
static void target_finish(void *arg, const struct probe_outcome *outcome)
{
	struct target *target = arg;
	struct health *health = target->health;
	struct health_result *last = &target->last, result;
	uint64_t now_ns = uv_hrtime(), next_ns;
	enum weir_health before = last->health;

	target->probe = NULL;
	if (is_void(target, outcome)) {
		target_arm_spread(target);
		return;
	}
	if (!outcome->local_error)
		health->is_starved = false;
	target->late_in_row = 0;
	last->streak = last->checks && last->ok == outcome->ok ? last->streak + 1 : 1;
	last->ok = outcome->ok;
	last->latency_us = (now_ns - target->started_ns) / 1000;
	memcpy(last->error, outcome->error, sizeof(last->error));
	last->checks++;
	last->failures += !outcome->ok;
	last->health = decide(&target->check, before, last->ok, last->streak);
	last->changed = last->health != before;
	next_ns = target->started_ns + jittered_ns(target->check.interval_ms);
	target_arm(target, next_ns > now_ns ? next_ns - now_ns : 0);
	result = *last;
	health->on_result(health->arg, &result);
}

static struct target *target_new(struct health *health, const struct health_target *wanted)
{
	struct target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->health = health;
	target->address = wanted->address;
	target->check = *wanted->check;
	target->last.backend_id = wanted->backend_id;
	target->last.health = wanted->initial;
	return target;
}

static void target_run(struct target *target)
{
	target->is_running = true;
	uv_timer_init(target->health->loop, &target->timer);
	target->timer.data = target;
	target_arm_spread(target);
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void target_close(struct target *target)
{
	if (target->probe)
		target->probe->cancel(target->probe);
	uv_close((uv_handle_t *)&target->timer, on_timer_closed);
}

static bool is_same_check(const struct target *target, const struct health_target *wanted)
{
	const struct config_health *a = &target->check, *b = wanted->check;

	return addr_equal(&target->address, &wanted->address) && a->type == b->type && a->port == b->port &&
	       a->expect_status == b->expect_status && a->interval_ms == b->interval_ms &&
	       a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall &&
	       !strcmp(a->path, b->path) && !strcmp(a->host, b->host) && !strcmp(a->expect_body, b->expect_body);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t left = (*(struct target *const *)a)->last.backend_id;
	uint32_t right = (*(struct target *const *)b)->last.backend_id;

	return left < right ? -1 : left > right;
}

static struct target *find(struct target *const *targets, size_t count, uint32_t backend_id)
{
	struct target key = {.last = {.backend_id = backend_id}}, *key_pointer = &key, **found;

	found = count ? bsearch(&key_pointer, targets, count, sizeof(*targets), compare_ids) : NULL;
	return found ? *found : NULL;
}

/* The next list, sorted: running targets that go on, and new ones that do not run yet. */
static int collect(struct health *health, const struct health_target *wanted, size_t wanted_count, struct target **list,
		   size_t *count)
{
	for (size_t i = 0; i < wanted_count; i++) {
		struct target *target;

		if (!wanted[i].check || wanted[i].check->type == CONFIG_HEALTH_NONE)
			continue;
		target = find(health->targets, health->count, wanted[i].backend_id);
		if (!target || !is_same_check(target, &wanted[i]))
			target = target_new(health, &wanted[i]);
		if (!target)
			return -ENOMEM;
		list[(*count)++] = target;
	}
	qsort(list, *count, sizeof(*list), compare_ids);
	for (size_t i = 1; i < *count; i++) {
		if (!compare_ids(&list[i - 1], &list[i]))
			return -EINVAL;
	}
	return 0;
}

int health_set_targets(struct health *health, const struct health_target *targets, size_t count)
{
	AUTO_FREE struct target **list = calloc(count ? count : 1, sizeof(struct target *));
	size_t list_count = 0;
	int err;

	if (!list)
		return -ENOMEM;
	err = collect(health, targets, count, list, &list_count);
	if (err) {
		for (size_t i = 0; i < list_count; i++) {
			if (!list[i]->is_running)
				free(list[i]);
		}
		return err;
	}
	for (size_t i = 0; i < health->count; i++) {
		struct target *old = health->targets[i];

		if (find(list, list_count, old->last.backend_id) != old)
			target_close(old);
	}
	for (size_t i = 0; i < list_count; i++) {
		if (!list[i]->is_running)
			target_run(list[i]);
	}
	free(health->targets);
	health->targets = TAKE_PTR(list);
	health->count = list_count;
	return 0;
}

int health_open(uv_loop_t *loop, struct loop_http *http, void (*on_result)(void *arg, const struct health_result *),
		void *arg, struct health **out)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return -ENOMEM;
	health->loop = loop;
	health->http = http;
	health->on_result = on_result;
	health->arg = arg;
	*out = health;
	return 0;
}

void health_close(struct health *health)
{
	if (!health)
		return;
	for (size_t i = 0; i < health->count; i++)
		target_close(health->targets[i]);
	free(health->targets);
	free(health);
}

bool health_last(const struct health *health, uint32_t backend_id, struct health_result *out)
{
	const struct target *target = find(health->targets, health->count, backend_id);

	if (!target || !target->last.checks)
		return false;
	*out = target->last;
	return true;
}
