/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of pools and their backends. */
#include "form.h"

#include <stdio.h>
#include <string.h>

#include "../base/scope.h"
#include "units.h"

struct pool_draft {
	struct config_pool *pool;
	const struct yaml_node *min_healthy, *ring_size, *source;
};

static void read_backend_name(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_backend *backend = object;

	form_name(form, node, backend->name);
}

static void read_backend_address(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_backend *backend = object;

	form_address(form, node, &backend->address);
}

static void read_backend_weight(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_backend *backend = object;
	uint64_t weight;

	if (form_integer(form, node, 0, 1000, &weight))
		backend->weight = (uint16_t)weight;
}

static bool read_backend(struct form *form, const struct yaml_node *node, void *item)
{
	static const struct form_key keys[] = {{"name", read_backend_name, false},
					       {"address", read_backend_address, true},
					       {"weight", read_backend_weight, false}};
	static const struct form_map map = {"a backend", keys, ARRAY_SIZE(keys), NULL};
	struct config_backend *backend = item;

	backend->place = node->place;
	backend->weight = 1;
	if (!form_read_map(form, node, &map, backend))
		return false;
	if (!*backend->name && backend->address.family)
		form_name_of(&backend->address, backend->name);
	return true;
}

static void read_backends(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct config_backend), read_backend, false, false};
	struct pool_draft *draft = object;

	form_read_list(form, node, &list, &draft->pool->backends, &draft->pool->backends_count);
}

static void read_forward(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"ipip", WEIR_FORWARD_IPIP}, {"l2", WEIR_FORWARD_L2}, {"gue", -1}, {"nat", -1}};
	struct pool_draft *draft = object;
	int forward;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &forward))
		draft->pool->forward = (enum weir_forward)forward;
}

static void read_health(struct form *form, const struct yaml_node *node, void *object)
{
	struct pool_draft *draft = object;

	form_health(form, node, &draft->pool->health);
}

static void read_panic_below(struct form *form, const struct yaml_node *node, void *object)
{
	struct pool_draft *draft = object;
	const char *text = form_text(form, node);

	if (text)
		form_units(form, node, units_percent(text, &draft->pool->panic_below_percent));
}

static void read_min_healthy(struct form *form, const struct yaml_node *node, void *object)
{
	struct pool_draft *draft = object;
	uint64_t value;

	if (!form_integer(form, node, 1, WEIR_MAX_BACKENDS - 1, &value))
		return;
	draft->pool->min_healthy = (uint16_t)value;
	draft->min_healthy = node;
}

static bool is_prime(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++) {
		if (n % d == 0)
			return false;
	}
	return n >= 2;
}

/* Maglev visits every slot only when the number of slots is prime. */
static void read_ring_size(struct form *form, const struct yaml_node *node, void *object)
{
	struct pool_draft *draft = object;
	uint64_t value, next;

	if (!form_integer(form, node, 11, WEIR_MAX_RING, &value))
		return;
	for (next = value; !is_prime(next);)
		next++;
	if (next != value) {
		errors_add(form->errors, node->place, "\"ring_size\" must be a prime number; the next one is %u",
			   (unsigned int)next);
		return;
	}
	draft->pool->ring_size = (uint32_t)value;
	draft->ring_size = node;
}

static bool read_source_address(struct form *form, const struct yaml_node *node, void *item)
{
	return form_address(form, node, item);
}

static void read_source(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct addr), read_source_address, true, false};
	struct pool_draft *draft = object;
	AUTO_FREE struct addr *sources = NULL;
	size_t count = 0;

	draft->source = node;
	form_read_list(form, node, &list, &sources, &count);
	for (size_t i = 0; i < count; i++) {
		struct addr *own = sources[i].family == WEIR_IPV4 ? &draft->pool->source4 : &draft->pool->source6;

		if (own->family)
			errors_add(form->errors, node->place, "\"source\" takes one address of each family");
		*own = sources[i];
	}
}

