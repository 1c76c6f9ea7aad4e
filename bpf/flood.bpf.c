/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lab's traffic source: run over live frames, it gives each a source address and port and sends it out.
 *
 * Pages come back between runs with what the network made of the last packet still in them, so the headers are
 * written whole each time. Checksums are finished from sums that the generator took with the varying fields zero.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Bytes that hold all headers of either family, in whole words; no frame is smaller. */
#define HEADERS4 56
#define HEADERS6 80

const volatile bool is_ipv6;
const volatile __u64 headers[HEADERS6 / 8]; /* the template's first bytes */
const volatile __u8 protocol;		    /* IPPROTO_TCP or IPPROTO_UDP */
const volatile __u32 source_be[4];	    /* the prefix; IPv4 in the last word */
const volatile __u32 host_mask;		    /* host bits that vary, of the last word */
const volatile __u32 host_shift;	    /* half of the number of those bits */
const volatile __u32 sources;		    /* how many addresses, at least 1 */
const volatile __u16 sport;		    /* 0: varies */
const volatile __u32 ip_sum;		    /* of the IPv4 header with the source address zero */
const volatile __u32 transport_sum;	    /* of pseudo header and segment with source address and port zero */

__u64 counter; /* one thread runs the program */

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* A bijection on the host bits: an odd multiplication and a xor-shift are both invertible. */
static __always_inline __u32 mix(__u32 n)
{
	n = (n * 0x9e3779b1u) & host_mask;
	n ^= n >> host_shift;
	return (n * 0x85ebca6bu) & host_mask;
}

static __always_inline int write_headers(void *data, void *end, int size)
{
	__u64 *words = data;

	if (data + size > end)
		return -1;
	for (int i = 0; i < size / 8; i++)
		words[i] = headers[i];
	return 0;
}

static __always_inline int finish_transport(void *transport, void *end, __u64 n, __u32 address_sum)
{
	__u16 port = bpf_htons(sport ? sport : 1024 + (n * 40503u) % 64512);
	__u64 sum = (__u64)transport_sum + address_sum + port;

	if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = transport;

		if ((void *)(tcp + 1) > end)
			return -1;
		tcp->source = port;
		tcp->check = fold(sum);
	} else {
		struct udphdr *udp = transport;
		__u16 check = fold(sum);

		if ((void *)(udp + 1) > end)
			return -1;
		udp->source = port;
		udp->check = check ? check : 0xffff;
	}
	return 0;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *network = data + sizeof(struct ethhdr);
	__u64 n = counter++;
	__u32 last = source_be[3] | bpf_htonl(mix(n % sources));
	__u32 address_sum;

	if (is_ipv6) {
		struct ipv6hdr *ip6 = network;

		if (write_headers(data, end, HEADERS6))
			return XDP_ABORTED;
		ip6->saddr.in6_u.u6_addr32[3] = last;
		address_sum = (last & 0xffff) + (last >> 16);
		return finish_transport(ip6 + 1, end, n, address_sum) ? XDP_ABORTED : XDP_TX;
	}

	struct iphdr *ip = network;

	if (write_headers(data, end, HEADERS4))
		return XDP_ABORTED;
	address_sum = (last & 0xffff) + (last >> 16);
	ip->saddr = last;
	ip->check = fold((__u64)ip_sum + address_sum);
	return finish_transport(ip + 1, end, n, address_sum) ? XDP_ABORTED : XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
