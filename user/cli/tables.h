/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the pinned tables without a controller. Private to cli/. */
#ifndef WEIR_CLI_TABLES_H
#define WEIR_CLI_TABLES_H

#include "../kernel/kernel.h"

/* Opens what is pinned below the directory, to read it. 0 or -errno with *problem. */
int cli_open_tables(const char *pin_directory, struct kernel **out, struct problem *problem);

#endif
