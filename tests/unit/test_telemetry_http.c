/* SPDX-License-Identifier: BSD-2-Clause */
/* The Prometheus endpoint, asked over real sockets by a client on the same loop. */
#include "loopback.h"

#include <user/telemetry/telemetry.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENT_CLIENTS 40

struct world {
	uv_loop_t loop;
	struct loop_http *client;
	struct telemetry_http *http;
	uint16_t port;
	unsigned int snapshots;
	int source_error;
	CURL *easy;
	bool is_done;
	CURLcode result;
	long status;
	unsigned int more_points; /* besides the one */
	char text[1 << 20];
	size_t size;
	char allow[64], type[64];
	int silent[SILENT_CLIENTS];
};

static int take_snapshot(void *arg, struct telemetry_points *points)
{
	struct world *world = arg;
	struct telemetry_point *point;

	if (world->source_error)
		return world->source_error;
	point = telemetry_points_add(points);
	assert_non_null(point);
	point->name = "weir.number";
	point->help = "Number.";
	point->value = ++world->snapshots;
	for (unsigned int i = 0; i < world->more_points; i++) {
		point = telemetry_points_add(points);
		assert_non_null(point);
		point->name = "weir.number";
		point->value = i;
	}
	return 0;
}

static int world_listen(struct world *world, const char *address, struct problem *problem)
{
	return telemetry_http_open(&world->loop, address, world->port, take_snapshot, world, &world->http, problem);
}

static void world_open(struct world *world, const char *address)
{
	struct problem problem;
	struct server probe;

	memset(world, 0, sizeof(*world));
	assert_int_equal(late_load(NULL), 0);
	uv_loop_init(&world->loop);
	assert_int_equal(loop_http_open(&world->loop, &world->client), 0);
	/* The kernel finds a free port. */
	if (!server_open(&world->loop, address, 0, &probe))
		skip();
	world->port = probe.port;
	server_close(&probe);
	uv_run(&world->loop, UV_RUN_NOWAIT);
	assert_int_equal(world_listen(world, address, &problem), 0);
}

static void world_close(struct world *world)
{
	telemetry_http_close(world->http);
	loop_http_close(world->client);
	loopback_end(&world->loop);
	curl_easy_cleanup(world->easy);
}

static size_t on_text(char *data, size_t unit, size_t size, void *arg)
{
	struct world *world = arg;

	assert_true(world->size + size * unit < sizeof(world->text));
	memcpy(world->text + world->size, data, size * unit);
	world->size += size * unit;
	return size * unit;
}

static size_t on_header(char *data, size_t unit, size_t size, void *arg)
{
	struct world *world = arg;
	char line[256];

	snprintf(line, sizeof(line), "%.*s", (int)(size * unit), data);
	sscanf(line, "Allow: %63[^\r\n]", world->allow);
	sscanf(line, "Content-Type: %63[^\r\n]", world->type);
	return size * unit;
}

static void on_done(void *arg, CURL *easy, CURLcode result)
{
	struct world *world = arg;

	world->is_done = true;
	world->result = result;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &world->status);
}

static bool is_done(void *arg)
{
	return ((struct world *)arg)->is_done;
}

