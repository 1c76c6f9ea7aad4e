/* SPDX-License-Identifier: BSD-2-Clause */
/* A set out of a GeoIP database: its file, and the countries, continents and AS numbers that are in it. */
#include "form.h"

#include <string.h>

#include "../base/scope.h"

/* With its place, for as long as they are sorted. */
struct config_region {
	struct region region;
	struct config_place place;
};

#define CONTINENTS "AF, AN, AS, EU, NA, OC or SA"

struct geoip_draft {
	struct config_set *set;
	struct config_region *regions; /* as written */
	size_t count;
};

static void read_file(struct form *form, const struct yaml_node *node, void *object)
{
	struct geoip_draft *draft = object;

	form_set_path(form, node, draft->set);
}

static bool read_country(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_region *region = item;
	const char *text = form_text(form, node);

	region->place = node->place;
	region->region.kind = REGION_COUNTRY;
	if (text && region_parse_code(text, strlen(text), &region->region.number))
		return true;
	if (text)
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": a country is its two letters in ISO 3166-1, as in DE", SHOWN(text),
			   SHOWN(form_label(node)));
	return false;
}

static bool is_continent(uint32_t number)
{
	static const char known[][3] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (number == ((uint32_t)known[i][0] << 8 | (uint32_t)known[i][1]))
			return true;
	}
	return false;
}

static bool read_continent(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_region *region = item;
	const char *text = form_text(form, node);

	region->place = node->place;
	region->region.kind = REGION_CONTINENT;
	if (text && region_parse_code(text, strlen(text), &region->region.number) &&
	    is_continent(region->region.number))
		return true;
	if (text)
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": a continent is " CONTINENTS, SHOWN(text),
			   SHOWN(form_label(node)));
	return false;
}

static bool read_asn(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_region *region = item;
	const char *text = form_text(form, node);

	region->place = node->place;
	region->region.kind = REGION_ASN;
	if (text && region_parse_asn(text, strlen(text), &region->region.number))
		return true;
	if (text)
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": an AS number is 1 to 4294967295, with or without \"AS\", as in 64496 or "
			   "AS64496",
			   SHOWN(text), SHOWN(form_label(node)));
	return false;
}

static void read_regions(struct form *form, const struct yaml_node *node, struct geoip_draft *draft,
			 bool (*read)(struct form *form, const struct yaml_node *node, void *item))
{
	const struct form_list list = {sizeof(struct config_region), read, true, false};
	AUTO_FREE struct config_region *fresh = NULL;
	struct config_region *grown;
	size_t count = 0;

	if (!form_read_list(form, node, &list, &fresh, &count) || !count)
		return;
	grown = reallocarray(draft->regions, draft->count + count, sizeof(*grown));
	if (!grown) {
		form->errors->no_memory = true;
		return;
	}
	memcpy(grown + draft->count, fresh, count * sizeof(*grown));
	draft->regions = grown;
	draft->count += count;
}

static void read_countries(struct form *form, const struct yaml_node *node, void *object)
{
	read_regions(form, node, object, read_country);
}

static void read_continents(struct form *form, const struct yaml_node *node, void *object)
{
	read_regions(form, node, object, read_continent);
}

static void read_asns(struct form *form, const struct yaml_node *node, void *object)
{
	read_regions(form, node, object, read_asn);
}

static int compare_regions(const void *a, const void *b)
{
	const struct config_region *left = a, *right = b;
	int order = region_compare(&left->region, &right->region);

	if (order)
		return order;
	if (left->place.line != right->place.line)
		return left->place.line < right->place.line ? -1 : 1;
	return left->place.column - right->place.column;
}

/* Sorted, each one once, so that the same regions are the same however they were written down. */
static void take_regions(struct form *form, struct geoip_draft *draft)
{
	struct config_set *set = draft->set;

	if (!draft->count)
		return;
	qsort(draft->regions, draft->count, sizeof(*draft->regions), compare_regions);
	set->regions = calloc(draft->count, sizeof(*set->regions));
	set->region_places = calloc(draft->count, sizeof(*set->region_places));
	if (!set->regions || !set->region_places) {
		form->errors->no_memory = true;
		return;
	}
	for (size_t i = 0; i < draft->count; i++) {
		if (i && !region_compare(&draft->regions[i - 1].region, &draft->regions[i].region))
			continue;
		set->regions[set->regions_count] = draft->regions[i].region;
		set->region_places[set->regions_count++] = draft->regions[i].place;
	}
}

void form_geoip(struct form *form, const struct yaml_node *node, struct config_set *set)
{
	static const struct form_key keys[] = {{"file", read_file, true},
					       {"countries", read_countries, false},
					       {"continents", read_continents, false},
					       {"asns", read_asns, false}};
	static const struct form_map map = {"\"geoip\"", keys, ARRAY_SIZE(keys), NULL};
	struct geoip_draft draft = {.set = set};
	size_t errors = form->errors->count;

	set->kind = CONFIG_SET_GEOIP;
	if (form_read_map(form, node, &map, &draft) && form->errors->count == errors && !draft.count)
		errors_add(form->errors, node->place,
			   "\"geoip\" needs at least one of \"countries\", \"continents\" and \"asns\"");
	take_regions(form, &draft);
	free(draft.regions);
}
