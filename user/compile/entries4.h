/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: the entries of /24s to the lines of entries4. */
#ifndef WEIR_COMPILE_ENTRIES4_H
#define WEIR_COMPILE_ENTRIES4_H

#include "addresses.h"

/* Puts each entry where the program looks for it, in lines that go to *out. 0, -ENOMEM, or -E2BIG with *problem when
 * the entries hash alike. */
int compile_entries4(const struct weir_entry4 *entries, size_t count, struct compile_addresses *out,
		     struct problem *problem);

#endif
