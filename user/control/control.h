/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: framed JSON between the controller and its clients.
 *
 * A frame is a 32-bit length in network byte order and that many bytes of UTF-8 JSON, an object. Requests:
 * {"command": "deny.add", "arguments": {...}}; answers: {"ok": true, "result": ...} or {"ok": false, "error":
 * "...", "hint": "..."}. A connection may carry several requests, one at a time.
 */
#ifndef WEIR_CONTROL_H
#define WEIR_CONTROL_H

#include "../base/problem.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

/* Bytes of a frame: a request beyond it is refused and closes the connection, an answer beyond it becomes an error. */
#define CONTROL_FRAME_MAX	   (16u << 20)
#define CONTROL_CLIENTS_MAX	   64	/* beyond it a new connection is closed at once, with an error frame */
#define CONTROL_REQUEST_TIMEOUT_MS 5000 /* for a whole frame to come in, and for an answer to be taken */
#define CONTROL_IDLE_TIMEOUT_MS	   30000

struct control_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* A request that is being answered. It belongs to the control socket. */
struct control_request {
	struct control_peer peer;
	struct session *session; /* who waits for the answer; NULL: nobody any more */
	bool deferred;
};

/* Answers a request: returns the result (a new reference, owned by the caller) or NULL with *problem filled; or calls
 * control_defer and returns NULL, and the answer follows by control_answer. */
typedef json_t *control_handler(void *arg, struct control_request *request, const char *command, json_t *arguments,
				struct problem *problem);
/* The request lasts until it is answered, on the loop, exactly once: whether or not the client still waits. The server
 * may be closed before. */
void control_defer(struct control_request *request);
/* As a handler answers: result (stolen), or NULL with *problem filled. */
void control_answer(struct control_request *request, json_t *result, const struct problem *problem);

struct control_server;
/* The socket is made with mode 0660 and the group (empty: root's). A peer is refused unless it is root, the
 * controller's own user, or a member of the group. A stale socket file is replaced; one that answers is
 * -EADDRINUSE. */
int control_server_open(uv_loop_t *loop, const char *path, const char *group, control_handler *handler, void *arg,
			struct control_server **out, struct problem *problem);
/* Closes the socket and every connection; the loop must run once more before it is closed itself. */
void control_server_close(struct control_server *server);
/* Other deadlines than CONTROL_REQUEST_TIMEOUT_MS and CONTROL_IDLE_TIMEOUT_MS, for connections still to come. */
void control_server_set_timeouts(struct control_server *server, unsigned int request_ms, unsigned int idle_ms);

/* The client's side, blocking, with a timeout. 0 with *result (a new reference), -EREMOTEIO with the server's error
 * in *problem, or -errno with *problem. */
int control_call(const char *path, const char *command, json_t *arguments, int timeout_ms, json_t **result,
		 struct problem *problem);

/* The frame codec, for the server, the client and the fuzzer: consumes from a stream. Returns the bytes of the
 * first frame (header included) with *json set, 0 when more is needed, -EMSGSIZE or -EBADMSG. */
ssize_t control_frame_decode(const void *data, size_t size, json_t **json);
/* A fresh buffer that the caller frees. */
int control_frame_encode(const json_t *json, void **data, size_t *size);

#endif
