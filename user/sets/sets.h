/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in the configured sets: read, looked at again, and held back when a list changes more than it may.
 *
 * A version that cannot be read, or that may not follow the last good one, never takes its place. Last good versions
 * are kept in the state directory, so that a start with a broken list has them too.
 */
#ifndef WEIR_SETS_H
#define WEIR_SETS_H

#include "../config/config.h"
#include "../feeds/feeds.h"
#include "../model/model.h"

struct sets;

/* The contents of a configuration's sets, each of them shared with whoever else has it. */
struct sets_contents {
	struct prefixes **contents; /* [count], as config.sets */
	size_t count;
};
void sets_contents_clear(struct sets_contents *contents);

/* directory: where last good versions are kept, made when need be; NULL: nowhere. The caller closes *out. 0 or -ENOMEM.
 */
int sets_open(const char *directory, struct sets **out);
void sets_close(struct sets *sets);
/* What is known, once more, to be read on another thread while the first is asked: it shares what is in the sets. The
 * caller closes *out, or what it was made from in its place. 0 or -ENOMEM. */
int sets_clone(const struct sets *sets, struct sets **out);

/* Is told how far the reading of a list has come: when it begins, now and then, and with done equal to total at its
 * end. Called on the thread that reads. A clone has the same watcher. */
typedef void sets_progress(void *arg, const char *set, uint64_t done_bytes, uint64_t total_bytes);
void sets_watch(struct sets *sets, sets_progress *progress, void *arg);

/* Says what a person should know, one sentence a call. */
typedef void sets_warn(void *arg, const char *sentence);

/* The contents of each set of config; files whose version is known are not read again. A file that cannot be read or
 * that is held back leaves the last good version in use, with a warning; without one the error is returned with the
 * place in *problem. The caller clears *out. */
int sets_read(struct sets *sets, const struct config *config, struct sets_contents *out, sets_warn *warn, void *arg,
	      struct problem *problem);

/* What a generation's filter is made of beside the configuration: the contents of its sets, the numbers that its
 * interfaces have on this host, and the time. */
struct sets_filter {
	struct sets_contents contents;
	uint32_t *ifindexes;	   /* as config.interfaces; 0: not there */
	struct model_filter model; /* of these */
};

/* As sets_read. The caller closes *out, after the model that was built of it. */
int sets_filter_open(struct sets *sets, const struct config *config, struct sets_filter **out, sets_warn *warn,
		     void *arg, struct problem *problem);
void sets_filter_close(struct sets_filter *filter);

/* Whether sets_refresh would look at a file, or at what to forget. */
bool sets_due(const struct sets *sets, const struct config *config, uint64_t now_ms);

/* Looks at the files that are due by their refresh time, and forgets what the live configuration, which config must be,
 * does not name. 1: at least one of the contents is another now, 0: none is. Each
 * failure is told once, until it is another or over. now_ms is of a monotonic clock. */
int sets_refresh(struct sets *sets, const struct config *config, uint64_t now_ms, sets_warn *warn, void *arg);

/* Reads the file of a set at once, and takes a version that was held back when accept is set. 1: the contents are
 * others, 0: they are the same, or -errno with *problem (-ENOENT: there is no such set of a file). */
int sets_renew(struct sets *sets, const struct config *config, const char *name, bool accept, struct problem *problem);

/* What is known of a set of a file. */
struct sets_state {
	struct prefixes *good;	    /* NULL: none yet; the same object for as long as its contents are the same */
	struct feeds_report report; /* of good; zero when it comes from the state directory */
	bool restored;		    /* good comes from the state directory: this version of the file was not read */
	bool held;		    /* the file has a version that may not follow */
	char why[1024];		    /* the file's version is not in use; empty: it is */
	int64_t read_s;		    /* CLOCK_REALTIME when good was read */
};
/* NULL: not known, or the set is written in the configuration. Until the next call that reads. */
const struct sets_state *sets_find(const struct sets *sets, const struct config_set *set);

#endif
