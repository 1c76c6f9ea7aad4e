/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The filter: addresses become classes, classes become bit vectors of rules.
 *
 * Every address that a rule may speak of lies in some combination of the configured sets; each combination that occurs
 * is a class, a number from 0 (in no set). One flat table a family gives the class of an address. Every other field
 * that rules look at is a dimension whose values fall into classes by a small table. For each class of a dimension a
 * bit vector says which rules it satisfies; the AND over the dimensions in use holds the rules that match, and its
 * first bit is the rule that decides (Lakshman and Stiliadis 1998; the summary word: Baboescu and Varghese 2001).
 *
 * All tables here are of a generation: written by reconcile before it is live, read by the program, never changed
 * after. They are sized to what is configured; what exceeds WEIR_MAX_* is refused before the first write.
 */
#ifndef WEIR_MAPS_FILTER_H
#define WEIR_MAPS_FILTER_H

#include <linux/types.h>
#include <weir/capacity.h>

/*
 * IPv4: nodes4[first 16 bits] -> values4 -> lines4.
 *
 * A /24 whose bit in present is clear has the node's class all over. Else its entry in values4 has the number
 * base + (set bits of present before it), and is a class, or leads to a line, or to eight of them.
 */
#define WEIR_NODES4 65536

struct weir_node4 {
	__u64 present[4]; /* bit n & 63 of word n >> 6: the /24 number n of this /16 */
	__u32 base;	  /* of its first /24's entry in values4 */
	__u16 class;	  /* of the /24s whose bit is clear */
	__u8 before[4];	  /* set bits in the words before this one; word 3 has at most 192 before it */
	__u16 reserved0;
	__u32 reserved[5];
};
_Static_assert(sizeof(struct weir_node4) == 64, "a cache line");

/* values4: two entries in each __u64, the even one in the low half. */
#define WEIR_VALUE4_KIND(value)	 ((value) >> 30)
#define WEIR_VALUE4_INDEX(value) ((value)&0x3fffffff)
enum weir_value4_kind {
	WEIR_VALUE4_CLASS = 0, /* the index is the class of the whole /24 */
	WEIR_VALUE4_LINE = 1,  /* of lines4: a line of ranges */
	WEIR_VALUE4_DENSE = 2, /* of lines4: the first of eight lines with the class of each address */
};

/* A line of ranges: range i is from start[i] up to the next start; start[0] is 0, starts ascend. Unused starts are 255,
 * and unused classes repeat the last one in use, so that the number of starts <= the address's last byte (from 1),
 * at most WEIR_LINE4_RANGES, leads to the class. Equal lines are there once: many values may lead to one. */
#define WEIR_LINE4_RANGES 20
struct weir_line4 {
	union {
		struct {
			__u8 start[24]; /* the last four are always 255 */
			__u16 class[WEIR_LINE4_RANGES];
		};
		__u16 dense[32]; /* line n >> 5 of the eight, element n & 31: the class of the /24's address n */
		__u64 word[8];
	};
};
_Static_assert(sizeof(struct weir_line4) == 64, "a cache line");

/*
 * IPv6: the longest prefix that holds the address has its class (which counts the sets of shorter ones in).
 *
 * Prefixes longer than /32: lengths6[hash of the first 32 bits] tells which lengths are worth a probe (of other
 * addresses with the same hash, too: that costs a probe, no more). Prefixes of /17 to /32: tops6[first 16 bits] tells
 * their lengths. Shorter ones are spread over tops6. Each prefix longer than /16 is an entry of buckets6.
 */
#define WEIR_TOPS6 65536

struct weir_top6 {
	__u32 lengths; /* bit n - 1: there are prefixes of length n, 17..32, below these 16 bits */
	__u16 class;   /* of the longest prefix up to /16, 0: none */
	__u16 reserved;
};
_Static_assert(sizeof(struct weir_top6) == 8, "layout");

struct weir_lengths6 {
	__u64 low;  /* bit n - 33: length n, 33..96 */
	__u64 high; /* bit n - 97: length n, 97..128 */
};
_Static_assert(sizeof(struct weir_lengths6) == 16, "layout");

struct weir_entry6 {
	__be32 address[4]; /* host bits zero */
	__u16 class;
	__u8 length; /* 0: no entry */
	__u8 reserved;
};
_Static_assert(sizeof(struct weir_entry6) == 20, "layout");

/* Entries from the front. Bucket of an entry: its hash & (buckets - 1). One that does not fit is in the bucket that
 * next names, at most WEIR_BUCKET6_CHAIN - 1 of them in a row; those lie behind the hashed ones. */
