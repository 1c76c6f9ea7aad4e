/* SPDX-License-Identifier: BSD-2-Clause */
/* The metric points of one snapshot: counters by verdict, rule, service, backend and limit, and the controller's state.
 */
#include "composition.h"
#include "counters.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

struct metric {
	const char *name, *unit, *help;
	enum telemetry_type type;
};

/* A point of the metric with its value, to which attributes are added; NULL without memory. */
static struct telemetry_point *add(struct telemetry_points *points, const struct metric *metric, uint64_t value)
{
	struct telemetry_point *point = telemetry_points_add(points);

	if (!point)
		return NULL;
	point->name = metric->name;
	point->unit = metric->unit;
	point->help = metric->help;
	point->type = metric->type;
	point->value = value;
	return point;
}

/* By design every reason has one verdict; the others are shown only if they ever happen. */
static int add_reason(const struct kernel *kernel, const struct metric *metric, bool is_bytes,
		      const struct counters_reason *reason, struct telemetry_points *points)
{
	for (int verdict = 0; verdict < WEIR_VERDICTS; verdict++) {
		struct telemetry_point *point;
		struct weir_count count;
		int err = counters_verdict(kernel, verdict, reason->number, &count);

		if (err)
			return err;
		if (verdict != (int)reason->verdict && !count.packets)
			continue;
		point = add(points, metric, is_bytes ? count.bytes : count.packets);
		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "verdict", counters_verdict_names[verdict]);
		telemetry_point_attribute(point, "reason", reason->name);
	}
	return 0;
}

static int add_verdicts(const struct kernel *kernel, struct telemetry_points *points)
{
	static const struct metric packets = {"weir.packets", "{packet}", "Packets by verdict and reason.",
					      TELEMETRY_SUM};
	static const struct metric bytes = {"weir.bytes", "By", "Bytes of frames by verdict and reason.",
					    TELEMETRY_SUM};
	int err = 0;

	/* The points of one metric lie together, so the table is walked once for each. */
	for (size_t i = 0; !err && i < counters_reasons_count; i++)
		err = add_reason(kernel, &packets, false, &counters_reasons[i], points);
	for (size_t i = 0; !err && i < counters_reasons_count; i++)
		err = add_reason(kernel, &bytes, true, &counters_reasons[i], points);
	return err;
}

/* Of the live rules alone, since those that are gone have no mode; they count on if they come back. */
static int add_rules(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.rule.packets", "{packet}", "Packets that a rule decided about, or would have as a shadow.",
		 TELEMETRY_SUM},
		{"weir.rule.bytes", "By", "Bytes of frames that a rule decided about, or would have as a shadow.",
		 TELEMETRY_SUM},
	};
	static const char *const modes[] = CONFIG_RULE_MODE_NAMES;
	const struct model *model = reconcile_model(controller->reconcile);
	AUTO_FREE struct weir_rule_count *counts = calloc(model->rules_count + 1, sizeof(*counts));
	int err = counts ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < model->rules_count; i++)
		err = counters_rule(controller->kernel, model->rules[i].id, &counts[i]);
	for (size_t i = 0; !err && i < model->rules_count * ARRAY_SIZE(metrics); i++) {
		size_t metric = i / model->rules_count, rule = i % model->rules_count;
		struct telemetry_point *point =
			add(points, &metrics[metric], metric ? counts[rule].bytes : counts[rule].packets);

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "rule", model->rules[rule].name);
		telemetry_point_attribute(point, "mode", modes[model->rules[rule].mode]);
	}
	return err;
}

static int add_sets(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.set.prefixes", "{prefix}", "Prefixes in a set of addresses.", TELEMETRY_GAUGE},
		{"weir.set.held", "{state}",
		 "1 while the newest version of a set's list is kept out: it changes too much, or it is broken.",
		 TELEMETRY_GAUGE},
	};
	const struct config *config = reconcile_config(controller->reconcile);

	for (size_t i = 0; i < config->sets_count * ARRAY_SIZE(metrics); i++) {
		size_t metric = i / config->sets_count, set = i % config->sets_count;
		uint64_t value = metric ? *status_set_problem(controller, set) != '\0'
					: prefixes_count(controller->filter->contents.contents[set]);
		struct telemetry_point *point = add(points, &metrics[metric], value);

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "set", config->sets[set].name);
	}
	return 0;
}

static int add_services(const struct kernel *kernel, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.service.packets", "{packet}", "Packets steered for a service.", TELEMETRY_SUM},
		{"weir.service.bytes", "By", "Bytes of IP packets steered for a service.", TELEMETRY_SUM},
		{"weir.service.flows", "{flow}", "TCP connections opened to a service.", TELEMETRY_SUM},
	};
	AUTO_FREE struct counters_object *objects = NULL;
	struct telemetry_point *point;
	size_t count = 0;
	int err = counters_objects(kernel, MODEL_SERVICE, &objects, &count);

	for (size_t i = 0; !err && i < count * ARRAY_SIZE(metrics); i++) {
		point = add(points, &metrics[i / count], objects[i % count].words[i / count]);
		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "service", objects[i % count].name);
	}
	return err;
}

