/* SPDX-License-Identifier: BSD-2-Clause */
/* The OTLP exporter against collectors in every mood: what is sent, kept, retried, lost, and counted as lost. */
#include "loopback.h"

#include <user/telemetry/telemetry.h>
#include "user/telemetry/otlp.pb-c.h"
#include <errno.h>

#define SEEN_MAX 512

struct world {
	uv_loop_t loop;
	struct loop_http *http;
	struct server server;
	struct telemetry_otlp *otlp;
	struct telemetry_otlp_options options;
	struct telemetry_otlp_stats stats;
	uint64_t made; /* snapshots taken so far; each holds its number */
	uint64_t made_wanted;
	uint64_t seen[SEEN_MAX]; /* numbers of the snapshots that arrived, in order */
	size_t seen_count, seen_wanted;
	unsigned int more_points; /* besides the one */
	unsigned int requests_noted, requests_wanted;
	bool (*holds)(const struct telemetry_otlp_stats *stats);
};

static int take_snapshot(void *arg, struct telemetry_points *points)
{
	struct world *world = arg;
	struct telemetry_point *point = telemetry_points_add(points);

	assert_non_null(point);
	point->name = "weir.number";
	point->value = ++world->made;
	for (unsigned int i = 0; i < world->more_points; i++) {
		point = telemetry_points_add(points);
		assert_non_null(point);
		point->name = "weir.number";
		for (size_t k = 0; k < TELEMETRY_ATTRIBUTES_MAX; k++)
			telemetry_point_attribute(point, "backend",
						  "a name as long as one can be: "
						  "0123456789012345678901234567890123456789012345678901234");
	}
	points->start_ns = 1;
	points->time_ns = 2;
	return 0;
}

static void world_open(struct world *world, const char *answer)
{
	memset(world, 0, sizeof(*world));
	assert_int_equal(late_load(NULL), 0);
	uv_loop_init(&world->loop);
	assert_int_equal(loop_http_open(&world->loop, &world->http), 0);
	assert_true(server_open(&world->loop, "127.0.0.1", 0, &world->server));
	world->server.answer = answer;
	world->options = (struct telemetry_otlp_options){
		.interval_ms = 20,
		.timeout_ms = 2000,
		.queue_max = 3,
		.resource = {"weir", "1", "edge1"},
	};
	snprintf(world->options.url, sizeof(world->options.url), "http://127.0.0.1:%u/v1/metrics", world->server.port);
}

static void world_export(struct world *world)
{
	struct problem problem;

	assert_int_equal(telemetry_otlp_open(&world->loop, world->http, &world->options, take_snapshot, world,
					     &world->otlp, &problem),
			 0);
}

static void world_close(struct world *world)
{
	telemetry_otlp_close(world->otlp);
	loop_http_close(world->http);
	server_close(&world->server);
	loopback_end(&world->loop);
}

static void note_request(struct world *world)
{
	Weir__Otlp__ExportMetricsServiceRequest *request;
	Weir__Otlp__Metric *metric;

	world->requests_noted = world->server.requests;
	request = weir__otlp__export_metrics_service_request__unpack(NULL, world->server.body_size, world->server.body);
	assert_non_null(request);
	metric = request->resource_metrics[0]->scope_metrics[0]->metrics[0];
	assert_true(world->seen_count < SEEN_MAX);
	world->seen[world->seen_count++] = (uint64_t)metric->sum->data_points[0]->as_int;
	weir__otlp__export_metrics_service_request__free_unpacked(request, NULL);
}

/* Called after each turn of the loop; there is at most one transfer at a time, so none is missed. Snapshots are never
 * lost without being counted. */
static bool check_turn(void *arg)
{
	struct world *world = arg;

	telemetry_otlp_stats(world->otlp, &world->stats);
	assert_int_equal(world->made, world->stats.sent + world->stats.dropped + world->stats.queued);
	assert_true(world->stats.queued <= world->options.queue_max + 1);
	if (world->requests_noted != world->server.requests)
		note_request(world);
	return world->seen_count >= world->seen_wanted && world->server.requests >= world->requests_wanted &&
	       world->made >= world->made_wanted && (!world->holds || world->holds(&world->stats));
}

