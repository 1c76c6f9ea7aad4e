/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows, interleaved: each round runs every row once, so that what the machine does meanwhile falls on all alike.
 *
 * A row's figure is what its wrapped run took, less what the same wrapper took around XDP_DROP, plus what a bare
 * XDP_DROP took, all of one round. Thread CPU time; each timed run follows an untimed one that brings the row's own
 * lines back to the caches which the other rows used.
 */
#include "bench.h"
#include "user/base/scope.h"
#include <linux/bpf.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

struct row {
	char name[48];
	struct wrapper *wrapper;
	int program;
	int expected;
	bool is_reference, bare;
	struct row *reference; /* the same wrapper around XDP_DROP */
	struct traffic traffic;
	double samples[BENCH_ROUNDS_MAX];
};

void bench_fail(const char *format, ...)
{
	va_list arguments;

	fputs("bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

void bench_skip(const struct bench *bench, const char *row, const char *why)
{
	fprintf(stderr, "SKIP %s/%s: %s\n", bench->group, row, why);
}

void bench_own(struct bench *bench, void (*release)(void *), void *object)
{
	if (bench->owned_count == sizeof(bench->owned) / sizeof(bench->owned[0]))
		bench_fail("too many objects in group %s", bench->group);
	bench->owned[bench->owned_count].release = release;
	bench->owned[bench->owned_count++].object = object;
}

void bench_release(struct bench *bench)
{
	while (bench->owned_count) {
		bench->owned_count--;
		bench->owned[bench->owned_count].release(bench->owned[bench->owned_count].object);
	}
	bench->row_count = 0;
}

uint64_t bench_clock_ns(int clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_fail("there is no CPU %d", cpu);
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

void bench_quartiles(double *samples, size_t count, struct result *out)
{
	qsort(samples, count, sizeof(*samples), compare_doubles);
	out->median = samples[count / 2];
	out->q1 = samples[count / 4];
	out->q3 = samples[count * 3 / 4];
}

struct result *results_add(struct results *results, enum result_kind kind, const char *group, const char *name)
{
	struct result *result = &results->row[results->count++];

	if (results->count > sizeof(results->row) / sizeof(results->row[0]))
		bench_fail("too many results");
	*result = (struct result){.kind = kind};
	snprintf(result->group, sizeof(result->group), "%s", group);
	snprintf(result->name, sizeof(result->name), "%s", name);
	return result;
}

static struct row *row_add(struct bench *bench, const char *name, int program, int expected,
			   const struct traffic *traffic)
{
	struct row *row = calloc(1, sizeof(*row));

	if (!row || bench->row_count == BENCH_ROWS_MAX)
		bench_fail("too many rows in group %s", bench->group);
	bench_own(bench, free, row);
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->wrapper = wrapper_open(traffic, program);
	bench_own(bench, wrapper_close, row->wrapper);
	row->program = wrapper_program(row->wrapper);
	row->expected = expected;
	row->traffic = *traffic;
	bench->rows[bench->row_count++] = row;
	return row;
}

static bool is_ipv6(const struct traffic *traffic)
{
	return traffic->destination && strchr(traffic->destination, ':');
}

static struct row *row_reference(struct bench *bench, const struct traffic *traffic)
{
	struct row *row;

	for (size_t i = 0; i < bench->row_count; i++) {
		row = bench->rows[i];
		if (row->is_reference && row->traffic.restore == traffic->restore &&
		    is_ipv6(&row->traffic) == is_ipv6(traffic))
			return row;
	}
	row = row_add(bench, "wrapper", verdict_program(VERDICT_DROP), XDP_DROP, traffic);
	row->is_reference = true;
	return row;
}

void bench_row(struct bench *bench, const char *name, int program, int expected, const struct traffic *traffic)
{
	struct row *reference = row_reference(bench, traffic);

	row_add(bench, name, program, expected, traffic)->reference = reference;
}

void bench_row_edge(struct bench *bench, const char *name, struct edge *edge, int expected,
		    const struct traffic *traffic)
{
	char twin[48];

	bench_row(bench, name, edge_program(edge), expected, traffic);
	if (edge_twin(edge) < 0)
		return;
	snprintf(twin, sizeof(twin), "%s~", name);
	bench_row(bench, twin, edge_twin(edge), expected, traffic);
}

static void row_run(const struct row *row, uint32_t packets)
{
	unsigned int action = wrapper_run(row->wrapper, row->program, packets, network_ifindex(false), 0);

	if ((int)action != row->expected)
		bench_fail("%s: the program returned %u, not %d", row->name, action, row->expected);
}

/* A Weyl sequence of n steps leaves no gap above 2.7/n: four draws a key meet them all. */
static void rows_warm(struct bench *bench)
{
	for (size_t i = 0; i < bench->row_count; i++) {
		struct row *row = bench->rows[i];

		if (row->traffic.fill)
			wrapper_run(row->wrapper, row->program, 4 * row->traffic.keys, network_ifindex(false), 0);
		for (int check = 0; check < 32; check++)
			row_run(row, 1);
	}
}

static double row_time(const struct row *row, uint32_t packets)
{
	uint64_t start_ns;

	row_run(row, packets / 2);
	start_ns = bench_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	row_run(row, packets);
	return (double)(bench_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns) / packets;
}

static double median_of(double *samples, size_t count)
{
	struct result sorted;

	bench_quartiles(samples, count, &sorted);
	return sorted.median;
}

/* Differences and ratios are of each round, then their median: a slow round is slow for the floor too. */
static void row_report(const struct row *row, const struct row *floor, unsigned int rounds, struct result *result)
{
	double samples[BENCH_ROUNDS_MAX], over[BENCH_ROUNDS_MAX], ratio[BENCH_ROUNDS_MAX];

	for (unsigned int round = 0; round < rounds; round++) {
		samples[round] = row->samples[round];
		if (row->reference)
			samples[round] += floor->samples[round] - row->reference->samples[round];
		over[round] = samples[round] - floor->samples[round];
		ratio[round] = samples[round] / floor->samples[round];
	}
	bench_quartiles(samples, rounds, result);
	result->over_floor = median_of(over, rounds);
	result->ratio = median_of(ratio, rounds);
}

void bench_measure(struct bench *bench, struct results *results)
{
	const unsigned int rounds = bench->options->rounds;
	struct row *floor = row_add(bench, "drop", verdict_program(VERDICT_DROP), XDP_DROP, &traffic_plain);

	floor->program = verdict_program(VERDICT_DROP);
	floor->is_reference = strcmp(bench->group, "floor") != 0; /* shown once */
	bench_pin(bench->options->cpu);
	rows_warm(bench);
	for (unsigned int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < bench->row_count; i++)
			bench->rows[i]->samples[round] = row_time(bench->rows[i], bench->options->packets);
	}
	for (size_t i = 0; i < bench->row_count; i++) {
		if (!bench->rows[i]->is_reference)
			row_report(bench->rows[i], floor, rounds,
				   results_add(results, RESULT_PACKET, bench->group, bench->rows[i]->name));
	}
	bench_release(bench);
}
