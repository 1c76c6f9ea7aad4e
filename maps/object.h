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
#define WEIR_NAMES_TOTAL    (WEIR_NAMES_LIMITS + WEIR_MAX_LIMITS)

struct weir_name {
	__u32 used;		  /* 1 when the id belongs to the name */
	char name[WEIR_NAME_MAX]; /* of a backend: "pool/backend" */
};
_Static_assert(sizeof(struct weir_name) == 64, "layout");

enum weir_health { WEIR_HEALTH_UNKNOWN = 0, WEIR_HEALTH_UP = 1, WEIR_HEALTH_DOWN = 2 };
enum weir_admin { WEIR_ADMIN_ENABLED = 0, WEIR_ADMIN_DRAIN = 1, WEIR_ADMIN_DISABLED = 2 };

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
