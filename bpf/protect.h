/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 2, protect: what must always reach the kernel, whatever is configured later. ARP has passed in parse.
 */
#ifndef WEIR_BPF_PROTECT_H
#define WEIR_BPF_PROTECT_H

#include "bits.h"
#include "parse.h"
#include "vip.h"

/* Not in <linux/icmpv6.h>: RFC 4861 and RFC 3810. */
#define ND_ROUTER_SOLICITATION 133
#define ND_REDIRECT	       137

static __always_inline bool protect_is_link_local(const struct packet *p)
{
	return (p->source.word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* Neighbour discovery is only valid with hop limit 255, which no router forwards (RFC 4861, 6.1 and 7.1); multicast
 * listener discovery with hop limit 1 from a link-local or the unspecified address (RFC 3810, 5.1). */
static __always_inline bool protect_is_neighbour_discovery(const struct packet *p)
{
	if (p->family != WEIR_IPV6 || p->protocol != IPPROTO_ICMP || p->fragment)
		return false;
	if (p->icmp_type >= ND_ROUTER_SOLICITATION && p->icmp_type <= ND_REDIRECT)
		return p->ttl == 255;
	if ((p->icmp_type < ICMPV6_MGM_QUERY || p->icmp_type > ICMPV6_MGM_REDUCTION) &&
	    p->icmp_type != ICMPV6_MLD2_REPORT)
		return false;
	return p->ttl == 1 && (protect_is_link_local(p) ||
			       (!p->source.word[0] && !p->source.word[1] && !p->source.word[2] && !p->source.word[3]));
}

/* A VIP has no DHCP client; DHCPv6 on a link is spoken from link-local addresses (RFC 8415, 5 and 18.3). */
static __always_inline bool protect_is_dhcp(struct packet *p, const struct weir_policy *policy)
{
	__u16 sport = bpf_ntohs(p->sport), dport = bpf_ntohs(p->dport);

	if (p->protocol != IPPROTO_UDP || p->fragment)
		return false;
	if (p->family == WEIR_IPV4)
		return (sport == 67 || sport == 68) && (dport == 67 || dport == 68) && !vip_find(p, policy);
	return (sport == 546 || sport == 547) && (dport == 546 || dport == 547) && protect_is_link_local(p);
}

static __always_inline __u64 protect_port_mask(struct packet *p, __be16 port)
{
	__u32 index = bpf_ntohs(port) + (p->protocol == IPPROTO_UDP ? WEIR_PROTECT_UDP : 0);
	__u64 *mask = bank_lookup(protect_ports, p->bank, &index);

	return mask ? *mask : 0;
}

static __always_inline __u64 protect_differs(const struct weir_protect *entry, int word, __u64 two)
{
	return (two & addr_two(&entry->mask, word)) ^ addr_two(&entry->address, word);
}

/* The first of the candidates that covers the source, + 1; 0: none. The source's words in network order, the first of
 * each two in the upper half. A global function, which the verifier checks once by itself; few packets have candidates.
 */
__noinline __u32 protect_search(__u32 bank, __u64 candidates, __u32 family, __u64 high, __u64 low)
{
	for (int i = 0; i < WEIR_MAX_PROTECT && candidates; i++) {
		__u32 index = bits_lowest(candidates);
		struct weir_protect *entry = bank_lookup(protect, bank & 1, &index);

		if (entry &&
		    !((entry->family ^ family) | protect_differs(entry, 0, high) | protect_differs(entry, 2, low)))
			return index + 1;
		candidates &= candidates - 1;
	}
	return 0;
}

static __always_inline enum step stage_protect(struct packet *p, const struct weir_policy *policy)
{
	__u64 candidates;
	__u32 found;

	p->stage = WEIR_STAGE_PROTECT;
	if (protect_is_neighbour_discovery(p))
		return packet_decide(p, WEIR_PASS, WEIR_REASON_NEIGHBOUR_DISCOVERY);
	if (protect_is_dhcp(p, policy))
		return packet_decide(p, WEIR_PASS, WEIR_REASON_DHCP);
	if (!policy->protects)
		return STEP_NEXT;
	candidates = policy->protect_any;
	if ((p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) && p->fragment != FRAGMENT_LATER)
		candidates |= protect_port_mask(p, p->dport) | protect_port_mask(p, p->sport);
	if (!candidates)
		return STEP_NEXT;
	found = protect_search(p->bank, candidates, p->family, addr_two(&p->source, 0), addr_two(&p->source, 2));
	if (!found)
		return STEP_NEXT;
	TRACE(protect, found);
	return packet_decide(p, WEIR_PASS, WEIR_REASON_PROTECTED);
}

#endif
