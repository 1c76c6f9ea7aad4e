/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers that the edge gives by itself: echo replies, resets, and ICMP errors. Each turns the packet into its
 * answer in place and returns true; after false the packet may only be dropped.
 */
#ifndef WEIR_BPF_ANSWER_H
#define WEIR_BPF_ANSWER_H

#include "checksum.h"
#include "limit.h"
#include "link.h"

#define ANSWER_TTL	   64
#define ANSWER_QUOTE_MAX   128	/* bytes of the packet that an error quotes; a multiple of 4 */
#define ANSWER_OFFSET_MASK 0x7f /* of what lies behind the headers of an error */

/* ICMP errors and rejects to one source: ten a second (RFC 1812, 4.3.2.8 asks for a limit). */
#define ANSWER_LIMIT_ID 0xffffff00u
#define ANSWER_COST_NS	100000000ull
#define ANSWER_BURST_NS 1000000000ull

/* Every ICMPv6 type below 128 is an error (RFC 4443, 2.1). */
static __always_inline bool answer_is_icmp_error(const struct packet *p)
{
	if (p->protocol != IPPROTO_ICMP)
		return false;
	return p->family == WEIR_IPV6 ? p->icmp_type < ICMPV6_ECHO_REQUEST : parse_is_icmp_error(p);
}

/* A global function, as errors of several kinds are limited by it. */
__noinline int answer_is_over(__u64 hash)
{
	return limit_charge(hash, packet_clock(), ANSWER_COST_NS, ANSWER_BURST_NS);
}

/* Whether the source may not be told an error now: it was told enough, or its packet is an error itself (RFC 1122,
 * 3.2.2). */
static __always_inline bool answer_is_barred(struct packet *p)
{
	__u64 hash = hash_addr(p->sketch_seed ^ ANSWER_LIMIT_ID, &p->source, p->family);

	return answer_is_icmp_error(p) || answer_is_over(hash_mix(hash, p->family));
}

static __always_inline bool answer_is_echo_request(const struct packet *p)
{
	return p->icmp_type == (p->family == WEIR_IPV4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST);
}

static __always_inline void answer_swap_ipv4(struct iphdr *ip)
{
	__be32 source = ip->saddr;
	__u16 *ttl_protocol = (__u16 *)&ip->ttl, before = *ttl_protocol;

	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->ttl = ANSWER_TTL;
	checksum_replace(&ip->check, before, *ttl_protocol);
}

static __always_inline void answer_swap_ipv6(struct ipv6hdr *ip, const struct packet *p)
{
	__builtin_memcpy(&ip->saddr, &p->destination, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &p->source, sizeof(ip->daddr));
	ip->hop_limit = ANSWER_TTL;
}

/* An echo reply differs from its request in the type, the addresses and the TTL alone (RFC 792, RFC 4443). */
static __always_inline bool answer_echo(struct packet *p)
{
	void *data = (void *)(long)p->ctx->data, *end = (void *)(long)p->ctx->data_end;
	void *l3 = data + (p->l3 & LINK_L3_MASK);
	struct icmp_header *icmp = data + (p->l4 & LINK_L4_MASK);
	__u16 before;

	if ((void *)(icmp + 1) > end)
		return false;
	before = *(__u16 *)icmp;
	if (p->family == WEIR_IPV4) {
		if (l3 + sizeof(struct iphdr) > end)
			return false;
		answer_swap_ipv4(l3);
		icmp->type = ICMP_ECHO_REPLY;
	} else {
		if (l3 + sizeof(struct ipv6hdr) > end)
			return false;
		answer_swap_ipv6(l3, p);
		icmp->type = ICMPV6_ECHO_REPLY;
	}
	checksum_replace(&icmp->checksum, before, *(__u16 *)icmp);
	/* Equation 3 gives 0 where every covered word is zero; only 0xffff is valid then, and it always is. */
	if (!icmp->checksum)
		icmp->checksum = 0xffff;
	return link_swap(p);
}

