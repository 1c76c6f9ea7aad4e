/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lab's fast paths: what a switch does in hardware, so that a flood reaches the edge at the rate it was sent.
 *
 * The indices and addresses are those that tests/lab/lab.py gives to its fabric.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EDGE_PORT 100

/* On the port to the attacker: what is for a VIP goes straight to the edge, the rest takes the router's way. */
SEC("xdp")
int wire(struct xdp_md *ctx)
{
	static const __u8 edge[ETH_ALEN] = {2, 0, 0, 0, 0, 0x0a}, lan[ETH_ALEN] = {2, 0, 0, 0, 0, 0x01};
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if ((ip->daddr & bpf_htonl(0xffffff00)) != bpf_htonl(0xc6336400)) /* 198.51.100.0/24 */
			return XDP_PASS;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > end || ip6->daddr.in6_u.u6_addr32[0] != bpf_htonl(0x20010db8) ||
		    ip6->daddr.in6_u.u6_addr32[1] != bpf_htonl(0x00100000)) /* 2001:db8:10::/64 */
			return XDP_PASS;
	} else {
		return XDP_PASS;
	}
	__builtin_memcpy(eth->h_dest, edge, ETH_ALEN);
	__builtin_memcpy(eth->h_source, lan, ETH_ALEN);
	return bpf_redirect(EDGE_PORT, 0);
}

/* On the port to the edge: a veth device takes frames sent from XDP only while its own end has a program. */
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
