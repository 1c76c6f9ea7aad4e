/* SPDX-License-Identifier: BSD-2-Clause */
/* What must become of a packet: what comes before the rules, the rules one by one, and what comes behind. */
#include "filter_world.h"
#include <string.h>

static bool decide(struct world_outcome *outcome, enum weir_verdict verdict, enum weir_reason reason)
{
	outcome->verdict = verdict;
	outcome->reason = reason;
	return true;
}

static bool is_icmp(const struct oracle_packet *p)
{
	return p->protocol == (p->source.family == WEIR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool is_neighbour_discovery(const struct world_packet *packet)
{
	const struct oracle_packet *p = &packet->packet;
	bool unspecified = addr_equal(&p->source, &(struct addr){.family = WEIR_IPV6});

	if (p->source.family != WEIR_IPV6 || !is_icmp(p) || p->fragment)
		return false;
	if (p->icmp_type >= 133 && p->icmp_type <= 137)
		return p->ttl == 255;
	return ((p->icmp_type >= 130 && p->icmp_type <= 132) || p->icmp_type == 143) && p->ttl == 1 &&
	       (packet->source->is_link_local || unspecified);
}

static bool is_dhcp(const struct world_packet *packet)
{
	const struct oracle_packet *p = &packet->packet;
	uint16_t low = p->source.family == WEIR_IPV4 ? 67 : 546;

	if (p->protocol != IPPROTO_UDP || p->fragment || p->sport < low || p->sport > low + 1 || p->dport < low ||
	    p->dport > low + 1)
		return false;
	return p->source.family == WEIR_IPV4 ? !packet->destination->is_vip : packet->source->is_link_local;
}

static bool is_protected(const struct world_packet *packet)
{
	const struct oracle_packet *p = &packet->packet;
	uint16_t port = p->protocol == IPPROTO_TCP ? 22 : p->protocol == IPPROTO_UDP ? 161 : 0;

	return packet->source->is_protected ||
	       (packet->source->is_managed && port && p->fragment != 2 && (p->sport == port || p->dport == port));
}

/* Returns whether the packet never comes to the rules. */
static bool judge_before(const struct world_packet *packet, struct world_outcome *outcome)
{
	const struct oracle_packet *p = &packet->packet;
	bool is_v4 = p->source.family == WEIR_IPV4;

	if (p->protocol == (is_v4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return decide(outcome, WEIR_DROP, WEIR_REASON_MALFORMED);
	if (is_neighbour_discovery(packet))
		return decide(outcome, WEIR_PASS, WEIR_REASON_NEIGHBOUR_DISCOVERY);
	if (is_dhcp(packet))
		return decide(outcome, WEIR_PASS, WEIR_REASON_DHCP);
	if (is_protected(packet))
		return decide(outcome, WEIR_PASS, WEIR_REASON_PROTECTED);
	/* IGMP may come from 0.0.0.0. */
	if (packet->source->is_martian && (!is_v4 || p->source.bytes.word[0] || p->protocol != IPPROTO_IGMP))
		return decide(outcome, WEIR_DROP, WEIR_REASON_MARTIAN);
	if (addr_equal(&p->source, &p->destination))
		return decide(outcome, WEIR_DROP, WEIR_REASON_LAND);
	return packet->source->is_denied && !packet->source->is_allowed &&
	       decide(outcome, WEIR_DROP, WEIR_REASON_DENIED);
}

static bool is_in_force(const struct world *world, const struct config_rule *rule, uint64_t now_ns)
{
	int64_t left_s = rule->expires_s - RULE_CHANCE_NOW_S;

	if (rule->mode == CONFIG_RULE_OFF)
		return false;
	return !rule->expires_s || (left_s > 0 && world->start_ns + (uint64_t)left_s * 1000000000 > now_ns);
}

static void judge_rules(const struct world *world, const struct world_packet *packet, struct world_outcome *outcome)
{
	const struct rules_by_chance *rules = &world->rules;

	for (size_t word = 0; word * 64 < rules->config.filter.rules_count; word++) {
		uint64_t left = packet->source->from[word] & packet->destination->to[word];

		for (; left; left &= left - 1) {
			size_t i = word * 64 + (size_t)__builtin_ctzll(left);
			const struct config_rule *rule = &rules->rules[i];

			if (!is_in_force(world, rule, packet->now_ns) ||
			    !oracle_fields_match(&rules->input, rule, &packet->packet))
				continue;
			if (rule->mode == CONFIG_RULE_ENFORCE) {
				outcome->rule = (int)i;
				return;
			}
			outcome->shadows[outcome->shadows_count++] = (uint16_t)i;
		}
	}
}

/* RFC 1122, 3.2.2 and RFC 4443, 2.4: no error about an error, about what is behind a first fragment, or about what went
 * to many. */
static bool is_answered(const struct world_packet *packet)
{
	const struct oracle_packet *p = &packet->packet;
	const uint8_t *to = (const uint8_t *)&p->destination.bytes;

	if (p->fragment == 2)
		return false;
	if (p->source.family == WEIR_IPV6)
		return to[0] != 0xff && !(is_icmp(p) && p->icmp_type < 128);
	return to[0] < 224 && !(is_icmp(p) && (p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12));
}

/* Nobody has asked for anything in the network of the tests. */
static bool is_reply(const struct oracle_packet *p)
{
	if (!is_icmp(p) || p->fragment == 2)
		return false;
	if (p->source.family == WEIR_IPV4)
		return p->icmp_type == 0 || p->icmp_type == 3 || p->icmp_type == 11 || p->icmp_type == 12;
	return p->icmp_type == 129 || (p->icmp_type >= 1 && p->icmp_type <= 4);
}

static bool reject(const struct world_packet *packet, struct world_outcome *outcome)
{
	const struct oracle_packet *p = &packet->packet;
	bool is_segment = p->protocol == IPPROTO_TCP && !p->fragment;

	if (!is_answered(packet))
		return decide(outcome, WEIR_DROP, WEIR_REASON_RULE);
	/* No RST to a RST, nor where options and extension headers would have to go. */
	if (is_segment && (!packet->is_plain || p->tcp_flags & RST))
		return decide(outcome, WEIR_DROP, WEIR_REASON_NO_ANSWER);
	return decide(outcome, WEIR_TX, WEIR_REASON_RULE_REJECT);
}

/* Returns whether the packet's way ends at the rules; *charged is the limit of the rule, 0: none. */
static bool judge_filter(const struct world *world, const struct world_packet *packet, struct world_outcome *outcome,
			 bool *allowed, size_t *charged)
{
	const struct config_filter *filter = &world->rules.config.filter;
	const struct config_rule *rule;

	judge_rules(world, packet, outcome);
	if (outcome->rule < 0) {
		if (filter->default_action == CONFIG_ACTION_PASS)
			return false;
		return is_reply(&packet->packet) ? decide(outcome, WEIR_PASS, WEIR_REASON_REPLY)
						 : decide(outcome, WEIR_DROP, WEIR_REASON_DEFAULT);
	}
	rule = &filter->rules[outcome->rule];
	*allowed = rule->action == CONFIG_ACTION_ALLOW;
	*charged = rule->action == CONFIG_ACTION_LIMIT ? rule->limit : 0;
	outcome->mark = rule->action == CONFIG_ACTION_MARK ? rule->mark : 0;
	if (rule->action == CONFIG_ACTION_REJECT)
		return reject(packet, outcome);
	return rule->action == CONFIG_ACTION_DROP && decide(outcome, WEIR_DROP, WEIR_REASON_RULE);
}

static bool judge_behind(const struct world_packet *packet, struct world_outcome *outcome)
{
	const struct oracle_packet *p = &packet->packet;
	uint8_t echo = p->source.family == WEIR_IPV4 ? 8 : 128;
	bool is_served = (p->protocol == IPPROTO_TCP && p->dport == 443) ||
			 (p->protocol == IPPROTO_UDP && p->dport == 53) || packet->quoted_port == 443;

	if (!packet->destination->is_vip)
		return decide(outcome, WEIR_PASS, WEIR_REASON_NOT_VIP);
	if (p->fragment)
		return decide(outcome, WEIR_DROP, WEIR_REASON_VIP_FRAGMENT);
	if (is_served)
		return decide(outcome, WEIR_PASS, WEIR_REASON_FALLBACK_KERNEL);
	if (!is_icmp(p) || packet->quoted_port)
		return decide(outcome, WEIR_DROP, WEIR_REASON_NO_SERVICE);
	return p->icmp_type == echo ? decide(outcome, WEIR_TX, WEIR_REASON_VIP_ECHO)
				    : decide(outcome, WEIR_DROP, WEIR_REASON_VIP_ICMP);
}

void world_judge(const struct world *world, const struct world_packet *packet, struct world_outcome *outcome)
{
	bool allowed = packet->source->is_allowed;
	size_t charged = 0;

	outcome->rule = -1;
	outcome->mark = 0;
	outcome->shadows_count = 0;
	memset(outcome->is_charged, 0, sizeof(outcome->is_charged));
	if (judge_before(packet, outcome))
		return;
	if (!allowed && judge_filter(world, packet, outcome, &allowed, &charged))
		return;
	outcome->is_charged[0] = packet->destination->is_vip && !allowed;
	if (charged)
		outcome->is_charged[charged] = true;
	judge_behind(packet, outcome);
}
