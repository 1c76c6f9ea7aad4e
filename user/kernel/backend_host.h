/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache host's program in the kernel: loaded, fed, attached and pinned in a directory of its own per interface
 * (its maps by their names, its link as "link").
 */
#ifndef WEIR_KERNEL_BACKEND_HOST_H
#define WEIR_KERNEL_BACKEND_HOST_H

#include "../base/problem.h"
#include <maps/backend_host.h>
#include <stdbool.h>
#include <stddef.h>

struct kernel_host_policy {
	struct weir_vip_key *vips;
	size_t vip_count;
	struct weir_host_edge_key *edges; /* none: a tunnel may come from anywhere */
	size_t edge_count;
};

enum kernel_host_mode { KERNEL_HOST_DETACHED = 0, KERNEL_HOST_GENERIC, KERNEL_HOST_NATIVE };

struct kernel_host_status {
	enum kernel_host_mode mode;
	unsigned int program_id;			  /* 0 when detached */
	struct kernel_host_policy policy;		  /* owned: kernel_host_status_free */
	struct weir_count count[WEIR_HOST_OUTCOMES_ROOM]; /* by enum weir_host_outcome */
};

/* Loads the program, gives it the policy and attaches it, natively where the driver can, else *generic. What is
 * pinned in directory goes on being used: its counters are kept and its link is updated in place, which loses no
 * packet. On failure the policy is the old one, and nothing stays that was not there. 0 or -errno: -EBUSY with a
 * foreign XDP program on the interface or pins of another one's, -EPROTO with pins of another layout. */
int kernel_host_up(const char *directory, const char *interface, const struct kernel_host_policy *policy, bool *generic,
		   struct problem *problem);

/* Detaches and removes every pin of the directory and the directory. -ENOENT when there is none. */
int kernel_host_down(const char *directory, struct problem *problem);

/* Whether a link that is pinned in the directory still sits on some device. */
bool kernel_host_is_attached(const char *directory);

/* -ENOENT when nothing is pinned there. A missing pin counts as empty. */
int kernel_host_status(const char *directory, const char *interface, struct kernel_host_status *out,
		       struct problem *problem);
void kernel_host_status_free(struct kernel_host_status *status);

#endif
