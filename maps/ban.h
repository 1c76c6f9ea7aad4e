/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live allow and deny entries: exact about prefix length, act at once, expire by themselves.
 *
 * One hash per family keyed by the masked prefix and its length, and a bitmap of the lengths in use, so that a
 * lookup costs one probe per length present and nothing while there is none. Any allow entry that covers a source
 * beats every deny entry. Not generational. What has no end moves on into the tables of the next generation
 * (maps/folded.h). Written by: reconcile, on commands. Read by: the program.
 * Full (WEIR_MAX_BANS per family): the command is refused with the limit's name; what is there stays.
 */
#ifndef WEIR_MAPS_BAN_H
#define WEIR_MAPS_BAN_H

#include <linux/types.h>

struct weir_ban4_key {
	__be32 address; /* host bits zero */
	__u32 length;	/* 0..32 */
};
_Static_assert(sizeof(struct weir_ban4_key) == 8, "layout");

struct weir_ban6_key {
	__be32 address[4]; /* host bits zero */
	__u32 length;	   /* 0..128 */
};
_Static_assert(sizeof(struct weir_ban6_key) == 20, "layout");

enum { WEIR_BAN_DENY = 1, WEIR_BAN_ALLOW = 2 };

/* A tombstone: what the address tables say of this prefix on this list is over. */
#define WEIR_BAN_GONE(list) ((list) << 2)

/* An entry can be on both lists at once, each with its own end. */
struct weir_ban {
	__u64 deny_until_ns;  /* CLOCK_MONOTONIC; 0: no end */
	__u64 allow_until_ns; /* CLOCK_MONOTONIC; 0: no end */
	__u32 lists;	      /* WEIR_BAN_DENY | WEIR_BAN_ALLOW, WEIR_BAN_GONE of either */
	__u32 reserved;
};
_Static_assert(sizeof(struct weir_ban) == 24, "layout");

/* ban_lengths: array of one. Bit n of the family's words: some entry, or some tombstone, has prefix length n. A bit is
 * set before the first one of its length is written and cleared after the last one has left, or is of no use any more:
 * what the live tables say, too, and tombstones of what they do not, may stay in the hashes for a while. */
struct weir_ban_lengths {
	__u64 v4;    /* bits 0..32 */
	__u64 v6[3]; /* bits 0..128 */
	__u64 gone4; /* tombstones */
	__u64 gone6[3];
};
_Static_assert(sizeof(struct weir_ban_lengths) == 64, "layout");

#endif
