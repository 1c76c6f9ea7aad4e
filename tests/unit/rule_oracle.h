/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rules of a configuration make of a packet, read off them one by one: what the compiled tables and the
 * program are held against.
 */
#ifndef WEIR_TESTS_UNIT_RULE_ORACLE_H
#define WEIR_TESTS_UNIT_RULE_ORACLE_H

#include <netinet/in.h>
#include <string.h>

#include "user/compile/filter.h"

struct oracle_packet {
	struct addr source, destination; /* of one family */
	uint8_t protocol;		 /* as in the packet, behind IPv6 extension headers */
	uint16_t sport, dport;		 /* host order; of TCP and UDP */
	uint8_t tcp_flags;		 /* of TCP */
	uint8_t icmp_type, icmp_code;	 /* of ICMP and ICMPv6 */
	uint32_t length;		 /* of the IP packet */
	uint8_t ttl, dscp;
	uint8_t fragment; /* 0 whole, 1 first, 2 later: then there are no ports, flags and types */
	bool extensions;  /* IPv6 with extension headers */
	uint16_t vlan;	  /* VID of the outer tag, or WEIR_NO_VLAN */
	uint32_t ifindex;
};

struct oracle_verdict {
	int rule;			  /* index in config.filter.rules of the one that decides, -1: none */
	uint16_t shadows[WEIR_MAX_RULES]; /* indices of the shadows before it that match */
	size_t shadows_count;
};

static inline bool oracle_set_holds(const struct prefixes *set, const struct addr *addr)
{
	uint32_t word[4];

	for (int i = 0; i < 4; i++)
		word[i] = ntohl(addr->bytes.word[i]);
	for (size_t i = 0; set && addr->family == WEIR_IPV4 && i < set->v4_count; i++)
		if (word[0] >= set->v4[i].first && word[0] <= set->v4[i].last)
			return true;
	for (size_t i = 0; set && addr->family == WEIR_IPV6 && i < set->v6_count; i++) {
		const struct prefix6 *entry = &set->v6[i];
		struct prefix prefix = {.addr = {.family = WEIR_IPV6}, .length = entry->length};

		prefix.addr.bytes.word[0] = htonl(entry->high >> 32);
		prefix.addr.bytes.word[1] = htonl((uint32_t)entry->high);
		prefix.addr.bytes.word[2] = htonl(entry->low >> 32);
		prefix.addr.bytes.word[3] = htonl((uint32_t)entry->low);
		if (prefix_covers(&prefix, addr))
			return true;
	}
	return false;
}

static inline bool oracle_is_vip(const struct config *config, const struct addr *addr)
{
	for (size_t i = 0; i < config->services_count; i++)
		for (size_t j = 0; j < config->services[i].addresses_count; j++)
			if (addr_equal(&config->services[i].addresses[j], addr))
				return true;
	return false;
}

static inline bool oracle_term_holds(const struct compile_filter_input *input, const struct config_term *term,
				     const struct addr *addr)
{
	if (term->set == CONFIG_TERM_PREFIX)
		return prefix_covers(&term->prefix, addr);
	if (term->set == CONFIG_TERM_VIPS)
		return oracle_is_vip(input->config, addr);
	return oracle_set_holds(input->contents[term->set], addr);
}

static inline bool oracle_side_matches(const struct compile_filter_input *input, const struct config_term *terms,
				       size_t count, const struct addr *addr)
{
	bool asked = false, held = false;

	for (size_t i = 0; i < count; i++) {
		bool holds = oracle_term_holds(input, &terms[i], addr);

		if (terms[i].negated && holds)
			return false;
		if (terms[i].negated)
			continue;
		asked = true;
		held |= holds;
	}
	return held || !asked;
}

/* there: the packet has the field. */
static inline bool oracle_ranges_match(const struct config_ranges *ranges, bool there, uint32_t value)
{
	for (size_t i = 0; there && i < ranges->count; i++)
		if (value >= ranges->ranges[i].first && value <= ranges->ranges[i].last)
			return true;
	return !ranges->count;
}

