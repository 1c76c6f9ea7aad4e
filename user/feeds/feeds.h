/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of addresses that others keep: read from files, judged before they replace what is live, kept for bad days.
 *
 * A line is an address, a prefix or a range "a-b", with blanks around it and a comment behind "#" or ";"; or a JSON
 * object with "cidr"; a file that begins with "[" is a JSON array of strings or such objects. So plain lists, FireHOL
 * .netset and .ipset and both forms of Spamhaus DROP need no telling apart. Where regions are asked for, the file is a
 * GeoIP database (MaxMind DB format), and the list what of its networks belongs to one of them.
 */
#ifndef WEIR_FEEDS_H
#define WEIR_FEEDS_H

#include "../base/prefixes.h"
#include "../base/problem.h"
#include "../base/region.h"

enum feeds_format { FEEDS_PLAIN = 0, FEEDS_FIREHOL, FEEDS_DROP_TEXT, FEEDS_JSON_LINES, FEEDS_JSON_ARRAY, FEEDS_GEOIP };

/* What a person calls it: "plain list", "FireHOL netset", ... */
const char *feeds_format_name(enum feeds_format format);

/* Tells versions of a file apart without reading it. All zero: no file was read yet. */
struct feeds_fingerprint {
	uint64_t device, inode, size;
	int64_t modified_ns, changed_ns; /* since 1970 */
};

/* 1: the file is another or was written since, 0: it is the same, -errno: it cannot be looked at (-ENOENT: it is
 * gone, which is no reason to forget what it said). */
int feeds_changed(const char *path, const struct feeds_fingerprint *fingerprint);

struct feeds_options {
	bool strict;	    /* entries that are not what they seem are refused; else taken as meant, and reported */
	size_t max_entries; /* 0: WEIR_MAX_PREFIXES, which is also the most */
	/* May be NULL. Called every few hundred kilobytes and at the end; the total is the file's size. */
	void (*progress)(void *arg, uint64_t done_bytes, uint64_t total_bytes);
	void *arg;
	const struct region *regions; /* sorted by region_compare, each one once; none: the file is a list */
	size_t regions_count;
};

enum feeds_repair {
	FEEDS_MASKED = 0, /* bits were set beyond the length: the prefix around */
	FEEDS_MAPPED,	  /* ::ffff:192.0.2.1, no packet's source: the IPv4 address in it */
};

/* An entry that was taken as something else than what it says. */
struct feeds_place {
	uint64_t line; /* from 1 */
	enum feeds_repair repair;
	char written[ADDR_TEXT_MAX], taken[2 * ADDR_TEXT_MAX];
};
#define FEEDS_PLACES	   5
#define FEEDS_DATABASE_MAX 64

struct feeds_report {
	enum feeds_format format; /* of most weight: what named itself, else how the first entry is written */
	uint64_t bytes, lines;	  /* of a JSON array, the line behind a last newline is counted */
	size_t entries;		  /* as written, duplicates counted */
	size_t joined;		  /* of them, those that lie in or beside others and are one with them */
	size_t masked, mapped;	  /* repaired, by enum feeds_repair */
	struct feeds_place places[FEEDS_PLACES]; /* the first of those */
	size_t places_count;			 /* at most FEEDS_PLACES */
	uint64_t everything_line;		 /* the first entry of length 0, which covers a whole family; 0: none */
	struct feeds_fingerprint fingerprint;
	/* Of a GeoIP database, whose entries are networks. */
	char database[FEEDS_DATABASE_MAX]; /* what it calls itself: "GeoLite2-Country" */
	int64_t built_s;		   /* since 1970; 0: it does not say */
	size_t missing[FEEDS_PLACES];	   /* the first of the regions that none of its records is of, as indices */
	size_t missing_count;		   /* all of them */
};

/*
 * Reads a whole list or nothing: 0, or -errno with FILE:LINE in *problem, and then neither *out nor *report is
 * touched. -EAGAIN: the file was written to meanwhile, so what was read is no version of it. An empty list is
 * none to refuse here: feeds_judge_change does. The caller releases *out; report and problem may be NULL.
 */
int feeds_load(const char *path, const struct feeds_options *options, struct prefixes **out,
	       struct feeds_report *report, struct problem *problem);

/* The sentence for a place, with its line; written into out[FEEDS_SENTENCE_MAX], and returned. */
#define FEEDS_SENTENCE_MAX 320
char *feeds_place_sentence(const struct feeds_place *place, char *out);

/*
 * May fresh follow good? Not when it is empty and good is not, nor when the number of prefixes, of IPv4 addresses
 * or of IPv6 addresses grew or shrank by more than max_change_percent of what it was: 0, or -ERANGE with the figures
 * in *problem. A family that good does not hold may come, but not with all of its addresses. Nothing
 * held (good NULL or empty) may become anything; with 0 % everything may follow everything.
 */
int feeds_judge_change(const struct prefixes *good, const struct prefixes *fresh, unsigned int max_change_percent,
		       struct problem *problem);

/*
 * The last good version, for a start at which the list is broken. feeds_store replaces the file whole or leaves it
 * (its directory must be there); feeds_restore takes only what feeds_store wrote: -ENOENT when there is none,
 * -EBADMSG when it is damaged or of another version of Weir. The caller releases *out.
 */
int feeds_store(const char *path, const struct prefixes *prefixes, struct problem *problem);
int feeds_restore(const char *path, struct prefixes **out, struct problem *problem);

#endif
