/* SPDX-License-Identifier: BSD-2-Clause */
/* An edge for tests of user/reconcile: the real program on private pins, two pools, and a look at its live entries. */
#ifndef WEIR_TESTS_UNIT_EDGE_H
#define WEIR_TESTS_UNIT_EDGE_H

#include <time.h>

#include "pinned.h"
#include "user/reconcile/reconcile.h"

static const char yaml_two_pools[] =
	"pools:\n"
	"  near:\n"
	"    health: {type: tcp, port: 80}\n"
	"    source: [10.9.0.1]\n"
	"    backends:\n"
	"      - {name: a, address: 10.9.0.11}\n"
	"      - {name: b, address: 10.9.0.12}\n"
	"      - {name: c, address: 10.9.0.13}\n"
	"  far:\n"
	"    health: {type: tcp, port: 80}\n"
	"    source: [10.9.0.1]\n"
	"    backends:\n"
	"      - {name: z, address: 10.9.1.11}\n"
	"services:\n"
	"  - {name: www, address: [198.51.100.10], ports: [tcp/80, tcp/443], pools: [near, far]}\n"
	"  - {name: dns, address: [198.51.100.11], ports: [udp/53], pools: [near]}\n"
	"limits:\n"
	"  - {name: per-client, match: {to: \"@vips\"}, key: source, rate: 2000/s}\n"
	"protect:\n"
	"  - {from: [192.0.2.0/24], ports: [tcp/22]}\n"
	"steering: {settle: 1s}\n";

struct edge {
	struct kernel *kernel;
	struct reconcile *reconcile;
};

static inline struct edge start(struct pinned *pinned)
{
	const struct kernel_options options = {.pin_directory = pinned->pins};
	struct edge edge = {};

	if (kernel_load(&options, &edge.kernel, &pinned->problem) ||
	    reconcile_open(edge.kernel, pinned->state, &edge.reconcile, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
	return edge;
}

static inline void stop(struct edge *edge)
{
	reconcile_close(edge->reconcile);
	kernel_free(edge->kernel);
	*edge = (struct edge){};
}

static inline struct config *parse(const char *yaml)
{
	struct config_errors errors = {};
	struct config *config = NULL;

	if (config_parse("test.yaml", yaml, strlen(yaml), &config, &errors))
		fail_msg("%s", errors.text);
	config_errors_free(&errors);
	return config;
}

static inline void apply_yaml(struct pinned *pinned, struct edge *edge, const char *yaml)
{
	if (reconcile_apply(edge->reconcile, parse(yaml), NULL, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
}

static inline struct edge start_applied(struct pinned *pinned)
{
	struct edge edge = start(pinned);

	apply_yaml(pinned, &edge, yaml_two_pools);
	return edge;
}

static inline struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static inline struct reconcile_ban ban_of(const char *text, uint32_t list, int64_t for_s, const char *note)
{
	struct reconcile_ban ban = {.prefix = prefix_of(text), .list = list, .until_s = for_s ? time(NULL) + for_s : 0};

	snprintf(ban.note, sizeof(ban.note), "%s", note);
	return ban;
}

struct ban_search {
	struct prefix prefix;
	struct reconcile_ban found;
	size_t count, total;
};

static inline void ban_visit(void *arg, const struct reconcile_ban *ban)
{
	struct ban_search *search = arg;

	search->total++;
	if (ban->prefix.length != search->prefix.length || !addr_equal(&ban->prefix.addr, &search->prefix.addr))
		return;
	search->found = *ban;
	search->count++;
}

static inline struct ban_search find_ban(const struct edge *edge, uint32_t list, const char *text)
{
	struct ban_search search = {.prefix = prefix_of(text)};

	reconcile_ban_each(edge->reconcile, list, ban_visit, &search);
	return search;
}

static inline int kernel_ban4(const struct edge *edge, const char *text, struct weir_ban *out)
{
	struct prefix prefix = prefix_of(text);
	const struct weir_ban4_key key = {.address = prefix.addr.bytes.word[0], .length = prefix.length};

	return kernel_map_get(kernel_map_fd(edge->kernel, KERNEL_MAP_ban4), &key, out);
}

static inline struct weir_ban_lengths kernel_ban_lengths(const struct edge *edge)
{
	struct weir_ban_lengths lengths;

	assert_int_equal(kernel_map_get(kernel_map_fd(edge->kernel, KERNEL_MAP_ban_lengths), &(uint32_t){0}, &lengths),
			 0);
	return lengths;
}

#endif
