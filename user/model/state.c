/* SPDX-License-Identifier: BSD-2-Clause */
/* Who serves: backends by health and overrides, pools by thresholds, services by order of preference. */
#include "state.h"

/* A state that checks once found says nothing after the checks were taken out of the configuration. */
static bool is_down(const struct model_backend *backend)
{
	return backend->checked && backend->state.health == WEIR_HEALTH_DOWN;
}

static bool is_enabled(const struct model_backend *backend)
{
	return backend->state.admin == WEIR_ADMIN_ENABLED && backend->weight > 0;
}

void model_pool_judge(struct model_pool *pool, const struct config_pool *config)
{
	size_t needed = config->min_healthy ?: 1, enabled = 0;

	pool->healthy = 0;
	for (size_t i = 0; i < pool->backends_count; i++) {
		struct model_backend *backend = &pool->backends[i];

		backend->weight = backend->state.weight ? backend->state.weight - 1 : backend->configured_weight;
		enabled += is_enabled(backend);
		pool->healthy += is_enabled(backend) && !is_down(backend);
	}
	if (needed > pool->backends_count)
		needed = pool->backends_count;
	pool->panic = pool->healthy * 100 < config->panic_below_percent * enabled;
	pool->serves = pool->panic || (pool->healthy > 0 && pool->healthy >= needed);
	for (size_t i = 0; i < pool->backends_count; i++) {
		struct model_backend *backend = &pool->backends[i];
		bool believed_up = !is_down(backend) || pool->panic;

		backend->takes_new = is_enabled(backend) && believed_up;
		/* In panic the checks are not believed, so flows stay where they are as well. */
		backend->keeps_old = backend->state.admin != WEIR_ADMIN_DISABLED && believed_up;
	}
}

/* A pool in panic serves, but one without a single healthy backend comes after every pool that has one. */
int model_service_choose(const struct config_service *service, const struct model_pool *pools)
{
	for (size_t i = 0; i < service->pools_count; i++)
		if (pools[service->pools[i]].serves && pools[service->pools[i]].healthy > 0)
			return (int)service->pools[i];
	for (size_t i = 0; i < service->pools_count; i++)
		if (pools[service->pools[i]].healthy > 0)
			return (int)service->pools[i];
	for (size_t i = 0; i < service->pools_count; i++)
		if (pools[service->pools[i]].serves)
			return (int)service->pools[i];
	return -1;
}
