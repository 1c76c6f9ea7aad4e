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
 * The lines: what varies in size lies in one space of 64-byte lines, which comes in pages. A page is an inner map of
 * fixed size, so that looking a line up is no call (the kernel inlines it), and the space is as large as its content:
 * lines[bank * WEIR_PAGES + number / WEIR_PAGE_LINES] -> array, element number % WEIR_PAGE_LINES. struct weir_filter
 * says at which line each table begins.
 */
#define WEIR_PAGE_LINES 4096 /* 256 KiB */
#define WEIR_PAGES	4096 /* of a bank: 1 GiB */

/*
 * IPv4: bits4 says of each /24 whether some address in it may have a class other than 0. If so, the /24 has an entry in
 * the hash table entries4; the bit and the entry are looked up side by side, since what costs is to wait for memory.
 * Where most /24s of a /16 have a class, or all of one word of bits4, it has no entries: all its words are
 * WEIR_BITS4_VALUES, which no other /16's are, and tops4 leads to a value for each of its /24s, which other /16s with
 * the same values share. Values and entries are a class, or a few ranges, or lead to a line of ranges, or to eight
 * lines with a class for each address.
 */
#define WEIR_BITS4	  262144 /* words: bit n & 63 of word n >> 6 is that of the /24 number n */
#define WEIR_BITS4_VALUES (~0ULL)
#define WEIR_TOPS4                                                                                                     \
	32768 /* pairs: that of the even /16 in the lower half; the first value's number + 1, 0: by entries4 */

/* values4: lines of 16. */
#define WEIR_VALUE4_KIND(value)	 ((value) >> 30)
#define WEIR_VALUE4_INDEX(value) ((value)&0x3fffffff)
enum weir_value4_kind {
	WEIR_VALUE4_CLASS = 0, /* the index is the class of the whole /24 */
	WEIR_VALUE4_LINE = 1,  /* of lines4: a line of ranges */
	WEIR_VALUE4_DENSE = 2, /* of lines4: the first of eight lines with the class of each address */
};

/* entries4: lines of four. An entry lies in the line that its hash leads to, or in one of the next where that is full.
 * The address n of the /24 has the class of the last range i with n - first[i] (modulo 256) <= span[i], else class. */
struct weir_entry4 {
	__u32 key; /* number of the /24 | kind << 24; 0: no entry */
	union {
		struct {
			__u16 class, inner[2];
			__u8 first[2], span[2];
			__u16 reserved;
		};
		__u32 index; /* as in a value, by kind */
	};
};
_Static_assert(sizeof(struct weir_entry4) == 16, "layout");
#define WEIR_ENTRY4_RANGES 1
#define WEIR_ENTRY4_LINE   2
#define WEIR_ENTRY4_DENSE  3
#define WEIR_ENTRY4_PROBES 8 /* lines that an entry may lie in */

/* The line of a /24, for a seed and a number of lines. */
static inline __u32 weir_hash4(__u32 number, __u32 seed, __u32 lines)
{
	number = (number ^ seed) * 0x9e3779b1u;
	number = (number ^ number >> 15) * 0x85ebca6bu;
	return (__u64)number * lines >> 32;
}

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
 * Prefixes of /32 and longer: bits6 says, by three bits of a hash of the first 32 bits, whether there may be any;
 * groups6, by the same hash, has them, up to three for a hash, or the lengths that are worth a probe in buckets6.
 * Prefixes of /17 to /31: tops6[first 16 bits] tells their lengths, they are in buckets6. Shorter ones are spread over
 * tops6.
 */
#define WEIR_TOPS6 65536

struct weir_top6 {
	__u32 lengths; /* bit n - 1: there are prefixes of length n, 17..31, below these 16 bits */
	__u16 class;   /* of the longest prefix up to /16, 0: none */
	__u16 reserved;
};
_Static_assert(sizeof(struct weir_top6) == 8, "layout");

#define WEIR_GROUP6_PREFIXES 3
#define WEIR_GROUP6_LENGTHS  255
struct weir_group6 {
	union {
		struct {
			__u64 high[WEIR_GROUP6_PREFIXES], low[WEIR_GROUP6_PREFIXES]; /* host order, the longest first */
			__u16 class[WEIR_GROUP6_PREFIXES];
			__u8 high_shift[WEIR_GROUP6_PREFIXES]; /* so many bits of high, 0..32, are no part of the prefix
								*/
			__u8 low_shift[WEIR_GROUP6_PREFIXES];  /* of low, 0..64 */
			__u8 count;			       /* of the prefixes, or WEIR_GROUP6_LENGTHS */
			__u8 reserved[3];
		};
		__u64 lengths[2]; /* bit n - 32: length n, 32..95; bit n - 96: length n, 96..128 */
	};
};
_Static_assert(sizeof(struct weir_group6) == 64, "a cache line");

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

