/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a backend host's pins and state lie. */
#ifndef WEIR_BACKENDHOST_PATHS_H
#define WEIR_BACKENDHOST_PATHS_H

#include "backendhost.h"
#include <limits.h>

struct backendhost_paths {
	char pins[PATH_MAX];  /* the interface's directory */
	char state[PATH_MAX]; /* the interface's file */
};

/* -EINVAL for what cannot be an interface's name. */
int backendhost_paths(const struct backendhost_options *options, struct backendhost_paths *out,
		      struct problem *problem);

#endif
