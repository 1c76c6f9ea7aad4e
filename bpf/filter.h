/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage 3, admit, continued: the rules. Each field of the packet becomes a class, each class a bit vector of the rules
 * that it satisfies; the first bit of their AND is the rule that decides. maps/filter.h says how it is laid out.
 *
 * The search works on a question in a per-CPU map, since what global functions take as arguments on old kernels are
 * scalars alone. A rule costs nothing unless it matches; a dimension costs a look-up when some rule looks at it.
 */
#ifndef WEIR_BPF_FILTER_H
#define WEIR_BPF_FILTER_H

#include "answer.h"
#include "classify.h"
#include "mark.h"

/* The actions from here on end the packet's way. */
#define FILTER_ENDS WEIR_ACTION_DROP

/* Where Linux begins to choose ports by itself (ip_local_port_range). */
#define FILTER_EPHEMERAL_PORT 32768

static __always_inline struct weir_question *filter_question(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&question, &zero);
}

static __always_inline __u32 filter_class_of_value(__u32 bank, __u32 base, __u32 value)
{
	__u32 element = base + value, index = element >> 2;
	__u64 *four = bank_lookup(indexes, bank, &index);

	return four ? (__u16)(*four >> 16 * (element & 3)) : 0;
}

/* From the ifindex to its position. */
static __always_inline __u32 filter_interface(const struct weir_filter *filter, __u32 ifindex)
{
	for (__u32 i = 0; i < WEIR_MAX_INTERFACES; i++)
		if (filter->interfaces[i] == ifindex)
			return i;
	return WEIR_MAX_INTERFACES;
}

static __always_inline bool filter_has_header(const struct weir_question *q, __u8 protocol)
{
	return q->protocol == protocol && q->fragment != FRAGMENT_LATER;
}

static __always_inline __u32 filter_value(const struct weir_question *q, const struct weir_filter *filter,
					  __u32 dimension)
{
	bool has_ports = filter_has_header(q, IPPROTO_TCP) || filter_has_header(q, IPPROTO_UDP);

	switch (dimension) {
	case WEIR_DIMENSION_PROTOCOL:
		if (q->family == WEIR_IPV4)
			return q->protocol;
		return 256 + (q->protocol == IPPROTO_ICMP ? IPPROTO_ICMPV6 : q->protocol);
	case WEIR_DIMENSION_SPORT:
		return has_ports ? bpf_ntohs(q->sport) : WEIR_NO_PORT;
	case WEIR_DIMENSION_DPORT:
		return has_ports ? bpf_ntohs(q->dport) : WEIR_NO_PORT;
	case WEIR_DIMENSION_TCP_FLAGS:
		return filter_has_header(q, IPPROTO_TCP) ? q->tcp_flags : WEIR_NO_TCP_FLAGS;
	case WEIR_DIMENSION_ICMP:
		return filter_has_header(q, IPPROTO_ICMP) ? q->icmp_type << 8 | q->icmp_code : WEIR_NO_ICMP;
	case WEIR_DIMENSION_LENGTH:
		return q->ip_length < 0xffff ? q->ip_length : 0xffff;
	case WEIR_DIMENSION_TTL:
		return q->ttl;
	case WEIR_DIMENSION_DSCP:
		return q->tos >> 2;
	case WEIR_DIMENSION_FRAGMENT:
		return q->fragment | (q->family == WEIR_IPV6 && !q->plain ? WEIR_EXTENDED : 0);
	case WEIR_DIMENSION_VLAN:
		return q->tag ? bpf_ntohs(q->tag >> 16) & 0xfff : WEIR_NO_VLAN;
	default:
		return filter_interface(filter, q->ifindex);
	}
}

static __always_inline struct weir_vector_line *filter_vector(const struct weir_filter *filter, __u32 bank,
							      __u32 number)
{
	struct weir_line *line = bank_line(bank, filter->vectors + number);

	return line ? &line->vector : NULL;
}

