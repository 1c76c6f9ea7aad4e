/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of the world and of the Internet's routing that addresses belong to: countries, continents, autonomous systems.
 */
#ifndef WEIR_BASE_REGION_H
#define WEIR_BASE_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum region_kind { REGION_COUNTRY = 0, REGION_CONTINENT, REGION_ASN };
#define REGION_KINDS 3

struct region {
	enum region_kind kind;
	uint32_t number; /* of a code its two capital letters, the first one << 8; else the AS number, from 1 */
};

/* Two letters of ISO 3166-1 or of a continent, in capitals or not; size as text need not end with a NUL. */
bool region_parse_code(const char *text, size_t size, uint32_t *number);
/* "64496" or "AS64496". */
bool region_parse_asn(const char *text, size_t size, uint32_t *number);

/* "DE", "EU", "AS64496" into out[REGION_TEXT_MAX]; returns out. */
#define REGION_TEXT_MAX 16
char *region_format(const struct region *region, char *out);

/* For qsort and bsearch: by kind, then by number. */
int region_compare(const void *a, const void *b);

#endif
