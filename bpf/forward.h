/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 7, forward: the next hop from the kernel's FIB, then the packet as the backend wants it: its link address
 * rewritten (L2 DSR), or an outer header in front (RFC 2003, RFC 2473, RFC 4213).
 */
#ifndef WEIR_BPF_FORWARD_H
#define WEIR_BPF_FORWARD_H

#include "answer.h"

#define FORWARD_TTL	 64
#define FORWARD_MTU_MIN6 1280 /* RFC 8200, 5: no smaller MTU may be told */
#define FORWARD_MTU_MIN4 576

enum { NEXT_HOP_FIB = 1, NEXT_HOP_ASSUMED = 2 };

/* Only the program that is attached uses a hop again. */
#define FORWARD_RECALLS (!cfg_trace && !cfg_read_only && !cfg_assume_next_hop)

static __always_inline __u32 forward_overhead(const struct weir_backend *backend)
{
	if (backend->forward != WEIR_FORWARD_IPIP)
		return 0;
	return backend->family == WEIR_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/* Asks as for a packet that the kernel is to forward: forwarding must be on for the interface it came in by. */
static __always_inline void forward_question(struct packet *p, const struct weir_backend *backend,
					     struct bpf_fib_lookup *fib)
{
	__u32 length = p->ip_length + forward_overhead(backend);

	__builtin_memset(fib, 0, sizeof(*fib));
	fib->ifindex = packet_ifindex(p);
	fib->tot_len = length < 0xffff ? length : 0xffff; /* more than any MTU */
	if (backend->family == WEIR_IPV4) {
		fib->family = AF_INET;
		fib->ipv4_dst = backend->address.word[0];
		fib->ipv4_src = backend->source.word[0];
	} else {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_dst, &backend->address, sizeof(fib->ipv6_dst));
		__builtin_memcpy(fib->ipv6_src, &backend->source, sizeof(fib->ipv6_src));
	}
}

static __always_inline enum step forward_too_big(struct packet *p, const struct weir_backend *backend, __u32 path_mtu)
{
	__u32 mtu = path_mtu - forward_overhead(backend);
	__u32 least = p->family == WEIR_IPV4 ? FORWARD_MTU_MIN4 : FORWARD_MTU_MIN6;

	/* A kernel before 5.13 does not tell the MTU and leaves what was asked for. */
	if (mtu >= p->ip_length || mtu < least)
		mtu = least;
	TRACE(mtu, mtu);
	if (answer_is_barred(p))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_TOO_BIG_THROTTLED);
	return answer_too_big(p, mtu);
}

/* On a direct route the FIB leaves the destination alone; on one by a gateway it puts the gateway there, and a
 * packet for another host's link address would never come to the backend. */
static __always_inline bool forward_is_direct(const struct weir_backend *backend, const struct bpf_fib_lookup *fib)
{
	if (backend->family == WEIR_IPV4)
		return fib->ipv4_dst == backend->address.word[0];
	return fib->ipv6_dst[0] == backend->address.word[0] && fib->ipv6_dst[1] == backend->address.word[1] &&
	       fib->ipv6_dst[2] == backend->address.word[2] && fib->ipv6_dst[3] == backend->address.word[3];
}

/* Where the backend's last hop is kept. Explain and replay, which say what the FIB says now, get the entry that is no
 * backend's. */
static __always_inline struct weir_hop *forward_last_hop(const struct packet *p)
{
	__u32 index = FORWARD_RECALLS ? p->backend : 0;

	return bpf_map_lookup_elem(&hops, &index);
}

static __always_inline bool forward_is_current(struct packet *p, const struct weir_backend *backend,
					       const struct weir_hop *hop)
{
	return FORWARD_RECALLS && hop->generation == p->generation && hop->ingress == packet_ifindex(p) &&
	       p->ip_length + forward_overhead(backend) <= hop->fits && bpf_jiffies64() - hop->found < WEIR_HOP_JIFFIES;
}

