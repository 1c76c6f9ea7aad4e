/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration amounts to with its lists read and everything compiled. Private to cli/. */
#ifndef WEIR_CLI_MEASURE_H
#define WEIR_CLI_MEASURE_H

#include "cli.h"
#include "../config/config.h"

struct measure {
	json_t *sizes;	  /* an object of numbers */
	json_t *warnings; /* sentences about the lists */
	json_t *geoip;	  /* of each set out of a GeoIP database: {"set", "prefixes", "source", "geoip"} */
	json_t *errors;	  /* a sentence for each list that cannot be read, FILE:LINE in front */
	struct config_findings findings; /* sets whose lists are empty */
};

/* Reads the list files and compiles, with a line on a terminal while that takes its time. 0; or -errno with all that is
 * wrong in measure.errors, or in *problem when that is empty. The caller clears *out, in every case. */
int measure_take(const struct config *config, struct measure *out, struct problem *problem);
/* Only reads the lists, of a configuration that is refused too: those of sets that could be read. The caller clears
 * *out.
 */
void measure_lists(const struct config *config, struct measure *out);
void measure_clear(struct measure *measure);

#endif
