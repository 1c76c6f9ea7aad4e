/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop for tests: awaiting a condition with a deadline, and a small scripted TCP server beside what is tested. */
#ifndef WEIR_TESTS_LOOPBACK_H
#define WEIR_TESTS_LOOPBACK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define AWAIT_DEADLINE_MS 20000
#define REQUEST_MAX	  (2u << 20)

static inline void loopback_tick(uv_timer_t *timer)
{
	(void)timer;
}

/* Runs the loop until the condition holds. The tick only keeps a loop with nothing to do from blocking for ever. */
static inline bool loopback_await(uv_loop_t *loop, bool (*holds)(void *arg), void *arg)
{
	uint64_t deadline_ns = uv_hrtime() + AWAIT_DEADLINE_MS * 1000000ull;
	uv_timer_t *tick = malloc(sizeof(*tick));
	bool is_met = holds(arg);

	assert_non_null(tick);
	uv_timer_init(loop, tick);
	uv_timer_start(tick, loopback_tick, 10, 10);
	while (!is_met && uv_hrtime() < deadline_ns) {
		uv_run(loop, UV_RUN_ONCE);
		is_met = holds(arg);
	}
	uv_close((uv_handle_t *)tick, (uv_close_cb)free);
	return is_met;
}

static inline bool loopback_is_past(void *deadline_ns)
{
	return uv_hrtime() >= *(uint64_t *)deadline_ns;
}

/* For what must not happen: gives it the time in which it would have. */
static inline void loopback_run_for(uv_loop_t *loop, uint64_t ms)
{
	uint64_t deadline_ns = uv_hrtime() + ms * 1000000ull;

	assert_true(loopback_await(loop, loopback_is_past, &deadline_ns));
}

/* Every handle must have been closed by its owner. */
static inline void loopback_end(uv_loop_t *loop)
{
	uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

/* Takes whole requests (head, and body by Content-Length), then answers and closes. */
struct server {
	uv_loop_t *loop;
	uv_tcp_t *listener;
	uint16_t port;
	const char *answer;	  /* NULL: never answers; "": closes without one */
	unsigned int delay_ms;	  /* before the answer */
	unsigned int requests;	  /* whole ones so far */
	unsigned int connections; /* accepted so far */
	char head[4096];	  /* of the last request */
	uint8_t body[REQUEST_MAX];
	size_t body_size;
	struct server_peer *peers;
};

struct server_peer {
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	struct server *server;
	struct server_peer *next;
	int open;
	bool is_closing;
	size_t used;
	char data[REQUEST_MAX];
};

static inline void server_peer_closed(uv_handle_t *handle)
{
	struct server_peer *peer = handle->data, **link = &peer->server->peers;

	if (--peer->open)
		return;
	while (*link && *link != peer)
		link = &(*link)->next;
	if (*link)
		*link = peer->next;
	free(peer);
}

static inline void server_peer_close(struct server_peer *peer)
{
	if (peer->is_closing)
		return;
	peer->is_closing = true;
	uv_close((uv_handle_t *)&peer->tcp, server_peer_closed);
	uv_close((uv_handle_t *)&peer->timer, server_peer_closed);
}

static inline void server_written(uv_write_t *write, int status)
{
	(void)status;
	server_peer_close(write->data);
}

static inline void server_answer(uv_timer_t *timer)
{
	struct server_peer *peer = timer->data;
	const char *answer = peer->server->answer;
	uv_buf_t buffer;

	if (!answer)
		return;
	buffer = uv_buf_init((char *)answer, (unsigned int)strlen(answer));
	peer->write.data = peer;
	if (!answer[0] || uv_write(&peer->write, (uv_stream_t *)&peer->tcp, &buffer, 1, server_written))
		server_peer_close(peer);
}

static inline void server_take(struct server_peer *peer)
{
	struct server *server = peer->server;
	char *end = memmem(peer->data, peer->used, "\r\n\r\n", 4), *length;
	size_t head, body = 0;

	if (!end)
		return;
	head = (size_t)(end - peer->data) + 4;
	snprintf(server->head, sizeof(server->head), "%.*s", (int)head, peer->data);
	length = strcasestr(server->head, "content-length:");
	if (length)
		body = strtoul(length + strlen("content-length:"), NULL, 10);
	if (peer->used < head + body)
		return;
	memcpy(server->body, peer->data + head, body);
	server->body_size = body;
	server->requests++;
	uv_timer_start(&peer->timer, server_answer, server->delay_ms, 0);
}

static inline void server_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
	struct server_peer *peer = handle->data;

	(void)wanted;
	*out = uv_buf_init(peer->data + peer->used, (unsigned int)(sizeof(peer->data) - peer->used));
}

static inline void server_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct server_peer *peer = stream->data;

	(void)buffer;
	if (size < 0) {
		server_peer_close(peer);
		return;
	}
	peer->used += (size_t)size;
	server_take(peer);
}

static inline void server_accept(uv_stream_t *listener, int status)
{
	struct server *server = listener->data;
	struct server_peer *peer;

	if (status < 0)
		return;
	peer = calloc(1, sizeof(*peer));
	assert_non_null(peer);
	peer->server = server;
	peer->open = 2;
	uv_tcp_init(server->loop, &peer->tcp);
	uv_timer_init(server->loop, &peer->timer);
	peer->tcp.data = peer;
	peer->timer.data = peer;
	peer->next = server->peers;
	server->peers = peer;
	server->connections++;
	if (uv_accept(listener, (uv_stream_t *)&peer->tcp))
		server_peer_close(peer);
	else
		uv_read_start((uv_stream_t *)&peer->tcp, server_buffer, server_read);
}

/* Listens on a free port of address, or on port. False when the host lacks the address (no IPv6). */
static inline bool server_open(uv_loop_t *loop, const char *address, uint16_t port, struct server *server)
{
	struct sockaddr_storage name;
	int size = sizeof(name);

	memset(server, 0, sizeof(*server));
	server->loop = loop;
	server->listener = calloc(1, sizeof(*server->listener));
	assert_non_null(server->listener);
	server->listener->data = server;
	if (uv_ip4_addr(address, port, (struct sockaddr_in *)&name))
		uv_ip6_addr(address, port, (struct sockaddr_in6 *)&name);
	uv_tcp_init(loop, server->listener);
	if (uv_tcp_bind(server->listener, (struct sockaddr *)&name, 0) ||
	    uv_listen((uv_stream_t *)server->listener, 64, server_accept)) {
		uv_close((uv_handle_t *)server->listener, (uv_close_cb)free);
		return false;
	}
	uv_tcp_getsockname(server->listener, (struct sockaddr *)&name, &size);
	server->port = ntohs(((struct sockaddr_in *)&name)->sin_port); /* at the same place in both families */
	return true;
}

/* From now on its port refuses. */
static inline void server_close(struct server *server)
{
	uv_close((uv_handle_t *)server->listener, (uv_close_cb)free);
	for (struct server_peer *peer = server->peers; peer; peer = peer->next)
		server_peer_close(peer);
}

#endif
