/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 4, limit: a GCRA (ITU-T I.371, Annex A) per source in a two-row sketch. maps/limit.h says how it is laid out.
 *
 * CPUs may lose each other's update of a bucket; what that admits beyond the rate is at most one packet for each
 * such race. Packets that are over write nothing.
 */
#ifndef WEIR_BPF_LIMIT_H
#define WEIR_BPF_LIMIT_H

#include "bits.h"
#include "count.h"
#include "vip.h"

/* True when the packet is over. Rows that are not over are charged; one that is over has been run up by another
 * key, and is left to drain. */
static __always_inline bool limit_charge(struct packet *p, __u64 hash, __u64 cost_ns, __u64 burst_ns)
{
	__u32 first = hash & (WEIR_SKETCH_COLUMNS - 1);
	__u32 second = WEIR_SKETCH_COLUMNS + (hash >> 32 & (WEIR_SKETCH_COLUMNS - 1));
	__u64 *a = bpf_map_lookup_elem(&sketch, &first), *b = bpf_map_lookup_elem(&sketch, &second);
	__u64 now = packet_now(p), full_a, full_b;

	if (!a || !b)
		return false;
	full_a = *a;
	full_b = *b;
	if (full_a > now + burst_ns && full_b > now + burst_ns)
		return true;
	if (cfg_read_only)
		return false;
	if (full_a <= now + burst_ns)
		*a = (full_a > now ? full_a : now) + cost_ns;
	if (full_b <= now + burst_ns)
		*b = (full_b > now ? full_b : now) + cost_ns;
	return false;
}

static __always_inline __u64 limit_hash(const struct packet *p, const struct weir_limit *limit)
{
	__u32 length = p->family == WEIR_IPV4 ? limit->prefix4 : limit->prefix6;
	struct weir_addr key;

#pragma unroll
	for (int word = 0; word < 4; word++)
		key.word[word] = p->source.word[word] & bits_mask_word(length, word);
	return hash_mix(hash_addr(p->sketch_seed ^ limit->id, &key, p->family), p->family);
}

static __always_inline enum step stage_limit(struct packet *p, const struct weir_policy *policy)
{
	p->stage = WEIR_STAGE_LIMIT;
	/* Asked here, since limits are on traffic to VIPs; steer uses the answer. */
	p->vip = vip_find(p, policy);
	if (p->allowed || !(p->vip | p->rule_limit))
		return STEP_NEXT;
	for (__u32 i = 0; i < WEIR_MAX_LIVE_LIMITS && i < policy->limits; i++) {
		__u32 index = i;
		struct weir_limit *limit = bank_lookup(limits, p->bank, &index);
		__u64 cost;
		bool over;

		if (!limit)
			break;
		if (limit->by_rule ? p->rule_limit != i + 1 : !p->vip)
			continue;
		cost = limit->packet_cost_ns + limit->byte_cost_ps * p->ip_length / 1000;
		over = limit_charge(p, limit_hash(p, limit), cost, limit->burst_ns);
		count_limit_outcome(p, limit->id, over);
		if (over) {
			p->limit = limit->id;
			return packet_decide(p, WEIR_DROP, WEIR_REASON_LIMITED);
		}
	}
	return STEP_NEXT;
}

#endif