static void ask(struct world *world, const char *host, const char *method, const char *path)
{
	char url[128];

	if (!world->easy)
		world->easy = curl_easy_init();
	assert_non_null(world->easy);
	snprintf(url, sizeof(url), "http://%s:%u%s", host, world->port, path);
	curl_easy_setopt(world->easy, CURLOPT_URL, url);
	curl_easy_setopt(world->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(world->easy, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(world->easy, CURLOPT_NOBODY, !strcmp(method, "HEAD") ? 1L : 0L);
	curl_easy_setopt(world->easy, CURLOPT_WRITEFUNCTION, on_text);
	curl_easy_setopt(world->easy, CURLOPT_WRITEDATA, world);
	curl_easy_setopt(world->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(world->easy, CURLOPT_HEADERDATA, world);
	world->is_done = false;
	world->size = 0;
	world->allow[0] = world->type[0] = '\0';
	assert_int_equal(loop_http_start(world->client, world->easy, on_done, world), 0);
	assert_true(loopback_await(&world->loop, is_done, world));
	assert_int_equal(world->result, CURLE_OK);
	world->text[world->size] = '\0';
}

static void endpoint_requests_answered(void **state)
{
	static const struct {
		const char *method, *path;
		long status;
		const char *text, *type, *allow;
	} rows[] = {
		{"GET", "/healthz", 200, "ok\n", "text/plain; charset=utf-8", ""},
		{"HEAD", "/healthz", 200, "", "text/plain; charset=utf-8", ""},
		{"HEAD", "/metrics", 200, "", "text/plain; version=0.0.4; charset=utf-8", ""},
		{"POST", "/metrics", 405, "only GET and HEAD are answered here\n", "text/plain; charset=utf-8",
		 "GET, HEAD"},
		{"DELETE", "/metrics", 405, "only GET and HEAD are answered here\n", "text/plain; charset=utf-8",
		 "GET, HEAD"},
		{"GET", "/", 404,
		 "not found; there are:\n  /metrics  Prometheus metrics\n  /healthz  whether weir runs\n",
		 "text/plain; charset=utf-8", ""},
		{"GET", "/metrics/", 404,
		 "not found; there are:\n  /metrics  Prometheus metrics\n  /healthz  whether weir runs\n",
		 "text/plain; charset=utf-8", ""},
	};
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(&world, "127.0.0.1", rows[i].method, rows[i].path);
		assert_int_equal(world.status, rows[i].status);
		assert_string_equal(world.text, rows[i].text);
		assert_string_equal(world.type, rows[i].type);
		assert_string_equal(world.allow, rows[i].allow);
	}
	world_close(&world);
}

static void endpoint_metrics_are_of_the_moment(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	for (unsigned int i = 1; i <= 3; i++) {
		char expected[256];

		snprintf(expected, sizeof(expected),
			 "# HELP weir_number_total Number.\n# TYPE weir_number_total counter\nweir_number_total %u\n",
			 i);
		ask(&world, "127.0.0.1", "GET", "/metrics?x=y");
		assert_int_equal(world.status, 200);
		assert_string_equal(world.text, expected);
	}
	world_close(&world);
}

static void endpoint_long_answer_arrives_whole(void **state)
{
	static const char last[] = "\nweir_number_total 19999\n";
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.more_points = 20000;
	ask(&world, "127.0.0.1", "GET", "/metrics");
	assert_int_equal(world.status, 200);
	assert_string_equal(world.text + world.size - strlen(last), last);
	world_close(&world);
}

static void endpoint_without_counters_says_so(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	world.source_error = -EIO;
	ask(&world, "127.0.0.1", "GET", "/metrics");
	assert_int_equal(world.status, 503);
	world.source_error = 0;
	ask(&world, "127.0.0.1", "GET", "/metrics");
	assert_int_equal(world.status, 200);
	world_close(&world);
}

static void endpoint_listens_on_ipv6(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, "::1");
	ask(&world, "[::1]", "GET", "/healthz");
	assert_int_equal(world.status, 200);
	world_close(&world);
}

static void endpoint_bad_address_refused(void **state)
{
	static const struct {
		const char *address;
		int error;
		const char *text;
	} rows[] = {
		{"0.0.0.0", -EPERM, "is not a loopback address"},    {"192.0.2.1", -EPERM, "is not a loopback address"},
		{"::", -EPERM, "is not a loopback address"},	     {"localhost", -EINVAL, "is not an address"},
		{"127.0.0.1", -EADDRINUSE, "ddress already in use"},
	};
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct telemetry_http *first = world.http;
		struct problem problem = {"", ""};

		assert_int_equal(world_listen(&world, rows[i].address, &problem), rows[i].error);
		assert_ptr_equal(world.http, first);
		assert_non_null(strstr(problem.text, rows[i].text));
	}
	world_close(&world);
}

static bool are_silent_gone(void *arg)
{
	struct world *world = arg;
	char byte;

	for (size_t i = 0; i < SILENT_CLIENTS; i++) {
		if (recv(world->silent[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
			return false;
	}
	return true;
}

/* Clients of one address that connect and say nothing shut nobody else out, and go after the idle timeout. */
static void endpoint_silent_clients_cut_off(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct world world;

	(void)state;
	world_open(&world, "127.0.0.1");
	to.sin_port = htons(world.port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < SILENT_CLIENTS; i++) {
		world.silent[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(world.silent[i], (struct sockaddr *)&to, sizeof(to)), 0);
	}
	world.easy = curl_easy_init();
	curl_easy_setopt(world.easy, CURLOPT_INTERFACE, "127.0.0.2");
	ask(&world, "127.0.0.1", "GET", "/healthz");
	assert_int_equal(world.status, 200);
	assert_true(loopback_await(&world.loop, are_silent_gone, &world));
	for (size_t i = 0; i < SILENT_CLIENTS; i++)
		close(world.silent[i]);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoint_requests_answered),
		cmocka_unit_test(endpoint_metrics_are_of_the_moment),
		cmocka_unit_test(endpoint_long_answer_arrives_whole),
		cmocka_unit_test(endpoint_without_counters_says_so),
		cmocka_unit_test(endpoint_listens_on_ipv6),
		cmocka_unit_test(endpoint_bad_address_refused),
		cmocka_unit_test(endpoint_silent_clients_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