/* RFC 9293, 3.5.2: a segment with ACK is answered from its acknowledgement number, one without is acknowledged. */
static __always_inline void answer_write_reset(struct tcphdr *tcp, struct packet *p, __u32 payload)
{
	__be16 source = tcp->source;
	__u32 length = payload + !!(p->tcp_flags & 0x02) + !!(p->tcp_flags & 0x01);
	__be32 sequence = tcp->ack ? tcp->ack_seq : 0;
	__be32 acknowledge = tcp->ack ? 0 : bpf_htonl(bpf_ntohl(tcp->seq) + length);
	__u16 flags = tcp->ack ? 0x5004 : 0x5014; /* five words, RST, and ACK where there was none */

	tcp->source = tcp->dest;
	tcp->dest = source;
	tcp->seq = sequence;
	tcp->ack_seq = acknowledge;
	((__be16 *)tcp)[6] = bpf_htons(flags);
	tcp->window = 0;
	tcp->check = 0;
	tcp->urg_ptr = 0;
	tcp->check = checksum_fold(checksum_words(tcp, sizeof(*tcp) / 2) + checksum_addr(&p->source) +
				   checksum_addr(&p->destination) + bpf_htons(sizeof(*tcp)) + bpf_htons(IPPROTO_TCP));
}

static __always_inline bool answer_reset(struct packet *p)
{
	__u32 ip_header = p->family == WEIR_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 payload = p->ip_length - ip_header;
	int size = p->l3 + ip_header + sizeof(struct tcphdr);
	void *data, *end, *l3;
	struct tcphdr *tcp;

	if (!p->plain || p->tcp_flags & 0x04 || bpf_xdp_adjust_tail(p->ctx, size - p->frame_length))
		return false;
	data = (void *)(long)p->ctx->data;
	end = (void *)(long)p->ctx->data_end;
	l3 = data + (p->l3 & LINK_L3_MASK);
	tcp = data + (p->l4 & LINK_L4_MASK);
	if (l3 + sizeof(struct iphdr) > end || (void *)(tcp + 1) > end)
		return false;
	payload -= tcp->doff * 4;
	answer_write_reset(tcp, p, payload);
	if (p->family == WEIR_IPV4) {
		struct iphdr *ip = l3;

		answer_swap_ipv4(ip);
		ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(*tcp));
		ip->check = 0;
		ip->check = checksum_fold(checksum_words(ip, sizeof(*ip) / 2));
	} else {
		struct ipv6hdr *ip = l3;

		if ((void *)(ip + 1) > end)
			return false;
		answer_swap_ipv6(ip, p);
		ip->payload_len = bpf_htons(sizeof(*tcp));
	}
	return link_swap(p);
}

/* The sum over the ICMP header at offset and the quoted bytes behind it. A global function, which the verifier checks
 * once by itself. */
__noinline __u64 answer_sum(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	const __u32 *word = (void *)(long)ctx->data + (offset & ANSWER_OFFSET_MASK);
	const void *end = (void *)(long)ctx->data_end;
	__u64 sum = 0;

	for (__u32 i = 0; i < (sizeof(struct icmp_header) + ANSWER_QUOTE_MAX) / 4; i++) {
		if (i * 4 >= length || (void *)(word + i + 1) > end)
			break;
		sum += word[i];
	}
	return sum;
}

/* Write the error's IP header at ip and return where its ICMP header goes; NULL when they do not fit. *sum takes
 * the pseudo-header. */
static __always_inline struct icmp_header *answer_write_ipv4(struct iphdr *ip, const void *end, const struct packet *p,
							     __u32 length)
{
	struct icmp_header *icmp = (void *)(ip + 1);

	if ((void *)(icmp + 1) > end)
		return NULL;
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(sizeof(*ip) + length);
	ip->ttl = ANSWER_TTL;
	ip->protocol = IPPROTO_ICMP;
	ip->saddr = p->destination.word[0];
	ip->daddr = p->source.word[0];
	ip->check = checksum_fold(checksum_words(ip, sizeof(*ip) / 2));
	return icmp;
}