/* The addresses of the live backends by id, as text; the caller frees. NULL without memory. */
static char (*backend_addresses(const struct model *model))[ADDR_TEXT_MAX]
{
	char(*addresses)[ADDR_TEXT_MAX] = calloc(WEIR_MAX_BACKENDS, sizeof(*addresses));

	for (size_t i = 0; addresses && i < model->pools_count; i++) {
		const struct model_pool *pool = &model->pools[i];

		for (size_t k = 0; k < pool->backends_count; k++)
			addr_format(&pool->backends[k].address, addresses[pool->backends[k].id]);
	}
	return addresses;
}

static void name_backend(struct telemetry_point *point, const char *name, const char *address)
{
	char pool[WEIR_NAME_MAX];
	const char *backend = counters_split_backend(name, pool);

	telemetry_point_attribute(point, "pool", pool);
	telemetry_point_attribute(point, "backend", backend);
	if (*address)
		telemetry_point_attribute(point, "address", address);
}

static int add_backends(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.backend.packets", "{packet}", "Packets sent to a backend.", TELEMETRY_SUM},
		{"weir.backend.bytes", "By", "Bytes of IP packets sent to a backend.", TELEMETRY_SUM},
		{"weir.backend.flows", "{flow}", "TCP connections opened to a backend.", TELEMETRY_SUM},
	};
	AUTO_FREE char(*addresses)[ADDR_TEXT_MAX] = backend_addresses(reconcile_model(controller->reconcile));
	AUTO_FREE struct counters_object *objects = NULL;
	struct telemetry_point *point;
	size_t count = 0;
	int err = addresses ? counters_objects(controller->kernel, MODEL_BACKEND, &objects, &count) : -ENOMEM;

	for (size_t i = 0; !err && i < count * ARRAY_SIZE(metrics); i++) {
		const struct counters_object *object = &objects[i % count];

		point = add(points, &metrics[i / count], object->words[i / count]);
		if (!point)
			return -ENOMEM;
		name_backend(point, object->name, addresses[object->id]);
	}
	return err;
}

static int add_backend_gauges(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.backend.health", "{state}", "0 while the health checks find a backend dead, else 1.",
		 TELEMETRY_GAUGE},
		{"weir.backend.weight", "{weight}",
		 "The share that a backend is to get, 0 while it takes no new flows.", TELEMETRY_GAUGE},
	};
	const struct model *model = reconcile_model(controller->reconcile);

	for (size_t m = 0; m < ARRAY_SIZE(metrics); m++) {
		for (size_t i = 0; i < model->pools_count; i++) {
			for (size_t k = 0; k < model->pools[i].backends_count; k++) {
				const struct model_backend *backend = &model->pools[i].backends[k];
				bool is_up = !backend->checked || backend->state.health != WEIR_HEALTH_DOWN;
				unsigned int weight = backend->takes_new ? backend->weight : 0;
				struct telemetry_point *point = add(points, &metrics[m], m ? weight : is_up);
				char address[ADDR_TEXT_MAX];

				if (!point)
					return -ENOMEM;
				name_backend(point, backend->name, addr_format(&backend->address, address));
			}
		}
	}
	return 0;
}

static const char *const slot_states[] = {
	[WEIR_SLOT_SETTLED] = "settled",
	[WEIR_SLOT_TRANSITION] = "transition",
	[WEIR_SLOT_EXCEPTIONS] = "exceptions",
};

/* Services share rings: each ring is counted once. */
static int add_rings(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metric = {"weir.ring.slots", "{slot}", "Slots of a service's ring by their state.",
					     TELEMETRY_GAUGE};
	const struct model *model = reconcile_model(controller->reconcile);
	AUTO_FREE uint32_t(*counts)[ARRAY_SIZE(slot_states)] = calloc(model->routes_count + 1, sizeof(*counts));

	for (size_t i = 0; counts && i < model->routes_count; i++)
		reconcile_ring_counts(controller->reconcile, i, counts[i]);
	for (size_t i = 0; counts && i < model->services_count * ARRAY_SIZE(slot_states); i++) {
		const struct model_service *service = &model->services[i / ARRAY_SIZE(slot_states)];
		size_t state = i % ARRAY_SIZE(slot_states);
		struct telemetry_point *point = add(points, &metric, counts[service->route][state]);

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "service", service->name);
		telemetry_point_attribute(point, "state", slot_states[state]);
	}
	return counts ? 0 : -ENOMEM;
}

