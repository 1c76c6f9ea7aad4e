/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells the health engine which backends to check, and the policy what it found. */
#include "composition.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

static size_t count_targets(const struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	size_t count = 0;

	for (size_t i = 0; i < config->pools_count; i++)
		if (config->pools[i].health.type != CONFIG_HEALTH_NONE)
			count += config->pools[i].backends_count;
	return count;
}

/* The pools of a model are those of its configuration, in its order. */
static size_t fill_targets(const struct controller *controller, const struct config_health *checks,
			   struct health_target *targets)
{
	const struct model *model = reconcile_model(controller->reconcile);
	size_t count = 0;

	for (size_t i = 0; i < model->pools_count; i++) {
		const struct model_pool *pool = &model->pools[i];

		for (size_t k = 0; checks[i].type != CONFIG_HEALTH_NONE && k < pool->backends_count; k++) {
			const struct model_backend *backend = &pool->backends[k];
			struct health_target *target = &targets[count++];

			*target = (struct health_target){.backend_id = backend->id,
							 .address = backend->address,
							 .check = &checks[i],
							 .initial = backend->state.health};
			memcpy(target->name, backend->name, sizeof(target->name));
		}
	}
	return count;
}

int targets_set(struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	AUTO_FREE struct health_target *targets = calloc(count_targets(controller) + 1, sizeof(*targets));
	AUTO_FREE struct config_health *checks = calloc(config->pools_count + 1, sizeof(*checks));
	struct config_health *old = controller->checks;
	int err;

	if (!targets || !checks)
		return -ENOMEM;
	for (size_t i = 0; i < config->pools_count; i++)
		checks[i] = config->pools[i].health;
	err = health_set_targets(controller->health, targets, fill_targets(controller, checks, targets));
	if (err)
		return err;
	controller->checks = TAKE_PTR(checks);
	free(old);
	return 0;
}

/* Which pool serves each service, to tell what a change of health moved. The caller frees it; may be NULL. */
static int *remember_pools(const struct model *model)
{
	int *pools = calloc(model->services_count + 1, sizeof(*pools));

	for (size_t i = 0; pools && i < model->services_count; i++)
		pools[i] = model->services[i].pool;
	return pools;
}

static void report_moves(const struct model *model, const int *before)
{
	for (size_t i = 0; before && i < model->services_count; i++) {
		const struct model_service *service = &model->services[i];

		if (service->pool == before[i])
			continue;
		if (service->pool < 0)
			log_error("service %s: no pool can serve it any more, its fallback answers", service->name);
		else
			log_info("service %s: now served by pool %s", service->name, model->pools[service->pool].name);
	}
}

/* The index of the pool of a live backend, with the backend; -1 when there is none. */
static int find_backend(const struct model *model, uint32_t id, const struct model_backend **out)
{
	for (size_t i = 0; i < model->pools_count; i++)
		for (size_t k = 0; k < model->pools[i].backends_count; k++)
			if (model->pools[i].backends[k].id == id) {
				*out = &model->pools[i].backends[k];
				return (int)i;
			}
	return -1;
}

static void report_health(const struct controller *controller, const struct health_result *result, int pool,
			  const struct model_backend *backend)
{
	const struct config *config = reconcile_config(controller->reconcile);
	char text[ADDR_TEXT_MAX];
	struct prefix by;

	if (result->health != WEIR_HEALTH_DOWN) {
		log_info("backend %s is up (good checks in a row: %u)", backend->name, result->streak);
		return;
	}
	log_warning("backend %s is down (failed checks in a row: %u): %s", backend->name, result->streak,
		    result->error);
	if (lockout_is_denied(controller, backend, config->pools[pool].health.port, &by))
		log_warning("backend %s: the deny entry %s drops its answers to the health checks; allow or protect it",
			    backend->name, prefix_format(&by, text));
}

void targets_result(void *arg, const struct health_result *result)
{
	struct controller *controller = arg;
	const struct model *model = reconcile_model(controller->reconcile);
	AUTO_FREE int *before = NULL;
	const struct model_backend *backend;
	struct problem problem = {0};
	int pool;

	if (!result->changed)
		return;
	pool = find_backend(model, result->backend_id, &backend);
	if (pool < 0)
		return;
	report_health(controller, result, pool, backend);
	before = remember_pools(model);
	if (reconcile_backend_health(controller->reconcile, result->backend_id, result->health, &problem)) {
		log_error("backend %s: its new health could not be acted upon: %s", backend->name, problem.text);
		return;
	}
	report_moves(reconcile_model(controller->reconcile), before);
}
