/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets as data: a spec says what a packet is, and where it is to lie. What is left zero has a sane value, and
 * every checksum and length is right unless the spec says otherwise.
 */
#ifndef WEIR_TESTS_BPF_PACKETS_H
#define WEIR_TESTS_BPF_PACKETS_H

#include "user/base/addr.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 3520 /* a page, less what the kernel keeps around a test frame */

#define SYN 0x02
#define RST 0x04
#define FIN 0x01
#define ACK 0x10

struct packet_spec {
	const char *source, *destination; /* the family follows from them */
	uint8_t protocol;		  /* IPPROTO_*; ICMP becomes ICMPv6 over IPv6 */
	uint16_t sport, dport;
	uint8_t flags; /* of TCP, default ACK */
	uint32_t sequence, acknowledge;
	uint8_t icmp_type, icmp_code;
	uint32_t icmp_word;		 /* what stands behind the ICMP checksum */
	const struct packet_spec *quote; /* what an ICMP error quotes, without its Ethernet header */
	size_t quote_size;		 /* bytes of it; 0: all */
	size_t payload;			 /* bytes behind the transport header (or the quote) */

	uint8_t tags; /* VLAN tags */
	uint16_t tci[4], tpid[4];
	uint16_t ethertype; /* 0: by family; another one: 46 bytes of payload follow instead of an IP packet */
	size_t padding;	    /* bytes behind the IP packet */

	uint8_t ttl, tos;
	uint8_t options;	/* IPv4: words of options */
	const char *extensions; /* IPv6, a letter each: (h)op-by-hop, (d)estination, (r)outing type 2, routing type
				 * (0), (a)uthentication, (f)ragment, (F)ragment that says more or an offset */
	uint16_t offset;	/* of a fragment, in bytes; its body then begins with sport and dport */
	bool more_fragments, dont_fragment;
	size_t keep; /* bytes of the transport part that the IP packet holds; 0: all */

	/* Lies, each a difference to the truth. */
	int lie_version, lie_ihl, lie_length, lie_doff, lie_udp_length, lie_extension;
	bool bad_checksum; /* of the transport header */
	size_t cut;	   /* bytes taken off the frame's end */
};

/* Builds the frame into out[PACKET_MAX] and returns its size. */
size_t packet_build(const struct packet_spec *spec, uint8_t *out);

/* The sum of RFC 1071, folded; 0xffff over data with a right checksum in it. */
uint32_t packet_sum(uint32_t sum, const void *data, size_t size);
uint16_t packet_fold(uint32_t sum);

/* An address in text, which must be one. */
struct addr packet_addr(const char *text);

extern const uint8_t packet_client_mac[6], packet_edge_mac[6];

#endif
