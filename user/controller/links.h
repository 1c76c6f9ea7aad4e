/* SPDX-License-Identifier: BSD-2-Clause */
/* News of network devices and their addresses, on the loop. Private to controller/. */
#ifndef WEIR_CONTROLLER_LINKS_H
#define WEIR_CONTROLLER_LINKS_H

#include "../base/problem.h"
#include <uv.h>

struct links;

/* Calls changed whenever a device came, went, was renamed or changed its state, or an address came or went; which one
 * it does not say. */
int links_open(uv_loop_t *loop, void (*changed)(void *arg), void *arg, struct links **out, struct problem *problem);
/* The loop must run once more before it is closed itself. */
void links_close(struct links *links);

#endif
