/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the desired state to the exact content of the kernel's tables. Pure functions, no I/O: the same input gives
 * the same bytes on every host.
 */
#ifndef WEIR_COMPILE_H
#define WEIR_COMPILE_H

#include "../model/model.h"
#include "filter.h"

struct compile_vip {
	struct weir_vip_key key;
	__u32 value;
};

struct compile_port {
	struct weir_port_key key;
	__u32 value; /* index of the service */
};

/* Where a route's two slot areas lie in slots[]: area a starts at base + a * size. */
struct compile_route {
	uint32_t base, size;
};

/* One generation, ready to be written. Array sizes are of the banks to create. */
struct compile_image {
	struct weir_policy policy; /* generation still 0 */
	struct weir_protect *protects;
	size_t protects_count;
	uint64_t *protect_ports; /* 1 or WEIR_PROTECT_PORTS entries */
	size_t protect_ports_count;
	struct compile_vip *vips;
	size_t vips_count;
	struct compile_port *ports;
	size_t ports_count;
	struct weir_service *services;
	size_t services_count;
	struct weir_ring *rings;       /* as services; at first every ring lies in area 0 of its route */
	struct weir_backend *backends; /* [highest id + 1] */
	size_t backends_count;
	struct weir_slot *slots; /* area 0 of each route filled and settled, area 1 zero */
	size_t slots_count;
	struct weir_limit *limits;
	size_t limits_count;
	struct compile_filter *filter;
	const struct weir_folded_entry *folded; /* the model's, borrowed */
	size_t folded_count;
	struct compile_route *routes; /* as model.routes */
	size_t routes_count;
};

/* 0, or -E2BIG with the capacity's name in *problem, -EINVAL for what the tables cannot say (a protected port of ICMP),
 * or -ENOMEM. The caller frees with compile_free. */
int compile_build(const struct model *model, struct compile_image **out, struct problem *problem);
void compile_free(struct compile_image *image);

/* Makes the rings of an image anew, of a model that differs from the image's in the state of backends alone. 0 or
 * -ENOMEM. */
int compile_rings(const struct model *model, struct compile_image *image);

/* The size slots of a ring (zero before) by Maglev over the backends of pool (may be NULL: nobody) that take new flows,
 * weighted; all settled. Deterministic in the set of (name, weight): their order does not matter. All slots are zero
 * when nobody takes new flows. 0 or -ENOMEM. */
int compile_ring(const struct model_pool *pool, uint32_t size, struct weir_slot *slots);

/* Makes settled slots the successors of before: one whose backend changes while the old one keeps its flows comes out
 * in transition with previous set; an unfinished transition of a slot that does not change again is carried over. A
 * ring of another size is taken proportionally: flows on the wrong side of a slot's border are lost. now_s is the
 * second of CLOCK_MONOTONIC, modulo 2^16. */
void compile_ring_follow(const struct model *model, const struct weir_slot *before, uint32_t before_size,
			 uint16_t now_s, struct weir_slot *slots, uint32_t size);

/* How slots that are not settled come to rest. */
struct compile_settling {
	uint64_t now_ms;    /* of the clock that slots are moved on by */
	uint16_t now_s;	    /* of CLOCK_MONOTONIC, modulo 2^16: by which flows and slots are stamped */
	uint32_t settle_ms; /* a slot stays in transition for so long since it last changed */
	uint32_t idle_s;    /* and an exception is remembered for so long without a packet */
};

/* An age that a slot or an exception may have: seconds are kept modulo 2^16. */
#define COMPILE_AGE_MAX_S 32768

/* Sets the bits of the slots that have exceptions: flows of another backend than the slot's current one, seen within
 * idle_s and since the slot became unsettled, and not closing for longer than a minute. lines is the table of
 * exceptions, which may change meanwhile; held has a bit for each slot of the ring. */
void compile_ring_hold(const struct compile_settling *settling, const struct weir_flow_line *lines, size_t count,
		       const struct weir_slot *slots, uint32_t size, uint64_t *held);

/* Takes out what was last seen longer ago than any slot heeds, before its age looks small again. */
void compile_flows_forget(const struct compile_settling *settling, struct weir_flow_line *lines, size_t count);

/* Moves each slot on when its time has come: from transition, where unknown flows are the previous backend's, to
 * exceptions, and from there, when held (NULL: nobody knows) says that it has none, to rest. Slots are stored whole.
 * changed_ms has the moment when each slot last changed (the low half of now_ms), 0: with this call. Returns how many
 * slots are not settled. */
size_t compile_ring_settle(const struct compile_settling *settling, const uint64_t *held, struct weir_slot *slots,
			   uint32_t *changed_ms, uint32_t size);

#endif
