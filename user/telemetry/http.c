/* SPDX-License-Identifier: BSD-2-Clause */
/* The Prometheus endpoint: libmicrohttpd's epoll descriptor on the loop, a snapshot for each request. */
#include "telemetry.h"
#include "../base/late.h"
#include "../base/log.h"
#include "../base/scope.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX	       64
#define CONNECTIONS_PER_IP_MAX 32
#define IDLE_TIMEOUT_S	       5

struct telemetry_http {
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer; /* what the daemon waits for besides its sockets: idle timeouts */
	unsigned int handles;
	telemetry_source *source;
	void *arg;
};

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, const char *type,
			      struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);

	return answer(connection, status, "text/plain; charset=utf-8", response);
}

static enum MHD_Result answer_metrics(struct telemetry_http *http, struct MHD_Connection *connection)
{
	struct telemetry_points points = {0};
	struct MHD_Response *response;
	char *text = NULL;
	size_t size = 0;
	int err;

	err = http->source(http->arg, &points);
	if (!err)
		err = telemetry_encode_prometheus(&points, &text, &size);
	telemetry_points_free(&points);
	if (err) {
		log_error("metrics request: cannot read the counters: %s; answered 503", strerror(-err));
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "cannot read the counters now\n");
	}
	response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", response);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *upload, size_t *upload_size, void **state)
{
	(void)version;
	(void)upload;
	(void)upload_size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
	if (!strcmp(path, "/metrics"))
		return answer_metrics(arg, connection);
	if (!strcmp(path, "/healthz"))
		return answer_text(connection, MHD_HTTP_OK, "ok\n");
	return answer_text(connection, MHD_HTTP_NOT_FOUND,
			   "not found; there are:\n  /metrics  Prometheus metrics\n  /healthz  whether weir runs\n");
}

static void on_timer(uv_timer_t *timer);

static void run(struct telemetry_http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(http->daemon);
	/* Never 0: a busy connection must not keep the loop from everything else. */
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES)
		uv_timer_start(&http->timer, on_timer, timeout_ms ? timeout_ms : 1, 0);
	else
		uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static void on_closed(uv_handle_t *handle)
{
	struct telemetry_http *http = handle->data;

	if (--http->handles == 0)
		free(http);
}

static int sockaddr_loopback(const char *address, uint16_t port, struct sockaddr_storage *out, socklen_t *size,
			     struct problem *problem)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	bool is_loopback;

	memset(out, 0, sizeof(*out));
	if (!uv_ip4_addr(address, port, in4)) {
		is_loopback = ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
		*size = sizeof(*in4);
	} else if (!uv_ip6_addr(address, port, in6)) {
		is_loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
		*size = sizeof(*in6);
	} else {
		return problem_set(problem, -EINVAL, "metrics endpoint: \"%s\" is not an address", address);
	}
	if (is_loopback)
		return 0;
	problem_set(problem, -EPERM, "metrics endpoint: %s is not a loopback address", address);
	problem_hint(problem, "listen on 127.0.0.1 or ::1 and put a proxy that checks who asks in front of it");
	return -EPERM;
}

static int listen_on(const char *address, uint16_t port, int *out, struct problem *problem)
{
	struct sockaddr_storage to;
	AUTO_CLOSE int fd = -1;
	socklen_t size = 0;
	int one = 1, err;

	err = sockaddr_loopback(address, port, &to, &size, problem);
	if (err)
		return err;
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, size) || listen(fd, CONNECTIONS_MAX)) {
		err = -errno;
		problem_set(problem, err, "metrics endpoint: cannot listen on %s port %u: %s", address, port,
			    strerror(-err));
		if (err == -EADDRINUSE)
			problem_hint(problem, "find who has the port with: ss -ltnp 'sport = :%u'", port);
		return err;
	}
	*out = TAKE_FD(fd);
	return 0;
}

int telemetry_http_open(uv_loop_t *loop, const char *address, uint16_t port, telemetry_source *source, void *arg,
			struct telemetry_http **out, struct problem *problem)
{
	AUTO_FREE struct telemetry_http *http = calloc(1, sizeof(*http));
	const union MHD_DaemonInfo *info;
	int fd = -1, err;

	if (!http)
		return problem_set(problem, -ENOMEM, "metrics endpoint: out of memory");
	err = listen_on(address, port, &fd, problem);
	if (err)
		return err;
	http->source = source;
	http->arg = arg;
	/* From here on the descriptor is the daemon's. */
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
					MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
					MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_IP_MAX,
					MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_TIMEOUT_S, MHD_OPTION_END);
	if (!http->daemon)
		return problem_set(problem, -ENOMEM, "metrics endpoint: cannot start the HTTP server");
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	err = info ? uv_poll_init(loop, &http->poll, info->epoll_fd) : -ENOSYS;
	if (err) {
		MHD_stop_daemon(http->daemon);
		return problem_set(problem, err, "metrics endpoint: cannot watch the HTTP server: %s", strerror(-err));
	}
	uv_timer_init(loop, &http->timer);
	http->handles = 2;
	http->poll.data = http;
	http->timer.data = http;
	uv_poll_start(&http->poll, UV_READABLE, on_poll);
	*out = TAKE_PTR(http);
	return 0;
}

void telemetry_http_close(struct telemetry_http *http)
{
	if (!http)
		return;
	uv_close((uv_handle_t *)&http->poll, on_closed);
	uv_close((uv_handle_t *)&http->timer, on_closed);
	MHD_stop_daemon(http->daemon);
}
