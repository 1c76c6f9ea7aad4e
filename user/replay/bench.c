/* SPDX-License-Identifier: BSD-2-Clause */
/* A program to ask: loaded over the live tables, or over its own that a configuration fills. */
#include "bench.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#define LOOPBACK_IFINDEX 1

static void bench_take_link(void *arg, const struct kernel_link *link)
{
	uint32_t *ifindex = arg;

	if (!*ifindex)
		*ifindex = link->ifindex;
}

static int bench_open_live(struct replay_bench *bench, const char *pin_directory, struct problem *problem)
{
	const struct kernel_options options = {
		.pin_directory = pin_directory,
		.must_exist = true,
		.trace = true,
		.read_only = true,
	};

	kernel_links(pin_directory, bench_take_link, &bench->ifindex);
	return kernel_load(&options, &bench->kernel, problem);
}

/* Where no route leads to a backend, a documentation address (RFC 5737, RFC 3849) stands for the source that the
 * host would use, so that a configuration can be tried anywhere. */
static void bench_assume_source(struct config_pool *pool, uint8_t family, struct addr *source, const char *stand_in)
{
	if (source->family)
		return;
	for (size_t i = 0; i < pool->backends_count; i++) {
		struct addr found;

		if (pool->backends[i].address.family != family ||
		    !addr_source_towards(&pool->backends[i].address, &found))
			continue;
		addr_parse(stand_in, source);
		return;
	}
}

static uint32_t bench_first_interface(const struct config *config)
{
	for (size_t i = 0; i < config->interfaces_count; i++) {
		uint32_t ifindex = if_nametoindex(config->interfaces[i].name);

		if (ifindex)
			return ifindex;
	}
	return 0;
}

/* The lists as they are now. Rules that name an interface see those that this host has. */
static int bench_read_sets(struct replay_bench *bench, const struct config *config, struct problem *problem)
{
	struct sets *sets = NULL;
	int error = sets_open(NULL, &sets);

	if (error)
		return problem_set(problem, error, "out of memory");
	error = sets_filter_open(sets, config, &bench->filter, NULL, NULL, problem);
	sets_close(sets);
	return error;
}

static int bench_fill(struct replay_bench *bench, const char *path, struct problem *problem)
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	int error = config_load(path, &config, &errors);

	if (error) {
		problem_set(problem, error, "%s", errors.text && *errors.text ? errors.text : strerror(-error));
	} else {
		bench->ifindex = bench_first_interface(config);
		for (size_t i = 0; i < config->pools_count; i++) {
			struct config_pool *pool = &config->pools[i];

			bench_assume_source(pool, WEIR_IPV4, &pool->source4, "192.0.2.1");
			bench_assume_source(pool, WEIR_IPV6, &pool->source6, "2001:db8::1");
		}
		error = bench_read_sets(bench, config, problem);
		if (!error)
			error = reconcile_apply(bench->reconcile, config, &bench->filter->model, problem);
		if (error)
			config_free(config);
	}
	config_errors_free(&errors);
	return error;
}

static int bench_open_own(struct replay_bench *bench, const char *path, struct problem *problem)
{
	const struct kernel_options options = {
		.trace = true,
		.read_only = !bench->stateful,
		.assume_next_hop = true,
	};
	int error = kernel_load(&options, &bench->kernel, problem);

	if (!error)
		error = reconcile_open(bench->kernel, NULL, &bench->reconcile, problem);
	if (!error)
		error = bench_fill(bench, path, problem);
	return error;
}

int replay_bench_open(const struct replay_options *options, struct replay_bench **out, struct problem *problem)
{
	struct replay_bench *bench;
	int error;

	if (options->stateful && !options->config_path) {
		problem_set(problem, -EINVAL, "a stateful replay would write into the live tables");
		problem_hint(problem, "name a configuration with -c: the replay then has tables of its own");
		return -EINVAL;
	}
	bench = calloc(1, sizeof(*bench));
	if (bench)
		bench->rules = calloc(1, sizeof(*bench->rules));
	if (!bench || !bench->rules) {
		free(bench);
		return problem_set(problem, -ENOMEM, "out of memory");
	}
	bench->stateful = options->stateful;
	error = options->config_path ? bench_open_own(bench, options->config_path, problem)
				     : bench_open_live(bench, options->pin_directory, problem);
	if (error) {
		replay_bench_close(bench);
		return error;
	}
	if (!bench->ifindex)
		bench->ifindex = LOOPBACK_IFINDEX;
	*out = bench;
	return 0;
}

void replay_bench_close(struct replay_bench *bench)
{
	if (!bench)
		return;
	if (bench->reconcile)
		reconcile_close(bench->reconcile);
	if (bench->kernel)
		kernel_free(bench->kernel);
	sets_filter_close(bench->filter);
	free(bench->rules);
	free(bench);
}

int replay_run(struct replay_bench *bench, const void *data, size_t size, uint64_t time_ns, uint32_t ifindex, void *out,
	       size_t *out_size, struct replay_outcome *outcome, struct problem *problem)
{
	struct replay_outcome result = {.trace = {.ifindex = ifindex ? ifindex : bench->ifindex}};
	int error;

	/* Live bans end by the host's monotonic clock: a capture's times say nothing about them, and a replay that
	 * writes no state needs no other clock. */
	result.trace.now_ns = bench->stateful && time_ns ? time_ns : (uint64_t)clock_read_ns(CLOCK_MONOTONIC);
	error = kernel_test_run(bench->kernel, data, size, out, out_size, &result.action, &result.trace);
	if (error)
		return problem_set(problem, error, "the program could not be run on a packet of %zu bytes: %s", size,
				   strerror(-error));
	*outcome = result;
	return 0;
}

char *bench_name(const struct replay_bench *bench, uint32_t kind, uint32_t id, char out[WEIR_NAME_MAX])
{
	uint32_t index = kind + id;
	struct weir_name name;

	if (!kernel_map_get(kernel_map_fd(bench->kernel, KERNEL_MAP_names), &index, &name) && name.used)
		snprintf(out, WEIR_NAME_MAX, "%.*s", WEIR_NAME_MAX - 1, name.name);
	else
		snprintf(out, WEIR_NAME_MAX, "#%u", id);
	return out;
}

static uint8_t bench_mask_length(const struct weir_addr *mask)
{
	uint8_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mask->word); i++)
		length += (uint8_t)__builtin_popcount(mask->word[i]);
	return length;
}

static int bench_get(const struct replay_bench *bench, enum kernel_map map, uint32_t generation, uint32_t index,
		     void *out)
{
	AUTO_CLOSE int bank = kernel_bank_open(bench->kernel, map, generation % WEIR_BANKS);

	return bank < 0 ? bank : kernel_map_get(bank, &index, out);
}

int bench_backend(const struct replay_bench *bench, uint32_t generation, uint32_t id, struct weir_backend *out)
{
	return bench_get(bench, KERNEL_MAP_backends, generation, id, out);
}

int bench_limit(const struct replay_bench *bench, uint32_t generation, uint32_t index, struct weir_limit *out)
{
	return bench_get(bench, KERNEL_MAP_limits, generation, index, out);
}

int bench_protect(const struct replay_bench *bench, uint32_t generation, uint32_t index, struct prefix *out)
{
	struct weir_protect protect;
	int error = bench_get(bench, KERNEL_MAP_protect, generation, index, &protect);

	if (error)
		return error;
	out->addr = (struct addr){.bytes = protect.address, .family = (uint8_t)protect.family};
	out->length = bench_mask_length(&protect.mask);
	return 0;
}
