/* SPDX-License-Identifier: BSD-2-Clause */
/* The live deny list, sets and rules beside the kernel's longest-prefix trie. Sources are random over the whole table.
 */
#include "bench.h"
#include "user/base/scope.h"
#include <linux/bpf.h>

#define BANS 100000

static const unsigned int hosts4[] = {32, 0}, hosts6[] = {128, 0}, four_lengths[] = {32, 24, 28, 30, 0};

static void filter_plain(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration("");
	struct edge *plain = edge_open(bench, configuration);
	const struct traffic miss4 = {.keys = BANS, .miss = true};
	const struct traffic miss6 = {.keys = BANS, .destination = NOT_VIP6, .miss = true};

	bench_row_edge(bench, "weir_not_vip", plain, XDP_PASS, &miss4);
	bench_row_edge(bench, "weir_not_vip_v6", plain, XDP_PASS, &miss6);
}

/* What hits and what misses the deny list, as rows weir_KIND_hit_100k and weir_KIND_miss_100k with what the list is. */
static void filter_denied_rows(struct bench *bench, const char *kind, const char *list, struct edge *edge,
			       struct traffic traffic)
{
	char name[48];

	snprintf(name, sizeof(name), "weir_%s_hit_100k%s", kind, list);
	bench_row_edge(bench, name, edge, XDP_DROP, &traffic);
	traffic.miss = true;
	snprintf(name, sizeof(name), "weir_%s_miss_100k%s", kind, list);
	bench_row_edge(bench, name, edge, XDP_PASS, &traffic);
}

/* In the hashes, or folded into the address tables. */
static void filter_denied(struct bench *bench, const char *kind, bool is_folded)
{
	AUTO_FREE char *configuration = edge_configuration("");
	struct edge *hosts = edge_open(bench, configuration), *mixed = edge_open(bench, configuration);
	const struct traffic traffic4 = {.keys = BANS}, traffic6 = {.keys = BANS, .destination = NOT_VIP6};

	edge_deny(hosts, BANS, false, hosts4);
	edge_deny(hosts, BANS, true, hosts6);
	edge_deny(mixed, BANS, false, four_lengths);
	if (is_folded) {
		edge_fold(hosts);
		edge_fold(mixed);
	}
	filter_denied_rows(bench, kind, "", hosts, traffic4);
	filter_denied_rows(bench, kind, "_4_lengths", mixed, traffic4);
	filter_denied_rows(bench, kind, "_v6", hosts, traffic6);
}

/* Folded, with a tombstone that every hit has to heed. */
static void filter_tombstone(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration("");
	struct edge *gone = edge_open(bench, configuration);
	const struct traffic hit4 = {.keys = BANS};

	edge_deny(gone, BANS + 1, false, hosts4);
	edge_fold(gone);
	edge_undeny(gone, BANS, false, 32);
	bench_row_edge(bench, "weir_folded_hit_100k_tombstone", gone, XDP_DROP, &hit4);
}

static void filter_sets(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration(EDGE_LISTED);
	const struct traffic hit4 = {.keys = KEYS_MILLION}, miss4 = {.keys = KEYS_MILLION, .miss = true};
	const struct traffic hit6 = {.keys = BANS, .destination = NOT_VIP6};
	const struct traffic miss6 = {.keys = BANS, .destination = NOT_VIP6, .miss = true};
	struct edge *four = edge_open_listed(bench, configuration, KEYS_MILLION, false, false);
	struct edge *hosts = edge_open_listed(bench, configuration, KEYS_MILLION, false, true);
	struct edge *six = edge_open_listed(bench, configuration, BANS, true, false);

	bench_row_edge(bench, "weir_set_hit_1m", four, XDP_DROP, &hit4);
	bench_row_edge(bench, "weir_set_miss_1m", four, XDP_PASS, &miss4);
	bench_row_edge(bench, "weir_set_hit_1m_hosts", hosts, XDP_DROP, &hit4);
	bench_row_edge(bench, "weir_set_miss_1m_hosts", hosts, XDP_PASS, &miss4);
	bench_row_edge(bench, "weir_set_hit_100k_v6", six, XDP_DROP, &hit6);
	bench_row_edge(bench, "weir_set_miss_100k_v6", six, XDP_PASS, &miss6);
}

/* Rules that look at a source network, the protocol and a port each; none matches but the last. */
static void filter_rules(struct bench *bench, const char *row, unsigned int count)
{
	const struct traffic traffic = {.keys = KEYS_MILLION, .miss = true};
	AUTO_FREE char *rules = NULL, *configuration = NULL;
	size_t size;
	FILE *out = open_memstream(&rules, &size);

	if (!out)
		bench_fail("out of memory");
	fputs("filter:\n  rules:\n", out);
	for (unsigned int i = 1; i < count; i++)
		fprintf(out, "  - {from: 10.%u.%u.0/24, proto: tcp, dport: \"%u-%u\", action: drop}\n", i / 250,
			i % 250, i, i + 100);
	fputs("  - {proto: tcp, sport: \"1024-65535\", action: drop}\n", out);
	fclose(out);
	configuration = edge_configuration(rules);
	bench_row_edge(bench, row, edge_open(bench, configuration), XDP_DROP, &traffic);
}

static void filter_lpm(struct bench *bench, const char *hit, const char *miss, uint32_t prefixes, bool is_ipv6)
{
	int program = peer_lpm(bench, is_ipv6, prefixes);
	struct traffic traffic = {.keys = prefixes, .destination = is_ipv6 ? NOT_VIP6 : NOT_VIP4};

	bench_row(bench, hit, program, XDP_DROP, &traffic);
	traffic.miss = true;
	bench_row(bench, miss, program, XDP_PASS, &traffic);
}

void group_filter(struct bench *bench, struct results *results)
{
	filter_plain(bench);
	filter_denied(bench, "deny", false);
	filter_denied(bench, "folded", true);
	filter_tombstone(bench);
	filter_sets(bench);
	filter_rules(bench, "weir_rules_10", 10);
	filter_rules(bench, "weir_rules_1000", 1000);
	filter_rules(bench, "weir_rules_4096", 4096);
	filter_lpm(bench, "lpm_hit_1k", "lpm_miss_1k", 1000, false);
	filter_lpm(bench, "lpm_hit_100k", "lpm_miss_100k", 100000, false);
	filter_lpm(bench, "lpm_hit_1m", "lpm_miss_1m", 1000000, false);
	filter_lpm(bench, "lpm_hit_100k_v6", "lpm_miss_100k_v6", 100000, true);
	bench_measure(bench, results);
}