static __always_inline struct icmp_header *answer_write_ipv6(struct ipv6hdr *ip, const void *end,
							     const struct packet *p, __u32 length, __u64 *sum)
{
	struct icmp_header *icmp = (void *)(ip + 1);

	if ((void *)(icmp + 1) > end)
		return NULL;
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = IPPROTO_ICMPV6;
	answer_swap_ipv6(ip, p);
	*sum = checksum_addr(&p->source) + checksum_addr(&p->destination) + bpf_htonl(length) +
	       bpf_htonl(IPPROTO_ICMPV6);
	return icmp;
}

/* An ICMP error from the VIP to the packet's source, which quotes the packet's start. The quoted packet stays where it
 * is; headers go in front of it and what is behind the quote is cut. */
static __always_inline bool answer_error(struct packet *p)
{
	__u32 quote = p->ip_length > ANSWER_QUOTE_MAX ? ANSWER_QUOTE_MAX : p->ip_length & ~3u;
	__u32 ip_header = p->family == WEIR_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 length = sizeof(struct icmp_header) + quote;
	__u64 sum = 0;
	struct link link;
	struct icmp_header *icmp;
	void *data, *end, *l3;

	if (!link_read(p, &link) || bpf_xdp_adjust_tail(p->ctx, (int)(p->l3 + quote) - p->frame_length) ||
	    bpf_xdp_adjust_head(p->ctx, -(int)(ip_header + sizeof(*icmp))))
		return false;
	data = (void *)(long)p->ctx->data;
	end = (void *)(long)p->ctx->data_end;
	l3 = data + (p->l3 & LINK_L3_MASK);
	if (!link_write(p, &link, data, end))
		return false;
	icmp = p->family == WEIR_IPV4 ? answer_write_ipv4(l3, end, p, length)
				      : answer_write_ipv6(l3, end, p, length, &sum);
	if (!icmp || (void *)(icmp + 1) > end)
		return false;
	icmp->type = p->answer_type;
	icmp->code = p->answer_code;
	icmp->checksum = 0;
	icmp->word = p->answer_word;
	icmp->checksum = checksum_fold(sum + answer_sum(p->ctx, p->l3 + ip_header, length));
	return true;
}

static __always_inline enum step answer_with(struct packet *p, enum answer answer, enum weir_reason reason)
{
	p->answer = answer;
	packet_decide(p, WEIR_TX, reason);
	return STEP_ANSWER;
}

static __always_inline enum step answer_with_error(struct packet *p, __u8 type4, __u8 code4, __u8 type6, __u8 code6,
						   enum weir_reason reason)
{
	p->answer_type = p->family == WEIR_IPV4 ? type4 : type6;
	p->answer_code = p->family == WEIR_IPV4 ? code4 : code6;
	return answer_with(p, ANSWER_ERROR, reason);
}

static __always_inline enum step answer_too_big(struct packet *p, __u32 mtu)
{
	p->answer_word = bpf_htonl(mtu);
	return answer_with_error(p, ICMP_UNREACHABLE, ICMP_FRAGMENTATION_NEEDED, ICMPV6_PKT_TOOBIG, 0,
				 WEIR_REASON_TOO_BIG);
}

static __always_inline enum step answer_reject(struct packet *p, enum weir_reason reason)
{
	if (p->protocol == IPPROTO_TCP && p->fragment == FRAGMENT_NONE)
		return answer_with(p, ANSWER_RESET, reason);
	return answer_with_error(p, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH,
				 reason);
}

/* Turns the packet into the answer that was decided on; where that cannot be, drops it. */
static __always_inline void stage_answer(struct packet *p)
{
	bool done = false;

	if (p->answer == ANSWER_ECHO)
		done = answer_echo(p);
	else if (p->answer == ANSWER_RESET)
		done = answer_reset(p);
	else if (p->answer == ANSWER_ERROR)
		done = answer_error(p);
	if (!done)
		packet_decide(p, WEIR_DROP, WEIR_REASON_NO_ANSWER);
}

#endif
