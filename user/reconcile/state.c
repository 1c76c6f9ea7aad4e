/* SPDX-License-Identifier: BSD-2-Clause */
/* The state file, read: what a reboot must not lose (live entries, overrides, health) and what the kernel cannot hold.
 */
#include "parts.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>

#define STATE_MAX_BYTES (256u << 20)

const char *const state_list_names[] = {[WEIR_BAN_DENY] = "deny", [WEIR_BAN_ALLOW] = "allow"};

static int state_word(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (words[i] && strcmp(word, words[i]) == 0)
			return (int)i;
	}
	return -1;
}

static bool state_read_ban(json_t *from, struct reconcile_ban *ban)
{
	const char *prefix, *list, *note;
	json_int_t added_s, until_s;
	int list_index;

	if (json_unpack(from, "{s:s, s:s, s:I, s:I, s:s}", "prefix", &prefix, "list", &list, "added", &added_s, "until",
			&until_s, "note", &note))
		return false;
	list_index = state_word(list, state_list_names, ARRAY_SIZE(state_list_names));
	if (list_index < 0 || prefix_parse(prefix, &ban->prefix) || strlen(note) >= sizeof(ban->note))
		return false;
	ban->list = (uint32_t)list_index;
	ban->added_s = added_s;
	ban->until_s = until_s;
	memcpy(ban->note, note, strlen(note) + 1);
	return true;
}

static bool state_read_rule(json_t *from, struct model_override *rule)
{
	static const char *const modes[] = CONFIG_RULE_MODE_NAMES;
	const char *name, *mode;
	int index;

	if (json_unpack(from, "{s:s, s:s}", "name", &name, "mode", &mode))
		return false;
	index = state_word(mode, modes, ARRAY_SIZE(modes));
	if (index < 0 || !*name || strlen(name) >= sizeof(rule->rule))
		return false;
	memcpy(rule->rule, name, strlen(name) + 1);
	rule->mode = (enum config_rule_mode)index;
	return true;
}

static bool state_read_backend(json_t *from, struct state_backend *backend)
{
	const char *name, *health, *admin;
	int health_index, admin_index, weight;
	json_int_t since_ns;

	if (json_unpack(from, "{s:s, s:s, s:s, s:i, s:I}", "name", &name, "health", &health, "admin", &admin, "weight",
			&weight, "since_ns", &since_ns))
		return false;
	health_index = state_word(health, reconcile_health_names, RECONCILE_HEALTHS);
	admin_index = state_word(admin, reconcile_admin_names, RECONCILE_ADMINS);
	if (health_index < 0 || admin_index < 0 || weight < -1 || weight >= UINT16_MAX || !*name ||
	    strlen(name) >= sizeof(backend->name))
		return false;
	memcpy(backend->name, name, strlen(name) + 1);
	backend->state = (struct weir_backend_state){
		.health = (uint8_t)health_index,
		.admin = (uint8_t)admin_index,
		.weight = (uint16_t)(weight + 1),
		.since_ns = (uint64_t)since_ns,
	};
	return true;
}

/* 0, -EINVAL for what we never wrote, or -ENOMEM. */
static int state_read(json_t *root, struct state *out)
{
	json_t *bans, *backends, *rules = NULL, *each; /* rules came later */
	struct state state = {};
	bool is_sound = true;
	int version;
	size_t i;

	if (json_unpack(root, "{s:i, s:o, s:o, s?o}", "version", &version, "bans", &bans, "backends", &backends,
			"rules", &rules) ||
	    version != STATE_VERSION || !json_is_array(bans) || !json_is_array(backends) ||
	    (rules && !json_is_array(rules)))
		return -EINVAL;
	state.bans = calloc(json_array_size(bans) ?: 1, sizeof(*state.bans));
	state.backends = calloc(json_array_size(backends) ?: 1, sizeof(*state.backends));
	state.rules = calloc(json_array_size(rules) ?: 1, sizeof(*state.rules));
	if (!state.bans || !state.backends || !state.rules) {
		state_free(&state);
		return -ENOMEM;
	}
	json_array_foreach(bans, i, each)
		is_sound = is_sound && state_read_ban(each, &state.bans[i]);
	json_array_foreach(backends, i, each)
		is_sound = is_sound && state_read_backend(each, &state.backends[i]);
	json_array_foreach(rules, i, each)
		is_sound = is_sound && state_read_rule(each, &state.rules[i]);
	state.rules_count = json_array_size(rules);
	state.bans_count = json_array_size(bans);
	state.backends_count = json_array_size(backends);
	if (!is_sound) {
		state_free(&state);
		return -EINVAL;
	}
	*out = state;
	return 0;
}

static void state_set_aside(const char *path, const char *why)
{
	char aside[4096 + 16];

	snprintf(aside, sizeof(aside), "%s.damaged", path);
	if (rename(path, aside))
		log_error("%s: damaged (%s), and it cannot be renamed (%s); going on without what it held: notes, and "
			  "after a reboot live entries and overrides",
			  path, why, strerror(errno));
	else
		log_error("%s: damaged (%s); kept as %s, going on without what it held: notes, and after a reboot live "
			  "entries and overrides",
			  path, why, aside);
}

int state_load(const char *path, struct state *out, struct problem *problem)
{
	AUTO_FREE char *text = NULL;
	json_error_t why;
	json_t *root;
	size_t size;
	int error = file_read(path, STATE_MAX_BYTES, &text, &size);

	if (error == -ENOENT) {
		*out = (struct state){};
		return 0;
	}
	if (error)
		return problem_set(problem, error, "%s: cannot be read: %s", path, strerror(-error));
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	error = root ? state_read(root, out) : -EINVAL;
	json_decref(root);
	if (error == -ENOMEM)
		return problem_set(problem, error, "out of memory");
	if (error) {
		state_set_aside(path, root ? "it says what this version never writes" : why.text);
		*out = (struct state){};
	}
	return 0;
}

void state_free(struct state *state)
{
	free(state->bans);
	free(state->backends);
	free(state->rules);
	*state = (struct state){};
}
