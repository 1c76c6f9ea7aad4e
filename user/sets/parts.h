/* SPDX-License-Identifier: BSD-2-Clause */
/* Within sets: the lists that are followed, and what the files here do for one another. */
#ifndef WEIR_SETS_PARTS_H
#define WEIR_SETS_PARTS_H

#include "sets.h"
#include "../feeds/feeds.h"
#include <limits.h>

struct list {
	char name[WEIR_NAME_MAX];
	char path[PATH_MAX];
	uint64_t source;		  /* a set that gets another file, or other regions of it, is another list */
	struct sets_state state;	  /* owns good */
	struct feeds_fingerprint refused; /* of the version that why is about */
	uint64_t looked_ms;		  /* when it was last looked at; 0: not yet */
	uint16_t max_change_percent;	  /* what it was last judged by; by other measures it is read again */
	bool strict;
	bool wanted; /* by the configuration at hand */
};

struct sets {
	char directory[PATH_MAX];
	sets_progress *progress; /* NULL: nobody watches */
	void *progress_arg;
	struct list *lists;
	size_t count;
};

/* Where what is to be told goes; warn may be NULL. */
struct teller {
	sets_warn *warn;
	void *arg;
};

/* The list that a set is read from; NULL: it is not known, or the set is written in the configuration. */
struct list *sets_list_find(const struct sets *sets, const struct config_set *set);
/* Reads it again when it has changed, and takes what is good. 1 taken, 0 nothing new or held back, or -errno with
 * *problem. */
int sets_list_look(struct sets *sets, const struct config_set *set, struct list *list, bool accept,
		   const struct teller *to, struct problem *problem);
/* Where its last good version is kept; false: nowhere. */
bool sets_list_kept_path(const struct sets *sets, const struct list *list, char out[PATH_MAX]);

#endif
