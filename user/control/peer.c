/* SPDX-License-Identifier: BSD-2-Clause */
/* Peer credentials of a unix socket: the kernel's word, not the client's. */
#include "peer.h"
#include "../base/scope.h"
#include <errno.h>
#include <sys/socket.h>

int peer_identify(int fd, struct control_peer *peer)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return -errno;
	*peer = (struct control_peer){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
	return 0;
}

static bool has_supplementary_group(int fd, gid_t group)
{
	AUTO_FREE gid_t *groups = NULL;
	socklen_t size = 0;

	/* The first call tells the size by failing with ERANGE. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) || errno != ERANGE || !size)
		return false;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

bool peer_is_allowed(int fd, const struct control_peer *peer, gid_t group)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	if (group == (gid_t)-1)
		return false;
	return peer->gid == group || has_supplementary_group(fd, group);
}
