/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cache host behind the edges: the program that takes the tunnels off, the VIPs on lo and the sysctls that they
 * need, put up together and taken down without a trace.
 */
#ifndef WEIR_BACKENDHOST_H
#define WEIR_BACKENDHOST_H

#include "../base/addr.h"
#include "../base/problem.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define BACKENDHOST_DEFAULT_PINS  "/sys/fs/bpf/weir-backend"
#define BACKENDHOST_DEFAULT_STATE "/run/weir"

struct backendhost_options {
	const char *interface;
	const char *pins;  /* directory on a BPF file system; the interface gets one of its own below it */
	const char *state; /* directory of backend-host-<interface>.json, which says what to undo */
	const struct addr *vips;
	size_t vip_count;
	const struct prefix *edges; /* none: a tunnel may come from anywhere */
	size_t edge_count;
};

/* Puts the interface up, or changes what is up to these VIPs and edges. *generic: not in the driver. On failure
 * everything is as it was before the call. 0 or -errno. */
int backendhost_up(const struct backendhost_options *options, bool *generic, struct problem *problem);

/* Undoes what up did and nothing else (vips and edges are not looked at); what somebody else has changed since is
 * left alone and logged. -ENOENT when nothing is up. What could not be undone stays in the state file. */
int backendhost_down(const struct backendhost_options *options, struct problem *problem);

/* {"interface","mode":"native|generic|detached","program":id,"check_edges":bool,
 *  "vips":[{"address","on_lo":bool,"added":bool}],"edges":[text],
 *  "counters":[{"name","verdict","packets","bytes","meaning"}],"sysctls":[{"name","before","set","now"}]}.
 * -ENOENT when nothing is up. */
int backendhost_status(const struct backendhost_options *options, json_t **out, struct problem *problem);

/* Calls each for every interface that has pins or a state file. */
int backendhost_interfaces(const char *pins, const char *state, void (*each)(void *arg, const char *interface),
			   void *arg);

#endif
