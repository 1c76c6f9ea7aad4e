/* SPDX-License-Identifier: BSD-2-Clause */
/* Sends snapshots to an OTLP collector: a timer fills a bounded queue, one transfer at a time empties it. */
#include "telemetry.h"
#include "user/telemetry/otlp.pb-c.h"
#include "../base/log.h"
#include "../base/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define QUEUE_DEFAULT	   32
#define ANSWER_MAX	   (64u << 10)
#define RETRY_AFTER_MAX_MS 300000u

struct snapshot {
	uint8_t *bytes;
	size_t size;
};

struct telemetry_otlp {
	struct loop_http *http;
	CURL *easy;
	struct curl_slist *headers;
	char *where; /* for messages: the URL without what may be secret */
	char *service_name, *service_version, *host_name;
	struct telemetry_resource resource;
	telemetry_source *source;
	void *arg;

	uv_loop_t *loop;
	uv_timer_t interval, retry;
	unsigned int handles;

	struct snapshot *queue; /* a ring: oldest at head */
	size_t queue_max, head, queued;
	struct snapshot sending; /* besides the queue; bytes is NULL when no transfer is under way */
	bool is_waiting;	 /* for the retry timer */
	bool is_failing;	 /* told that the collector does not take snapshots */
	bool is_source_failing;
	uint64_t dropped_before; /* what was dropped when it started to fail */
	uint32_t backoff_first_ms, backoff_max_ms, backoff_ms;
	char transfer_error[CURL_ERROR_SIZE];
	uint8_t answer[ANSWER_MAX];
	size_t answer_size;
	struct telemetry_otlp_stats stats;
};

static void send_next(struct telemetry_otlp *otlp);

static uint32_t clamp(uint64_t value, uint32_t low, uint32_t high)
{
	return value < low ? low : value > high ? high : (uint32_t)value;
}

__attribute__((format(printf, 2, 3))) static void note_error(struct telemetry_otlp *otlp, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(otlp->stats.last_error, sizeof(otlp->stats.last_error), format, args);
	va_end(args);
}

static void tell_failing(struct telemetry_otlp *otlp, const char *consequence)
{
	if (otlp->is_failing)
		return;
	otlp->is_failing = true;
	otlp->dropped_before = otlp->stats.dropped;
	log_warning("collector %s: %s; %s", otlp->where, otlp->stats.last_error, consequence);
}

static void tell_working(struct telemetry_otlp *otlp)
{
	if (!otlp->is_failing)
		return;
	otlp->is_failing = false;
	log_info("collector %s: takes snapshots again; %llu were lost", otlp->where,
		 (unsigned long long)(otlp->stats.dropped - otlp->dropped_before));
}

static void drop(struct telemetry_otlp *otlp, struct snapshot *snapshot)
{
	free(snapshot->bytes);
	snapshot->bytes = NULL;
	otlp->stats.dropped++;
}

static struct snapshot queue_take(struct telemetry_otlp *otlp)
{
	struct snapshot oldest = otlp->queue[otlp->head];

	otlp->head = (otlp->head + 1) % otlp->queue_max;
	otlp->queued--;
	return oldest;
}

static void queue_append(struct telemetry_otlp *otlp, struct snapshot snapshot)
{
	if (otlp->queued == otlp->queue_max) {
		struct snapshot oldest = queue_take(otlp);

		drop(otlp, &oldest);
	}
	otlp->queue[(otlp->head + otlp->queued++) % otlp->queue_max] = snapshot;
}

/* The snapshot that was being sent is older than all in the queue: without room it is the one to go. */
static void queue_put_back(struct telemetry_otlp *otlp)
{
	if (otlp->queued == otlp->queue_max) {
		drop(otlp, &otlp->sending);
		return;
	}
	otlp->head = (otlp->head + otlp->queue_max - 1) % otlp->queue_max;
	otlp->queue[otlp->head] = otlp->sending;
	otlp->queued++;
	otlp->sending.bytes = NULL;
}

