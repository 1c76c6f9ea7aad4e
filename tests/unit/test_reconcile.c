/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of user/reconcile on the running kernel: generations, rings, live entries and what a restart keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "edge.h"
#include "ring.h"
#include "user/base/scope.h"

/* The apply with its fault points; it takes the place of the library's. */
#define WEIR_FAULTS
#include "user/reconcile/apply.c"

static void reconcile_apply_first_configuration_is_live_and_complete(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	int policy_fd = bank_fd(&edge, KERNEL_MAP_policy), ports_fd = bank_fd(&edge, KERNEL_MAP_ports);
	struct weir_policy policy;
	struct weir_name name;
	uint32_t index = WEIR_NAMES_BACKENDS + backend_id(&edge, "near/a");
	size_t ports = 0;
	struct weir_port_key key, next;

	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	assert_int_equal(kernel_map_get(policy_fd, &(uint32_t){0}, &policy), 0);
	assert_int_equal(policy.generation, 1);
	assert_int_equal(policy.limits, 1);
	assert_int_equal(policy.protects, 1);
	for (int error = kernel_map_next(ports_fd, NULL, &next); !error;
	     error = kernel_map_next(ports_fd, &key, &next)) {
		key = next;
		ports++;
	}
	assert_int_equal(ports, 3);
	assert_int_equal(kernel_map_get(kernel_map_fd(edge.kernel, KERNEL_MAP_names), &index, &name), 0);
	assert_string_equal(name.name, "near/a");
	assert_true(count_slots(&edge, 0, backend_id(&edge, "near/a"), WEIR_SLOT_SETTLED) > 300);
	close(policy_fd);
	close(ports_fd);
	stop(&edge);
}

static void reconcile_apply_without_pins_or_state_works_for_replay(void **state)
{
	struct pinned *pinned = *state;
	const struct kernel_options options = {.trace = true};
	struct edge edge = {};

	assert_int_equal(kernel_load(&options, &edge.kernel, &pinned->problem), 0);
	assert_int_equal(reconcile_open(edge.kernel, NULL, &edge.reconcile, &pinned->problem), 0);
	apply_yaml(pinned, &edge, yaml_two_pools);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	stop(&edge);
}

static void put_backend_count(const struct edge *edge, uint32_t id, uint64_t packets)
{
	AUTO_FREE struct weir_flow_count *counts = calloc(4096, sizeof(*counts)); /* of every CPU there can be */

	assert_non_null(counts);
	counts[0].packets = packets;
	assert_int_equal(kernel_map_put(kernel_map_fd(edge->kernel, KERNEL_MAP_count_backend), &id, counts), 0);
}

static uint64_t backend_packets(const struct edge *edge, uint32_t id)
{
	__u64 words[3];

	assert_int_equal(kernel_map_sum(kernel_map_fd(edge->kernel, KERNEL_MAP_count_backend), id, 3, words), 0);
	return words[0];
}

static void reconcile_restart_keeps_generation_counters_bans_and_health(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	const struct reconcile_ban ban = ban_of("203.0.113.7", WEIR_BAN_DENY, 3600, "knocking");
	struct ban_search before, after;
	uint32_t id = backend_id(&edge, "near/b");

	assert_int_equal(reconcile_ban_add(edge.reconcile, &ban, 1, &pinned->problem), 0);
	before = find_ban(&edge, WEIR_BAN_DENY, "203.0.113.7");
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "c", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	put_backend_count(&edge, id, 4711);
	stop(&edge);

	edge = start(pinned);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	assert_int_equal(backend_id(&edge, "near/b"), id);
	assert_int_equal(backend_packets(&edge, id), 4711);
	after = find_ban(&edge, WEIR_BAN_DENY, "203.0.113.7");
	assert_int_equal(after.count, 1);
	assert_int_equal(after.found.until_s, before.found.until_s);
	assert_int_equal(after.found.added_s, before.found.added_s);
	assert_string_equal(after.found.note, "knocking");
	apply_yaml(pinned, &edge, yaml_two_pools);
	assert_int_equal(reconcile_generation(edge.reconcile), 2);
	assert_int_equal(backend_packets(&edge, id), 4711);
	assert_int_equal(reconcile_model(edge.reconcile)->pools[0].backends[0].state.health, WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_model(edge.reconcile)->pools[0].backends[2].state.admin, WEIR_ADMIN_DRAIN);
	assert_int_equal(count_slots(&edge, 0, id, -1), ring_size(&edge, 0));
	stop(&edge);
}

