/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the filter: what its parts hand each other. Rules are numbered here as their bits in the vectors are: those
 * that are off or have expired are not there.
 */
#ifndef WEIR_COMPILE_FILTER_PART_H
#define WEIR_COMPILE_FILTER_PART_H

#include "filter.h"
#include "rows.h"

struct compile_rules {
	const struct config_rule **list; /* in order, borrowed */
	size_t count;
	size_t words; /* of 64 rules */
};

enum compile_side { COMPILE_FROM = 0, COMPILE_TO, COMPILE_SIDES };

/* A set that a rule names on a side, or that its prefixes there make up. */
struct compile_side_term {
	uint32_t rule, set; /* set: of compile_sides.sets */
	bool negated;
};

/* The sets that rules look at: named ones as they are, listed prefixes as sets of their own, equal ones once. */
struct compile_sides {
	const struct prefixes **sets;
	size_t sets_count;
	struct prefixes **made; /* those of sets that are not the input's */
	size_t made_count;
	struct compile_side_term *terms[COMPILE_SIDES]; /* by rule */
	size_t terms_count[COMPILE_SIDES];
};

/* 0 or -ENOMEM. *sides is zero before, and to be closed in every case. */
int compile_sides_open(const struct compile_filter_input *input, const struct compile_rules *rules,
		       struct compile_sides *sides);
void compile_sides_close(struct compile_sides *sides);
/* The rules that the members of each class satisfy on a side, as vectors behind those that are in filter. 0 or
 * -ENOMEM. */
int compile_sides_vectors(const struct compile_sides *sides, enum compile_side side, const struct compile_rules *rules,
			  struct compile_filter *filter);

/* The dimensions with an index, after both sides: which are in use, their indexes and their vectors. 0, -ENOMEM or
 * -E2BIG with *problem. */
int compile_dimensions(const struct compile_filter_input *input, const struct compile_rules *rules,
		       struct compile_filter *filter, struct problem *problem);

/* The live entries of one list and prefix length, as a set behind those of the sides. */
struct compile_folded {
	struct prefixes **sets;
	uint16_t *keys; /* of each set: its list's place * COMPILE_LENGTHS + its prefix length */
	size_t count;
	size_t first; /* number of the first one among all sets */
};
#define COMPILE_LENGTHS 129

/* Appends the sets to those of the sides. 0 or -ENOMEM. *folded is zero before, and to be closed in every case, after
 * sides are no longer looked at. */
int compile_folded_open(const struct compile_filter_input *input, struct compile_sides *sides,
			struct compile_folded *folded);
void compile_folded_close(struct compile_folded *folded);
/* The record of each class, and what head.quick says of the first ones. 0 or -ENOMEM. */
int compile_folded_records(const struct compile_folded *folded, struct compile_filter *filter);

/* Puts count vectors of zeros behind those that are in filter; *first is the line of the first one. 0 or -ENOMEM. */
int compile_vectors_add(struct compile_filter *filter, size_t count, uint32_t *first);
/* Writes the vector that starts at a line: bits[words] and their summary. */
void compile_vector_write(struct compile_filter *filter, size_t line, const uint64_t *bits, size_t words);

#endif
