/* SPDX-License-Identifier: BSD-2-Clause */
/* The state file of a backend host: JSON, replaced whole. */
#include "state.h"
#include "../base/file.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define STATE_FILE_MAX	   (1 << 20)
#define STATE_FILE_VERSION 1

unsigned long state_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) ? 0 : status.st_ino;
}

void backendhost_state_free(struct state *state)
{
	free(state->added);
}

bool state_has_address(const struct state *state, const struct addr *address)
{
	for (size_t i = 0; i < state->added_count; i++)
		if (addr_equal(&state->added[i], address))
			return true;
	return false;
}

int state_add_address(struct state *state, const struct addr *address)
{
	struct addr *grown = reallocarray(state->added, state->added_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	state->added = grown;
	grown[state->added_count++] = *address;
	return 0;
}

int state_copy(const struct state *from, struct state *out)
{
	struct state copy = *from;

	copy.added = calloc(from->added_count + 1, sizeof(*copy.added));
	if (!copy.added)
		return -ENOMEM;
	if (from->added_count)
		memcpy(copy.added, from->added, from->added_count * sizeof(*copy.added));
	*out = copy;
	return 0;
}

static int read_addresses(const json_t *list, struct state *state)
{
	struct addr address;
	const json_t *item;
	size_t i;
	int error;

	json_array_foreach(list, i, item) {
		error = json_is_string(item) ? addr_parse(json_string_value(item), &address) : -EINVAL;
		if (!error)
			error = state_add_address(state, &address);
		if (error)
			return error;
	}
	return 0;
}

/* The names come out of a file that only root can write, but a path that climbs is refused all the same. */
static bool is_known_sysctl(const char *name)
{
	return strncmp(name, "net/ipv4/conf/", 14) == 0 && !strstr(name, "..") &&
	       strlen(name) < sizeof(((struct state_sysctl *)0)->name);
}

static int read_sysctls(const json_t *list, struct state *state)
{
	const json_t *item;
	size_t i;

	if (json_array_size(list) > STATE_SYSCTLS_MAX)
		return -EINVAL;
	json_array_foreach(list, i, item) {
		struct state_sysctl *sysctl = &state->sysctls[i];
		const char *name;

		if (json_unpack((json_t *)item, "{s:s, s:i, s:i}", "name", &name, "before", &sysctl->before, "set",
				&sysctl->set) ||
		    !is_known_sysctl(name))
			return -EINVAL;
		memcpy(sysctl->name, name, strlen(name) + 1);
	}
	state->sysctl_count = json_array_size(list);
	return 0;
}

static int read_state(const char *text, size_t size, struct state *state)
{
	AUTO_JSON json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *addresses, *sysctls;
	json_int_t netns;
	int version, error;

	if (!json ||
	    json_unpack(json, "{s:i, s:I, s:o, s:o}", "version", &version, "netns", &netns, "addresses", &addresses,
			"sysctls", &sysctls) ||
	    version != STATE_FILE_VERSION)
		return -EINVAL;
	state->netns = netns;
	error = read_addresses(addresses, state);
	return error ? error : read_sysctls(sysctls, state);
}

int backendhost_state_load(const char *path, struct state *out, struct problem *problem)
{
	AUTO_FREE char *text = NULL;
	struct state state = {};
	size_t size = 0;
	int error = file_read(path, STATE_FILE_MAX, &text, &size);

	if (!error)
		error = read_state(text, size, &state);
	if (error == -ENOENT)
		error = 0;
	if (error) {
		backendhost_state_free(&state);
		problem_set(problem, error, "cannot read %s, which says what to undo: %s", path, strerror(-error));
		problem_hint(problem, "repair the file, or remove it and undo the VIPs on lo and the sysctls by hand");
		return error;
	}
	*out = state;
	return 0;
}

int backendhost_state_save(const char *path, const struct state *state, struct problem *problem)
{
	AUTO_JSON json_t *addresses = json_array();
	AUTO_JSON json_t *sysctls = json_array();
	AUTO_JSON json_t *json = NULL;
	AUTO_FREE char *text = NULL;
	char name[ADDR_TEXT_MAX];
	int error;

	for (size_t i = 0; i < state->added_count; i++)
		json_array_append_new(addresses, json_string(addr_format(&state->added[i], name)));
	for (size_t i = 0; i < state->sysctl_count; i++)
		json_array_append_new(sysctls, json_pack("{s:s, s:i, s:i}", "name", state->sysctls[i].name, "before",
							 state->sysctls[i].before, "set", state->sysctls[i].set));
	json = json_pack("{s:i, s:I, s:O, s:O}", "version", STATE_FILE_VERSION, "netns", (json_int_t)state->netns,
			 "addresses", addresses, "sysctls", sysctls);
	text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	error = text ? file_replace(path, text, strlen(text), 0600) : -ENOMEM;
	if (error)
		problem_set(problem, error, "cannot write %s, which says what to undo: %s", path, strerror(-error));
	return error;
}
