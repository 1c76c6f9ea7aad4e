/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds one packet from words, for explain: Ethernet, a VLAN tag, IPv4 or IPv6, and a transport header. */
#include "replay.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#define BUILD_TTL	 64
#define BUILD_VLAN_MAX	 4094
#define BUILD_TCP_WINDOW 65535

static uint32_t build_sum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

static uint16_t build_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

/* RFC 9293 3.1, RFC 768, RFC 8200 8.1: over the addresses, the protocol and the length too. */
static uint16_t build_transport_checksum(const struct replay_words *words, uint8_t protocol, const void *data,
					 size_t size)
{
	size_t address_size = words->source.family == WEIR_IPV4 ? 4 : 16;
	uint32_t sum = 0;

	if (protocol != IPPROTO_ICMP) {
		sum = build_sum(sum, &words->source.bytes, address_size);
		sum = build_sum(sum, &words->destination.bytes, address_size);
		sum += protocol + (uint32_t)size;
	}
	return build_fold(build_sum(sum, data, size));
}

static void build_ethernet(const struct replay_words *words, uint8_t *out)
{
	static const uint8_t macs[2 * ETH_ALEN] = {0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01};
	uint16_t ethertype = htons(words->source.family == WEIR_IPV4 ? ETH_P_IP : ETH_P_IPV6);
	size_t at = sizeof(macs);

	memcpy(out, macs, sizeof(macs));
	if (words->vlan >= 0) {
		uint16_t tag[2] = {htons(ETH_P_8021Q), htons((uint16_t)words->vlan)};

		memcpy(out + at, tag, sizeof(tag));
		at += sizeof(tag);
	}
	memcpy(out + at, &ethertype, sizeof(ethertype));
}

static void build_ip(const struct replay_words *words, uint8_t protocol, uint8_t *out, size_t length)
{
	uint8_t ttl = words->ttl ? words->ttl : BUILD_TTL;

	if (words->source.family == WEIR_IPV4) {
		struct iphdr ip = {
			.version = 4,
			.ihl = sizeof(ip) / 4,
			.tot_len = htons((uint16_t)length),
			.frag_off = htons(IP_DF),
			.ttl = ttl,
			.protocol = protocol,
			.saddr = words->source.bytes.word[0],
			.daddr = words->destination.bytes.word[0],
		};

		ip.check = build_fold(build_sum(0, &ip, sizeof(ip)));
		memcpy(out, &ip, sizeof(ip));
	} else {
		struct ip6_hdr ip = {
			.ip6_flow = htonl(6u << 28),
			.ip6_plen = htons((uint16_t)(length - sizeof(ip))),
			.ip6_nxt = protocol,
			.ip6_hlim = ttl,
		};

		memcpy(&ip.ip6_src, &words->source.bytes, sizeof(ip.ip6_src));
		memcpy(&ip.ip6_dst, &words->destination.bytes, sizeof(ip.ip6_dst));
		memcpy(out, &ip, sizeof(ip));
	}
}

static size_t build_transport_size(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return sizeof(struct tcphdr);
	case IPPROTO_UDP:
		return sizeof(struct udphdr);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return sizeof(struct icmp6_hdr);
	default:
		return 0;
	}
}

/* out is zeroed; size covers the transport header and what follows it. */
static void build_transport(const struct replay_words *words, uint8_t protocol, uint8_t *out, size_t size)
{
	if (protocol == IPPROTO_TCP) {
		struct tcphdr tcp = {
			.th_sport = htons(words->sport),
			.th_dport = htons(words->dport),
			.th_seq = htonl(1),
			.th_off = sizeof(tcp) / 4,
			.th_flags = words->tcp_flags ? words->tcp_flags : TH_ACK,
			.th_win = htons(BUILD_TCP_WINDOW),
		};

		memcpy(out, &tcp, sizeof(tcp));
		tcp.th_sum = build_transport_checksum(words, protocol, out, size);
		memcpy(out, &tcp, sizeof(tcp));
	} else if (protocol == IPPROTO_UDP) {
		struct udphdr udp = {
			.uh_sport = htons(words->sport),
			.uh_dport = htons(words->dport),
			.uh_ulen = htons((uint16_t)size),
		};

		memcpy(out, &udp, sizeof(udp));
		udp.uh_sum = build_transport_checksum(words, protocol, out, size);
		if (!udp.uh_sum)
			udp.uh_sum = 0xffff;
		memcpy(out, &udp, sizeof(udp));
	} else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		struct icmphdr icmp = {.type = words->icmp_type, .code = words->icmp_code};

		memcpy(out, &icmp, sizeof(icmp));
		icmp.checksum = build_transport_checksum(words, protocol, out, size);
		memcpy(out, &icmp, sizeof(icmp));
	}
}

static int build_check(const struct replay_words *words, uint8_t protocol, struct problem *problem)
{
	bool ported = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

	if (!words->source.family || !words->destination.family)
		return problem_set(problem, -EINVAL, "a packet needs a source and a destination address");
	if (words->source.family != words->destination.family)
		return problem_set(problem, -EINVAL, "the source and the destination are of different IP versions");
	if (ported && (!words->sport || !words->dport))
		return problem_set(problem, -EINVAL, "a %s packet needs a source and a destination port",
				   protocol == IPPROTO_TCP ? "TCP" : "UDP");
	if (words->vlan > BUILD_VLAN_MAX)
		return problem_set(problem, -EINVAL, "there is no VLAN %d: 0 to %d exist", words->vlan, BUILD_VLAN_MAX);
	if (words->source.family == WEIR_IPV4 && protocol == IPPROTO_ICMPV6)
		return problem_set(problem, -EINVAL, "ICMPv6 does not go over IPv4: use icmp");
	return 0;
}

ssize_t replay_build_packet(const struct replay_words *words, uint8_t *out, size_t out_size, struct problem *problem)
{
	bool ipv6 = words->source.family == WEIR_IPV6;
	uint8_t protocol = ipv6 && words->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : words->protocol;
	size_t ip_size = ipv6 ? sizeof(struct ip6_hdr) : sizeof(struct iphdr);
	size_t least = ip_size + build_transport_size(protocol);
	size_t length = words->length ? words->length : least;
	size_t link_size = ETH_HLEN + (words->vlan >= 0 ? 4 : 0);
	int error = build_check(words, protocol, problem);

	if (error)
		return error;
	if (length < least)
		return problem_set(problem, -EINVAL, "an IP packet of %zu bytes cannot hold its headers of %zu", length,
				   least);
	if (link_size + length > out_size)
		return problem_set(problem, -EINVAL, "an IP packet of %zu bytes is too long: at most %zu fit here",
				   length, out_size - link_size);
	memset(out, 0, link_size + length);
	build_ethernet(words, out);
	build_ip(words, protocol, out + link_size, length);
	build_transport(words, protocol, out + link_size + ip_size, length - ip_size);
	return (ssize_t)(link_size + length);
}
