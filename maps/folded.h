/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live entries without an end, folded into the address tables of a generation.
 *
 * In the tables the entries of one list and one prefix length are a set like any other, so that the class of a source
 * says which lengths of which list hold it. An entry that leaves between two generations is taken back by a tombstone
 * in the hashes of maps/ban.h: a length whose tombstone is there does not count, and what is left decides.
 *
 * Of a generation, left out when nothing is folded. Written by: reconcile, before the generation is live. Read by: the
 * program (the records); reconcile, when it takes over (the entries). Full (WEIR_MAX_FOLDED): adding is refused.
 */
#ifndef WEIR_MAPS_FOLDED_H
#define WEIR_MAPS_FOLDED_H

#include <linux/types.h>

#define WEIR_LENGTH_WORDS 3 /* of 64 bits: prefix lengths 0..128 */

/* folded: by class. Read where an entry that holds the source may have left, and for classes beyond weir_filter.quick.
 */
struct weir_folded {
	__u64 deny[WEIR_LENGTH_WORDS]; /* bit n & 63 of word n >> 6: an entry of prefix length n holds the class */
	__u64 allow[WEIR_LENGTH_WORDS];
	__u32 lists; /* WEIR_BAN_* of those */
	__u32 reserved[3];
};
_Static_assert(sizeof(struct weir_folded) == 64, "a cache line");

/* folded_entries: what the records come from, in ascending order of family, address and length, each prefix once. */
struct weir_folded_entry {
	__be32 address[4]; /* host bits zero; IPv4 in word 0 */
	__u8 family;
	__u8 length;
	__u8 lists; /* WEIR_BAN_* */
	__u8 reserved0;
	__u32 reserved; /* rows of a mapped array are multiples of eight bytes */
};
_Static_assert(sizeof(struct weir_folded_entry) == 24, "layout");

/* Beside what the rules say of a class (WEIR_FOUND): the lists that hold it, WEIR_BAN_*. */
#define WEIR_FOUND_FOLDED(lists)       ((__u64)(lists) << 41)
#define WEIR_FOUND_FOLDED_LISTS(found) ((__u32)((found) >> 41) & 3)

#endif
