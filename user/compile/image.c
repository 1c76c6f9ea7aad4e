/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts one generation together: backends, rings and limits here, the rest from the files beside. */
#include "../base/scope.h"
#include "part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void compile_free(struct compile_image *image)
{
	if (!image)
		return;
	free(image->protects);
	free(image->protect_ports);
	free(image->vips);
	free(image->ports);
	free(image->services);
	free(image->rings);
	free(image->backends);
	free(image->slots);
	free(image->limits);
	compile_filter_free(image->filter);
	free(image->routes);
	free(image);
}

static void free_image(struct compile_image **image)
{
	compile_free(*image);
}

int compile_refuse(struct problem *problem, const char *what, unsigned long long count, const char *capacity,
		   unsigned int limit, const char *remedy)
{
	problem_set(problem, -E2BIG, "%llu %s, but at most %u fit (%s)", count, what, limit, capacity);
	problem_hint(problem, "%s", remedy);
	return -E2BIG;
}

static int check_pools(const struct model *model, struct problem *problem)
{
	for (size_t i = 0; i < model->pools_count; i++) {
		const struct model_pool *pool = &model->pools[i];

		if (pool->ring_size <= WEIR_MAX_RING)
			continue;
		problem_set(problem, -E2BIG, "pool \"%s\": a ring of %u slots, but at most %u fit (WEIR_MAX_RING)",
			    pool->name, pool->ring_size, WEIR_MAX_RING);
		problem_hint(problem, "lower the pool's `ring_size`, or leave it out");
		return -E2BIG;
	}
	return 0;
}

/* Both areas of each route, one route after the other. */
static int place_routes(const struct model *model, struct compile_image *image, struct problem *problem)
{
	uint64_t slots = 0;

	image->routes = calloc(model->routes_count ?: 1, sizeof(*image->routes));
	if (!image->routes)
		return -ENOMEM;
	for (size_t i = 0; i < model->routes_count; i++) {
		uint32_t size = model->routes[i].ring_size;

		image->routes[i] = (struct compile_route){.base = slots, .size = size};
		slots += 2ull * size;
		if (slots > WEIR_MAX_RING_SLOTS)
			return compile_refuse(problem,
					      "slots are needed by the first services alone (two rings for each list "
					      "of pools that services have)",
					      slots, "WEIR_MAX_RING_SLOTS", WEIR_MAX_RING_SLOTS,
					      "set a smaller `ring_size` on the pools, or give more services the same "
					      "pools");
	}
	image->routes_count = model->routes_count;
	image->slots_count = slots;
	return 0;
}

int compile_rings(const struct model *model, struct compile_image *image)
{
	for (size_t i = 0; i < model->routes_count; i++) {
		const struct model_route *route = &model->routes[i];
		struct weir_slot *slots = image->slots + image->routes[i].base;
		int error;

		memset(slots, 0, route->ring_size * sizeof(*slots));
		error = compile_ring(route->pool < 0 ? NULL : &model->pools[route->pool], route->ring_size, slots);
		if (error)
			return error;
	}
	return 0;
}

static int fill_rings(const struct model *model, struct compile_image *image)
{
	image->slots = calloc(image->slots_count ?: 1, sizeof(*image->slots));
	return image->slots ? compile_rings(model, image) : -ENOMEM;
}

static int fill_backends(const struct model *model, struct compile_image *image)
{
	size_t highest = 0;

	for (size_t i = 0; i < model->pools_count; i++)
		for (size_t j = 0; j < model->pools[i].backends_count; j++)
			if (model->pools[i].backends[j].id > highest)
				highest = model->pools[i].backends[j].id;
	image->backends = calloc(highest + 1, sizeof(*image->backends));
	if (!image->backends)
		return -ENOMEM;
	image->backends_count = highest + 1;
	for (size_t i = 0; i < model->pools_count; i++) {
		for (size_t j = 0; j < model->pools[i].backends_count; j++) {
			const struct model_backend *backend = &model->pools[i].backends[j];

			image->backends[backend->id] = (struct weir_backend){
				.address = backend->address.bytes,
				.source = backend->source.bytes,
				.family = backend->address.family,
				.forward = backend->forward,
			};
		}
	}
	return 0;
}

