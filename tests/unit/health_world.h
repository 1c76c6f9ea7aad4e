/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of health checks share: an engine, one target, one scripted server, and the results so far. */
#ifndef WEIR_TESTS_HEALTH_WORLD_H
#define WEIR_TESTS_HEALTH_WORLD_H

#include "loopback.h"

#include <user/health/health.h>

#define RESULTS_MAX 256

struct world {
	uv_loop_t loop;
	struct loop_http *http;
	struct health *health;
	struct server server;
	struct config_health check;
	struct health_target target;
	struct health_result results[RESULTS_MAX];
	size_t count, wanted;
	void (*hook)(struct world *world);
	const char *probes; /* see streaks */
	unsigned int requests_wanted;
};

static inline void on_result(void *arg, const struct health_result *result)
{
	struct world *world = arg;

	assert_true(world->count < RESULTS_MAX);
	world->results[world->count++] = *result;
	if (world->hook)
		world->hook(world);
}

static inline void world_open(struct world *world, const char *address)
{
	memset(world, 0, sizeof(*world));
	assert_int_equal(late_load(NULL), 0);
	uv_loop_init(&world->loop);
	assert_int_equal(loop_http_open(&world->loop, &world->http), 0);
	assert_int_equal(health_open(&world->loop, world->http, on_result, world, &world->health), 0);
	if (!server_open(&world->loop, address, 0, &world->server))
		skip();
	world->check = (struct config_health){
		.type = CONFIG_HEALTH_HTTP,
		.port = world->server.port,
		.path = "/healthz",
		.interval_ms = 20,
		.timeout_ms = 2000,
		.rise = 2,
		.fall = 3,
	};
	world->target = (struct health_target){.backend_id = 7, .name = "pool/one", .check = &world->check};
	assert_int_equal(addr_parse(address, &world->target.address), 0);
}

static inline void world_set_target(struct world *world)
{
	assert_int_equal(health_set_targets(world->health, &world->target, 1), 0);
}

static inline bool has_results(void *arg)
{
	const struct world *world = arg;

	return world->count >= world->wanted;
}

static inline bool has_requests(void *arg)
{
	const struct world *world = arg;

	return world->server.requests >= world->requests_wanted;
}

static inline void world_await(struct world *world, size_t results)
{
	world->wanted = results;
	assert_true(loopback_await(&world->loop, has_results, world));
}

static inline void world_close(struct world *world)
{
	health_close(world->health);
	loop_http_close(world->http);
	server_close(&world->server);
	loopback_end(&world->loop);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nall ok"

#endif
