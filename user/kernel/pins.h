/* SPDX-License-Identifier: BSD-2-Clause */
/* Pins within the kernel module: where they lie, and whether what lies there is ours and of our layout. */
#ifndef WEIR_KERNEL_PINS_H
#define WEIR_KERNEL_PINS_H

#include "kernel.h"

#define PINS_LINK_PREFIX "link-"

/* The inventory's maps that are pinned; fd -1: not there. */
struct pins {
	int fds[KERNEL_MAPS];
	unsigned int found, missing;
	struct weir_live live; /* zero when there is no map "live" */
};

/* Makes the directory, on a bpffs that is mounted at /sys/fs/bpf if need be. */
int pins_make_directory(const char *directory, struct problem *problem);
/* Opens and checks all that is there, and writes nothing: -EPROTO where anything differs from the inventory. A
 * directory that does not exist holds nothing. The caller closes with pins_close. */
int pins_open(const char *directory, struct pins *out, struct problem *problem);
void pins_close(struct pins *pins);

/* DIRECTORY/NAME into out[size]; -ENAMETOOLONG. */
int pins_path(const char *directory, const char *name, char *out, size_t size);

/* The same for what is pinned of an interface: PREFIX and its name. -EINVAL when that is no name of one. */
int pins_interface_path(const char *directory, const char *prefix, const char *interface, char *out, size_t size);
/* The interface of a pin; false when the pin's name does not begin with the prefix. */
bool pins_interface_of(const char *pin, const char *prefix, char interface[16]);

#endif
