/* SPDX-License-Identifier: BSD-2-Clause */
/* The last good version of each list, and whether what its file says now may take the place. */
#include "parts.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include "region.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static void tell(const struct teller *to, const char *format, ...)
{
	char text[768];
	va_list arguments;

	if (!to->warn)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	to->warn(to->arg, text);
}

void sets_contents_clear(struct sets_contents *contents)
{
	for (size_t i = 0; i < contents->count; i++)
		prefixes_release(contents->contents[i]);
	free(contents->contents);
	*contents = (struct sets_contents){};
}

int sets_open(const char *directory, struct sets **out)
{
	struct sets *sets = calloc(1, sizeof(*sets));

	if (!sets)
		return -ENOMEM;
	if (directory && snprintf(sets->directory, sizeof(sets->directory), "%s/sets", directory) < PATH_MAX)
		mkdir(sets->directory, 0700); /* what fails is told when a version is kept */
	*out = sets;
	return 0;
}

void sets_close(struct sets *sets)
{
	if (!sets)
		return;
	for (size_t i = 0; i < sets->count; i++)
		prefixes_release(sets->lists[i].state.good);
	free(sets->lists);
	free(sets);
}

/* FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return hash;
}

static uint64_t hash_source(const struct config_set *set)
{
	uint64_t hash = hash_text(0xcbf29ce484222325ull, set->path);
	char text[REGION_TEXT_MAX];

	for (size_t i = 0; i < set->regions_count; i++) {
		hash = (hash ^ set->regions[i].kind) * 0x100000001b3ull;
		hash = hash_text(hash, region_format(&set->regions[i], text));
	}
	return hash;
}

int sets_clone(const struct sets *sets, struct sets **out)
{
	struct sets *clone = calloc(1, sizeof(*clone));
	struct list *lists = calloc(sets->count ?: 1, sizeof(*lists));

	if (!clone || !lists) {
		free(clone);
		free(lists);
		return -ENOMEM;
	}
	*clone = *sets;
	clone->lists = lists;
	for (size_t i = 0; i < sets->count; i++) {
		lists[i] = sets->lists[i];
		prefixes_share(lists[i].state.good);
	}
	*out = clone;
	return 0;
}

struct list *sets_list_find(const struct sets *sets, const struct config_set *set)
{
	uint64_t source = hash_source(set);

	if (set->kind == CONFIG_SET_INLINE)
		return NULL;
	for (size_t i = 0; i < sets->count; i++)
		if (sets->lists[i].source == source && !strcmp(sets->lists[i].name, set->name) &&
		    !strcmp(sets->lists[i].path, set->path))
			return &sets->lists[i];
	return NULL;
}

const struct sets_state *sets_find(const struct sets *sets, const struct config_set *set)
{
	const struct list *list = sets_list_find(sets, set);

	return list ? &list->state : NULL;
}

static struct list *add_list(struct sets *sets, const struct config_set *set)
{
	struct list *grown = realloc(sets->lists, (sets->count + 1) * sizeof(*grown)), *list;

	if (!grown)
		return NULL;
	sets->lists = grown;
	list = &grown[sets->count++];
	*list = (struct list){};
	memcpy(list->name, set->name, sizeof(list->name));
	snprintf(list->path, sizeof(list->path), "%s", set->path);
	list->source = hash_source(set);
	return list;
}

void sets_watch(struct sets *sets, sets_progress *progress, void *arg)
{
	sets->progress = progress;
	sets->progress_arg = arg;
}

/* One list that is being read, for whoever watches. */
struct watched {
	const struct sets *sets;
	const char *name;
};

static void pass_progress(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
	const struct watched *watched = arg;

	watched->sets->progress(watched->sets->progress_arg, watched->name, done_bytes, total_bytes);
}

/* Names are valid file names; the source is in it so that what another one said is not taken for this one. */
bool sets_list_kept_path(const struct sets *sets, const struct list *list, char out[PATH_MAX])
{
	return *sets->directory && snprintf(out, PATH_MAX, "%s/%s-%016llx", sets->directory, list->name,
					    (unsigned long long)list->source) < PATH_MAX;
}