#define WEIR_BUCKET6_ENTRIES 3
#define WEIR_BUCKET6_CHAIN   4
struct weir_bucket6 {
	struct weir_entry6 entry[WEIR_BUCKET6_ENTRIES];
	__u32 next; /* index in buckets6, 0: none */
};
_Static_assert(sizeof(struct weir_bucket6) == 64, "a cache line");

/* One hash for both sides. word: the address in network order with the host bits zero. */
static inline __u32 weir_hash6(const __be32 word[4], __u32 length)
{
	__u64 a = ((__u64)word[0] << 32 | word[1]) ^ (__u64)length * 0x9e3779b97f4a7c15ull;
	__u64 b = (__u64)word[2] << 32 | word[3];

	a *= 0xff51afd7ed558ccdull;
	a ^= a >> 32;
	a += b;
	a *= 0xc4ceb9fe1a85ec53ull;
	a ^= a >> 29;
	a *= 0xff51afd7ed558ccdull;
	return a >> 32;
}

/* Of the first 32 bits of an address, for lengths6. */
static inline __u32 weir_hash6_top(__be32 word)
{
	return (word * 0x9e3779b97f4a7c15ull) >> 32;
}

/* The dimensions. A value is one packet's field as a number; X(SYMBOL, values): one more stands for "has no such
 * field", which only rules match that do not look at the dimension, or that ask for its absence. */
#define WEIR_DIMENSIONS(X)                                                                                             \
	X(SOURCE, 0) /* class by the address tables, not by index */                                                   \
	X(DESTINATION, 0)                                                                                              \
	X(PROTOCOL, 512) /* as in the packet, of IPv6 plus 256; ICMPv6 is 256 + 58 */                                  \
	X(SPORT, 65536)	 /* host order; none: not TCP or UDP, or a later fragment */                                   \
	X(DPORT, 65536)                                                                                                \
	X(TCP_FLAGS, 256) /* the byte; none: not TCP, or a later fragment */                                           \
	X(ICMP, 65536)	  /* type << 8 | code; none: not ICMP, or a later fragment */                                  \
	X(LENGTH, 65536)  /* of the IP packet, bytes; more counts as 65535 */                                          \
	X(TTL, 256)                                                                                                    \
	X(DSCP, 64)                                                                                                    \
	X(FRAGMENT, 8)	 /* enum fragment (0 whole, 1 first, 2 later), plus 4 with IPv6 extension headers */           \
	X(VLAN, 4096)	 /* VID of the outer tag */                                                                    \
	X(INTERFACE, 16) /* position in weir_filter.interfaces */

#define WEIR_NO_PORT	  65536
#define WEIR_NO_TCP_FLAGS 256
#define WEIR_NO_ICMP	  65536
#define WEIR_NO_VLAN	  4096
#define WEIR_EXTENDED	  4 /* of FRAGMENT: IPv6 extension headers are there */

enum weir_dimension {
#define WEIR_DIMENSION_ENUM(symbol, values) WEIR_DIMENSION_##symbol,
	WEIR_DIMENSIONS(WEIR_DIMENSION_ENUM)
#undef WEIR_DIMENSION_ENUM
		WEIR_DIMENSIONS_TOTAL,
};

/* What the rules say of a packet: 0 when none matches, else the one that decides. The upper 16 bits stay free. */
#define WEIR_FOUND(number, rule)                                                                                       \
	(1ULL << 47 | (__u64)(rule)->allows << 40 | (__u64)(rule)->limit << 32 | (__u64)(rule)->action << 28 |         \
	 (__u64)((rule)->id & 0xffff) << 12 | ((number)&0xfff))
/* What comes of no rule, as the action of one: above every enum weir_action. */
#define WEIR_FOUND_DEFAULT_DROP	 (15ULL << 28)
#define WEIR_FOUND_NUMBER(found) ((found)&0xfff)
#define WEIR_FOUND_ID(found)	 ((found) >> 12 & 0xffff)
#define WEIR_FOUND_ACTION(found) ((found) >> 28 & 15)
#define WEIR_FOUND_LIMIT(found)	 ((found) >> 32 & 0xff)
#define WEIR_FOUND_ALLOWS(found) ((found) >> 40 & 1)

#define WEIR_QUICK_CLASSES 64