/* A reboot: the tables are gone, the file is not. */
static void reconcile_open_fresh_tables_are_filled_from_the_state_file(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	const struct reconcile_ban bans[] = {
		ban_of("203.0.113.7", WEIR_BAN_DENY, 3600, "d\303\251j\303\240 vu"),
		ban_of("2001:db8::/48", WEIR_BAN_ALLOW, 0, "office"),
	};
	struct weir_ban ban;

	assert_int_equal(reconcile_ban_add(edge.reconcile, bans, 2, &pinned->problem), 0);
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_backend_weight(edge.reconcile, "near/b", 7, &pinned->problem), 0);
	stop(&edge);
	assert_int_equal(kernel_unpin(pinned->pins, &pinned->problem), 0);

	edge = start_applied(pinned);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	assert_int_equal(kernel_ban4(&edge, "203.0.113.7", &ban), 0);
	assert_string_equal(find_ban(&edge, WEIR_BAN_DENY, "203.0.113.7").found.note, bans[0].note);
	assert_string_equal(find_ban(&edge, WEIR_BAN_ALLOW, "2001:db8::/48").found.note, "office");
	assert_int_equal(reconcile_model(edge.reconcile)->pools[0].backends[0].state.health, WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_model(edge.reconcile)->pools[0].backends[1].weight, 7);
	assert_int_equal(count_slots(&edge, 0, backend_id(&edge, "near/a"), -1), 0);
	stop(&edge);
}

static void reconcile_open_damaged_state_file_is_kept_aside(void **state)
{
	static const char *const damages[] = {"", "{\"version\": 1, \"bans\": [", "{\"version\": 99}", "[1]",
					      "{\"version\": 1, \"bans\": [{\"prefix\": \"x\"}], \"backends\": []}"};
	struct pinned *pinned = *state;
	char path[128], aside[160];

	snprintf(path, sizeof(path), "%s/state.json", pinned->state);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		FILE *file = fopen(path, "w");
		struct edge edge;
		struct stat status;

		assert_non_null(file);
		fputs(damages[i], file);
		fclose(file);
		edge = start(pinned);
		assert_int_equal(stat(aside, &status), 0);
		assert_int_equal(status.st_size, strlen(damages[i]));
		stop(&edge);
	}
}

static void reconcile_fault_33_reload_while_down_stays_down_and_returns(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	uint32_t a = backend_id(&edge, "near/a");

	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	apply_yaml(pinned, &edge, yaml_two_pools);
	assert_int_equal(backend_id(&edge, "near/a"), a);
	assert_int_equal(count_slots(&edge, 0, a, -1), 0);
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_UP);
	assert_true(count_slots(&edge, 0, a, -1) > 300);
	stop(&edge);
}

static void reconcile_backend_names_short_unknown_and_ambiguous(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	static const char yaml[] = "pools:\n"
				   "  p: {source: [10.9.0.1], backends: [{name: cache1, address: 10.9.0.1}]}\n"
				   "  q: {source: [10.9.0.1], backends: [{name: cache1, address: 10.9.0.1},"
				   " {name: cache2, address: 10.9.0.2}]}\n";

	assert_int_equal(reconcile_backend_admin(edge.reconcile, "cache1", WEIR_ADMIN_DRAIN, &pinned->problem),
			 -ENOENT);
	apply_yaml(pinned, &edge, yaml);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "cache2", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "p/cache1", WEIR_ADMIN_DRAIN, &pinned->problem), 0);
	assert_int_equal(reconcile_backend_admin(edge.reconcile, "cache1", WEIR_ADMIN_DRAIN, &pinned->problem),
			 -ENOENT);
	assert_non_null(strstr(pinned->problem.hint, "p/cache1, q/cache1"));
	assert_int_equal(reconcile_backend_weight(edge.reconcile, "q/cahce2", 3, &pinned->problem), -ENOENT);
	assert_non_null(strstr(pinned->problem.hint, "there is: q/cache2"));
	assert_int_equal(reconcile_backend_weight(edge.reconcile, "cache2", 1001, &pinned->problem), -EINVAL);
	stop(&edge);
}

