/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live allow and deny entries: exact about prefix length, act at once, expire by themselves.
 *
 * One hash per family keyed by the masked prefix and its length, and a bitmap of the lengths in use, so that a
 * lookup costs one probe per length present and nothing while there is none. Any allow entry that covers a source
 * beats every deny entry. Not generational. Written by: reconcile, on commands. Read by: the program.
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

/* An entry can be on both lists at once, each with its own end. */
struct weir_ban {
	__u64 deny_until_ns;  /* CLOCK_MONOTONIC; 0: no end */
	__u64 allow_until_ns; /* CLOCK_MONOTONIC; 0: no end */
	__u32 lists;	      /* WEIR_BAN_DENY | WEIR_BAN_ALLOW */
	__u32 reserved;
};
_Static_assert(sizeof(struct weir_ban) == 24, "layout");

/* ban_lengths: array of one. Bit n of the family's words: some entry has prefix length n. A bit is set before the
 * first entry of its length is written and cleared after the last one is gone. */
struct weir_ban_lengths {
	__u64 v4;    /* bits 0..32 */
	__u64 v6[3]; /* bits 0..128 */
};
_Static_assert(sizeof(struct weir_ban_lengths) == 32, "layout");

#endif