static void on_retry(uv_timer_t *timer)
{
	struct telemetry_otlp *otlp = timer->data;

	otlp->is_waiting = false;
	send_next(otlp);
}

/* Exponential, and somewhere between half and the whole of it, so that edges do not return in step. */
static void retry_later(struct telemetry_otlp *otlp, uint64_t at_least_ms)
{
	uint32_t draw = 0;
	uint64_t delay_ms;

	uv_random(NULL, NULL, &draw, sizeof(draw), 0, NULL);
	delay_ms = otlp->backoff_ms / 2 + draw % (otlp->backoff_ms / 2 + 1);
	otlp->backoff_ms = clamp(otlp->backoff_ms * 2ull, otlp->backoff_first_ms, otlp->backoff_max_ms);
	if (delay_ms < at_least_ms)
		delay_ms = at_least_ms;
	otlp->is_waiting = true;
	uv_update_time(otlp->loop);
	uv_timer_start(&otlp->retry, on_retry, delay_ms, 0);
}

static void sending_retry(struct telemetry_otlp *otlp, uint64_t at_least_ms)
{
	otlp->stats.failed_attempts++;
	tell_failing(otlp, "snapshots are queued, the oldest are dropped when the queue is full");
	queue_put_back(otlp);
	retry_later(otlp, at_least_ms);
}

static void sending_refused(struct telemetry_otlp *otlp)
{
	otlp->stats.failed_attempts++;
	tell_failing(otlp, "snapshots that it refuses so are dropped");
	drop(otlp, &otlp->sending);
}

static bool is_json(const struct telemetry_otlp *otlp)
{
	const char *type = NULL;

	curl_easy_getinfo(otlp->easy, CURLINFO_CONTENT_TYPE, &type);
	return type && !strncmp(type, "application/json", strlen("application/json"));
}

static void sending_taken(struct telemetry_otlp *otlp)
{
	Weir__Otlp__ExportMetricsServiceResponse *response = NULL;
	Weir__Otlp__ExportMetricsPartialSuccess *partial;

	if (!is_json(otlp)) {
		response = weir__otlp__export_metrics_service_response__unpack(NULL, otlp->answer_size, otlp->answer);
		if (!response) {
			note_error(otlp, "answered 200, but not in OTLP: is the URL a collector's?");
			sending_refused(otlp);
			return;
		}
	}
	free(otlp->sending.bytes);
	otlp->sending.bytes = NULL;
	otlp->stats.sent++;
	otlp->backoff_ms = otlp->backoff_first_ms;
	tell_working(otlp);
	partial = response ? response->partial_success : NULL;
	if (partial && partial->rejected_data_points > 0) {
		otlp->stats.rejected_points += (uint64_t)partial->rejected_data_points;
		note_error(otlp, "refused %lld points: %s", (long long)partial->rejected_data_points,
			   partial->error_message);
	}
	if (response)
		weir__otlp__export_metrics_service_response__free_unpacked(response, NULL);
}

/* OTLP specification, "OTLP/HTTP Response": only 429, 502, 503 and 504 are worth another try. */
static bool is_retryable(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

static void on_done(void *arg, CURL *easy, CURLcode result)
{
	struct telemetry_otlp *otlp = arg;
	curl_off_t retry_after_s = 0;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_WRITE_ERROR) {
		note_error(otlp, "answered %ld with more than %u KiB", status, ANSWER_MAX >> 10);
		sending_refused(otlp);
	} else if (result != CURLE_OK) {
		note_error(otlp, "%s", otlp->transfer_error[0] ? otlp->transfer_error : curl_easy_strerror(result));
		sending_retry(otlp, 0);
	} else if (is_retryable(status)) {
		curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
		note_error(otlp, "answered %ld", status);
		sending_retry(otlp, clamp((uint64_t)retry_after_s, 0, RETRY_AFTER_MAX_MS / 1000) * 1000ull);
	} else if (status < 200 || status > 299) {
		note_error(otlp, "answered %ld", status);
		sending_refused(otlp);
	} else {
		sending_taken(otlp);
	}
	send_next(otlp);
}

