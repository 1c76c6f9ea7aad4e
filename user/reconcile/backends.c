/* SPDX-License-Identifier: BSD-2-Clause */
/* Health and operators' overrides of single backends: first into the kernel's table, then into the rings. */
#include "parts.h"
#include "../base/nearest.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NEAR_MAX 5 /* names that are shown to whoever mistyped one */

#define STATE_NAME(name, number, text) [number] = text,
const char *const reconcile_health_names[RECONCILE_HEALTHS] = {WEIR_HEALTH_STATES(STATE_NAME)};
const char *const reconcile_admin_names[RECONCILE_ADMINS] = {WEIR_ADMIN_STATES(STATE_NAME)};
#undef STATE_NAME

static int backend_set_state(struct reconcile *reconcile, uint32_t id, struct weir_backend_state state,
			     struct problem *problem)
{
	struct weir_backend_state *known = &reconcile->states[id];
	int error;

	if (memcmp(known, &state, sizeof(state)) == 0)
		return 0;
	if (known->health != state.health || known->admin != state.admin)
		state.since_ns = (uint64_t)clock_read_ns(CLOCK_REALTIME);
	error = kernel_map_put(kernel_map_fd(reconcile->kernel, KERNEL_MAP_backend_state), &id, &state);
	if (error)
		return problem_set(problem, error, "the state of backend %s could not be written: %s",
				   model_registry_name(&reconcile->registry, MODEL_BACKEND, id), strerror(-error));
	*known = state;
	error = rings_refresh(reconcile, problem);
	state_changed(reconcile);
	return error;
}

/* Calls each with the backends of the model until it returns true. */
static const struct model_backend *backend_search(const struct reconcile *reconcile,
						  bool (*each)(void *arg, const struct model_backend *backend),
						  void *arg)
{
	const struct model *model = reconcile->model;

	for (size_t i = 0; model && i < model->pools_count; i++) {
		for (size_t j = 0; j < model->pools[i].backends_count; j++) {
			if (each(arg, &model->pools[i].backends[j]))
				return &model->pools[i].backends[j];
		}
	}
	return NULL;
}

static bool backend_has_id(void *arg, const struct model_backend *backend)
{
	return backend->id == *(uint32_t *)arg;
}

int reconcile_backend_health(struct reconcile *reconcile, uint32_t backend_id, enum weir_health health,
			     struct problem *problem)
{
	struct weir_backend_state state;

	if (!backend_search(reconcile, backend_has_id, &backend_id))
		return problem_set(problem, -ENOENT, "no backend has the id %u", backend_id);
	state = reconcile->states[backend_id];
	state.health = (uint8_t)health;
	return backend_set_state(reconcile, backend_id, state, problem);
}

struct backend_query {
	const char *name;
	uint32_t id, matches;
	size_t near_count;
	struct {
		const char *name;
		unsigned int distance;
	} near[NEAR_MAX];
};

static const char *backend_short_name(const char *name)
{
	const char *slash = strchr(name, '/');

	return slash ? slash + 1 : name;
}

static bool backend_match(void *arg, const struct model_backend *backend)
{
	struct backend_query *query = arg;
	bool is_full = strchr(query->name, '/') != NULL;
	const char *name = is_full ? backend->name : backend_short_name(backend->name);
	unsigned int distance = nearest_distance(query->name, name);
	size_t at = query->near_count < NEAR_MAX ? query->near_count++ : NEAR_MAX;

	if (distance == 0) {
		query->matches++;
		query->id = backend->id;
	}
	for (; at > 0 && query->near[at - 1].distance > distance; at--) {
		if (at < NEAR_MAX)
			query->near[at] = query->near[at - 1];
	}
	if (at < NEAR_MAX) {
		query->near[at].name = backend->name;
		query->near[at].distance = distance;
	}
	return false;
}

static int backend_find(const struct reconcile *reconcile, const char *name, uint32_t *id, struct problem *problem)
{
	struct backend_query query = {.name = name};
	char near[NEAR_MAX * (WEIR_NAME_MAX + 2)] = "";
	size_t length = 0;
	int error;

	backend_search(reconcile, backend_match, &query);
	if (query.matches == 1) {
		*id = query.id;
		return 0;
	}
	for (size_t i = 0; i < query.near_count && (!query.matches || !query.near[i].distance); i++)
		length += (size_t)snprintf(near + length, sizeof(near) - length, "%s%s", i ? ", " : "",
					   query.near[i].name);
	if (query.matches)
		error = problem_set(problem, -ENOENT, "more than one backend is called \"%s\"", name);
	else
		error = problem_set(problem, -ENOENT, "there is no backend \"%s\"", name);
	if (*near)
		problem_hint(problem, query.matches ? "name one as POOL/BACKEND: %s" : "there is: %s", near);
	return error;
}

int reconcile_backend_admin(struct reconcile *reconcile, const char *backend, enum weir_admin admin,
			    struct problem *problem)
{
	struct weir_backend_state state;
	uint32_t id = 0;
	int error = backend_find(reconcile, backend, &id, problem);

	if (error)
		return error;
	state = reconcile->states[id];
	state.admin = (uint8_t)admin;
	return backend_set_state(reconcile, id, state, problem);
}

int reconcile_backend_weight(struct reconcile *reconcile, const char *backend, int weight, struct problem *problem)
{
	struct weir_backend_state state;
	uint32_t id = 0;
	int error;

	if (weight < -1 || weight > RECONCILE_WEIGHT_MAX)
		return problem_set(problem, -EINVAL, "a weight is 0 to %d, and %d is none", RECONCILE_WEIGHT_MAX,
				   weight);
	error = backend_find(reconcile, backend, &id, problem);
	if (error)
		return error;
	state = reconcile->states[id];
	state.weight = (uint16_t)(weight + 1);
	return backend_set_state(reconcile, id, state, problem);
}
