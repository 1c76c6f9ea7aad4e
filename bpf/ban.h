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

/* The list that an entry is on now: allow before deny, 0 when its time is over. */
static __always_inline __u32 ban_list(const struct weir_ban *ban)
{
	__u64 now = 0;

	if (ban->deny_until_ns || ban->allow_until_ns) {
		struct weir_trace *t = packet_trace();

		now = t ? t->now_ns : bpf_ktime_get_ns();
	}
	if (ban->lists & WEIR_BAN_ALLOW && (!ban->allow_until_ns || ban->allow_until_ns > now))
		return WEIR_BAN_ALLOW;
	if (ban->lists & WEIR_BAN_DENY && (!ban->deny_until_ns || ban->deny_until_ns > now))
		return WEIR_BAN_DENY;
	return 0;
}

/* The address in network order; lengths has a bit for each prefix length in use. Any allow entry wins; among deny
 * entries the shortest prefix is named. */
__noinline __u32 ban_search4(__u32 address, __u64 lengths)
{
	__u32 found = 0;

	for (int i = 0; i < 33 && lengths; i++) {
		__u32 length = bits_lowest(lengths), list;
		struct weir_ban4_key key = {address & bits_mask_word(length, 0), length};
		struct weir_ban *ban = bpf_map_lookup_elem(&ban4, &key);

		lengths &= lengths - 1;
		list = ban ? ban_list(ban) : 0;
		if (list == WEIR_BAN_ALLOW)
			return BAN_FOUND(list, length);
		if (list && !found)
			found = BAN_FOUND(list, length);
	}
	return found;
}

/* The same for one word of the IPv6 lengths; base is the length of its lowest bit. */
__noinline __u32 ban_search6(__u64 high, __u64 low, __u64 lengths, __u32 base)
{
	__u32 found = 0;

	for (int i = 0; i < WEIR_MAX_BAN_LENGTHS && lengths; i++) {
		__u32 length = (base + bits_lowest(lengths)) & 255, list;
		struct weir_ban6_key key = {
			.address = {(__u32)(high >> 32) & bits_mask_word(length, 0),
				    (__u32)high & bits_mask_word(length, 1),
				    (__u32)(low >> 32) & bits_mask_word(length, 2),
				    (__u32)low & bits_mask_word(length, 3)},
			.length = length,
		};
		struct weir_ban *ban = bpf_map_lookup_elem(&ban6, &key);

		lengths &= lengths - 1;
		list = ban ? ban_list(ban) : 0;
		if (list == WEIR_BAN_ALLOW)
			return BAN_FOUND(list, length);
		if (list && !found)
			found = BAN_FOUND(list, length);
	}
	return found;
}

static __always_inline __u32 ban_find6(const struct packet *p, const struct weir_ban_lengths *lengths)
{
	__u64 high = (__u64)p->source.word[0] << 32 | p->source.word[1];
	__u64 low = (__u64)p->source.word[2] << 32 | p->source.word[3];
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
