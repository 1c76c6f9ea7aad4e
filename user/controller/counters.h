/* SPDX-License-Identifier: BSD-2-Clause */
/* The counters of the pinned tables with the names of what they count. Private to controller/. */
#ifndef WEIR_CONTROLLER_COUNTERS_H
#define WEIR_CONTROLLER_COUNTERS_H

#include "../reconcile/reconcile.h"
#include <stdint.h>

#define COUNTERS_WORDS 4

/* words, by kind: packets, bytes, flows of a service or backend; passed, passed_bytes, dropped, dropped_bytes of a
 * limit. */
struct counters_object {
	uint32_t id;
	char name[WEIR_NAME_MAX];
	uint64_t words[COUNTERS_WORDS];
};

/* All that has an id, whether it is in the live policy or not. The caller frees *out. 0 or -errno. */
int counters_objects(const struct kernel *kernel, enum model_kind kind, struct counters_object **out, size_t *count);

struct counters_reason {
	unsigned int number;
	const char *name, *sentence;
	enum weir_verdict verdict; /* that goes with it by design */
};
extern const struct counters_reason counters_reasons[];
extern const size_t counters_reasons_count;
extern const char *const counters_verdict_names[WEIR_VERDICTS];

/* Packets and bytes of one verdict and reason. 0 or -errno. */
int counters_verdict(const struct kernel *kernel, enum weir_verdict verdict, unsigned int reason,
		     struct weir_count *out);

/* Of one rule; last_ns is the latest of all CPUs. 0 or -errno. */
int counters_rule(const struct kernel *kernel, uint32_t id, struct weir_rule_count *out);
/* Seconds since a moment of CLOCK_MONOTONIC. */
int64_t counters_seconds_ago(uint64_t then_ns);

/* "pool/backend" in its two halves; pool has room for WEIR_NAME_MAX bytes. Returns the backend's half. */
const char *counters_split_backend(const char *name, char *pool);

#endif
