/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to sets: what is to be said of a set out of a GeoIP database. */
#ifndef WEIR_SETS_REGION_H
#define WEIR_SETS_REGION_H

#include "../config/config.h"
#include "../feeds/feeds.h"

/* Says that the database has nothing of a region of the set, and what may have been meant; written into
 * out[REGION_SENTENCE_MAX], and returned. */
#define REGION_SENTENCE_MAX 512
char *region_missing_sentence(const struct config_set *set, const struct feeds_report *report, size_t region,
			      char *out);

#endif
