/* SPDX-License-Identifier: BSD-2-Clause */
/* Says each part of a configuration in words: one name and one text a field. */
#include "facts.h"
#include "../base/scope.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

/* Makes room for one more object of the list, all NULL. */
static struct fact_object *add_object(struct fact_list *list)
{
	struct fact_object *grown = reallocarray(list->objects, list->count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	list->objects = grown;
	memset(&grown[list->count], 0, sizeof(*grown));
	return &grown[list->count++];
}

__attribute__((format(printf, 1, 2))) static char *text(const char *format, ...)
{
	va_list arguments;
	char *out = NULL;

	va_start(arguments, format);
	if (vasprintf(&out, format, arguments) < 0)
		out = NULL;
	va_end(arguments);
	return out;
}

/* A list whose items are written by a function of their own: "a, b, c". */
static char *text_list(size_t count, void (*item)(FILE *file, const void *items, size_t index), const void *items)
{
	char *out = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&out, &size);
	bool failed;

	if (!file)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : "", file);
		item(file, items, i);
	}
	if (!count)
		fputs("none", file);
	failed = ferror(file);
	if (fclose(file) != 0 || failed) {
		free(out);
		return NULL;
	}
	return out;
}

static char *text_addr(const struct addr *addr)
{
	char buffer[ADDR_TEXT_MAX];

	return addr->family ? text("%s", addr_format(addr, buffer)) : text("automatic");
}

static void write_addr(FILE *file, const void *items, size_t index)
{
	char buffer[ADDR_TEXT_MAX];

	fputs(addr_format((const struct addr *)items + index, buffer), file);
}

static void write_prefix(FILE *file, const void *items, size_t index)
{
	char buffer[ADDR_TEXT_MAX];

	fputs(prefix_format((const struct prefix *)items + index, buffer), file);
}

static void write_ports(FILE *file, const void *items, size_t index)
{
	const struct config_ports *ports = (const struct config_ports *)items + index;
	char buffer[CONFIG_PORTS_TEXT_MAX];

	fputs(config_ports_format(ports, buffer), file);
}

/* 0, or -ENOMEM when the name or one of the first count fields could not be made. */
static int check(const struct fact_object *object, size_t count)
{
	bool complete = object->name;

	for (size_t i = 0; i < count; i++)
		complete = complete && object->fields[i];
	return complete ? 0 : -ENOMEM;
}

static int collect_interfaces(const struct config *config, struct fact_list *list)
{
	static const char *const modes[] = {"auto", "native", "generic"};
	int error = 0;

	for (size_t i = 0; i < config->interfaces_count && !error; i++) {
		struct fact_object *object = add_object(list);

		if (!object)
			return -ENOMEM;
		object->name = text("%s", config->interfaces[i].name);
		object->fields[0] = text("%s", modes[config->interfaces[i].mode]);
		error = check(object, 1);
	}
	return error;
}

static int collect_protects(const struct config *config, struct fact_list *list)
{
	int error = 0;

	for (size_t i = 0; i < config->protects_count && !error; i++) {
		const struct config_protect *protect = &config->protects[i];
		struct fact_object *object = add_object(list);
		char *from AUTO_FREE = text_list(protect->from_count, write_prefix, protect->from);
		char *ports AUTO_FREE = text_list(protect->ports_count, write_ports, protect->ports);

		if (!object || !from || !ports)
			return -ENOMEM;
		object->name = text("from %s (%s)", from, protect->ports_count ? ports : "everything");
		error = check(object, 0);
	}
	return error;
}

/* Lists up to this long are written out; of longer ones the length and a digest tell them apart. */
#define PREFIXES_WRITTEN 8

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

/* The same content is the same text, in whatever order it was written down. */
static char *text_prefixes(const struct config_set *set)
{
	struct prefix *sorted AUTO_FREE = calloc(set->prefixes_count + 1, sizeof(*sorted));
	uint32_t digest = 2166136261u; /* FNV-1a */

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < set->prefixes_count; i++)
		sorted[i] = set->prefixes[i];
	qsort(sorted, set->prefixes_count, sizeof(*sorted), compare_prefixes);
	if (set->prefixes_count <= PREFIXES_WRITTEN)
		return text_list(set->prefixes_count, write_prefix, sorted);
	for (size_t i = 0; i < set->prefixes_count; i++) {
		char buffer[ADDR_TEXT_MAX];

		for (const char *at = prefix_format(&sorted[i], buffer); *at; at++)
			digest = (digest ^ (unsigned char)*at) * 16777619u;
		digest = (digest ^ ',') * 16777619u;
	}
	return text("%zu prefixes (digest %08x)", set->prefixes_count, digest);
}

static char *text_source(const struct config_set *set)
{
	char *regions AUTO_FREE = NULL;

	if (set->kind == CONFIG_SET_INLINE)
		return text_prefixes(set);
	if (set->kind == CONFIG_SET_FILE)
		return text("file %s", set->path);
	regions = config_regions_format(set);
	return regions ? text("%s of geoip %s", regions, set->path) : NULL;
}

