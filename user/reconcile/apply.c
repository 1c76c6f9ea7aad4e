/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes a configuration live: a generation is written beside the live one, and one word makes it live. */
#include "parts.h"
#include "../base/fault.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

/* A generation under way. Whatever is still here at the end is given up. */
struct apply {
	const struct reconcile *reconcile;
	struct weir_name *names; /* copies: an id is given out for good only when it is written */
	struct weir_backend_state *states;
	struct model_registry registry;
	bool *used; /* read when somebody asks */
	struct model *model;
	struct compile_image *image;
	struct ring_route *routes;
	struct bank bank;
	bool has_bank;
};

static void apply_end(struct apply *apply)
{
	free(apply->names);
	free(apply->states);
	free(apply->used);
	model_free(apply->model);
	compile_free(apply->image);
	free(apply->routes);
	if (apply->has_bank)
		bank_free(&apply->bank);
}

static int apply_start(struct apply *apply, const struct reconcile *reconcile)
{
	apply->reconcile = reconcile;
	apply->names = malloc(WEIR_NAMES_TOTAL * sizeof(*apply->names));
	apply->states = malloc(WEIR_MAX_BACKENDS * sizeof(*apply->states));
	if (!apply->names || !apply->states)
		return -ENOMEM;
	memcpy(apply->names, reconcile->names, WEIR_NAMES_TOTAL * sizeof(*apply->names));
	memcpy(apply->states, reconcile->states, WEIR_MAX_BACKENDS * sizeof(*apply->states));
	apply->registry.names = apply->names;
	return 0;
}

/* An id whose use is not known is taken for used. */
static bool apply_is_used(void *arg, enum model_kind kind, uint32_t id)
{
	struct apply *apply = arg;

	if (!apply->used)
		apply->used = ids_in_use(apply->reconcile->kernel);
	return !apply->used || apply->used[model_kinds[kind].base + id];
}

/* What was known under the id was of another backend. */
static void apply_fresh_id(void *arg, enum model_kind kind, uint32_t id)
{
	struct apply *apply = arg;

	if (kind == MODEL_BACKEND)
		apply->states[id] = (struct weir_backend_state){};
}

static uint32_t apply_next_generation(uint32_t live)
{
	return live + 1 ? live + 1 : WEIR_BANKS; /* 0 means none; the bank must still be the other one */
}

static int apply_build(struct apply *apply, const struct config *config, const struct model_filter *filter,
		       uint32_t generation, struct problem *problem)
{
	const struct model_world world = {
		.states = apply->states,
		.filter = filter,
		.overrides = apply->reconcile->overrides,
		.overrides_count = apply->reconcile->overrides_count,
		.in_use = apply_is_used,
		.arg = apply,
	};
	int error = model_build(config, &apply->registry, &world, apply_fresh_id, apply, &apply->model, problem);

	if (!error)
		error = compile_build(apply->model, &apply->image, problem);
	if (error)
		return error;
	apply->image->policy.generation = generation;
	error = rings_carry(apply->reconcile, apply->model, apply->image);
	if (error)
		return problem_set(problem, error, "the live rings cannot be read: %s", strerror(-error));
	apply->routes = rings_routes(apply->image);
	return apply->routes ? 0 : problem_set(problem, -ENOMEM, "out of memory while the rings were built");
}

static int apply_write(struct apply *apply, struct reconcile *reconcile, unsigned int index, struct problem *problem)
{
	int error;

	fault_point("apply", 1);
	error = bank_create(apply->image, &apply->bank, problem);
	if (error)
		return error;
	apply->has_bank = true;
	fault_point("apply", 2);
	error = bank_fill(apply->image, &apply->bank, problem);
	if (!error)
		error = bank_check(apply->image, &apply->bank, problem);
	fault_point("apply", 3);
	if (!error)
		error = ids_write(reconcile, apply->names, apply->states, problem);
	if (!error)
		error = bank_install(reconcile->kernel, &apply->bank, index, problem);
	fault_point("apply", 4);
	return error;
}

/* Nothing fails from here on. */
static void apply_take_over(struct apply *apply, struct reconcile *reconcile, struct config *config)
{
	model_free(reconcile->model);
	if (reconcile->config != config)
		config_free(reconcile->config);
	free(reconcile->routes);
	free(reconcile->backends);
	bank_view_close(&reconcile->view);
	reconcile->config = config;
	reconcile->model = TAKE_PTR(apply->model);
	reconcile->routes = TAKE_PTR(apply->routes);
	reconcile->backends = TAKE_PTR(apply->image->backends);
	reconcile->backends_count = apply->image->backends_count;
	reconcile->view = apply->bank.view;
	reconcile->rings_behind = false;
	apply->bank.view = (struct bank_view){};
	state_changed(reconcile);
}

int reconcile_apply(struct reconcile *reconcile, struct config *config, const struct model_filter *filter,
		    struct problem *problem)
{
	uint32_t generation = apply_next_generation(reconcile->live->generation);
	struct apply apply = {};
	int error = apply_start(&apply, reconcile);

	if (error)
		problem_set(problem, error, "out of memory");
	else
		error = apply_build(&apply, config, filter, generation, problem);
	if (!error)
		error = apply_write(&apply, reconcile, generation % WEIR_BANKS, problem);
	if (!error) {
		__atomic_store_n(&reconcile->live->generation, generation, __ATOMIC_SEQ_CST);
		fault_point("apply", 5);
		apply_take_over(&apply, reconcile, config);
	}
	apply_end(&apply);
	return error;
}

int reconcile_renew_filter(struct reconcile *reconcile, const struct model_filter *filter, struct problem *problem)
{
	return reconcile_apply(reconcile, reconcile->config, filter, problem);
}

/* Compared with what is in the bank: the model is built anew, with the sources of the day, at each change of health. */
static bool source_moved(const struct reconcile *reconcile, const struct config_pool *pool,
			 const struct model_backend *backend)
{
	const struct addr *configured = backend->address.family == WEIR_IPV4 ? &pool->source4 : &pool->source6;
	struct addr source;

	return pool->forward != WEIR_FORWARD_L2 && !configured->family && backend->id < reconcile->backends_count &&
	       !addr_source_towards(&backend->address, &source) &&
	       memcmp(&source.bytes, &reconcile->backends[backend->id].source, sizeof(source.bytes)) != 0;
}

int reconcile_renew_sources(struct reconcile *reconcile, struct problem *problem)
{
	const struct model *model = reconcile->model;
	int error;

	for (size_t i = 0; model && i < model->pools_count; i++) {
		for (size_t k = 0; k < model->pools[i].backends_count; k++) {
			if (!source_moved(reconcile, &reconcile->config->pools[i], &model->pools[i].backends[k]))
				continue;
			error = reconcile_apply(reconcile, reconcile->config, model->filter, problem);
			return error ? error : 1;
		}
	}
	return 0;
}
