/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the next hops of all backends known. What the program drops for want of a neighbour makes the kernel ask
 * nobody, and health checks, where there are any, need not go the same way.
 */
#include "composition.h"
#include "../base/log.h"
#include <errno.h>
#include <string.h>

/* Backends behind one gateway mostly stand together in the configuration. */
static bool is_same(const struct route *a, const struct route *b)
{
	return a->ifindex == b->ifindex && addr_equal(&a->next_hop, &b->next_hop);
}

void neighbours_keep(struct controller *controller)
{
	const struct model *model = reconcile_model(controller->reconcile);
	struct route last = {0};
	int failed = 0;

	for (size_t i = 0; model && i < model->pools_count; i++) {
		for (size_t k = 0; k < model->pools[i].backends_count; k++) {
			struct route route;
			int err;

			if (route_find(controller->routes, &model->pools[i].backends[k].address, &route) ||
			    route.is_local || is_same(&route, &last))
				continue;
			last = route;
			err = route_use_neighbour(controller->routes, &route);
			failed = failed ? failed : err;
		}
	}
	if (failed && failed != controller->neighbours_error)
		log_warning("the kernel cannot be told to find a backend's neighbour: %s; packets for it are dropped "
			    "while it knows none",
			    strerror(-failed));
	controller->neighbours_error = failed;
}