static int collect_sets(const struct config *config, struct fact_list *list)
{
	int error = 0;

	for (size_t i = 0; i < config->sets_count && !error; i++) {
		const struct config_set *set = &config->sets[i];
		bool is_read = set->kind != CONFIG_SET_INLINE;
		struct fact_object *object = add_object(list);

		if (!object)
			return -ENOMEM;
		object->name = text("%s", set->name);
		object->fields[0] = text_source(set);
		object->fields[1] = is_read ? text("%u ms", set->refresh_ms) : text("never");
		object->fields[2] = set->max_change_percent ? text("%u%%", set->max_change_percent) : text("any");
		object->fields[3] = text("%s", set->strict ? "true" : "false");
		error = check(object, 4);
	}
	return error;
}

static char *text_date(int64_t seconds)
{
	time_t when = seconds;
	char buffer[32];
	struct tm tm;

	if (!seconds || !gmtime_r(&when, &tm) || !strftime(buffer, sizeof(buffer), "%FT%TZ", &tm))
		return text("never");
	return text("%s", buffer);
}

static int collect_rules(const struct config *config, struct fact_list *list)
{
	static const char *const modes[] = CONFIG_RULE_MODE_NAMES;
	int error = 0;

	for (size_t i = 0; i < config->filter.rules_count && !error; i++) {
		const struct config_rule *rule = &config->filter.rules[i];
		struct fact_object *object = add_object(list);
		char action[CONFIG_ACTION_TEXT_MAX];

		if (!object)
			return -ENOMEM;
		object->name = text("%s", rule->name);
		object->fields[0] = config_rule_match_format(config, rule);
		object->fields[1] = text("%s", config_rule_action_format(config, rule, action));
		object->fields[2] = text("%s", modes[rule->mode]);
		object->fields[3] = text_date(rule->expires_s);
		error = check(object, 4);
	}
	return error;
}

static int collect_filter(const struct config *config, struct fact_list *list)
{
	struct fact_object *object = add_object(list);

	if (!object)
		return -ENOMEM;
	object->name = text("%s", "filter");
	object->fields[0] = text("%s", config->filter.default_action == CONFIG_ACTION_DROP ? "drop" : "pass");
	return check(object, 1);
}

static int collect_limits(const struct config *config, struct fact_list *list)
{
	int error = 0;

	for (size_t i = 0; i < config->limits_count && !error; i++) {
		const struct config_limit *limit = &config->limits[i];
		const char *unit = limit->unit == CONFIG_PER_PACKET ? "packets" : "bits";
		struct fact_object *object = add_object(list);

		if (!object)
			return -ENOMEM;
		object->name = text("%s", limit->name);
		object->fields[0] = text("source/%u,/%u", limit->prefix4, limit->prefix6);
		object->fields[1] = text("%.15g %s/s", limit->rate_per_s, unit);
		object->fields[2] = text("%.15g %s", limit->burst, unit);
		object->fields[3] = text("%s", limit->by_rule ? "rules that name it" : "to @vips");
		error = check(object, 4);
	}
	return error;
}

static char *text_health(const struct config_health *health)
{
	if (health->type == CONFIG_HEALTH_NONE)
		return text("none");
	if (health->type == CONFIG_HEALTH_TCP)
		return text("tcp port %u every %u ms, timeout %u ms, rise %u, fall %u", health->port,
			    health->interval_ms, health->timeout_ms, health->rise, health->fall);
	return text(
		"http port %u path %s host \"%s\" status %u body \"%s\" every %u ms, timeout %u ms, rise %u, fall %u",
		health->port, health->path, health->host, health->expect_status, health->expect_body,
		health->interval_ms, health->timeout_ms, health->rise, health->fall);
}

static int collect_pools(const struct config *config, struct fact_list *list)
{
	int error = 0;

	for (size_t i = 0; i < config->pools_count && !error; i++) {
		const struct config_pool *pool = &config->pools[i];
		struct fact_object *object = add_object(list);

		if (!object)
			return -ENOMEM;
		object->name = text("%s", pool->name);
		object->fields[0] = text("%s", pool->forward == WEIR_FORWARD_L2 ? "l2" : "ipip");
		object->fields[1] = text_health(&pool->health);
		object->fields[2] = text("%u%%", pool->panic_below_percent);
		object->fields[3] = text("%u", pool->min_healthy);
		object->fields[4] = pool->ring_size ? text("%u", pool->ring_size) : text("automatic");
		object->fields[5] = text_addr(&pool->source4);
		object->fields[6] = text_addr(&pool->source6);
		error = check(object, 7);
	}
	return error;
}

static int collect_backends(const struct config *config, struct fact_list *list)
{
	for (size_t i = 0; i < config->pools_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (size_t j = 0; j < pool->backends_count; j++) {
			struct fact_object *object = add_object(list);

			if (!object)
				return -ENOMEM;
			object->name = text("%s/%s", pool->name, pool->backends[j].name);
			object->fields[0] = text_addr(&pool->backends[j].address);
			object->fields[1] = text("%u", pool->backends[j].weight);
			if (check(object, 2))
				return -ENOMEM;
		}
	}
	return 0;
}

