/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configurations and packets by chance, and what must become of the packets: the property test of the filter.
 *
 * What is expected is read off the configuration by tests/unit/rule_oracle.h, rule by rule, and off the documents for
 * what comes before and after the rules. None of it uses compiled tables.
 */
#ifndef WEIR_TESTS_BPF_FILTER_WORLD_H
#define WEIR_TESTS_BPF_FILTER_WORLD_H

#include "harness.h"
#include "tests/unit/rule_chance.h"

#define WORLD_ADDRESSES 2048
#define WORLD_FRAME_MAX 2048
#define WORLD_LIMITS	3	     /* the first is on all traffic to VIPs, the others are charged by rules */
#define WORLD_STEP_NS	100000000ull /* from packet to packet: no source may be told an error more often */
#define WORLD_WORDS	(WEIR_MAX_RULES / 64)

/* Live entries and protected prefixes, the same in every world. */
#define WORLD_DENIED4  "10.1.0.64/26"
#define WORLD_DENIED6  "2001:db8:0:0:8000::/65"
#define WORLD_ALLOWED4 "10.1.0.96/27"
#define WORLD_ALLOWED6 "2001:db9::/112"

/* An address that packets come from and go to, with what the configuration says of it. */
struct world_address {
	struct addr addr;
	bool is_martian, is_link_local, is_vip, is_protected, is_managed; /* protected: whole; managed: for SSH */
	bool is_allowed, is_denied;
	uint64_t from[WORLD_WORDS], to[WORLD_WORDS]; /* bit n: rule n's side holds it */
};

struct world {
	struct rules_by_chance rules; /* what is expected is read off this */
	struct world_address addresses[WORLD_ADDRESSES];
	size_t v4_count;       /* those of IPv4 come first */
	struct prefix *listed; /* of the large sets */
	size_t listed_count;
	uint64_t start_ns; /* CLOCK_MONOTONIC at RULE_CHANCE_NOW_S */
	uint32_t lasts_s;  /* until when rules may expire */
};

struct world_shape {
	size_t rules;
	uint32_t rarity; /* one rule in so many looks at a field */
	size_t listed;	 /* prefixes in each of the large sets */
	/* Rules expire long before or after, none rejects and all packets come in by loopback: for a program that reads
	 * the clock. */
	bool is_timeless;
	bool is_listed; /* every rule wants a source that a set or prefix holds */
	bool is_quick;	/* all rules act for ever, and what none matches passes: the class of the source may decide */
};

/* Fills *world, which is zero or was closed. */
void world_open(struct world *world, struct chance *chance, const struct world_shape *shape, uint64_t start_ns);
void world_close(struct world *world);
/* A copy of its own that reconcile may take over. */
struct config *world_config(const struct world *world);

/* A packet, and what it is in the frame. */
struct world_packet {
	struct oracle_packet packet;
	const struct world_address *source, *destination;
	uint64_t now_ns;
	bool is_plain;	      /* neither options nor extension headers */
	uint16_t quoted_port; /* an ICMP error that quotes a flow of its destination from this TCP port; 0: none */
	size_t size;
	uint8_t frame[WORLD_FRAME_MAX];
};
void world_packet_make(const struct world *world, struct chance *chance, struct world_packet *packet);
/* The frame, with what it takes for that in *packet: lengths, headers that must be there. */
void world_packet_build(struct chance *chance, struct world_packet *packet);

struct world_outcome {
	enum weir_verdict verdict;
	enum weir_reason reason;
	int rule;      /* that decides, -1: none */
	uint32_t mark; /* that a packet which passes gets, 0: none */
	size_t shadows_count;
	bool is_charged[WORLD_LIMITS];
	uint16_t shadows[WEIR_MAX_RULES]; /* those before it that match */
};
void world_judge(const struct world *world, const struct world_packet *packet, struct world_outcome *outcome);

/* The rules, of many those that the packet's addresses leave, and the packet. config is world_config's. */
void world_print(const struct world *world, const struct config *config, const struct world_packet *packet);

#endif