static int add_limits(const struct kernel *kernel, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.limit.packets", "{packet}", "Packets that a limit let pass or dropped.", TELEMETRY_SUM},
		{"weir.limit.bytes", "By", "Bytes of IP packets that a limit let pass or dropped.", TELEMETRY_SUM},
	};
	static const char *const outcomes[] = {"passed", "dropped"};
	AUTO_FREE struct counters_object *objects = NULL;
	size_t count = 0;
	int err = counters_objects(kernel, MODEL_LIMIT, &objects, &count);

	for (size_t i = 0; !err && i < count * 2 * ARRAY_SIZE(metrics); i++) {
		size_t metric = i / (count * 2), outcome = i % 2;
		const struct counters_object *object = &objects[i / 2 % count];
		/* words: passed, passed_bytes, dropped, dropped_bytes */
		struct telemetry_point *point = add(points, &metrics[metric], object->words[outcome * 2 + metric]);

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "limit", object->name);
		telemetry_point_attribute(point, "outcome", outcomes[outcome]);
	}
	return err;
}

static int add_bans(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metric = {"weir.bans", "{entry}", "Live entries of the deny and allow lists.",
					     TELEMETRY_GAUGE};
	static const struct {
		const char *name;
		uint32_t list;
	} lists[] = {{"deny", WEIR_BAN_DENY}, {"allow", WEIR_BAN_ALLOW}};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct telemetry_point *point =
			add(points, &metric, reconcile_ban_count(controller->reconcile, lists[i].list));

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "list", lists[i].name);
	}
	return 0;
}

/* Where they are: in the address tables, or looked up beside them by each prefix length in use. */
static int add_folding(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric folded = {"weir.bans.folded", "{entry}", "Live entries in the address tables.",
					     TELEMETRY_GAUGE};
	static const struct metric overlay = {"weir.bans.overlay", "{prefix}",
					      "Prefixes of live entries, and of those that left the address tables, "
					      "which are looked up beside them.",
					      TELEMETRY_GAUGE};
	struct reconcile_folding folding = reconcile_folding(controller->reconcile);

	return add(points, &folded, folding.folded) && add(points, &overlay, folding.overlay) ? 0 : -ENOMEM;
}

static int add_interfaces(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metric = {"weir.interface.attached", "{state}",
					     "1 while the program is attached to an interface.", TELEMETRY_GAUGE};

	for (size_t i = 0; i < controller->interfaces_count; i++) {
		const struct controller_interface *interface = &controller->interfaces[i];
		struct telemetry_point *point = add(points, &metric, interface->attached);

		if (!point)
			return -ENOMEM;
		telemetry_point_attribute(point, "interface", interface->name);
	}
	return 0;
}

static int add_controller(const struct controller *controller, struct telemetry_points *points)
{
	static const struct metric metrics[] = {
		{"weir.controller.generation", "{generation}", "The live generation of the policy.", TELEMETRY_GAUGE},
		{"weir.controller.applies", "{apply}", "Applies since the controller started.", TELEMETRY_GAUGE},
		{"weir.controller.start_time", "s", "When the controller started, since 1970.", TELEMETRY_GAUGE},
		{"weir.exporter.sent", "{snapshot}", "Snapshots that the collector took.", TELEMETRY_GAUGE},
		{"weir.exporter.failed_attempts", "{attempt}", "Attempts to send that failed.", TELEMETRY_GAUGE},
		{"weir.exporter.dropped", "{snapshot}", "Snapshots lost because the queue was full.", TELEMETRY_GAUGE},
		{"weir.exporter.queued", "{snapshot}", "Snapshots that wait to be sent.", TELEMETRY_GAUGE},
	};
	struct telemetry_otlp_stats stats = {0};
	size_t count = ARRAY_SIZE(metrics);
	uint64_t values[] = {
		reconcile_generation(controller->reconcile),
		controller->applies,
		controller->started_ns / 1000000000,
		0,
		0,
		0,
		0,
	};

	if (controller->otlp) {
		telemetry_otlp_stats(controller->otlp, &stats);
		values[3] = stats.sent;
		values[4] = stats.failed_attempts;
		values[5] = stats.dropped;
		values[6] = stats.queued;
	} else {
		count = 3;
	}
	for (size_t i = 0; i < count; i++)
		if (!add(points, &metrics[i], values[i]))
			return -ENOMEM;
	return 0;
}

int points_collect(void *arg, struct telemetry_points *points)
{
	const struct controller *controller = arg;
	int err;

	points->start_ns = controller->counters_since_ns;
	points->time_ns = (uint64_t)clock_read_ns(CLOCK_REALTIME);
	err = add_verdicts(controller->kernel, points);
	err = err ?: add_rules(controller, points);
	err = err ?: add_sets(controller, points);
	err = err ?: add_services(controller->kernel, points);
	err = err ?: add_backends(controller, points);
	err = err ?: add_backend_gauges(controller, points);
	err = err ?: add_rings(controller, points);
	err = err ?: add_limits(controller->kernel, points);
	err = err ?: add_bans(controller, points);
	err = err ?: add_folding(controller, points);
	err = err ?: add_interfaces(controller, points);
	return err ?: add_controller(controller, points);
}
