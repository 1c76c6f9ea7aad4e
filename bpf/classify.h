/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The class of an address: which sets hold it. maps/filter.h says how the tables are laid out.
 *
 * What most addresses need is looked up in place; the rest is left to global functions, which the verifier checks once
 * by themselves. A table that is not there is an empty one.
 */
#ifndef WEIR_BPF_CLASSIFY_H
#define WEIR_BPF_CLASSIFY_H

#include "bits.h"

static __always_inline struct weir_filter *classify_head(__u32 bank)
{
	__u32 zero = 0;
	struct weir_policy *header = bank_lookup(policy, bank, &zero);

	return header ? &header->filter : NULL;
}

/* How many of the range starts of a line are at most low: eight bytes a word, the even and the odd ones each in lanes
 * of 16 bits, where the difference to 256 + low keeps bit 8 exactly when the start is not larger. */
static __always_inline __u32 classify_count_starts(const struct weir_line4 *line, __u32 low)
{
	const __u64 bytes = 0x00ff00ff00ff00ffULL, ones = 0x0001000100010001ULL, eights = ones << 8;
	__u64 limit = low * ones | eights, sum = 0;

#pragma unroll
	for (int i = 0; i < 3; i++) {
		sum += (limit - (line->word[i] & bytes)) & eights;
		sum += (limit - (line->word[i] >> 8 & bytes)) & eights;
	}
	return sum * ones >> 56;
}

static __always_inline __u32 classify_in_line(const struct weir_line4 *line, __u32 low)
{
	__u32 range = classify_count_starts(line, low) - 1;

	if (range >= WEIR_LINE4_RANGES)
		range = WEIR_LINE4_RANGES - 1;
	return line->class[range];
}

/* A line, or the first of eight lines, of lines4. */
static __always_inline __u32 classify_in_lines(const struct weir_filter *f, __u32 bank, __u32 index, __u32 is_dense,
					       __u32 low)
{
	struct weir_line *line = bank_line(bank, f->lines4 + index + (is_dense ? low >> 5 : 0));

	if (!line)
		return 0;
	return is_dense ? line->ranges4.dense[low & 31] : classify_in_line(&line->ranges4, low);
}

/* number is of the /24's value, low the last byte of the address. */
static __always_inline __u32 classify_value4(const struct weir_filter *f, __u32 bank, __u32 number, __u32 low)
{
	struct weir_line *line = bank_line(bank, f->values4 + number / WEIR_LINE_VALUES4);
	__u32 value;

	if (!line)
		return 0;
	value = line->values4[number % WEIR_LINE_VALUES4];
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_CLASS)
		return WEIR_VALUE4_INDEX(value);
	return classify_in_lines(f, bank, WEIR_VALUE4_INDEX(value), WEIR_VALUE4_KIND(value) == WEIR_VALUE4_DENSE, low);
}

/* 1 when the entry is that of the /24, else 0; without a branch, so that the verifier has one path to follow. The key's
 * kind, which no entry lacks, tells an entry of 0.0.0.0/24 from none. */
static __always_inline __u32 classify_is_entry4(const struct weir_entry4 *entry, __u32 number)
{
	return (((entry->key ^ number) & 0xffffff) - 1) >> 31 & (entry->key >> 24 | entry->key >> 25);
}

/* The entry of a /24 in the line that is so many behind the one that its hash leads to; NULL: none. */
static __always_inline struct weir_entry4 *classify_find_entry4(const struct weir_filter *f, __u32 bank, __u32 number,
								__u32 behind)
{
	__u32 at = weir_hash4(number, f->entries4_seed, f->entries4_lines) + behind;
	struct weir_line *line = bank_line(bank, f->entries4 + at);
	__u32 second, third, fourth;

	if (!line)
		return NULL;
	second = classify_is_entry4(&line->entries4[1], number);
	third = classify_is_entry4(&line->entries4[2], number);
	fourth = classify_is_entry4(&line->entries4[3], number);
	if (!(second | third | fourth | classify_is_entry4(&line->entries4[0], number)))
		return NULL;
	return &line->entries4[(second + 2 * third + 3 * fourth) % WEIR_LINE_ENTRIES4];
}

