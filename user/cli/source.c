/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a set comes from, in words. */
#include "cli.h"
#include "../base/scope.h"
#include <time.h>

#define DATE_MAX 24

static const char *date_of(const json_t *geoip, char out[DATE_MAX])
{
	time_t built = (time_t)cli_number(geoip, "built");
	struct tm tm;

	if (!built || !gmtime_r(&built, &tm) || !strftime(out, DATE_MAX, " of %Y-%m-%d", &tm))
		*out = '\0';
	return out;
}

char *cli_set_source(const json_t *row)
{
	const json_t *geoip = json_object_get(row, "geoip");
	const char *database = cli_text(geoip, "database");
	char date[DATE_MAX], *text = NULL;
	int size;

	if (geoip)
		size = asprintf(&text, "%s (GeoIP database%s%s%s: %s)", cli_text(row, "source"), *database ? " " : "",
				database, date_of(geoip, date), cli_text(geoip, "regions"));
	else
		size = asprintf(&text, "%s", cli_text(row, "source"));
	return size < 0 ? NULL : text;
}