static void world_await(struct world *world, bool (*holds)(const struct telemetry_otlp_stats *stats))
{
	world->holds = holds;
	assert_true(loopback_await(&world->loop, check_turn, world));
}

static bool are_three_sent(const struct telemetry_otlp_stats *stats)
{
	return stats->sent >= 3;
}

static bool are_some_dropped(const struct telemetry_otlp_stats *stats)
{
	return stats->dropped >= 4;
}

static bool is_queue_empty(const struct telemetry_otlp_stats *stats)
{
	return stats->queued == 0;
}

#define EMPTY_ANSWER	      "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
#define STATUS_ANSWER(status) "HTTP/1.1 " status " X\r\nContent-Length: 0\r\n\r\n"

static void export_snapshot_posted_each_interval(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, EMPTY_ANSWER);
	world_export(&world);
	world_await(&world, are_three_sent);
	assert_non_null(strstr(world.server.head, "POST /v1/metrics HTTP/1.1\r\n"));
	assert_non_null(strcasestr(world.server.head, "\r\ncontent-type: application/x-protobuf\r\n"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world.seen[i], i + 1);
	assert_int_equal(world.stats.failed_attempts, 0);
	assert_int_equal(world.stats.dropped, 0);
	assert_string_equal(world.stats.last_error, "");
	world_close(&world);
}

/* Beyond 1 MiB libcurl would first ask whether it may. */
static void export_large_snapshot_sent_without_asking(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, EMPTY_ANSWER);
	world.more_points = 3000;
	world.options.interval_ms = 500;
	world.options.timeout_ms = 10000;
	world_export(&world);
	world.requests_wanted = 1;
	world_await(&world, NULL);
	assert_true(world.server.body_size > 1 << 20);
	assert_null(strcasestr(world.server.head, "expect:"));
	world_close(&world);
}

enum fate { TAKEN, KEPT, REFUSED };

static const struct mood {
	const char *sentence, *answer;
	enum fate fate;
	const char *error; /* NULL: any */
	uint32_t timeout_ms;
	bool refuses;
} moods[] = {
	{.sentence = "200 with nothing", .answer = EMPTY_ANSWER, .fate = TAKEN, .error = ""},
	{.sentence = "200 with JSON",
	 .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	 .fate = TAKEN,
	 .error = ""},
	{.sentence = "202", .answer = STATUS_ANSWER("202"), .fate = TAKEN, .error = ""},
	{.sentence = "partial success",
	 .answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 8\r\n\r\n"
		   "\n\x06\x08\x03\x12\x02no",
	 .fate = TAKEN,
	 .error = "refused 3 points: no"},
	{.sentence = "429", .answer = STATUS_ANSWER("429"), .fate = KEPT, .error = "answered 429"},
	{.sentence = "502", .answer = STATUS_ANSWER("502"), .fate = KEPT, .error = "answered 502"},
	{.sentence = "503", .answer = STATUS_ANSWER("503"), .fate = KEPT, .error = "answered 503"},
	{.sentence = "504", .answer = STATUS_ANSWER("504"), .fate = KEPT, .error = "answered 504"},
	{.sentence = "garbage", .answer = "\x01\x02\x03 garbage\r\n\r\n", .fate = KEPT},
	{.sentence = "closes at once", .answer = "", .fate = KEPT},
	{.sentence = "never answers", .answer = NULL, .fate = KEPT, .timeout_ms = 60},
	{.sentence = "refuses connections", .fate = KEPT, .refuses = true},
	{.sentence = "400", .answer = STATUS_ANSWER("400"), .fate = REFUSED, .error = "answered 400"},
	{.sentence = "401", .answer = STATUS_ANSWER("401"), .fate = REFUSED, .error = "answered 401"},
	{.sentence = "404", .answer = STATUS_ANSWER("404"), .fate = REFUSED, .error = "answered 404"},
	{.sentence = "500", .answer = STATUS_ANSWER("500"), .fate = REFUSED, .error = "answered 500"},
	{.sentence = "a redirect",
	 .answer = "HTTP/1.1 307 X\r\nLocation: /v2\r\nContent-Length: 0\r\n\r\n",
	 .fate = REFUSED,
	 .error = "answered 307"},
	{.sentence = "a web page",
	 .answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\n\r\n<html>hello",
	 .fate = REFUSED,
	 .error = "answered 200, but not in OTLP: is the URL a collector's?"},
};

