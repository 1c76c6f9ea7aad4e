/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bits and hashes: the lowest set bit of a word, and the mixing function behind steering and the sketch. */
#ifndef WEIR_BPF_BITS_H
#define WEIR_BPF_BITS_H

#include "packet.h"
#include <bpf/bpf_endian.h>

/* BPF has no instruction for it: a multiplication by a de Bruijn sequence moves a number that is unique to the bit
 * into the top six bits (Leiserson, Prokop and Randall 1998). */
static const __u8 bits_positions[64] = {
	0,  1,	2,  53, 3,  7,	54, 27, 4,  38, 41, 8,	34, 55, 48, 28, 62, 5,	39, 46, 44, 42,
	22, 9,	24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
	23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 bits_lowest(__u64 word)
{
	return bits_positions[((word & -word) * 0x022fdd63cc95386dULL) >> 58];
}

static __always_inline __u32 bits_highest(__u64 word)
{
	word |= word >> 1;
	word |= word >> 2;
	word |= word >> 4;
	word |= word >> 8;
	word |= word >> 16;
	word |= word >> 32;
	return bits_lowest(word ^ word >> 1);
}

/* Two words in network order, the first in the upper half, as one number. */
static __always_inline __u64 bits_host_order(__u64 words)
{
	return (__u64)bpf_ntohl(words >> 32) << 32 | bpf_ntohl(words);
}

/* Word i of a prefix's mask, in host order, is at length - 32 i + 96: a look-up instead of branches, which the
 * verifier would have to follow one by one. */
static const __u32 bits_masks[256] = {
	[0 ... 96] = 0, [97] = 0x80000000, 0xc0000000,
	0xe0000000,	0xf0000000,	   0xf8000000,
	0xfc000000,	0xfe000000,	   0xff000000,
	0xff800000,	0xffc00000,	   0xffe00000,
	0xfff00000,	0xfff80000,	   0xfffc0000,
	0xfffe0000,	0xffff0000,	   0xffff8000,
	0xffffc000,	0xffffe000,	   0xfffff000,
	0xfffff800,	0xfffffc00,	   0xfffffe00,
	0xffffff00,	0xffffff80,	   0xffffffc0,
	0xffffffe0,	0xfffffff0,	   0xfffffff8,
	0xfffffffc,	0xfffffffe,	   [128 ... 255] = 0xffffffff,
};

/* length is 0..128, or 0..32 for word 0 of an IPv4 address. */
static __always_inline __be32 bits_mask_word(__u32 length, __u32 word)
{
	__u32 index = length + 96 - 32 * word;

	/* clang 19 proves from bits_positions that the mask changes nothing and drops it; the verifier needs it. */
	asm volatile("" : "+r"(index));
	return bpf_htonl(bits_masks[index & 255]);
}

/* The prefix of that length around an IPv6 address, whose words are two in each of high and low (addr_two). */
static __always_inline void bits_prefix6(__be32 prefix[4], __u64 high, __u64 low, __u32 length)
{
	prefix[0] = (__u32)(high >> 32) & bits_mask_word(length, 0);
	prefix[1] = (__u32)high & bits_mask_word(length, 1);
	prefix[2] = (__u32)(low >> 32) & bits_mask_word(length, 2);
	prefix[3] = (__u32)low & bits_mask_word(length, 3);
}

/* One round: xor in, multiply by an odd constant, fold the good high bits down. */
static __always_inline __u64 hash_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

static __always_inline __u64 hash_addr(__u64 hash, const struct weir_addr *address, __u8 family)
{
	if (family == WEIR_IPV4)
		return hash_mix(hash, address->word[0]);
	hash = hash_mix(hash, addr_two(address, 0));
	return hash_mix(hash, addr_two(address, 2));
}

#endif
