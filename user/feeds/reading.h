/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to feeds: one list on its way from its file into a set. */
#ifndef WEIR_FEEDS_READING_H
#define WEIR_FEEDS_READING_H

#include "feeds.h"

/* The longest line, and the longest element of a JSON array, in bytes. */
#define READING_LINE_MAX 16384u

struct reading {
	const char *path;
	struct feeds_options options; /* max_entries filled in */
	struct problem *problem;      /* may be NULL */
	int fd;
	char *buffer;	 /* a byte longer than what is read into it, for a NUL */
	size_t at, end;	 /* what of it is still to be looked at */
	bool ended;	 /* nothing follows what lies in the buffer */
	bool unfinished; /* the line has no newline: the file may be cut off here */
	bool has_format; /* report.format was found */
	struct prefixes_builder builder;
	struct feeds_report report; /* lines: the number of the line that is looked at */
};

/* Opens a regular file and takes its fingerprint. reading is zero but for path, options and problem; whether it
 * works or not, reading_close frees what it holds. 0 or -errno. */
int reading_open(struct reading *reading);
void reading_close(struct reading *reading);
/* Makes sure that READING_LINE_MAX bytes and one more lie in the buffer, or all that are left. 0 or -errno. */
int reading_fill(struct reading *reading);
/* At the end: -EAGAIN when the file is no longer what was opened. */
int reading_check_whole(struct reading *reading);

/* Adds an entry from text without blanks around it, which may be changed. 0 or -errno. */
int reading_add(struct reading *reading, char *text);
/* The rest of the file as lines, or from its "[" as one JSON array. 0 or -errno. */
int reading_take_lines(struct reading *reading);
int reading_take_json_array(struct reading *reading);
/* A line that begins with "{". */
int reading_add_json_line(struct reading *reading, const char *line, size_t length);

/* The file as a GeoIP database: the networks of options.regions. 0 or -errno. */
int reading_take_geoip(struct reading *reading);
/* Refuses what is told by its first bytes to be neither a list nor a database. 0 or -EINVAL. */
int reading_check_foreign(struct reading *reading, const char *bytes, size_t size);

/* Names the format, unless that was done. */
void reading_set_format(struct reading *reading, enum feeds_format format);
/* Fills the problem with FILE:LINE and the sentence, and returns error. */
__attribute__((format(printf, 3, 4))) int reading_refuse(struct reading *reading, int error, const char *format, ...);
int reading_refuse_nul(struct reading *reading);

/* The beginning of text as a person may see it: no control characters, no broken UTF-8. Returns out. */
#define READING_QUOTE_MAX 64
char *reading_quote(const char *text, char *out);

#endif
