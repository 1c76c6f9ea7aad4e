/* SPDX-License-Identifier: BSD-2-Clause */
/* One client's connection: gathers a frame, has it answered, writes the answer, and closes what dawdles. */
#include "session.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

#define BUFFER_FIRST 4096
#define BUFFER_MAX   (CONTROL_FRAME_MAX + 4u)

struct answer {
	uv_write_t request;
	struct session *session;
	void *frame;
};

static void on_handle_closed(uv_handle_t *handle)
{
	struct session *session = handle->data;

	if (--session->handles)
		return;
	free(session->buffer);
	session->gone(session, session->owner);
}

void session_close(struct session *session)
{
	if (session->closing)
		return;
	session->closing = true;
	if (session->request)
		session->request->session = NULL;
	uv_close((uv_handle_t *)&session->pipe, on_handle_closed);
	uv_close((uv_handle_t *)&session->deadline, on_handle_closed);
}

static void on_deadline(uv_timer_t *timer)
{
	session_close(timer->data);
}

static void set_deadline(struct session *session, unsigned int timeout_ms)
{
	/* The loop's clock is of its last turn: a handler that took long must not eat into the client's time. */
	uv_update_time(session->deadline.loop);
	uv_timer_start(&session->deadline, on_deadline, timeout_ms, 0);
}

/* Of whatever bytes: a file's name may be in an error. */
static json_t *make_error(const char *error, const char *hint)
{
	return json_pack("{s:b, s:o, s:o}", "ok", 0, "error", json_text(error), "hint", json_text(hint));
}

static json_t *make_answer(json_t *result, const struct problem *problem)
{
	if (result)
		return json_pack("{s:b, s:o}", "ok", 1, "result", result);
	return make_error(problem->text, problem->hint);
}

static void serve_buffered(struct session *session);

static void on_written(uv_write_t *request, int status)
{
	struct answer *answer = (struct answer *)request;
	struct session *session = answer->session;

	free(answer->frame);
	free(answer);
	if (session->closing)
		return;
	if (status < 0) {
		session_close(session);
		return;
	}
	serve_buffered(session);
}

/* A fresh frame with the answer (stolen; may be NULL), or with why there is none. 0 or -errno. */
static int encode_answer(json_t *json, void **frame, size_t *size)
{
	int err = json ? control_frame_encode(json, frame, size) : -ENOMEM;
	char text[96];

	json_decref(json);
	if (!err)
		return 0;
	if (err == -EMSGSIZE)
		snprintf(text, sizeof(text), "the answer is larger than %u MiB, the most that a frame takes",
			 CONTROL_FRAME_MAX >> 20);
	else
		snprintf(text, sizeof(text), "the answer cannot be written: %s", strerror(-err));
	json = make_error(text, err == -EMSGSIZE ? "ask for less at a time" : "");
	err = json ? control_frame_encode(json, frame, size) : -ENOMEM;
	json_decref(json);
	return err;
}

/* Steals json. */
static int write_answer(struct session *session, json_t *json)
{
	AUTO_FREE struct answer *answer = calloc(1, sizeof(*answer));
	AUTO_FREE void *frame = NULL;
	uv_buf_t buffer;
	size_t size;
	int err = encode_answer(json, &frame, &size);

	if (err || !answer)
		return err ? err : -ENOMEM;
	buffer = uv_buf_init(frame, (unsigned int)size);
	err = uv_write(&answer->request, (uv_stream_t *)&session->pipe, &buffer, 1, on_written);
	if (err)
		return err;
	answer->session = session;
	answer->frame = TAKE_PTR(frame);
	TAKE_PTR(answer);
	return 0;
}

/* Steals json. */
static void send_answer(struct session *session, json_t *json)
{
	if (write_answer(session, json))
		session_close(session);
	else
		set_deadline(session, session->request_timeout_ms);
}

void control_defer(struct control_request *request)
{
	request->deferred = true;
}

