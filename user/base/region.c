/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions from text and to text. */
#include "region.h"

#include <stdio.h>

static char capital_of(char letter)
{
	if (letter >= 'a' && letter <= 'z')
		return (char)(letter - 'a' + 'A');
	return letter >= 'A' && letter <= 'Z' ? letter : '\0';
}

bool region_parse_code(const char *text, size_t size, uint32_t *number)
{
	if (size != 2 || !capital_of(text[0]) || !capital_of(text[1]))
		return false;
	*number = (uint32_t)capital_of(text[0]) << 8 | (uint32_t)capital_of(text[1]);
	return true;
}

bool region_parse_asn(const char *text, size_t size, uint32_t *number)
{
	uint64_t value = 0;

	if (size > 2 && capital_of(text[0]) == 'A' && capital_of(text[1]) == 'S') {
		text += 2;
		size -= 2;
	}
	if (!size || size > 10)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	if (!value || value > UINT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

char *region_format(const struct region *region, char *out)
{
	if (region->kind == REGION_ASN)
		snprintf(out, REGION_TEXT_MAX, "AS%u", region->number);
	else
		snprintf(out, REGION_TEXT_MAX, "%c%c", (int)(region->number >> 8 & 0x7f), (int)(region->number & 0x7f));
	return out;
}

int region_compare(const void *a, const void *b)
{
	const struct region *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}
