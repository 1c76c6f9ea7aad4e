/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions that a database knows nothing of: mistaken codes, most of the time. */
#include "region.h"

#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

/* What people write for countries, and where else ISO 3166-1 has it. */
static const struct {
	char written[3];
	const char *meant;
} HINTS[] = {
	{"UK", "; was GB meant?"},
	{"EN", "; was GB meant?"},
	{"EL", "; was GR meant?"},
	{"JA", "; was JP meant?"},
	{"KO", "; was KR meant?"},
	{"CS", "; was CZ meant?"},
	{"SU", "; was RU meant?"},
	{"YU", "; was RS meant?"},
	{"EU", "; the continent is written continents: [EU]"},
	{"OC", "; the continent is written continents: [OC]"},
	{"AN", "; the continent is written continents: [AN]"},
};

static const char *hint_for(const struct region *region, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(HINTS) && region->kind == REGION_COUNTRY; i++) {
		if (!strcmp(HINTS[i].written, text))
			return HINTS[i].meant;
	}
	return "";
}

char *region_missing_sentence(const struct config_set *set, const struct feeds_report *report, size_t region, char *out)
{
	static const char *const kinds[REGION_KINDS] = {"in the country ", "on the continent ", "of "};
	const struct region *missing = &set->regions[region];
	const struct config_place *place = &set->region_places[region];
	char text[REGION_TEXT_MAX];

	region_format(missing, text);
	snprintf(out, REGION_SENTENCE_MAX, "%d:%d: set \"%s\": no network of %.256s (%s) is %s%s%s", place->line,
		 place->column, set->name, set->path, report->database, kinds[missing->kind], text,
		 hint_for(missing, text));
	return out;
}
