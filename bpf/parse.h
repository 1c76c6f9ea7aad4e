/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 1, parse: from bytes to struct packet. Every header is checked against the frame and against what the
 * headers before it claim; what lies is dropped here, so that no later stage meets it.
 */
#ifndef WEIR_BPF_PARSE_H
#define WEIR_BPF_PARSE_H

#include "chain.h"
#include "icmp.h"
#include "packet.h"
#include <bpf/bpf_endian.h>

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define IP_MORE_FRAGMENTS 0x2000
#define IP_DONT_FRAGMENT  0x4000
#define IP_OFFSET_MASK	  0x1fff

/* A place in the frame: start is the frame's first byte, position where the next header begins, end the first byte
 * behind the data. */
struct cursor {
	void *start, *position, *end;
};

static __always_inline enum step parse_malformed(struct packet *p)
{
	return packet_decide(p, WEIR_DROP, WEIR_REASON_MALFORMED);
}

/* Returns the ethertype in network order behind the tags, or 0 with the packet decided. */
static __always_inline __be16 parse_ethernet(struct packet *p, struct cursor *c)
{
	struct ethhdr *eth = c->position;
	__be16 type;

	if ((void *)(eth + 1) > c->end) {
		parse_malformed(p);
		return 0;
	}
	type = eth->h_proto;
	c->position = eth + 1;
#pragma unroll
	for (int i = 0; i <= WEIR_MAX_VLAN_TAGS; i++) {
		__be16 *tag = c->position; /* TCI, next ethertype */

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (i == WEIR_MAX_VLAN_TAGS) {
			packet_decide(p, WEIR_DROP, WEIR_REASON_VLAN_DEPTH);
			return 0;
		}
		if ((void *)(tag + 2) > c->end) {
			parse_malformed(p);
			return 0;
		}
		p->tags[i] = (__u32)type | (__u32)tag[0] << 16;
		p->vlan_tags = i + 1;
		type = tag[1];
		c->position = tag + 2;
	}
	p->l3 = c->position - c->start;
	return type;
}

static __always_inline enum step parse_ipv4(struct packet *p, struct cursor *c)
{
	struct iphdr *ip = c->position;
	__u32 header, room = c->end - c->position;
	__u16 fragment;

	if ((void *)(ip + 1) > c->end || ip->version != 4)
		return parse_malformed(p);
	header = ip->ihl * 4;
	p->ip_length = bpf_ntohs(ip->tot_len);
	if (header < sizeof(*ip) || p->ip_length < header || p->ip_length > room)
		return parse_malformed(p);
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IP_OFFSET_MASK)
		p->fragment = FRAGMENT_LATER;
	else if (fragment & IP_MORE_FRAGMENTS)
		p->fragment = FRAGMENT_FIRST;
	p->dont_fragment = !!(fragment & IP_DONT_FRAGMENT);
	p->family = WEIR_IPV4;
	/* Not from source to client: eight bytes of which four were just stored keep a CPU waiting (store forwarding).
	 */
	p->source.word[0] = p->client.word[0] = ip->saddr;
	p->destination.word[0] = ip->daddr;
	p->protocol = ip->protocol;
	p->ttl = ip->ttl;
	p->tos = ip->tos;
	p->plain = header == sizeof(*ip);
	p->l4 = p->l3 + header;
	c->position += header;
	return STEP_NEXT;
}

static __always_inline enum step parse_extensions(struct packet *p, struct cursor *c)
{
	__u64 found = chain_walk(p->ctx, p->l4, p->ip_length + p->l3, p->protocol);

	p->plain = 0;
	if (CHAIN_REASON(found))
		return packet_decide(p, WEIR_DROP, CHAIN_REASON(found));
	p->protocol = CHAIN_NEXT(found);
	p->fragment = CHAIN_FRAGMENT(found);
	p->l4 = CHAIN_OFFSET(found);
	c->position = c->start + CHAIN_OFFSET(found);
	return STEP_NEXT;
}

static __always_inline enum step parse_ipv6(struct packet *p, struct cursor *c)
{
	struct ipv6hdr *ip = c->position;
	__u32 room = c->end - c->position;

	if ((void *)(ip + 1) > c->end || ip->version != 6)
		return parse_malformed(p);
	p->ip_length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (p->ip_length > room)
		return parse_malformed(p);
	p->family = WEIR_IPV6;
	__builtin_memcpy(&p->source, &ip->saddr, sizeof(p->source));
	__builtin_memcpy(&p->client, &ip->saddr, sizeof(p->client));
	__builtin_memcpy(&p->destination, &ip->daddr, sizeof(p->destination));
	p->ttl = ip->hop_limit;
	p->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	p->dont_fragment = 1;
	p->plain = 1;
	p->protocol = ip->nexthdr;
	p->l4 = p->l3 + sizeof(*ip);
	c->position = ip + 1;
	return chain_is_extension(p->protocol) ? parse_extensions(p, c) : STEP_NEXT;
}

/* The flow that an ICMP error speaks of: what was sent from the VIP (the packet's destination) to a client. Leaves
 * the packet unquoted when the quote is too short, a later fragment, or not from the VIP. */
