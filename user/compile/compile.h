/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the desired state to the exact content of the kernel's tables. Pure functions, no I/O: the same input gives
 * the same bytes on every host.
 */
#ifndef WEIR_COMPILE_H
#define WEIR_COMPILE_H

#include "../model/model.h"

struct compile_vip {
	struct weir_vip_key key;
	__u32 value;
};

struct compile_port {
	struct weir_port_key key;
	__u32 value; /* index of the service */
};

/* Where a pool's two slot areas lie in slots[]: area a starts at base + a * size. */
struct compile_pool {
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
	struct weir_ring *rings;       /* as services; at first every ring lies in area 0 of its pool */
	struct weir_backend *backends; /* [highest id + 1] */
	size_t backends_count;
	struct weir_slot *slots; /* area 0 of each pool filled, area 1 zero */
	size_t slots_count;
	struct weir_limit *limits;
	size_t limits_count;
	struct compile_pool *pools; /* as model.pools */
	size_t pools_count;
};

/* 0, or -E2BIG with the capacity's name in *problem, -EINVAL for what the tables cannot say (a protected port of ICMP),
 * or -ENOMEM. The caller frees with compile_free. */
int compile_build(const struct model *model, struct compile_image **out, struct problem *problem);
void compile_free(struct compile_image *image);

/* The slots of one pool's ring (pool->ring_size of them into out) by Maglev over the backends that take new flows,
 * weighted. Deterministic in the set of (name, weight): their order does not matter. before (may be NULL) is the
 * ring that it replaces: a slot whose backend changes while the old one keeps its flows comes out in transition
 * with previous set; an unfinished transition of a slot that does not change again is carried over. All slots are
 * zero when nobody takes new flows. 0 or -ENOMEM. */
int compile_ring(const struct model_pool *pool, const struct weir_slot *before, struct weir_slot *out);

/* The ring sizes that are used: the smallest prime of {1021, 4093, 16381, 65537} with at least 100 slots a backend
 * (65537 beyond). */
uint32_t compile_ring_size(size_t backends);

#endif