static void export_collector_in_a_mood_handled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(moods) / sizeof(moods[0]); i++) {
		struct world world;

		print_message("  %s\n", moods[i].sentence);
		world_open(&world, moods[i].answer);
		if (moods[i].timeout_ms)
			world.options.timeout_ms = moods[i].timeout_ms;
		if (moods[i].refuses)
			server_close(&world.server);
		world_export(&world);
		world_await(&world, moods[i].fate == TAKEN ? are_three_sent : are_some_dropped);
		if (moods[i].error)
			assert_string_equal(world.stats.last_error, moods[i].error);
		else
			assert_string_not_equal(world.stats.last_error, "");
		if (moods[i].fate == TAKEN) {
			assert_int_equal(world.stats.failed_attempts, 0);
			assert_int_equal(world.stats.dropped, 0);
		} else {
			assert_int_equal(world.stats.sent, 0);
			assert_true(world.stats.failed_attempts > 0);
		}
		/* What is worth a retry fills the queue; what is not never waits in it. */
		assert_true(moods[i].fate == KEPT ? world.stats.queued >= 3 : world.stats.queued <= 1);
		assert_true((world.stats.rejected_points > 0) == !strcmp(moods[i].sentence, "partial success"));
		if (moods[i].refuses)
			assert_true(server_open(&world.loop, "127.0.0.1", 0, &world.server));
		world_close(&world);
	}
}

static void export_answer_without_end_refused(void **state)
{
	const size_t size = 100 << 10;
	char *answer = malloc(size + 100);
	struct world world;
	int head;

	(void)state;
	assert_non_null(answer);
	head = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	memset(answer + head, 'x', size);
	answer[(size_t)head + size] = '\0';
	world_open(&world, answer);
	world_export(&world);
	world_await(&world, are_some_dropped);
	assert_string_equal(world.stats.last_error, "answered 200 with more than 64 KiB");
	world_close(&world);
	free(answer);
}

static void export_short_outage_loses_nothing(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, STATUS_ANSWER("503"));
	world.options.queue_max = 400;
	world_export(&world);
	world.made_wanted = 8;
	world.requests_wanted = 2;
	world_await(&world, NULL);
	world.server.answer = EMPTY_ANSWER;
	world.seen_count = 0;
	world_await(&world, is_queue_empty);
	assert_int_equal(world.stats.dropped, 0);
	assert_int_equal(world.stats.sent, world.made);
	/* In order, each once: the first attempt after recovery may still have met the old answer. */
	for (size_t i = 1; i < world.seen_count; i++)
		assert_true(world.seen[i] == world.seen[i - 1] + 1 || (i == 1 && world.seen[i] == world.seen[0]));
	assert_int_equal(world.seen[world.seen_count - 1], world.made);
	world_close(&world);
}

static void export_long_outage_loses_the_oldest_and_counts_them(void **state)
{
	struct world world;
	uint64_t lost;

	(void)state;
	world_open(&world, STATUS_ANSWER("503"));
	world_export(&world);
	world_await(&world, are_some_dropped);
	world.server.answer = EMPTY_ANSWER;
	world.requests_wanted = world.server.requests + 4;
	world_await(&world, is_queue_empty);
	lost = world.stats.dropped;
	assert_int_equal(world.stats.sent, world.made - lost);
	/* All that arrived in the end are the newest ones, without a gap. */
	for (size_t i = 0; i < world.stats.sent; i++)
		assert_int_equal(world.seen[world.seen_count - 1 - i], world.made - i);
	world_close(&world);
}

static void export_smallest_queue_works(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, STATUS_ANSWER("503"));
	world.options.queue_max = 1;
	world_export(&world);
	world_await(&world, are_some_dropped);
	world.server.answer = EMPTY_ANSWER;
	world_await(&world, are_three_sent);
	world_close(&world);
}