/* A service's pools are indices into the configuration, so the item needs both. */
struct pool_names {
	const struct config *config;
	const size_t *pools;
};

static void write_pool(FILE *file, const void *items, size_t index)
{
	const struct pool_names *names = items;

	fputs(names->config->pools[names->pools[index]].name, file);
}

static int collect_services(const struct config *config, struct fact_list *list)
{
	static const char *const fallbacks[] = {"reject", "drop", "kernel"}, *const affinities[] = {"flow", "source"};
	int error = 0;

	for (size_t i = 0; i < config->services_count && !error; i++) {
		const struct config_service *service = &config->services[i];
		struct pool_names pools = {.config = config, .pools = service->pools};
		struct fact_object *object = add_object(list);

		if (!object)
			return -ENOMEM;
		object->name = text("%s", service->name);
		object->fields[0] = text_list(service->addresses_count, write_addr, service->addresses);
		object->fields[1] = text_list(service->ports_count, write_ports, service->ports);
		object->fields[2] = text_list(service->pools_count, write_pool, &pools);
		object->fields[3] = text("%s", fallbacks[service->fallback]);
		object->fields[4] = text("%s", affinities[service->affinity]);
		error = check(object, 5);
	}
	return error;
}

static int collect_telemetry(const struct config *config, struct fact_list *list)
{
	struct fact_object *object = add_object(list);

	if (!object)
		return -ENOMEM;
	object->name = text("%s", "telemetry");
	object->fields[0] = text("%s", config->host_name);
	object->fields[1] = text("%s", config->otlp.endpoint[0] ? config->otlp.endpoint : "off");
	object->fields[2] = text("%s", config->otlp.metrics_path);
	object->fields[3] = text("%u ms", config->otlp.interval_ms);
	object->fields[4] = text("%u ms", config->otlp.timeout_ms);
	object->fields[5] = config->prometheus_address[0]
				    ? text("%s port %u", config->prometheus_address, config->prometheus_port)
				    : text("off");
	return check(object, 6);
}

static int collect_controller(const struct config *config, struct fact_list *list)
{
	struct fact_object *object = add_object(list);

	if (!object)
		return -ENOMEM;
	object->name = text("%s", "controller");
	object->fields[0] = text("%llu", (unsigned long long)config->steer_seed);
	object->fields[1] = text("%u ms", config->settle_ms);
	object->fields[2] = text("%u ms", config->idle_ms);
	object->fields[3] = text("%s", config->control_socket);
	object->fields[4] = text("%s", config->control_group[0] ? config->control_group : "none");
	object->fields[5] = text("%s", config->pin_directory);
	object->fields[6] = text("%s", config->state_directory);
	return check(object, 7);
}

const struct fact_kind fact_kinds[] = {
	{"interface", {"mode"}, collect_interfaces, false, false},
	{"protect", {NULL}, collect_protects, false, false},
	{"set", {"content", "refresh", "max_change", "strict"}, collect_sets, false, false},
	{"rule", {"match", "action", "mode", "expires"}, collect_rules, false, true},
	{"setting", {"default"}, collect_filter, true, false},
	{"limit", {"key", "rate", "burst", "match"}, collect_limits, false, false},
	{"pool",
	 {"forward", "health", "panic_below", "min_healthy", "ring_size", "source (IPv4)", "source (IPv6)"},
	 collect_pools,
	 false,
	 false},
	{"backend", {"address", "weight"}, collect_backends, false, false},
	{"service", {"address", "ports", "pools", "fallback", "affinity"}, collect_services, false, false},
	{"setting",
	 {"host", "otlp endpoint", "otlp path", "otlp interval", "otlp timeout", "prometheus"},
	 collect_telemetry,
	 true,
	 false},
	{"setting",
	 {"steering seed", "steering settle", "steering idle", "socket", "group", "pins", "state directory"},
	 collect_controller,
	 true,
	 false},
};
const size_t fact_kinds_count = ARRAY_SIZE(fact_kinds);

static int compare_objects(const void *a, const void *b)
{
	return strcmp(((const struct fact_object *)a)->name, ((const struct fact_object *)b)->name);
}

int fact_list_collect(const struct fact_kind *kind, const struct config *config, struct fact_list *list)
{
	struct fact_list collected = {0};
	int error = config ? kind->collect(config, &collected) : 0;

	if (error) {
		fact_list_free(&collected);
		return error;
	}
	if (collected.count)
		qsort(collected.objects, collected.count, sizeof(*collected.objects), compare_objects);
	*list = collected;
	return 0;
}

void fact_list_free(struct fact_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->objects[i].name);
		for (size_t j = 0; j < FACTS_MAX; j++)
			free(list->objects[i].fields[j]);
	}
	free(list->objects);
	list->objects = NULL;
	list->count = 0;
}
