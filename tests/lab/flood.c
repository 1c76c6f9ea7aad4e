/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lab's traffic generator: live frames through a small XDP program, hundreds of thousands a second from one
 * core, at a pace or as fast as it goes.
 */
#include "flood.h"
#include "user/base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <flood.skel.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define UNPACED_PACKETS 131072 /* in one call: enough to hide its set-up, few enough to stop in time */
#define PACE_S		0.04   /* of traffic in one call: the end of a call waits some 25 ms for the kernel */

struct flood_result {
	uint64_t offered, sent; /* packets run; packets that the peer took */
	double seconds;
	uint64_t cpu_ns; /* of this thread, the peer's receive path included */
};

/* Written by a signal handler, which has no other way to say it. */
static volatile sig_atomic_t stop_asked;

static void ask_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

/* By /proc, which shows the namespace that this process is in; /sys shows the one it was mounted in. */
static uint64_t read_sent(const struct flood_order *order)
{
	char line[512], *colon;
	unsigned long long value;
	AUTO_FCLOSE FILE *file = fopen("/proc/self/net/dev", "re");

	while (file && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = '\0';
		if (strcmp(line + strspn(line, " "), order->interface))
			continue;
		if (sscanf(colon + 1, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %llu", &value) == 1)
			return value;
	}
	return 0;
}

static int load(const struct flood_order *order, const struct flood_frame *frame, struct flood_bpf **out)
{
	struct flood_bpf *skeleton = flood_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	skeleton->rodata->is_ipv6 = order->is_ipv6;
	memcpy((void *)skeleton->rodata->headers, frame->bytes,
	       order->is_ipv6 ? sizeof(skeleton->rodata->headers) : FLOOD_FRAME_MIN);
	skeleton->rodata->protocol = order->protocol;
	memcpy((void *)skeleton->rodata->source_be, order->source, sizeof(order->source));
	skeleton->rodata->host_mask = (1ull << order->host_bits) - 1;
	skeleton->rodata->host_shift = (order->host_bits + 1) / 2;
	skeleton->rodata->sources = order->sources;
	skeleton->rodata->sport = order->sport;
	skeleton->rodata->ip_sum = frame->ip_sum;
	skeleton->rodata->transport_sum = frame->transport_sum;
	err = flood_bpf__load(skeleton);
	if (err) {
		flood_bpf__destroy(skeleton);
		return err;
	}
	*out = skeleton;
	return 0;
}

static int send_frames(const struct flood_order *order, const struct flood_frame *frame, int program, uint64_t count)
{
	struct xdp_md context = {.data_end = frame->size, .ingress_ifindex = order->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes, .data_size_in = frame->size, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = 64);

	return bpf_prog_test_run_opts(program, &opts);
}

static void sleep_until(uint64_t time_ns)
{
	struct timespec time = {.tv_sec = time_ns / 1000000000, .tv_nsec = time_ns % 1000000000};

	while (!stop_asked && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

/* How many packets the next call sends: what is due, and never so many that the end would be missed by much. */
static uint64_t next_chunk(const struct flood_order *order, uint64_t offered, double elapsed_s)
{
	uint64_t chunk = UNPACED_PACKETS, due;

	if (order->rate_pps > 0) {
		due = order->rate_pps * (elapsed_s + PACE_S);
		chunk = due > offered ? due - offered : 1;
		if (chunk > 2 * order->rate_pps * PACE_S + 1)
			chunk = 2 * order->rate_pps * PACE_S + 1;
	}
	return chunk < order->count - offered ? chunk : order->count - offered;
}

static int run(const struct flood_order *order, const struct flood_frame *frame, int program, struct flood_result *out)
{
	struct flood_result result = {.sent = read_sent(order)};
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int err = 0;

	while (!err && !stop_asked && result.offered < order->count) {
		double elapsed_s = (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
		uint64_t chunk = next_chunk(order, result.offered, elapsed_s);

		if (elapsed_s >= order->seconds)
			break;
		err = send_frames(order, frame, program, chunk);
		if (!err)
			result.offered += chunk;
		if (order->rate_pps > 0)
			sleep_until(start_ns + result.offered / order->rate_pps * 1e9);
	}
	result.seconds = (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1e9;
	result.cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	result.sent = read_sent(order) - result.sent;
	if (!err)
		*out = result;
	return err;
}

static void print(const struct flood_order *order, const struct flood_result *result)
{
	double mpps = result->sent / result->seconds / 1e6;
	double cpu = result->offered ? (double)result->cpu_ns / result->offered : 0;

	if (order->json)
		printf("{\"offered\":%llu,\"sent\":%llu,\"seconds\":%.3f,\"mpps\":%.4f,\"cpu_ns_per_packet\":%.1f}\n",
		       (unsigned long long)result->offered, (unsigned long long)result->sent, result->seconds, mpps,
		       cpu);
	else
		printf("%llu packets sent of %llu in %.3f s: %.3f Mpps, %.0f ns of CPU a packet\n",
		       (unsigned long long)result->sent, (unsigned long long)result->offered, result->seconds, mpps,
		       cpu);
}

int main(int argc, char **argv)
{
	struct flood_order order;
	struct flood_frame frame;
	struct flood_result result;
	struct flood_bpf *skeleton = NULL;
	struct sigaction action = {.sa_handler = ask_stop};
	int err;

	flood_parse_order(argc, argv, &order);
	flood_build_frame(&order, &frame);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	err = load(&order, &frame, &skeleton);
	if (err) {
		fprintf(stderr, "flood: cannot load the program: %s\n  It needs root and Linux 5.18 or newer.\n",
			strerror(-err));
		return 1;
	}
	err = run(&order, &frame, bpf_program__fd(skeleton->progs.flood), &result);
	flood_bpf__destroy(skeleton);
	if (err) {
		fprintf(stderr, "flood: cannot send out of %s: %s\n", order.interface, strerror(-err));
		return 1;
	}
	print(&order, &result);
	return 0;
}
