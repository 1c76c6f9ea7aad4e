/* SPDX-License-Identifier: BSD-2-Clause */
/* Single probes against real sockets on loopback: what counts as well, and how what is not is told. */
#include "health_world.h"

#include <sys/resource.h>

struct http_case {
	const char *sentence, *answer;
	unsigned int delay_ms, timeout_ms, expect_status;
	const char *expect_body, *error; /* error NULL: well */
};

static const struct http_case http_cases[] = {
	{.sentence = "200 is well", .answer = OK_ANSWER},
	{.sentence = "204 without a body is well", .answer = "HTTP/1.1 204 No Content\r\n\r\n"},
	{.sentence = "a redirect is well and is not followed",
	 .answer = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"},
	{.sentence = "a redirect is not the 200 that was asked for",
	 .answer = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
	 .expect_status = 200,
	 .error = "answered 302"},
	{.sentence = "an error may be what is expected",
	 .answer = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
	 .expect_status = 503},
	{.sentence = "500 is not well",
	 .answer = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
	 .error = "answered 500"},
	{.sentence = "404 is not well",
	 .answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
	 .error = "answered 404"},
	{.sentence = "the body holds what is expected", .answer = OK_ANSWER, .expect_body = "ok"},
	{.sentence = "the body holds something else",
	 .answer = OK_ANSWER,
	 .expect_body = "fine",
	 .error = "body lacks \"fine\""},
	{.sentence = "an empty body holds nothing",
	 .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	 .expect_body = "ok",
	 .error = "body lacks \"ok\""},
	{.sentence = "slow, but in time", .answer = OK_ANSWER, .delay_ms = 60, .timeout_ms = 5000},
	{.sentence = "too slow",
	 .answer = OK_ANSWER,
	 .delay_ms = 5000,
	 .timeout_ms = 120,
	 .error = "timed out after 120 ms"},
	{.sentence = "never answers", .answer = NULL, .timeout_ms = 1000, .error = "timed out after 1 s"},
	{.sentence = "closes without an answer", .answer = "", .error = "closed the connection without an answer"},
	{.sentence = "closes within the answer",
	 .answer = "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nall",
	 .error = "connection lost before the answer was whole"},
	{.sentence = "speaks something else",
	 .answer = "SSH-2.0-OpenSSH_9.2\r\n",
	 .error = "answered with something that is not HTTP"},
};

static void health_http_answer_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(http_cases) / sizeof(http_cases[0]); i++) {
		const struct http_case *row = &http_cases[i];
		struct health_result *first;
		struct world world;

		print_message("  %s\n", row->sentence);
		world_open(&world, "127.0.0.1");
		world.server.answer = row->answer;
		world.server.delay_ms = row->delay_ms;
		world.check.expect_status = (uint16_t)row->expect_status;
		if (row->timeout_ms)
			world.check.timeout_ms = row->timeout_ms;
		if (row->expect_body)
			strcpy(world.check.expect_body, row->expect_body);
		world_set_target(&world);
		world_await(&world, 1);
		first = &world.results[0];
		assert_string_equal(first->error, row->error ? row->error : "");
		assert_int_equal(first->ok, row->error == NULL);
		assert_int_equal(first->backend_id, 7);
		assert_int_equal(first->checks, 1);
		assert_int_equal(first->failures, row->error != NULL);
		assert_int_equal(first->health, row->error ? WEIR_HEALTH_UNKNOWN : WEIR_HEALTH_UP);
		assert_true(first->latency_us >= row->delay_ms * 1000ull || row->error);
		world_close(&world);
	}
}

