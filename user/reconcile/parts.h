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
	size_t lasting;			  /* entries without an end */
};

/* The entries that the address tables of a generation have, as in its table. */
struct folded {
	struct weir_folded_entry *entries; /* ascending, each prefix once */
	size_t count;
};

/* What is in the hashes of live entries, but for what is left over there and not looked up. */
struct overlay_counts {
	size_t prefixes[2];			/* keys, of IPv4 and of IPv6 */
	size_t waiting;				/* entries that could be in the address tables */
	size_t tombstones;			/* keys with one */
	uint32_t lengths[2][129], gone[2][129]; /* entries and tombstones of each prefix length */
};

struct prefix_list {
	struct prefix *prefixes;
	size_t count, room;
};

/* How the hashes follow from one generation to the next. */
struct overlay_turn {
	struct ban_store snapshot;	      /* the store when it began; the entries are shared */
	struct folded next;		      /* in the tables of the new generation */
	struct overlay_counts between, after; /* while packets may see either; and then. As of the snapshot */
	struct prefix_list before_flip;	      /* what the hashes have to hold for these changes before the flip, */
	struct prefix_list behind_flip;	      /* and when nobody sees the old one any more; of the snapshot */
};

/* The part of the live bank that changes within a generation, mapped. */
struct bank_view {
	uint64_t *rings; /* struct weir_ring, stored whole */
	size_t rings_count;
	struct weir_slot *slots;
	size_t slots_count;
};

/* Where a route's ring is, and how far its slots have come since they changed. */
struct ring_route {
	uint32_t base, size;
	unsigned int area;
	bool is_settled;      /* every slot is */
	uint32_t *changed_ms; /* of each slot, as compile_ring_settle has it; NULL: all 0 */
};

