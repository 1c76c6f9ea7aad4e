/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within the module: sets to classes, and classes to the tables of one family.
 *
 * A class is a combination of sets that holds some address; class 0 is "in no set". They are numbered as they first
 * occur, from the lowest IPv4 address to the highest IPv6 prefix.
 */
#ifndef WEIR_COMPILE_CLASSES_H
#define WEIR_COMPILE_CLASSES_H

#include "addresses.h"
#include "rows.h"

/* From first up to the next one's first, the last one to the end; the first of all starts at 0. Neighbours differ. */
struct compile_run4 {
	uint32_t first;
	uint16_t class;
};

/* The class counts the sets of all prefixes around it in. Ascending, none twice. */
struct compile_class6 {
	struct prefix6 prefix;
	uint16_t class;
};

/* Both leave rows' current row in any state and add what they find to its rows. 0, -ENOMEM, or -E2BIG when there are
 * more than WEIR_MAX_CLASSES. The caller frees *out. */
int compile_classes4(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		     struct compile_run4 **out, size_t *out_count);
int compile_classes6(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		     struct compile_class6 **out, size_t *out_count);

/* Fill the family's tables of *out, which are empty before. 0, -ENOMEM, or -E2BIG with *problem. On failure what was
 * put into *out is still to be freed. */
int compile_table4(const struct compile_run4 *runs, size_t count, struct compile_addresses *out,
		   struct problem *problem);
int compile_table6(const struct compile_class6 *prefixes, size_t count, struct compile_addresses *out,
		   struct problem *problem);

#endif
