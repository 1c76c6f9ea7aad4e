/* SPDX-License-Identifier: BSD-2-Clause */
/* Within replay: what a bench knows of the tables that it asks. */
#ifndef WEIR_REPLAY_BENCH_H
#define WEIR_REPLAY_BENCH_H

#include "replay.h"
#include "../reconcile/reconcile.h"
#include "../sets/sets.h"

struct bench_rules {
	uint32_t generation; /* 0: none was read yet */
	struct weir_rule by_id[WEIR_MAX_RULE_IDS];
};

struct replay_bench {
	struct kernel *kernel;
	struct reconcile *reconcile; /* NULL over live tables */
	struct sets_filter *filter;  /* of the configuration; NULL over live tables */
	struct bench_rules *rules;
	uint32_t ifindex; /* where packets come in unless told otherwise */
	bool stateful;
};

/* The name of a stable id (kind: WEIR_NAMES_SERVICES, ...), or "#ID" where the tables have none. Returns out. */
char *bench_name(const struct replay_bench *bench, uint32_t kind, uint32_t id, char out[WEIR_NAME_MAX]);
/* Entry index of the generation's protect table as a prefix. 0 or -errno. */
int bench_protect(const struct replay_bench *bench, uint32_t generation, uint32_t index, struct prefix *out);
/* A backend of the generation. 0 or -errno. */
int bench_backend(const struct replay_bench *bench, uint32_t generation, uint32_t id, struct weir_backend *out);
/* A limit of the generation, by its index. 0 or -errno. */
int bench_limit(const struct replay_bench *bench, uint32_t generation, uint32_t index, struct weir_limit *out);

/* rules.c: the rule of the generation that has the stable id. 0 or -errno. */
int bench_rule(const struct replay_bench *bench, uint32_t generation, uint32_t id, struct weir_rule *out);

#endif