static void export_retry_after_honoured(void **state)
{
	uint64_t first_ns, second_ns;
	struct world world;

	(void)state;
	world_open(&world, "HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
	world_export(&world);
	world.requests_wanted = 1;
	world_await(&world, NULL);
	first_ns = uv_hrtime();
	world.requests_wanted = 2;
	world_await(&world, NULL);
	second_ns = uv_hrtime();
	assert_true(second_ns - first_ns >= 990 * 1000000ull);
	world_close(&world);
}

static void export_backs_off(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, STATUS_ANSWER("503"));
	world_export(&world);
	/* 50, 100, 200, 400, 800 ms, each between half and whole: at most 6 attempts in 750 ms. */
	loopback_run_for(&world.loop, 700);
	assert_true(world.server.requests >= 2 && world.server.requests <= 6);
	world_close(&world);
}

static int fail_source(void *arg, struct telemetry_points *points)
{
	(void)points;
	((struct world *)arg)->requests_noted++;
	return -EIO;
}

static bool has_source_failed_thrice(void *arg)
{
	return ((struct world *)arg)->requests_noted >= 3;
}

static void export_failing_source_sends_nothing(void **state)
{
	struct problem problem;
	struct world world;

	(void)state;
	world_open(&world, EMPTY_ANSWER);
	assert_int_equal(telemetry_otlp_open(&world.loop, world.http, &world.options, fail_source, &world, &world.otlp,
					     &problem),
			 0);
	assert_true(loopback_await(&world.loop, has_source_failed_thrice, &world));
	assert_int_equal(world.server.connections, 0);
	world_close(&world);
}

static void export_bad_url_refused(void **state)
{
	static const char *const urls[] = {"", "ftp://127.0.0.1/", "http://", "file:///etc/passwd", "127.0.0.1:4318"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct problem problem = {"", ""};
		struct world world;

		world_open(&world, EMPTY_ANSWER);
		strcpy(world.options.url, urls[i]);
		assert_int_equal(telemetry_otlp_open(&world.loop, world.http, &world.options, take_snapshot, &world,
						     &world.otlp, &problem),
				 -EINVAL);
		assert_null(world.otlp);
		assert_non_null(strstr(problem.text, "is not an http or https URL"));
		assert_string_not_equal(problem.hint, "");
		world_close(&world);
	}
}

static void export_secrets_of_the_url_are_not_shown(void **state)
{
	static const char after_the_scheme[] = "://edge:swordfish@127.0.0.1:9/v1/metrics?token=swordfish#swordfish";
	struct problem problem = {"", ""};
	struct world world;

	(void)state;
	world_open(&world, EMPTY_ANSWER);
	snprintf(world.options.url, sizeof(world.options.url), "ftp%s", after_the_scheme);
	assert_int_equal(telemetry_otlp_open(&world.loop, world.http, &world.options, take_snapshot, &world,
					     &world.otlp, &problem),
			 -EINVAL);
	assert_null(strstr(problem.text, "swordfish"));
	assert_null(strstr(problem.hint, "swordfish"));
	snprintf(world.options.url, sizeof(world.options.url), "http%s", after_the_scheme);
	world_export(&world);
	assert_string_equal(telemetry_otlp_where(world.otlp), "http://127.0.0.1:9/v1/metrics");
	world_close(&world);
}

static void export_closed_while_sending_leaves_nothing(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, NULL);
	world_export(&world);
	world.requests_wanted = 1;
	world_await(&world, NULL);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(export_snapshot_posted_each_interval),
		cmocka_unit_test(export_large_snapshot_sent_without_asking),
		cmocka_unit_test(export_collector_in_a_mood_handled),
		cmocka_unit_test(export_answer_without_end_refused),
		cmocka_unit_test(export_short_outage_loses_nothing),
		cmocka_unit_test(export_long_outage_loses_the_oldest_and_counts_them),
		cmocka_unit_test(export_smallest_queue_works),
		cmocka_unit_test(export_retry_after_honoured),
		cmocka_unit_test(export_backs_off),
		cmocka_unit_test(export_failing_source_sends_nothing),
		cmocka_unit_test(export_bad_url_refused),
		cmocka_unit_test(export_secrets_of_the_url_are_not_shown),
		cmocka_unit_test(export_closed_while_sending_leaves_nothing),
	};

	/* The exporter goes where its options say, whatever the environment does. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
