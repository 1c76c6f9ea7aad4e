/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of prefixes as people give them. Private to cli/. */
#ifndef WEIR_CLI_IMPORT_H
#define WEIR_CLI_IMPORT_H

#include "cli.h"

/* A prefix a line from the file ("-": standard input); errors name the line. 0 with *prefixes, an array of strings
 * that the caller releases, or -errno. */
int import_read(const char *path, json_t **prefixes, struct problem *problem);
/* The same for words of the command line. */
int import_check(const json_t *words, json_t **prefixes, struct problem *problem);

#endif
