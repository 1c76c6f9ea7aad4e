/* SPDX-License-Identifier: BSD-2-Clause */
/* Names the pins and the state of an interface, and finds interfaces by them. */
#include "paths.h"
#include "../base/scope.h"
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define STATE_PREFIX "backend-host-"
#define STATE_SUFFIX ".json"

/* A BPF file system takes no dot in a name, and no interface's name has a colon. */
static void swap_character(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

int backendhost_paths(const struct backendhost_options *options, struct backendhost_paths *out, struct problem *problem)
{
	const char *interface = options->interface;
	const size_t size = strlen(interface);
	char directory[IFNAMSIZ];

	if (size == 0 || size >= IFNAMSIZ || strpbrk(interface, "/: \t\n") || strcmp(interface, ".") == 0 ||
	    strcmp(interface, "..") == 0)
		return problem_set(problem, -EINVAL, "\"%s\" is no interface name", interface);
	memcpy(directory, interface, size + 1);
	swap_character(directory, '.', ':');
	if (snprintf(out->pins, sizeof(out->pins), "%s/%s", options->pins, directory) >= (int)sizeof(out->pins) ||
	    snprintf(out->state, sizeof(out->state), "%s/" STATE_PREFIX "%s" STATE_SUFFIX, options->state, interface) >=
		    (int)sizeof(out->state))
		return problem_set(problem, -ENAMETOOLONG, "the --pins or --state directory's name is too long");
	return 0;
}

static bool has_state(const char *state, const char *interface)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" STATE_PREFIX "%s" STATE_SUFFIX, state, interface);
	return access(path, F_OK) == 0;
}

static void scan_state(const char *state, void (*each)(void *arg, const char *interface), void *arg)
{
	DIR *directory = opendir(state);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		size_t length = strlen(entry->d_name);
		char interface[IFNAMSIZ];

		if (strncmp(entry->d_name, STATE_PREFIX, strlen(STATE_PREFIX)) != 0 ||
		    length <= strlen(STATE_PREFIX STATE_SUFFIX) ||
		    length - strlen(STATE_PREFIX STATE_SUFFIX) >= sizeof(interface) ||
		    strcmp(entry->d_name + length - strlen(STATE_SUFFIX), STATE_SUFFIX) != 0)
			continue;
		snprintf(interface, sizeof(interface), "%.*s", (int)(length - strlen(STATE_PREFIX STATE_SUFFIX)),
			 entry->d_name + strlen(STATE_PREFIX));
		each(arg, interface);
	}
	if (directory)
		closedir(directory);
}

int backendhost_interfaces(const char *pins, const char *state, void (*each)(void *arg, const char *interface),
			   void *arg)
{
	DIR *directory = opendir(pins);
	struct dirent *entry;

	if (!directory && errno != ENOENT)
		return -errno;
	scan_state(state, each, arg);
	while (directory && (entry = readdir(directory))) {
		if (entry->d_type != DT_DIR || strlen(entry->d_name) >= IFNAMSIZ || entry->d_name[0] == '.')
			continue;
		swap_character(entry->d_name, ':', '.');
		if (!has_state(state, entry->d_name))
			each(arg, entry->d_name);
	}
	if (directory)
		closedir(directory);
	return 0;
}
