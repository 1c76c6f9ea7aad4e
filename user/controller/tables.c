/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pinned tables alone can tell: the documents of `weir stats` and, without a controller, `weir status`. */
#include "controller.h"
#include "counters.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include "../reconcile/reconcile.h"
#include <errno.h>
#include <string.h>

static json_t *verdicts_json(const struct kernel *kernel)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < counters_reasons_count; i++) {
		for (int verdict = 0; verdict < WEIR_VERDICTS; verdict++) {
			struct weir_count count;

			if (counters_verdict(kernel, verdict, counters_reasons[i].number, &count) || !count.packets)
				continue;
			json_array_append_new(
				rows,
				json_pack("{s:s, s:s, s:I, s:I, s:s}", "verdict", counters_verdict_names[verdict],
					  "reason", counters_reasons[i].name, "packets", (json_int_t)count.packets,
					  "bytes", (json_int_t)count.bytes, "meaning", counters_reasons[i].sentence));
		}
	}
	return rows;
}

static json_t *object_json(enum model_kind kind, const struct counters_object *object)
{
	char pool[WEIR_NAME_MAX];
	const char *name = kind == MODEL_BACKEND ? counters_split_backend(object->name, pool) : object->name;
	const uint64_t *words = object->words;

	if (kind == MODEL_LIMIT)
		return json_pack("{s:s, s:I, s:I, s:I, s:I}", "limit", name, "passed", (json_int_t)words[0],
				 "passed_bytes", (json_int_t)words[1], "dropped", (json_int_t)words[2], "dropped_bytes",
				 (json_int_t)words[3]);
	if (kind == MODEL_RULE)
		return json_pack("{s:s, s:I, s:I}", "rule", name, "packets", (json_int_t)words[0], "bytes",
				 (json_int_t)words[1]);
	if (kind == MODEL_SERVICE)
		return json_pack("{s:s, s:I, s:I, s:I}", "service", name, "packets", (json_int_t)words[0], "bytes",
				 (json_int_t)words[1], "flows", (json_int_t)words[2]);
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "pool", pool, "backend", name, "packets", (json_int_t)words[0],
			 "bytes", (json_int_t)words[1], "flows", (json_int_t)words[2]);
}

static json_t *objects_json(const struct kernel *kernel, enum model_kind kind)
{
	AUTO_FREE struct counters_object *objects = NULL;
	json_t *rows = json_array();
	size_t count = 0;

	if (counters_objects(kernel, kind, &objects, &count))
		return rows;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, object_json(kind, &objects[i]));
	return rows;
}

json_t *controller_tables_stats(const struct kernel *kernel)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "verdicts", verdicts_json(kernel), "services",
			 objects_json(kernel, MODEL_SERVICE), "backends", objects_json(kernel, MODEL_BACKEND), "limits",
			 objects_json(kernel, MODEL_LIMIT), "rules", objects_json(kernel, MODEL_RULE));
}

static json_t *packets_json(const struct kernel *kernel)
{
	json_t *packets = json_object();

	for (int verdict = 0; verdict < WEIR_VERDICTS; verdict++) {
		struct weir_count count;
		uint64_t sum = 0;

		for (size_t i = 0; i < counters_reasons_count; i++)
			if (!counters_verdict(kernel, verdict, counters_reasons[i].number, &count))
				sum += count.packets;
		json_object_set_new(packets, counters_verdict_names[verdict], json_integer((json_int_t)sum));
	}
	return packets;
}

static void add_link(void *arg, const struct kernel_link *link)
{
	static const char *const modes[] = {"detached", "generic", "native"};

	json_array_append_new(arg, json_pack("{s:s, s:s, s:i, s:i, s:s}", "name", link->interface, "mode",
					     link->mode >= 0 && link->mode <= 2 ? modes[link->mode] : "unknown",
					     "ifindex", (int)link->ifindex, "program_id", (int)link->program_id, "why",
					     link->mode ? "" : "the device is gone"));
}

static json_t *links_json(const char *pin_directory)
{
	json_t *rows = json_array();

	kernel_links(pin_directory, add_link, rows);
	return rows;
}

static json_t *service_names_json(const struct kernel *kernel)
{
	AUTO_FREE struct counters_object *objects = NULL;
	json_t *rows = json_array();
	size_t count = 0;

	if (counters_objects(kernel, MODEL_SERVICE, &objects, &count))
		return rows;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, json_pack("{s:s}", "name", objects[i].name));
	return rows;
}

static json_t *backend_states_json(const struct kernel *kernel)
{
	int states = kernel_map_fd(kernel, KERNEL_MAP_backend_state);
	AUTO_FREE struct counters_object *objects = NULL;
	json_t *rows = json_array();
	size_t count = 0;

	if (counters_objects(kernel, MODEL_BACKEND, &objects, &count))
		return rows;
	for (size_t i = 0; i < count; i++) {
		struct weir_backend_state state = {0};
		char pool[WEIR_NAME_MAX];
		const char *name = counters_split_backend(objects[i].name, pool);

		if (kernel_map_get(states, &objects[i].id, &state) || state.health >= RECONCILE_HEALTHS ||
		    state.admin >= RECONCILE_ADMINS)
			continue;
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:I}", "pool", pool, "name", name, "health",
						      reconcile_health_names[state.health], "admin",
						      reconcile_admin_names[state.admin], "since",
						      (json_int_t)(state.since_ns / 1000000000)));
	}
	return rows;
}

/* What acts: rules that are off or had expired when it was written are not in the tables. Null when they do not tell.
 */
static json_t *filter_json(const struct kernel *kernel, uint32_t generation)
{
	AUTO_CLOSE int bank = kernel_bank_open(kernel, KERNEL_MAP_policy, generation % WEIR_BANKS);
	const struct weir_filter *head;
	struct weir_policy policy;
	uint32_t zero = 0;

	if (!generation || bank < 0 || kernel_map_get(bank, &zero, &policy))
		return json_null();
	head = &policy.filter;
	return json_pack("{s:I, s:I, s:s}", "enforced", (json_int_t)(head->rules - head->shadows), "shadow",
			 (json_int_t)head->shadows, "default",
			 head->default_action == WEIR_ACTION_DROP ? "drop" : "pass");
}

json_t *controller_tables_status(const struct kernel *kernel, const char *pin_directory)
{
	struct weir_live live = {0};
	json_t *age;
	__u32 zero = 0;

	kernel_map_get(kernel_map_fd(kernel, KERNEL_MAP_live), &zero, &live);
	age = live.heartbeat_ns
		      ? json_real((double)(clock_read_ns(CLOCK_MONOTONIC) - (int64_t)live.heartbeat_ns) / NS_PER_S)
		      : json_null();
	return json_pack("{s:{s:b, s:i, s:o}, s:I, s:o, s:o, s:o, s:o, s:o}", "controller", "running", 0, "pid",
			 (int)live.controller_pid, "heartbeat_age_s", age, "generation", (json_int_t)live.generation,
			 "filter", filter_json(kernel, live.generation), "interfaces", links_json(pin_directory),
			 "services", service_names_json(kernel), "backends", backend_states_json(kernel), "packets",
			 packets_json(kernel));
}
