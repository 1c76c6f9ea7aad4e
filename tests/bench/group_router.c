/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering to IPIP: established flows and SYNs, settled and in transition, the full path, and a flow table in an LRU
 * hash, which is what a stateful balancer looks up for the same packet before it encapsulates. */
#include "bench.h"
#include "user/base/scope.h"
#include <linux/bpf.h>
#include <stdio.h>

static const char full_path[] = "protect:\n"
				"  - {from: [192.0.2.0/24], ports: [tcp/22]}\n"
				"limits:\n"
				"  - {name: roomy, match: {to: \"@vips\"}, key: source, rate: 1000000/s}\n";

static const struct {
	const char *name;
	uint32_t flows;
} sizes[] = {{"1", 1}, {"64k", 65536}, {"1m", KEYS_MILLION}};

static void router_sizes(struct bench *bench, const char *name, struct edge *edge, uint8_t flags, bool miss)
{
	char row[48];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct traffic traffic = {
			.destination = VIP4, .keys = sizes[i].flows, .restore = true, .tcp_flags = flags, .miss = miss};

		snprintf(row, sizeof(row), "weir_%s_%s", name, sizes[i].name);
		bench_row_edge(bench, row, edge, XDP_TX, &traffic);
	}
}

void group_router(struct bench *bench, struct results *results)
{
	AUTO_FREE char *steering = edge_configuration(""), *full = edge_configuration(full_path);
	struct edge *settled = edge_open(bench, steering), *draining = edge_open(bench, steering);
	struct edge *all = edge_open(bench, full);
	static const unsigned int hosts[] = {32, 0};

	edge_deny(all, 100000, false, hosts);
	router_sizes(bench, "established", settled, TCP_ACK, false);
	router_sizes(bench, "syn", settled, TCP_SYN, false);
	bench_row_edge(bench, "weir_established_v6_1m", settled, XDP_TX,
		       &(struct traffic){.destination = VIP6, .keys = KEYS_MILLION, .restore = true});
	for (int i = 1; i <= 4; i++) {
		char backend[8];

		snprintf(backend, sizeof(backend), "c%d", i);
		edge_drain(draining, backend);
	}
	router_sizes(bench, "established_in_transition", draining, TCP_ACK, false);
	router_sizes(bench, "syn_in_transition", draining, TCP_SYN, false);
	router_sizes(bench, "full_path", all, TCP_ACK, true);
	bench_row(bench, "lru_flow_64k", peer_open(bench, "lru_flow", "flow_table", 131072), XDP_DROP,
		  &(struct traffic){.keys = 65536, .fill = true});
	bench_row(bench, "lru_flow_1m", peer_open(bench, "lru_flow", "flow_table", 2000000), XDP_DROP,
		  &(struct traffic){.keys = KEYS_MILLION, .fill = true});
	bench_measure(bench, results);
}
