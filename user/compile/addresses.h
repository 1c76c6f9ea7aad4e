/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the module: sets of addresses to classes and the flat tables that find an address's class.
 *
 * maps/filter.h says how the tables are laid out. Pure: the same sets in the same order give the same bytes.
 */
#ifndef WEIR_COMPILE_ADDRESSES_H
#define WEIR_COMPILE_ADDRESSES_H

#include "../base/prefixes.h"
#include "../base/problem.h"
#include <maps/filter.h>

struct compile_addresses {
	uint64_t *bits4; /* [WEIR_BITS4], or NULL and 0: no set holds an IPv4 address */
	size_t bits4_count;
	uint64_t *tops4; /* [WEIR_TOPS4], or NULL and 0 */
	size_t tops4_count;
	uint32_t *values4;
	size_t values4_count;
	struct weir_line *entries4; /* those that hashes lead to, and some for the last of them to overflow into */
	size_t entries4_count;
	uint32_t entries4_hashed, entries4_seed;
	struct weir_line4 *lines4;
	size_t lines4_count;
	struct weir_top6 *tops6; /* [WEIR_TOPS6], or NULL and 0: no prefix is shorter than /32 */
	size_t tops6_count;
	uint64_t *bits6; /* a power of two, at least 8, or NULL and 0: no prefix is as long as /32 */
	size_t bits6_count;
	uint32_t bits6_shift;
	struct weir_group6 *groups6; /* a power of two, or NULL and 0 */
	size_t groups6_count;
	struct weir_bucket6 *buckets6; /* the hashed ones, a power of two, and those that they lead to */
	size_t buckets6_count, buckets6_hashed;
	/* Class c holds set s when bit s & 63 of members[c * member_words + s / 64] is set. Class 0 holds none. */
	uint64_t *members;
	size_t member_words;
	size_t classes_count; /* at least 1, at most WEIR_MAX_CLASSES */
};

/* 0, -E2BIG with the capacity's name in *problem, or -ENOMEM. The caller frees with compile_addresses_free; *out is
 * untouched on failure. */
int compile_addresses_build(const struct prefixes *const *sets, size_t count, struct compile_addresses *out,
			    struct problem *problem);
void compile_addresses_free(struct compile_addresses *addresses);

/* The class of an address by the tables, step for step as the program finds it (for checks and `weir set lookup`). */
uint16_t compile_addresses_find(const struct compile_addresses *addresses, const struct addr *addr);

#endif
