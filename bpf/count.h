/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 8, count: the single exit. Every packet is counted once by verdict and reason, and under its service and
 * backend where it was sent to one, and under the rule that decided; limits and shadows count themselves as they are
 * evaluated.
 */
#ifndef WEIR_BPF_COUNT_H
#define WEIR_BPF_COUNT_H

#include "mark.h"
#include "packet.h"
#include "parse.h"

static __always_inline bool count_is_new_flow(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP && (p->tcp_flags & 0x12) == 0x02; /* SYN without ACK */
}

static __always_inline void count_flow(struct weir_flow_count *count, const struct packet *p)
{
	if (!count)
		return;
	count->packets++;
	count->bytes += p->ip_length;
	if (count_is_new_flow(p))
		count->flows++;
}

static __always_inline void count_limit_outcome(__u32 limit, __u32 ip_length, bool dropped)
{
	struct weir_limit_count *count;

	if (cfg_read_only)
		return;
	count = bpf_map_lookup_elem(&count_limit, &limit);
	if (!count)
		return;
	if (dropped) {
		count->dropped++;
		count->dropped_bytes += ip_length;
	} else {
		count->passed++;
		count->passed_bytes += ip_length;
	}
}

/* Of a rule that decided, or of a shadow. */
static __always_inline void count_rule_match(__u32 id, __u32 frame_length, __u64 heartbeat_ns)
{
	struct weir_rule_count *count;

	if (cfg_read_only)
		return;
	count = bpf_map_lookup_elem(&count_rule, &id);
	if (!count)
		return;
	count->packets++;
	count->bytes += frame_length;
	count->last_ns = heartbeat_ns;
}

/* Copies what the packet was found to be and what became of it; the stages have noted their details on the way. */
static __always_inline void count_trace(const struct packet *p)
{
	struct weir_trace *t = packet_trace();

	if (!t)
		return;
	t->verdict = p->verdict;
	t->reason = p->reason;
	t->stage = p->stage;
	t->used_generation = p->generation;
	t->source = p->quote ? p->client : p->source;
	t->destination = p->destination;
	t->family = p->family;
	t->ip_length = p->ip_length;
	t->sport = bpf_ntohs(p->sport);
	t->dport = bpf_ntohs(p->dport);
	t->protocol = p->flow_protocol;
	t->tcp_flags = p->tcp_flags;
	t->fragment = p->fragment;
	t->vlan_tags = p->vlan_tags;
	t->ttl = p->ttl;
	t->icmp_quote = p->quote;
	t->limit_id = p->limit;
	t->rule_id = p->rule;
	t->vip = !!p->vip;
	t->service_id = p->service;
	t->backend_id = p->backend;
}

static __always_inline int stage_count(struct packet *p)
{
	__u32 index;

	mark_for_kernel(p);
	index = (p->reason & (WEIR_REASON_MAX - 1)) * WEIR_VERDICTS + (p->verdict & (WEIR_VERDICTS - 1));
	if (cfg_trace)
		count_trace(p);
	if (!cfg_read_only) {
		struct weir_count *total = bpf_map_lookup_elem(&count_verdict, &index);

		if (total) {
			total->packets++;
			total->bytes += p->frame_length;
		}
		if (p->rule)
			count_rule_match(p->rule, p->frame_length, p->heartbeat_ns);
		if (p->reason == WEIR_REASON_STEERED) {
			count_flow(bpf_map_lookup_elem(&count_service, &p->service), p);
			count_flow(bpf_map_lookup_elem(&count_backend, &p->backend), p);
		}
	}
	switch (p->verdict) {
	case WEIR_PASS:
		return XDP_PASS;
	case WEIR_TX:
		return XDP_TX;
	case WEIR_REDIRECT:
		return XDP_REDIRECT;
	default:
		return XDP_DROP;
	}
}

#endif
