/* SPDX-License-Identifier: BSD-2-Clause */
/* What a record of a GeoIP database says: its country, continent and AS number, in the layouts that are about. */
#include "geoip.h"

#include <errno.h>
#include <stdlib.h>

#include "../base/scope.h"

/* Where a record says what. A layout that nests it has a map there, a flat one the value itself. */
static const struct field {
	const char *key, *within;
	enum region_kind kind;
} FIELDS[] = {
	{"country", "iso_code", REGION_COUNTRY}, /* MaxMind, DB-IP; flat, a code or a name: IPinfo */
	{"country_code", NULL, REGION_COUNTRY},
	{"continent", "code", REGION_CONTINENT},
	{"continent_code", NULL, REGION_CONTINENT},
	{"autonomous_system_number", NULL, REGION_ASN},
	{"asn", NULL, REGION_ASN}, /* "AS64496" */
	{"traits", "autonomous_system_number", REGION_ASN},
};

enum decision { UNDECIDED = 0, DECIDED_NO, DECIDED_YES };

static bool is_number(const struct mmdb_value *value)
{
	return value->type == MMDB_UINT16 || value->type == MMDB_UINT32 || value->type == MMDB_UINT64;
}

/* False when the value says no region: country names where others have codes, AS 0. */
static bool read_region(const struct mmdb_section *data, const struct mmdb_value *value, struct region *region)
{
	const char *text = (const char *)data->bytes + value->at;

	if (region->kind != REGION_ASN)
		return value->type == MMDB_STRING && region_parse_code(text, value->size, &region->number);
	if (value->type == MMDB_STRING)
		return region_parse_asn(text, value->size, &region->number);
	region->number = (uint32_t)value->number;
	return is_number(value) && value->number && value->number <= UINT32_MAX;
}

/* Whether the region of the value is one of those. */
static bool take_region(struct geoip *geoip, const struct mmdb_value *value, enum region_kind kind)
{
	struct region region = {.kind = kind};
	const struct region *known;

	if (!read_region(&geoip->mmdb.data, value, &region))
		return false;
	geoip->seen |= 1u << kind;
	known = bsearch(&region, geoip->regions, geoip->regions_count, sizeof(region), region_compare);
	if (!known)
		return false;
	geoip->found[known - geoip->regions] = true;
	return true;
}

/* 0, 1 or -EBADMSG. */
static int take_field(struct geoip *geoip, const struct field *field, size_t value_at)
{
	struct mmdb *mmdb = &geoip->mmdb;
	struct mmdb_value value, key, inner;
	int error = mmdb_read(mmdb, &mmdb->data, value_at, &value);
	size_t at = value.at, inner_at;
	bool belongs = false;

	if (error)
		return error;
	if (value.type != MMDB_MAP)
		return take_region(geoip, &value, field->kind);
	for (size_t i = 0; i < value.size && field->within; i++) {
		error = mmdb_read_pair(mmdb, &mmdb->data, &at, &key, &inner_at);
		if (!error && mmdb_is_text(&mmdb->data, &key, field->within)) {
			error = mmdb_read(mmdb, &mmdb->data, inner_at, &inner);
			belongs = belongs || (!error && take_region(geoip, &inner, field->kind));
		}
		if (error)
			return error;
	}
	return belongs;
}

static const struct field *find_field(const struct geoip *geoip, const struct mmdb_value *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(FIELDS); i++) {
		if ((geoip->wanted >> FIELDS[i].kind & 1) && mmdb_is_text(&geoip->mmdb.data, key, FIELDS[i].key))
			return &FIELDS[i];
	}
	return NULL;
}

static int read_record(struct geoip *geoip, size_t record_at)
{
	struct mmdb *mmdb = &geoip->mmdb;
	struct mmdb_value map, key;
	int error = mmdb_read(mmdb, &mmdb->data, record_at, &map), belongs = 0;
	size_t at = map.at, value_at;

	if (error)
		return error;
	for (size_t i = 0; map.type == MMDB_MAP && i < map.size; i++) {
		const struct field *field;

		error = mmdb_read_pair(mmdb, &mmdb->data, &at, &key, &value_at);
		if (error)
			return error;
		field = find_field(geoip, &key);
		error = field ? take_field(geoip, field, value_at) : 0;
		if (error < 0)
			return error;
		belongs |= error;
	}
	return belongs;
}

/* Many networks share a record. */
int geoip_decide(struct geoip *geoip, size_t at)
{
	uint8_t *byte = &geoip->decisions[at / 4];
	unsigned int shift = at % 4 * 2;
	enum decision known = (enum decision)(*byte >> shift & 3);
	int belongs;

	if (known)
		return known == DECIDED_YES;
	belongs = read_record(geoip, at);
	if (belongs < 0)
		return belongs;
	geoip->records++;
	*byte |= (uint8_t)((belongs ? DECIDED_YES : DECIDED_NO) << shift);
	return belongs;
}