static __always_inline __u32 filter_class(const struct weir_question *q, const struct weir_filter *filter, __u32 bank,
					  __u32 dimension)
{
	if (dimension == WEIR_DIMENSION_SOURCE)
		return q->source_class;
	if (dimension == WEIR_DIMENSION_DESTINATION)
		return q->destination_class;
	if (dimension >= WEIR_DIMENSIONS_TOTAL)
		return 0;
	return filter_class_of_value(bank, filter->index_base[dimension], filter_value(q, filter, dimension));
}

static __always_inline void filter_and(struct weir_question *q, const struct weir_vector_line *vector)
{
#pragma unroll
	for (int i = 0; i < 8; i++)
		q->word[i] &= vector->word[i];
}

/* The first line of the AND into the question, with the line of each vector for what comes behind. Returns whether
 * any rule may match. */
static __always_inline bool filter_and_first(struct weir_question *q, const struct weir_filter *f, __u32 bank)
{
	__builtin_memset(q->word, 0xff, sizeof(q->word));
	q->line = 0;
	for (__u32 i = 0; i < WEIR_DIMENSIONS_TOTAL && i < f->used; i++) {
		__u32 dimension = f->order[i], line;
		struct weir_vector_line *vector;

		if (dimension >= WEIR_DIMENSIONS_TOTAL)
			return false;
		line = f->vector_base[dimension] + filter_class(q, f, bank, dimension) * f->vector_lines;
		vector = filter_vector(f, bank, line);
		if (!vector)
			return false;
		q->vector[i] = line;
		filter_and(q, vector);
		if (!q->word[0])
			return false;
	}
	return true;
}

/* 5.10 and 6.1 take a call for the end of a block: where the loop that follows begins right behind it, the
 * verifier sees a jump back that it does not allow. */
#define FILTER_AFTER_CALL() asm volatile("goto +0")

/* One more line of the AND: over the vectors, and over the rules that act or the shadows. */
__noinline int filter_and_line(__u32 bank, __u32 line, __u32 shadows)
{
	struct weir_question *q = filter_question();
	struct weir_filter *f = classify_head(bank);

	if (!q || !f)
		return 0;
	__builtin_memset(q->word, 0xff, sizeof(q->word));
	q->line = line;
	for (__u32 i = 0; i <= WEIR_DIMENSIONS_TOTAL && i <= f->used; i++) {
		struct weir_vector_line *vector;
		__u32 index = line;

		if (i < WEIR_DIMENSIONS_TOTAL && i < f->used)
			index += q->vector[i];
		else
			index += f->enforcing + (shadows ? f->vector_lines : 0);
		vector = filter_vector(f, bank, index);
		if (vector)
			filter_and(q, vector);
		else
			q->word[0] = 0;
	}
	return 0;
}

static __always_inline bool filter_has_expired(const struct weir_rule *rule)
{
	return rule->expires_ns && rule->expires_ns <= packet_clock();
}

/* Of the rules of one word of the AND in order: the first that acts; or counts the shadows before number until. */
__noinline __u64 filter_count_word(__u32 bank, __u32 word, __u32 shadows, __u32 until)
{
	struct weir_question *q = filter_question();
	__u64 hits;

	if (!q)
		return 0;
	hits = q->word[word & 7];
	for (int i = 0; i < 64 && hits; i++) {
		__u32 number = ((word - 1) << 6) + bits_lowest(hits);
		struct weir_rule *rule;

		hits &= hits - 1;
		if (number >= until)
			break;
		rule = bank_lookup(rules, bank, &number);
		if (!rule)
			break;
		if (filter_has_expired(rule))
			continue;
		if (!shadows)
			return WEIR_FOUND(number, rule);
		count_rule_match(rule->id, q->frame_length, q->heartbeat_ns);
	}
	return 0;
}

static __always_inline __u64 filter_search(struct weir_question *q, __u32 bank, __u32 shadows, __u32 until)
{
	__u64 summary = q->word[0], found;

	for (int i = 0; i < WEIR_MAX_RULES / 64 && summary; i++) {
		__u32 word = bits_lowest(summary) + 1;

		summary &= summary - 1;
		if (word >> 3 != q->line)
			filter_and_line(bank, word >> 3, shadows);
		FILTER_AFTER_CALL();
		found = filter_count_word(bank, word, shadows, until);
		FILTER_AFTER_CALL();
		if (found)
			return found;
	}
	return 0;
}

