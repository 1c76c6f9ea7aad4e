/* SPDX-License-Identifier: BSD-2-Clause */
/* Rate limits by source over a million sources, beside a bucket for each source in an LRU hash. */
#include "bench.h"
#include "user/base/scope.h"
#include <linux/bpf.h>

/* Sources that each spend their hour's packet at once stay over for the whole run. */
static const char never_over[] = "limits:\n"
				 "  - {name: roomy, match: {to: \"@vips\"}, key: source, rate: 1000000/s}\n";
static const char three_never_over[] =
	"limits:\n"
	"  - {name: host, match: {to: \"@vips\"}, key: source, rate: 1000000/s}\n"
	"  - {name: net, match: {to: \"@vips\"}, key: \"source/24,/56\", rate: 4000000/s}\n"
	"  - {name: bits, match: {to: \"@vips\"}, key: source, rate: 900Gbit/s}\n";
static const char always_over[] = "limits:\n"
				  "  - {name: tight, match: {to: \"@vips\"}, key: source, rate: 1/h, burst: 1}\n";

static struct edge *flood_edge(struct bench *bench, const char *limits)
{
	AUTO_FREE char *configuration = edge_configuration(limits);

	return edge_open(bench, configuration);
}

void group_flood(struct bench *bench, struct results *results)
{
	const struct traffic to_vip = {.keys = KEYS_MILLION, .destination = VIP4, .restore = true, .fill = true};
	const struct traffic million = {.keys = KEYS_MILLION, .fill = true};

	bench_row_edge(bench, "weir_no_limit", flood_edge(bench, ""), XDP_TX, &to_vip);
	bench_row_edge(bench, "weir_limit_pass_1m", flood_edge(bench, never_over), XDP_TX, &to_vip);
	bench_row_edge(bench, "weir_3_limits_pass_1m", flood_edge(bench, three_never_over), XDP_TX, &to_vip);
	bench_row_edge(bench, "weir_limit_drop_1m", flood_edge(bench, always_over), XDP_DROP, &to_vip);
	bench_row(bench, "lru_limiter_1m", peer_open(bench, "lru_limiter", "buckets", 2000000), XDP_PASS, &million);
	bench_row(bench, "lru_limiter_1m_evicting_64k", peer_open(bench, "lru_limiter", "buckets", 65536), XDP_PASS,
		  &million);
	bench_measure(bench, results);
}
