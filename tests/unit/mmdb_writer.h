/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes databases in the MaxMind DB format for tests, whole ones and, with the fields at hand, others. */
#ifndef TEST_MMDB_WRITER_H
#define TEST_MMDB_WRITER_H

#include "feed_file.h"

#include "user/feeds/mmdb.h"

#define MMDB_MARK	   "\xab\xcd\xefMaxMind.com"
#define MMDB_WRITE_BUILT_S 1764547200u /* 2025-12-01 */

enum mmdb_write_kind { WRITE_EMPTY = 0, WRITE_NODE, WRITE_DATA };

struct mmdb_write_record {
	enum mmdb_write_kind kind;
	uint32_t to; /* a node, or a place in the data */
};

struct mmdb_write {
	unsigned int record_bits, ip_version, major;
	const char *type;
	struct mmdb_write_record (*nodes)[2];
	size_t nodes_count, nodes_room;
	uint8_t *data;
	size_t data_size, data_room;
};

static inline uint32_t mmdb_write_node(struct mmdb_write *to)
{
	if (to->nodes_count == to->nodes_room) {
		to->nodes_room = to->nodes_room ? 2 * to->nodes_room : 256;
		to->nodes = reallocarray(to->nodes, to->nodes_room, sizeof(*to->nodes));
		assert_non_null(to->nodes);
	}
	memset(to->nodes[to->nodes_count], 0, sizeof(*to->nodes));
	return (uint32_t)to->nodes_count++;
}

static inline struct mmdb_write mmdb_write_begin(unsigned int record_bits, unsigned int ip_version)
{
	struct mmdb_write to = {
		.record_bits = record_bits, .ip_version = ip_version, .major = 2, .type = "Test-Country"};

	mmdb_write_node(&to);
	return to;
}

static inline void mmdb_write_end(struct mmdb_write *to)
{
	free(to->nodes);
	free(to->data);
}

/* --- data ------------------------------------------------------------------------------------------------ */

static inline void mmdb_put(struct mmdb_write *to, const void *bytes, size_t size)
{
	if (to->data_size + size > to->data_room) {
		to->data_room = 2 * (to->data_size + size);
		to->data = realloc(to->data, to->data_room);
		assert_non_null(to->data);
	}
	if (size) /* bytes may be NULL */
		memcpy(to->data + to->data_size, bytes, size);
	to->data_size += size;
}

static inline void mmdb_put_byte(struct mmdb_write *to, unsigned int byte)
{
	mmdb_put(to, &(uint8_t){(uint8_t)byte}, 1);
}

static inline void mmdb_put_number(struct mmdb_write *to, uint64_t number, unsigned int bytes)
{
	while (bytes--)
		mmdb_put_byte(to, (unsigned int)(number >> (8 * bytes)) & 0xff);
}

static inline void mmdb_put_control(struct mmdb_write *to, enum mmdb_type type, size_t size)
{
	unsigned int high = type > 7 ? 0 : (unsigned int)type << 5;
	unsigned int more = size < 29 ? 0 : size < 285 ? 1 : size < 65821 ? 2 : 3;
	static const uint32_t base[] = {0, 29, 285, 65821};

	mmdb_put_byte(to, high | (more ? 28 + more : (unsigned int)size));
	if (type > 7)
		mmdb_put_byte(to, (unsigned int)type - 7);
	mmdb_put_number(to, size - base[more], more);
}

static inline void mmdb_put_text(struct mmdb_write *to, const char *text)
{
	mmdb_put_control(to, MMDB_STRING, strlen(text));
	mmdb_put(to, text, strlen(text));
}

static inline void mmdb_put_uint(struct mmdb_write *to, enum mmdb_type type, uint64_t number)
{
	unsigned int bytes = 0;

	while (bytes < 8 && number >> (8 * bytes))
		bytes++;
	mmdb_put_control(to, type, bytes);
	mmdb_put_number(to, number, bytes);
}

/* The shortest form that reaches there. */
static inline void mmdb_put_pointer(struct mmdb_write *to, uint32_t at)
{
	unsigned int kind = at < 2048 ? 0 : at < 526336 ? 1 : at < 134744064 ? 2 : 3;
	static const uint32_t base[] = {0, 2048, 526336, 0};
	uint32_t rest = at - base[kind];

	mmdb_put_byte(to, 1u << 5 | kind << 3 | (kind < 3 ? rest >> (8 * (kind + 1)) & 7 : 0));
	mmdb_put_number(to, rest, kind + 1);
}

/* {continent: {code, names}, country: {iso_code, names}}, the layout of MaxMind and DB-IP. Returns its place. */
static inline uint32_t mmdb_put_country(struct mmdb_write *to, const char *country, const char *continent)
{
	uint32_t at = (uint32_t)to->data_size;

	mmdb_put_control(to, MMDB_MAP, 2);
	mmdb_put_text(to, "continent");
	mmdb_put_control(to, MMDB_MAP, 2);
	mmdb_put_text(to, "names");
	mmdb_put_control(to, MMDB_MAP, 1);
	mmdb_put_text(to, "code");
	mmdb_put_text(to, "no code");
	mmdb_put_text(to, "code");
	mmdb_put_text(to, continent);
	mmdb_put_text(to, "country");
	mmdb_put_control(to, MMDB_MAP, 2);
	mmdb_put_text(to, "geoname_id");
	mmdb_put_uint(to, MMDB_UINT32, 2921044);
	mmdb_put_text(to, "iso_code");
	mmdb_put_text(to, country);
	return at;
}

