/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the desired state from a configuration, the registry of ids and what is known of the backends. */
#include "model.h"
#include "../base/scope.h"
#include "state.h"

#include <errno.h>
#include <math.h>
#include <string.h>

struct build {
	const struct config *config;
	struct model_registry *registry;
	const struct model_world *world; /* may be NULL */
	void (*fresh_ids)(void *arg, enum model_kind kind, uint32_t id);
	void *arg;
	struct model *model;
	uint8_t *taken; /* [WEIR_NAMES_TOTAL]: 1 for the ids of this model, which it must not take from itself */
	const struct weir_name **known; /* [WEIR_NAMES_TOTAL]: from each kind's base, its used names in order */
	size_t known_counts[MODEL_KINDS];
};

static void free_model(struct model **model)
{
	model_free(*model);
}

void model_free(struct model *model)
{
	if (!model)
		return;
	for (size_t i = 0; model->pools && i < model->pools_count; i++)
		free(model->pools[i].backends);
	free(model->pools);
	free(model->routes);
	free(model->services);
	free(model->limits);
	free(model->rules);
	free(model);
}

static bool is_taken(void *arg, enum model_kind kind, uint32_t id)
{
	const struct build *build = arg;
	const struct model_world *world = build->world;

	return build->taken[model_kinds[kind].base + id] ||
	       (world && world->in_use && world->in_use(world->arg, kind, id));
}

static int compare_known(const void *a, const void *b)
{
	const struct weir_name *const *left = a, *const *right = b;

	return strncmp((*left)->name, (*right)->name, WEIR_NAME_MAX);
}

/* A model is built at each change of health, so looking up every name must not scan the registry for each. */
static void sort_known(struct build *build)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(build->known_counts); kind++) {
		uint32_t base = model_kinds[kind].base;
		const struct weir_name **known = build->known + base;
		size_t count = 0;

		for (uint32_t i = base + 1; i < base + model_kinds[kind].ids; i++)
			if (build->registry->names[i].used)
				known[count++] = &build->registry->names[i];
		qsort(known, count, sizeof(const struct weir_name *), compare_known);
		build->known_counts[kind] = count;
	}
}

/* The id that the name has, 0 when it needs a new one. */
static uint32_t keep_id(struct build *build, enum model_kind kind, const char *name)
{
	struct weir_name wanted = {.used = 1};
	const struct weir_name *key = &wanted, **found;
	uint32_t index;

	memcpy(wanted.name, name, strnlen(name, WEIR_NAME_MAX));
	found = bsearch(&key, build->known + model_kinds[kind].base, build->known_counts[kind], sizeof(key),
			compare_known);
	if (!found)
		return 0;
	index = *found - build->registry->names;
	build->taken[index] = 1;
	return index - model_kinds[kind].base;
}

static int give_id(struct build *build, enum model_kind kind, const char *name, uint32_t *id, struct problem *problem)
{
	bool fresh;
	int error;

	if (*id)
		return 0;
	error = model_registry_assign(build->registry, kind, name, is_taken, build, id, &fresh, problem);
	if (error)
		return error;
	build->taken[model_kinds[kind].base + *id] = 1;
	if (fresh && build->fresh_ids)
		build->fresh_ids(build->arg, kind, *id);
	return 0;
}

/* Rates beyond what the units resolve are clamped: a packet costs at least 1 ns (1e9 packets a second), a byte at
 * least 1 ps (8e12 bits a second), and no figure exceeds 1e18, so that the program's sums with the clock cannot
 * overflow. */
static uint64_t cost_of(double units)
{
	if (units <= 1)
		return 1;
	return units >= 1e18 ? 1000000000000000000 : (uint64_t)llround(units);
}

/* The program lets a packet pass while its bucket's time is at most burst_ns ahead of now. So `burst` packets at
 * once pass when burst_ns is the cost of all of them but the first; counted in the rounded cost, the number is
 * exact. In bits the packet that crosses the burst still passes: one larger than the burst would never pass. */
static struct weir_limit convert_limit(const struct config_limit *config)
{
	struct weir_limit limit = {.prefix4 = config->prefix4, .prefix6 = config->prefix6, .by_rule = config->by_rule};
	double burst;

	if (config->unit == CONFIG_PER_PACKET) {
		limit.packet_cost_ns = cost_of(1e9 / config->rate_per_s);
		burst = (config->burst - 1) * (double)limit.packet_cost_ns;
	} else {
		limit.byte_cost_ps = cost_of(8e12 / config->rate_per_s);
		burst = config->burst / 8 * (double)limit.byte_cost_ps / 1000;
	}
	limit.burst_ns = burst < 1 ? 0 : cost_of(burst);
	return limit;
}

