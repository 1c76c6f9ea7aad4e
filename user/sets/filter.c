/* SPDX-License-Identifier: BSD-2-Clause */
/* What a filter is made of: read anew for each generation, and kept for as long as that is live. */
#include "sets.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include <errno.h>
#include <net/if.h>

void sets_filter_close(struct sets_filter *filter)
{
	if (!filter)
		return;
	sets_contents_clear(&filter->contents);
	free(filter->ifindexes);
	free(filter);
}

static void close_filter(struct sets_filter **filter)
{
	sets_filter_close(*filter);
}

int sets_filter_open(struct sets *sets, const struct config *config, struct sets_filter **out, sets_warn *warn,
		     void *arg, struct problem *problem)
{
	struct sets_filter *filter __attribute__((cleanup(close_filter))) = calloc(1, sizeof(*filter));
	int error;

	if (filter)
		filter->ifindexes = calloc(config->interfaces_count ?: 1, sizeof(*filter->ifindexes));
	if (!filter || !filter->ifindexes)
		return problem_set(problem, -ENOMEM, "out of memory while the sets were read");
	error = sets_read(sets, config, &filter->contents, warn, arg, problem);
	if (error)
		return error;
	for (size_t i = 0; i < config->interfaces_count; i++)
		filter->ifindexes[i] = if_nametoindex(config->interfaces[i].name);
	filter->model = (struct model_filter){
		.contents = filter->contents.contents,
		.ifindexes = filter->ifindexes,
		.realtime_ns = clock_read_ns(CLOCK_REALTIME),
		.monotonic_ns = (uint64_t)clock_read_ns(CLOCK_MONOTONIC),
	};
	*out = TAKE_PTR(filter);
	return 0;
}