/* The class, or the outer one's: without a branch, since whether an address is within is anybody's guess. */
static __always_inline __u32 classify_in_range4(const struct weir_entry4 *entry, int i, __u32 class, __u32 low)
{
	__u32 is_within = (((low - entry->first[i]) & 255) - entry->span[i] - 1) >> 31;

	return class ^ ((class ^ entry->inner[i]) & -is_within);
}

static __always_inline __u32 classify_in_ranges4(const struct weir_entry4 *entry, __u32 low)
{
	return classify_in_range4(entry, 1, classify_in_range4(entry, 0, entry->class, low), low);
}

/* An entry wherever it may lie, and whatever it is. */
static __always_inline __u32 classify_entry4(const struct weir_filter *f, __u32 bank, __u32 number, __u32 low)
{
	for (__u32 i = 0; i < WEIR_ENTRY4_PROBES; i++) {
		struct weir_entry4 *entry = classify_find_entry4(f, bank, number, i);
		__u32 kind;

		if (!entry)
			continue;
		kind = entry->key >> 24;
		if (kind == WEIR_ENTRY4_RANGES)
			return classify_in_ranges4(entry, low);
		return classify_in_lines(f, bank, entry->index, kind == WEIR_ENTRY4_DENSE, low);
	}
	return 0;
}

/* The half of tops4's element that is the /16's. */
static __always_inline __u32 classify_top4(__u32 bank, __u32 address)
{
	__u32 pair = address >> 17;
	__u64 *tops = bank_lookup(tops4, bank, &pair);

	return tops ? *tops >> (address >> 16 & 1) * 32 : 0;
}

static __always_inline __u64 *classify_bits4(__u32 bank, __u32 address)
{
	__u32 word = address >> 14;

	return bank_lookup(bits4, bank, &word);
}

static __always_inline bool classify_is_listed4(__u64 bits, __u32 address)
{
	return bits >> (address >> 8 & 63) & 1;
}

/* The class of an address in host order, whatever it takes. A global function, which the verifier checks once by
 * itself. */
__noinline __u32 classify_fully4(__u32 bank, __u32 address)
{
	__u32 number = address >> 8, low = address & 255, values = classify_top4(bank & 1, address);
	__u64 *bits = classify_bits4(bank & 1, address);
	struct weir_filter *f = classify_head(bank & 1);

	if (!f || !bits || !classify_is_listed4(*bits, address))
		return 0;
	return values ? classify_value4(f, bank & 1, values - 1 + (number & 255), low)
		      : classify_entry4(f, bank & 1, number, low);
}

/* The same, at once where the /24 has an entry in the line that its hash leads to. */
static __always_inline __u32 classify4(const struct weir_filter *f, __u32 bank, __u32 address)
{
	__u64 *bits = classify_bits4(bank, address);
	struct weir_entry4 *entry;

	if (!bits || !classify_is_listed4(*bits, address))
		return 0;
	if (*bits != WEIR_BITS4_VALUES) {
		entry = classify_find_entry4(f, bank, address >> 8, 0);
		if (entry && entry->key >> 24 == WEIR_ENTRY4_RANGES)
			return classify_in_ranges4(entry, address & 255);
	}
	return classify_fully4(bank, address) & 0xffff;
}

#define CLASSIFY_FOUND (1u << 16)

/* The class of the prefix of that length around the address with CLASSIFY_FOUND, 0 when it is no entry. high and low
 * are the address's words in network order, the first of each in the upper half. */
__noinline __u32 classify_probe6(__u32 bank, __u64 high, __u64 low, __u32 length)
{
	struct weir_filter *f = classify_head(bank & 1);
	__be32 word[4];
	__u32 index;

	if (!f)
		return 0;
	bits_prefix6(word, high, low, length & 255);
	index = weir_hash6(word, length & 255) & f->buckets6_mask;
	for (int i = 0; i < WEIR_BUCKET6_CHAIN; i++) {
		struct weir_line *line = bank_line(bank & 1, f->buckets6 + index);

		if (!line)
			return 0;
#pragma unroll
		for (int j = 0; j < WEIR_BUCKET6_ENTRIES; j++) {
			const struct weir_entry6 *entry = &line->bucket6.entry[j];

			if (entry->length == (length & 255) &&
			    !((entry->address[0] ^ word[0]) | (entry->address[1] ^ word[1]) |
			      (entry->address[2] ^ word[2]) | (entry->address[3] ^ word[3])))
				return CLASSIFY_FOUND | entry->class;
		}
		index = line->bucket6.next;
		if (!index)
			return 0;
	}
	return 0;
}

