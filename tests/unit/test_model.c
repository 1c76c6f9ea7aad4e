/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/model: ids, who serves, limits in the program's units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/model/model.h"

#define POOL_BACKENDS 4

/* Two pools, "near" and "far", of up to four checked backends each, and one service that prefers near. */
struct edge {
	struct config config;
	struct config_pool pools[2];
	struct config_backend backends[2][POOL_BACKENDS];
	struct config_service service;
	size_t order[2];
	struct model_registry registry;
	struct weir_backend_state states[WEIR_MAX_BACKENDS];
	struct model_world world;
	struct model *model;
	uint32_t fresh[3]; /* ids given out anew, by kind */
};

static int source_towards(void *arg, const struct addr *to, struct addr *source)
{
	(void)arg;
	if (to->family == WEIR_IPV6)
		return -ENETUNREACH;
	return addr_parse("10.0.0.254", source);
}

static void count_fresh(void *arg, enum model_kind kind, uint32_t id)
{
	struct edge *edge = arg;

	assert_int_not_equal(id, 0);
	edge->fresh[kind]++;
}

static struct edge *make_edge(size_t near, size_t far)
{
	struct edge *edge = calloc(1, sizeof(*edge));
	size_t counts[] = {near, far};

	assert_non_null(edge);
	for (size_t i = 0; i < 2; i++) {
		struct config_pool *pool = &edge->pools[i];

		strcpy(pool->name, i ? "far" : "near");
		pool->forward = WEIR_FORWARD_IPIP;
		pool->backends = edge->backends[i];
		pool->backends_count = counts[i];
		pool->health.type = CONFIG_HEALTH_TCP;
		pool->min_healthy = 1;
		for (size_t j = 0; j < counts[i]; j++) {
			char address[ADDR_TEXT_MAX];

			snprintf(pool->backends[j].name, WEIR_NAME_MAX, "b%zu", j);
			snprintf(address, sizeof(address), "10.0.%zu.%zu", i, j + 1);
			assert_int_equal(addr_parse(address, &pool->backends[j].address), 0);
			pool->backends[j].weight = 1;
		}
		edge->order[i] = i;
	}
	strcpy(edge->service.name, "www");
	edge->service.pools = edge->order;
	edge->service.pools_count = 2;
	edge->config = (struct config){
		.pools = edge->pools, .pools_count = 2, .services = &edge->service, .services_count = 1};
	edge->registry.names = calloc(WEIR_NAMES_TOTAL, sizeof(*edge->registry.names));
	assert_non_null(edge->registry.names);
	edge->world = (struct model_world){.states = edge->states, .source_towards = source_towards};
	return edge;
}

static void build(struct edge *edge)
{
	struct problem problem = {.text = ""};

	model_free(edge->model);
	edge->model = NULL;
	memset(edge->fresh, 0, sizeof(edge->fresh));
	assert_int_equal(
		model_build(&edge->config, &edge->registry, &edge->world, count_fresh, edge, &edge->model, &problem),
		0);
}

static void free_edge(struct edge *edge)
{
	model_free(edge->model);
	free(edge->registry.names);
	free(edge);
}

static struct model_backend *backend(struct edge *edge, size_t pool, size_t index)
{
	return &edge->model->pools[pool].backends[index];
}

/* A letter a backend of the pool: u unknown, U up, D down; d draining, x disabled; 0 weight zero. */
static void set_states(struct edge *edge, size_t pool, const char *letters)
{
	for (size_t i = 0; letters[i]; i++) {
		struct weir_backend_state *now = &edge->states[backend(edge, pool, i)->id];

		*now = (struct weir_backend_state){.health = WEIR_HEALTH_UP};
		switch (letters[i]) {
		case 'u':
			now->health = WEIR_HEALTH_UNKNOWN;
			break;
		case 'D':
			now->health = WEIR_HEALTH_DOWN;
			break;
		case 'd':
			now->admin = WEIR_ADMIN_DRAIN;
			break;
		case 'x':
			now->admin = WEIR_ADMIN_DISABLED;
			break;
		case '0':
			now->weight = 1;
			break;
		}
	}
}

