/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 3, admit: sources that no packet may come from, and the live allow and deny entries. */
#ifndef WEIR_BPF_ADMIT_H
#define WEIR_BPF_ADMIT_H

#include "folded.h"
#include "parse.h"

/* RFC 6890 for what can never be a source: unspecified and "this network", loopback, multicast, broadcast. IGMP
 * queries of snooping switches do come from 0.0.0.0 (RFC 4541, 2.1.1). */
static __always_inline bool admit_is_martian4(const struct packet *p)
{
	__u32 source = bpf_ntohl(p->source.word[0]);
	__u8 first = source >> 24;

	if (!source && p->protocol == IPPROTO_IGMP)
		return false;
	return first == 0 || first == 127 || (first >= 224 && first <= 239) || source == 0xffffffff;
}

/* Unspecified, loopback, IPv4-mapped and multicast sources. */
static __always_inline bool admit_is_martian6(const struct packet *p)
{
	const __be32 *word = p->source.word;

	if ((word[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000))
		return true;
	if (word[0] || word[1])
		return false;
	return word[2] == bpf_htonl(0xffff) || (!word[2] && (!word[3] || word[3] == bpf_htonl(1)));
}

/* What the live lists say of the source. The tables are asked of it here when the lists or the rules want to know. */
static __always_inline __u32 admit_find_ban(struct packet *p, const struct weir_policy *policy)
{
	__u32 ban = ban_find(p);

	if (ban && !(policy->filters & WEIR_FILTERS_FOLDED))
		return ban;
	if (!(policy->filters & (WEIR_FILTERS_FOLDED | WEIR_FILTERS_SOURCES)))
		return ban;
	filter_classify_source(p, &policy->filter);
	if (policy->filters & WEIR_FILTERS_FOLDED)
		return folded_join(p, ban, folded_lists(&policy->filter, p->bank, p->source_class));
	return ban;
}

static __always_inline enum step stage_admit(struct packet *p, const struct weir_policy *policy)
{
	__u32 found;

	p->stage = WEIR_STAGE_ADMIT;
	if (p->family == WEIR_IPV4 ? admit_is_martian4(p) : admit_is_martian6(p))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_MARTIAN);
	if (addr_same(&p->source, &p->destination))
		return packet_decide(p, WEIR_DROP, WEIR_REASON_LAND);
	found = admit_find_ban(p, policy);
	TRACE(ban_lists, BAN_LIST(found));
	TRACE(ban_length, BAN_LENGTH(found));
	if (BAN_LIST(found) == WEIR_BAN_DENY)
		return packet_decide(p, WEIR_DROP, WEIR_REASON_DENIED);
	/* Without a branch, since the verifier follows each path through the rest of the program. */
	p->allowed |= BAN_LIST(found) / WEIR_BAN_ALLOW;
	return STEP_NEXT;
}

#endif