/* filter: array of one. */
struct weir_filter {
	__u32 rules;	      /* 0: the default alone decides */
	__u32 vector_lines;   /* of a vector: 64-byte lines for a summary word and (rules + 63) / 64 words */
	__u32 default_action; /* enum weir_action: PASS or DROP */
	__u32 enforcing; /* line in vectors of the vector of the rules that act; behind it lies that of the shadows */
	__u32 shadows;	 /* rules that are shadows */
	__u32 many_vectors;			  /* they are in more_vectors */
	__u32 lengths6_mask;			  /* entries of lengths6 - 1; a power of two less one */
	__u32 buckets6_mask;			  /* hashed buckets - 1 */
	__u32 dimensions;			  /* bit d: some rule looks at dimension d */
	__u32 used;				  /* how many those are */
	__u32 order[WEIR_DIMENSIONS_TOTAL];	  /* those: the first used entries, each once */
	__u32 index_base[WEIR_DIMENSIONS_TOTAL];  /* where the dimension's table starts in indexes, in elements */
	__u32 vector_base[WEIR_DIMENSIONS_TOTAL]; /* where its vectors start in vectors, in lines */
	__u32 interfaces[WEIR_MAX_INTERFACES];	  /* ifindex, 0: no more */
	__u32 reserved;
	__u64 quick[WEIR_QUICK_CLASSES]; /* WEIR_FILTERS_QUICK: what the rules say of the first classes of sources */
};
_Static_assert(sizeof(struct weir_filter) % 8 == 0, "layout");

/* indexes: the class of each value of each dimension in use, four 16-bit elements in each __u64, the first lowest. */

/* vectors, or more_vectors when there are more than WEIR_MAX_VECTORS lines: the vector of class c of dimension d is
 * vector_lines lines from vector_base[d] + c * vector_lines. Its words run through the lines: word 0 is the summary
 * (bit w: word w + 1 is not zero), word 1 + n has rules 64n..64n + 63. */
struct weir_vector_line {
	__u64 word[8];
};
_Static_assert(sizeof(struct weir_vector_line) == 64, "a cache line");
#define WEIR_VECTOR_WORDS (1 + WEIR_MAX_RULES / 64)
#define WEIR_VECTOR_LINES ((WEIR_VECTOR_WORDS + 7) / 8)

enum weir_action {
	WEIR_ACTION_PASS = 0, /* on to the limits and the services */
	WEIR_ACTION_ALLOW,    /* the same, without any limit */
	WEIR_ACTION_LIMIT,    /* the same, charged to one limit */
	WEIR_ACTION_DROP,
	WEIR_ACTION_REJECT, /* answered with a RST or an ICMP error */
};

/* rules: in order; the index is the number of the rule's bit. */
struct weir_rule {
	__u32 id;	  /* stable: the index of its counters and its name */
	__u8 action;	  /* enum weir_action */
	__u8 shadow;	  /* counts, and does not act */
	__u8 limit;	  /* WEIR_ACTION_LIMIT: index of limits plus 1; else 0 */
	__u8 allows;	  /* WEIR_ACTION_ALLOW: 1; else 0 */
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: never */
};
_Static_assert(sizeof(struct weir_rule) == 16, "layout");

/* count_rule: per CPU, by stable id; outlives every change. */
struct weir_rule_count {
	__u64 packets;
	__u64 bytes;   /* of the frame */
	__u64 last_ns; /* the controller's heartbeat before the last match (CLOCK_MONOTONIC), 0: none */
};
_Static_assert(sizeof(struct weir_rule_count) == 24, "layout");

/* question: what the search is asked, and its scratch: global functions take scalars alone on old kernels. Array of one
 * per CPU, of one loaded program. */
struct weir_question {
	__be32 source[4], destination[4]; /* IPv4 in word 0 */
	__u64 heartbeat_ns;
	__u32 source_class, destination_class;
	__u32 frame_length, ip_length;
	__u32 ifindex;
	__u32 tag; /* the outer tag: TPID, TCI as in the frame; 0: none */
	__be16 sport, dport;
	__u8 family, protocol; /* ICMP of either family is IPPROTO_ICMP */
	__u8 fragment, plain;
	__u8 tcp_flags, icmp_type, icmp_code, ttl;
	__u8 tos, reserved[3];
	__u32 vector[WEIR_DIMENSIONS_TOTAL]; /* as weir_filter.order: the line of the vector that the packet has */
	__u32 line;			     /* of the vectors that word is the AND of */
	__u64 word[8];
};
_Static_assert(sizeof(struct weir_question) % 8 == 0, "layout");

#endif
