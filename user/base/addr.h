/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and prefixes of both families, in the shape that the maps use (struct weir_addr). */
#ifndef WEIR_BASE_ADDR_H
#define WEIR_BASE_ADDR_H

#include "problem.h"
#include <maps/policy.h>
#include <stdbool.h>
#include <stdint.h>

/* "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128" and its NUL fit. */
#define ADDR_TEXT_MAX 64

struct addr {
	struct weir_addr bytes; /* network order; IPv4 in word[0] */
	uint8_t family;		/* enum weir_family, 0: none */
};

struct prefix {
	struct addr addr; /* host bits zero */
	uint8_t length;	  /* bits: 0..32 or 0..128 */
};

/* Parses an address without a length. Returns 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *out);

/* Parses "A", "A/L". A missing length is the full one. Host bits set: -ERANGE, and *out holds the masked prefix
 * (the only failure that writes it), so that the caller can say what was probably meant. Else 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *out);

/* The same as a person wrote it: only a prefix without host bits is taken, and *problem says what is wrong and what
 * was probably meant. 0 or -EINVAL. */
int prefix_read(const char *text, struct prefix *out, struct problem *problem);

/* Write text with its NUL into out[ADDR_TEXT_MAX] and return out. prefix_format leaves a full length out. */
char *addr_format(const struct addr *addr, char *out);
char *prefix_format(const struct prefix *prefix, char *out);

struct weir_addr prefix_mask(uint8_t family, uint8_t length);
bool prefix_covers(const struct prefix *prefix, const struct addr *addr);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b);	    /* total order: family, then bytes */
int prefix_compare(const struct prefix *a, const struct prefix *b); /* total order: address, then length */

/* The source address that the kernel would use towards *to, asked of its routing table without sending anything.
 * 0, or -errno (-ENETUNREACH without a route). */
int addr_source_towards(const struct addr *to, struct addr *source);

#endif
