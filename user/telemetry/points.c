/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot's list of points. */
#include "telemetry.h"

#include <stdlib.h>
#include <string.h>

struct telemetry_point *telemetry_points_add(struct telemetry_points *points)
{
	struct telemetry_point *point;

	if (points->count == points->capacity) {
		size_t capacity = points->capacity ? points->capacity * 2 : 64;
		struct telemetry_point *grown = reallocarray(points->points, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		points->points = grown;
		points->capacity = capacity;
	}
	point = &points->points[points->count++];
	memset(point, 0, sizeof(*point));
	return point;
}

/* Bytes of the well-formed UTF-8 sequence that text starts with, 0 where it is none (RFC 3629, section 4). */
static size_t utf8_sequence(const unsigned char *text)
{
	unsigned char lead = text[0], low = 0x80, high = 0xbf;
	size_t length;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

/* Collectors refuse a whole request for one malformed string, so a value is cut at a character's end and what is not
 * UTF-8 becomes '?'. */
void telemetry_point_attribute(struct telemetry_point *point, const char *key, const char *value)
{
	const unsigned char *from = (const unsigned char *)value;
	char *to;
	size_t used = 0;

	if (point->attributes_count == TELEMETRY_ATTRIBUTES_MAX)
		return;
	point->attributes[point->attributes_count].key = key;
	to = point->attributes[point->attributes_count++].value;
	while (*from) {
		size_t length = utf8_sequence(from), taken = length ? length : 1;

		if (used + taken >= sizeof(point->attributes[0].value))
			break;
		if (length)
			memcpy(to + used, from, length);
		else
			to[used] = '?';
		used += taken;
		from += taken;
	}
	to[used] = '\0';
}

void telemetry_points_free(struct telemetry_points *points)
{
	free(points->points);
	memset(points, 0, sizeof(*points));
}
