/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to feeds: a database in the MaxMind DB format (specification 2.0, https://maxmind.github.io/MaxMind-DB/) that
 * lies in memory: the records of its search tree and the values of its data.
 *
 * Nothing in it is believed: no value is read beyond its section, nothing is recursive, and all reading together takes
 * a bounded number of steps.
 */
#ifndef WEIR_FEEDS_MMDB_H
#define WEIR_FEEDS_MMDB_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum mmdb_type {
	MMDB_POINTER = 1,
	MMDB_STRING = 2,
	MMDB_DOUBLE = 3,
	MMDB_BYTES = 4,
	MMDB_UINT16 = 5,
	MMDB_UINT32 = 6,
	MMDB_MAP = 7,
	MMDB_INT32 = 8,
	MMDB_UINT64 = 9,
	MMDB_UINT128 = 10,
	MMDB_ARRAY = 11,
	MMDB_BOOLEAN = 14,
	MMDB_FLOAT = 15,
};

/* Values, and what pointers among them count from. */
struct mmdb_section {
	const uint8_t *bytes;
	size_t size;
};

struct mmdb_value {
	enum mmdb_type type;
	size_t size;	 /* bytes; of an array its items, of a map its pairs, of a boolean 0 or 1 */
	size_t at;	 /* of its bytes, or of the first item or key, in the section */
	uint64_t number; /* of MMDB_UINT16, 32 and 64; where a pointer points */
};

#define MMDB_NAME_MAX 64

struct mmdb {
	const uint8_t *tree;
	struct mmdb_section data;
	uint32_t nodes_count;
	uint16_t record_bits;	  /* 24, 28 or 32; a node has two records */
	uint16_t address_bits;	  /* 32 or 128 */
	char type[MMDB_NAME_MAX]; /* "GeoLite2-Country"; printable */
	uint64_t built_s;	  /* since 1970 */
	uint64_t steps_left;	  /* values that may still be read */
	const char *wrong;	  /* after -EBADMSG: what is wrong */
};

/* 0, or -EBADMSG with mmdb->wrong. The bytes stay the caller's, and are needed for as long as *mmdb is. */
int mmdb_open(struct mmdb *mmdb, const uint8_t *bytes, size_t size);

/* A record of a node below nodes_count: another node, nodes_count where nothing is known, or beyond (mmdb_data_of).
 * Read as four bytes, of which the last may be the separator's. */
static inline uint32_t mmdb_record(const struct mmdb *mmdb, uint32_t node, bool right)
{
	const uint8_t *at = mmdb->tree + (size_t)node * (mmdb->record_bits / 4u);
	uint32_t word;

	at += right ? mmdb->record_bits / 8u + mmdb->record_bits % 8u / 4u : 0;
	memcpy(&word, at, sizeof(word));
	word = ntohl(word);
	if (mmdb->record_bits == 32)
		return word;
	/* Of 28 bits the byte in the middle has the four high ones of both. */
	if (mmdb->record_bits == 28)
		return (right ? at[-1] & 15u : at[3] >> 4u) << 24 | word >> 8;
	return word >> 8;
}
/* Where in the data a record beyond nodes_count points. 0 or -EBADMSG. */
int mmdb_data_of(struct mmdb *mmdb, uint32_t record, size_t *at);

/* The value at a place, behind the pointer when there is one. 0 or -EBADMSG. */
int mmdb_read(struct mmdb *mmdb, const struct mmdb_section *section, size_t at, struct mmdb_value *out);
/* The next pair of a map: its key, which is a string, and where its value is; *at moves behind it. 0 or -EBADMSG. */
int mmdb_read_pair(struct mmdb *mmdb, const struct mmdb_section *section, size_t *at, struct mmdb_value *key,
		   size_t *value_at);
bool mmdb_is_text(const struct mmdb_section *section, const struct mmdb_value *value, const char *text);

#endif