/* vectors: the vector of class c of dimension d is vector_lines lines from vector_base[d] + c * vector_lines. Its words
 * run through the lines: word 0 is the summary (bit w: word w + 1 is not zero), word 1 + n has rules 64n..64n + 63. */
struct weir_vector_line {
	__u64 word[8];
};
_Static_assert(sizeof(struct weir_vector_line) == 64, "a cache line");
#define WEIR_VECTOR_WORDS (1 + WEIR_MAX_RULES / 64)
#define WEIR_VECTOR_LINES ((WEIR_VECTOR_WORDS + 7) / 8)

#define WEIR_LINE_VALUES4  16
#define WEIR_LINE_ENTRIES4 4
struct weir_line {
	union {
		__u32 values4[WEIR_LINE_VALUES4];
		struct weir_entry4 entries4[WEIR_LINE_ENTRIES4];
		struct weir_line4 ranges4;
		__u64 bits6[8];
		struct weir_group6 group6;
		struct weir_bucket6 bucket6;
		struct weir_vector_line vector;
	};
};
_Static_assert(sizeof(struct weir_line) == 64, "a cache line");

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

/* Of the first 32 bits of an address, for groups6 by its low bits and for bits6 by its high ones. */
static inline __u32 weir_hash6_top(__be32 word)
{
	return (word * 0x9e3779b97f4a7c15ull) >> 32;
}

/* The bits that such a hash has of its word: one to three, since the hash may run out of bits for the third. */
static inline __u64 weir_bits6(__u32 hash, __u32 shift)
{
	return 1ull << (hash >> ((shift - 6) & 31) & 63) | 1ull << (hash >> ((shift - 12) & 31) & 63) |
	       1ull << (hash >> ((shift - 18) & 31) & 63);
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

/* The filter's head: of the policy, by which its tables are found. */
struct weir_filter {
	__u32 rules;	      /* 0: the default alone decides */
	__u32 vector_lines;   /* of a vector: 64-byte lines for a summary word and (rules + 63) / 64 words */
	__u32 default_action; /* enum weir_action: PASS or DROP */
	__u32 enforcing; /* line in vectors of the vector of the rules that act; behind it lies that of the shadows */
	__u32 shadows;	 /* rules that are shadows */
	__u32 values4, entries4, lines4, bits6, groups6, buckets6, vectors; /* the lines at which these tables begin */
	__u32 entries4_lines;						    /* that hashes lead to */
	__u32 entries4_seed;
	__u32 tops6;	     /* whether there is that table */
	__u32 bits6_shift;   /* from a hash to the number of its word; 0: there is no prefix from /32 on */
	__u32 groups6_mask;  /* lines of groups6 - 1; a power of two less one */
	__u32 buckets6_mask; /* hashed buckets - 1 */
	__u32 dimensions;    /* bit d: some rule looks at dimension d */
	__u32 used;	     /* how many those are */
	__u32 order[WEIR_DIMENSIONS_TOTAL];	  /* those: the first used entries, each once */
	__u32 index_base[WEIR_DIMENSIONS_TOTAL];  /* where the dimension's table starts in indexes, in elements */
	__u32 vector_base[WEIR_DIMENSIONS_TOTAL]; /* where its vectors start in vectors, in lines */
	__u32 interfaces[WEIR_MAX_INTERFACES];	  /* ifindex, 0: no more */
	__u64 quick[WEIR_QUICK_CLASSES]; /* of the first classes of sources: what the rules say (WEIR_FILTERS_QUICK),
					  * and which live entries hold them (WEIR_FILTERS_FOLDED) */
};
_Static_assert(sizeof(struct weir_filter) % 8 == 0, "layout");

/* indexes: the class of each value of each dimension in use, four 16-bit elements in each __u64, the first lowest. */

enum weir_action {
	WEIR_ACTION_PASS = 0, /* on to the limits and the services */
	WEIR_ACTION_ALLOW,    /* the same, without any limit */
	WEIR_ACTION_LIMIT,    /* the same, charged to one limit */
	WEIR_ACTION_MARK,     /* the same, marked for the kernel where it goes there */
	WEIR_ACTION_DROP,
	WEIR_ACTION_REJECT, /* answered with a RST or an ICMP error */
};

/* rules: in order; the index is the number of the rule's bit. */
struct weir_rule {
	__u32 id;    /* stable: the index of its counters and its name */
	__u8 action; /* enum weir_action */
	__u8 shadow; /* counts, and does not act */
	__u8 limit;  /* WEIR_ACTION_LIMIT: index of limits plus 1; else 0 */
	__u8 allows; /* WEIR_ACTION_ALLOW: 1; else 0 */
	__u32 mark;  /* WEIR_ACTION_MARK: skb->mark, not 0; else 0 */
	__u32 reserved;
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: never */
};
_Static_assert(sizeof(struct weir_rule) == 24, "layout");

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
