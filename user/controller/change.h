/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of the policy, from the wish to the new generation. Private to controller/.
 *
 * Changes are made one at a time, in the order in which they were asked for. Files are read, tables built and written
 * on a thread of libuv's pool; meanwhile the loop goes on with all that is no such change: health, live entries,
 * overrides of backends, status.
 */
#ifndef WEIR_CONTROLLER_CHANGE_H
#define WEIR_CONTROLLER_CHANGE_H

#include "composition.h"

enum change_kind {
	CHANGE_APPLY = 0, /* the configuration in text, as of path */
	CHANGE_START,	  /* the configuration in config, at the start */
	CHANGE_RELOAD,	  /* the file that the controller starts from */
	CHANGE_RULE,	  /* an operator's mode for a rule */
	CHANGE_SET,	  /* the list of a set is read at once */
	CHANGE_FOLLOW,	  /* lists that are due, interfaces and addresses of the host */
	CHANGE_FOLD,	  /* the same policy with the live entries of now in its tables */
};

struct change {
	/* What is asked for. */
	enum change_kind kind;
	char *path, *text; /* APPLY */
	size_t text_size;
	int64_t base;		  /* APPLY: the generation that must be live when its turn comes; -1: any */
	bool dry_run;		  /* APPLY: ends with the differences */
	char name[WEIR_NAME_MAX]; /* RULE, SET */
	int mode;		  /* RULE: enum config_rule_mode, -1: as configured */
	bool accept;		  /* SET */

	/* What has come of it. */
	int error;
	struct problem problem;
	json_t *changes, *warnings; /* APPLY and RELOAD: lines; warnings are in the log, too */
	bool is_live;		    /* there is a new generation */

	/* Called once, on the loop, before it is freed. */
	void (*end)(struct change *change);
	struct control_request *request; /* of end alone */
	size_t command;

	/* Private to change.c, and while it is worked on not to be touched on the loop. */
	struct controller *controller;
	struct change *next;
	uv_work_t work;
	uint64_t now_ms; /* CLOCK_MONOTONIC, of its turn */
	bool interfaces_moved, sources_moved;
	struct config *config; /* to become live, owned; NULL: the live one stays */
	struct sets *sets;     /* a clone, to take the place */
	struct sets_filter *filter;
	struct reconcile_plan *plan;
};

/* NULL without memory. end may be NULL: then what fails is logged. */
struct change *change_new(struct controller *controller, enum change_kind kind, void (*end)(struct change *change));
/* Takes it over. */
void change_queue(struct change *change);
/* Makes it at once, without the loop, for the start. Takes it over; 0 or -errno with *problem. */
int change_make(struct change *change, struct problem *problem);
/* One that was not queued. */
void change_free(struct change *change);
/* Waits for what is under way on other threads: a change does not become live any more, those behind it are given up.
 */
void changes_stop(struct controller *controller);

#endif
