/* SPDX-License-Identifier: BSD-2-Clause */
/* VIPs on lo, by rtnetlink, in the calling thread's network namespace. */
#ifndef WEIR_BACKENDHOST_ADDRESS_H
#define WEIR_BACKENDHOST_ADDRESS_H

#include "../base/addr.h"
#include <stddef.h>

/* Adds the address with its full prefix length, in a way that the host never picks it as a source of its own.
 * 0, -EEXIST, or -errno. */
int address_add(const struct addr *address);
int address_delete(const struct addr *address); /* -EADDRNOTAVAIL when it is not there */
/* Every address of lo, in an array that the caller frees. */
int address_list(struct addr **out, size_t *count);
bool address_lo_is_up(void);

#endif
