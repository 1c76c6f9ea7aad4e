/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a user would write or pick instead, reduced to its table: the building blocks that Weir is compared with.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct headers {
	__be32 source, destination;
	__be16 sport, dport;
	__u8 protocol;
};

struct prefix4 {
	__u32 length;
	__be32 address;
};

struct lpm_key6 {
	__u32 length;
	__be32 address[4];
};

struct bucket {
	__u64 full_ns;
};

struct flow_key {
	__be32 source, destination;
	__be16 sport, dport;
	__u32 protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct prefix4);
	__type(value, __u32);
} trie4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct lpm_key6);
	__type(value, __u32);
} trie6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, __u32);
} flow_table SEC(".maps");

static __always_inline bool parse(struct xdp_md *ctx, struct headers *out)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP)
		return false;
	*out = (struct headers){ip->saddr, ip->daddr, tcp->source, tcp->dest, ip->protocol};
	return true;
}

/* The parsed port decides, so that the parsing is not optimised away. */
SEC("xdp")
int parse_only(struct xdp_md *ctx)
{
	struct headers h;

	return parse(ctx, &h) && h.dport && h.source ? XDP_DROP : XDP_ABORTED;
}

SEC("xdp")
int parse_count(struct xdp_md *ctx)
{
	struct headers h;
	__u32 index = 1;
	__u64 *count;

	if (!parse(ctx, &h) || !h.dport || !h.source)
		return XDP_ABORTED;
	count = bpf_map_lookup_elem(&counters, &index);
	if (count)
		(*count)++;
	return XDP_DROP;
}

/* Drop what the trie holds, pass the rest. */
SEC("xdp")
int lpm4(struct xdp_md *ctx)
{
	struct headers h;
	struct prefix4 key = {.length = 32};

	if (!parse(ctx, &h))
		return XDP_ABORTED;
	key.address = h.source;
	return bpf_map_lookup_elem(&trie4, &key) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int lpm6(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct ipv6hdr *ip = (void *)(eth + 1);
	struct lpm_key6 key = {.length = 128};

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_ABORTED;
	__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
	return bpf_map_lookup_elem(&trie6, &key) ? XDP_DROP : XDP_PASS;
}

/* The usual limiter of XDP firewalls: a bucket for each source in an LRU hash, here a GCRA that is never over. */
SEC("xdp")
int lru_limiter(struct xdp_md *ctx)
{
	struct headers h;
	struct bucket *found, fresh = {};
	__u64 now;

	if (!parse(ctx, &h))
		return XDP_ABORTED;
	now = bpf_ktime_get_ns();
	found = bpf_map_lookup_elem(&buckets, &h.source);
	if (!found) {
		fresh.full_ns = now + 1;
		bpf_map_update_elem(&buckets, &h.source, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	if (found->full_ns > now + 1000000000)
		return XDP_DROP;
	found->full_ns = (found->full_ns > now ? found->full_ns : now) + 1;
	return XDP_PASS;
}

/* The flow table of a stateful balancer: five-tuple to backend. */
SEC("xdp")
int lru_flow(struct xdp_md *ctx)
{
	struct headers h;
	struct flow_key key = {};
	__u32 backend, *found;

	if (!parse(ctx, &h))
		return XDP_ABORTED;
	key = (struct flow_key){h.source, h.destination, h.sport, h.dport, h.protocol};
	found = bpf_map_lookup_elem(&flow_table, &key);
	if (!found) {
		backend = h.source % 7 + 1;
		bpf_map_update_elem(&flow_table, &key, &backend, BPF_ANY);
		return XDP_DROP;
	}
	return *found ? XDP_DROP : XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
