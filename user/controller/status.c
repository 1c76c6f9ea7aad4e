/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller's account of itself: the documents behind `weir status` and `weir backend list`. */
#include "composition.h"
#include "counters.h"
#include "../base/clock.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <netinet/in.h>
#include <string.h>
#include <time.h>

static json_t *addresses_json(const struct config_service *service)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < service->addresses_count; i++)
		json_array_append_new(list, json_string(addr_format(&service->addresses[i], text)));
	return list;
}

static json_t *ports_json(const struct config_service *service)
{
	json_t *list = json_array();

	for (size_t i = 0; i < service->ports_count; i++) {
		char text[CONFIG_PORTS_TEXT_MAX];

		json_array_append_new(list, json_string(config_ports_format(&service->ports[i], text)));
	}
	return list;
}

/* Of the pool that serves, or of all that might when none does. */
static json_int_t count_backends(const struct model *model, const struct model_service *service)
{
	json_int_t count = 0;

	if (service->pool >= 0)
		return (json_int_t)model->pools[service->pool].backends_count;
	for (size_t i = 0; i < service->config->pools_count; i++)
		count += (json_int_t)model->pools[service->config->pools[i]].backends_count;
	return count;
}

static json_t *service_json(const struct model *model, const struct model_service *service)
{
	json_t *json =
		json_pack("{s:s, s:o, s:o, s:I}", "name", service->name, "addresses", addresses_json(service->config),
			  "ports", ports_json(service->config), "backends", count_backends(model, service));
	bool serves = service->pool >= 0;
	const struct model_pool *pool = &model->pools[serves ? service->pool : 0];

	json_object_set_new(json, "pool", serves ? json_string(pool->name) : json_null());
	json_object_set_new(json, "healthy", json_integer(serves ? (json_int_t)pool->healthy : 0));
	json_object_set_new(json, "panic", json_boolean(serves && pool->panic));
	return json;
}

static json_t *services_json(const struct controller *controller)
{
	const struct model *model = reconcile_model(controller->reconcile);
	json_t *rows = json_array();

	for (size_t i = 0; i < model->services_count; i++)
		json_array_append_new(rows, service_json(model, &model->services[i]));
	return rows;
}

static json_t *check_json(const struct controller *controller, const struct model_backend *backend)
{
	struct health_result result;

	if (!backend->checked || !health_last(controller->health, backend->id, &result))
		return json_null();
	return json_pack("{s:b, s:I, s:o, s:I, s:I, s:i}", "ok", result.ok, "latency_us", (json_int_t)result.latency_us,
			 "error", json_text(result.error), "checks", (json_int_t)result.checks, "failures",
			 (json_int_t)result.failures, "streak", (int)result.streak);
}

static json_t *backend_json(const struct controller *controller, const struct model_backend *backend)
{
	const struct weir_backend_state *state = &backend->state;
	char pool[WEIR_NAME_MAX], address[ADDR_TEXT_MAX];
	const char *name = counters_split_backend(backend->name, pool);
	__u64 words[3] = {0};

	kernel_map_sum(kernel_map_fd(controller->kernel, KERNEL_MAP_count_backend), backend->id, 3, words);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:I, s:o, s:I, s:I, s:I}", "pool", pool, "name",
			 name, "address", addr_format(&backend->address, address), "health",
			 !backend->checked ? "unchecked" : reconcile_health_names[state->health % RECONCILE_HEALTHS],
			 "admin", reconcile_admin_names[state->admin % RECONCILE_ADMINS], "weight",
			 (int)backend->weight, "configured_weight", (int)backend->configured_weight, "takes_new",
			 backend->takes_new, "keeps_old", backend->keeps_old, "since",
			 (json_int_t)(state->since_ns / 1000000000), "check", check_json(controller, backend),
			 "packets", (json_int_t)words[0], "bytes", (json_int_t)words[1], "flows", (json_int_t)words[2]);
}

