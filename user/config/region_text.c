/* SPDX-License-Identifier: BSD-2-Clause */
/* The regions of a set in words. */
#include "config.h"

#include "../base/scope.h"

/* More of them are no text that a person reads. */
#define REGIONS_WRITTEN 8

char *config_regions_format(const struct config_set *set)
{
	size_t shown = set->regions_count <= REGIONS_WRITTEN + 1 ? set->regions_count : REGIONS_WRITTEN, size = 0;
	uint32_t digest = 2166136261u; /* FNV-1a */
	char region[REGION_TEXT_MAX], *text = NULL;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (size_t i = 0; i < shown; i++)
		fprintf(file, "%s%s", i ? ", " : "", region_format(&set->regions[i], region));
	for (size_t i = shown; i < set->regions_count; i++) {
		for (const char *at = region_format(&set->regions[i], region); *at; at++)
			digest = (digest ^ (unsigned char)*at) * 16777619u;
		digest = (digest ^ ',') * 16777619u;
	}
	if (shown < set->regions_count)
		fprintf(file, " and %zu more (digest %08x)", set->regions_count - shown, digest);
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}
