/* SPDX-License-Identifier: BSD-2-Clause */
/* A control server on a loop of its own thread, and raw clients of it. */
#ifndef WEIR_TESTS_CONTROL_FIXTURE_H
#define WEIR_TESTS_CONTROL_FIXTURE_H

#include <user/control/control.h>
#include <user/base/scope.h>
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#define DEADLINE_MS 20000

struct fixture {
	char directory[64], path[96];
	uv_loop_t loop;
	uv_async_t stop;
	uv_timer_t watch;
	pthread_t thread;
	struct control_server *server;
	struct control_request *later; /* of the loop's thread: the command "later" waits for "release" */
	bool timed_out;
};

static json_t *handle(void *arg, struct control_request *request, const char *command, json_t *arguments,
		      struct problem *problem)
{
	struct fixture *fixture = arg;

	if (!strcmp(command, "later")) {
		control_defer(request);
		fixture->later = request;
		return NULL;
	}
	if (!strcmp(command, "release")) {
		control_answer(fixture->later, json_pack("{s:i}", "released", 1), problem);
		return json_pack("{s:b}", "also", 1);
	}
	if (!strcmp(command, "echo"))
		return json_pack("{s:O, s:i}", "arguments", arguments, "uid", (int)request->peer.uid);
	if (!strcmp(command, "large"))
		return json_pack("{s:o}", "text", json_sprintf("%0*d", 3 << 20, 0));
	if (!strcmp(command, "oversize"))
		return json_pack("{s:o}", "text", json_sprintf("%0*d", CONTROL_FRAME_MAX, 0));
	if (!strcmp(command, "garbled")) {
		problem_set(problem, -ENOENT, "/tmp/\xff: no such file");
		return NULL;
	}
	problem_set(problem, -ENOENT, "unknown command \"%s\"", command);
	problem_hint(problem, "try echo");
	return NULL;
}

static void on_stop(uv_async_t *async)
{
	struct fixture *fixture = async->data;

	control_server_close(fixture->server);
	uv_close((uv_handle_t *)&fixture->stop, NULL);
	uv_close((uv_handle_t *)&fixture->watch, NULL);
}

static void on_watch(uv_timer_t *timer)
{
	struct fixture *fixture = timer->data;

	fixture->timed_out = true;
	on_stop(&fixture->stop);
}

static void *run_loop(void *arg)
{
	struct fixture *fixture = arg;

	uv_run(&fixture->loop, UV_RUN_DEFAULT);
	return NULL;
}

static void open_server_for(struct fixture *fixture, const char *group, unsigned int request_ms, unsigned int idle_ms)
{
	struct problem problem = {0};

	strcpy(fixture->directory, "/tmp/weir-control-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/below/control.sock", fixture->directory);
	assert_int_equal(uv_loop_init(&fixture->loop), 0);
	assert_int_equal(
		control_server_open(&fixture->loop, fixture->path, group, handle, fixture, &fixture->server, &problem),
		0);
	control_server_set_timeouts(fixture->server, request_ms, idle_ms);
	uv_async_init(&fixture->loop, &fixture->stop, on_stop);
	uv_timer_init(&fixture->loop, &fixture->watch);
	fixture->stop.data = fixture->watch.data = fixture;
	uv_timer_start(&fixture->watch, on_watch, 2 * DEADLINE_MS, 0);
	assert_int_equal(pthread_create(&fixture->thread, NULL, run_loop, fixture), 0);
}

static void open_server(struct fixture *fixture, unsigned int request_ms, unsigned int idle_ms)
{
	open_server_for(fixture, "", request_ms, idle_ms);
}

static void close_server(struct fixture *fixture)
{
	char below[96];

	uv_async_send(&fixture->stop);
	pthread_join(fixture->thread, NULL);
	assert_false(fixture->timed_out);
	assert_int_equal(uv_loop_close(&fixture->loop), 0);
	assert_int_equal(access(fixture->path, F_OK), -1);
	snprintf(below, sizeof(below), "%s/below", fixture->directory);
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(rmdir(fixture->directory), 0);
}

static int connect_raw(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = DEADLINE_MS / 1000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static ssize_t receive(int fd, void *out, size_t room)
{
	ssize_t got;

	/* The kernel may wake a thread to run work of the loop's io_uring; a receive with a timeout is then cut short.
	 */
	do {
		got = recv(fd, out, room, 0);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* Reads until the server closes; returns what came. */
static size_t read_to_end(int fd, char *out, size_t room)
{
	size_t filled = 0;
	ssize_t got;

	while ((got = receive(fd, out + filled, room - filled)) > 0)
		filled += (size_t)got;
	assert_true(got == 0 || errno == ECONNRESET);
	return filled;
}

#endif
