/* SPDX-License-Identifier: BSD-2-Clause */
/* The health engine: how results add up, when probes run, what survives new targets and stalls. */
#include "health_world.h"

#include <errno.h>

/* Each letter is one probe: + well, - not; below it the health after it, * where it changed. */
static const struct {
	const char *sentence;
	enum weir_health initial;
	uint32_t rise, fall;
	const char *probes, *health, *changed;
} streaks[] = {
	{"unknown comes up at once", WEIR_HEALTH_UNKNOWN, 3, 3, "++", "UU", "*."},
	{"unknown goes down after fall", WEIR_HEALTH_UNKNOWN, 1, 3, "---+", "??DU", "..**"},
	{"unknown: a success after a failure is up", WEIR_HEALTH_UNKNOWN, 2, 2, "-+", "?U", ".*"},
	{"up goes down after fall in a row", WEIR_HEALTH_UP, 2, 3, "+----", "UUUDD", "...*."},
	{"down comes up after rise in a row", WEIR_HEALTH_DOWN, 2, 3, "-+++", "DDUU", "..*."},
	{"flapping moves nothing", WEIR_HEALTH_UP, 2, 2, "-+-+-+-", "UUUUUUU", "......."},
	{"flapping while down moves nothing", WEIR_HEALTH_DOWN, 2, 2, "+-+-+-", "DDDDDD", "......"},
	{"one is enough where one is asked", WEIR_HEALTH_UP, 1, 1, "-+-", "DUD", "***"},
};

static void answer_next(struct world *world)
{
	world->server.answer = world->probes[world->count] == '+' ? OK_ANSWER : "HTTP/1.1 500 Oops\r\n\r\n";
}

static void health_results_add_up_to_state(void **state)
{
	static const char letters[] = {[WEIR_HEALTH_UNKNOWN] = '?', [WEIR_HEALTH_UP] = 'U', [WEIR_HEALTH_DOWN] = 'D'};

	(void)state;
	for (size_t i = 0; i < sizeof(streaks) / sizeof(streaks[0]); i++) {
		struct world world;

		print_message("  %s\n", streaks[i].sentence);
		world_open(&world, "127.0.0.1");
		world.check.rise = streaks[i].rise;
		world.check.fall = streaks[i].fall;
		world.check.interval_ms = 5;
		world.target.initial = streaks[i].initial;
		world.probes = streaks[i].probes;
		world.hook = answer_next;
		answer_next(&world);
		world_set_target(&world);
		world_await(&world, strlen(world.probes));
		for (size_t k = 0; world.probes[k]; k++) {
			assert_int_equal(letters[world.results[k].health], streaks[i].health[k]);
			assert_int_equal(world.results[k].changed, streaks[i].changed[k] == '*');
		}
		world_close(&world);
	}
}

static void health_same_target_again_keeps_its_streak(void **state)
{
	struct config_health copy;
	struct health_result last;
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = "HTTP/1.1 500 Oops\r\n\r\n";
	world.check.fall = 4;
	world.target.initial = WEIR_HEALTH_UP;
	world_set_target(&world);
	assert_false(health_last(world.health, 7, &last));
	world_await(&world, 2);
	copy = world.check;
	memset(&world.check, 0xff, sizeof(world.check)); /* the old configuration is gone */
	copy.place.line = 99;
	world.target.check = &copy;
	world.target.initial = WEIR_HEALTH_DOWN; /* of no concern to one that goes on */
	world_set_target(&world);
	world_await(&world, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(world.results[i].streak, i + 1);
	assert_true(world.results[3].changed);
	assert_int_equal(world.results[3].health, WEIR_HEALTH_DOWN);
	assert_true(health_last(world.health, 7, &last));
	assert_true(last.checks >= 4);
	world_close(&world);
}

static void health_changed_check_starts_anew(void **state)
{
	struct world world;
	size_t before;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = "HTTP/1.1 500 Oops\r\n\r\n";
	world_set_target(&world);
	world_await(&world, 2);
	before = world.count;
	world.check.expect_status = 500;
	world.target.initial = WEIR_HEALTH_DOWN;
	world_set_target(&world);
	world_await(&world, before + 2);
	assert_int_equal(world.results[before].checks, 1);
	assert_int_equal(world.results[before].health, WEIR_HEALTH_DOWN);
	assert_int_equal(world.results[before + 1].health, WEIR_HEALTH_UP);
	world_close(&world);
}

static void health_removed_target_is_silent(void **state)
{
	struct health_result last;
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world_set_target(&world);
	world.requests_wanted = 1;
	assert_true(loopback_await(&world.loop, has_requests, &world));
	assert_int_equal(health_set_targets(world.health, NULL, 0), 0);
	world.server.answer = OK_ANSWER;
	loopback_run_for(&world.loop, 100);
	assert_int_equal(world.count, 0);
	assert_int_equal(world.server.connections, 1);
	assert_false(health_last(world.health, 7, &last));
	world_close(&world);
}

static void health_doubled_id_refused_and_old_targets_go_on(void **state)
{
	struct health_target twice[2];
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = OK_ANSWER;
	world_set_target(&world);
	twice[0] = twice[1] = world.target;
	twice[0].backend_id = twice[1].backend_id = 9;
	assert_int_equal(health_set_targets(world.health, twice, 2), -EINVAL);
	world_await(&world, 2);
	assert_int_equal(world.results[1].backend_id, 7);
	world_close(&world);
}

static void drop_targets(struct world *world)
{
	assert_int_equal(health_set_targets(world->health, NULL, 0), 0);
}

static void close_engine(struct world *world)
{
	health_close(world->health);
	world->health = NULL;
}

static void health_callback_may_replace_or_close(void **state)
{
	static void (*const hooks[])(struct world *) = {drop_targets, close_engine};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct world world;

		world_open(&world, "127.0.0.1");
		world.server.answer = i & 2 ? NULL : OK_ANSWER;
		world.check.timeout_ms = i & 2 ? 50 : 2000;
		world.hook = hooks[i & 1];
		world_set_target(&world);
		world_await(&world, 1);
		loopback_run_for(&world.loop, 60);
		assert_int_equal(world.count, 1);
		world_close(&world);
	}
}