/* In the place of the length the FIB has put the route's MTU, before 5.13 nothing: then what fits is known of packets
 * up to this one alone. An MTU of more than 16 bits comes out too small, and is asked for more often. */
static __always_inline void forward_keep(struct packet *p, const struct bpf_fib_lookup *fib, struct weir_hop *hop)
{
	hop->found = bpf_jiffies64();
	hop->fits = fib->mtu_result;
	hop->generation = p->generation;
	hop->ingress = packet_ifindex(p);
	hop->egress = fib->ifindex;
	__builtin_memcpy(hop->destination, fib->dmac, ETH_ALEN);
	__builtin_memcpy(hop->source, fib->smac, ETH_ALEN);
	TRACE(next_hop, NEXT_HOP_FIB);
}

/* Documentation addresses (RFC 7042, 2.1.1) stand in for a next hop that the host does not have. */
static __always_inline void forward_assume(struct packet *p, struct weir_hop *hop)
{
	static const __u8 assumed[2][ETH_ALEN] = {{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01},
						  {0x00, 0x00, 0x5e, 0x00, 0x53, 0x02}};

	__builtin_memcpy(hop->destination, assumed[0], ETH_ALEN);
	__builtin_memcpy(hop->source, assumed[1], ETH_ALEN);
	hop->egress = packet_ifindex(p);
	TRACE(next_hop, NEXT_HOP_ASSUMED);
}

static __always_inline enum step forward_find_hop(struct packet *p, const struct weir_backend *backend,
						  struct weir_hop *hop)
{
	struct bpf_fib_lookup fib;
	long result;

	if (forward_is_current(p, backend, hop))
		return STEP_NEXT;
	forward_question(p, backend, &fib);
	result = bpf_fib_lookup(p->ctx, &fib, sizeof(fib), 0);

	TRACE(fib_result, result);
	if (result == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return forward_too_big(p, backend, fib.mtu_result);
	if (result == BPF_FIB_LKUP_RET_SUCCESS &&
	    (backend->forward != WEIR_FORWARD_L2 || forward_is_direct(backend, &fib))) {
		forward_keep(p, &fib, hop);
		return STEP_NEXT;
	}
	if (cfg_assume_next_hop) {
		forward_assume(p, hop);
		return STEP_NEXT;
	}
	return packet_decide(p, WEIR_DROP,
			     result == BPF_FIB_LKUP_RET_NO_NEIGH ? WEIR_REASON_NO_NEIGHBOUR : WEIR_REASON_NO_ROUTE);
}

static __always_inline bool forward_decrement_ttl(struct packet *p)
{
	void *data = (void *)(long)p->ctx->data, *end = (void *)(long)p->ctx->data_end;
	void *l3 = data + (p->l3 & LINK_L3_MASK);

	if (p->family == WEIR_IPV4) {
		struct iphdr *ip = l3;
		__u16 *ttl_protocol = (__u16 *)&ip->ttl, before;

		if ((void *)(ip + 1) > end)
			return false;
		before = *ttl_protocol;
		ip->ttl--;
		checksum_replace(&ip->check, before, *ttl_protocol);
	} else {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		ip->hop_limit--;
	}
	return true;
}

/* Traffic class and ECN are copied out (RFC 6040, 4.1), and the inner DF bit; without DF the outer identification
 * must differ from packet to packet, since it may be fragmented on the way (RFC 6864). */
static __always_inline void forward_write_outer4(struct iphdr *ip, const struct packet *p,
						 const struct weir_backend *backend)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = p->tos;
	ip->tot_len = bpf_htons(p->ip_length + sizeof(*ip));
	if (p->dont_fragment)
		ip->frag_off = bpf_htons(IP_DONT_FRAGMENT);
	else
		ip->id = bpf_get_prandom_u32();
	ip->ttl = FORWARD_TTL;
	ip->protocol = p->family == WEIR_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	ip->saddr = backend->source.word[0];
	ip->daddr = backend->address.word[0];
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip) / 2));
}

