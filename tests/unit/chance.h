/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers, prefixes and addresses by chance: the same in every run, and mostly where something begins, ends, touches
 * or nests.
 */
#ifndef WEIR_TESTS_UNIT_CHANCE_H
#define WEIR_TESTS_UNIT_CHANCE_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/addr.h"

struct chance {
	uint64_t state;
};

static inline uint64_t chance_word(struct chance *chance)
{
	uint64_t word = chance->state += 0x9e3779b97f4a7c15;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
	word = (word ^ word >> 27) * 0x94d049bb133111eb;
	return word ^ word >> 31;
}

/* 0 .. bound - 1. */
static inline uint32_t chance_below(struct chance *chance, uint32_t bound)
{
	return chance_word(chance) % bound;
}

static inline bool chance_one_in(struct chance *chance, uint32_t n)
{
	return !chance_below(chance, n);
}

typedef unsigned __int128 number128;

static inline number128 number_of(const struct addr *addr)
{
	number128 number = 0;

	for (int i = 0; i < (addr->family == WEIR_IPV4 ? 1 : 4); i++)
		number = number << 32 | ntohl(addr->bytes.word[i]);
	return number;
}

/* What does not fit into the family is cut off. */
static inline struct addr addr_of(uint8_t family, number128 number)
{
	struct addr addr = {.family = family};
	int words = family == WEIR_IPV4 ? 1 : 4;

	for (int i = words; i-- > 0; number >>= 32)
		addr.bytes.word[i] = htonl((uint32_t)number);
	return addr;
}

static inline uint8_t bits_of(uint8_t family)
{
	return family == WEIR_IPV4 ? 32 : 128;
}

static inline struct prefix prefix_around(uint8_t family, number128 number, uint8_t length)
{
	struct prefix prefix = {.addr = addr_of(family, number), .length = length};
	struct weir_addr mask = prefix_mask(family, length);

	for (int i = 0; i < 4; i++)
		prefix.addr.bytes.word[i] &= mask.word[i];
	return prefix;
}

/* Addresses in it less one. */
static inline number128 span_of(const struct prefix *prefix)
{
	uint8_t host_bits = bits_of(prefix->addr.family) - prefix->length;

	return host_bits == 128 ? ~(number128)0 : ((number128)1 << host_bits) - 1;
}

static inline number128 chance_number(struct chance *chance, uint8_t family)
{
	static const uint32_t tops4[] = {0, 0x0a010000, 0x0a01ff00, 0x0a020000, 0xffffff00},
			      tops6[] = {0, 0x20010db8, 0x20010db9, 0x20010000, 0xfe800000, 0xffffffff};
	number128 low = (number128)chance_word(chance) << 64 | chance_word(chance);

	if (chance_one_in(chance, 4))
		return family == WEIR_IPV4 ? (uint32_t)low : low;
	if (family == WEIR_IPV4)
		return tops4[chance_below(chance, 5)] + ((uint32_t)low & (chance_one_in(chance, 2) ? 0xff : 0x3ff));
	low &= ~(number128)0 >> (32 + chance_below(chance, 95));
	return (number128)tops6[chance_below(chance, 6)] << 96 | low;
}

static inline uint8_t chance_length(struct chance *chance, uint8_t family)
{
	static const uint8_t lengths6[] = {0, 1, 15, 16, 17, 31, 32, 33, 48, 64, 65, 95, 96, 97, 127, 128};

	if (family == WEIR_IPV6)
		return chance_one_in(chance, 3) ? chance_below(chance, 129) : lengths6[chance_below(chance, 16)];
	return chance_one_in(chance, 4) ? chance_below(chance, 33) : 22 + chance_below(chance, 11);
}

/* Any, or one that holds, lies within or follows on one of near[count]. */
static inline struct prefix chance_prefix(struct chance *chance, const struct prefix *near, size_t count)
{
	uint8_t family = chance_one_in(chance, 2) ? WEIR_IPV4 : WEIR_IPV6;
	const struct prefix *other;
	number128 number;

	if (!count || chance_one_in(chance, 3))
		return prefix_around(family, chance_number(chance, family), chance_length(chance, family));
	other = &near[chance_below(chance, count)];
	family = other->addr.family;
	number = number_of(&other->addr);
	switch (chance_below(chance, 4)) {
	case 0: /* the next one of its size */
		return prefix_around(family, number + span_of(other) + 1, other->length);
	case 1: /* the one before */
		return prefix_around(family, number - 1, other->length);
	case 2: /* around it or at its beginning */
		return prefix_around(family, number, chance_length(chance, family));
	default: /* within or around it at its end */
		return prefix_around(family, number + span_of(other), chance_length(chance, family));
	}
}

/* The first or the last address of one of near[count], or one beside or within; sometimes any. */
static inline struct addr chance_address(struct chance *chance, const struct prefix *near, size_t count)
{
	uint8_t family = chance_one_in(chance, 2) ? WEIR_IPV4 : WEIR_IPV6;
	const struct prefix *prefix;
	number128 number;

	if (!count || chance_one_in(chance, 8))
		return addr_of(family, chance_number(chance, family));
	prefix = &near[chance_below(chance, count)];
	family = prefix->addr.family;
	number = number_of(&prefix->addr);
	switch (chance_below(chance, 5)) {
	case 0:
		return addr_of(family, number);
	case 1:
		return addr_of(family, number - 1);
	case 2:
		return addr_of(family, number + span_of(prefix));
	case 3:
		return addr_of(family, number + span_of(prefix) + 1);
	default:
		return addr_of(family, number + (chance_number(chance, family) & span_of(prefix)));
	}
}

#endif