/* Equal contents stay the same object: so others see from the pointer whether they have what is in the set now. Returns
 * whether they are others. */
static bool take(struct sets *sets, struct list *list, struct prefixes *fresh, const struct teller *to)
{
	struct problem problem = {};
	bool is_same = list->state.good && prefixes_equal(list->state.good, fresh);
	char path[PATH_MAX];

	if (is_same) {
		prefixes_release(fresh);
	} else {
		prefixes_release(list->state.good);
		list->state.good = fresh;
	}
	list->state.restored = list->state.held = false;
	list->state.read_s = clock_read_ns(CLOCK_REALTIME) / NS_PER_S;
	*list->state.why = '\0';
	if (sets_list_kept_path(sets, list, path) && feeds_store(path, list->state.good, &problem))
		tell(to, "set \"%s\": its last good version cannot be kept: %s", list->name, problem.text);
	return !is_same;
}

static void tell_repairs(const struct list *list, const struct teller *to)
{
	const struct feeds_report *report = &list->state.report;
	char sentence[FEEDS_SENTENCE_MAX];

	for (size_t i = 0; i < report->places_count; i++)
		tell(to, "%s: %s", list->path, feeds_place_sentence(&report->places[i], sentence));
	if (report->masked + report->mapped > report->places_count)
		tell(to, "%s: %zu more entries were taken as meant rather than as written", list->path,
		     report->masked + report->mapped - report->places_count);
	if (report->everything_line)
		tell(to, "%s:%llu: an entry of length 0 covers every address", list->path,
		     (unsigned long long)report->everything_line);
}

static void tell_missing(const struct config_set *set, const struct feeds_report *report, const struct teller *to)
{
	size_t shown = report->missing_count < FEEDS_PLACES ? report->missing_count : FEEDS_PLACES;
	char sentence[REGION_SENTENCE_MAX];

	for (size_t i = 0; i < shown; i++)
		tell(to, "%s", region_missing_sentence(set, report, report->missing[i], sentence));
	if (shown < report->missing_count)
		tell(to, "set \"%s\": the database has nothing of %zu more regions", set->name,
		     report->missing_count - shown);
}

/* The version stays out. Told once for each version and reason. */
static void refuse(struct list *list, const struct feeds_fingerprint *version, const struct problem *problem, bool held,
		   const struct teller *to)
{
	bool known = !memcmp(&list->refused, version, sizeof(*version)) && !strcmp(list->state.why, problem->text);

	list->refused = *version;
	list->state.held = held;
	snprintf(list->state.why, sizeof(list->state.why), "%s", problem->text);
	if (known)
		return;
	if (held) /* the text says what stays in use */
		tell(to, "set \"%s\": %s", list->name, problem->text);
	else
		tell(to, "set \"%s\": %s; the last good version, of %zu prefixes, stays in use", list->name,
		     problem->text, prefixes_count(list->state.good));
}

/* Whether the file has the version that is in use, or the one that was refused by the same measures. */
static bool is_known(struct list *list, const struct config_set *set)
{
	if (!list->state.good || list->strict != set->strict || list->max_change_percent != set->max_change_percent)
		return false;
	if (!feeds_changed(list->path, &list->state.report.fingerprint)) {
		list->state.held = false; /* it was away, and is back */
		*list->state.why = '\0';
		return true;
	}
	return *list->state.why && !feeds_changed(list->path, &list->refused);
}

/* Reads the file unless its version is known. 1: other contents, 0: the same, or -errno when there is no good version.
 */
