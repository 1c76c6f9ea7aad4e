/* SPDX-License-Identifier: BSD-2-Clause */
/* A database in the MaxMind DB format: metadata, tree and values, out of bytes that may be anything. */
#include "mmdb.h"

#include <errno.h>
#include <string.h>

#include "../base/scope.h"
#include "../base/text.h"

#define METADATA_MARK	   "\xab\xcd\xefMaxMind.com"
#define METADATA_BYTES_MAX 131072u /* the mark included */
#define SEPARATOR_BYTES	   16u	   /* between tree and data */
/* A record has a value for every two or three of its bytes, and its country and continent are often shared. */
#define STEPS_BASE     (1ull << 20)
#define STEPS_PER_BYTE 16u
#define STEPS_MAX      (1ull << 30)

static int refuse(struct mmdb *mmdb, const char *sentence)
{
	mmdb->wrong = sentence;
	return -EBADMSG;
}

/* --- values ---------------------------------------------------------------------------------------------- */

static uint64_t number_at(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* Takes so many bytes from *at on as a number. */
static int take_number(struct mmdb *mmdb, const struct mmdb_section *section, size_t *at, size_t size, uint64_t *out)
{
	if (section->size - *at < size)
		return refuse(mmdb, "a value ends beyond the data");
	*out = number_at(section->bytes + *at, size);
	*at += size;
	return 0;
}

/* The pointer's low bits say how many bytes follow; shorter ones begin where the next shorter kind ends. */
static int read_pointer(struct mmdb *mmdb, const struct mmdb_section *section, uint8_t control, size_t *at,
			struct mmdb_value *value)
{
	static const uint32_t base[] = {0, 2048, 526336, 0};
	unsigned int kind = control >> 3 & 3;
	uint64_t low;
	int error = take_number(mmdb, section, at, kind + 1, &low);

	if (error)
		return error;
	value->number = low + base[kind];
	if (kind < 3)
		value->number += (uint64_t)(control & 7) << (8 * (kind + 1));
	if (value->number >= section->size)
		return refuse(mmdb, "a pointer leads beyond the data");
	return 0;
}

static int read_size(struct mmdb *mmdb, const struct mmdb_section *section, uint8_t control, size_t *at, size_t *size)
{
	static const uint32_t base[] = {29, 285, 65821};
	uint64_t more = 0;
	int error;

	*size = control & 31;
	if (*size < 29)
		return 0;
	error = take_number(mmdb, section, at, *size - 28, &more);
	*size = base[*size - 29] + more;
	return error;
}

/* Bytes that belong to a value, beside what tells its type and size. */
static int check_payload(struct mmdb *mmdb, const struct mmdb_section *section, struct mmdb_value *value)
{
	size_t left = section->size - value->at, most = left;

	switch (value->type) {
	case MMDB_STRING:
	case MMDB_BYTES:
		break;
	case MMDB_DOUBLE:
	case MMDB_UINT64:
		most = 8;
		break;
	case MMDB_UINT32:
	case MMDB_INT32:
	case MMDB_FLOAT:
		most = 4;
		break;
	case MMDB_UINT16:
		most = 2;
		break;
	case MMDB_UINT128:
		most = 16;
		break;
	case MMDB_BOOLEAN:
		return value->size > 1 ? refuse(mmdb, "a boolean is neither true nor false") : 0;
	case MMDB_MAP: /* each key and value takes a byte at least */
		return value->size > left / 2 ? refuse(mmdb, "a map is larger than the data") : 0;
	case MMDB_ARRAY:
		return value->size > left ? refuse(mmdb, "an array is larger than the data") : 0;
	default:
		return refuse(mmdb, "a value has an unknown type");
	}
	if (value->size > left)
		return refuse(mmdb, "a value ends beyond the data");
	if (value->size > most)
		return refuse(mmdb, "a number is longer than its type");
	if (value->size <= sizeof(value->number))
		value->number = number_at(section->bytes + value->at, value->size);
	return 0;
}

/* The value at a place, which may be a pointer; *end is behind it, or before the first item. */
static int read_plain(struct mmdb *mmdb, const struct mmdb_section *section, size_t at, struct mmdb_value *value,
		      size_t *end)
{
	uint64_t control, extended;
	int error;

	if (!mmdb->steps_left)
		return refuse(mmdb, "its records are far larger than those of any such database");
	mmdb->steps_left--;
	if (at >= section->size)
		return refuse(mmdb, "a value begins beyond the data");
	control = section->bytes[at++];
	*value = (struct mmdb_value){.type = (enum mmdb_type)(control >> 5)};
	if (value->type == MMDB_POINTER) {
		error = read_pointer(mmdb, section, (uint8_t)control, &at, value);
		*end = at;
		return error;
	}
	if (!value->type) {
		error = take_number(mmdb, section, &at, 1, &extended);
		if (error)
			return error;
		value->type = (enum mmdb_type)(extended + 7);
	}
	error = read_size(mmdb, section, (uint8_t)control, &at, &value->size);
	value->at = at;
	if (!error)
		error = check_payload(mmdb, section, value);
	if (value->type == MMDB_MAP || value->type == MMDB_ARRAY || value->type == MMDB_BOOLEAN)
		*end = at;
	else
		*end = at + value->size;
	return error;
}

static int follow(struct mmdb *mmdb, const struct mmdb_section *section, struct mmdb_value *value)
{
	size_t end;
	int error;

	if (value->type != MMDB_POINTER)
		return 0;
	error = read_plain(mmdb, section, value->number, value, &end);
	return !error && value->type == MMDB_POINTER ? refuse(mmdb, "a pointer leads to a pointer") : error;
}

int mmdb_read(struct mmdb *mmdb, const struct mmdb_section *section, size_t at, struct mmdb_value *out)
{
	size_t end;
	int error = read_plain(mmdb, section, at, out, &end);

	return error ? error : follow(mmdb, section, out);
}

/* Past a value with all that is in it; not behind its pointers. */
static int skip(struct mmdb *mmdb, const struct mmdb_section *section, size_t *at)
{
	uint64_t left = 1; /* values that are still to come */

	while (left) {
		struct mmdb_value value;
		int error = read_plain(mmdb, section, *at, &value, at);

		if (error)
			return error;
		left--;
		if (value.type == MMDB_ARRAY)
			left += value.size;
		else if (value.type == MMDB_MAP)
			left += 2 * value.size;
		if (left > section->size - *at)
			return refuse(mmdb, "a value ends beyond the data");
	}
	return 0;
}

int mmdb_read_pair(struct mmdb *mmdb, const struct mmdb_section *section, size_t *at, struct mmdb_value *key,
		   size_t *value_at)
{
	size_t end;
	int error = read_plain(mmdb, section, *at, key, &end);

	if (!error)
		error = follow(mmdb, section, key);
	if (!error && key->type != MMDB_STRING)
		error = refuse(mmdb, "the key of a map is no string");
	if (error)
		return error;
	*value_at = end;
	error = skip(mmdb, section, &end);
	*at = end;
	return error;
}

bool mmdb_is_text(const struct mmdb_section *section, const struct mmdb_value *value, const char *text)
{
	size_t length = strlen(text);

	return value->type == MMDB_STRING && value->size == length && !memcmp(section->bytes + value->at, text, length);
}

/* --- the tree -------------------------------------------------------------------------------------------- */

int mmdb_data_of(struct mmdb *mmdb, uint32_t record, size_t *at)
{
	size_t offset = (size_t)record - mmdb->nodes_count;

	if (offset < SEPARATOR_BYTES || offset - SEPARATOR_BYTES >= mmdb->data.size)
		return refuse(mmdb, "its tree leads beyond the data");
	*at = offset - SEPARATOR_BYTES;
	return 0;
}

/* --- metadata -------------------------------------------------------------------------------------------- */

struct metadata {
	uint64_t nodes_count, record_bits, ip_version, major, built_s;
	char *type;
};

static int take_metadata(struct mmdb *mmdb, const struct mmdb_section *section, const struct mmdb_value *key,
			 size_t value_at, struct metadata *out)
{
	const struct {
		const char *key;
		uint64_t *number;
	} numbers[] = {
		{"node_count", &out->nodes_count}, {"record_size", &out->record_bits},
		{"ip_version", &out->ip_version},  {"binary_format_major_version", &out->major},
		{"build_epoch", &out->built_s},
	};
	struct mmdb_value value;
	int error = mmdb_read(mmdb, section, value_at, &value);

	if (error)
		return error;
	if (value.type == MMDB_STRING && mmdb_is_text(section, key, "database_type")) {
		size_t size = value.size < MMDB_NAME_MAX ? value.size : MMDB_NAME_MAX - 1;

		memcpy(out->type, section->bytes + value.at, size);
		out->type[size] = '\0';
	}
	if (value.type != MMDB_UINT16 && value.type != MMDB_UINT32 && value.type != MMDB_UINT64)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (mmdb_is_text(section, key, numbers[i].key))
			*numbers[i].number = value.number;
	}
	return 0;
}

