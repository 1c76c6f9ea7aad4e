/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What up did to the host, kept in a file so that down can undo it: written before the first change, so that a crash
 * in between leaves nothing unknown.
 */
#ifndef WEIR_BACKENDHOST_STATE_H
#define WEIR_BACKENDHOST_STATE_H

#include "../base/addr.h"
#include "../base/problem.h"
#include <limits.h>
#include <stddef.h>

#define STATE_SYSCTLS_MAX 8

struct state_sysctl {
	char name[64]; /* below /proc/sys, with slashes, as sysctl(8) takes it too */
	int before, set;
};

struct state {
	unsigned long netns; /* inode of the network namespace that it speaks of; 0: nothing is up */
	struct addr *added;  /* owned: the addresses that up put on lo */
	size_t added_count;
	struct state_sysctl sysctls[STATE_SYSCTLS_MAX]; /* in the order of their change */
	size_t sysctl_count;
};

/* A missing file is an empty state. */
int backendhost_state_load(const char *path, struct state *out, struct problem *problem);
int backendhost_state_save(const char *path, const struct state *state, struct problem *problem);
void backendhost_state_free(struct state *state);
unsigned long state_netns(void); /* of the calling process */

bool state_has_address(const struct state *state, const struct addr *address);
int state_add_address(struct state *state, const struct addr *address);
int state_copy(const struct state *from, struct state *out);

#endif
