/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to feeds: which records of a GeoIP database belong to the regions that a set is made of. */
#ifndef WEIR_FEEDS_GEOIP_H
#define WEIR_FEEDS_GEOIP_H

#include "mmdb.h"

#include "../base/region.h"

struct geoip {
	struct mmdb mmdb;
	const struct region *regions; /* sorted by region_compare, each one once */
	size_t regions_count;
	bool *found;	     /* [regions_count] some record is of it */
	unsigned int wanted; /* bit n: a region is of kind n */
	unsigned int seen;   /* bit n: some record says something of wanted kind n */
	uint8_t *decisions;  /* two bits for each byte of the data: what was decided about a record that begins there */
	uint64_t records;    /* different ones */
};

/* Whether the record at a place of the data is of one of the regions: 0, 1, or -EBADMSG with geoip->mmdb.wrong. */
int geoip_decide(struct geoip *geoip, size_t at);

#endif
