/* SPDX-License-Identifier: BSD-2-Clause */
/* What a set out of a GeoIP database is made of, for those who ask. */
#include "controller.h"
#include "../base/json.h"
#include "../base/scope.h"
#include "../sets/sets.h"

json_t *controller_geoip_json(const struct config_set *set, const struct sets_state *state)
{
	AUTO_FREE char *regions = config_regions_format(set);
	json_t *geoip = json_pack("{s:o}", "regions", json_text(regions ? regions : ""));

	if (state && *state->report.database)
		json_object_set_new(geoip, "database", json_text(state->report.database));
	if (state && state->report.built_s)
		json_object_set_new(geoip, "built", json_integer(state->report.built_s));
	return geoip;
}
