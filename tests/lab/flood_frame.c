/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The template frame of a flood, with the checksums taken up to the fields that the program varies.
 */
#include "flood.h"
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <string.h>

/* The ones' complement sum of 16-bit words as they lie in memory (RFC 1071), folded. */
static uint32_t sum_words(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *bytes = data;
	uint16_t word;

	for (size_t i = 0; i + 1 < size; i += 2) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	if (size % 2) {
		word = 0;
		memcpy(&word, bytes + size - 1, 1);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void fill_transport(const struct flood_order *order, uint8_t *at, size_t size)
{
	if (order->protocol == IPPROTO_TCP) {
		struct tcphdr tcp = {.dest = htons(order->dport), .seq = htonl(1), .doff = 5, .window = htons(64240)};

		memcpy(at, &tcp, sizeof(tcp));
		at[13] = order->tcp_flags;
	} else {
		struct udphdr udp = {.dest = htons(order->dport), .len = htons(size)};

		memcpy(at, &udp, sizeof(udp));
	}
}

static void fill_ipv4(const struct flood_order *order, struct flood_frame *frame, size_t transport_size)
{
	struct iphdr ip = {.version = 4, .ihl = 5, .tot_len = htons(sizeof(ip) + transport_size), .ttl = 64};

	ip.protocol = order->protocol;
	memcpy(&ip.daddr, order->destination + 12, 4);
	memcpy(frame->bytes + ETH_HLEN, &ip, sizeof(ip));
	frame->ip_sum = sum_words(&ip, sizeof(ip), 0);
}

static void fill_ipv6(const struct flood_order *order, struct flood_frame *frame, size_t transport_size)
{
	struct ipv6hdr ip = {.version = 6, .payload_len = htons(transport_size), .hop_limit = 64};

	ip.nexthdr = order->protocol;
	memcpy(&ip.saddr, order->source, 12);
	memcpy(&ip.daddr, order->destination, 16);
	memcpy(frame->bytes + ETH_HLEN, &ip, sizeof(ip));
}

void flood_build_frame(const struct flood_order *order, struct flood_frame *frame)
{
	size_t network_size = order->is_ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	size_t transport_size;
	uint8_t *transport;
	struct ethhdr eth = {.h_proto = htons(order->is_ipv6 ? ETH_P_IPV6 : ETH_P_IP)};
	struct {
		uint8_t source[16], destination[16];
		uint32_t size_be, protocol_be;
	} pseudo = {.protocol_be = htonl(order->protocol)};

	memset(frame, 0, sizeof(*frame));
	frame->size = order->is_ipv6 && order->frame_size < FLOOD_FRAME_MIN6 ? FLOOD_FRAME_MIN6 : order->frame_size;
	transport_size = frame->size - ETH_HLEN - network_size;
	transport = frame->bytes + ETH_HLEN + network_size;
	memcpy(eth.h_dest, order->destination_mac, 6);
	memcpy(eth.h_source, order->source_mac, 6);
	memcpy(frame->bytes, &eth, sizeof(eth));
	if (order->is_ipv6)
		fill_ipv6(order, frame, transport_size);
	else
		fill_ipv4(order, frame, transport_size);
	fill_transport(order, transport, transport_size);

	/* The IPv4 pseudo header sums to the same with its addresses padded by zeros (RFC 768, RFC 8200 8.1). */
	pseudo.size_be = htonl(transport_size);
	memcpy(pseudo.source, order->source, order->is_ipv6 ? 12 : 0);
	memcpy(pseudo.destination, order->destination, sizeof(pseudo.destination));
	frame->transport_sum = sum_words(transport, transport_size, sum_words(&pseudo, sizeof(pseudo), 0));
}
