/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The Ethernet header and its VLAN tags: saved before the frame's front moves, written again behind. */
#ifndef WEIR_BPF_LINK_H
#define WEIR_BPF_LINK_H

#include "parse.h"

/* Bounds that the verifier can see: an IP header begins within 31 bytes; a transport header within 16 KiB, since six
 * extension headers of at most 2,048 bytes each can precede it. */
#define LINK_L3_MASK 0x1f
#define LINK_L4_MASK 0x3fff

struct link {
	__u8 destination[ETH_ALEN], source[ETH_ALEN]; /* of the frame to be written */
};

/* Takes the addresses for an answer: where the frame came from is where the answer goes. */
static __always_inline bool link_read(const struct packet *p, struct link *link)
{
	struct ethhdr *eth = (void *)(long)p->ctx->data;

	if ((void *)(eth + 1) > (void *)(long)p->ctx->data_end)
		return false;
	__builtin_memcpy(link->destination, eth->h_source, ETH_ALEN);
	__builtin_memcpy(link->source, eth->h_dest, ETH_ALEN);
	return true;
}

/* Writes addresses, the packet's tags and its family's ethertype at the frame's start. */
static __always_inline bool link_write_type(const struct packet *p, const struct link *link, void *data, void *end,
					    __be16 type)
{
	struct ethhdr *eth = data;
	__be16 *at = data + 2 * ETH_ALEN;

	if (data + sizeof(*eth) + 4 * WEIR_MAX_VLAN_TAGS + 2 > end)
		return false;
	__builtin_memcpy(eth->h_dest, link->destination, ETH_ALEN);
	__builtin_memcpy(eth->h_source, link->source, ETH_ALEN);
#pragma unroll
	for (int i = 0; i < WEIR_MAX_VLAN_TAGS; i++) {
		if (i >= p->vlan_tags)
			break;
		at[0] = p->tags[i];
		at[1] = p->tags[i] >> 16;
		at += 2;
	}
	*at = type;
	return true;
}

static __always_inline bool link_write(const struct packet *p, const struct link *link, void *data, void *end)
{
	return link_write_type(p, link, data, end,
			       p->family == WEIR_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6));
}

/* The bound stands here, on a pointer whose origin is hidden from the compiler: clang 23 concludes from bounds on the
 * headers behind that the link header is within the frame, and drops the comparison that the verifier needs. */
static __always_inline bool link_swap(const struct packet *p)
{
	void *data = (void *)(long)p->ctx->data, *end = (void *)(long)p->ctx->data_end;
	struct ethhdr *eth;
	__u8 source[ETH_ALEN];

	asm volatile("" : "+r"(data));
	eth = data;
	if ((void *)(eth + 1) > end)
		return false;
	__builtin_memcpy(source, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, source, ETH_ALEN);
	return true;
}

#endif
