/* SPDX-License-Identifier: BSD-2-Clause */
/* Within reconcile: its state, and what its files do for one another. */
#ifndef WEIR_RECONCILE_PARTS_H
#define WEIR_RECONCILE_PARTS_H

#include "reconcile.h"
#include "../base/clock.h"

/* A live entry. Its end is by the clock that nobody can set, as in the kernel's table. */
struct ban {
	struct prefix prefix;
	uint32_t list;
	int64_t added_s;   /* CLOCK_REALTIME */
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0: no end */
	char note[128];
	struct ban *retired; /* of those that are not in force any more while somebody still reads them: the next */
};

/* Live entries, sorted by prefix and list; the entries are shared between a store and its successor. */
struct ban_store {
	struct ban **bans;
	size_t count;
	size_t lists[1 + WEIR_BAN_ALLOW]; /* entries, by list */
	size_t prefixes[2];		  /* distinct ones, of IPv4 and of IPv6 */
	uint32_t lengths[2][129];	  /* entries of each prefix length */
};

/* The part of the live bank that changes within a generation, mapped. */
struct bank_view {
	uint64_t *rings; /* struct weir_ring, stored whole */
	size_t rings_count;
	struct weir_slot *slots;
	size_t slots_count;
};

/* Where a route's ring is, and how far its transition has come: phase is the highest that its slots may be in
 * (enum weir_slot_state), and starts anew with each change. */
struct ring_route {
	uint32_t base, size;
	unsigned int area;
	enum weir_slot_state phase;
	bool timed; /* since_ms is set: by the first tick of the phase */
	uint64_t since_ms;
};

struct reconcile {
	struct kernel *kernel;
	char state_path[4096]; /* empty: no state file */
	struct weir_live *live;
	struct weir_name *names; /* as in the kernel's table */
	struct model_registry registry;
	struct weir_backend_state *states; /* as in the kernel's table */
	struct ban_store bans;		   /* as in the kernel's tables */
	uint64_t next_end_ns;		   /* when the next entry ends; 0: never */
	struct model_override *overrides;  /* of rules */
	size_t overrides_count;
	struct config *config;
	struct model *model;
	struct weir_backend *backends; /* as in the live bank, by id */
	size_t backends_count;
	struct bank_view view;
	struct ring_route *routes; /* as model->routes */
	bool is_planning;	   /* there is a plan */
	bool rings_behind;	   /* states has a change that the rings have not */
	bool dirty;		   /* the state file is older than the tables */
	bool is_saving;		   /* it is being written: entries that go are retired */
	struct ban *retired;
	bool save_failed; /* and that was told */
};

/* ban_store.c: the sorted store. A successor shares entries: after it took over (or was given up) the other one is
 * ended with ban_store_drop. */
int ban_compare(const struct ban *a, const struct ban *b);
struct ban *ban_store_find(const struct ban_store *store, const struct prefix *prefix, uint32_t list);
/* Successors: with `add` put in (the last of equals wins); without the entries that leave(arg, ban) is true for. */
int ban_store_with(const struct ban_store *store, const struct ban *add, size_t count, struct ban_store *out);
int ban_store_without(const struct ban_store *store, bool (*leave)(void *arg, const struct ban *ban), void *arg,
		      struct ban_store *out);
/* Frees the store and those of its entries that keep (may be NULL) does not share; with retired they are put in front
 * of *retired instead, for ban_retired_free. */
void ban_store_drop(struct ban_store *store, const struct ban_store *keep, struct ban **retired);
void ban_retired_free(struct ban *retired);

/* bans.c */
int bans_open(struct reconcile *reconcile, struct problem *problem); /* from the kernel's tables */
void bans_expire(struct reconcile *reconcile);
int64_t ban_end_to_wall(uint64_t until_ns); /* 0: no end */

/* bank.c: the inner maps of one generation. */
struct bank {
	int fds[KERNEL_MAPS]; /* -1: none */
	int *pages;	      /* of the filter's lines */
	unsigned int pages_count;
	struct bank_view view;
};

/* pages.c: the pages of the filter's lines. Each as its namesake below; what pages_create made pages_free gives back,
 * also when it failed. 0 or -errno; -EIO where a page holds something else. */
int pages_create(const struct compile_filter *filter, struct bank *bank);
int pages_fill(const struct compile_filter *filter, const struct bank *bank);
int pages_check(const struct compile_filter *filter, const struct bank *bank);
void pages_free(struct bank *bank);

/* bank.c */
int bank_create(const struct compile_image *image, struct bank *bank, struct problem *problem);
/* Writes all of the image but its rings and their slots, and reads all of it back. */
int bank_fill(const struct compile_image *image, struct bank *bank, struct problem *problem);
int bank_check(const struct compile_image *image, const struct bank *bank, struct problem *problem);
/* Writes the rings and their slots, which may be installed already, and reads them back. */
int bank_fill_rings(const struct compile_image *image, struct bank *bank, struct problem *problem);
int bank_install(const struct kernel *kernel, const struct bank *bank, unsigned int index, struct problem *problem);
void bank_free(struct bank *bank);
int bank_view_open(const struct kernel *kernel, unsigned int index, struct bank_view *out, struct problem *problem);
void bank_view_close(struct bank_view *view);

/* rings.c */
/* Makes the rings of a new image the successors of the live ones. 0 or -errno. */
int rings_carry(const struct reconcile *reconcile, const struct model *model, struct compile_image *image);
struct ring_route *rings_routes(const struct compile_image *image); /* NULL: no memory */
/* Makes the rings what the states ask for, and the model with them. */
int rings_refresh(struct reconcile *reconcile, struct problem *problem);
void rings_settle(struct reconcile *reconcile, uint64_t now_ms);

/* rules.c: overrides (replaced) with another mode for a rule of config. On failure they are as they were. */
int rules_override(const struct config *config, const char *rule, int mode, struct model_override **overrides,
		   size_t *count, struct problem *problem);

/* ids.c: what the kernel's tables say about stable ids. */
int ids_open(struct reconcile *reconcile, struct problem *problem);
/* Writes what names and states of fresh ids have that the tables have not: counters, then state, then the name. */
int ids_write(struct reconcile *reconcile, const struct weir_name *names, const struct weir_backend_state *states,
	      struct problem *problem);
/* The ids that either bank uses: true at index WEIR_NAMES_* + id. NULL: no memory, or not readable. */
bool *ids_in_use(const struct kernel *kernel);

/* state.c: the state file, read. */
#define STATE_VERSION 1
extern const char *const state_list_names[1 + WEIR_BAN_ALLOW];
struct state_backend {
	char name[WEIR_NAME_MAX];
	struct weir_backend_state state;
};
struct state {
	struct reconcile_ban *bans;
	size_t bans_count;
	struct state_backend *backends;
	size_t backends_count;
	struct model_override *rules;
	size_t rules_count;
};
/* What the file says; nothing when there is none, or when it is damaged (then it is kept aside, and told). */
int state_load(const char *path, struct state *out, struct problem *problem);
void state_free(struct state *state);

/* save.c: the state file, written. */
/* Marks the file as old. It is written here when that is quick, else reconcile_save_open has something to do. */
void state_changed(struct reconcile *reconcile);
/* The same without a change: for what could not be written before. */
void state_catch_up(struct reconcile *reconcile);
/* However long it takes. */
void state_save(struct reconcile *reconcile);

#endif