void control_answer(struct control_request *request, json_t *result, const struct problem *problem)
{
	struct session *session = request->session;

	free(request);
	if (!session) {
		json_decref(result);
		return;
	}
	session->request = NULL;
	send_answer(session, make_answer(result, problem));
}

/* While it is deferred no deadline runs: the client has its own. */
static void take_request(struct session *session, const char *command, json_t *arguments)
{
	struct control_request *request = calloc(1, sizeof(*request));
	struct problem problem = {0};
	json_t *result;

	if (!request) {
		session_close(session);
		return;
	}
	*request = (struct control_request){.peer = session->peer, .session = session};
	session->request = request;
	result = session->handler(session->handler_arg, request, command, arguments, &problem);
	if (request->deferred)
		uv_timer_stop(&session->deadline);
	else
		control_answer(request, result, &problem);
}

static void read_request(struct session *session, const json_t *json)
{
	const char *command = json_string_value(json_object_get(json, "command"));
	json_t *arguments = json_object_get(json, "arguments");

	if (!command || (arguments && !json_is_object(arguments))) {
		send_answer(session,
			    make_error("a request needs \"command\", and \"arguments\" must be an object", ""));
		return;
	}
	arguments = arguments ? json_incref(arguments) : json_object();
	take_request(session, command, arguments);
	json_decref(arguments);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct session *session = handle->data;

	(void)suggested;
	if (session->filled == session->capacity) {
		size_t capacity = session->capacity ? session->capacity * 2 : BUFFER_FIRST;
		unsigned char *grown;

		if (capacity > BUFFER_MAX)
			capacity = BUFFER_MAX;
		grown = capacity > session->capacity ? realloc(session->buffer, capacity) : NULL;
		if (grown) {
			session->buffer = grown;
			session->capacity = capacity;
		}
	}
	/* Without room libuv reports UV_ENOBUFS, which closes the session. */
	*out = uv_buf_init((char *)session->buffer + session->filled,
			   (unsigned int)(session->capacity - session->filled));
}

/* The deadline is for the whole frame: more of the same frame does not move it. */
static void wait_for_more(struct session *session)
{
	if (!session->filled)
		set_deadline(session, session->idle_timeout_ms);
	else if (!session->gathering)
		set_deadline(session, session->request_timeout_ms);
	session->gathering = session->filled > 0;
	uv_read_start((uv_stream_t *)&session->pipe, on_allocate, on_read);
}

/* Answers the first whole frame in the buffer, or waits for the rest of it. */
static void serve_buffered(struct session *session)
{
	json_t *request = NULL;
	ssize_t used = control_frame_decode(session->buffer, session->filled, &request);

	if (used < 0) {
		session_refuse(session, used == -EMSGSIZE ? "the request is too large" : "not a frame of JSON", "");
		return;
	}
	if (!used) {
		wait_for_more(session);
		return;
	}
	uv_read_stop((uv_stream_t *)&session->pipe);
	session->gathering = false;
	session->filled -= (size_t)used;
	memmove(session->buffer, session->buffer + used, session->filled);
	read_request(session, request);
	json_decref(request);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct session *session = stream->data;

	(void)buffer;
	if (size < 0) {
		session_close(session);
	} else if (size > 0) {
		session->filled += (size_t)size;
		serve_buffered(session);
	}
}

void session_open(uv_loop_t *loop, struct session *session)
{
	/* Neither call can fail for these handles. */
	uv_timer_init(loop, &session->deadline);
	uv_pipe_init(loop, &session->pipe, 0);
	session->deadline.data = session;
	session->pipe.data = session;
	session->handles = 2;
}

void session_start(struct session *session)
{
	serve_buffered(session);
}

void session_refuse(struct session *session, const char *error, const char *hint)
{
	json_t *json = make_error(error, hint);
	AUTO_FREE void *frame = NULL;
	size_t size;

	if (json && !control_frame_encode(json, &frame, &size)) {
		uv_buf_t buffer = uv_buf_init(frame, (unsigned int)size);

		uv_try_write((uv_stream_t *)&session->pipe, &buffer, 1);
	}
	json_decref(json);
	session_close(session);
}
