/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as numbers, and how prefixes lie to each other: for prefixes, and for what reads and writes them. */
#ifndef WEIR_BASE_PREFIXES_NUMBER_H
#define WEIR_BASE_PREFIXES_NUMBER_H

#include "prefixes.h"
#include <arpa/inet.h>

typedef unsigned __int128 number6; /* an IPv6 address as one number */

static inline uint32_t number4_of(const struct addr *addr)
{
	return ntohl(addr->bytes.word[0]);
}

static inline number6 number6_of(const struct addr *addr)
{
	number6 number = 0;

	for (int i = 0; i < 4; i++)
		number = number << 32 | ntohl(addr->bytes.word[i]);
	return number;
}

static inline struct addr addr_of4(uint32_t number)
{
	return (struct addr){.family = WEIR_IPV4, .bytes.word[0] = htonl(number)};
}

static inline struct addr addr_of6(uint64_t high, uint64_t low)
{
	return (struct addr){.family = WEIR_IPV6,
			     .bytes.word = {htonl((uint32_t)(high >> 32)), htonl((uint32_t)high),
					    htonl((uint32_t)(low >> 32)), htonl((uint32_t)low)}};
}

static inline number6 address_of(const struct prefix6 *prefix)
{
	return (number6)prefix->high << 64 | prefix->low;
}

/* By address, and of those that begin alike the widest first. */
static inline bool is_before6(const struct prefix6 *a, const struct prefix6 *b)
{
	if (a->high != b->high)
		return a->high < b->high;
	return a->low != b->low ? a->low < b->low : a->length < b->length;
}

static inline bool covers6(const struct prefix6 *outer, const struct prefix6 *inner)
{
	number6 differing = address_of(outer) ^ address_of(inner);

	return outer->length <= inner->length && (!outer->length || !(differing >> (128 - outer->length)));
}

/* Counts what v4 holds, once, at the end of a build: everybody asks for it, the controller's loop too. */
void prefixes_measure(struct prefixes *prefixes);

#endif
