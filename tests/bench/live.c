/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generator of the live rows: the wrapper over live frames (5.18 and newer), one thread a core.
 *
 * What a thread sends is received in the same thread's context, or by its core's ksoftirqd where the kernel hands the
 * work over; the time of both is counted.
 */
#include "live.h"
#include "user/base/scope.h"
#include <dirent.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define CORES_MAX  2
#define SETTLE_NS  200000000ull
#define LIVE_CHUNK 262144 /* packets of one call */

struct sender {
	pthread_t thread;
	pthread_barrier_t *start;
	struct wrapper *wrapper;
	uint32_t packets;
	int cpu;
	uint64_t cpu_ns, end_ns;
};

static int live_find_ksoftirqd(int cpu)
{
	char wanted[32], path[300], name[32];
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int found = 0;

	snprintf(wanted, sizeof(wanted), "ksoftirqd/%d\n", cpu);
	while (proc && !found && (entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		AUTO_FCLOSE FILE *file = fopen(path, "re");

		if (file && fgets(name, sizeof(name), file) && !strcmp(name, wanted))
			found = atoi(entry->d_name);
	}
	if (proc)
		closedir(proc);
	return found;
}

static uint64_t live_softirq_ns(int pid)
{
	char path[64];
	unsigned long long ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	AUTO_FCLOSE FILE *file = fopen(path, "re");

	if (file && fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	return ns;
}

static void *sender_run(void *argument)
{
	struct sender *sender = argument;
	int ksoftirqd = live_find_ksoftirqd(sender->cpu);

	bench_pin(sender->cpu);
	network_enter(true);
	pthread_barrier_wait(sender->start);
	sender->cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) + live_softirq_ns(ksoftirqd);
	for (uint32_t left = sender->packets, chunk; left; left -= chunk) {
		chunk = left < LIVE_CHUNK ? left : LIVE_CHUNK;
		wrapper_run(sender->wrapper, wrapper_program(sender->wrapper), chunk, network_ifindex(true),
			    BPF_F_TEST_XDP_LIVE_FRAMES);
	}
	sender->end_ns = bench_clock_ns(CLOCK_MONOTONIC);
	sender->cpu_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) + live_softirq_ns(ksoftirqd) - sender->cpu_ns;
	return NULL;
}

/* What edge0 has taken once the counter stands still. */
static uint64_t live_settled(void)
{
	uint64_t before, now = network_received(false), end = bench_clock_ns(CLOCK_MONOTONIC) + SETTLE_NS;

	do {
		before = now;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		now = network_received(false);
	} while (now != before && bench_clock_ns(CLOCK_MONOTONIC) < end);
	return now;
}

struct live_load live_send(const struct bench *bench, const struct traffic *traffic, uint32_t packets,
			   unsigned int cores)
{
	struct traffic written = *traffic;
	struct sender senders[CORES_MAX];
	uint64_t start_ns, end_ns = 0, cpu_ns = 0, taken;
	pthread_barrier_t barrier;
	double sent = (double)packets * cores;

	written.restore = true;
	pthread_barrier_init(&barrier, NULL, cores + 1);
	taken = network_received(false);
	for (unsigned int i = 0; i < cores; i++) {
		senders[i] = (struct sender){.start = &barrier,
					     .wrapper = wrapper_open(&written, verdict_program(VERDICT_TX)),
					     .packets = packets,
					     .cpu = cores == 1 ? bench->options->cpu : (int)i};
		wrapper_set_counter(senders[i].wrapper, i << 30);
		if (pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]))
			bench_fail("no thread can be made");
	}
	start_ns = bench_clock_ns(CLOCK_MONOTONIC);
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < cores; i++) {
		pthread_join(senders[i].thread, NULL);
		cpu_ns += senders[i].cpu_ns;
		if (senders[i].end_ns > end_ns)
			end_ns = senders[i].end_ns;
		wrapper_close(senders[i].wrapper);
	}
	pthread_barrier_destroy(&barrier);
	taken = live_settled() - taken;
	return (struct live_load){.mpps = (double)taken * 1e3 / (double)(end_ns - start_ns),
				  .cpu_ns = (double)cpu_ns / sent,
				  .lost = taken < sent ? 1 - (double)taken / sent : 0};
}

uint64_t live_judged(void)
{
	char line[512];
	unsigned long long header = 0, address = 0, discarded = 0, delivered = 0;

	network_enter(false);
	AUTO_FCLOSE FILE *file = fopen("/proc/thread-self/net/snmp", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Ip: %*u %*u %*u %llu %llu %*u %*u %llu %llu", &header, &address, &discarded,
			   &delivered) == 4)
			break;
	}
	return header + address + discarded + delivered;
}