static void reconcile_apply_fails_midway_live_generation_is_untouched(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	struct config *config = parse(yaml_two_pools);
	struct ring before = read_ring(&edge, 0), after;
	struct rlimit limit, low;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)next + 4, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(reconcile_apply(edge.reconcile, config, NULL, &pinned->problem), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_non_null(strstr(pinned->problem.text, "the live one is as it was"));
	assert_int_equal(dup2(0, next), next); /* no descriptor was lost */
	close(next);
	assert_int_equal(reconcile_generation(edge.reconcile), 1);
	after = read_ring(&edge, 0);
	assert_memory_equal(after.slots, before.slots, before.size * sizeof(*before.slots));
	free(before.slots);
	free(after.slots);
	set_health(pinned, &edge, "near/a", WEIR_HEALTH_DOWN);
	assert_int_equal(reconcile_apply(edge.reconcile, config, NULL, &pinned->problem), 0);
	assert_int_equal(reconcile_generation(edge.reconcile), 2);
	stop(&edge);
}

static void reconcile_apply_killed_at_any_step_leaves_old_or_new_generation(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);

	stop(&edge);
	for (int step = 1; step <= 5; step++) {
		uint32_t before, expected;
		char fault[32];
		int status;
		pid_t child;

		edge = start(pinned);
		before = reconcile_generation(edge.reconcile);
		expected = step == 5 ? before + 1 : before;
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			snprintf(fault, sizeof(fault), "apply:%d", step);
			setenv("WEIR_FAULT", fault, 1);
			reconcile_apply(edge.reconcile, parse(yaml_two_pools), NULL, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		stop(&edge);
		edge = start(pinned);
		assert_int_equal(reconcile_generation(edge.reconcile), expected);
		assert_int_equal(ring_size(&edge, 0), MODEL_RING_SIZE);
		apply_yaml(pinned, &edge, yaml_two_pools);
		assert_int_equal(reconcile_generation(edge.reconcile), expected + 1);
		stop(&edge);
	}
}

static void reconcile_apply_renamed_backend_starts_with_zero_counters(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start_applied(pinned);
	static const char yaml[] = "pools:\n"
				   "  near: {source: [10.9.0.1], backends: [{name: new, address: 10.9.0.11}]}\n";
	uint32_t id = backend_id(&edge, "near/a");

	put_backend_count(&edge, id, 5);
	put_backend_count(&edge, 5, 7); /* the id that comes next */
	apply_yaml(pinned, &edge, yaml);
	assert_int_equal(backend_id(&edge, "near/new"), 5);
	assert_int_equal(backend_packets(&edge, 5), 0);
	assert_int_equal(backend_packets(&edge, id), 5);
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_apply_first_configuration_is_live_and_complete),
		PINNED_TEST(reconcile_apply_without_pins_or_state_works_for_replay),
		PINNED_TEST(reconcile_fault_33_reload_while_down_stays_down_and_returns),
		PINNED_TEST(reconcile_backend_names_short_unknown_and_ambiguous),
		PINNED_TEST(reconcile_apply_fails_midway_live_generation_is_untouched),
		PINNED_TEST(reconcile_apply_killed_at_any_step_leaves_old_or_new_generation),
		PINNED_TEST(reconcile_apply_renamed_backend_starts_with_zero_counters),
		PINNED_TEST(reconcile_restart_keeps_generation_counters_bans_and_health),
		PINNED_TEST(reconcile_open_fresh_tables_are_filled_from_the_state_file),
		PINNED_TEST(reconcile_open_damaged_state_file_is_kept_aside),
	};

	return PINNED_RUN(tests);
}
