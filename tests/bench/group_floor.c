/* SPDX-License-Identifier: BSD-2-Clause */
/* What nothing costs: a bare XDP_DROP, parsing, a counter, and a Weir that has nothing to do. */
#include "bench.h"
#include <linux/bpf.h>

void group_floor(struct bench *bench, struct results *results)
{
	struct edge *idle = edge_open(bench, "interfaces: [edge0]\n");

	bench_row(bench, "parse", peer_open(bench, "parse_only", NULL, 0), XDP_DROP, &traffic_plain);
	bench_row(bench, "parse_count", peer_open(bench, "parse_count", NULL, 0), XDP_DROP, &traffic_plain);
	bench_row_edge(bench, "weir_idle", idle, XDP_PASS, &traffic_plain);
	bench_row_edge(bench, "weir_idle_v6", idle, XDP_PASS,
		       &(struct traffic){.keys = KEYS_MILLION, .destination = NOT_VIP6});
	bench_measure(bench, results);
}