/* The rule that acts; the shadows before it are counted. */
static __always_inline __u64 filter_rule(struct weir_question *q, const struct weir_filter *f, __u32 bank)
{
	__u64 found;

	if (!f->rules || !filter_and_first(q, f, bank))
		return 0;
	if (!f->shadows)
		return filter_search(q, bank, 0, WEIR_MAX_RULES);
	filter_and_line(bank, 0, 0);
	FILTER_AFTER_CALL();
	found = filter_search(q, bank, 0, WEIR_MAX_RULES);
	filter_and_line(bank, 0, 1);
	FILTER_AFTER_CALL();
	filter_search(q, bank, 1, found ? WEIR_FOUND_NUMBER(found) : WEIR_MAX_RULES);
	return found;
}

/* The rule that acts, WEIR_FOUND_DEFAULT_DROP, or 0. */
__noinline __u64 filter_decide(__u32 bank)
{
	struct weir_question *q = filter_question();
	struct weir_filter *f = classify_head(bank);
	__u64 found;

	if (!q || !f)
		return 0;
	found = filter_rule(q, f, bank);
	if (!found && f->default_action == WEIR_ACTION_DROP)
		return WEIR_FOUND_DEFAULT_DROP;
	return found;
}

static __always_inline bool filter_is_icmp_answer(const struct weir_question *q)
{
	if (q->family == WEIR_IPV4)
		return q->icmp_type == ICMP_ECHO_REPLY || icmp_is_error4(q->icmp_type);
	return q->icmp_type == ICMPV6_ECHO_REPLY || icmp_is_error6(q->icmp_type);
}

/* Whether the packet answers something that this host sent: of a TCP connection or a connected UDP socket that it has;
 * to a UDP socket on an ephemeral port; an ICMP error or an echo reply, which the kernel judges. */
__noinline int filter_is_reply(struct xdp_md *ctx)
{
	struct weir_question *q = filter_question();
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);
	struct bpf_sock *sk;
	bool is_reply;

	if (!q)
		return false;
	if (filter_has_header(q, IPPROTO_ICMP))
		return filter_is_icmp_answer(q);
	if (!filter_has_header(q, IPPROTO_TCP) && !filter_has_header(q, IPPROTO_UDP))
		return false;
	if (q->family == WEIR_IPV4) {
		tuple.ipv4.saddr = q->source[0];
		tuple.ipv4.daddr = q->destination[0];
		tuple.ipv4.sport = q->sport;
		tuple.ipv4.dport = q->dport;
	} else {
		size = sizeof(tuple.ipv6);
		__builtin_memcpy(tuple.ipv6.saddr, q->source, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, q->destination, sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = q->sport;
		tuple.ipv6.dport = q->dport;
	}
	if (q->protocol == IPPROTO_TCP) {
		sk = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		is_reply = sk && sk->state != BPF_TCP_LISTEN;
	} else {
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
		is_reply = sk && (sk->dst_port || bpf_ntohs(q->dport) >= FILTER_EPHEMERAL_PORT);
	}
	if (sk)
		bpf_sk_release(sk);
	return is_reply;
}

/* Copies without a branch, since the verifier follows each path through the rest of the program. */
static __always_inline void filter_ask(struct packet *p, struct weir_question *q)
{
	__builtin_memcpy(q->source, &p->source, sizeof(q->source));
	__builtin_memcpy(q->destination, &p->destination, sizeof(q->destination));
	q->heartbeat_ns = p->heartbeat_ns;
	q->frame_length = p->frame_length;
	q->ip_length = p->ip_length;
	q->ifindex = packet_ifindex(p);
	q->tag = p->tags[0];
	q->sport = p->sport;
	q->dport = p->dport;
	q->family = p->family;
	q->protocol = p->protocol;
	q->fragment = p->fragment;
	q->plain = p->plain;
	q->tcp_flags = p->tcp_flags;
	q->icmp_type = p->icmp_type;
	q->icmp_code = p->icmp_code;
	q->ttl = p->ttl;
	q->tos = p->tos;
}