static void health_first_probes_spread_over_the_interval(void **state)
{
	struct health_target targets[60];
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = OK_ANSWER;
	world.check.interval_ms = 4000;
	for (size_t i = 0; i < 60; i++) {
		targets[i] = world.target;
		targets[i].backend_id = (uint32_t)(60 - i);
	}
	assert_int_equal(health_set_targets(world.health, targets, 60), 0);
	world_await(&world, 1);
	assert_true(world.count < 20);
	loopback_run_for(&world.loop, 1000);
	assert_true(world.count > 1 && world.count < 50);
	world_close(&world);
}

/* The process is stopped with a probe under way: that probe says nothing about the backend. */
static void health_stalled_loop_voids_the_probe(void **state)
{
	uint64_t resume_ns;
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.check.timeout_ms = 500;
	world.check.fall = 1;
	world.target.initial = WEIR_HEALTH_UP;
	world_set_target(&world);
	world.requests_wanted = 1;
	assert_true(loopback_await(&world.loop, has_requests, &world));
	resume_ns = uv_hrtime() + 1500 * 1000000ull;
	while (!loopback_is_past(&resume_ns))
		;
	world.server.answer = OK_ANSWER;
	world_await(&world, 1);
	assert_true(world.results[0].ok);
	assert_int_equal(world.results[0].checks, 1);
	world_close(&world);
}

/* The answer came while the process was stopped, and the timeout is long past when it is read. */
static void health_answer_found_after_a_stall_counts(void **state)
{
	uint64_t resume_ns;
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.check.type = CONFIG_HEALTH_TCP;
	world.check.timeout_ms = 100;
	world.check.interval_ms = 1;
	world_set_target(&world);
	/* The turn in which the probe starts: the kernel accepts for the listener, which is not asked. */
	uv_run(&world.loop, UV_RUN_ONCE);
	resume_ns = uv_hrtime() + 110 * 1000000ull;
	while (!loopback_is_past(&resume_ns))
		;
	world_await(&world, 1);
	assert_true(world.results[0].ok);
	assert_int_equal(world.results[0].checks, 1);
	world_close(&world);
}

static void work_long(uv_timer_t *timer)
{
	uint64_t resume_ns = uv_hrtime() + 300 * 1000000ull;

	while (!loopback_is_past(&resume_ns))
		;
	uv_close((uv_handle_t *)timer, NULL);
}

/* libuv's idea of now is old when a probe starts behind long work in the same turn of the loop. */
static void health_probe_started_after_long_work_not_timed_out(void **state)
{
	uint64_t due_ns;
	struct world world;
	uv_timer_t timer;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = OK_ANSWER;
	world.server.delay_ms = 20;
	world.check.timeout_ms = 250;
	world.check.interval_ms = 100;
	uv_timer_init(&world.loop, &timer);
	uv_timer_start(&timer, work_long, 0, 0);
	world_set_target(&world);
	/* Both timers are due when the loop turns, the work's first. */
	due_ns = uv_hrtime() + 110 * 1000000ull;
	while (!loopback_is_past(&due_ns))
		;
	world_await(&world, 1);
	assert_true(world.results[0].ok);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_results_add_up_to_state),
		cmocka_unit_test(health_same_target_again_keeps_its_streak),
		cmocka_unit_test(health_changed_check_starts_anew),
		cmocka_unit_test(health_removed_target_is_silent),
		cmocka_unit_test(health_doubled_id_refused_and_old_targets_go_on),
		cmocka_unit_test(health_callback_may_replace_or_close),
		cmocka_unit_test(health_first_probes_spread_over_the_interval),
		cmocka_unit_test(health_stalled_loop_voids_the_probe),
		cmocka_unit_test(health_answer_found_after_a_stall_counts),
		cmocka_unit_test(health_probe_started_after_long_work_not_timed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