/* As a person may see it. */
static void clean_type(char *type)
{
	text_trim(type);
	text_repair(type);
	for (; *type; type++) {
		if ((unsigned char)*type < ' ' || *type == 0x7f)
			*type = '?';
	}
}

static int read_metadata(struct mmdb *mmdb, const struct mmdb_section *section, struct metadata *out)
{
	struct mmdb_value map, key;
	int error = mmdb_read(mmdb, section, 0, &map);
	size_t at = map.at, value_at;

	if (!error && map.type != MMDB_MAP)
		error = refuse(mmdb, "its metadata is no map");
	for (size_t i = 0; !error && i < map.size; i++) {
		error = mmdb_read_pair(mmdb, section, &at, &key, &value_at);
		if (!error)
			error = take_metadata(mmdb, section, &key, value_at, out);
	}
	clean_type(out->type);
	return error;
}

/* Behind the last mark. */
static const uint8_t *find_metadata(const uint8_t *bytes, size_t size)
{
	const size_t length = sizeof(METADATA_MARK) - 1;
	const uint8_t *end = bytes + size, *found = NULL;
	const uint8_t *at = size > METADATA_BYTES_MAX ? end - METADATA_BYTES_MAX : bytes;

	while ((at = memmem(at, (size_t)(end - at), METADATA_MARK, length))) {
		at += length;
		found = at;
	}
	return found;
}