/* The flow label carries the flow's hash, so that the path can balance on it (RFC 6438). */
static __always_inline void forward_write_outer6(struct ipv6hdr *ip, const struct packet *p,
						 const struct weir_backend *backend)
{
	__be32 first = bpf_htonl(6u << 28 | (__u32)p->tos << 20 | (p->flow_hash & 0xfffff));

	__builtin_memcpy(ip, &first, sizeof(first));
	ip->payload_len = bpf_htons(p->ip_length);
	ip->nexthdr = p->family == WEIR_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	ip->hop_limit = FORWARD_TTL;
	__builtin_memcpy(&ip->saddr, &backend->source, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &backend->address, sizeof(ip->daddr));
}

/* Moves the frame's front so that the outer header fits, and writes link and outer header. Tags are kept on the
 * interface that the packet came in by. */
static __always_inline bool forward_write(struct packet *p, const struct weir_backend *backend,
					  const struct weir_hop *hop)
{
	__u32 overhead = forward_overhead(backend), l2;
	struct link link;
	void *data, *end, *outer;
	__be16 type;

	if (hop->egress != packet_ifindex(p))
		p->vlan_tags = 0;
	l2 = sizeof(struct ethhdr) + 4 * p->vlan_tags;
	if (bpf_xdp_adjust_head(p->ctx, (int)p->l3 - (int)(l2 + overhead)))
		return false;
	data = (void *)(long)p->ctx->data;
	end = (void *)(long)p->ctx->data_end;
	type = p->family == WEIR_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if (overhead)
		type = backend->family == WEIR_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__builtin_memcpy(link.destination, hop->destination, ETH_ALEN);
	__builtin_memcpy(link.source, hop->source, ETH_ALEN);
	if (!link_write_type(p, &link, data, end, type))
		return false;
	if (!overhead)
		return true;
	outer = data + (l2 & LINK_L3_MASK);
	if (backend->family == WEIR_IPV4) {
		if (outer + sizeof(struct iphdr) > end)
			return false;
		forward_write_outer4(outer, p, backend);
	} else {
		if (outer + sizeof(struct ipv6hdr) > end)
			return false;
		forward_write_outer6(outer, p, backend);
	}
	return true;
}

/* The controller found no route to the backend when it last looked, and so no address to send tunnels from. */
static __always_inline bool forward_lacks_source(const struct weir_backend *backend)
{
	const __be32 *word = backend->source.word;

	return backend->forward == WEIR_FORWARD_IPIP && !(word[0] | word[1] | word[2] | word[3]);
}

static __always_inline enum step stage_forward(struct packet *p)
{
	struct weir_backend *backend = bank_lookup(backends, p->bank, &p->backend);
	struct weir_hop *hop = forward_last_hop(p);
	enum step step;

	p->stage = WEIR_STAGE_FORWARD;
	if (!backend || !backend->forward)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_NO_BACKEND);
	if (forward_lacks_source(backend))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_NO_ROUTE);
	if (p->ttl <= 1)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_TTL_EXPIRED);
	if (!hop)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_BUG);
	step = forward_find_hop(p, backend, hop);
	if (step != STEP_NEXT)
		return step;
	if (!forward_decrement_ttl(p))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_BUG);
	if (!forward_write(p, backend, hop))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_NO_HEADROOM);
	TRACE(egress_ifindex, hop->egress);
	if (hop->egress == packet_ifindex(p))
		return packet_decide(p, WEIR_TX, WEIR_REASON_STEERED);
	if (bpf_redirect(hop->egress, 0) != XDP_REDIRECT)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_BUG);
	return packet_decide(p, WEIR_REDIRECT, WEIR_REASON_STEERED);
}

#endif
