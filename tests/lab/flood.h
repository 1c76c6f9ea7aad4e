/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The traffic generator's order: what to send, where, how much of it, and at what pace.
 */
#ifndef WEIR_LAB_FLOOD_H
#define WEIR_LAB_FLOOD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOOD_FRAME_MIN	  60
#define FLOOD_FRAME_MIN6  80 /* what the program writes whole */
#define FLOOD_FRAME_MAX	  1514
#define FLOOD_COUNT_MAX	  500000000ull
#define FLOOD_SECONDS_MAX 120.0

struct flood_order {
	char interface[16];
	unsigned int ifindex;
	bool is_ipv6;
	uint8_t source[16], destination[16]; /* network order; IPv4 in the last 4 bytes */
	unsigned int host_bits;		     /* of the source prefix, at most 32 are varied */
	uint32_t sources;		     /* addresses to send from, 1..2^host_bits */
	uint8_t source_mac[6], destination_mac[6];
	uint8_t protocol;
	uint8_t tcp_flags;
	uint16_t sport, dport; /* host order; sport 0: varies */
	uint16_t frame_size;   /* raised to FLOOD_FRAME_MIN6 for IPv6 */
	uint64_t count;	       /* packets at most */
	double rate_pps;       /* 0: as fast as it goes */
	double seconds;	       /* at most */
	bool json;
};

struct flood_frame {
	uint8_t bytes[FLOOD_FRAME_MAX];
	size_t size;
	uint32_t ip_sum, transport_sum; /* of the template: source address (its last 32 bits) and port zero */
};

/* Exits with a usage message when the order cannot be carried out as given. */
void flood_parse_order(int argc, char **argv, struct flood_order *order);
/* The template of all frames. */
void flood_build_frame(const struct flood_order *order, struct flood_frame *frame);

#endif
