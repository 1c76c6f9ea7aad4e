/* SPDX-License-Identifier: BSD-2-Clause */
/* What a change is at, for those who wait for it: told on one thread, asked for on another. */
#include "composition.h"
#include "../base/clock.h"
#include "../base/json.h"
#include "../base/log.h"
#include <string.h>

#define LONG_BYTES (4u << 20) /* a list of which the log tells that it is being read */
#define MIB	   (1024.0 * 1024)

void doing_open(struct doing *doing)
{
	uv_mutex_init(&doing->lock);
}

void doing_close(struct doing *doing)
{
	uv_mutex_destroy(&doing->lock);
}

void doing_set(struct doing *doing, const char *what, uint64_t done, uint64_t total)
{
	uv_mutex_lock(&doing->lock);
	snprintf(doing->what, sizeof(doing->what), "%s", what);
	doing->done = done;
	doing->total = total;
	uv_mutex_unlock(&doing->lock);
}

void doing_read(void *arg, const char *set, uint64_t done_bytes, uint64_t total_bytes)
{
	struct doing *doing = arg;
	char what[sizeof(doing->what)];
	bool begins = strcmp(doing->set, set) != 0; /* of the thread that reads alone */

	snprintf(what, sizeof(what), "reading the list of set \"%s\"", set);
	doing_set(doing, what, done_bytes, total_bytes);
	if (begins) {
		snprintf(doing->set, sizeof(doing->set), "%s", set);
		doing->began_ns = clock_read_ns(CLOCK_MONOTONIC);
		if (total_bytes >= LONG_BYTES)
			log_info("set \"%s\": reading its list, %.1f MiB", set, (double)total_bytes / MIB);
	}
	if (done_bytes < total_bytes)
		return;
	*doing->set = '\0';
	if (total_bytes >= LONG_BYTES)
		log_info("set \"%s\": read in %.1f s", set,
			 (double)(clock_read_ns(CLOCK_MONOTONIC) - doing->began_ns) / NS_PER_S);
}

json_t *doing_json(struct doing *doing)
{
	json_t *json;

	uv_mutex_lock(&doing->lock);
	json = json_pack("{s:o, s:I, s:I}", "doing", *doing->what ? json_text(doing->what) : json_null(), "done",
			 (json_int_t)doing->done, "total", (json_int_t)doing->total);
	uv_mutex_unlock(&doing->lock);
	return json;
}