static void send_next(struct telemetry_otlp *otlp)
{
	if (otlp->sending.bytes || otlp->is_waiting || !otlp->queued)
		return;
	otlp->sending = queue_take(otlp);
	otlp->answer_size = 0;
	otlp->transfer_error[0] = '\0';
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDS, otlp->sending.bytes);
	curl_easy_setopt(otlp->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)otlp->sending.size);
	if (loop_http_start(otlp->http, otlp->easy, on_done, otlp)) {
		note_error(otlp, "out of memory");
		sending_retry(otlp, 0);
	}
}

static void on_interval(uv_timer_t *timer)
{
	struct telemetry_otlp *otlp = timer->data;
	struct telemetry_points points = {0};
	struct snapshot snapshot = {0};
	int err;

	err = otlp->source(otlp->arg, &points);
	if (!err && points.count)
		err = telemetry_encode_otlp(&points, &otlp->resource, &snapshot.bytes, &snapshot.size);
	telemetry_points_free(&points);
	if (err) {
		if (!otlp->is_source_failing)
			log_error("collector %s: no snapshot: %s; the next try is at the next interval", otlp->where,
				  strerror(-err));
		otlp->is_source_failing = true;
		return;
	}
	otlp->is_source_failing = false;
	if (!snapshot.bytes)
		return;
	queue_append(otlp, snapshot);
	send_next(otlp);
}

static size_t on_answer(char *data, size_t unit, size_t size, void *arg)
{
	struct telemetry_otlp *otlp = arg;

	if (unit * size > ANSWER_MAX - otlp->answer_size)
		return 0;
	memcpy(otlp->answer + otlp->answer_size, data, unit * size);
	otlp->answer_size += unit * size;
	return unit * size;
}

static void otlp_free(struct telemetry_otlp *otlp)
{
	while (otlp->queued)
		free(queue_take(otlp).bytes);
	free(otlp->sending.bytes);
	free(otlp->queue);
	free(otlp->where);
	free(otlp->service_name);
	free(otlp->service_version);
	free(otlp->host_name);
	curl_slist_free_all(otlp->headers);
	curl_easy_cleanup(otlp->easy);
	free(otlp);
}

static int add_header(struct telemetry_otlp *otlp, const char *line)
{
	struct curl_slist *grown = curl_slist_append(otlp->headers, line);

	if (!grown)
		return -ENOMEM;
	otlp->headers = grown;
	return 0;
}

static int request_prepare(struct telemetry_otlp *otlp, const struct telemetry_otlp_options *options)
{
	CURL *easy = otlp->easy = curl_easy_init();

	/* Without "Expect:" libcurl asks before it sends a large body and waits a second for collectors that do not
	 * answer that. */
	if (!easy || add_header(otlp, "Content-Type: application/x-protobuf") || add_header(otlp, "Expect:") ||
	    curl_easy_setopt(easy, CURLOPT_URL, options->url) || curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir"))
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, otlp->headers);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* a daemon goes where its file says, not its environment */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, otlp);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, otlp->transfer_error);
	return 0;
}

/* What is shown of a URL has no user, password, query or fragment. */
static int url_show(CURLU *parsed, char **where)
{
	static const CURLUPart secrets[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY,
					    CURLUPART_FRAGMENT};
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (curl_url_set(parsed, secrets[i], NULL, 0))
			return -ENOMEM;
	if (curl_url_get(parsed, CURLUPART_URL, &text, 0))
		return -ENOMEM;
	*where = strdup(text);
	curl_free(text);
	return *where ? 0 : -ENOMEM;
}