/* Names that metrics and the kernel's tables join: "pool/backend" must fit. */
static void check_backend_names(struct form *form, const struct config_pool *pool)
{
	AUTO_NAMES struct form_names names = {}, addresses = {};

	for (size_t i = 0; i < pool->backends_count; i++) {
		const struct config_backend *backend = &pool->backends[i];
		char text[ADDR_TEXT_MAX];

		if (strlen(pool->name) + 1 + strlen(backend->name) >= WEIR_NAME_MAX)
			errors_add(
				form->errors, backend->place,
				"the names of pool and backend are too long together: \"%s/%s\" has more than %d bytes",
				pool->name, backend->name, WEIR_NAME_MAX - 1);
		if (*backend->name && !form_names_add(form, &names, "backend", backend->name, backend->place))
			continue;
		if (backend->address.family)
			form_names_add(form, &addresses, "the address of a backend,",
				       addr_format(&backend->address, text), backend->place);
	}
}

static void check_pool(struct form *form, const struct pool_draft *draft)
{
	const struct config_pool *pool = draft->pool;

	if (pool->backends_count && draft->min_healthy && pool->min_healthy > pool->backends_count)
		errors_add(form->errors, draft->min_healthy->place,
			   "\"min_healthy\" is %u, but the pool has %zu backends: it would never serve",
			   pool->min_healthy, pool->backends_count);
	if (draft->ring_size && pool->ring_size < pool->backends_count)
		errors_add(form->errors, draft->ring_size->place,
			   "\"ring_size\" is %u, but the pool has %zu backends: some would get no slot",
			   pool->ring_size, pool->backends_count);
	if (draft->source && pool->forward == WEIR_FORWARD_L2)
		errors_add(form->errors, draft->source->place,
			   "\"source\" is of outer headers: \"forward: l2\" makes none");
	check_backend_names(form, pool);
}

static void read_pool(struct form *form, const struct yaml_node *node, struct config_pool *pool)
{
	static const struct form_key keys[] = {
		{"forward", read_forward, false},	  {"backends", read_backends, true},
		{"health", read_health, false},		  {"panic_below", read_panic_below, false},
		{"min_healthy", read_min_healthy, false}, {"ring_size", read_ring_size, false},
		{"source", read_source, false},
	};
	static const char *const later[] = {"slow_start", NULL};
	static const struct form_map map = {"a pool", keys, ARRAY_SIZE(keys), later};
	struct pool_draft draft = {.pool = pool};

	pool->place = node->key->place;
	pool->forward = WEIR_FORWARD_IPIP;
	pool->min_healthy = 1;
	if (form_name(form, node->key, pool->name) && form_read_map(form, node, &map, &draft))
		check_pool(form, &draft);
}

void form_pools(struct form *form, const struct yaml_node *node)
{
	struct config *config = form->config;
	AUTO_NAMES struct form_names names = {};
	size_t backends = 0;

	if (node->kind != YAML_MAP || !node->count) {
		errors_add(form->errors, node->place,
			   "\"pools\" must name at least one pool: {local: {backends: [...]}}");
		return;
	}
	config->pools = calloc(node->count, sizeof(*config->pools));
	if (!config->pools) {
		form->errors->no_memory = true;
		return;
	}
	for (const struct yaml_node *value = node->first; value && !form->errors->more; value = value->next) {
		struct config_pool *pool = &config->pools[config->pools_count];

		/* Counted at once, so that config_free finds what it holds. */
		config->pools_count++;
		read_pool(form, value, pool);
		backends += pool->backends_count;
		if (*pool->name)
			form_names_add(form, &names, "pool", pool->name, pool->place);
	}
	if (backends >= WEIR_MAX_BACKENDS)
		errors_add(form->errors, node->place, "%zu backends in all pools, at most %d (WEIR_MAX_BACKENDS)",
			   backends, WEIR_MAX_BACKENDS - 1);
}