struct reconcile {
	struct kernel *kernel;
	char state_path[4096]; /* empty: no state file */
	struct weir_live *live;
	struct weir_name *names; /* as in the kernel's table */
	struct model_registry registry;
	struct weir_backend_state *states; /* as in the kernel's table */
	struct ban_store bans;		   /* as in the kernel's tables */
	struct folded folded;		   /* as in the live bank */
	struct folded folded_before;	   /* as in the other one, while packets may see that: */
	bool is_turning;
	bool overlay_behind; /* entries without an end are not in the hashes: they wait for the first generation */
	struct overlay_counts overlay;
	struct prefix_list touched;	  /* changed since the plan was opened */
	struct prefix_list leftovers;	  /* that may have something in the hashes that nobody needs */
	uint64_t ban_changes;		  /* ever */
	uint64_t next_end_ns;		  /* when the next entry ends; 0: never */
	struct model_override *overrides; /* of rules */
	size_t overrides_count;
	struct config *config;
	struct model *model;
	struct weir_backend *backends; /* as in the live bank, by id */
	size_t backends_count;
	struct bank_view view;
	struct ring_route *routes;    /* as model->routes */
	size_t routes_turn;	      /* the route whose exceptions are looked for next */
	struct weir_flow_line *flows; /* the table of exceptions, mapped */
	size_t flows_turn;	      /* the line that is cleaned next */
	bool is_planning;	      /* there is a plan */
	bool rings_behind;	      /* states has a change that the rings have not */
	bool dirty;		      /* the state file is older than the tables */
	bool is_saving;		      /* it is being written */
	struct ban *retired;	      /* entries that went while there is a plan, or while it is written */
	bool save_failed;	      /* and that was told */
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

/* folded.c */
/* The lists (WEIR_BAN_*) that the prefix itself is on. */
uint32_t folded_lists(const struct folded *folded, const struct prefix *prefix);
/* The entries without an end. 0 or -ENOMEM; the caller frees *out with folded_free. */
int folded_collect(const struct ban_store *store, struct folded *out);
/* What the bank has; nothing when it has no such table. */
int folded_read(const struct kernel *kernel, unsigned int bank, struct folded *out);
void folded_free(struct folded *folded);

/* overlay.c: the hashes of live entries. A value without lists stands for no key. */
/* One prefix's value, with the lists that every table which packets may see has it on, and that some such table has. */
struct weir_ban overlay_value(const struct ban_store *store, const struct prefix *prefix, uint32_t all, uint32_t any);
/* The value that a store asks for now. */
struct weir_ban overlay_want(const struct reconcile *reconcile, const struct ban_store *store,
			     const struct prefix *prefix);
bool overlay_same(const struct weir_ban *a, const struct weir_ban *b);
int overlay_put(const struct kernel *kernel, const struct prefix *prefix, const struct weir_ban *value);
void overlay_count(struct overlay_counts *counts, const struct prefix *prefix, const struct weir_ban *value, int sign);
/* The lengths of counts, and of also if it is given. */
int overlay_put_lengths(const struct kernel *kernel, const struct overlay_counts *counts,
			const struct overlay_counts *also);
int overlay_check_room(const struct overlay_counts *counts, struct problem *problem);
int overlay_each(const struct kernel *kernel,
		 int (*visit)(void *arg, const struct prefix *prefix, const struct weir_ban *value), void *arg);
#define OVERLAY_CLEAN 2048 /* keys that are made what they should be within milliseconds */
/* Leaves it to overlay_clean, or to overlay_make_room, to make the prefixes' keys what they should be. */
void overlay_leave(struct reconcile *reconcile, const struct prefix_list *prefixes);
void overlay_clean(struct reconcile *reconcile, size_t most);
void overlay_make_room(struct reconcile *reconcile, const struct overlay_counts *counts);
/* 0 or -ENOMEM. */
int prefix_list_reserve(struct prefix_list *list, size_t more);
int prefix_list_add(struct prefix_list *list, const struct prefix *prefix);
void prefix_list_sort(struct prefix_list *list); /* and each once */
void prefix_list_free(struct prefix_list *list);

/* turn.c: from one generation to the next no packet finds an entry in neither the hashes nor the tables it sees. */
/* 0 or -ENOMEM. */
int turn_open(const struct reconcile *reconcile, struct overlay_turn *turn);
/* On any thread, when turn->next is known: what is to be done. 0 or -ENOMEM. */
int turn_build(const struct reconcile *reconcile, struct overlay_turn *turn);
/* Puts in what the next generation needs and the live one does not mind: what came of the store meanwhile, too. */
int turn_prepare(struct reconcile *reconcile, struct overlay_turn *turn, struct problem *problem);
/* Behind the flip; is_first: there was no generation before. */
void turn_flip(struct reconcile *reconcile, struct overlay_turn *turn, bool is_first);
/* When no packet sees the old generation any more. */
void turn_settle(struct reconcile *reconcile, const struct overlay_turn *turn);
void turn_close(struct reconcile *reconcile, struct overlay_turn *turn);

/* bans_open.c: from the kernel's tables. */
int bans_open(struct reconcile *reconcile, struct problem *problem);

/* bans.c */
void bans_find_next_end(struct reconcile *reconcile);
void bans_expire(struct reconcile *reconcile);
/* As reconcile_ban_add, at a start without a generation: what has no end may be more than fits beside the tables. */
int bans_restore(struct reconcile *reconcile, const struct reconcile_ban *bans, size_t count, struct problem *problem);
int64_t ban_end_to_wall(uint64_t until_ns); /* 0: no end */
/* Frees the retired when nobody reads them any more. */
void bans_free_retired(struct reconcile *reconcile);

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
/* Returns when no packet is in the program that came before what is live now. */
int bank_await_packets(const struct kernel *kernel, const struct bank *bank, unsigned int index);
void bank_free(struct bank *bank);
int bank_view_open(const struct kernel *kernel, unsigned int index, struct bank_view *out, struct problem *problem);
void bank_view_close(struct bank_view *view);

/* rings.c */
/* Makes the rings of a new image the successors of the live ones. 0 or -errno; the caller frees *routes, which are as
 * model->routes, with rings_free. */
int rings_carry(const struct reconcile *reconcile, const struct model *model, struct compile_image *image,
		struct ring_route **routes);
void rings_free(struct ring_route *routes, const struct model *model); /* both may be NULL */
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