static int url_check(const char *url, char **where, struct problem *problem)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL, *host = NULL;
	int err = -EINVAL;

	if (!parsed)
		return problem_set(problem, -ENOMEM, "collector: out of memory");
	if (curl_url_set(parsed, CURLUPART_URL, url, 0) || curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
		problem_set(problem, err, "collector: the endpoint is not an http or https URL");
		problem_hint(problem, "write it like http://127.0.0.1:4318");
	} else {
		err = url_show(parsed, where);
		if (err)
			problem_set(problem, err, "collector: out of memory");
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
	return err;
}

static int copy_text(const char *from, char **to)
{
	if (from)
		*to = strdup(from);
	return from && !*to ? -ENOMEM : 0;
}

static int otlp_fill(struct telemetry_otlp *otlp, const struct telemetry_otlp_options *options)
{
	const struct telemetry_resource *resource = &options->resource;

	otlp->queue_max = options->queue_max ? options->queue_max : QUEUE_DEFAULT;
	otlp->queue = calloc(otlp->queue_max, sizeof(*otlp->queue));
	if (!otlp->queue || copy_text(resource->service_name, &otlp->service_name) ||
	    copy_text(resource->service_version, &otlp->service_version) ||
	    copy_text(resource->host_name, &otlp->host_name))
		return -ENOMEM;
	otlp->resource.service_name = otlp->service_name;
	otlp->resource.service_version = otlp->service_version;
	otlp->resource.host_name = otlp->host_name;
	/* 1 s doubling up to 30 s at the default interval of 10 s. */
	otlp->backoff_first_ms = clamp(options->interval_ms / 10, 50, 1000);
	otlp->backoff_max_ms = clamp(options->interval_ms * 3ull, 1000, 60000);
	otlp->backoff_ms = otlp->backoff_first_ms;
	return request_prepare(otlp, options);
}

int telemetry_otlp_open(uv_loop_t *loop, struct loop_http *http, const struct telemetry_otlp_options *options,
			telemetry_source *source, void *arg, struct telemetry_otlp **out, struct problem *problem)
{
	struct telemetry_otlp *otlp;
	char *where = NULL;
	int err;

	err = url_check(options->url, &where, problem);
	if (err)
		return err;
	otlp = calloc(1, sizeof(*otlp));
	if (!otlp) {
		free(where);
		return problem_set(problem, -ENOMEM, "collector: out of memory");
	}
	otlp->where = where;
	otlp->http = http;
	otlp->loop = loop;
	otlp->source = source;
	otlp->arg = arg;
	err = otlp_fill(otlp, options);
	if (err) {
		otlp_free(otlp);
		return problem_set(problem, err, "collector: out of memory");
	}
	uv_timer_init(loop, &otlp->interval);
	uv_timer_init(loop, &otlp->retry);
	otlp->handles = 2;
	otlp->interval.data = otlp;
	otlp->retry.data = otlp;
	uv_timer_start(&otlp->interval, on_interval, options->interval_ms, options->interval_ms);
	*out = otlp;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct telemetry_otlp *otlp = handle->data;

	if (--otlp->handles == 0)
		otlp_free(otlp);
}

/* What is queued is lost: the next start sends the same cumulative sums. */
void telemetry_otlp_close(struct telemetry_otlp *otlp)
{
	if (!otlp)
		return;
	loop_http_cancel(otlp->http, otlp->easy);
	uv_close((uv_handle_t *)&otlp->interval, on_closed);
	uv_close((uv_handle_t *)&otlp->retry, on_closed);
}

const char *telemetry_otlp_where(const struct telemetry_otlp *otlp)
{
	return otlp->where;
}

void telemetry_otlp_stats(const struct telemetry_otlp *otlp, struct telemetry_otlp_stats *out)
{
	*out = otlp->stats;
	out->queued = otlp->queued + (otlp->sending.bytes != NULL);
}
