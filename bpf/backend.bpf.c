/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program of a cache host: takes the tunnel of an edge off (IPv4 or IPv6 in either) and passes the inner packet
 * up the stack as if it had come in bare.
 *
 *	frame -> ethernet -> outer -> inner -> is it for a VIP? from an edge? -> ECN -> strip -> pass
 *
 * What is not a tunnel packet for a VIP leaves untouched, so that the host's own traffic and tunnels go on.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <maps/backend_host.h>
#include <stdbool.h>

/* clang-format off */
#define HOST_MAP(name_, type_, key_, value_, entries_, flags_)                                                         \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_##type_);                                                                    \
		__type(key, key_);                                                                                     \
		__type(value, value_);                                                                                 \
		__uint(max_entries, entries_);                                                                         \
		__uint(map_flags, flags_);                                                                             \
	} name_ SEC(".maps");
/* clang-format on */
WEIR_HOST_MAPS(HOST_MAP)

#define VLAN_TAG_BYTES	   4
#define ETHERNET_MAX_BYTES (ETH_HLEN + WEIR_MAX_VLAN_TAGS * VLAN_TAG_BYTES)
#define IPV4_MAX_HEADER	   60
#define IPV4_FRAGMENT_BITS 0x3fff /* more fragments, and the offset */

#define ECN_NOT_ECT 0
#define ECN_ECT1    1
#define ECN_ECT0    2
#define ECN_CE	    3
#define ECN_MASK    3

struct tunnel {
	void *outer;
	void *inner;
	__u32 payload; /* bytes that the outer header says it carries; they are within the frame */
	__u8 ecn;      /* of the outer header */
	__u8 protocol; /* of the inner packet: IPPROTO_IPIP or IPPROTO_IPV6 */
	struct weir_host_edge_key source;
};

/* Kernels up to 6.12 know no bounds of a value whose bytes were swapped, and refuse it as an offset. */
static __always_inline __u32 read_length(__be16 field)
{
	__u32 length = bpf_ntohs(field);

	barrier_var(length);
	return length & 0xffff;
}

/* Returns the network header, or NULL where there is none within two tags. */
static __always_inline void *skip_ethernet(void *data, void *end, __be16 *type)
{
	struct ethhdr *ethernet = data;
	__be16 *tag = (void *)(ethernet + 1);

	if ((void *)(ethernet + 1) > end)
		return NULL;
	*type = ethernet->h_proto;
	for (int i = 0; i < WEIR_MAX_VLAN_TAGS; i++) {
		if (*type != bpf_htons(ETH_P_8021Q) && *type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 2) > end)
			return NULL;
		*type = tag[1];
		tag += 2;
	}
	return tag;
}

/* By words of the header's own unit: with smaller ones a branch is left that no header takes, and Linux 6.12's verifier
 * follows it into nonsense. */
