/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of addresses of both families: built once, shared, never changed after.
 *
 * IPv4 is kept as disjoint ranges and IPv6 as disjoint prefixes, both sorted, so that equal sets are equal bytes
 * however they were written down.
 */
#ifndef WEIR_BASE_PREFIXES_H
#define WEIR_BASE_PREFIXES_H

#include "addr.h"
#include <stddef.h>

/* Inclusive, host order. Of one set: ascending, disjoint and not adjacent. */
struct range4 {
	uint32_t first, last;
};

/* The address as two numbers, host bits zero. Of one set: ascending, none within another. */
struct prefix6 {
	uint64_t high, low;
	uint8_t length; /* 0..128 */
};

struct prefixes {
	const struct range4 *v4;
	size_t v4_count;
	const struct prefix6 *v6;
	size_t v6_count;
	size_t v4_written;     /* prefixes that the ranges are made of */
	uint64_t v4_addresses; /* in them */
	size_t given; /* entries that it was built from, duplicates counted; sets that differ in this alone are equal */
};

/* Collects entries; zero it to begin. After a failure it can only be freed. */
struct prefixes_builder {
	struct range4 *v4;
	size_t v4_count, v4_room;
	struct prefix6 *v6;
	size_t v6_count, v6_room;
	size_t given;
};

/* 0 or -ENOMEM. */
int prefixes_add(struct prefixes_builder *builder, const struct prefix *prefix);
int prefixes_add_all(struct prefixes_builder *builder, const struct prefix *prefixes, size_t count);
/* Both of one family, first <= last, else -EINVAL. An IPv6 range becomes the prefixes that it is made of. */
int prefixes_add_range(struct prefixes_builder *builder, const struct addr *first, const struct addr *last);
/* Sorts, joins and takes the builder's entries; the builder is empty after. 0 or -ENOMEM. The caller owns *out and
 * gives it back with prefixes_release. */
int prefixes_finish(struct prefixes_builder *builder, struct prefixes **out);
void prefixes_builder_free(struct prefixes_builder *builder);

/* Counted references: the last release frees. NULL is fine. Of any thread. */
struct prefixes *prefixes_share(struct prefixes *prefixes);
void prefixes_release(struct prefixes *prefixes);

/* True if the address is in the set. *entry (may be NULL): the range or prefix that holds it, a range as the largest
 * prefix around the address that lies within it. */
bool prefixes_hold(const struct prefixes *prefixes, const struct addr *addr, struct prefix *entry);
bool prefixes_equal(const struct prefixes *a, const struct prefixes *b);
/* Prefixes that it takes to write the set down (an IPv4 range may take several): the number that people know. */
size_t prefixes_count(const struct prefixes *prefixes);
/* Addresses held of one family, as floating point numbers since those of IPv6 exceed 64 bits. */
double prefixes_addresses4(const struct prefixes *prefixes);
double prefixes_addresses6(const struct prefixes *prefixes);
/* Calls visit for each prefix, IPv4 first, in ascending order until it returns other than 0, and returns that. */
int prefixes_each(const struct prefixes *prefixes, int (*visit)(void *arg, const struct prefix *prefix), void *arg);

#endif
