/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl on the loop: results come once, cancelled transfers stay silent, callbacks may do anything. */
#include "loopback.h"

#include <user/base/loop.h>
#include <errno.h>

#define TRANSFERS 40

struct world {
	uv_loop_t loop;
	struct loop_http *http;
	struct server server;
	CURL *easy[TRANSFERS];
	unsigned int done, again, wanted;
	bool closes, cancels_others;
	CURLcode result;
};

static size_t swallow(char *data, size_t unit, size_t size, void *arg)
{
	(void)data;
	(void)arg;
	return unit * size;
}

static CURL *request(const struct world *world)
{
	CURL *easy = curl_easy_init();
	char url[64];

	assert_non_null(easy);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", world->server.port);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
	return easy;
}

static void world_open(struct world *world)
{
	memset(world, 0, sizeof(*world));
	assert_int_equal(late_load(NULL), 0);
	uv_loop_init(&world->loop);
	assert_int_equal(loop_http_open(&world->loop, &world->http), 0);
	assert_true(server_open(&world->loop, "127.0.0.1", 0, &world->server));
	world->server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
}

static void world_close(struct world *world)
{
	if (!world->closes)
		loop_http_close(world->http);
	server_close(&world->server);
	loopback_end(&world->loop);
	for (size_t i = 0; i < TRANSFERS; i++)
		curl_easy_cleanup(world->easy[i]);
}

static void on_done(void *arg, CURL *easy, CURLcode result)
{
	struct world *world = arg;

	world->done++;
	world->result = result;
	for (size_t i = 0; world->cancels_others && world->easy[i]; i++) {
		if (world->easy[i] != easy)
			loop_http_cancel(world->http, world->easy[i]);
	}
	if (world->closes)
		loop_http_close(world->http);
	else if (world->again && world->again--)
		assert_int_equal(loop_http_start(world->http, easy, on_done, world), 0);
}

static bool are_all_done(void *arg)
{
	const struct world *world = arg;

	return world->done >= world->wanted;
}

static bool has_request(void *arg)
{
	return ((struct world *)arg)->server.requests > 0;
}

static void start(struct world *world, size_t i)
{
	world->easy[i] = request(world);
	assert_int_equal(loop_http_start(world->http, world->easy[i], on_done, world), 0);
}

static void loop_many_transfers_each_answered_once(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	for (size_t i = 0; i < TRANSFERS; i++)
		start(&world, i);
	world.wanted = TRANSFERS;
	assert_true(loopback_await(&world.loop, are_all_done, &world));
	assert_int_equal(world.result, CURLE_OK);
	loopback_run_for(&world.loop, 30);
	assert_int_equal(world.done, TRANSFERS);
	assert_int_equal(world.server.requests, TRANSFERS);
	world_close(&world);
}

static void loop_handle_reused_in_its_callback_runs_again(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.again = 3;
	start(&world, 0);
	world.wanted = 4;
	assert_true(loopback_await(&world.loop, are_all_done, &world));
	assert_int_equal(world.server.requests, 4);
	world_close(&world);
}

static void loop_handle_under_way_is_not_started_twice(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	start(&world, 0);
	assert_int_equal(loop_http_start(world.http, world.easy[0], on_done, &world), -EBUSY);
	world_close(&world);
}

static void loop_cancelled_transfer_calls_nobody(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	world.server.answer = NULL;
	start(&world, 0);
	assert_true(loopback_await(&world.loop, has_request, &world));
	loop_http_cancel(world.http, world.easy[0]);
	loop_http_cancel(world.http, world.easy[0]);
	loopback_run_for(&world.loop, 30);
	assert_int_equal(world.done, 0);
	world_close(&world);
}

/* All answers may be waiting when the first callback runs. */
static void loop_transfer_cancelled_from_a_callback_stays_silent(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	for (size_t i = 0; i < 8; i++)
		start(&world, i);
	world.cancels_others = true;
	world.server.delay_ms = 20;
	world.wanted = 1;
	assert_true(loopback_await(&world.loop, are_all_done, &world));
	loopback_run_for(&world.loop, 60);
	assert_int_equal(world.done, 1);
	world_close(&world);
}

static void loop_closed_from_a_callback_ends_the_others(void **state)
{
	struct world world;

	(void)state;
	world_open(&world);
	for (size_t i = 0; i < 8; i++)
		start(&world, i);
	world.closes = true;
	world.wanted = 1;
	assert_true(loopback_await(&world.loop, are_all_done, &world));
	loopback_run_for(&world.loop, 30);
	assert_int_equal(world.done, 1);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_many_transfers_each_answered_once),
		cmocka_unit_test(loop_handle_reused_in_its_callback_runs_again),
		cmocka_unit_test(loop_handle_under_way_is_not_started_twice),
		cmocka_unit_test(loop_cancelled_transfer_calls_nobody),
		cmocka_unit_test(loop_transfer_cancelled_from_a_callback_stays_silent),
		cmocka_unit_test(loop_closed_from_a_callback_ends_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