/* The longest of the prefixes that lengths names; bit 0 is length base. */
static __always_inline __u32 classify_lengths6(__u32 bank, __u64 high, __u64 low, __u64 lengths, __u32 base)
{
	for (int i = 0; i < 64 && lengths; i++) {
		__u32 bit = bits_highest(lengths), found = classify_probe6(bank, high, low, base + bit);

		if (found)
			return found;
		lengths &= ~(1ULL << (bit & 63));
	}
	return 0;
}

/* The class of the longest of the prefixes that hold the address, which is in host order, with CLASSIFY_FOUND. */
static __always_inline __u32 classify_in_group6(const struct weir_group6 *group, __u64 high, __u64 low)
{
#pragma unroll
	for (int i = 0; i < WEIR_GROUP6_PREFIXES; i++) {
		__u32 shift = group->low_shift[i], half = shift >> 1; /* by 64 in two steps */

		if (i < group->count && !((high ^ group->high[i]) >> (group->high_shift[i] & 63) |
					  (low ^ group->low[i]) >> (half & 63) >> ((shift - half) & 63)))
			return CLASSIFY_FOUND | group->class[i];
	}
	return 0;
}

/* What prefixes from /32 on with these first 32 bits there may be; NULL: none. */
static __always_inline struct weir_group6 *classify_group6(const struct weir_filter *f, __u32 bank, __u32 first)
{
	__u32 hash = weir_hash6_top(first), word = hash >> (f->bits6_shift & 31);
	__u64 bits = weir_bits6(hash, f->bits6_shift);
	struct weir_line *line;

	if (!f->bits6_shift)
		return NULL;
	line = bank_line(bank, f->bits6 + word / 8);
	if (!line || bits & ~line->bits6[word % 8])
		return NULL;
	line = bank_line(bank, f->groups6 + (hash & f->groups6_mask));
	return line ? &line->group6 : NULL;
}

/* The class of an address, whatever it takes. A global function, as for IPv4. */
__noinline __u32 classify_fully6(__u32 bank, __u64 high, __u64 low)
{
	__u32 index = bpf_ntohl(high >> 32) >> 16, found = 0;
	struct weir_filter *f = classify_head(bank & 1);
	struct weir_top6 *top = bank_lookup(tops6, bank & 1, &index);
	struct weir_group6 *group;

	if (!f)
		return 0;
	group = classify_group6(f, bank & 1, high >> 32);
	if (group && group->count == WEIR_GROUP6_LENGTHS) {
		found = classify_lengths6(bank, high, low, group->lengths[1], 96);
		if (!found)
			found = classify_lengths6(bank, high, low, group->lengths[0], 32);
	} else if (group) {
		found = classify_in_group6(group, bits_host_order(high), bits_host_order(low));
	}
	if (found || !top)
		return found;
	found = classify_lengths6(bank, high, low, top->lengths, 1);
	return found ? found : top->class;
}

/* The same, at once where no length has to be probed. */
static __always_inline __u32 classify6(const struct weir_filter *f, __u32 bank, __u64 high, __u64 low)
{
	struct weir_group6 *group = classify_group6(f, bank, high >> 32);
	bool is_full = group && group->count == WEIR_GROUP6_LENGTHS;
	__u32 index = bpf_ntohl(high >> 32) >> 16, class = 0, lengths = 0;
	struct weir_top6 *top;

	if (group && !is_full)
		class = classify_in_group6(group, bits_host_order(high), bits_host_order(low));
	if (class)
		return class & 0xffff;
	if (f->tops6) {
		top = bank_lookup(tops6, bank, &index);
		class = top ? top->class : 0;
		lengths = top ? top->lengths : 0;
	}
	return (is_full || lengths ? classify_fully6(bank, high, low) : class) & 0xffff;
}

/* The class of an address: its words in network order, the first of each two in the upper half. */
static __always_inline __u32 classify(const struct weir_filter *f, __u32 bank, __u32 family, __u64 high, __u64 low)
{
	return family == WEIR_IPV4 ? classify4(f, bank, bpf_ntohl(high >> 32)) : classify6(f, bank, high, low);
}

#endif
