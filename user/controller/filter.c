/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the filter true to what is in the sets, and to the interfaces and addresses of this host. */
#include "change.h"
#include "../base/clock.h"
#include "../base/log.h"
#include <net/if.h>

#define RETRY_MS 10000 /* after a new filter that could not be made live */

bool filter_interfaces_moved(const struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);

	for (size_t i = 0; i < config->filter.rules_count; i++) {
		const struct config_rule *rule = &config->filter.rules[i];

		for (size_t k = 0; k < rule->interfaces_count; k++) {
			size_t at = rule->interfaces[k];

			if (controller->filter->ifindexes[at] != if_nametoindex(config->interfaces[at].name))
				return true;
		}
	}
	return false;
}

bool filter_is_behind(const struct sets_filter *filter, const struct sets *sets, const struct config *config)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct sets_state *state = sets_find(sets, &config->sets[i]);

		if (state && state->good != filter->contents.contents[i])
			return true;
	}
	return false;
}

static void on_followed(struct change *change)
{
	if (!change->error)
		return;
	change->controller->filter_retry_ms = change->now_ms + RETRY_MS;
	log_error("the filter stays as it was: %s", change->problem.text);
}

static void queue_follow(struct controller *controller)
{
	struct change *change = change_new(controller, CHANGE_FOLLOW, on_followed);

	if (change)
		change_queue(change);
	else
		log_error("out of memory: the filter stays as it is until a next try");
}

/* While another change is under way, the next second is soon enough. */
void filter_keep(struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	uint64_t now_ms = (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS);

	if (!config || !controller->filter || controller->changes)
		return;
	if (sets_due(controller->sets, config, now_ms) ||
	    (now_ms >= controller->filter_retry_ms &&
	     (filter_is_behind(controller->filter, controller->sets, config) || filter_interfaces_moved(controller))))
		queue_follow(controller);
}

void filter_keep_sources(struct controller *controller)
{
	uint64_t now_ms = (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS);

	if (!controller->changes && now_ms >= controller->filter_retry_ms &&
	    reconcile_sources_moved(controller->reconcile))
		queue_follow(controller);
}
