/* SPDX-License-Identifier: BSD-2-Clause */
/* A Weir of its own: loaded unpinned, filled from a configuration by the controller's own code. */
#include "bench.h"
#include "keys.h"
#include "user/base/scope.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

struct edge {
	struct kernel *kernel;
	struct reconcile *reconcile;
	struct bpf_object *twin;
	struct prefixes *listed;
	struct model_filter filter; /* its contents are listed */
};

char *edge_configuration(const char *more)
{
	char *text = NULL;

	if (asprintf(&text,
		     "%s"
		     "pools:\n"
		     "  caches:\n"
		     "    forward: ipip\n"
		     "    source: 10.0.0.1\n"
		     "    backends:\n"
		     "      - {name: c1, address: 10.0.0.11}\n"
		     "      - {name: c2, address: 10.0.0.12}\n"
		     "      - {name: c3, address: 10.0.0.13}\n"
		     "      - {name: c4, address: 10.0.0.14}\n"
		     "      - {name: c5, address: 10.0.0.15}\n"
		     "      - {name: c6, address: 10.0.0.16}\n"
		     "      - {name: c7, address: 10.0.0.17}\n"
		     "      - {name: c8, address: 10.0.0.18}\n"
		     "services:\n"
		     "  - {name: www, address: [" VIP4 ", \"" VIP6 "\"], ports: [tcp/80, tcp/443], pools: [caches]}\n",
		     more) < 0)
		bench_fail("out of memory");
	return text;
}

struct config *edge_parse(const char *configuration)
{
	struct config_errors errors = {0};
	struct config *config = NULL;

	if (config_parse("bench.yaml", configuration, strlen(configuration), &config, &errors))
		bench_fail("%s", errors.text);
	config_errors_free(&errors);
	return config;
}

/* Another build of the program on the same tables: what is measured beside it differs by its code alone. */
static void edge_load_twin(struct edge *edge, const char *path)
{
	edge->twin = bpf_object__open_file(path, NULL);
	if (!edge->twin)
		bench_fail("%s: %s", path, strerror(errno));
	for (int map = 0; map < KERNEL_MAPS; map++) {
		struct bpf_map *found = bpf_object__find_map_by_name(edge->twin, kernel_maps[map].name);

		if (!found || bpf_map__reuse_fd(found, kernel_map_fd(edge->kernel, map)))
			bench_fail("%s: its map %s differs; a twin must have the same tables", path,
				   kernel_maps[map].name);
	}
	if (bpf_object__load(edge->twin))
		bench_fail("%s does not load: %s", path, strerror(errno));
}

static void edge_release(void *object)
{
	struct edge *edge = object;

	bpf_object__close(edge->twin);
	reconcile_close(edge->reconcile);
	kernel_free(edge->kernel);
	prefixes_release(edge->listed);
	free(edge);
}

static struct edge *edge_open_with(struct bench *bench, const char *configuration, struct prefixes *listed)
{
	const struct kernel_options options = {0};
	struct edge *edge = calloc(1, sizeof(*edge));
	struct problem problem = {0};

	if (!edge)
		bench_fail("out of memory");
	edge->listed = listed;
	edge->filter.contents = &edge->listed;
	if (kernel_load(&options, &edge->kernel, &problem) ||
	    reconcile_open(edge->kernel, NULL, &edge->reconcile, &problem) ||
	    reconcile_apply(edge->reconcile, edge_parse(configuration), listed ? &edge->filter : NULL, &problem))
		bench_fail("%s %s", problem.text, problem.hint);
	if (bench->options->object)
		edge_load_twin(edge, bench->options->object);
	bench_own(bench, edge_release, edge);
	return edge;
}

struct edge *edge_open(struct bench *bench, const char *configuration)
{
	return edge_open_with(bench, configuration, NULL);
}

int edge_program(const struct edge *edge)
{
	return kernel_program_fd(edge->kernel);
}

