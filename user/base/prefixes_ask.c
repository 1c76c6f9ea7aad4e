/* SPDX-License-Identifier: BSD-2-Clause */
/* What a set of addresses answers: whether it holds one, how large it is, what it consists of. */
#include "prefixes_number.h"

#include <math.h>
#include <string.h>

/* The largest prefix around number that lies within the range. */
static struct prefix prefix_within(const struct range4 *range, uint32_t number)
{
	for (uint8_t length = 0;; length++) {
		uint32_t host = (uint32_t)(0xffffffffull >> length), first = number & ~host;

		if (first >= range->first && (first | host) <= range->last)
			return (struct prefix){.addr = addr_of4(first), .length = length};
	}
}

static bool hold4(const struct prefixes *prefixes, uint32_t number, struct prefix *entry)
{
	size_t low = 0, high = prefixes->v4_count; /* the last one that begins at or before it is below high */

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (prefixes->v4[middle].first <= number)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || prefixes->v4[low - 1].last < number)
		return false;
	if (entry)
		*entry = prefix_within(&prefixes->v4[low - 1], number);
	return true;
}

static struct prefix prefix_of6(const struct prefix6 *prefix)
{
	return (struct prefix){.addr = addr_of6(prefix->high, prefix->low), .length = prefix->length};
}

static bool hold6(const struct prefixes *prefixes, number6 number, struct prefix *entry)
{
	struct prefix6 host = {.high = (uint64_t)(number >> 64), .low = (uint64_t)number, .length = 128};
	size_t low = 0, high = prefixes->v6_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_before6(&host, &prefixes->v6[middle]))
			high = middle;
		else
			low = middle + 1;
	}
	if (!low || !covers6(&prefixes->v6[low - 1], &host))
		return false;
	if (entry)
		*entry = prefix_of6(&prefixes->v6[low - 1]);
	return true;
}

bool prefixes_hold(const struct prefixes *prefixes, const struct addr *addr, struct prefix *entry)
{
	if (addr->family == WEIR_IPV4)
		return hold4(prefixes, number4_of(addr), entry);
	return addr->family == WEIR_IPV6 && hold6(prefixes, number6_of(addr), entry);
}

bool prefixes_equal(const struct prefixes *a, const struct prefixes *b)
{
	if (a->v4_count != b->v4_count || a->v6_count != b->v6_count)
		return false;
	if (a->v4_count && memcmp(a->v4, b->v4, a->v4_count * sizeof(*a->v4)) != 0)
		return false;
	for (size_t i = 0; i < a->v6_count; i++) {
		if (is_before6(&a->v6[i], &b->v6[i]) || is_before6(&b->v6[i], &a->v6[i]))
			return false;
	}
	return true;
}

/* The largest prefix that begins with the range; its host bits. */
static int host_bits4(uint32_t first, uint32_t last)
{
	uint64_t span = (uint64_t)last - first + 1;
	int aligned = first ? __builtin_ctz(first) : 32, fitting = 63 - __builtin_clzll(span);

	return aligned < fitting ? aligned : fitting;
}

static size_t count4(const struct range4 *range)
{
	uint64_t first = range->first;
	size_t count = 0;

	for (; first <= range->last; count++)
		first += 1ull << host_bits4((uint32_t)first, range->last);
	return count;
}

void prefixes_measure(struct prefixes *prefixes)
{
	prefixes->v4_written = 0;
	prefixes->v4_addresses = 0;
	for (size_t i = 0; i < prefixes->v4_count; i++) {
		prefixes->v4_written += count4(&prefixes->v4[i]);
		prefixes->v4_addresses += (uint64_t)prefixes->v4[i].last - prefixes->v4[i].first + 1;
	}
}

size_t prefixes_count(const struct prefixes *prefixes)
{
	return prefixes->v4_written + prefixes->v6_count;
}

double prefixes_addresses4(const struct prefixes *prefixes)
{
	return (double)prefixes->v4_addresses;
}

double prefixes_addresses6(const struct prefixes *prefixes)
{
	double sum = 0;

	for (size_t i = 0; i < prefixes->v6_count; i++)
		sum += ldexp(1, 128 - prefixes->v6[i].length);
	return sum;
}

static int each4(const struct range4 *range, int (*visit)(void *arg, const struct prefix *prefix), void *arg)
{
	uint64_t first = range->first;
	int result = 0;

	while (!result && first <= range->last) {
		int bits = host_bits4((uint32_t)first, range->last);
		struct prefix prefix = {.addr = addr_of4((uint32_t)first), .length = (uint8_t)(32 - bits)};

		result = visit(arg, &prefix);
		first += 1ull << bits;
	}
	return result;
}

int prefixes_each(const struct prefixes *prefixes, int (*visit)(void *arg, const struct prefix *prefix), void *arg)
{
	int result = 0;

	for (size_t i = 0; !result && i < prefixes->v4_count; i++)
		result = each4(&prefixes->v4[i], visit, arg);
	for (size_t i = 0; !result && i < prefixes->v6_count; i++) {
		struct prefix prefix = prefix_of6(&prefixes->v6[i]);

		result = visit(arg, &prefix);
	}
	return result;
}