static int check_metadata(struct mmdb *mmdb, const struct metadata *metadata, size_t before)
{
	if (metadata->major != 2)
		return refuse(mmdb, "its metadata says another format than version 2");
	if (metadata->record_bits != 24 && metadata->record_bits != 28 && metadata->record_bits != 32)
		return refuse(mmdb, "its metadata says a record size other than 24, 28 or 32");
	if (metadata->ip_version != 4 && metadata->ip_version != 6)
		return refuse(mmdb, "its metadata says an IP version other than 4 or 6");
	if (metadata->nodes_count >= UINT32_MAX || before < SEPARATOR_BYTES ||
	    metadata->nodes_count > (before - SEPARATOR_BYTES) / (metadata->record_bits / 4))
		return refuse(mmdb, "its metadata says more nodes than there are");
	return 0;
}

int mmdb_open(struct mmdb *mmdb, const uint8_t *bytes, size_t size)
{
	const uint8_t *found = find_metadata(bytes, size);
	struct metadata metadata = {.type = mmdb->type};
	size_t before, tree_bytes;
	int error;

	*mmdb = (struct mmdb){.steps_left = STEPS_BASE};
	if (!found)
		return refuse(mmdb, "the mark before its metadata, at the end, is not there");
	error = read_metadata(mmdb, &(struct mmdb_section){found, (size_t)(bytes + size - found)}, &metadata);
	before = (size_t)(found - bytes) - (sizeof(METADATA_MARK) - 1);
	if (!error)
		error = check_metadata(mmdb, &metadata, before);
	if (error)
		return error;
	tree_bytes = metadata.nodes_count * (metadata.record_bits / 4);
	mmdb->tree = bytes;
	mmdb->data.bytes = bytes + tree_bytes + SEPARATOR_BYTES;
	mmdb->data.size = before - tree_bytes - SEPARATOR_BYTES;
	mmdb->nodes_count = (uint32_t)metadata.nodes_count;
	mmdb->record_bits = (uint16_t)metadata.record_bits;
	mmdb->address_bits = metadata.ip_version == 4 ? 32 : 128;
	mmdb->built_s = metadata.built_s;
	mmdb->steps_left = STEPS_BASE + STEPS_PER_BYTE * (uint64_t)mmdb->data.size;
	if (mmdb->steps_left > STEPS_MAX)
		mmdb->steps_left = STEPS_MAX;
	return 0;
}
