/* SPDX-License-Identifier: BSD-2-Clause */
/* A controller of our own: a process of the weir binary, and where it keeps what it needs. */
#ifndef WEIR_BENCH_CONTROLLER_H
#define WEIR_BENCH_CONTROLLER_H

#include "bench.h"
#include <sys/types.h>

struct place {
	char directory[64], pins[64], configuration[96];
};

/* A directory with a configuration of these sections, see edge_configuration. */
struct place place_make(const char *sections);
/* The text of a configuration for the place; the caller frees it. */
char *place_configuration(const struct place *place, const char *sections);
void place_clear(const struct place *place, bool whole);

pid_t controller_start(const struct bench_options *options, const struct place *place);
void controller_stop(pid_t pid);
/* A figure of /proc/PID/status: "VmRSS", "VmHWM". */
double process_kib(pid_t pid, const char *what);

/* group_loading.c: a million prefixes from their file to live, again with some of them changed, and live entries
 * meanwhile. */
void loading_measure(struct bench *bench, struct results *results);

#endif