static __always_inline bool ipv4_checksum_holds(void *header, __u32 length, void *end)
{
	__be32 *position = header;
	__u64 sum = 0;

	for (__u32 i = 0; i < IPV4_MAX_HEADER / sizeof(*position); i++) {
		if (i * sizeof(*position) >= length)
			break;
		barrier_var(position); /* else clang compares against end - 3, which the verifier refuses */
		if ((void *)(position + 1) > end)
			return false;
		sum += *position++;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* The outer parsers fill *t and return 0, or return how the packet leaves. */
static __always_inline int parse_outer4(struct tunnel *t, void *end)
{
	struct iphdr *ip = t->outer;
	__u32 header, length;

	if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5)
		return WEIR_HOST_OTHER;
	if (ip->protocol != IPPROTO_IPIP && ip->protocol != IPPROTO_IPV6)
		return WEIR_HOST_OTHER;
	if (ip->frag_off & bpf_htons(IPV4_FRAGMENT_BITS))
		return WEIR_HOST_FRAGMENT;
	header = ip->ihl * 4;
	length = read_length(ip->tot_len);
	if (length < header || t->outer + length > end || !ipv4_checksum_holds(t->outer, header, end))
		return WEIR_HOST_MALFORMED;
	t->inner = t->outer + header;
	t->payload = length - header;
	t->ecn = ip->tos & ECN_MASK;
	t->protocol = ip->protocol;
	t->source.length = WEIR_HOST_FAMILY_BITS + 32;
	t->source.family = bpf_htonl(WEIR_IPV4);
	t->source.address.word[0] = ip->saddr;
	return 0;
}

/* Steps over the headers that a tunnel entry may add (RFC 2473 adds a destination option). */
static __always_inline int walk_extensions(struct tunnel *t, __u8 next, __u32 length, void *end)
{
	void *position = t->outer + sizeof(struct ipv6hdr);
	__u32 used = 0;

	for (int i = 0; i <= WEIR_MAX_IPV6_EXTENSIONS; i++) {
		struct ipv6_opt_hdr *extension = position;
		__u32 bytes;

		if (next == IPPROTO_IPIP || next == IPPROTO_IPV6) {
			t->inner = position;
			t->payload = length - used;
			t->protocol = next;
			return 0;
		}
		if (next == IPPROTO_FRAGMENT)
			return WEIR_HOST_FRAGMENT;
		if (next == IPPROTO_ROUTING)
			return WEIR_HOST_IPV6_CHAIN;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_DSTOPTS)
			return WEIR_HOST_OTHER;
		if ((void *)(extension + 1) > end)
			return WEIR_HOST_MALFORMED;
		next = extension->nexthdr;
		bytes = (extension->hdrlen + 1) * 8;
		used += bytes;
		if (used > length)
			return WEIR_HOST_MALFORMED;
		position += bytes;
	}
	return WEIR_HOST_IPV6_CHAIN;
}

static __always_inline int parse_outer6(struct tunnel *t, void *end)
{
	struct ipv6hdr *ip = t->outer;
	__u32 length;
	int outcome;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return WEIR_HOST_OTHER;
	length = read_length(ip->payload_len);
	outcome = walk_extensions(t, ip->nexthdr, length, end);
	if (outcome)
		return outcome;
	if ((void *)(ip + 1) + length > end)
		return WEIR_HOST_MALFORMED;
	t->ecn = ip->flow_lbl[0] >> 4 & ECN_MASK;
	t->source.length = WEIR_HOST_FAMILY_BITS + 128;
	t->source.family = bpf_htonl(WEIR_IPV6);
	__builtin_memcpy(&t->source.address, &ip->saddr, sizeof(t->source.address));
	return 0;
}

/* Whether an edge may send this VIP's packets here; 0, or how the packet leaves. */
static __always_inline int admit_tunnel(const struct tunnel *t, const struct weir_vip_key *vip)
{
	const struct weir_host_settings *settings;
	__u32 zero = 0;

	if (!bpf_map_lookup_elem(&host_vips, vip))
		return WEIR_HOST_FOREIGN_INNER;
	settings = bpf_map_lookup_elem(&host_settings, &zero);
	if (settings && settings->check_edges && !bpf_map_lookup_elem(&host_edges, &t->source))
		return WEIR_HOST_FOREIGN_EDGE;
	return 0;
}

/* RFC 6040, figure 4. Returns the inner packet's field, or -1 where it must be dropped. */
static __always_inline int merge_ecn(__u8 outer, __u8 inner)
{
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? -1 : ECN_CE;
	if (outer == ECN_ECT1 && inner == ECN_ECT0)
		return ECN_ECT1;
	return inner;
}

static __always_inline int accept_inner4(const struct tunnel *t, void *end)
{
	struct iphdr *ip = t->inner;
	struct weir_vip_key vip = {.family = WEIR_IPV4};
	__be16 *first = t->inner;
	__be16 before;
	__u32 length, sum;
	int outcome, ecn;

	if (t->payload < sizeof(*ip) || (void *)(ip + 1) > end)
		return WEIR_HOST_MALFORMED;
	vip.address.word[0] = ip->daddr;
	outcome = admit_tunnel(t, &vip);
	if (outcome)
		return outcome;
	length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || ip->ihl < 5 || length < ip->ihl * 4 || length > t->payload)
		return WEIR_HOST_MALFORMED;
	ecn = merge_ecn(t->ecn, ip->tos & ECN_MASK);
	if (ecn < 0)
		return WEIR_HOST_ECN;
	/* Incremental, so that a checksum that was wrong stays wrong (RFC 1624, equation 3). */
	before = *first;
	ip->tos = (ip->tos & ~ECN_MASK) | ecn;
	sum = (__u16)~ip->check + (__u16)~before + *first;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (*first != before)
		ip->check = ~sum;
	return WEIR_HOST_DECAPSULATED4;
}

