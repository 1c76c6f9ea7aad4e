/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The desired state: configuration, health and operators' overrides put together, with stable ids.
 *
 * Pure: no I/O, no clock. A model is immutable once built. What the ids and states are comes in by the two
 * interfaces below, so that tests and `replay -c` can stand in for the kernel's tables.
 */
#ifndef WEIR_MODEL_H
#define WEIR_MODEL_H

#include "../base/prefixes.h"
#include "../base/problem.h"
#include "../config/config.h"
#include <maps/list.h>

enum model_kind { MODEL_SERVICE = 0, MODEL_BACKEND, MODEL_LIMIT, MODEL_RULE, MODEL_KINDS };

/* Where the ids of a kind are among the names. */
struct model_kind_range {
	const char *noun, *capacity; /* for messages */
	uint32_t base, ids;	     /* entries base .. base + ids - 1 of the names; id 0 is none */
};
extern const struct model_kind_range model_kinds[MODEL_KINDS];

/* Names to stable ids. A registry is an array of WEIR_NAMES_TOTAL entries in the layout of maps/object.h. Ids keep
 * their meaning for as long as the registry is kept. */
struct model_registry {
	struct weir_name *names; /* [WEIR_NAMES_TOTAL], owned by the caller */
};

/* The id of a name, given out if need be. in_use (may be NULL: none) tells which ids must not be reused. 0 with
 * *id, -ENAMETOOLONG, or -ENOSPC with the limit's name in *problem. *fresh says whether the id is new to the name (its
 * counters must then be zeroed). */
int model_registry_assign(struct model_registry *registry, enum model_kind kind, const char *name,
			  bool (*in_use)(void *arg, enum model_kind kind, uint32_t id), void *arg, uint32_t *id,
			  bool *fresh, struct problem *problem);
/* The id of a name, 0 when it has none; the name of an id, NULL when it has none. */
uint32_t model_registry_find(const struct model_registry *registry, enum model_kind kind, const char *name);
const char *model_registry_name(const struct model_registry *registry, enum model_kind kind, uint32_t id);

struct model_backend {
	uint32_t id;		  /* stable */
	char name[WEIR_NAME_MAX]; /* "pool/backend" */
	struct addr address;
	struct addr source; /* of the outer header; family 0: unknown (no route) */
	enum weir_forward forward;
	uint16_t configured_weight;
	uint16_t weight; /* effective: an operator's override counted in; 0 takes no new flows */
	bool checked;	 /* its pool has health checks */
	struct weir_backend_state state;
	bool takes_new; /* in the ring: healthy (or unchecked, or panic), enabled, weight > 0 */
	bool keeps_old; /* may go on serving the flows that it has: not down, not disabled */
};

struct model_pool {
	char name[WEIR_NAME_MAX];
	size_t backends_count;
	struct model_backend *backends; /* in the configuration's order */
	uint32_t ring_size;		/* a prime, fixed by the configuration: not by health */
	size_t healthy;			/* backends that are healthy, enabled and of weight > 0 */
	bool panic;			/* too few healthy: all enabled ones are used */
	bool serves;			/* has enough to serve */
};

/* Services that name the same pools in the same order share a ring, which lasts when another of the pools serves. */
struct model_route {
	int pool;	    /* index of the pool that serves now, -1: none */
	uint32_t ring_size; /* the largest of its pools' */
};

struct model_service {
	uint32_t id; /* stable */
	char name[WEIR_NAME_MAX];
	const struct config_service *config; /* within model.config */
	int pool;			     /* index of the pool that serves now, -1: none */
	size_t route;			     /* index of its route */
};

struct model_limit {
	uint32_t id; /* stable */
	struct weir_limit limit;
	char name[WEIR_NAME_MAX];
};

struct model_rule {
	uint32_t id;		    /* stable */
	enum config_rule_mode mode; /* effective: an operator's override counted in */
	char name[WEIR_NAME_MAX];
};

/* What an operator made of a rule. */
struct model_override {
	char rule[WEIR_NAME_MAX];
	enum config_rule_mode mode;
};

/* What the filter is made of beside the configuration. All borrowed; must outlive the model. */
struct model_filter {
	struct prefixes *const *contents; /* [config->sets_count]; NULL, also of one set: what is written
					   * in the configuration, nothing of a list */
	const uint32_t *ifindexes;	  /* [config->interfaces_count]; NULL, or 0: not there */
	int64_t realtime_ns;		  /* one moment by both clocks: rules expire at a date, by the other clock */
	uint64_t monotonic_ns;
};

struct model {
	const struct config *config; /* borrowed: must outlive the model */
	struct model_pool *pools;
	size_t pools_count;
	struct model_route *routes; /* in the order of the services: the same for each model of a configuration */
	size_t routes_count;
	struct model_service *services;
	size_t services_count;
	struct model_limit *limits;
	size_t limits_count;
	struct model_rule *rules; /* in the configuration's order */
	size_t rules_count;
	const struct model_filter *filter; /* may be NULL */
	/* Live entries for the address tables, as in the table folded_entries; borrowed until it is compiled. */
	const struct weir_folded_entry *folded;
	size_t folded_count;
};

/* Where the state of backends and the outer source addresses come from. */
struct model_world {
	/* State of a backend by id; NULL: everything is unknown and enabled. */
	const struct weir_backend_state *states; /* [WEIR_MAX_BACKENDS] */
	/* Source towards a backend; NULL: addr_source_towards. Returns 0 or -errno (then the source stays unknown). */
	int (*source_towards)(void *arg, const struct addr *to, struct addr *source);
	void *arg;
	const struct model_filter *filter;	/* may be NULL: the lists are empty */
	const struct weir_folded_entry *folded; /* ascending, each prefix once */
	size_t folded_count;
	const struct model_override *overrides;
	size_t overrides_count;
	/* Ids that must not be reused, may be NULL. */
	bool (*in_use)(void *arg, enum model_kind kind, uint32_t id);
};

/* Builds the desired state. UNKNOWN health counts as healthy (a start must not eject everybody); DOWN does not.
 * fresh_ids (may be NULL) is called for each id that was given out anew. 0, or -ENOSPC/-ENAMETOOLONG/-ENOMEM with
 * *problem; the registry may then hold new names, which does no harm. The caller frees with model_free. */
int model_build(const struct config *config, struct model_registry *registry, const struct model_world *world,
		void (*fresh_ids)(void *arg, enum model_kind kind, uint32_t id), void *arg, struct model **out,
		struct problem *problem);
void model_free(struct model *model);

/* The ring size of a pool that names none. It does not depend on the number of backends: a ring of another size has
 * every slot elsewhere (docs/decisions/005-ring-sizes.md). */
#define MODEL_RING_SIZE 65537

/* What changes from one configuration to another, in words, one line each ("backend local/cache3 added"); the
 * caller frees *text. old may be NULL (everything is added). Returns the number of lines or -ENOMEM. */
int model_diff(const struct config *old, const struct config *new, char **text);

#endif
