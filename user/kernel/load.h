/* SPDX-License-Identifier: BSD-2-Clause */
/* What a loaded program is within the kernel module. */
#ifndef WEIR_KERNEL_LOAD_H
#define WEIR_KERNEL_LOAD_H

#include "kernel.h"
#include "weir.skel.h"

struct kernel {
	struct weir_bpf *skeleton;
	int fds[KERNEL_MAPS];	 /* borrowed from the skeleton */
	char pin_directory[256]; /* empty: nothing is pinned */
	bool fresh;
	struct weir_trace *trace; /* mapped in the traced variant, else NULL */
};

/* Maps the trace map of the traced variant into kernel->trace. */
int kernel_map_trace(struct kernel *kernel, struct problem *problem);

#endif