/* Nobody is told an error about what went to many, by its address or on the link, or about what lies behind a first
 * fragment (RFC 1122, 3.2.2; RFC 4443, 2.4). */
static __always_inline bool filter_may_answer(struct packet *p)
{
	__u32 first = bpf_ntohl(p->destination.word[0]) >> 24;
	__u8 *link = (void *)(long)p->ctx->data;

	if ((void *)(link + 1) > (void *)(long)p->ctx->data_end || link[0] & 1)
		return false;
	return p->fragment != FRAGMENT_LATER && first < (p->family == WEIR_IPV4 ? 224 : 255) && !answer_is_barred(p);
}

static __always_inline enum step filter_act(struct packet *p, __u64 found)
{
	if (found == WEIR_FOUND_DEFAULT_DROP) {
		if (filter_is_reply(p->ctx))
			return packet_decide(p, WEIR_PASS, WEIR_REASON_REPLY);
		return packet_decide(p, WEIR_DROP, WEIR_REASON_DEFAULT);
	}
	if (WEIR_FOUND_ACTION(found) == WEIR_ACTION_DROP || !filter_may_answer(p))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_RULE);
	return answer_reject(p, WEIR_REASON_RULE_REJECT);
}

/* By a function of its own, for the sake of the verifier; the source, which more rules look at, is looked up in place.
 */
static __always_inline __u32 filter_classify_destination(const struct packet *p)
{
	if (p->family == WEIR_IPV4)
		return classify_fully4(p->bank, bpf_ntohl(p->destination.word[0])) & 0xffff;
	return classify_fully6(p->bank, addr_two(&p->destination, 0), addr_two(&p->destination, 2)) & 0xffff;
}

static __always_inline __u64 filter_decide_fully(struct packet *p, const struct weir_policy *policy, __u32 source_class)
{
	struct weir_question *q = filter_question();

	if (!q)
		return 0;
	filter_ask(p, q);
	q->source_class = source_class;
	if (policy->filters & WEIR_FILTERS_DESTINATIONS)
		q->destination_class = filter_classify_destination(p);
	return filter_decide(p->bank);
}

/* With |, so that the verifier knows nothing of the class, whatever way it was found: one state for the rest. */
static __always_inline void filter_classify_source(struct packet *p, const struct weir_filter *f)
{
	p->source_class |= classify(f, p->bank, p->family, addr_two(&p->source, 0), addr_two(&p->source, 2));
}

/* What is known of one of the first classes. The compiler drops the mask where the class was compared, and then reads
 * it anew from where the verifier knows no bound: so it is told that it may be any. */
static __always_inline __u64 filter_quick(const struct weir_filter *f, __u32 class)
{
	asm volatile("" : "+r"(class));
	return f->quick[class & (WEIR_QUICK_CLASSES - 1)];
}

static __always_inline enum step stage_filter(struct packet *p, const struct weir_policy *policy)
{
	__u64 found;

	if (!(policy->filters & ~WEIR_FILTERS_FOLDED) || p->allowed)
		return STEP_NEXT;
	if (!p->source_class && policy->filters & WEIR_FILTERS_LISTED)
		return STEP_NEXT;
	if (policy->filters & WEIR_FILTERS_QUICK && p->source_class < WEIR_QUICK_CLASSES)
		found = filter_quick(&policy->filter, p->source_class);
	else
		found = filter_decide_fully(p, policy, p->source_class);
	p->rule = WEIR_FOUND_ID(found);
	if (WEIR_FOUND_ACTION(found) >= FILTER_ENDS)
		return filter_act(p, found);
	/* Without a branch, since the verifier follows each path through the rest of the program. */
	p->allowed = WEIR_FOUND_ALLOWS(found);
	p->rule_limit = WEIR_FOUND_LIMIT(found);
	p->matched = MARK_MATCHED(found);
	return STEP_NEXT;
}

#endif