int edge_twin(const struct edge *edge)
{
	return edge->twin ? bpf_program__fd(bpf_object__find_program_by_name(edge->twin, "weir")) : -1;
}

struct reconcile *edge_reconcile(const struct edge *edge)
{
	return edge->reconcile;
}

uint64_t edge_counted(const struct edge *edge, enum weir_verdict verdict, enum weir_reason reason)
{
	__u64 count[2] = {0};

	if (kernel_map_sum(kernel_map_fd(edge->kernel, KERNEL_MAP_count_verdict), reason * WEIR_VERDICTS + verdict, 2,
			   count))
		bench_fail("the counters cannot be read");
	return count[0];
}

static struct prefix edge_prefix(uint32_t number, bool is_ipv6, unsigned int length)
{
	struct prefix prefix = {.length = (uint8_t)length};
	struct weir_addr mask;

	if (is_ipv6) {
		struct keys_address6 address = keys_address6(number, 0);

		prefix.addr.family = WEIR_IPV6;
		for (int i = 0; i < 4; i++)
			prefix.addr.bytes.word[i] = htonl(address.word[i]);
	} else {
		prefix.addr.family = WEIR_IPV4;
		prefix.addr.bytes.word[0] = htonl(keys_address4(number, 0));
	}
	mask = prefix_mask(prefix.addr.family, prefix.length);
	for (int i = 0; i < 4; i++)
		prefix.addr.bytes.word[i] &= mask.word[i];
	return prefix;
}

struct edge *edge_open_listed(struct bench *bench, const char *configuration, size_t count, bool is_ipv6, bool whole)
{
	struct prefixes_builder builder = {0};
	struct prefixes *listed = NULL;
	int error = 0;

	for (uint32_t i = 0; i < count && !error; i++) {
		unsigned int length = is_ipv6 ? keys_length6(i) : keys_length4(i);
		struct prefix prefix = edge_prefix(i, is_ipv6, whole ? (is_ipv6 ? 128 : 32) : length);

		error = prefixes_add(&builder, &prefix);
	}
	if (error || prefixes_finish(&builder, &listed))
		bench_fail("out of memory");
	return edge_open_with(bench, configuration, listed);
}

void edge_deny(struct edge *edge, size_t count, bool is_ipv6, const unsigned int *lengths)
{
	AUTO_FREE struct reconcile_ban *bans = calloc(count, sizeof(*bans));
	struct problem problem = {0};
	unsigned int kinds = 0;

	if (!bans)
		bench_fail("out of memory");
	while (lengths[kinds])
		kinds++;
	for (size_t i = 0; i < count; i++)
		bans[i] = (struct reconcile_ban){.prefix = edge_prefix(i, is_ipv6, lengths[i % kinds]),
						 .list = WEIR_BAN_DENY};
	if (reconcile_ban_add(edge->reconcile, bans, count, &problem))
		bench_fail("%s %s", problem.text, problem.hint);
}

void edge_fold(struct edge *edge)
{
	struct problem problem = {0};

	if (reconcile_apply(edge->reconcile, NULL, reconcile_model(edge->reconcile)->filter, &problem) ||
	    reconcile_folding(edge->reconcile).waiting)
		bench_fail("%s %s", problem.text, problem.hint);
}

void edge_undeny(struct edge *edge, uint32_t number, bool is_ipv6, unsigned int length)
{
	const struct prefix prefix = edge_prefix(number, is_ipv6, length);
	struct problem problem = {0};

	if (reconcile_ban_delete(edge->reconcile, WEIR_BAN_DENY, &prefix, 1, &problem))
		bench_fail("%s %s", problem.text, problem.hint);
}

void edge_drain(struct edge *edge, const char *backend)
{
	struct problem problem = {0};

	if (reconcile_backend_admin(edge->reconcile, backend, WEIR_ADMIN_DRAIN, &problem))
		bench_fail("%s %s", problem.text, problem.hint);
}
