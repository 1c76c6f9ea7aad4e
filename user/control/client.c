/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's side of the control socket: one blocking call with a deadline. */
#include "control.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int64_t now_ms(void)
{
	return clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

/* Waits until the descriptor is ready or the deadline is over. 0 or -errno. */
static int wait_ready(int fd, short events, int64_t deadline)
{
	struct pollfd entry = {.fd = fd, .events = events};
	int64_t left;
	int ready;

	do {
		left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		ready = poll(&entry, 1, (int)left);
	} while (ready < 0 && errno == EINTR);
	return ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : 0;
}

static int explain_connect(const char *path, int err, struct problem *problem)
{
	if (err == -ENOENT || err == -ECONNREFUSED) {
		problem_set(problem, err, "no controller answers at %s", path);
		problem_hint(problem, "start it with `weir run`, or name its socket with --socket");
		return err;
	}
	problem_set(problem, err, "cannot connect to %s: %s", path, strerror(-err));
	if (err == -EACCES || err == -EPERM)
		problem_hint(problem, "run as root or as a member of the control group");
	else if (err == -EAGAIN)
		problem_hint(problem, "the controller is busy: try again in a moment");
	return err;
}

static int connect_to(const char *path, struct problem *problem)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return problem_set(problem, -ENAMETOOLONG, "%s: longer than a socket's name may be", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return problem_set(problem, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return explain_connect(path, -errno, problem);
	return TAKE_FD(fd);
}

static int send_all(int fd, const char *data, size_t size, int64_t deadline)
{
	while (size) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN) {
			int err = wait_ready(fd, POLLOUT, deadline);

			if (err)
				return err;
		} else if (sent < 0 && errno != EINTR) {
			return -errno;
		} else if (sent > 0) {
			data += sent;
			size -= (size_t)sent;
		}
	}
	return 0;
}

/* Reads one frame. 0 with *answer, or -errno; -ECONNRESET when the server closed without one. */
static int receive_frame(int fd, int64_t deadline, json_t **answer)
{
	size_t filled = 0, capacity = 0;
	AUTO_FREE char *buffer = NULL;

	for (;;) {
		ssize_t got = control_frame_decode(buffer, filled, answer);

		if (got)
			return got < 0 ? (int)got : 0;
		if (filled == capacity) {
			size_t grown = capacity ? capacity * 2 : 16384;
			char *larger = realloc(buffer, grown);

			if (!larger)
				return -ENOMEM;
			buffer = larger;
			capacity = grown;
		}
		got = recv(fd, buffer + filled, capacity - filled, MSG_DONTWAIT);
		if (!got)
			return -ECONNRESET;
		if (got > 0) {
			filled += (size_t)got;
		} else if (errno == EAGAIN) {
			int err = wait_ready(fd, POLLIN, deadline);

			if (err)
				return err;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
}

static int read_answer(const json_t *answer, json_t **result, struct problem *problem)
{
	const char *hint = json_string_value(json_object_get(answer, "hint"));
	const char *error = json_string_value(json_object_get(answer, "error"));
	json_t *value = json_object_get(answer, "result");

	if (json_is_true(json_object_get(answer, "ok")) && value) {
		*result = json_incref(value);
		return 0;
	}
	problem_set(problem, -EREMOTEIO, "%s", error ? error : "the controller's answer makes no sense");
	if (hint && *hint)
		problem_hint(problem, "%s", hint);
	return -EREMOTEIO;
}

int control_call(const char *path, const char *command, json_t *arguments, int timeout_ms, json_t **result,
		 struct problem *problem)
{
	int64_t deadline = now_ms() + timeout_ms;
	json_t *request, *answer = NULL;
	AUTO_FREE void *frame = NULL;
	AUTO_CLOSE int fd = -1;
	size_t size;
	int err, sent;

	request = json_pack("{s:s, s:O*}", "command", command, "arguments", arguments);
	err = request ? control_frame_encode(request, &frame, &size) : -ENOMEM;
	json_decref(request);
	if (err)
		return problem_set(problem, err, "the request cannot be sent: %s", strerror(-err));
	fd = connect_to(path, problem);
	if (fd < 0)
		return fd;
	/* A server that refuses closes while the request is on its way: its answer is there nevertheless. */
	sent = send_all(fd, frame, size, deadline);
	err = sent && sent != -EPIPE ? sent : receive_frame(fd, deadline, &answer);
	if (err) {
		problem_set(problem, err, "%s at %s gave no answer: %s", command, path, strerror(-err));
		problem_hint(problem, "the controller may be busy or stopped: look at its log");
		return err;
	}
	err = read_answer(answer, result, problem);
	json_decref(answer);
	return err;
}
