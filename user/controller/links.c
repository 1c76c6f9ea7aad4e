/* SPDX-License-Identifier: BSD-2-Clause */
/* Listens to rtnetlink for devices that come, go or change their names, and for addresses (rtnetlink(7)). */
#include "links.h"
#include "../base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>

struct links {
	struct mnl_socket *socket;
	uv_poll_t poll;
	void (*changed)(void *arg);
	void *arg;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct links *links = poll->data;
	char buffer[16384];

	(void)status;
	(void)events;
	/* What the messages say may be old by now, and some may be lost (ENOBUFS): the devices themselves are asked. */
	while (mnl_socket_recvfrom(links->socket, buffer, sizeof(buffer)) > 0 || errno == ENOBUFS)
		errno = 0;
	links->changed(links->arg);
}

static int subscribe(struct mnl_socket *socket)
{
	int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};

	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) || fcntl(mnl_socket_get_fd(socket), F_SETFL, O_NONBLOCK))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])))
			return -errno;
	return 0;
}

int links_open(uv_loop_t *loop, void (*changed)(void *arg), void *arg, struct links **out, struct problem *problem)
{
	AUTO_FREE struct links *links = calloc(1, sizeof(*links));
	int err;

	if (!links)
		return problem_set(problem, -ENOMEM, "out of memory");
	links->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!links->socket)
		return problem_set(problem, -errno, "netlink: %s", strerror(errno));
	err = subscribe(links->socket);
	if (!err)
		err = uv_poll_init(loop, &links->poll, mnl_socket_get_fd(links->socket));
	if (err) {
		mnl_socket_close(links->socket);
		return problem_set(problem, err, "netlink: %s", strerror(-err));
	}
	links->changed = changed;
	links->arg = arg;
	links->poll.data = links;
	uv_poll_start(&links->poll, UV_READABLE, on_readable);
	*out = TAKE_PTR(links);
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct links *links = handle->data;

	mnl_socket_close(links->socket);
	free(links);
}

void links_close(struct links *links)
{
	if (links)
		uv_close((uv_handle_t *)&links->poll, on_closed);
}
