/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The benchmark harness: a group adds rows, the harness measures them interleaved and reports.
 *
 * A measurement that cannot be made ends the program (bench_fail): half a table would be taken for a whole one.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include "user/kernel/kernel.h"
#include "user/reconcile/reconcile.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BENCH_ROUNDS_MAX 201
#define BENCH_ROWS_MAX	 64
#define BENCH_FRAME	 64

#define VIP4	     "203.0.113.10"
#define VIP6	     "2001:db8:f::10"
#define NOT_VIP4     "10.0.0.1" /* the edge's own address */
#define NOT_VIP6     "2001:db8:b::1"
#define TCP_SYN	     0x02
#define TCP_ACK	     0x10
#define BANS_MOST    200000
#define KEYS_MILLION 1000000

struct bench_options {
	bool json, check, write_baseline, quick, two_cores;
	const char *markdown; /* NULL: none */
	const char *baseline; /* the committed one */
	const char *object;   /* another build of the program: every Weir row gets a twin "NAME~" on the same tables */
	const char *weir;     /* the binary that the controller group starts */
	unsigned int rounds;
	unsigned int packets; /* of one measurement */
	int cpu;
};

enum result_kind { RESULT_PACKET, RESULT_LIVE, RESULT_TIME, RESULT_SIZE };

struct result {
	enum result_kind kind;
	char group[16], name[48];
	double median, q1, q3; /* ns, or ms of RESULT_TIME */
	double over_floor, ratio;
	double mpps, cpu_ns, lost; /* RESULT_LIVE */
	double kib;		   /* RESULT_SIZE */
	double budget;		   /* in the same unit; 0: none */
};

struct results {
	struct result row[256];
	size_t count;
};

/* What the packets of a row look like: TCP of BENCH_FRAME bytes from a number of sources. */
struct traffic {
	const char *destination; /* NULL: NOT_VIP4 */
	uint32_t keys;		 /* sources, one flow each; 0: one */
	bool miss;		 /* sources that no table holds */
	bool restore;		 /* the program changes the packet */
	bool fill;		 /* the program's table takes in every source: all are met before the first round */
	uint8_t tcp_flags;	 /* 0: TCP_ACK */
};

struct row;
struct bench {
	const struct bench_options *options;
	const char *group;
	struct row *rows[BENCH_ROWS_MAX];
	size_t row_count;
	struct {
		void (*release)(void *);
		void *object;
	} owned[2 * BENCH_ROWS_MAX];
	size_t owned_count;
	int drop; /* a bare XDP_DROP */
};

void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void bench_skip(const struct bench *bench, const char *row, const char *why); /* says so */
void bench_own(struct bench *bench, void (*release)(void *), void *object);

/* A row: the program (a descriptor) over that traffic, with what it must return (enum xdp_action). */
void bench_row(struct bench *bench, const char *name, int program, int expected, const struct traffic *traffic);
/* The same for a Weir: with a twin when another build is to be compared. */
struct edge;
void bench_row_edge(struct bench *bench, const char *name, struct edge *edge, int expected,
		    const struct traffic *traffic);
/* Measures all rows of the bench and appends to results. */
void bench_measure(struct bench *bench, struct results *results);
void bench_release(struct bench *bench);

uint64_t bench_clock_ns(int clock);
void bench_pin(int cpu);
/* Sorts the samples; fills median, q1 and q3. */
void bench_quartiles(double *samples, size_t count, struct result *out);
struct result *results_add(struct results *results, enum result_kind kind, const char *group, const char *name);

/* traffic.c: a loaded wrapper. */
struct wrapper;
struct wrapper *wrapper_open(const struct traffic *traffic, int program);
void wrapper_close(void *wrapper);
int wrapper_program(const struct wrapper *wrapper);
void wrapper_set_counter(struct wrapper *wrapper, uint32_t counter);
/* Runs a program over the wrapper's frame; returns its last action. flags and batch as in bpf_prog_test_run. */
unsigned int wrapper_run(const struct wrapper *wrapper, int program, uint32_t packets, uint32_t ifindex,
			 uint32_t flags);
extern const struct traffic traffic_plain;

/* The verdicts' programs (drop, pass, tx), loaded once. */
enum verdict_program { VERDICT_DROP, VERDICT_PASS, VERDICT_TX };
int verdict_program(enum verdict_program which);

/* edge.c: a Weir of its own, driven as the controller drives it. */
struct edge *edge_open(struct bench *bench, const char *configuration);
/* The same with the keys as the contents of its set "listed", in the mix of prefix lengths of keys.h or all whole. */
struct edge *edge_open_listed(struct bench *bench, const char *configuration, size_t count, bool is_ipv6, bool whole);
/* For edge_configuration: the set, and a rule that drops what is in it. */
#define EDGE_LISTED                                                                                                    \
	"sets: {listed: {file: unread}}\n"                                                                             \
	"filter: {rules: [{name: listed, from: \"@listed\", action: drop}]}\n"
int edge_program(const struct edge *edge);
int edge_twin(const struct edge *edge); /* -1: none */
/* Puts the first count keys on the deny list, as prefixes of the lengths (0-terminated) in turn. */
void edge_deny(struct edge *edge, size_t count, bool is_ipv6, const unsigned int *lengths);
/* Moves what edge_deny added into the address tables, where it lies beside the sets. */
void edge_fold(struct edge *edge);
/* Takes one of them back, which leaves a tombstone until the next generation. */
void edge_undeny(struct edge *edge, uint32_t number, bool is_ipv6, unsigned int length);
void edge_drain(struct edge *edge, const char *backend);
struct reconcile *edge_reconcile(const struct edge *edge);
uint64_t edge_counted(const struct edge *edge, enum weir_verdict verdict, enum weir_reason reason);
struct config *edge_parse(const char *configuration);
/* A pool of eight backends and the VIPs' service, with more put before it. The caller frees. */
char *edge_configuration(const char *more);

/* network.c: this process in a namespace with edge0, whose peer far0 is in a namespace for the generator. */
void network_open(void);
void network_enter(bool far);
uint32_t network_ifindex(bool far);
void network_attach(bool far, int program); /* native XDP; -1: none */
uint64_t network_received(bool far);
void network_run(const char *format, ...) __attribute__((format(printf, 1, 2))); /* a shell command that must work */

/* report.c, check.c */
void report_table(FILE *out, const struct results *results);
void report_json(FILE *out, const struct results *results);
void report_markdown(FILE *out, const struct results *results);
/* Names of groups with a row beyond the tolerance are marked in slow[]; returns how many rows are. */
size_t check_baseline(const char *path, const struct results *results, bool say, char slow[][16], size_t *slow_groups);

/* The groups. */
void group_floor(struct bench *bench, struct results *results);
void group_filter(struct bench *bench, struct results *results);
void group_router(struct bench *bench, struct results *results);
void group_flood(struct bench *bench, struct results *results);
void group_live(struct bench *bench, struct results *results);
void group_controller(struct bench *bench, struct results *results);

/* peers.c: a peer's program with its table, released with the bench. */
int peer_open(struct bench *bench, const char *program, const char *map, uint32_t entries);
int peer_lpm(struct bench *bench, bool is_ipv6, uint32_t prefixes);

#endif
