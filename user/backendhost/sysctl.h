/* SPDX-License-Identifier: BSD-2-Clause */
/* The sysctls that a host with VIPs on lo needs, of the calling thread's network namespace. */
#ifndef WEIR_BACKENDHOST_SYSCTL_H
#define WEIR_BACKENDHOST_SYSCTL_H

#include "state.h"

int sysctl_read(const char *name, int *value);
int sysctl_write(const char *name, int value);

/* Adds to the state what has to change on this host for the interface, with the value before; changes nothing yet. */
int sysctl_plan(const char *interface, struct state *state, struct problem *problem);

#endif
