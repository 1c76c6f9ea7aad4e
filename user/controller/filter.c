/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filter is made of beside the configuration: the contents of sets, the interfaces' numbers, the time. */
#include "composition.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define RETRY_MS 10000 /* after a new filter that could not be made live */

static void warn_into(void *arg, const char *sentence)
{
	controller_warn(arg, "%s", sentence);
}

void filter_parts_close(struct filter_parts *parts)
{
	if (!parts)
		return;
	sets_contents_clear(&parts->contents);
	free(parts->ifindexes);
	free(parts);
}

int filter_parts_open(struct controller *controller, const struct config *config, json_t *warnings,
		      struct filter_parts **out, struct problem *problem)
{
	struct filter_parts *parts = calloc(1, sizeof(*parts));
	int error =
		parts ? sets_read(controller->sets, config, &parts->contents, warn_into, warnings, problem) : -ENOMEM;

	if (!error) {
		parts->ifindexes = calloc(config->interfaces_count ?: 1, sizeof(*parts->ifindexes));
		error = parts->ifindexes ? 0 : -ENOMEM;
	}
	if (error == -ENOMEM)
		problem_set(problem, error, "out of memory while the sets were read");
	if (error) {
		filter_parts_close(parts);
		return error;
	}
	for (size_t i = 0; i < config->interfaces_count; i++)
		parts->ifindexes[i] = if_nametoindex(config->interfaces[i].name);
	parts->filter = (struct model_filter){
		.contents = parts->contents.contents,
		.ifindexes = parts->ifindexes,
		.realtime_ns = clock_read_ns(CLOCK_REALTIME),
		.monotonic_ns = (uint64_t)clock_read_ns(CLOCK_MONOTONIC),
	};
	*out = parts;
	return 0;
}

int filter_renew(struct controller *controller, json_t *warnings, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	struct filter_parts *parts;
	int error = filter_parts_open(controller, config, warnings, &parts, problem);

	if (!error)
		error = reconcile_renew_filter(controller->reconcile, &parts->filter, problem);
	if (error) {
		filter_parts_close(parts);
		return error;
	}
	filter_parts_close(controller->filter);
	controller->filter = parts;
	return 0;
}

/* An interface that a rule names got another number, or came. */
static bool interfaces_moved(const struct controller *controller, const struct config *config)
{
	for (size_t i = 0; i < config->interfaces_count; i++)
		if (controller->filter->ifindexes[i] != if_nametoindex(config->interfaces[i].name))
			return true;
	return false;
}

/* What is in a set is not what the filter was made of: an apply was refused after the file had been read, or a filter
 * could not be made live. */
static bool is_behind(const struct controller *controller, const struct config *config)
{
	for (size_t i = 0; i < config->sets_count; i++) {
		const struct config_set *set = &config->sets[i];
		const struct sets_state *state = set->kind == CONFIG_SET_FILE ? sets_find(controller->sets, set) : NULL;

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
