/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the filter true to what is in the sets and to the interfaces' numbers. */
#include "composition.h"
#include "../base/clock.h"
#include "../base/log.h"
#include <net/if.h>

#define RETRY_MS 10000 /* after a new filter that could not be made live */

static void warn_into(void *arg, const char *sentence)
{
	controller_warn(arg, "%s", sentence);
}

int filter_open(struct controller *controller, const struct config *config, json_t *warnings, struct sets_filter **out,
		struct problem *problem)
{
	return sets_filter_open(controller->sets, config, out, warn_into, warnings, problem);
}

int filter_renew(struct controller *controller, json_t *warnings, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	struct sets_filter *filter;
	int error = filter_open(controller, config, warnings, &filter, problem);

	if (!error)
		error = reconcile_renew_filter(controller->reconcile, &filter->model, problem);
	if (error) {
		sets_filter_close(filter);
		return error;
	}
	sets_filter_close(controller->filter);
	controller->filter = filter;
	return 0;
}

/* An interface that a rule names got another number, or came. */
static bool interfaces_moved(const struct controller *controller, const struct config *config)
{
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

/* What is in a set is not what the filter was made of: an apply was refused after the file had been read, or a filter
 * could not be made live. */
static bool is_behind(const struct controller *controller, const struct config *config)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];
		const struct sets_state *state =
			set->kind != CONFIG_SET_INLINE ? sets_find(controller->sets, set) : NULL;

		if (state && state->good != controller->filter->contents.contents[i])
			return true;
	}
	return false;
}

void filter_refresh(struct controller *controller)
{
	const struct config *config = reconcile_config(controller->reconcile);
	uint64_t now_ms = (uint64_t)(clock_read_ns(CLOCK_MONOTONIC) / NS_PER_MS);
	struct problem problem = {0};

	if (!config || !controller->filter)
		return;
	sets_refresh(controller->sets, config, now_ms, warn_into, NULL);
	if (now_ms < controller->filter_retry_ms ||
	    (!is_behind(controller, config) && !interfaces_moved(controller, config)))
		return;
	if (filter_renew(controller, NULL, &problem)) {
		controller->filter_retry_ms = now_ms + RETRY_MS;
		log_error("the filter stays as it was: %s", problem.text);
		return;
	}
	controller->filter_retry_ms = 0;
	log_info("sets or interfaces changed: generation %u is live", reconcile_generation(controller->reconcile));
}
