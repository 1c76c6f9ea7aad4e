/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the module: the filter of one generation, from rules and the contents of sets to the tables of maps/filter.h.
 *
 * Pure. Each `from` and `to` that lists prefixes becomes a set of its own beside the named ones; rules that are off or
 * have expired are left out, and so are sets that no rule names.
 */
#ifndef WEIR_COMPILE_FILTER_H
#define WEIR_COMPILE_FILTER_H

#include "../config/config.h"
#include "addresses.h"
#include <maps/ban.h>
#include <maps/folded.h>

/* What the rules are compiled from; all borrowed. */
struct compile_filter_input {
	const struct config *config;		/* sets, filter, services (for @vips) */
	const struct prefixes *const *contents; /* [config->sets_count]; NULL, also for all: what is written in the
						 * configuration, nothing of a file */
	const uint32_t *rule_ids;		/* [config->filter.rules_count]: stable ids */
	const uint8_t *rule_modes; /* [rules_count]: enum config_rule_mode, overrides counted in; NULL: the file's */
	int64_t realtime_ns, monotonic_ns; /* the same moment by both clocks: `expires` is a date, rules expire by the
					    * other; a rule that has expired is left out */
	const uint32_t *ifindexes; /* [config->interfaces_count]; NULL or 0: not there, no packet comes in by it */
	const struct weir_folded_entry *folded; /* live entries, ascending, each prefix once */
	size_t folded_count;
};

/* What lies in the space of lines, in its order: each table begins at a line of its own. */
struct compile_lines {
	const void *rows;
	size_t bytes;
	uint32_t first; /* line */
};
enum compile_lines_table {
	COMPILE_LINES_VALUES4,
	COMPILE_LINES_ENTRIES4,
	COMPILE_LINES_LINES4,
	COMPILE_LINES_BITS6,
	COMPILE_LINES_GROUPS6,
	COMPILE_LINES_BUCKETS6,
	COMPILE_LINES_VECTORS,
	COMPILE_LINES
};

struct compile_filter {
	struct weir_filter head;
	struct compile_addresses addresses;
	uint64_t *indexes; /* four 16-bit elements each */
	size_t indexes_count;
	struct weir_vector_line *vectors;
	size_t vectors_count;
	struct weir_rule *rules; /* those that are neither off nor expired, in order */
	size_t rules_count;
	struct weir_folded *folded; /* by class; NULL and 0: no live entry is folded */
	size_t folded_count;
};

/* The prefix that a live entry of folded is. */
struct prefix compile_folded_prefix(const struct weir_folded_entry *entry);

/* 0, -E2BIG with the capacity's name in *problem, or -ENOMEM. *out is untouched on failure; the caller frees it with
 * compile_filter_free. Without rules and live entries, and with `default: pass`, everything in *out is empty. */
int compile_filter_build(const struct compile_filter_input *input, struct compile_filter **out,
			 struct problem *problem);
/* The tables that lie in lines, as the head says; borrowed from filter. Returns how many lines they take. */
size_t compile_filter_lines(const struct compile_filter *filter, struct compile_lines out[COMPILE_LINES]);
/* Whether the class of the source alone decides, now and later: what weir_filter.quick is for. */
bool compile_filter_is_quick(const struct compile_filter *filter);
void compile_filter_free(struct compile_filter *filter);

#endif
