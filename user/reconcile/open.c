/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes over what the kernel's tables hold, or starts from the state file; and the second's routine work. */
#include "parts.h"
#include "../base/file.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

static int open_state_path(struct reconcile *reconcile, const char *directory, struct problem *problem)
{
	int error = file_make_directories(directory, 0750);

	if (error) {
		problem_set(problem, error, "%s: the state directory cannot be made: %s", directory, strerror(-error));
		problem_hint(problem, "make it, or name another one in the configuration (state: {directory: DIR})");
		return error;
	}
	if (snprintf(reconcile->state_path, sizeof(reconcile->state_path), "%s/state.json", directory) >=
	    (int)sizeof(reconcile->state_path))
		return problem_set(problem, -ENAMETOOLONG, "%s: the path is too long", directory);
	return 0;
}

/* Gives the backends of the file their ids and states, as if the tables had never been lost. */
static int open_restore_backends(struct reconcile *reconcile, const struct state *state, struct problem *problem)
{
	const size_t names_size = WEIR_NAMES_TOTAL * sizeof(*reconcile->names);
	const size_t states_size = WEIR_MAX_BACKENDS * sizeof(*reconcile->states);
	AUTO_FREE struct weir_name *names = malloc(names_size);
	AUTO_FREE struct weir_backend_state *states = malloc(states_size);
	struct model_registry registry = {.names = names};
	int error = 0;

	if (!names || !states)
		return problem_set(problem, -ENOMEM, "out of memory");
	memcpy(names, reconcile->names, names_size);
	memcpy(states, reconcile->states, states_size);
	for (size_t i = 0; i < state->backends_count && !error; i++) {
		uint32_t id;
		bool fresh;

		error = model_registry_assign(&registry, MODEL_BACKEND, state->backends[i].name, NULL, NULL, &id,
					      &fresh, problem);
		if (!error && fresh)
			states[id] = state->backends[i].state;
	}
	return error ? error : ids_write(reconcile, names, states, problem);
}

static int open_restore_bans(struct reconcile *reconcile, const struct state *state, struct problem *problem)
{
	int64_t now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;
	AUTO_FREE struct reconcile_ban *bans = calloc(state->bans_count ?: 1, sizeof(*bans));
	size_t count = 0;

	if (!bans)
		return problem_set(problem, -ENOMEM, "out of memory");
	for (size_t i = 0; i < state->bans_count; i++) {
		if (!state->bans[i].until_s || state->bans[i].until_s > now_s)
			bans[count++] = state->bans[i];
	}
	return bans_restore(reconcile, bans, count, problem);
}

/* The kernel says what is in force, the file what it was for. */
static void open_annotate_bans(struct reconcile *reconcile, const struct state *state)
{
	for (size_t i = 0; i < state->bans_count; i++) {
		const struct reconcile_ban *from = &state->bans[i];
		struct ban *ban = ban_store_find(&reconcile->bans, &from->prefix, from->list);

		if (!ban)
			continue;
		ban->added_s = from->added_s;
		memcpy(ban->note, from->note, sizeof(ban->note));
	}
}

/* Until a first generation is live the tables may hold a part of the file only: a start that was cut short. */
static int open_state(struct reconcile *reconcile, struct problem *problem)
{
	struct state state = {};
	int error = state_load(reconcile->state_path, &state, problem);

	if (error)
		return error;
	reconcile->overrides = TAKE_PTR(state.rules);
	reconcile->overrides_count = state.rules_count;
	if (reconcile->live->generation) {
		open_annotate_bans(reconcile, &state);
	} else {
		error = open_restore_backends(reconcile, &state, problem);
		if (!error)
			error = open_restore_bans(reconcile, &state, problem);
	}
	state_free(&state);
	return error;
}

static int open_tables(struct reconcile *reconcile, struct problem *problem)
{
	int fd = kernel_map_fd(reconcile->kernel, KERNEL_MAP_live);
	int error = ids_open(reconcile, problem);

	if (error)
		return error;
	reconcile->live = kernel_map_mmap(fd, sizeof(*reconcile->live), true);
	if (!reconcile->live)
		return problem_set(problem, -errno, "the map live cannot be mapped: %s", strerror(errno));
	fd = kernel_map_fd(reconcile->kernel, KERNEL_MAP_flows);
	reconcile->flows = kernel_map_mmap(fd, WEIR_FLOW_LINES * sizeof(*reconcile->flows), true);
	if (!reconcile->flows)
		return problem_set(problem, -errno, "the map flows cannot be mapped: %s", strerror(errno));
	error = bans_open(reconcile, problem);
	if (!error && reconcile->live->generation)
		error = bank_view_open(reconcile->kernel, reconcile->live->generation % WEIR_BANKS, &reconcile->view,
				       problem);
	return error;
}

static void open_heartbeat(struct reconcile *reconcile)
{
	uint64_t now_ns = (uint64_t)clock_read_ns(CLOCK_MONOTONIC);

	__atomic_store_n(&reconcile->live->heartbeat_ns, now_ns, __ATOMIC_RELAXED);
}

int reconcile_open(struct kernel *kernel, const char *state_directory, struct reconcile **out, struct problem *problem)
{
	struct reconcile *reconcile = calloc(1, sizeof(*reconcile));
	int error;

	if (!reconcile)
		return problem_set(problem, -ENOMEM, "out of memory");
	reconcile->kernel = kernel;
	error = state_directory ? open_state_path(reconcile, state_directory, problem) : 0;
	if (!error)
		error = open_tables(reconcile, problem);
	if (!error && state_directory)
		error = open_state(reconcile, problem);
	if (error) {
		reconcile->dirty = false;
		reconcile_close(reconcile);
		return error;
	}
	reconcile->live->controller_pid = (uint32_t)getpid();
	open_heartbeat(reconcile);
	*out = reconcile;
	return 0;
}

void reconcile_close(struct reconcile *reconcile)
{
	if (!reconcile)
		return;
	state_save(reconcile);
	ban_store_drop(&reconcile->bans, NULL, NULL);
	folded_free(&reconcile->folded);
	prefix_list_free(&reconcile->leftovers);
	bank_view_close(&reconcile->view);
	kernel_map_munmap(reconcile->live, sizeof(*reconcile->live));
	rings_free(reconcile->routes, reconcile->model);
	model_free(reconcile->model);
	config_free(reconcile->config);
	kernel_map_munmap(reconcile->flows, WEIR_FLOW_LINES * sizeof(*reconcile->flows));
	free(reconcile->backends);
	free(reconcile->names);
	free(reconcile->states);
	free(reconcile->overrides);
	free(reconcile);
}

const struct config *reconcile_config(const struct reconcile *reconcile)
{
	return reconcile->config;
}

const struct model *reconcile_model(const struct reconcile *reconcile)
{
	return reconcile->model;
}

uint32_t reconcile_generation(const struct reconcile *reconcile)
{
	return reconcile->live->generation;
}

const struct model_registry *reconcile_registry(const struct reconcile *reconcile)
{
	return &reconcile->registry;
}

void reconcile_tick(struct reconcile *reconcile, uint64_t now_ms)
{
	open_heartbeat(reconcile);
	rings_settle(reconcile, now_ms);
	bans_expire(reconcile);
	overlay_clean(reconcile, OVERLAY_CLEAN);
	state_catch_up(reconcile);
}
