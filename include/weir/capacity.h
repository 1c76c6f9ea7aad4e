/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much Weir holds. Every table has a limit here; what happens when one is full is said beside its map in
 * maps/. A configuration that would exceed one is refused before the first write, with the limit's name.
 */
#ifndef WEIR_CAPACITY_H
#define WEIR_CAPACITY_H

#define WEIR_MAX_SERVICES    4096    /* stable service ids are 1..4095; 0 means none */
#define WEIR_MAX_BACKENDS    16384   /* stable backend ids are 1..16383; 0 means none */
#define WEIR_MAX_LIMITS	     64	     /* stable limit ids are 1..63; 0 means none */
#define WEIR_MAX_LIVE_LIMITS 8	     /* limits that one generation applies to a packet */
#define WEIR_MAX_PROTECT     64	     /* protected prefixes of one generation (bits of a u64) */
#define WEIR_MAX_VIPS	     8192    /* VIP addresses of one generation */
#define WEIR_MAX_PORTS	     131072  /* (VIP, protocol, port) entries of one generation */
#define WEIR_MAX_BANS	     262144  /* live allow and deny entries that are not folded, and tombstones, per family */
#define WEIR_MAX_FOLDED	     1048576 /* live entries without an end */
#define WEIR_MAX_BAN_LENGTHS 33	     /* distinct prefix lengths in use among the IPv6 bans; IPv4 has no more */
#define WEIR_MAX_RING_SLOTS  8388608 /* slots of all rings and banks of one generation */
#define WEIR_MAX_RING	     65537   /* slots of one ring */
#define WEIR_MAX_INTERFACES  16
#define WEIR_MAX_RULES	     4096     /* rules of one generation; stable rule ids are 1..8191, 0 means none */
#define WEIR_MAX_RULE_IDS    8192     /* twice as many, so that every rule can change its name at once */
#define WEIR_MAX_SETS	     256      /* named sets of one generation */
#define WEIR_MAX_PREFIXES    4194304  /* prefixes of all sets together */
#define WEIR_MAX_CLASSES     65536    /* combinations of sets that occur (16-bit class numbers) */
#define WEIR_MAX_LINES	     16777216 /* 64-byte lines of one generation's filter: 1 GiB */
#define WEIR_MAX_INDEXES     131072   /* words of four elements: all dimensions take 66,000 */
#define WEIR_NAME_MAX	     60	      /* bytes of a name with its NUL */

#define WEIR_SKETCH_ROWS    2
#define WEIR_SKETCH_COLUMNS 524288 /* a power of two; 8 bytes each: 8 MiB for both rows */
#define WEIR_FLOW_LINES	    262144 /* a power of two; 64 bytes, 8 flows each: 16 MiB */

#define WEIR_MAX_VLAN_TAGS	 2
#define WEIR_MAX_IPV6_EXTENSIONS 6

#endif