static void expect_flags(struct edge *edge, size_t pool, const char *takes_new, const char *keeps_old)
{
	for (size_t i = 0; takes_new[i]; i++) {
		assert_int_equal(backend(edge, pool, i)->takes_new, takes_new[i] == '1');
		assert_int_equal(backend(edge, pool, i)->keeps_old, keeps_old[i] == '1');
	}
}

static void model_build_states_and_thresholds_decide_who_serves(void **state)
{
	static const struct {
		const char *states;
		uint16_t min_healthy;
		uint8_t panic_below;
		size_t healthy;
		bool panic, serves;
		const char *takes_new, *keeps_old;
	} rows[] = {
		{"uuuu", 1, 0, 4, false, true, "1111", "1111"},
		{"UDUu", 1, 0, 3, false, true, "1011", "1011"},
		{"dxU0", 1, 0, 1, false, true, "0010", "1011"},
		{"DDDD", 1, 0, 0, false, false, "0000", "0000"},
		{"dddd", 1, 0, 0, false, false, "0000", "1111"},
		/* min_healthy, at most the number of backends */
		{"UUDD", 2, 0, 2, false, true, "1100", "1100"},
		{"UUDD", 3, 0, 2, false, false, "1100", "1100"},
		{"UUUU", 9, 0, 4, false, true, "1111", "1111"},
		{"UUUD", 9, 0, 3, false, false, "1110", "1110"},
		{"DDDD", 0, 0, 0, false, false, "0000", "0000"},
		/* panic, as a share of the enabled ones */
		{"UUDD", 1, 50, 2, false, true, "1100", "1100"},
		{"UDDD", 1, 50, 1, true, true, "1111", "1111"},
		{"UDDD", 3, 50, 1, true, true, "1111", "1111"},
		{"DDDD", 1, 50, 0, true, true, "1111", "1111"},
		{"UDxd", 1, 50, 1, false, true, "1000", "1001"},
		{"UDDx", 1, 50, 1, true, true, "1110", "1110"},
		{"xxxx", 1, 50, 0, false, false, "0000", "0000"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct edge *edge = make_edge(4, 0);

		edge->pools[0].min_healthy = rows[i].min_healthy;
		edge->pools[0].panic_below_percent = rows[i].panic_below;
		build(edge);
		set_states(edge, 0, rows[i].states);
		build(edge);
		assert_int_equal(edge->model->pools[0].healthy, rows[i].healthy);
		assert_int_equal(edge->model->pools[0].panic, rows[i].panic);
		assert_int_equal(edge->model->pools[0].serves, rows[i].serves);
		expect_flags(edge, 0, rows[i].takes_new, rows[i].keeps_old);
		free_edge(edge);
	}
}

static void model_build_service_falls_back_in_order(void **state)
{
	static const struct {
		const char *near, *far;
		uint8_t panic_below;
		int pool;
	} rows[] = {
		{"UU", "UU", 0, 0},  {"UD", "UU", 0, 1}, /* two are needed */
		{"UD", "UD", 0, 0},			 /* neither has enough: the first that has any */
		{"DD", "UD", 0, 1},  {"DD", "DD", 0, -1},
		{"dx", "0D", 0, -1}, {"UD", "UU", 80, 0}, /* panic: it serves */
		{"DD", "UU", 80, 1},			  /* but not while another has a healthy one */
		{"DD", "DD", 80, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct edge *edge = make_edge(2, 2);

		for (size_t j = 0; j < 2; j++) {
			edge->pools[j].min_healthy = 2;
			edge->pools[j].panic_below_percent = rows[i].panic_below;
		}
		build(edge);
		set_states(edge, 0, rows[i].near);
		set_states(edge, 1, rows[i].far);
		build(edge);
		if (edge->model->services[0].pool != rows[i].pool)
			fail_msg("row %zu: pool %d", i, edge->model->services[0].pool);
		free_edge(edge);
	}
}

static void model_build_pool_without_backends_does_not_serve(void **state)
{
	struct edge *edge = make_edge(0, 0);

	(void)state;
	build(edge);
	assert_false(edge->model->pools[0].serves);
	assert_int_equal(edge->model->services[0].pool, -1);
	free_edge(edge);
}

static void model_build_pool_without_checks_ignores_old_health(void **state)
{
	struct edge *edge = make_edge(2, 0);

	(void)state;
	build(edge);
	set_states(edge, 0, "DU");
	edge->pools[0].health.type = CONFIG_HEALTH_NONE;
	build(edge);
	assert_int_equal(edge->model->pools[0].healthy, 2);
	assert_false(backend(edge, 0, 0)->checked);
	expect_flags(edge, 0, "11", "11");
	free_edge(edge);
}

static void model_build_weight_override_beats_the_configured_one(void **state)
{
	struct edge *edge = make_edge(3, 0);

	(void)state;
	edge->backends[0][0].weight = 10;
	edge->backends[0][1].weight = 10;
	edge->backends[0][2].weight = 0;
	build(edge);
	edge->states[backend(edge, 0, 0)->id].weight = 6;
	build(edge);
	assert_int_equal(backend(edge, 0, 0)->weight, 5);
	assert_int_equal(backend(edge, 0, 0)->configured_weight, 10);
	assert_int_equal(backend(edge, 0, 1)->weight, 10);
	expect_flags(edge, 0, "110", "111");
	free_edge(edge);
}

static void model_build_again_keeps_ids_and_tells_fresh_ones(void **state)
{
	struct edge *edge = make_edge(2, 1);
	uint32_t first, second;

	(void)state;
	build(edge);
	assert_int_equal(edge->fresh[MODEL_SERVICE], 1);
	assert_int_equal(edge->fresh[MODEL_BACKEND], 3);
	assert_string_equal(backend(edge, 0, 1)->name, "near/b1");
	first = backend(edge, 0, 0)->id;
	second = backend(edge, 0, 1)->id;

	/* The first goes, another comes. */
	edge->backends[0][0] = edge->backends[0][1];
	strcpy(edge->backends[0][1].name, "new");
	build(edge);
	assert_int_equal(edge->fresh[MODEL_SERVICE], 0);
	assert_int_equal(edge->fresh[MODEL_BACKEND], 1);
	assert_int_equal(backend(edge, 0, 0)->id, second);
	assert_int_not_equal(backend(edge, 0, 1)->id, first);
	assert_int_equal(model_registry_find(&edge->registry, MODEL_BACKEND, "near/b0"), first);
	free_edge(edge);
}

static void model_build_reused_id_starts_without_the_old_state(void **state)
{
	struct edge *edge = make_edge(1, 0);

	(void)state;
	for (uint32_t id = 1; id < WEIR_MAX_BACKENDS; id++) {
		struct weir_name *name = &edge->registry.names[WEIR_NAMES_BACKENDS + id];

		name->used = 1;
		snprintf(name->name, sizeof(name->name), "gone/b%u", id);
		edge->states[id].admin = WEIR_ADMIN_DISABLED;
	}
	build(edge);
	assert_int_equal(edge->fresh[MODEL_BACKEND], 1);
	assert_int_equal(backend(edge, 0, 0)->state.admin, WEIR_ADMIN_ENABLED);
	assert_true(backend(edge, 0, 0)->takes_new);
	free_edge(edge);
}

/* No fresh id is left and nothing is in use elsewhere: a new name must not take the id of another of its model. */
static void model_build_names_of_one_model_never_share_an_id(void **state)
{
	struct edge *edge = make_edge(2, 2);

	(void)state;
	for (uint32_t id = 1; id < WEIR_MAX_BACKENDS; id++) {
		struct weir_name *name = &edge->registry.names[WEIR_NAMES_BACKENDS + id];

		name->used = 1;
		snprintf(name->name, sizeof(name->name), id == 1 ? "far/b1" : "gone/b%u", id);
	}
	build(edge);
	assert_int_equal(backend(edge, 1, 1)->id, 1);
	assert_int_equal(edge->fresh[MODEL_BACKEND], 3);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = i + 1; j < 4; j++)
			assert_int_not_equal(backend(edge, i / 2, i % 2)->id, backend(edge, j / 2, j % 2)->id);
	free_edge(edge);
}

static void model_build_source_is_configured_asked_for_or_unknown(void **state)
{
	struct edge *edge = make_edge(2, 2);
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(addr_parse("2001:db8::5", &edge->backends[0][1].address), 0);
	assert_int_equal(addr_parse("192.0.2.7", &edge->pools[1].source4), 0);
	assert_int_equal(addr_parse("2001:db8::7", &edge->pools[1].source6), 0);
	assert_int_equal(addr_parse("2001:db8::6", &edge->backends[1][1].address), 0);
	build(edge);
	assert_string_equal(addr_format(&backend(edge, 0, 0)->source, text), "10.0.0.254");
	assert_int_equal(backend(edge, 0, 1)->source.family, 0);
	assert_string_equal(addr_format(&backend(edge, 1, 0)->source, text), "192.0.2.7");
	assert_string_equal(addr_format(&backend(edge, 1, 1)->source, text), "2001:db8::7");

	edge->pools[1].forward = WEIR_FORWARD_L2;
	build(edge);
	assert_int_equal(backend(edge, 1, 0)->source.family, 0);
	assert_int_equal(backend(edge, 1, 0)->forward, WEIR_FORWARD_L2);
	free_edge(edge);
}

static void model_build_ring_size_is_of_the_configuration_not_of_health(void **state)
{
	struct edge *edge = make_edge(4, 2);

	(void)state;
	edge->pools[1].ring_size = 251;
	build(edge);
	set_states(edge, 0, "DDDx");
	build(edge);
	assert_int_equal(edge->model->pools[0].ring_size, MODEL_RING_SIZE);
	assert_int_equal(edge->model->pools[1].ring_size, 251);
	assert_int_equal(edge->model->routes[0].ring_size, MODEL_RING_SIZE);
	free_edge(edge);
}

/* Whichever pool serves. */
static void model_build_services_of_the_same_pools_share_a_route(void **state)
{
	struct edge *edge = make_edge(2, 2);
	struct config_service services[3] = {edge->service, edge->service, edge->service};

	(void)state;
	strcpy(services[1].name, "one");
	services[1].pools_count = 1;
	strcpy(services[2].name, "like www");
	edge->pools[1].ring_size = 509;
	edge->config.services = services;
	edge->config.services_count = ARRAY_SIZE(services);
	build(edge);
	assert_int_equal(edge->model->routes_count, 2);
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		assert_int_equal(edge->model->services[i].route, i % 2);
	free_edge(edge);
}

static void model_build_long_backend_name_is_refused(void **state)
{
	struct edge *edge = make_edge(1, 0);
	struct model *model = NULL;
	struct problem problem;

	(void)state;
	memset(edge->backends[0][0].name, 'b', WEIR_NAME_MAX - 1);
	assert_int_equal(model_build(&edge->config, &edge->registry, &edge->world, NULL, NULL, &model, &problem),
			 -ENAMETOOLONG);
	assert_null(model);
	assert_non_null(strstr(problem.text, "near/bbb"));
	free_edge(edge);
}

static void model_build_limits_are_in_the_programs_units(void **state)
{
	static const struct {
		enum config_limit_unit unit;
		double rate, burst;
		uint64_t packet_cost_ns, byte_cost_ps, burst_ns;
	} rows[] = {
		{CONFIG_PER_PACKET, 1000, 1000, 1000000, 0, 999000000},
		{CONFIG_PER_PACKET, 2000, 4000, 500000, 0, 3999 * 500000ull},
		{CONFIG_PER_PACKET, 3, 4, 333333333, 0, 999999999},
		{CONFIG_PER_PACKET, 10, 1, 100000000, 0, 0},
		{CONFIG_PER_PACKET, 0.5, 0.5, 2000000000, 0, 0},
		{CONFIG_PER_PACKET, 1e10, 1e10, 1, 0, 9999999999},
		{CONFIG_PER_BIT, 200e6, 200e6, 0, 40000, 1000000000},
		{CONFIG_PER_BIT, 8e12, 8000, 0, 1, 1},
		{CONFIG_PER_BIT, 1e14, 8000, 0, 1, 1},
		{CONFIG_PER_BIT, 1e-9, 1, 0, 1000000000000000000, 125000000000000},
		{CONFIG_PER_PACKET, 1e-12, 1e12, 1000000000000000000, 0, 1000000000000000000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct edge *edge = make_edge(0, 0);
		struct config_limit limit = {.name = "l",
					     .prefix4 = 24,
					     .prefix6 = 56,
					     .unit = rows[i].unit,
					     .rate_per_s = rows[i].rate,
					     .burst = rows[i].burst};
		const struct weir_limit *out;

		edge->config.limits = &limit;
		edge->config.limits_count = 1;
		build(edge);
		out = &edge->model->limits[0].limit;
		assert_int_equal(out->id, edge->model->limits[0].id);
		assert_int_not_equal(out->id, 0);
		assert_int_equal(out->prefix4, 24);
		assert_int_equal(out->prefix6, 56);
		assert_int_equal(out->packet_cost_ns, rows[i].packet_cost_ns);
		assert_int_equal(out->byte_cost_ps, rows[i].byte_cost_ps);
		assert_int_equal(out->burst_ns, rows[i].burst_ns);
		free_edge(edge);
	}
}

/* The program's rule in miniature: over if the bucket's time is more than burst_ns ahead, else the packet's cost is
 * added. */
static void model_build_limit_lets_exactly_its_burst_pass_at_once(void **state)
{
	static const double rates[] = {1, 3, 7, 1000, 2000, 333333, 6e8, 1e9};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct edge *edge = make_edge(0, 0);
		struct config_limit limit = {.name = "l", .rate_per_s = rates[i], .burst = 50};
		const struct weir_limit *out;
		uint64_t now = 1000, ahead = now;
		int passed = 0;

		edge->config.limits = &limit;
		edge->config.limits_count = 1;
		build(edge);
		out = &edge->model->limits[0].limit;
		while (ahead <= now + out->burst_ns) {
			ahead += out->packet_cost_ns;
			passed++;
		}
		assert_int_equal(passed, 50);
		free_edge(edge);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_build_states_and_thresholds_decide_who_serves),
		cmocka_unit_test(model_build_service_falls_back_in_order),
		cmocka_unit_test(model_build_pool_without_backends_does_not_serve),
		cmocka_unit_test(model_build_pool_without_checks_ignores_old_health),
		cmocka_unit_test(model_build_weight_override_beats_the_configured_one),
		cmocka_unit_test(model_build_again_keeps_ids_and_tells_fresh_ones),
		cmocka_unit_test(model_build_reused_id_starts_without_the_old_state),
		cmocka_unit_test(model_build_names_of_one_model_never_share_an_id),
		cmocka_unit_test(model_build_source_is_configured_asked_for_or_unknown),
		cmocka_unit_test(model_build_ring_size_is_of_the_configuration_not_of_health),
		cmocka_unit_test(model_build_services_of_the_same_pools_share_a_route),
		cmocka_unit_test(model_build_long_backend_name_is_refused),
		cmocka_unit_test(model_build_limits_are_in_the_programs_units),
		cmocka_unit_test(model_build_limit_lets_exactly_its_burst_pass_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
