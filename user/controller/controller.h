/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The controller: every module put together on one loop, from the start to the clean exit that leaves the
 * dataplane working; and the documents that tell about it, which need no controller where the tables suffice.
 */
#ifndef WEIR_CONTROLLER_H
#define WEIR_CONTROLLER_H

#include "../base/problem.h"
#include "../config/config.h"
#include "../kernel/kernel.h"
#include <jansson.h>

/* Runs until SIGTERM or SIGINT; SIGHUP reads config_path again. config is taken over, also on failure. 0, or
 * -errno with *problem when it could not start: then the dataplane that was there is as it was. */
int controller_run(const char *config_path, struct config *config, struct problem *problem);

/*
 * The document of `weir status`, as far as the pinned tables tell:
 * {"controller": {"running", "pid", "heartbeat_age_s", ...}, "generation", "interfaces": [...], "services": [...],
 *  "backends": [...], "packets": {"pass", "drop", "tx", "redirect"}, ...}. NULL without memory.
 */
json_t *controller_tables_status(const struct kernel *kernel, const char *pin_directory);

/* Sentences about what in this host's devices and routes would keep packets from the backends. NULL without memory. */
json_t *controller_path_warnings(const struct config *config);

/* What a set out of a GeoIP database is made of: {"regions", "database", "built"}, the latter two if its database was
 * read (state may be NULL). NULL without memory. */
struct sets_state;
json_t *controller_geoip_json(const struct config_set *set, const struct sets_state *state);

/* The document of `weir stats`: {"verdicts": [...], "services": [...], "backends": [...], "limits": [...]}. */
json_t *controller_tables_stats(const struct kernel *kernel);

#endif
