/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program over tables of its own: filled from a configuration, asked one packet at a time.
 *
 * The test program runs in a network namespace that it makes for itself (harness_network): edge0 (MTU 1500) is where
 * packets come in, edge1 has an MTU of 1400. Backends with a neighbour entry have the link address that
 * harness_backend_mac says.
 */
#ifndef WEIR_TESTS_BPF_HARNESS_H
#define WEIR_TESTS_BPF_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "packets.h"
#include "user/base/scope.h"
#include "user/kernel/kernel.h"
#include "user/reconcile/reconcile.h"
#include <weir/reason.h>

#define OUTPUT_MAX (PACKET_MAX + 256)

/* Addresses of the standard configuration (configuration.c). */
#define C4	  "198.51.100.7"
#define C6	  "2001:db8:c::7"
#define V4	  "203.0.113.10" /* www: local, IPv4 backends */
#define V6	  "2001:db8:f::10"
#define SIX4	  "203.0.113.16" /* six: IPv6 backends */
#define SIX6	  "2001:db8:f::16"
#define L2_4	  "203.0.113.20" /* l2 */
#define L2_6	  "2001:db8:f::20"
#define REJECT4	  "203.0.113.30" /* nobody serves; fallbacks */
#define REJECT6	  "2001:db8:f::30"
#define DROP4	  "203.0.113.31"
#define KERNEL4	  "203.0.113.32"
#define NARROW4	  "203.0.113.40" /* behind edge1 */
#define NARROW6	  "2001:db8:f::40"
#define UNROUTED4 "203.0.113.50"
#define UNKNOWN4  "203.0.113.51" /* its backend has no neighbour entry */
#define SOURCE4	  "203.0.113.60" /* affinity: source, any port */
#define OTHER4	  "192.0.2.99"	 /* no VIP */
#define OTHER6	  "2001:db8:e::99"
#define MANAGER4  "192.0.2.5"	/* protected for tcp/22 and udp/161 */
#define OPERATOR4 "192.0.2.200" /* protected whole */
#define OPERATOR6 "2001:db8:aaaa::5"
extern const char configuration_standard[];

struct harness {
	struct kernel *kernel;
	struct reconcile *reconcile;
	bool traced;
	uint32_t ifindex;
	uint64_t now_ns; /* the time that the traced program believes */
};

struct harness_result {
	unsigned int action; /* enum xdp_action */
	size_t size;
	uint8_t data[OUTPUT_MAX];
	struct weir_trace trace;
};

/* PLAIN is ATTACHED, which is what an interface runs, but for assuming next hops. */
enum harness_mode { HARNESS_TRACED, HARNESS_PLAIN, HARNESS_READ_ONLY, HARNESS_ASSUME, HARNESS_ATTACHED };
struct harness *harness_open(const char *configuration, enum harness_mode mode);
void harness_close(struct harness *harness);
void harness_apply(struct harness *harness, const char *configuration);
/* filter (may be NULL) must stay until the next apply. */
void harness_apply_filter(struct harness *harness, const char *configuration, const struct model_filter *filter);
void harness_run(struct harness *harness, const void *data, size_t size, struct harness_result *result);
void harness_run_spec(struct harness *harness, const struct packet_spec *spec, struct harness_result *result);
/* until_s: CLOCK_REALTIME, 0: no end. */
void harness_ban(struct harness *harness, uint32_t list, const char *prefix, int64_t until_s);
void harness_unban(struct harness *harness, uint32_t list, const char *prefix);
/* The stable id of a service, backend, limit or rule (WEIR_NAMES_*) by its name; fails when there is none. */
uint32_t harness_id(struct harness *harness, uint32_t kind, const char *name);
struct weir_count harness_count_verdict(struct harness *harness, enum weir_verdict verdict, enum weir_reason reason);
struct weir_flow_count harness_count_flows(struct harness *harness, enum kernel_map map, uint32_t id);

/* A fresh network namespace with the edge's interfaces. 0 or -errno. */
int harness_network(void);
void harness_backend_mac(const struct weir_addr *address, uint8_t family, uint8_t mac[6]);
extern const uint8_t harness_assumed_macs[2][6]; /* destination, source */

/* Outputs that leave the host go to this capture from now on, without those of packets with wrong checksums. */
int harness_dump_open(const char *path);
int harness_dump_close(void);

/* A packet, and what is to become of it. Outputs of STEERED packets and of packets that pass are compared with what
 * they must be byte for byte; check looks at the others. */
struct row {
	const char *sentence;
	struct packet_spec packet;
	enum weir_verdict verdict;
	enum weir_reason reason;
	void (*check)(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result);
};
struct table {
	const char *name;
	const struct row *rows;
	size_t count;
};
extern const struct table table_parse, table_protect, table_admit, table_steer, table_forward, table_icmp;
extern const struct table *const tables[6];
void table_run(struct harness *harness, const struct table *table);

/* A row of the filter: what becomes of a packet, and the one rule that counts it (NULL: none does). */
struct filter_row {
	struct row row;
	const char *rule;
};
void filter_rows_run(struct harness *harness, const struct filter_row *rows, size_t count);
struct weir_rule_count harness_count_rule(struct harness *harness, const char *rule);

/* expect.c */
void expect_steered(struct harness *harness, const char *sentence, const uint8_t *frame, size_t size,
		    const struct harness_result *result);
void expect_echo(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result);
void expect_reset(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result);
void expect_unreachable(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result);
void expect_too_big(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result);

/* One group a file. Each returns the number of failed tests. */
int group_parse(void);
int group_protect_admit(void);
int group_limit(void);
int group_steer(void);
int group_forward(void);
int group_icmp(void);
int group_faults(void);
int group_flow(void);
int group_hop(void);
int group_folded(void);
int group_filter(void);
int group_filter_actions(void);
int group_filter_faults(void);
int group_filter_chance(void);
int group_mark(void);

/* The standard configuration, traced: set-up and tear-down of a group. */
int group_open_standard(void **state);
int group_close(void **state);

#endif
