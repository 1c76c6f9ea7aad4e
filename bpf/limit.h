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
static __always_inline bool limit_charge(__u64 hash, __u64 now, __u64 cost_ns, __u64 burst_ns)
{
	__u32 first = hash & (WEIR_SKETCH_COLUMNS - 1);
	__u32 second = WEIR_SKETCH_COLUMNS + (hash >> 32 & (WEIR_SKETCH_COLUMNS - 1));
	__u64 *a = bpf_map_lookup_elem(&sketch, &first), *b = bpf_map_lookup_elem(&sketch, &second);
	__u64 full_a, full_b;

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

/* high and low are the source's words in network order, the first of each two in the upper half. */
static __always_inline __u64 limit_hash(const struct weir_limit *limit, __u64 seed, __u32 family, __u64 high, __u64 low)
{
	__u32 length = family == WEIR_IPV4 ? limit->prefix4 : limit->prefix6;
	struct weir_addr key = {.word = {high >> 32, high, low >> 32, low}};

#pragma unroll
	for (int word = 0; word < 4; word++)
		key.word[word] &= bits_mask_word(length, word);
	return hash_mix(hash_addr(seed ^ limit->id, &key, family), family);
}

/* What limits ask of a packet beside its source and length, with how many there are, in one word. */
#define LIMIT_ASK(p, limits)                                                                                           \
	((p)->bank | (p)->family << 1 | (__u32) !!(p)->vip << 15 | (p)->rule_limit << 16 | (limits) << 24)
#define LIMIT_BANK(asked)    ((asked)&1)
#define LIMIT_FAMILY(asked)  ((asked) >> 1 & 0x7f)
#define LIMIT_HAS_VIP(asked) ((asked) >> 15 & 1)
#define LIMIT_BY_RULE(asked) ((asked) >> 16 & 0xff)
#define LIMIT_COUNT(asked)   ((asked) >> 24)

/* The id of the first limit that the packet is over, 0: none. A global function, which the verifier checks once by
 * itself. */
__noinline __u32 limit_search(__u32 asked, __u64 high, __u64 low, __u64 seed, __u32 ip_length)
{
	bool has_now = false; /* apart from now, which the verifier need not know precisely then */
	__u64 now = 0;

	for (__u32 i = 0; i < WEIR_MAX_LIVE_LIMITS && i < LIMIT_COUNT(asked); i++) {
		__u32 index = i;
		struct weir_limit *limit = bank_lookup(limits, LIMIT_BANK(asked), &index);
		__u64 cost;
		bool over;

		if (!limit)
			break;
		if (limit->by_rule ? LIMIT_BY_RULE(asked) != i + 1 : !LIMIT_HAS_VIP(asked))
			continue;
		if (!has_now)
			now = packet_clock();
		has_now = true;
		cost = limit->packet_cost_ns + limit->byte_cost_ps * ip_length / 1000;
		over = limit_charge(limit_hash(limit, seed, LIMIT_FAMILY(asked), high, low), now, cost,
				    limit->burst_ns);
		count_limit_outcome(limit->id, ip_length, over);
		if (over)
			return limit->id;
	}
	return 0;
}

static __always_inline enum step stage_limit(struct packet *p, const struct weir_policy *policy)
{
	p->stage = WEIR_STAGE_LIMIT;
	/* Asked here, since limits are on traffic to VIPs; steer uses the answer. */
	p->vip = vip_find(p, policy);
	if (p->allowed || !(p->vip | p->rule_limit) || !policy->limits)
		return STEP_NEXT;
	p->limit = limit_search(LIMIT_ASK(p, policy->limits), addr_two(&p->source, 0), addr_two(&p->source, 2),
				p->sketch_seed, p->ip_length);
	return p->limit ? packet_decide(p, WEIR_DROP, WEIR_REASON_LIMITED) : STEP_NEXT;
}

#endif
