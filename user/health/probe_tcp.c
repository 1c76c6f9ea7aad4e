/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP probe: a backend is well when it accepts a connection, which is closed at once. */
#include "probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct probe_tcp {
	struct probe probe;
	uv_tcp_t tcp;
	uv_connect_t connect;
	probe_done *done; /* NULL: cancelled */
	void *arg;
};

void probe_outcome_from_errno(struct probe_outcome *outcome, int error)
{
	outcome->ok = false;
	snprintf(outcome->error, sizeof(outcome->error), "%s", uv_strerror(error));
	switch (error) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
	case -EADDRNOTAVAIL:
		outcome->local_error = error;
		break;
	default:
		break;
	}
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void probe_tcp_cancel(struct probe *probe)
{
	struct probe_tcp *self = (struct probe_tcp *)probe;

	self->done = NULL;
	uv_close((uv_handle_t *)&self->tcp, on_closed);
}

static void on_connect(uv_connect_t *connect, int status)
{
	struct probe_tcp *self = connect->data;
	struct probe_outcome outcome = {.ok = true};
	probe_done *done = self->done;

	if (!done)
		return;
	if (status < 0)
		probe_outcome_from_errno(&outcome, status);
	uv_close((uv_handle_t *)&self->tcp, on_closed);
	done(self->arg, &outcome);
}

static void sockaddr_from(const struct addr *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == WEIR_IPV4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		memcpy(&in4->sin_addr, &address->bytes, sizeof(in4->sin_addr));
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, &address->bytes, sizeof(in6->sin6_addr));
	}
}

int probe_tcp_start(uv_loop_t *loop, const struct addr *address, uint16_t port, probe_done *done, void *arg,
		    struct probe **out)
{
	struct sockaddr_storage to;
	struct probe_tcp *self;
	int err;

	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	err = uv_tcp_init(loop, &self->tcp);
	if (err) {
		free(self);
		return err;
	}
	self->probe.cancel = probe_tcp_cancel;
	self->tcp.data = self;
	self->connect.data = self;
	self->done = done;
	self->arg = arg;
	sockaddr_from(address, port, &to);
	err = uv_tcp_connect(&self->connect, &self->tcp, (const struct sockaddr *)&to, on_connect);
	if (err) {
		probe_tcp_cancel(&self->probe);
		return err;
	}
	*out = &self->probe;
	return 0;
}