static int fill_limits(const struct model *model, struct compile_image *image, struct problem *problem)
{
	if (model->limits_count > WEIR_MAX_LIVE_LIMITS)
		return compile_refuse(problem, "limits", model->limits_count, "WEIR_MAX_LIVE_LIMITS",
				      WEIR_MAX_LIVE_LIMITS, "take some out of `limits`");
	image->limits = calloc(model->limits_count ?: 1, sizeof(*image->limits));
	if (!image->limits)
		return -ENOMEM;
	for (size_t i = 0; i < model->limits_count; i++)
		image->limits[i] = model->limits[i].limit;
	image->limits_count = model->limits_count;
	image->policy.limits = model->limits_count;
	return 0;
}

/* Sources that no set holds (class 0) satisfy no rule. */
static bool every_rule_is_listed(const struct compile_filter *filter)
{
	const struct weir_filter *head = &filter->head;

	return head->dimensions >> WEIR_DIMENSION_SOURCE & 1 &&
	       !filter->vectors[head->vector_base[WEIR_DIMENSION_SOURCE]].word[0];
}

static int fill_filter(const struct model *model, struct compile_image *image, struct problem *problem)
{
	const struct model_filter *filter = model->filter;
	struct compile_filter_input input = {.config = model->config};
	AUTO_FREE uint32_t *ids = calloc(model->rules_count ?: 1, sizeof(*ids));
	AUTO_FREE uint8_t *modes = calloc(model->rules_count ?: 1, sizeof(*modes));
	int error;

	if (!ids || !modes)
		return -ENOMEM;
	for (size_t i = 0; i < model->rules_count; i++) {
		ids[i] = model->rules[i].id;
		modes[i] = model->rules[i].mode;
	}
	input.rule_ids = ids;
	input.rule_modes = modes;
	input.folded = model->folded;
	input.folded_count = model->folded_count;
	if (filter) {
		input.contents = (const struct prefixes *const *)filter->contents;
		input.ifindexes = filter->ifindexes;
		input.realtime_ns = filter->realtime_ns;
		input.monotonic_ns = (int64_t)filter->monotonic_ns;
	}
	error = compile_filter_build(&input, &image->filter, problem);
	if (error)
		return error;
	image->policy.filter = image->filter->head;
	image->folded = model->folded;
	image->folded_count = model->folded_count;
	if (image->filter->folded_count)
		image->policy.filters |= WEIR_FILTERS_FOLDED;
	if (image->filter->rules_count)
		image->policy.filters |= WEIR_FILTERS_RULES;
	if (image->filter->head.default_action == WEIR_ACTION_DROP)
		image->policy.filters |= WEIR_FILTERS_DEFAULT_DROP;
	if (image->filter->head.dimensions >> WEIR_DIMENSION_SOURCE & 1)
		image->policy.filters |= WEIR_FILTERS_SOURCES;
	if (image->filter->head.dimensions >> WEIR_DIMENSION_DESTINATION & 1)
		image->policy.filters |= WEIR_FILTERS_DESTINATIONS;
	if (image->filter->rules_count && compile_filter_is_quick(image->filter))
		image->policy.filters |= WEIR_FILTERS_QUICK;
	if (image->filter->rules_count && every_rule_is_listed(image->filter) &&
	    !(image->policy.filters & WEIR_FILTERS_DEFAULT_DROP))
		image->policy.filters |= WEIR_FILTERS_LISTED;
	return 0;
}

int compile_build(const struct model *model, struct compile_image **out, struct problem *problem)
{
	struct compile_image *image __attribute__((cleanup(free_image))) = calloc(1, sizeof(*image));
	int error = image ? 0 : -ENOMEM;

	if (!error) {
		image->policy.steer_seed = model->config->steer_seed;
		error = compile_protects(model->config, image, problem);
	}
	if (!error)
		error = fill_limits(model, image, problem);
	if (!error)
		error = fill_filter(model, image, problem);
	if (!error)
		error = check_pools(model, problem);
	if (!error)
		error = place_routes(model, image, problem);
	if (!error)
		error = compile_services(model, image, problem);
	if (!error)
		error = fill_backends(model, image);
	if (!error)
		error = fill_rings(model, image);
	if (error == -ENOMEM)
		return problem_set(problem, -ENOMEM, "out of memory while the tables were built");
	if (error)
		return error;
	*out = TAKE_PTR(image);
	return 0;
}
