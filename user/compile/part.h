/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: the parts of an image, each filled by its own file. All return 0 or -errno with *problem. */
#ifndef WEIR_COMPILE_PART_H
#define WEIR_COMPILE_PART_H

#include "compile.h"

int compile_protects(const struct config *config, struct compile_image *image, struct problem *problem);
int compile_services(const struct model *model, struct compile_image *image, struct problem *problem);

/* -E2BIG: count of what exceeds the named capacity, with what to do about it. */
int compile_refuse(struct problem *problem, const char *what, unsigned long long count, const char *capacity,
		   unsigned int limit, const char *remedy);

#endif
