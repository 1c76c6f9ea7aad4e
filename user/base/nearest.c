/* SPDX-License-Identifier: BSD-2-Clause */
/* The distance between two words, and the nearest of many. */
#include "nearest.h"

#include <string.h>

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int least = a < b ? a : b;

	return least < c ? least : c;
}

unsigned int nearest_distance(const char *a, const char *b)
{
	size_t a_size = strnlen(a, NEAREST_WORD_MAX), b_size = strnlen(b, NEAREST_WORD_MAX);
	unsigned int rows[3][NEAREST_WORD_MAX + 1];
	unsigned int *two_up = rows[0], *up = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_size; j++)
		up[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_size; i++) {
		unsigned int *recycled = two_up;

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_up[j - 2] + 1 < row[j])
				row[j] = two_up[j - 2] + 1;
		}
		two_up = up;
		up = row;
		row = recycled;
	}
	return up[b_size];
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
	size_t word_size = strlen(nearest->word), size = strlen(candidate);
	unsigned int distance;

	if (!word_size || word_size > NEAREST_WORD_MAX || !size || size > NEAREST_WORD_MAX)
		return;
	distance = nearest_distance(nearest->word, candidate);
	/* A third of the word may be wrong, and never all of it. */
	if (distance > (size + 2) / 3 || distance >= size)
		return;
	if (!nearest->best || distance < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = distance;
	}
}