static void set_source(const struct build *build, const struct config_pool *pool, struct model_backend *backend)
{
	const struct addr *configured = backend->address.family == WEIR_IPV4 ? &pool->source4 : &pool->source6;
	const struct model_world *world = build->world;
	struct addr source;
	int error;

	if (pool->forward == WEIR_FORWARD_L2)
		return;
	if (configured->family) {
		backend->source = *configured;
		return;
	}
	if (world && world->source_towards)
		error = world->source_towards(world->arg, &backend->address, &source);
	else
		error = addr_source_towards(&backend->address, &source);
	if (!error)
		backend->source = source;
}

static int build_backend(struct build *build, const struct config_pool *pool, const struct config_backend *config,
			 struct model_backend *backend, struct problem *problem)
{
	int length = snprintf(backend->name, sizeof(backend->name), "%s/%s", pool->name, config->name);

	if (length >= WEIR_NAME_MAX) {
		problem_set(problem, -ENAMETOOLONG, "backend \"%s/%s\": the name has %d bytes, at most %d fit",
			    pool->name, config->name, length, WEIR_NAME_MAX - 1);
		problem_hint(problem, "shorten the backend's name or its pool's; they count together");
		return -ENAMETOOLONG;
	}
	backend->id = keep_id(build, MODEL_BACKEND, backend->name);
	backend->address = config->address;
	backend->forward = pool->forward;
	backend->configured_weight = config->weight;
	backend->checked = pool->health.type != CONFIG_HEALTH_NONE;
	/* What is known under an id is known of its name; a name that gets its id only now starts unknown. */
	if (backend->id && build->world && build->world->states)
		backend->state = build->world->states[backend->id];
	set_source(build, pool, backend);
	return 0;
}

static int build_pools(struct build *build, struct problem *problem)
{
	const struct config *config = build->config;
	struct model *model = build->model;

	model->pools = calloc(config->pools_count ?: 1, sizeof(*model->pools));
	if (!model->pools)
		return -ENOMEM;
	model->pools_count = config->pools_count;
	for (size_t i = 0; i < config->pools_count; i++) {
		const struct config_pool *from = &config->pools[i];
		struct model_pool *pool = &model->pools[i];
		int error = 0;

		memcpy(pool->name, from->name, sizeof(pool->name));
		pool->ring_size = from->ring_size ?: MODEL_RING_SIZE;
		pool->backends = calloc(from->backends_count ?: 1, sizeof(*pool->backends));
		if (!pool->backends)
			return -ENOMEM;
		pool->backends_count = from->backends_count;
		for (size_t j = 0; j < from->backends_count && !error; j++)
			error = build_backend(build, from, &from->backends[j], &pool->backends[j], problem);
		if (error)
			return error;
		model_pool_judge(pool, from);
	}
	return 0;
}

static bool is_same_route(const struct config_service *a, const struct config_service *b)
{
	return a->pools_count == b->pools_count &&
	       (!a->pools_count || !memcmp(a->pools, b->pools, a->pools_count * sizeof(*a->pools)));
}

/* The route of a service: that of an earlier one with the same pools (firsts: each route's first service), or new. */
static size_t add_route(struct model *model, const struct config_service *service, const struct config_service **firsts)
{
	struct model_route route = {.pool = model_service_choose(service, model->pools)};

	for (size_t i = 0; i < model->routes_count; i++)
		if (is_same_route(firsts[i], service))
			return i;
	for (size_t i = 0; i < service->pools_count; i++)
		if (model->pools[service->pools[i]].ring_size > route.ring_size)
			route.ring_size = model->pools[service->pools[i]].ring_size;
	firsts[model->routes_count] = service;
	model->routes[model->routes_count] = route;
	return model->routes_count++;
}

static int build_services(struct build *build)
{
	const struct config *config = build->config;
	const struct config_service **firsts AUTO_FREE = calloc(config->services_count ?: 1, sizeof(*firsts));
	struct model *model = build->model;

	model->services = calloc(config->services_count ?: 1, sizeof(*model->services));
	model->routes = calloc(config->services_count ?: 1, sizeof(*model->routes));
	if (!model->services || !model->routes || !firsts)
		return -ENOMEM;
	model->services_count = config->services_count;
	for (size_t i = 0; i < config->services_count; i++) {
		struct model_service *service = &model->services[i];

		service->config = &config->services[i];
		memcpy(service->name, service->config->name, sizeof(service->name));
		service->id = keep_id(build, MODEL_SERVICE, service->name);
		service->route = add_route(model, service->config, firsts);
		service->pool = model->routes[service->route].pool;
	}
	return 0;
}