int sets_list_look(struct sets *sets, const struct config_set *set, struct list *list, bool accept,
		   const struct teller *to, struct problem *problem)
{
	struct watched watched = {sets, set->name};
	const struct feeds_options options = {
		.strict = set->strict,
		.regions = set->regions,
		.regions_count = set->regions_count,
		.progress = sets->progress ? pass_progress : NULL,
		.arg = &watched,
	};
	struct feeds_report report = {};
	struct prefixes *fresh = NULL;
	bool changed;
	int error;

	if (!accept && is_known(list, set))
		return 0;
	list->strict = set->strict;
	list->max_change_percent = set->max_change_percent;
	error = feeds_load(list->path, &options, &fresh, &report, problem);
	if (error && !list->state.good)
		return error;
	if (error == -EAGAIN)
		return 0; /* somebody writes to it: the next look will find it whole */
	if (error) {
		struct feeds_fingerprint version = {};

		refuse(list, &version, problem, false, to);
		return 0;
	}
	if (list->state.good && !accept &&
	    feeds_judge_change(list->state.good, fresh, set->max_change_percent, problem)) {
		refuse(list, &report.fingerprint, problem, true, to);
		prefixes_release(fresh);
		return 0;
	}
	list->state.report = report;
	changed = take(sets, list, fresh, to);
	tell_repairs(list, to);
	tell_missing(set, &report, to);
	return changed;
}

static int restore(const struct sets *sets, struct list *list)
{
	struct problem problem = {};
	char path[PATH_MAX];
	int error = sets_list_kept_path(sets, list, path) ? feeds_restore(path, &list->state.good, &problem) : -ENOENT;

	list->state.restored = !error;
	return error;
}

/* The list of a set with a good version in it. */
static int open_list(struct sets *sets, const struct config_set *set, struct list **out, const struct teller *to,
		     struct problem *problem)
{
	struct list *list = sets_list_find(sets, set);
	int error;

	if (!list)
		list = add_list(sets, set);
	if (!list)
		return -ENOMEM;
	if (!list->state.good)
		restore(sets, list); /* what the file says must be able to follow what it said before the start */
	error = sets_list_look(sets, set, list, false, to, problem);
	*out = list;
	return error < 0 ? error : 0;
}

static int read_inline(const struct config_set *set, struct prefixes **out)
{
	struct prefixes_builder builder = {};
	int error = prefixes_add_all(&builder, set->prefixes, set->prefixes_count);

	if (!error)
		error = prefixes_finish(&builder, out);
	prefixes_builder_free(&builder);
	return error;
}

static int read_set(struct sets *sets, const struct config_set *set, struct prefixes **out, const struct teller *to,
		    struct problem *problem)
{
	struct list *list;
	int error;

	if (set->kind == CONFIG_SET_INLINE)
		return read_inline(set, out);
	error = open_list(sets, set, &list, to, problem);
	if (!error)
		*out = prefixes_share(list->state.good);
	return error;
}

static int check_size(const struct config *config, const struct sets_contents *contents, struct problem *problem)
{
	size_t total = 0, largest = 0;

	for (size_t i = 0; i < contents->count; i++) {
		total += prefixes_count(contents->contents[i]);
		if (prefixes_count(contents->contents[i]) > prefixes_count(contents->contents[largest]))
			largest = i;
	}
	if (total <= WEIR_MAX_PREFIXES)
		return 0;
	problem_set(problem, -E2BIG, "%zu prefixes in all sets, but at most %u fit (WEIR_MAX_PREFIXES)", total,
		    WEIR_MAX_PREFIXES);
	problem_hint(problem, "the largest is \"%s\" with %zu", config->sets[largest].name,
		     prefixes_count(contents->contents[largest]));
	return -E2BIG;
}

int sets_read(struct sets *sets, const struct config *config, struct sets_contents *out, sets_warn *warn, void *arg,
	      struct problem *problem)
{
	const struct teller to = {warn, arg};
	struct sets_contents contents = {.contents = calloc(config->sets_count ?: 1, sizeof(struct prefixes *))};
	int error = contents.contents ? 0 : -ENOMEM;

	for (; !error && contents.count < config->sets_count; contents.count += !error) {
		const struct config_set *set = &config->sets[contents.count];

		error = read_set(sets, set, &contents.contents[contents.count], &to, problem);
		if (error && error != -ENOMEM)
			problem_hint(problem, "correct the file of set \"%s\" (%s:%d:%d), or take it out of `sets`",
				     set->name, config->path, set->place.line, set->place.column);
	}
	if (!error)
		error = check_size(config, &contents, problem);
	if (error == -ENOMEM)
		problem_set(problem, -ENOMEM, "out of memory while the sets were read");
	if (error) {
		sets_contents_clear(&contents);
		return error;
	}
	*out = contents;
	return 0;
}
