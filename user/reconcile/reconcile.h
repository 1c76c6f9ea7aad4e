/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only writer of policy maps: makes generations live, replaces rings, keeps bans and overrides.
 *
 * Everything is written beside what is live and read back before one word flips. On failure the live generation
 * and the state are as they were.
 */
#ifndef WEIR_RECONCILE_H
#define WEIR_RECONCILE_H

#include "../compile/compile.h"
#include "../kernel/kernel.h"

struct reconcile;

/* Where what has a stable id is counted. */
extern const enum kernel_map reconcile_count_maps[MODEL_KINDS];

/* The words for enum weir_health and enum weir_admin, by number. */
#define RECONCILE_HEALTHS 3
#define RECONCILE_ADMINS  3
extern const char *const reconcile_health_names[RECONCILE_HEALTHS];
extern const char *const reconcile_admin_names[RECONCILE_ADMINS];

#define RECONCILE_FOLD_LEAST 64	  /* live entries that are worth a place in the address tables */
#define RECONCILE_WEIGHT_MAX 1000 /* of an operator's override */

/* Takes over what the kernel's tables hold (names, states, bans, the live generation), or starts from the state
 * file when the tables are fresh. kernel is borrowed. state_directory NULL: no state file is read or written (for
 * replay -c and tests). */
int reconcile_open(struct kernel *kernel, const char *state_directory, struct reconcile **out, struct problem *problem);
void reconcile_close(struct reconcile *reconcile);

/*
 * A generation in the making, in three steps. A plan is opened, committed and closed where everything else here is
 * called; it may be built on another thread meanwhile, whatever else is called but another plan: there is one at a
 * time (-EBUSY).
 *
 * Build makes the model and the tables of config (NULL: the live one), writes them to the bank that is not live and
 * reads them back. filter (may be NULL: nothing of lists) and config must stay until the plan is closed, or another is
 * committed after it.
 *
 * Commit makes the rings the successors of those that are live by now, and flips. config is that of the build; it is
 * taken over on success (freed by reconcile later), untouched on failure.
 *
 * Await, on any thread, when the plan is turning after its commit: returns when no packet sees the old generation any
 * more. Close then ends what was kept for such packets.
 */
struct reconcile_plan;
int reconcile_plan_open(struct reconcile *reconcile, struct reconcile_plan **out, struct problem *problem);
/* Before the build: an operator's override of the mode of a rule of the live configuration, kept across restarts; -1:
 * as configured. -ENOENT with the name that is near in *problem when no rule has the name. */
int reconcile_plan_override(struct reconcile_plan *plan, const char *rule, int mode, struct problem *problem);
int reconcile_plan_build(struct reconcile_plan *plan, const struct config *config, const struct model_filter *filter,
			 struct problem *problem);
int reconcile_plan_commit(struct reconcile_plan *plan, struct config *config, struct problem *problem);
bool reconcile_plan_is_turning(const struct reconcile_plan *plan);
void reconcile_plan_await(const struct reconcile_plan *plan);
void reconcile_plan_close(struct reconcile_plan *plan); /* NULL is fine */

/* All of it at once. */
int reconcile_apply(struct reconcile *reconcile, struct config *config, const struct model_filter *filter,
		    struct problem *problem);
/* For tunnels whose outer source the configuration leaves to the host's routes: asks these again. True: one is another
 * now, and the same configuration has to be applied again. */
bool reconcile_sources_moved(const struct reconcile *reconcile);
const struct config *reconcile_config(const struct reconcile *reconcile); /* NULL before the first apply */
const struct model *reconcile_model(const struct reconcile *reconcile);	  /* until the next change of any kind */
uint32_t reconcile_generation(const struct reconcile *reconcile);
const struct model_registry *reconcile_registry(const struct reconcile *reconcile);
/* How many slots of a route's ring (index as in the model) are in each enum weir_slot_state. After an apply only. */
void reconcile_ring_counts(const struct reconcile *reconcile, size_t route, uint32_t counts[3]);

/* Health and overrides. A change rebuilds the rings of the backend's pool and moves services between pools as
 * needed; the state is in the kernel's table before the ring is. Unknown name: -ENOENT with the names that are
 * near in *problem. backend is "pool/name", or "name" when it is the only one. */
int reconcile_backend_health(struct reconcile *reconcile, uint32_t backend_id, enum weir_health health,
			     struct problem *problem);
int reconcile_backend_admin(struct reconcile *reconcile, const char *backend, enum weir_admin admin,
			    struct problem *problem);
int reconcile_backend_weight(struct reconcile *reconcile, const char *backend, int weight /* -1: configured */,
			     struct problem *problem);

/* An operator's override of a rule's mode, or -1. */
int reconcile_rule_override(const struct reconcile *reconcile, const char *rule);

/* Ends transitions that have lasted for the configured time. Call about once a second. now_ms is of a monotonic
 * clock. Also writes the heartbeat and deletes bans that have ended. */
void reconcile_tick(struct reconcile *reconcile, uint64_t now_ms);

/*
 * The state file with very many live entries takes a second to write: opened and closed where everything else here is
 * called, written on any thread meanwhile. NULL: nothing is to be done. With few entries a change writes it at once.
 */
struct reconcile_save;
struct reconcile_save *reconcile_save_open(struct reconcile *reconcile);
void reconcile_save_write(struct reconcile_save *save);
void reconcile_save_close(struct reconcile_save *save); /* before reconcile_close */

/* Live entries. until_s: CLOCK_REALTIME seconds, 0: no end. list is WEIR_BAN_DENY or WEIR_BAN_ALLOW. Adding what
 * is there replaces its end and note. -ENOSPC names the limit. Deleting what is not there: -ENOENT. Many at once:
 * all or nothing. Notes and times are kept in the state file across restarts. */
struct reconcile_ban {
	struct prefix prefix;
	uint32_t list;
	int64_t added_s, until_s; /* CLOCK_REALTIME */
	char note[128];
};
int reconcile_ban_add(struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count,
		      struct problem *problem);
int reconcile_ban_delete(struct reconcile *reconcile, uint32_t list, const struct prefix *prefixes, size_t count,
			 struct problem *problem);
/* Entries without an end move from the hashes into the address tables of the next generation, whatever that is made
 * for; so does what was deleted leave them. Few entries stay in the hashes. */
struct reconcile_folding {
	uint64_t changes;  /* of the lists, since the start */
	size_t folded;	   /* entries that act in the tables */
	size_t waiting;	   /* entries without an end that are in the hashes */
	size_t overlay;	   /* prefixes in the hashes, whatever for */
	size_t tombstones; /* those of them that say that an entry of the tables is gone */
};
struct reconcile_folding reconcile_folding(const struct reconcile *reconcile);
size_t reconcile_ban_count(const struct reconcile *reconcile, uint32_t list);
/* In the order of prefix_compare. */
void reconcile_ban_each(const struct reconcile *reconcile, uint32_t list,
			void (*each)(void *arg, const struct reconcile_ban *ban), void *arg);

#endif
