/* SPDX-License-Identifier: BSD-2-Clause */
/* What a mistyped word may have been meant to be. */
#ifndef WEIR_BASE_NEAREST_H
#define WEIR_BASE_NEAREST_H

/* Longer words are compared by so many of their first bytes. */
#define NEAREST_WORD_MAX 64

/* Edits from a to b, a transposition of neighbours counted once (optimal string alignment). */
unsigned int nearest_distance(const char *a, const char *b);

/* The candidate nearest to a misspelt word, if one is near enough to be meant. */
struct nearest {
	const char *word, *best; /* best starts NULL */
	unsigned int distance;
};
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
