/* SPDX-License-Identifier: BSD-2-Clause */
/* One client's connection on the server's side: requests in, answers out, deadlines. Private to control/. */
#ifndef WEIR_CONTROL_SESSION_H
#define WEIR_CONTROL_SESSION_H

#include "control.h"

struct session {
	struct session *next; /* the owner's list */
	uv_pipe_t pipe;
	uv_timer_t deadline;
	unsigned int handles; /* that are still to be closed */
	bool closing;
	bool gathering; /* a part of a frame is there: its deadline runs */
	struct control_peer peer;
	struct control_request *request; /* that is answered later, or NULL */
	unsigned char *buffer;
	size_t filled, capacity;
	/* set by the owner */
	unsigned int request_timeout_ms, idle_timeout_ms;
	control_handler *handler;
	void *handler_arg;
	void (*gone)(struct session *session, void *owner); /* called once, last; frees it */
	void *owner;
};

/* Prepares the handles of a zeroed session; from then on it ends by session_close alone. */
void session_open(uv_loop_t *loop, struct session *session);
void session_start(struct session *session);
/* Sends one error frame, as far as the socket takes it at once, and closes. */
void session_refuse(struct session *session, const char *error, const char *hint);
void session_close(struct session *session);

#endif
