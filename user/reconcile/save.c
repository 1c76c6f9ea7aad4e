/* SPDX-License-Identifier: BSD-2-Clause */
/* The state file, written: from a copy of what is in force, so that it need not be written where that changes. */
#include "parts.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>

#define STATE_QUICK 4096 /* live entries that are written within milliseconds */

struct reconcile_save {
	struct reconcile *reconcile;
	char *path;
	struct ban **bans; /* shared: those that go meanwhile are retired */
	size_t bans_count;
	char *backends, *rules; /* JSON */
	int error;
};

/* A failed append leaves an array short, and the document is then not written. */
struct state_writer {
	json_t *array;
	bool failed;
};

static void state_append(struct state_writer *writer, json_t *value)
{
	if (json_array_append_new(writer->array, value))
		writer->failed = true;
}

/* The array as text, which ends it. NULL: no memory. */
static char *state_end(struct state_writer *writer)
{
	char *text = writer->failed ? NULL : json_dumps(writer->array, JSON_INDENT(1));

	json_decref(writer->array);
	return text;
}

static char *state_backends(const struct reconcile *reconcile)
{
	struct state_writer writer = {.array = json_array()};

	for (uint32_t id = 1; id < WEIR_MAX_BACKENDS; id++) {
		const char *name = model_registry_name(&reconcile->registry, MODEL_BACKEND, id);
		const struct weir_backend_state *state = &reconcile->states[id];

		if (!name || (!state->health && !state->admin && !state->weight) ||
		    state->health >= RECONCILE_HEALTHS || state->admin >= RECONCILE_ADMINS)
			continue;
		state_append(&writer, json_pack("{s:s, s:s, s:s, s:i, s:I}", "name", name, "health",
						reconcile_health_names[state->health], "admin",
						reconcile_admin_names[state->admin], "weight", (int)state->weight - 1,
						"since_ns", (json_int_t)state->since_ns));
	}
	return state_end(&writer);
}

static char *state_rules(const struct reconcile *reconcile)
{
	static const char *const modes[] = CONFIG_RULE_MODE_NAMES;
	struct state_writer writer = {.array = json_array()};

	for (size_t i = 0; i < reconcile->overrides_count; i++)
		state_append(&writer, json_pack("{s:s, s:s}", "name", reconcile->overrides[i].rule, "mode",
						modes[reconcile->overrides[i].mode]));
	return state_end(&writer);
}

static struct reconcile_save *save_open(struct reconcile *reconcile)
{
	struct reconcile_save *save = calloc(1, sizeof(*save));

	if (!save)
		return NULL;
	save->reconcile = reconcile;
	save->bans_count = reconcile->bans.count;
	save->path = strdup(reconcile->state_path);
	save->bans = calloc(save->bans_count ?: 1, sizeof(struct ban *));
	save->backends = state_backends(reconcile);
	save->rules = state_rules(reconcile);
	if (!save->path || !save->bans || !save->backends || !save->rules)
		save->error = -ENOMEM;
	else if (save->bans_count)
		memcpy(save->bans, reconcile->bans.bans, save->bans_count * sizeof(struct ban *));
	reconcile->is_saving = true;
	reconcile->dirty = false;
	return save;
}

static int save_write_ban(FILE *file, const struct ban *ban, bool is_first)
{
	AUTO_FREE char *escaped = NULL;
	char prefix[ADDR_TEXT_MAX];

	if (*ban->note) {
		json_t *note = json_string(ban->note);

		escaped = note ? json_dumps(note, JSON_ENCODE_ANY) : NULL;
		json_decref(note);
		if (!escaped)
			return -ENOMEM;
	}
	fprintf(file, "%s\n  {\"prefix\": \"%s\", \"list\": \"%s\", \"added\": %lld, \"until\": %lld, \"note\": %s}",
		is_first ? "" : ",", prefix_format(&ban->prefix, prefix), state_list_names[ban->list],
		(long long)ban->added_s, (long long)ban_end_to_wall(ban->until_ns), escaped ? escaped : "\"\"");
	return 0;
}

/* The document is built here: as a tree of values, a hundred thousand entries would take a hundred megabytes. */
static int save_text(const struct reconcile_save *save, char **text, size_t *size)
{
	FILE *file = open_memstream(text, size);
	int error = file ? 0 : -ENOMEM;

	if (error)
		return error;
	fprintf(file, "{\n \"version\": %d,\n \"bans\": [", STATE_VERSION);
	for (size_t i = 0; !error && i < save->bans_count; i++)
		error = save_write_ban(file, save->bans[i], !i);
	fprintf(file, "\n ],\n \"backends\": %s,\n \"rules\": %s\n}\n", save->backends, save->rules);
	if (fclose(file) && !error)
		error = -ENOMEM;
	return error;
}

void reconcile_save_write(struct reconcile_save *save)
{
	AUTO_FREE char *text = NULL;
	size_t size;

	if (!save->error && *save->path)
		save->error = save_text(save, &text, &size);
	if (!save->error && *save->path)
		save->error = file_replace(save->path, text, size, 0600);
}

void reconcile_save_close(struct reconcile_save *save)
{
	struct reconcile *reconcile = save->reconcile;
	int error = save->error;

	reconcile->is_saving = false;
	bans_free_retired(reconcile);
	if (error)
		reconcile->dirty = true;
	if (error && !reconcile->save_failed)
		log_error(
			"%s: cannot be written (%s); live entries and overrides are in force, but a reboot would lose "
			"them. Writing is tried again every second",
			reconcile->state_path, strerror(-error));
	if (!error && reconcile->save_failed)
		log_info("%s: written again", reconcile->state_path);
	reconcile->save_failed = error != 0;
	free(save->path);
	free(save->bans);
	free(save->backends);
	free(save->rules);
	free(save);
}

struct reconcile_save *reconcile_save_open(struct reconcile *reconcile)
{
	if (!reconcile->dirty || reconcile->is_saving || reconcile->bans.count <= STATE_QUICK)
		return NULL;
	return save_open(reconcile);
}

void state_save(struct reconcile *reconcile)
{
	struct reconcile_save *save = reconcile->dirty && !reconcile->is_saving ? save_open(reconcile) : NULL;

	if (!save)
		return;
	reconcile_save_write(save);
	reconcile_save_close(save);
}

void state_catch_up(struct reconcile *reconcile)
{
	if (reconcile->bans.count <= STATE_QUICK)
		state_save(reconcile);
}

void state_changed(struct reconcile *reconcile)
{
	reconcile->dirty = true;
	state_catch_up(reconcile);
}