json_t *status_backends_json(const struct controller *controller)
{
	const struct model *model = reconcile_model(controller->reconcile);
	json_t *rows = json_array();

	for (size_t i = 0; i < model->pools_count; i++)
		for (size_t k = 0; k < model->pools[i].backends_count; k++)
			json_array_append_new(rows, backend_json(controller, &model->pools[i].backends[k]));
	return rows;
}

const char *status_set_problem(const struct controller *controller, size_t set)
{
	const struct config_set *config = &reconcile_config(controller->reconcile)->sets[set];
	const struct sets_state *state = sets_find(controller->sets, config);

	return state ? state->why : "";
}

/* Lists of which the newest version is not in use. */
static json_t *kept_out_json(const struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	json_t *rows = json_array();

	for (size_t i = 0; i < config->sets_count; i++) {
		const char *why = status_set_problem(controller, i);

		if (*why)
			json_array_append_new(rows, json_pack("{s:s, s:b, s:o}", "set", config->sets[i].name, "held",
							      sets_find(controller->sets, &config->sets[i])->held,
							      "why", json_text(why)));
	}
	return rows;
}

static json_t *filter_json(const struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	const struct model *model = reconcile_model(controller->reconcile);
	int64_t now_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;
	json_int_t modes[3] = {0}, expired = 0, prefixes = 0;

	for (size_t i = 0; i < model->rules_count; i++) {
		int64_t expires_s = config->filter.rules[i].expires_s;

		if (expires_s && expires_s <= now_s)
			expired++;
		else
			modes[model->rules[i].mode]++;
	}
	for (size_t i = 0; i < config->sets_count; i++)
		prefixes += (json_int_t)prefixes_count(controller->filter->contents.contents[i]);
	return json_pack("{s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:o}", "enforced", modes[CONFIG_RULE_ENFORCE], "shadow",
			 modes[CONFIG_RULE_SHADOW], "off", modes[CONFIG_RULE_OFF], "expired", expired, "default",
			 config->filter.default_action == CONFIG_ACTION_DROP ? "drop" : "pass", "sets",
			 (json_int_t)config->sets_count, "prefixes", prefixes, "kept_out", kept_out_json(controller));
}

static json_t *bans_json(const struct controller *controller)
{
	struct reconcile_folding folding = reconcile_folding(controller->reconcile);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "deny",
			 (json_int_t)reconcile_ban_count(controller->reconcile, WEIR_BAN_DENY), "allow",
			 (json_int_t)reconcile_ban_count(controller->reconcile, WEIR_BAN_ALLOW), "folded",
			 (json_int_t)folding.folded, "overlay", (json_int_t)folding.overlay, "waiting",
			 (json_int_t)folding.waiting, "tombstones", (json_int_t)folding.tombstones);
}

json_t *status_json(const struct controller *controller)
{
	json_t *status = controller_tables_status(controller->kernel, controller->pin_directory);
	json_t *own = json_object_get(status, "controller");

	if (!status)
		return NULL;
	json_object_set_new(own, "running", json_true());
	json_object_set_new(own, "pid", json_integer(getpid()));
	json_object_set_new(own, "version", json_string(WEIR_VERSION));
	json_object_set_new(own, "since", json_integer((json_int_t)(controller->started_ns / 1000000000)));
	json_object_set_new(own, "config", json_text(controller->config_path));
	json_object_set_new(own, "pins", json_text(controller->pin_directory));
	json_object_set_new(own, "applies", json_integer((json_int_t)controller->applies));
	json_object_set_new(status, "interfaces", interfaces_json(controller));
	json_object_set_new(status, "services", services_json(controller));
	json_object_set_new(status, "backends", status_backends_json(controller));
	json_object_set_new(status, "filter", filter_json(controller));
	json_object_set_new(status, "bans", bans_json(controller));
	json_object_set_new(status, "collector", exporters_json(controller));
	return status;
}