static __always_inline int accept_inner6(const struct tunnel *t, void *end)
{
	struct ipv6hdr *ip = t->inner;
	struct weir_vip_key vip = {.family = WEIR_IPV6};
	int outcome, ecn;

	if (t->payload < sizeof(*ip) || (void *)(ip + 1) > end)
		return WEIR_HOST_MALFORMED;
	__builtin_memcpy(&vip.address, &ip->daddr, sizeof(vip.address));
	outcome = admit_tunnel(t, &vip);
	if (outcome)
		return outcome;
	if (ip->version != 6 || sizeof(*ip) + bpf_ntohs(ip->payload_len) > t->payload)
		return WEIR_HOST_MALFORMED;
	ecn = merge_ecn(t->ecn, ip->flow_lbl[0] >> 4 & ECN_MASK);
	if (ecn < 0)
		return WEIR_HOST_ECN;
	ip->flow_lbl[0] = (ip->flow_lbl[0] & ~(ECN_MASK << 4)) | ecn << 4;
	return WEIR_HOST_DECAPSULATED6;
}

/* Moves the Ethernet header with its tags over the outer IP header. */
static __always_inline bool strip_outer(struct xdp_md *ctx, const struct tunnel *t, __be16 type)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 ethernet[ETHERNET_MAX_BYTES];
	__u32 length = t->outer - data;

	if (data + sizeof(ethernet) > end)
		return false;
	__builtin_memcpy(ethernet, data, sizeof(ethernet));
	if (bpf_xdp_adjust_head(ctx, t->inner - t->outer))
		return false;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(ethernet) > end)
		return false;
	if (length == ETH_HLEN) {
		__builtin_memcpy(data, ethernet, ETH_HLEN);
		__builtin_memcpy(data + ETH_HLEN - sizeof(type), &type, sizeof(type));
	} else if (length == ETH_HLEN + VLAN_TAG_BYTES) {
		__builtin_memcpy(data, ethernet, ETH_HLEN + VLAN_TAG_BYTES);
		__builtin_memcpy(data + ETH_HLEN + VLAN_TAG_BYTES - sizeof(type), &type, sizeof(type));
	} else {
		__builtin_memcpy(data, ethernet, ETHERNET_MAX_BYTES);
		__builtin_memcpy(data + ETHERNET_MAX_BYTES - sizeof(type), &type, sizeof(type));
	}
	return true;
}

static __always_inline enum weir_host_outcome take_tunnel_off(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct tunnel t = {};
	__be16 type = 0;
	int outcome;

	t.outer = skip_ethernet(data, end, &type);
	if (!t.outer)
		return WEIR_HOST_OTHER;
	if (type == bpf_htons(ETH_P_IP))
		outcome = parse_outer4(&t, end);
	else if (type == bpf_htons(ETH_P_IPV6))
		outcome = parse_outer6(&t, end);
	else
		return WEIR_HOST_OTHER;
	if (outcome)
		return outcome;
	outcome = t.protocol == IPPROTO_IPIP ? accept_inner4(&t, end) : accept_inner6(&t, end);
	if (outcome != WEIR_HOST_DECAPSULATED4 && outcome != WEIR_HOST_DECAPSULATED6)
		return outcome;
	type = bpf_htons(t.protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6);
	return strip_outer(ctx, &t, type) ? outcome : WEIR_HOST_BUG;
}

SEC("xdp")
int weir_backend(struct xdp_md *ctx)
{
	__u64 bytes = ctx->data_end - ctx->data;
	__u32 outcome = take_tunnel_off(ctx);
	struct weir_count *count = bpf_map_lookup_elem(&host_count, &outcome);

	if (count) {
		count->packets++;
		count->bytes += bytes;
	}
	switch (outcome) {
	case WEIR_HOST_MALFORMED:
	case WEIR_HOST_FOREIGN_EDGE:
	case WEIR_HOST_ECN:
	case WEIR_HOST_BUG:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
