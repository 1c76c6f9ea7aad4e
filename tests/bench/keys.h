/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a key's number to its address, the same in the program that varies packets and in what fills the tables.
 *
 * Addresses are the images of a bijection, so that neighbours in number lie anywhere in a table. One bit just above
 * the shortest prefix that tables hold (/24, /32) is 0 in what tables know and 1 in what misses: a miss goes as deep
 * into a trie as a hit does, and no prefix covers it.
 */
#ifndef WEIR_BENCH_KEYS_H
#define WEIR_BENCH_KEYS_H

#include <linux/types.h>

#define KEYS_MASK ((1u << 29) - 1)

struct keys_address6 {
	__u32 word[4]; /* host order */
};

/* An odd multiplication and a xor-shift are both invertible on the 29 bits. */
static inline __u32 keys_mix(__u32 number)
{
	number = (number * 0x9e3779b1u) & KEYS_MASK;
	number ^= number >> 15;
	number = (number * 0x85ebca6bu) & KEYS_MASK;
	return number ^ number >> 13;
}

/* Host order, within 128.0.0.0/2. */
static inline __u32 keys_address4(__u32 number, __u32 miss)
{
	__u32 bits = keys_mix(number);

	return 0x80000000u | (bits >> 8) << 9 | miss << 8 | (bits & 0xff);
}

/* Within 2000::/3. */
static inline struct keys_address6 keys_address6(__u32 number, __u32 miss)
{
	__u32 bits = keys_mix(number);

	return (struct keys_address6){{0x20000000u | (bits & ~1u) | miss, bits << 31 | (bits * 0x27d4eb2fu) >> 1,
				       bits * 0x165667b1u, number}};
}

static inline __u16 keys_port(__u32 number)
{
	return 1024 + ((number * 40503u) >> 4 & 0x7fff);
}

/* The n-th packet's key: a Weyl sequence visits all numbers evenly, each far from the last. */
static inline __u32 keys_draw(__u32 packet, __u32 keys)
{
	return (__u64)(packet * 0x9e3779b1u) * keys >> 32;
}

/* The mix of prefix lengths of an IPv4 list of hosts and networks: 60 % /32, 23 % /24, the rest between. */
static inline __u32 keys_length4(__u32 number)
{
	__u32 part = keys_mix(number ^ 0x5a5a5a5) % 100;

	if (part < 60)
		return 32;
	return part < 83 ? 24 : 25 + part % 7;
}

static inline __u32 keys_length6(__u32 number)
{
	__u32 part = keys_mix(number ^ 0x5a5a5a5) % 100;

	if (part < 10)
		return 32;
	if (part < 60)
		return 48;
	return part < 85 ? 64 : 128;
}

#endif