static int build_limits(struct build *build)
{
	const struct config *config = build->config;
	struct model *model = build->model;

	model->limits = calloc(config->limits_count ?: 1, sizeof(*model->limits));
	if (!model->limits)
		return -ENOMEM;
	model->limits_count = config->limits_count;
	for (size_t i = 0; i < config->limits_count; i++) {
		struct model_limit *limit = &model->limits[i];

		memcpy(limit->name, config->limits[i].name, sizeof(limit->name));
		limit->limit = convert_limit(&config->limits[i]);
		limit->id = keep_id(build, MODEL_LIMIT, limit->name);
	}
	return 0;
}

/* An operator's override of a rule's mode, else the configured one. */
static enum config_rule_mode rule_mode(const struct model_world *world, const struct config_rule *rule)
{
	for (size_t i = 0; world && i < world->overrides_count; i++)
		if (!strcmp(world->overrides[i].rule, rule->name))
			return world->overrides[i].mode;
	return rule->mode;
}

static int build_rules(struct build *build)
{
	const struct config_filter *from = &build->config->filter;
	const struct model_world *world = build->world;
	struct model *model = build->model;

	model->filter = world ? world->filter : NULL;
	model->folded = world ? world->folded : NULL;
	model->folded_count = world ? world->folded_count : 0;
	model->rules = calloc(from->rules_count ?: 1, sizeof(*model->rules));
	if (!model->rules)
		return -ENOMEM;
	model->rules_count = from->rules_count;
	for (size_t i = 0; i < from->rules_count; i++) {
		struct model_rule *rule = &model->rules[i];

		memcpy(rule->name, from->rules[i].name, sizeof(rule->name));
		rule->mode = rule_mode(world, &from->rules[i]);
		rule->id = keep_id(build, MODEL_RULE, rule->name);
	}
	return 0;
}

/* After every name that has an id is known: none of those may be given to another. */
static int give_ids(struct build *build, struct problem *problem)
{
	struct model *model = build->model;
	int error = 0;

	for (size_t i = 0; i < model->services_count && !error; i++)
		error = give_id(build, MODEL_SERVICE, model->services[i].name, &model->services[i].id, problem);
	for (size_t i = 0; i < model->pools_count && !error; i++) {
		struct model_pool *pool = &model->pools[i];

		for (size_t j = 0; j < pool->backends_count && !error; j++)
			error = give_id(build, MODEL_BACKEND, pool->backends[j].name, &pool->backends[j].id, problem);
	}
	for (size_t i = 0; i < model->limits_count && !error; i++) {
		error = give_id(build, MODEL_LIMIT, model->limits[i].name, &model->limits[i].id, problem);
		model->limits[i].limit.id = model->limits[i].id;
	}
	for (size_t i = 0; i < model->rules_count && !error; i++)
		error = give_id(build, MODEL_RULE, model->rules[i].name, &model->rules[i].id, problem);
	return error;
}

int model_build(const struct config *config, struct model_registry *registry, const struct model_world *world,
		void (*fresh_ids)(void *arg, enum model_kind kind, uint32_t id), void *arg, struct model **out,
		struct problem *problem)
{
	struct model *model __attribute__((cleanup(free_model))) = calloc(1, sizeof(*model));
	uint8_t *taken AUTO_FREE = calloc(WEIR_NAMES_TOTAL, sizeof(*taken));
	const struct weir_name **known AUTO_FREE = calloc(WEIR_NAMES_TOTAL, sizeof(*known));
	struct build build = {
		.config = config,
		.registry = registry,
		.world = world,
		.fresh_ids = fresh_ids,
		.arg = arg,
		.model = model,
		.taken = taken,
		.known = known,
	};
	int error = model && taken && known ? 0 : -ENOMEM;

	if (!error) {
		model->config = config;
		sort_known(&build);
		error = build_pools(&build, problem);
	}
	if (!error)
		error = build_services(&build);
	if (!error)
		error = build_limits(&build);
	if (!error)
		error = build_rules(&build);
	if (!error)
		error = give_ids(&build, problem);
	if (error == -ENOMEM)
		return problem_set(problem, -ENOMEM, "out of memory while the desired state was built");
	if (error)
		return error;
	*out = TAKE_PTR(model);
	return 0;
}
