/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller: from its start to the first packet that it steers, an apply, and what it holds in memory. */
#include "bench.h"
#include "controller.h"
#include "user/base/scope.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define STARTS	    7
#define APPLIES	    15
#define DEADLINE_NS 20000000000ull
#define PROBE_MS    1

static const uint8_t frame_link[ETH_HLEN] = {2, 0, 0, 0, 0xee, 0, 2, 0, 0, 0, 0xfa, 0, 0x08, 0x00};

/* A raw socket on far0: what is sent arrives at edge0, what edge0 sends back is received. */
static int far_socket(void)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)network_ifindex(true)};
	int fd;

	network_enter(true);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
	network_enter(false);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		bench_fail("no packet socket on far0: %s", strerror(errno));
	return fd;
}

static void far_send_syn(int fd)
{
	uint8_t frame[BENCH_FRAME] = {0};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};

	memcpy(frame, frame_link, sizeof(frame_link));
	ip.tot_len = htons(sizeof(frame) - ETH_HLEN);
	ip.saddr = htonl(0x80000001);
	inet_pton(AF_INET, VIP4, &ip.daddr);
	memcpy(frame + ETH_HLEN, &ip, sizeof(ip));
	frame[ETH_HLEN + 20] = 0x80;
	frame[ETH_HLEN + 23] = 80;
	frame[ETH_HLEN + 32] = 0x50;
	frame[ETH_HLEN + 33] = TCP_SYN;
	if (send(fd, frame, sizeof(frame), 0) < 0 && errno != ENOBUFS && errno != EAGAIN)
		bench_fail("far0: %s", strerror(errno));
}

static bool far_saw_tunnel(int fd)
{
	uint8_t frame[2048];
	ssize_t size;

	while ((size = recv(fd, frame, sizeof(frame), 0)) > 0) {
		if (size > ETH_HLEN + 9 && frame[ETH_HLEN + 9] == IPPROTO_IPIP)
			return true;
	}
	return false;
}

static double controller_first_packet_ms(int fd, pid_t pid, uint64_t start_ns)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	for (;;) {
		uint64_t now_ns = bench_clock_ns(CLOCK_MONOTONIC);

		if (now_ns - start_ns > DEADLINE_NS || waitpid(pid, NULL, WNOHANG))
			bench_fail("the controller steered nothing: run it by hand to see why");
		far_send_syn(fd);
		if (poll(&ready, 1, PROBE_MS) > 0 && far_saw_tunnel(fd))
			return (double)(bench_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
	}
}

/* By the kernel's own account of each descriptor that is a map. */
static double process_maps_kib(pid_t pid)
{
	double bytes = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], line[256];
		double one;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
		AUTO_FCLOSE FILE *file = fopen(path, "re");
		bool is_map = false;

		while (file && fgets(line, sizeof(line), file)) {
			is_map = is_map || !strncmp(line, "map_type:", 9);
			if (is_map && sscanf(line, "memlock: %lf", &one) == 1)
				bytes += one;
		}
	}
	return bytes / 1024;
}

/* Each start finds nothing pinned and no state. */
static void controller_starts(struct bench *bench, struct results *results)
{
	struct place place = place_make("");
	unsigned int starts = bench->options->quick ? 3 : STARTS;
	double samples[STARTS], resident = 0, maps = 0;
	int fd = far_socket();

	network_attach(false, -1);
	network_attach(true, verdict_program(VERDICT_PASS));
	for (unsigned int i = 0; i < starts; i++) {
		uint64_t start_ns = bench_clock_ns(CLOCK_MONOTONIC);
		pid_t pid = controller_start(bench->options, &place);

		samples[i] = controller_first_packet_ms(fd, pid, start_ns);
		resident = process_kib(pid, "VmRSS");
		maps = process_maps_kib(pid);
		controller_stop(pid);
		place_clear(&place, i + 1 == starts);
		far_saw_tunnel(fd);
	}
	close(fd);
	network_attach(false, verdict_program(VERDICT_PASS));
	network_attach(true, verdict_program(VERDICT_DROP));
	bench_quartiles(samples, starts, results_add(results, RESULT_TIME, bench->group, "start_to_first_steered"));
	results_add(results, RESULT_SIZE, bench->group, "resident")->kib = resident;
	results_add(results, RESULT_SIZE, bench->group, "maps")->kib = maps;
}

/* services services of two ports each, and a pool of ten backends for every ten services. */
static char *large_configuration(unsigned int services)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		bench_fail("out of memory");
	fputs("pools:\n", out);
	for (unsigned int pool = 0; pool < services / 10; pool++) {
		fprintf(out, "  p%u:\n    forward: ipip\n    source: 10.0.0.1\n    backends:\n", pool);
		for (unsigned int backend = 0; backend < 10; backend++)
			fprintf(out, "      - {name: b%u, address: 10.1.%u.%u}\n", backend, pool, backend + 1);
	}
	fputs("services:\n", out);
	for (unsigned int service = 0; service < services; service++)
		fprintf(out, "  - {name: s%u, address: 198.18.%u.%u, ports: [tcp/80, tcp/443], pools: [p%u]}\n",
			service, service / 250, service % 250 + 1, service / 10);
	if (fclose(out))
		bench_fail("out of memory");
	return text;
}

static void controller_apply(struct bench *bench, struct results *results, const char *name, const char *text)
{
	struct edge *edge = edge_open(bench, text);
	unsigned int applies = bench->options->quick ? 3 : APPLIES;
	struct problem problem = {0};
	double samples[APPLIES];

	for (unsigned int i = 0; i < applies; i++) {
		uint64_t start_ns = bench_clock_ns(CLOCK_MONOTONIC);

		if (reconcile_apply(edge_reconcile(edge), edge_parse(text), NULL, &problem))
			bench_fail("%s %s", problem.text, problem.hint);
		samples[i] = (double)(bench_clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e6;
	}
	bench_quartiles(samples, applies, results_add(results, RESULT_TIME, bench->group, name));
	bench_release(bench);
}

void group_controller(struct bench *bench, struct results *results)
{
	AUTO_FREE char *small = edge_configuration(""), *large = large_configuration(500);

	if (access(bench->options->weir, X_OK))
		bench_skip(bench, "start_to_first_steered",
			   "the weir binary is not there: build it or name it by --weir");
	else
		controller_starts(bench, results);
	controller_apply(bench, results, "apply_1_service", small);
	controller_apply(bench, results, "apply_500_services", large);
	if (!access(bench->options->weir, X_OK))
		loading_measure(bench, results);
}