static inline bool oracle_transport_matches(const struct config_rule *rule, const struct oracle_packet *packet)
{
	bool is_v6 = packet->source.family == WEIR_IPV6, whole = packet->fragment != 2;
	bool is_tcp = packet->protocol == IPPROTO_TCP, is_udp = packet->protocol == IPPROTO_UDP;
	bool is_icmp = packet->protocol == (is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	bool has_ports = whole && (is_tcp || is_udp);

	if (!oracle_ranges_match(&rule->protocols, true, packet->protocol + (is_v6 ? 256 : 0)))
		return false;
	if (!oracle_ranges_match(&rule->sports, has_ports, packet->sport) ||
	    !oracle_ranges_match(&rule->dports, has_ports, packet->dport))
		return false;
	if (rule->has_tcp_flags &&
	    (!whole || !is_tcp || (packet->tcp_flags & rule->tcp_flags_mask) != rule->tcp_flags_set))
		return false;
	return oracle_ranges_match(&rule->icmp, whole && is_icmp, packet->icmp_type << 8 | packet->icmp_code);
}

static inline bool oracle_arrival_matches(const struct compile_filter_input *input, const struct config_rule *rule,
					  const struct oracle_packet *packet)
{
	for (size_t i = 0; i < rule->interfaces_count; i++) {
		uint32_t ifindex = input->ifindexes ? input->ifindexes[rule->interfaces[i]] : 0;

		if (ifindex && ifindex == packet->ifindex)
			return true;
	}
	return !rule->interfaces_count;
}

/* All but the addresses. */
static inline bool oracle_fields_match(const struct compile_filter_input *input, const struct config_rule *rule,
				       const struct oracle_packet *packet)
{
	uint32_t length = packet->length < 65535 ? packet->length : 65535;

	if (!oracle_transport_matches(rule, packet) || !oracle_arrival_matches(input, rule, packet))
		return false;
	if (rule->fragments && !(rule->fragments >> packet->fragment & 1))
		return false;
	if (rule->extensions && (rule->extensions > 0) != packet->extensions)
		return false;
	return oracle_ranges_match(&rule->length, true, length) && oracle_ranges_match(&rule->ttl, true, packet->ttl) &&
	       oracle_ranges_match(&rule->dscp, true, packet->dscp) &&
	       oracle_ranges_match(&rule->vlan, true, packet->vlan);
}

static inline bool oracle_rule_matches(const struct compile_filter_input *input, const struct config_rule *rule,
				       const struct oracle_packet *packet)
{
	return oracle_side_matches(input, rule->from, rule->from_count, &packet->source) &&
	       oracle_side_matches(input, rule->to, rule->to_count, &packet->destination) &&
	       oracle_fields_match(input, rule, packet);
}

/* Input as compile_filter_build takes it; a rule has expired when its date is not after input->realtime_ns. */
static inline void oracle_judge(const struct compile_filter_input *input, const struct oracle_packet *packet,
				struct oracle_verdict *verdict)
{
	const struct config_filter *filter = &input->config->filter;

	verdict->rule = -1;
	verdict->shadows_count = 0;
	for (size_t i = 0; i < filter->rules_count; i++) {
		const struct config_rule *rule = &filter->rules[i];
		enum config_rule_mode mode = input->rule_modes ? input->rule_modes[i] : rule->mode;

		if (mode == CONFIG_RULE_OFF || (rule->expires_s && rule->expires_s <= input->realtime_ns / 1000000000))
			continue;
		if (!oracle_rule_matches(input, rule, packet))
			continue;
		if (mode == CONFIG_RULE_SHADOW) {
			verdict->shadows[verdict->shadows_count++] = i;
			continue;
		}
		verdict->rule = i;
		return;
	}
}

#endif
