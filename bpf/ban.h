/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live allow and deny entries: one probe per prefix length in use. See maps/ban.h.
 *
 * The searches are global functions, which the verifier checks once by themselves; they are called only while there
 * are entries of the family.
 */
#ifndef WEIR_BPF_BAN_H
#define WEIR_BPF_BAN_H

#include "bits.h"

/* What a search found: 0, or the list of the entry that decides and its prefix length. */
#define BAN_FOUND(list, length) ((__u32)(list) << 8 | (length))
#define BAN_LIST(found)		((found) >> 8)
#define BAN_LENGTH(found)	((found)&0xff)

/* 1 when an end has come, where 0 is none; without a branch, so that the verifier has one path to follow. */
static __always_inline __u32 ban_is_over(__u64 until_ns, __u64 now_ns)
{
	return (((until_ns - 1) & ~0ULL >> 1) - now_ns) >> 63;
}

/* The lists that an entry is on now, 0 when its time is over. */
static __always_inline __u32 ban_lists(const struct weir_ban *ban)
{
	__u64 now = ban->deny_until_ns | ban->allow_until_ns ? packet_clock() : 0;

	return ban->lists & ~(ban_is_over(ban->deny_until_ns, now) * WEIR_BAN_DENY |
			      ban_is_over(ban->allow_until_ns, now) * WEIR_BAN_ALLOW);
}

/* What was found so far, or the deny entry when it is the first. */
static __always_inline __u32 ban_keep(__u32 found, __u32 lists, __u32 length)
{
	__u32 is_first = (found - 1) >> 31 & lists & WEIR_BAN_DENY;

	return found | BAN_FOUND(is_first * WEIR_BAN_DENY, is_first * length);
}

/* The address in network order; lengths has a bit for each prefix length in use. Any allow entry wins; among deny
 * entries the shortest prefix is named. */
__noinline __u32 ban_search4(__u32 address, __u64 lengths)
{
	__u32 found = 0;

	for (int i = 0; i < 33 && lengths; i++) {
		__u32 length = bits_lowest(lengths), lists;
		struct weir_ban4_key key = {address & bits_mask_word(length, 0), length};
		struct weir_ban *ban = bpf_map_lookup_elem(&ban4, &key);

		lengths &= lengths - 1;
		lists = ban ? ban_lists(ban) : 0;
		if (lists & WEIR_BAN_ALLOW)
			return BAN_FOUND(WEIR_BAN_ALLOW, length);
		found = ban_keep(found, lists, length);
	}
	return found;
}

/* The same for one word of the IPv6 lengths; base is the length of its lowest bit. */
__noinline __u32 ban_search6(__u64 high, __u64 low, __u64 lengths, __u32 base)
{
	__u32 found = 0;

	for (int i = 0; i < WEIR_MAX_BAN_LENGTHS && lengths; i++) {
		__u32 length = (base + bits_lowest(lengths)) & 255, lists;
		struct weir_ban6_key key = {.length = length};
		struct weir_ban *ban;

		bits_prefix6(key.address, high, low, length);
		ban = bpf_map_lookup_elem(&ban6, &key);
		lengths &= lengths - 1;
		lists = ban ? ban_lists(ban) : 0;
		if (lists & WEIR_BAN_ALLOW)
			return BAN_FOUND(WEIR_BAN_ALLOW, length);
		found = ban_keep(found, lists, length);
	}
	return found;
}

static __always_inline __u32 ban_find6(const struct packet *p, const struct weir_ban_lengths *lengths)
{
	__u64 high = addr_two(&p->source, 0), low = addr_two(&p->source, 2);
	__u32 found = 0, more;

#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (!lengths->v6[i])
			continue;
		more = ban_search6(high, low, lengths->v6[i], i * 64);
		if (BAN_LIST(more) == WEIR_BAN_ALLOW)
			return more;
		if (!found)
			found = more;
	}
	return found;
}

static __always_inline __u32 ban_find(const struct packet *p)
{
	__u32 zero = 0;
	struct weir_ban_lengths *lengths = bpf_map_lookup_elem(&ban_lengths, &zero);

	if (!lengths)
		return 0;
	if (p->family == WEIR_IPV6)
		return ban_find6(p, lengths);
	return lengths->v4 ? ban_search4(p->source.word[0], lengths->v4) : 0;
}

#endif