static __always_inline void parse_quote(struct packet *p, struct cursor *c)
{
	struct weir_addr from = {}, to = {};
	__be16 *ports;
	__u8 protocol;

	if (p->family == WEIR_IPV4) {
		struct iphdr *ip = c->position;
		__u32 header;

		if ((void *)(ip + 1) > c->end || ip->version != 4 || ip->ihl < 5 ||
		    (ip->frag_off & bpf_htons(IP_OFFSET_MASK)))
			return;
		header = ip->ihl * 4;
		from.word[0] = ip->saddr;
		to.word[0] = ip->daddr;
		protocol = ip->protocol;
		c->position += header;
	} else {
		struct ipv6hdr *ip = c->position;

		if ((void *)(ip + 1) > c->end || ip->version != 6)
			return;
		__builtin_memcpy(&from, &ip->saddr, sizeof(from));
		__builtin_memcpy(&to, &ip->daddr, sizeof(to));
		protocol = ip->nexthdr;
		c->position = ip + 1;
	}
	ports = c->position;
	if ((protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) || (void *)(ports + 2) > c->end ||
	    (__u32)((void *)(ports + 2) - c->start) > p->l3 + p->ip_length || !addr_same(&from, &p->destination))
		return;
	p->client = to;
	p->sport = ports[1];
	p->dport = ports[0];
	p->flow_protocol = protocol;
	p->quote = 1;
}

static __always_inline bool parse_is_icmp_error(const struct packet *p)
{
	return p->family == WEIR_IPV4 ? icmp_is_error4(p->icmp_type) : icmp_is_error6(p->icmp_type);
}

static __always_inline enum step parse_tcp(struct packet *p, struct cursor *c, __u32 room)
{
	struct tcphdr *tcp = c->position;
	__u8 *bytes = c->position;

	if ((void *)(tcp + 1) > c->end || tcp->doff < 5 || (p->fragment == FRAGMENT_NONE && tcp->doff * 4u > room))
		return parse_malformed(p);
	p->sport = tcp->source;
	p->dport = tcp->dest;
	p->tcp_flags = bytes[13];
	return STEP_NEXT;
}

static __always_inline enum step parse_udp(struct packet *p, struct cursor *c, __u32 room)
{
	struct udphdr *udp = c->position;

	if ((void *)(udp + 1) > c->end || bpf_ntohs(udp->len) < sizeof(*udp) ||
	    (p->fragment == FRAGMENT_NONE && bpf_ntohs(udp->len) > room))
		return parse_malformed(p);
	p->sport = udp->source;
	p->dport = udp->dest;
	return STEP_NEXT;
}

static __always_inline enum step parse_icmp(struct packet *p, struct cursor *c)
{
	struct icmp_header *icmp = c->position;

	if ((void *)(icmp + 1) > c->end)
		return parse_malformed(p);
	p->icmp_type = icmp->type;
	p->icmp_code = icmp->code;
	if (p->fragment == FRAGMENT_NONE && parse_is_icmp_error(p)) {
		c->position = icmp + 1;
		parse_quote(p, c);
	}
	return STEP_NEXT;
}

static __always_inline enum step parse_transport(struct packet *p, struct cursor *c)
{
	__u32 room = p->ip_length - (p->l4 - p->l3), least = 0;

	if (p->family == WEIR_IPV6 ? p->protocol == IPPROTO_ICMPV6 : p->protocol == IPPROTO_ICMP)
		p->protocol = IPPROTO_ICMP;
	else if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6)
		return parse_malformed(p); /* the other family's ICMP */
	p->flow_protocol = p->protocol;
	if (p->fragment == FRAGMENT_LATER)
		return STEP_NEXT;
	if (p->protocol == IPPROTO_TCP)
		least = sizeof(struct tcphdr);
	else if (p->protocol == IPPROTO_UDP)
		least = sizeof(struct udphdr);
	else if (p->protocol == IPPROTO_ICMP)
		least = sizeof(struct icmp_header);
	if (room < least)
		return p->fragment == FRAGMENT_FIRST ? packet_decide(p, WEIR_DROP, WEIR_REASON_TINY_FRAGMENT)
						     : parse_malformed(p);
	if (p->protocol == IPPROTO_TCP)
		return parse_tcp(p, c, room);
	if (p->protocol == IPPROTO_UDP)
		return parse_udp(p, c, room);
	if (p->protocol == IPPROTO_ICMP)
		return parse_icmp(p, c);
	return STEP_NEXT;
}

static __always_inline enum step stage_parse(struct packet *p)
{
	struct cursor c = {
		.start = (void *)(long)p->ctx->data,
		.position = (void *)(long)p->ctx->data,
		.end = (void *)(long)p->ctx->data_end,
	};
	enum step step;
	__be16 type;

	p->stage = WEIR_STAGE_PARSE;
	p->frame_length = c.end - c.start;
	type = parse_ethernet(p, &c);
	if (!type)
		return p->reason ? STEP_DONE : packet_decide(p, WEIR_PASS, WEIR_REASON_NOT_IP);
	if (type == bpf_htons(ETH_P_IP))
		step = parse_ipv4(p, &c);
	else if (type == bpf_htons(ETH_P_IPV6))
		step = parse_ipv6(p, &c);
	else if (type == bpf_htons(ETH_P_ARP))
		return packet_decide(p, WEIR_PASS, WEIR_REASON_ARP);
	else
		return packet_decide(p, WEIR_PASS, WEIR_REASON_NOT_IP);
	if (step != STEP_NEXT)
		return step;
	return parse_transport(p, &c);
}

#endif
