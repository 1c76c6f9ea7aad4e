/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes a configuration live: a generation is written beside the live one, and one word makes it live. */
#include "parts.h"
#include "../base/fault.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

/* A generation under way. Whatever is still here at the end is given up. */
struct reconcile_plan {
	struct reconcile *reconcile;
	uint32_t generation;
	struct weir_name *names; /* copies: an id is given out for good only when it is written */
	struct weir_backend_state *states;
	struct model_override *overrides;
	size_t overrides_count;
	struct model_registry registry;
	bool *used; /* read when somebody asks */
	struct overlay_turn turn;
	bool is_live; /* committed */
	const struct model_filter *filter;
	struct model *model;
	struct compile_image *image;
	struct ring_route *routes;
	struct bank bank;
	bool has_bank;
};

void reconcile_plan_close(struct reconcile_plan *plan)
{
	if (!plan)
		return;
	if (plan->is_live)
		turn_settle(plan->reconcile, &plan->turn);
	turn_close(plan->reconcile, &plan->turn);
	plan->reconcile->is_planning = false;
	bans_free_retired(plan->reconcile);
	free(plan->names);
	free(plan->states);
	free(plan->overrides);
	free(plan->used);
	rings_free(plan->routes, plan->model);
	model_free(plan->model);
	compile_free(plan->image);
	if (plan->has_bank)
		bank_free(&plan->bank);
	free(plan);
}

static uint32_t plan_next_generation(uint32_t live)
{
	return live + 1 ? live + 1 : WEIR_BANKS; /* 0 means none; the bank must still be the other one */
}

static void *plan_copy(const void *from, size_t count, size_t size)
{
	void *copy = reallocarray(NULL, count ?: 1, size);

	if (copy && count)
		memcpy(copy, from, count * size);
	return copy;
}

