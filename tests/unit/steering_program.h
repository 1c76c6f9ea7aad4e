/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steering of the program itself, compiled for this machine: its tables are arrays here, and its clock is ours, so
 * that weeks pass in seconds.
 */
#ifndef WEIR_TESTS_UNIT_STEERING_PROGRAM_H
#define WEIR_TESTS_UNIT_STEERING_PROGRAM_H

#include <netinet/in.h> /* before the kernel's own, which then leaves out what both have */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wshadow"

#undef AF_INET /* the program has its own */
#undef AF_INET6

/* What the program asks the kernel for. */
#include "bpf/maps.h"
#define bpf_map_lookup_elem(map, key) steering_lookup(map, key)
#define bpf_ktime_get_ns()	      (steering_now_s * 1000000000ull)

static void *steering_lookup(const void *map, const void *key);
static uint64_t steering_now_s;

#include "bpf/packet.h"
#define cfg_trace     false
#define cfg_read_only false
#include "bpf/steer.h"

#undef bpf_map_lookup_elem
#undef bpf_ktime_get_ns
#undef cfg_trace
#undef cfg_read_only

/* One edge: its ring and its table of exceptions. */
struct steering_edge {
	struct weir_slot *slots;
	uint32_t size;
	struct weir_flow_line *lines; /* [WEIR_FLOW_LINES] */
};

static const struct steering_edge *steering_at;

static void *steering_lookup(const void *map, const void *key)
{
	uint32_t index = *(const uint32_t *)key;

	asm volatile("" : "+r"(map)); /* what is looked up is not within what stands for the map */
	if (map == (const void *)&flows)
		return &steering_at->lines[index];
	if (map == (const void *)&slots)
		return steering_at->slots; /* the bank */
	return map == steering_at->slots ? &steering_at->slots[index] : NULL;
}

/* The backend that a TCP segment of the flow is sent to, 0: none. */
static inline uint32_t steering_send(const struct steering_edge *edge, uint64_t hash, uint8_t tcp_flags, uint64_t now_s)
{
	const struct weir_ring ring = {.size = edge->size};
	struct packet packet = {
		.protocol = IPPROTO_TCP, .flow_protocol = IPPROTO_TCP, .tcp_flags = tcp_flags, .flow_hash = hash};

	steering_at = edge;
	steering_now_s = now_s;
	return steer_pick_backend(&packet, &ring);
}

#define STEERING_SYN 0x02
#define STEERING_ACK 0x10
#define STEERING_FIN 0x11

#endif
