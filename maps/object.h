/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space remembers beside the counters: the names of stable ids, and the state of backends.
 *
 * Pinned with the counters, so that the two can never disagree after a restart. Not read by the program. Written
 * by: reconcile. Full: an id is reused only when its object is in neither bank and no fresh id is left; then its
 * counters restart. When all ids are in use the configuration is refused.
 */
#ifndef WEIR_MAPS_OBJECT_H
#define WEIR_MAPS_OBJECT_H

#include <linux/types.h>
#include <weir/capacity.h>

/* names: array; a kind's entries start at its base, index = base + stable id. */
#define WEIR_NAMES_SERVICES 0
#define WEIR_NAMES_BACKENDS (WEIR_NAMES_SERVICES + WEIR_MAX_SERVICES)
#define WEIR_NAMES_LIMITS   (WEIR_NAMES_BACKENDS + WEIR_MAX_BACKENDS)
#define WEIR_NAMES_RULES    (WEIR_NAMES_LIMITS + WEIR_MAX_LIMITS)
#define WEIR_NAMES_TOTAL    (WEIR_NAMES_RULES + WEIR_MAX_RULE_IDS)

struct weir_name {
	__u32 used;		  /* 1 when the id belongs to the name */
	char name[WEIR_NAME_MAX]; /* of a backend: "pool/backend" */
};
_Static_assert(sizeof(struct weir_name) == 64, "layout");

/* X(name, number, text): the state file and every document that is shown use the text. */
#define WEIR_HEALTH_STATES(X) X(UNKNOWN, 0, "unknown") X(UP, 1, "up") X(DOWN, 2, "down")
#define WEIR_ADMIN_STATES(X)  X(ENABLED, 0, "enabled") X(DRAIN, 1, "drain") X(DISABLED, 2, "disabled")

enum weir_health {
#define WEIR_HEALTH_ENUM(name, number, text) WEIR_HEALTH_##name = number,
	WEIR_HEALTH_STATES(WEIR_HEALTH_ENUM)
#undef WEIR_HEALTH_ENUM
};
enum weir_admin {
#define WEIR_ADMIN_ENUM(name, number, text) WEIR_ADMIN_##name = number,
	WEIR_ADMIN_STATES(WEIR_ADMIN_ENUM)
#undef WEIR_ADMIN_ENUM
};

/* backend_state: array, index is the stable backend id. */
struct weir_backend_state {
	__u8 health;  /* enum weir_health, as the checks last found it */
	__u8 admin;   /* enum weir_admin, an operator's override */
	__u16 weight; /* an operator's override plus 1; 0: none */
	__u32 reserved;
	__u64 since_ns; /* CLOCK_REALTIME of the last change of health or admin */
};
_Static_assert(sizeof(struct weir_backend_state) == 16, "layout");

#endif
