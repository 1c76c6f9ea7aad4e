/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot's list of points. */
#include "telemetry.h"
#include "../base/text.h"

#include <stdio.h>
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

/* Collectors refuse a whole request for one malformed string, so a value is cut at a character's end and what is not
 * UTF-8 becomes '?'. */
void telemetry_point_attribute(struct telemetry_point *point, const char *key, const char *value)
{
	const size_t room = sizeof(point->attributes[0].value);
	char *to;

	if (point->attributes_count == TELEMETRY_ATTRIBUTES_MAX)
		return;
	point->attributes[point->attributes_count].key = key;
	to = point->attributes[point->attributes_count++].value;
	if ((size_t)snprintf(to, room, "%s", value) >= room)
		text_trim(to);
	text_repair(to);
}

void telemetry_points_free(struct telemetry_points *points)
{
	free(points->points);
	memset(points, 0, sizeof(*points));
}
