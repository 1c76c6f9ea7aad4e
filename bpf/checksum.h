/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The Internet checksum (RFC 1071) and its incremental update (RFC 1624, equation 3). */
#ifndef WEIR_BPF_CHECKSUM_H
#define WEIR_BPF_CHECKSUM_H

#include "packet.h"

static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Replaces a 16-bit word that a checksum covers. */
static __always_inline void checksum_replace(__u16 *checksum, __u16 from, __u16 to)
{
	__u32 sum = (__u16) ~*checksum + (__u32)(__u16)~from + to;

	*checksum = checksum_fold(sum);
}

/* Adds up a number of 16-bit words that is known when compiling. */
static __always_inline __u64 checksum_words(const void *start, int words)
{
	const __u16 *word = start;
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < words; i++)
		sum += word[i];
	return sum;
}

static __always_inline __u64 checksum_addr(const struct weir_addr *address)
{
	return (__u64)address->word[0] + address->word[1] + address->word[2] + address->word[3];
}

#endif
