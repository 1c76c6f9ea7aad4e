/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wrapper around a program under test: gives each packet another source, then goes on to it by a tail call.
 *
 * Test runs hand the same buffer to every packet. For programs that change it (restore) the front is moved back and
 * the headers are written anew, in words at the places where programs read words: a load that spans two stores would
 * wait for both to reach the cache.
 */
#include "keys.h"
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_WORDS4 5
#define IP_WORDS6 10

const volatile bool is_ipv6, restore;
const volatile __u32 miss;
const volatile __u32 keys = 1;
const volatile __u32 size;		  /* of the frame */
const volatile __u32 link_words[3];	  /* link addresses */
const volatile __u16 link_type;		  /* ethertype */
const volatile __u32 ip_words[IP_WORDS6]; /* the IP header */
const volatile __u32 ip_sum;		  /* of the IPv4 header with checksum and source zero */
const volatile __u16 destination_port;	  /* network order */

__u32 counter; /* one thread runs the program */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

static __always_inline void restore_headers(void *data, int words)
{
	__u32 *link = data, *ip = data + ETH_HLEN;

#pragma unroll
	for (int i = 0; i < 3; i++)
		link[i] = link_words[i];
	((struct ethhdr *)data)->h_proto = link_type;
#pragma unroll
	for (int i = 0; i < words; i++)
		ip[i] = ip_words[i];
}

static __always_inline __u16 header_check(__u32 source)
{
	__u32 sum = ip_sum + (source & 0xffff) + (source >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline int vary4(void *data, void *end, __u32 number)
{
	__u32 *ip = data + ETH_HLEN, source = bpf_htonl(keys_address4(number, miss));

	if ((void *)(ip + IP_WORDS4 + 1) > end)
		return -1;
	if (restore)
		restore_headers(data, IP_WORDS4);
	((struct iphdr *)ip)->check = header_check(source);
	ip[3] = source;
	ip[IP_WORDS4] = (__u32)destination_port << 16 | bpf_htons(keys_port(number));
	return 0;
}

static __always_inline int vary6(void *data, void *end, __u32 number)
{
	struct keys_address6 source = keys_address6(number, miss);
	__u32 *ip = data + ETH_HLEN;

	if ((void *)(ip + IP_WORDS6 + 1) > end)
		return -1;
	if (restore)
		restore_headers(data, IP_WORDS6);
#pragma unroll
	for (int i = 0; i < 4; i++)
		ip[2 + i] = bpf_htonl(source.word[i]);
	ip[IP_WORDS6] = (__u32)destination_port << 16 | bpf_htons(keys_port(number));
	return 0;
}

SEC("xdp")
int vary(struct xdp_md *ctx)
{
	__u32 number = keys_draw(counter++, keys);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (restore) {
		long length = end - data;

		barrier_var(length); /* else clang subtracts in 32 bits, which the verifier refuses for pointers */
		if (bpf_xdp_adjust_head(ctx, (int)length - (int)size))
			return XDP_ABORTED;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	if (is_ipv6 ? vary6(data, end, number) : vary4(data, end, number))
		return XDP_ABORTED;
	bpf_tail_call_static(ctx, &target, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("xdp")
int tx(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