static inline uint32_t mmdb_put_asn(struct mmdb_write *to, uint32_t asn)
{
	uint32_t at = (uint32_t)to->data_size;

	mmdb_put_control(to, MMDB_MAP, 2);
	mmdb_put_text(to, "autonomous_system_number");
	mmdb_put_uint(to, MMDB_UINT32, asn);
	mmdb_put_text(to, "autonomous_system_organization");
	mmdb_put_text(to, "An organisation");
	return at;
}

/* --- tree ------------------------------------------------------------------------------------------------ */

/* The bits of a prefix from the tree's top; IPv4 lies below ::/96 of an IPv6 tree. */
static inline unsigned int mmdb_write_path(const struct mmdb_write *to, const char *text, uint8_t bits[16])
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	memset(bits, 0, 16);
	if (prefix.addr.family == WEIR_IPV6 || to->ip_version == 4) {
		memcpy(bits, &prefix.addr.bytes, 16);
		return prefix.length;
	}
	memcpy(bits + 12, &prefix.addr.bytes, 4);
	return prefix.length + 96u;
}

/* The record of a prefix, nodes made on the way; what is known of the network around it is known of its halves. */
static inline struct mmdb_write_record *mmdb_write_find(struct mmdb_write *to, const char *text)
{
	uint8_t bits[16];
	unsigned int length = mmdb_write_path(to, text, bits);
	uint32_t node = 0;

	assert_true(length > 0);
	for (unsigned int depth = 0;; depth++) {
		unsigned int bit = bits[depth / 8] >> (7 - depth % 8) & 1;
		struct mmdb_write_record *record = &to->nodes[node][bit];
		uint32_t fresh;

		if (depth + 1 == length)
			return record;
		if (record->kind != WRITE_NODE) {
			fresh = mmdb_write_node(to); /* which may move the record */
			record = &to->nodes[node][bit];
			to->nodes[fresh][0] = to->nodes[fresh][1] = *record;
			*record = (struct mmdb_write_record){WRITE_NODE, fresh};
		}
		node = record->to;
	}
}

static inline void mmdb_write_add(struct mmdb_write *to, const char *prefix, uint32_t data_at)
{
	*mmdb_write_find(to, prefix) = (struct mmdb_write_record){WRITE_DATA, data_at};
}

static inline void mmdb_write_alias(struct mmdb_write *to, const char *prefix)
{
	struct mmdb_write_record root4 = *mmdb_write_find(to, "::/96");

	assert_int_equal(root4.kind, WRITE_NODE);
	*mmdb_write_find(to, prefix) = root4;
}

/* --- the file -------------------------------------------------------------------------------------------- */

static inline uint32_t mmdb_write_number(const struct mmdb_write *to, const struct mmdb_write_record *record)
{
	if (record->kind == WRITE_EMPTY)
		return (uint32_t)to->nodes_count;
	return record->kind == WRITE_NODE ? record->to : (uint32_t)to->nodes_count + 16 + record->to;
}

static inline void mmdb_write_tree(struct mmdb_write *out, const struct mmdb_write *to)
{
	for (size_t i = 0; i < to->nodes_count; i++) {
		uint32_t left = mmdb_write_number(to, &to->nodes[i][0]),
			 right = mmdb_write_number(to, &to->nodes[i][1]);

		mmdb_put_number(out, left, to->record_bits == 32 ? 4 : 3);
		if (to->record_bits == 28)
			mmdb_put_byte(out, (left >> 24 & 15) << 4 | (right >> 24 & 15));
		mmdb_put_number(out, right, to->record_bits == 32 ? 4 : 3);
	}
}

static inline void mmdb_write_metadata(struct mmdb_write *out, const struct mmdb_write *to, uint32_t nodes_count)
{
	mmdb_put(out, MMDB_MARK, strlen(MMDB_MARK));
	mmdb_put_control(out, MMDB_MAP, 9);
	mmdb_put_text(out, "binary_format_major_version");
	mmdb_put_uint(out, MMDB_UINT16, to->major);
	mmdb_put_text(out, "binary_format_minor_version");
	mmdb_put_uint(out, MMDB_UINT16, 0);
	mmdb_put_text(out, "build_epoch");
	mmdb_put_uint(out, MMDB_UINT64, MMDB_WRITE_BUILT_S);
	mmdb_put_text(out, "database_type");
	mmdb_put_text(out, to->type);
	mmdb_put_text(out, "description");
	mmdb_put_control(out, MMDB_MAP, 1);
	mmdb_put_text(out, "en");
	mmdb_put_text(out, "Of a test");
	mmdb_put_text(out, "ip_version");
	mmdb_put_uint(out, MMDB_UINT16, to->ip_version);
	mmdb_put_text(out, "languages");
	mmdb_put_control(out, MMDB_ARRAY, 0);
	mmdb_put_text(out, "node_count");
	mmdb_put_uint(out, MMDB_UINT32, nodes_count);
	mmdb_put_text(out, "record_size");
	mmdb_put_uint(out, MMDB_UINT16, to->record_bits);
}

/* The bytes of the file, in out->data, for mmdb_write_end. */
static inline struct mmdb_write mmdb_write_bytes(const struct mmdb_write *to)
{
	static const uint8_t separator[16];
	struct mmdb_write out = {0};

	mmdb_write_tree(&out, to);
	mmdb_put(&out, separator, sizeof(separator));
	mmdb_put(&out, to->data, to->data_size);
	mmdb_write_metadata(&out, to, (uint32_t)to->nodes_count);
	return out;
}

static inline void mmdb_write_file(const struct mmdb_write *to, const char *path)
{
	struct mmdb_write bytes = mmdb_write_bytes(to);

	feed_file_write(path, bytes.data, bytes.data_size);
	mmdb_write_end(&bytes);
}

#endif
