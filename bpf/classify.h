/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The class of an address: which sets hold it. maps/filter.h says how the tables are laid out.
 *
 * The search by prefix length is a global function, which the verifier checks once by itself. A table that is not there
 * is an empty one.
 */
#ifndef WEIR_BPF_CLASSIFY_H
#define WEIR_BPF_CLASSIFY_H

#include "bits.h"

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

/* number is of the /24's entry in values4, low the last byte of the address. */
static __always_inline __u32 classify_value4(__u32 bank, __u32 number, __u32 low)
{
	__u32 pair = number >> 1, value, index;
	__u64 *values = bank_lookup(values4, bank, &pair);
	struct weir_line4 *line;

	if (!values)
		return 0;
	value = number & 1 ? *values >> 32 : *values;
	index = WEIR_VALUE4_INDEX(value);
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_CLASS)
		return index;
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_DENSE)
		index += low >> 5;
	line = bank_lookup(lines4, bank, &index);
	if (!line)
		return 0;
	return WEIR_VALUE4_KIND(value) == WEIR_VALUE4_DENSE ? line->dense[low & 31] : classify_in_line(line, low);
}

/* The address in host order. */
static __always_inline __u32 classify4(__u32 bank, __u32 address)
{
	__u32 index = address >> 16, number = address >> 8 & 255, word = number >> 6;
	struct weir_node4 *node = bank_lookup(nodes4, bank, &index);
	__u64 bit = 1ULL << (number & 63), present;

	if (!node)
		return 0;
	present = node->present[word];
	if (!(present & bit))
		return node->class;
	return classify_value4(bank, node->base + node->before[word] + bits_count(present & (bit - 1)), address & 255);
}

#define CLASSIFY_FOUND (1u << 16)

/* The class of one prefix with CLASSIFY_FOUND, 0 when it is no entry. */
static __always_inline __u32 classify_probe6(__u32 bank, const __be32 word[4], __u32 length, __u32 mask)
{
	__u32 index = weir_hash6(word, length) & mask;

	for (int i = 0; i < WEIR_BUCKET6_CHAIN; i++) {
		struct weir_bucket6 *bucket = bank_lookup(buckets6, bank, &index);

		if (!bucket)
			return 0;
#pragma unroll
		for (int j = 0; j < WEIR_BUCKET6_ENTRIES; j++) {
			const struct weir_entry6 *entry = &bucket->entry[j];

			if (entry->length == length && !((entry->address[0] ^ word[0]) | (entry->address[1] ^ word[1]) |
							 (entry->address[2] ^ word[2]) | (entry->address[3] ^ word[3])))
				return CLASSIFY_FOUND | entry->class;
		}
		index = bucket->next;
		if (!index)
			return 0;
	}
	return 0;
}

/* The longest of the prefixes that lengths names; bit 0 is length base. high and low are the address's words in network
 * order, the first of each in the upper half; where is mask of buckets << 32 | bank << 8 | base. */
__noinline __u32 classify_lengths6(__u64 high, __u64 low, __u64 lengths, __u64 where)
{
	for (int i = 0; i < 64 && lengths; i++) {
		__u32 bit = bits_highest(lengths), length = ((where & 255) + bit) & 255;
		const __be32 word[4] = {
			(__u32)(high >> 32) & bits_mask_word(length, 0), (__u32)high & bits_mask_word(length, 1),
			(__u32)(low >> 32) & bits_mask_word(length, 2), (__u32)low & bits_mask_word(length, 3)};
		__u32 found = classify_probe6(where >> 8 & 1, word, length, where >> 32);

		if (found)
			return found;
		lengths &= ~(1ULL << (bit & 63));
	}
	return 0;
}

static __always_inline __u32 classify6(__u32 bank, __u64 high, __u64 low)
{
	__u32 zero = 0, first = high >> 32, index, found = 0;
	struct weir_filter *head = bank_lookup(filter, bank, &zero);
	struct weir_lengths6 *lengths;
	struct weir_top6 *top;
	__u64 where;

	if (!head)
		return 0;
	where = (__u64)head->buckets6_mask << 32 | bank << 8;
	index = weir_hash6_top(first) & head->lengths6_mask;
	lengths = bank_lookup(lengths6, bank, &index);
	if (lengths && lengths->high)
		found = classify_lengths6(high, low, lengths->high, where | 97);
	if (!found && lengths && lengths->low)
		found = classify_lengths6(high, low, lengths->low, where | 33);
	if (found)
		return found & 0xffff;
	index = bpf_ntohl(first) >> 16;
	top = bank_lookup(tops6, bank, &index);
	if (!top)
		return 0;
	if (top->lengths)
		found = classify_lengths6(high, low, top->lengths, where | 1);
	return found ? found & 0xffff : top->class;
}

/* The class of an address: its words in network order, the first of each two in the upper half. */
static __always_inline __u32 classify(__u32 bank, __u32 family, __u64 high, __u64 low)
{
	return family == WEIR_IPV4 ? classify4(bank, bpf_ntohl(high >> 32)) : classify6(bank, high, low);
}

#endif
