/* SPDX-License-Identifier: BSD-2-Clause */
/* The same traffic over veth into XDP_DROP, Weir, nft and iptables with ipset; each bracketed by XDP_DROP. */
#include "keys.h"
#include "live.h"
#include "user/base/scope.h"
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

struct live_case {
	const char *name;
	/* Sets edge0 up for the case and returns the XDP program to attach; -1: skipped, and said why. */
	int (*set_up)(struct bench *bench);
	const char *tear_down; /* a command, NULL: none */
	bool steers;
	struct traffic traffic;
	uint32_t packets; /* of one measurement, from each core */
	bool both;	  /* also on two cores */
};

static const unsigned int hosts[] = {32, 0};

static int up_drop(struct bench *bench)
{
	(void)bench;
	return verdict_program(VERDICT_DROP);
}

static int up_weir(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration("");
	struct edge *edge = edge_open(bench, configuration);

	edge_deny(edge, BANS_MOST, false, hosts);
	return edge_program(edge);
}

static int up_weir_set(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration(EDGE_LISTED);

	return edge_program(edge_open_listed(bench, configuration, KEYS_MILLION, false, true));
}

static int up_weir_steer(struct bench *bench)
{
	AUTO_FREE char *configuration = edge_configuration("");

	return edge_program(edge_open(bench, configuration));
}

/* A file of the keys' addresses, one with each prefix and suffix, for tools that read elements. */
static void write_elements(FILE *out, uint32_t count, const char *before, const char *after)
{
	char text[INET_ADDRSTRLEN];

	for (uint32_t i = 0; i < count; i++) {
		struct in_addr address = {.s_addr = htonl(keys_address4(i, 0))};

		fprintf(out, "%s%s%s", before, inet_ntop(AF_INET, &address, text, sizeof(text)), after);
	}
}

#define NFT_CHAIN "chain c { type filter hook ingress device edge0 priority 0; "

static FILE *nft_open(const struct bench *bench, const char *name)
{
	FILE *nft;

	if (system("nft list ruleset >/dev/null 2>&1")) {
		bench_skip(bench, name, "nft is not installed, or the kernel has no nf_tables");
		return NULL;
	}
	nft = popen("nft -f -", "w");
	if (!nft)
		bench_fail("nft does not start");
	return nft;
}

static int nft_close(FILE *nft)
{
	if (pclose(nft))
		bench_fail("nft refused its rules");
	return verdict_program(VERDICT_PASS);
}

static int up_nft_drop(struct bench *bench)
{
	FILE *nft = nft_open(bench, "nft_drop");

	if (!nft)
		return -1;
	fputs("table netdev b { " NFT_CHAIN "drop; }\n}\n", nft);
	return nft_close(nft);
}

static int up_nft_set(struct bench *bench, const char *name, uint32_t count)
{
	FILE *nft = nft_open(bench, name);

	if (!nft)
		return -1;
	fprintf(nft, "table netdev b { set s { type ipv4_addr; size %u; elements = { ", count * 2);
	write_elements(nft, count, "", ", ");
	fputs("}; }\n" NFT_CHAIN "ip saddr @s drop; }\n}\n", nft);
	return nft_close(nft);
}

static int up_nft_set_most(struct bench *bench)
{
	return up_nft_set(bench, "nft_set_200k", BANS_MOST);
}

static int up_nft_set_million(struct bench *bench)
{
	return up_nft_set(bench, "nft_set_1m", KEYS_MILLION);
}

static int up_nft_rules(struct bench *bench)
{
	FILE *nft = nft_open(bench, "nft_1000_rules");

	if (!nft)
		return -1;
	fputs("table netdev b { " NFT_CHAIN, nft);
	for (int i = 0; i < 999; i++)
		fprintf(nft, "ip saddr 10.99.%d.%d drop; ", i / 250, i % 250);
	fputs("drop; }\n}\n", nft);
	return nft_close(nft);
}

static int up_ipset(struct bench *bench)
{
	FILE *ipset;

	if (system("command -v ipset >/dev/null && iptables-legacy -t raw -S >/dev/null 2>&1")) {
		bench_skip(bench, "ipset_1m",
			   "ipset or iptables is not installed, or the kernel has no legacy raw table");
		return -1;
	}
	network_run("ipset create s hash:ip hashsize 524288 maxelem 2000000");
	ipset = popen("ipset restore -exist", "w");
	if (!ipset)
		bench_fail("ipset does not start");
	write_elements(ipset, KEYS_MILLION, "add s ", "\n");
	if (pclose(ipset))
		bench_fail("ipset refused its elements");
	network_run("iptables-legacy -t raw -A PREROUTING -m set --match-set s src -j DROP");
	return verdict_program(VERDICT_PASS);
}

