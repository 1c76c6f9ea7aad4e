/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a control connection, and whether it may be. Private to control/. */
#ifndef WEIR_CONTROL_PEER_H
#define WEIR_CONTROL_PEER_H

#include "control.h"

/* The peer's credentials as the kernel recorded them when it connected. 0 or -errno. */
int peer_identify(int fd, struct control_peer *peer);
/* Root, the controller's own user, and members of the group (primary or supplementary) may; (gid_t)-1: no group. */
bool peer_is_allowed(int fd, const struct control_peer *peer, gid_t group);

#endif