int reconcile_plan_open(struct reconcile *reconcile, struct reconcile_plan **out, struct problem *problem)
{
	struct reconcile_plan *plan;

	if (reconcile->is_planning)
		return problem_set(problem, -EBUSY, "another change is under way");
	plan = calloc(1, sizeof(*plan));
	if (!plan)
		return problem_set(problem, -ENOMEM, "out of memory");
	reconcile->is_planning = true;
	plan->reconcile = reconcile;
	plan->generation = plan_next_generation(reconcile->live->generation);
	plan->names = plan_copy(reconcile->names, WEIR_NAMES_TOTAL, sizeof(*plan->names));
	plan->states = plan_copy(reconcile->states, WEIR_MAX_BACKENDS, sizeof(*plan->states));
	plan->overrides = plan_copy(reconcile->overrides, reconcile->overrides_count, sizeof(*plan->overrides));
	plan->overrides_count = reconcile->overrides_count;
	plan->registry.names = plan->names;
	if (!plan->names || !plan->states || !plan->overrides || turn_open(reconcile, &plan->turn)) {
		reconcile_plan_close(plan);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	*out = plan;
	return 0;
}

int reconcile_plan_override(struct reconcile_plan *plan, const char *rule, int mode, struct problem *problem)
{
	return rules_override(plan->reconcile->config, rule, mode, &plan->overrides, &plan->overrides_count, problem);
}

/* An id whose use is not known is taken for used. */
static bool plan_is_used(void *arg, enum model_kind kind, uint32_t id)
{
	struct reconcile_plan *plan = arg;

	if (!plan->used)
		plan->used = ids_in_use(plan->reconcile->kernel);
	return !plan->used || plan->used[model_kinds[kind].base + id];
}

/* What was known under the id was of another backend. */
static void plan_fresh_id(void *arg, enum model_kind kind, uint32_t id)
{
	struct reconcile_plan *plan = arg;

	if (kind == MODEL_BACKEND)
		plan->states[id] = (struct weir_backend_state){};
}

static int plan_model(struct reconcile_plan *plan, const struct config *config, struct problem *problem)
{
	const struct model_world world = {
		.states = plan->states,
		.filter = plan->filter,
		.folded = plan->turn.next.entries,
		.folded_count = plan->turn.next.count,
		.overrides = plan->overrides,
		.overrides_count = plan->overrides_count,
		.in_use = plan_is_used,
		.arg = plan,
	};
	struct model *model;
	int error = model_build(config, &plan->registry, &world, plan_fresh_id, plan, &model, problem);

	if (error)
		return error;
	model_free(plan->model);
	plan->model = model;
	return 0;
}

static int plan_write(struct reconcile_plan *plan, struct problem *problem)
{
	int error;

	fault_point("apply", 1);
	error = bank_create(plan->image, &plan->bank, problem);
	if (error)
		return error;
	plan->has_bank = true;
	fault_point("apply", 2);
	error = bank_fill(plan->image, &plan->bank, problem);
	if (!error)
		error = bank_check(plan->image, &plan->bank, problem);
	fault_point("apply", 3);
	if (!error)
		error = bank_install(plan->reconcile->kernel, &plan->bank, plan->generation % WEIR_BANKS, problem);
	return error;
}

static int plan_compile(struct reconcile_plan *plan, const struct config *config, struct problem *problem)
{
	int error = plan_model(plan, config, problem);

	return error ? error : compile_build(plan->model, &plan->image, problem);
}

/* Live entries are worth the tables when they are many, and never the reason why a configuration is refused as long as
 * the hashes hold them. */
static int plan_fold(struct reconcile_plan *plan, const struct config *config, struct problem *problem)
{
	struct folded *folded = &plan->turn.next;
	struct problem refusal = {};
	int error = folded_collect(&plan->turn.snapshot, folded);

	if (error)
		return problem_set(problem, error, "out of memory while the live entries were sorted");
	if (folded->count < RECONCILE_FOLD_LEAST)
		folded->count = 0;
	error = plan_compile(plan, config, &refusal);
	if (error == -E2BIG && folded->count) {
		folded->count = 0;
		error = plan_compile(plan, config, problem);
		if (error)
			return error;
		log_warning("live entries are not in the address tables, where they would cost less: %s", refusal.text);
	} else if (error && problem) {
		*problem = refusal;
	}
	if (!error && turn_build(plan->reconcile, &plan->turn))
		error = problem_set(problem, -ENOMEM, "out of memory while the live entries were compared");
	return error;
}

int reconcile_plan_build(struct reconcile_plan *plan, const struct config *config, const struct model_filter *filter,
			 struct problem *problem)
{
	int error;

	plan->filter = filter;
	error = plan_fold(plan, config ? config : plan->reconcile->config, problem);
	if (error)
		return error;
	plan->image->policy.generation = plan->generation;
	error = plan_write(plan, problem);
	compile_filter_free(plan->image->filter); /* the largest part, and done with */
	plan->image->filter = NULL;
	return error;
}

/* Takes over what became of the backends while the plan was built. 1: the rings are others now. */
static int plan_catch_up(struct reconcile_plan *plan)
{
	const struct reconcile *reconcile = plan->reconcile;
	int changed = 0;

	for (uint32_t id = 0; id < WEIR_MAX_BACKENDS; id++) {
		uint32_t index = model_kinds[MODEL_BACKEND].base + id;
		bool is_fresh = memcmp(&plan->names[index], &reconcile->names[index], sizeof(*plan->names)) != 0;

		if (is_fresh || !memcmp(&plan->states[id], &reconcile->states[id], sizeof(*plan->states)))
			continue;
		plan->states[id] = reconcile->states[id];
		changed = 1;
	}
	return changed;
}

/* The rings as of now: of the backends' present states, and the successors of those that are live. */
static int plan_rings(struct reconcile_plan *plan, struct problem *problem)
{
	int error = 0;

	if (plan_catch_up(plan)) {
		error = plan_model(plan, plan->model->config, problem);
		if (error)
			return error;
		error = compile_rings(plan->model, plan->image);
	}
	if (!error)
		error = rings_carry(plan->reconcile, plan->model, plan->image, &plan->routes);
	if (error)
		return problem_set(problem, error, "the rings could not be made the successors of the live ones: %s",
				   strerror(-error));
	return bank_fill_rings(plan->image, &plan->bank, problem);
}

/* Whether the state file would say something else: of other names, or of other overrides. */
static bool plan_changes_state(const struct reconcile_plan *plan)
{
	const struct reconcile *reconcile = plan->reconcile;

	return memcmp(plan->names, reconcile->names, WEIR_NAMES_TOTAL * sizeof(*plan->names)) != 0 ||
	       plan->overrides_count != reconcile->overrides_count ||
	       (plan->overrides_count &&
		memcmp(plan->overrides, reconcile->overrides, plan->overrides_count * sizeof(*plan->overrides)) != 0);
}

/* Nothing fails from here on. */
static void plan_take_over(struct reconcile_plan *plan, struct config *config)
{
	struct reconcile *reconcile = plan->reconcile;

	rings_free(reconcile->routes, reconcile->model);
	model_free(reconcile->model);
	if (config) {
		config_free(reconcile->config);
		reconcile->config = config;
	}
	free(reconcile->backends);
	free(reconcile->overrides);
	bank_view_close(&reconcile->view);
	reconcile->model = TAKE_PTR(plan->model);
	reconcile->model->folded = NULL; /* compiled */
	reconcile->model->folded_count = 0;
	reconcile->routes = TAKE_PTR(plan->routes);
	reconcile->backends = TAKE_PTR(plan->image->backends);
	reconcile->backends_count = plan->image->backends_count;
	reconcile->overrides = TAKE_PTR(plan->overrides);
	reconcile->overrides_count = plan->overrides_count;
	reconcile->view = plan->bank.view;
	reconcile->rings_behind = false;
	plan->bank.view = (struct bank_view){};
}

int reconcile_plan_commit(struct reconcile_plan *plan, struct config *config, struct problem *problem)
{
	struct reconcile *reconcile = plan->reconcile;
	bool changes_state = plan_changes_state(plan), is_first = !reconcile->live->generation;
	int error = plan_rings(plan, problem);

	if (!error)
		error = ids_write(reconcile, plan->names, plan->states, problem);
	fault_point("apply", 4);
	if (!error)
		error = turn_prepare(reconcile, &plan->turn, problem);
	if (error)
		return error;
	fault_point("fold", 1);
	__atomic_store_n(&reconcile->live->generation, plan->generation, __ATOMIC_SEQ_CST);
	fault_point("apply", 5);
	turn_flip(reconcile, &plan->turn, is_first);
	plan->is_live = true;
	plan_take_over(plan, config);
	if (changes_state)
		state_changed(reconcile);
	return 0;
}

bool reconcile_plan_is_turning(const struct reconcile_plan *plan)
{
	return plan && plan->reconcile->is_turning && (plan->turn.behind_flip.count || plan->reconcile->touched.count);
}

void reconcile_plan_await(const struct reconcile_plan *plan)
{
	int error = bank_await_packets(plan->reconcile->kernel, &plan->bank, plan->generation % WEIR_BANKS);

	if (error)
		log_warning(
			"packets of the old generation were not waited for (%s): one that is under way may miss a live "
			"entry",
			strerror(-error));
	fault_point("fold", 2);
}

int reconcile_apply(struct reconcile *reconcile, struct config *config, const struct model_filter *filter,
		    struct problem *problem)
{
	struct reconcile_plan *plan = NULL;
	int error = reconcile_plan_open(reconcile, &plan, problem);

	if (!error)
		error = reconcile_plan_build(plan, config, filter, problem);
	if (!error)
		error = reconcile_plan_commit(plan, config, problem);
	if (!error && reconcile_plan_is_turning(plan))
		reconcile_plan_await(plan);
	reconcile_plan_close(plan);
	return error;
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

bool reconcile_sources_moved(const struct reconcile *reconcile)
{
	const struct model *model = reconcile->model;

	for (size_t i = 0; model && i < model->pools_count; i++)
		for (size_t k = 0; k < model->pools[i].backends_count; k++)
			if (source_moved(reconcile, &reconcile->config->pools[i], &model->pools[i].backends[k]))
				return true;
	return false;
}