/* What is looked for must lie in the first 64 KiB; no more than that is fetched. */
static void health_http_long_body_searched_to_its_limit(void **state)
{
	static const struct {
		size_t at;
		bool ok;
	} rows[] = {{(64 << 10) - 6, true}, {(64 << 10) - 3, false}, {200 << 10, false}};
	const size_t size = 1 << 20;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *answer = malloc(size + 200);
		struct world world;
		int head;

		assert_non_null(answer);
		head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
		memset(answer + head, '.', size);
		answer[(size_t)head + size] = '\0';
		memcpy(answer + head + rows[i].at, "needle", 6);
		world_open(&world, "127.0.0.1");
		world.server.answer = answer;
		strcpy(world.check.expect_body, "needle");
		world_set_target(&world);
		world_await(&world, 1);
		assert_int_equal(world.results[0].ok, rows[i].ok);
		assert_string_equal(world.results[0].error, rows[i].ok ? "" : "body lacks \"needle\"");
		world_close(&world);
		free(answer);
	}
}

static void health_http_request_as_configured(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.server.answer = OK_ANSWER;
	strcpy(world.check.path, "/a/../b?c=d");
	strcpy(world.check.host, "www.example.net");
	world_set_target(&world);
	world_await(&world, 3);
	assert_non_null(strstr(world.server.head, "GET /a/../b?c=d HTTP/1.1\r\n"));
	assert_non_null(strstr(world.server.head, "\r\nHost: www.example.net\r\n"));
	assert_true(world.server.connections >= 3);
	world_close(&world);
}

static void health_ipv6_backend_probed(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "::1");
	world.server.answer = OK_ANSWER;
	world_set_target(&world);
	world_await(&world, 1);
	assert_true(world.results[0].ok);
	assert_non_null(strstr(world.server.head, "\r\nHost: [::1]:"));
	world.check.type = CONFIG_HEALTH_TCP;
	world_set_target(&world);
	world_await(&world, world.count + 1);
	assert_true(world.results[world.count - 1].ok);
	world_close(&world);
}

static void health_refusing_port_told(void **state)
{
	static const enum config_health_type types[] = {CONFIG_HEALTH_TCP, CONFIG_HEALTH_HTTP};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world world;

		world_open(&world, "127.0.0.1");
		world.check.type = types[i];
		server_close(&world.server);
		world_set_target(&world);
		world_await(&world, 1);
		assert_false(world.results[0].ok);
		assert_string_equal(world.results[0].error, "connection refused");
		health_close(world.health);
		loop_http_close(world.http);
		loopback_end(&world.loop);
	}
}

static void health_tcp_needs_no_answer(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.check.type = CONFIG_HEALTH_TCP;
	world_set_target(&world);
	world_await(&world, 3);
	assert_true(world.results[2].ok);
	assert_int_equal(world.results[2].streak, 3);
	assert_int_equal(world.server.requests, 0);
	world_close(&world);
}

static void health_host_out_of_descriptors_blames_nobody(void **state)
{
	static const enum config_health_type types[] = {CONFIG_HEALTH_TCP, CONFIG_HEALTH_HTTP};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct rlimit limit, none;
		struct world world;
		int lowest_free;

		world_open(&world, "127.0.0.1");
		world.check.type = types[i];
		world.check.fall = 1;
		world.target.initial = WEIR_HEALTH_UP;
		world.server.answer = OK_ANSWER;
		loopback_run_for(&world.loop, 1); /* libuv opens what it needs at its first run */
		lowest_free = dup(STDOUT_FILENO);
		assert_true(lowest_free > 0);
		close(lowest_free);
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
		none = limit;
		none.rlim_cur = (rlim_t)lowest_free;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		world_set_target(&world);
		loopback_run_for(&world.loop, 200);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		assert_int_equal(world.count, 0);
		world_await(&world, 1);
		assert_true(world.results[0].ok);
		world_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_http_answer_judged),
		cmocka_unit_test(health_http_long_body_searched_to_its_limit),
		cmocka_unit_test(health_http_request_as_configured),
		cmocka_unit_test(health_ipv6_backend_probed),
		cmocka_unit_test(health_refusing_port_told),
		cmocka_unit_test(health_tcp_needs_no_answer),
		cmocka_unit_test(health_host_out_of_descriptors_blames_nobody),
	};

	/* Probes go to the backend, whatever the environment says. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