#define NFT_DOWN "nft delete table netdev b"

static const struct live_case cases[] = {
	{"weir_drop_200k", up_weir, NULL, false, {.keys = BANS_MOST}, 2000000, true},
	{"weir_drop_set_1m", up_weir_set, NULL, false, {.keys = KEYS_MILLION}, 2000000, true},
	{"weir_steer_1m", up_weir_steer, NULL, true, {.keys = KEYS_MILLION, .destination = VIP4}, 2000000, true},
	{"nft_drop", up_nft_drop, NFT_DOWN, false, {.keys = KEYS_MILLION}, 1000000, true},
	{"nft_set_200k", up_nft_set_most, NFT_DOWN, false, {.keys = BANS_MOST}, 1000000, true},
	{"nft_set_1m", up_nft_set_million, NFT_DOWN, false, {.keys = KEYS_MILLION}, 1000000, true},
	{"nft_1000_rules", up_nft_rules, NFT_DOWN, false, {.keys = KEYS_MILLION}, 50000, false},
	{"ipset_1m",
	 up_ipset,
	 "iptables-legacy -t raw -F && ipset destroy s",
	 false,
	 {.keys = KEYS_MILLION},
	 1000000,
	 true},
};

/* Packets that came where they should not show that a case measures something else. */
static void live_check(const struct live_case *each, uint64_t judged, uint64_t steered, double sent)
{
	if ((double)judged > sent / 100)
		bench_fail("%s: %llu packets came to the stack", each->name, (unsigned long long)judged);
	if (each->steers && (double)steered < sent * 0.9)
		bench_fail("%s: only %llu packets of %.0f were sent on", each->name, (unsigned long long)steered, sent);
}

/* One bracketed measurement: XDP_DROP, the case, XDP_DROP. */
static struct live_load live_round(const struct bench *bench, const struct live_case *each, int program,
				   unsigned int cores, uint32_t packets, double *drop_ns)
{
	uint32_t of_drop = packets < 200000 ? packets * 4 : packets;
	struct live_load load, before, after;
	uint64_t judged, steered;

	network_attach(false, verdict_program(VERDICT_DROP));
	before = live_send(bench, &each->traffic, of_drop, cores);
	network_attach(false, program);
	judged = live_judged();
	steered = network_received(true);
	load = live_send(bench, &each->traffic, packets, cores);
	live_check(each, live_judged() - judged, network_received(true) - steered, (1 - load.lost) * packets * cores);
	network_attach(false, verdict_program(VERDICT_DROP));
	after = live_send(bench, &each->traffic, of_drop, cores);
	*drop_ns = (before.cpu_ns + after.cpu_ns) / 2;
	return load;
}

static void live_measure(struct bench *bench, const struct live_case *each, int program, unsigned int cores,
			 struct results *results)
{
	unsigned int rounds = bench->options->quick ? 3 : 7;
	double cpu[7], ratio[7], mpps[7], lost[7], drop_ns;
	struct result sorted, *result;
	char name[48];

	for (unsigned int i = 0; i < rounds; i++) {
		uint32_t packets = bench->options->quick ? each->packets / 4 : each->packets;
		struct live_load load = live_round(bench, each, program, cores, packets, &drop_ns);

		cpu[i] = load.cpu_ns;
		ratio[i] = load.cpu_ns / drop_ns;
		mpps[i] = load.mpps;
		lost[i] = load.lost;
	}
	snprintf(name, sizeof(name), "%s%s", each->name, cores > 1 ? "_2cores" : "");
	result = results_add(results, RESULT_LIVE, bench->group, name);
	bench_quartiles(cpu, rounds, result);
	result->cpu_ns = result->median;
	bench_quartiles(ratio, rounds, &sorted);
	result->ratio = sorted.median;
	bench_quartiles(mpps, rounds, &sorted);
	result->mpps = sorted.median;
	bench_quartiles(lost, rounds, &sorted);
	result->lost = sorted.median;
}

static void live_case_run(struct bench *bench, const struct live_case *each, struct results *results)
{
	int program = each->set_up(bench);

	if (program < 0)
		return;
	live_measure(bench, each, program, 1, results);
	if (each->both && bench->options->two_cores)
		live_measure(bench, each, program, 2, results);
	network_attach(false, verdict_program(VERDICT_PASS));
	if (each->tear_down)
		network_run("%s", each->tear_down);
	bench_release(bench);
}

void group_live(struct bench *bench, struct results *results)
{
	static const struct live_case drop = {"drop", up_drop, NULL, false, {.keys = KEYS_MILLION}, 2000000, true};

	network_attach(true, verdict_program(VERDICT_DROP));
	live_case_run(bench, &drop, results);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		live_case_run(bench, &cases[i], results);
}
