/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live entries in the address tables: the class of the source says whether some hold it. Only where a tombstone may be
 * about one of them, and for the trace, it is asked which lengths hold it. See maps/folded.h.
 *
 * The searches are global functions, which the verifier checks once by themselves.
 */
#ifndef WEIR_BPF_FOLDED_H
#define WEIR_BPF_FOLDED_H

#include "ban.h"
#include "filter.h"

/* Of the lengths given, those whose entry on the list has left. The address in network order. */
__noinline __u64 folded_gone4(__u32 address, __u64 lengths, __u32 list)
{
	__u64 gone = 0;

	for (int i = 0; i < 33 && lengths; i++) {
		__u32 length = bits_lowest(lengths);
		struct weir_ban4_key key = {address & bits_mask_word(length, 0), length};
		struct weir_ban *ban = bpf_map_lookup_elem(&ban4, &key);

		if (ban && ban->lists & WEIR_BAN_GONE(list))
			gone |= lengths & -lengths;
		lengths &= lengths - 1;
	}
	return gone;
}

/* The same for one word of the IPv6 lengths; base is the length of its lowest bit. */
__noinline __u64 folded_gone6(__u64 high, __u64 low, __u64 lengths, __u32 base, __u32 list)
{
	__u64 gone = 0;

	for (int i = 0; i < 64 && lengths; i++) {
		__u32 length = (base + bits_lowest(lengths)) & 255;
		struct weir_ban6_key key = {.length = length};
		struct weir_ban *ban;

		bits_prefix6(key.address, high, low, length);
		ban = bpf_map_lookup_elem(&ban6, &key);
		if (ban && ban->lists & WEIR_BAN_GONE(list))
			gone |= lengths & -lengths;
		lengths &= lengths - 1;
	}
	return gone;
}

/* The shortest length of the list that is still there, as BAN_FOUND. */
static __always_inline __u32 folded_left(const struct weir_folded *record, const struct weir_ban_lengths *in_use,
					 __u32 family, __u64 high, __u64 low, __u32 list)
{
#pragma unroll
	for (int i = 0; i < WEIR_LENGTH_WORDS; i++) {
		__u64 left = list == WEIR_BAN_ALLOW ? record->allow[i] : record->deny[i];
		__u64 gone = left & (family == WEIR_IPV6 ? in_use->gone6[i] : i ? 0 : in_use->gone4);

		if (gone && family == WEIR_IPV6)
			left &= ~folded_gone6(high, low, gone, i * 64, list);
		else if (gone)
			left &= ~folded_gone4(high >> 32, gone, list);
		if (left)
			return BAN_FOUND(list, i * 64 + bits_lowest(left));
	}
	return 0;
}

/* What holds a source of the class, with what an entry in the hashes found: any allow entry before any deny entry, of
 * one list the shortest prefix. where is class << 16 | family << 8 | bank. */
__noinline __u32 folded_search(__u32 where, __u32 ban, __u64 high, __u64 low)
{
	__u32 zero = 0, class = where >> 16, family = where >> 8 & 255, found;
	struct weir_ban_lengths *in_use = bpf_map_lookup_elem(&ban_lengths, &zero);
	struct weir_folded *record = bank_lookup(folded, where & 1, &class);

	if (!in_use || !record)
		return ban;
	found = folded_left(record, in_use, family, high, low, WEIR_BAN_ALLOW);
	if (!found && BAN_LIST(ban) != WEIR_BAN_ALLOW)
		found = folded_left(record, in_use, family, high, low, WEIR_BAN_DENY);
	if (!found || BAN_LIST(ban) > BAN_LIST(found) || (BAN_LIST(ban) == BAN_LIST(found) && ban < found))
		return ban;
	return found;
}

/* The lists (WEIR_BAN_*) that hold a class in the tables. */
static __always_inline __u32 folded_lists(const struct weir_filter *f, __u32 bank, __u32 class)
{
	struct weir_folded *record;
	__u32 key = class;

	if (class < WEIR_QUICK_CLASSES)
		return WEIR_FOUND_FOLDED_LISTS(filter_quick(f, class));
	record = bank_lookup(folded, bank, &key);
	return record ? record->lists : 0;
}

/* ban is what was found in the hashes, lists what the tables say. Beside what decides, the length is right in the trace
 * alone. */
static __always_inline __u32 folded_join(const struct packet *p, __u32 ban, __u32 lists)
{
	__u32 zero = 0;
	struct weir_ban_lengths *in_use;

	if (!lists)
		return ban;
	in_use = bpf_map_lookup_elem(&ban_lengths, &zero);
	if (cfg_trace || (in_use && (in_use->gone4 | in_use->gone6[0] | in_use->gone6[1] | in_use->gone6[2])))
		return folded_search(p->source_class << 16 | p->family << 8 | p->bank, ban, addr_two(&p->source, 0),
				     addr_two(&p->source, 2));
	return ban | BAN_FOUND(lists, 0);
}

#endif
