/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which sysctls a host with VIPs on lo must change: no ARP answers and no ARP sources for the VIPs, which belong to
 * the edge on the wire, and no strict reverse path filter where clients' packets come in by the tunnels' interface.
 */
#include "sysctl.h"
#include "../base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int open_sysctl(const char *name, int flags)
{
	char path[128];
	int fd;

	if (snprintf(path, sizeof(path), "/proc/sys/%s", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *name, int *value)
{
	AUTO_CLOSE int fd = open_sysctl(name, O_RDONLY);
	char text[32], *end;
	ssize_t size;
	long number;

	if (fd < 0)
		return fd;
	size = read(fd, text, sizeof(text) - 1);
	if (size < 0)
		return -errno;
	text[size] = '\0';
	number = strtol(text, &end, 10);
	if (end == text)
		return -EINVAL;
	*value = number;
	return 0;
}

int sysctl_write(const char *name, int value)
{
	AUTO_CLOSE int fd = open_sysctl(name, O_WRONLY);
	char text[32];
	int length = snprintf(text, sizeof(text), "%d\n", value);

	if (fd < 0)
		return fd;
	return write(fd, text, length) == length ? 0 : -errno;
}

/* Records that the sysctl goes from before to set. Where an earlier up has recorded it, somebody has changed it since,
 * and what they chose is what down goes back to. */
static int record(struct state *state, const char *name, int before, int set)
{
	struct state_sysctl *entry = NULL;

	for (size_t i = 0; i < state->sysctl_count && !entry; i++)
		if (strcmp(state->sysctls[i].name, name) == 0)
			entry = &state->sysctls[i];
	if (!entry) {
		if (state->sysctl_count == STATE_SYSCTLS_MAX)
			return -ENOSPC;
		entry = &state->sysctls[state->sysctl_count++];
	}
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->before = before;
	entry->set = set;
	return 0;
}

static int plan_minimum(struct state *state, const char *scope, const char *leaf, int minimum)
{
	char name[64];
	int now = 0, error;

	snprintf(name, sizeof(name), "net/ipv4/conf/%s/%s", scope, leaf);
	error = sysctl_read(name, &now);
	if (!error && now < minimum)
		error = record(state, name, now, minimum);
	return error;
}

/* The kernel goes by the larger of all and the interface (Documentation/networking/ip-sysctl.rst), so that loose (2)
 * on the interface wins over strict (1) on all. 0 stays: it filters nothing. */
static int plan_reverse_path(struct state *state, const char *interface)
{
	char name[64];
	int all = 0, own = 0, error;

	snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", interface);
	error = sysctl_read("net/ipv4/conf/all/rp_filter", &all);
	if (!error)
		error = sysctl_read(name, &own);
	if (!error && (all > own ? all : own) == 1)
		error = record(state, name, own, 2);
	return error;
}

int sysctl_plan(const char *interface, struct state *state, struct problem *problem)
{
	int error = plan_minimum(state, "all", "arp_ignore", 1);

	if (!error)
		error = plan_minimum(state, interface, "arp_ignore", 1);
	if (!error)
		error = plan_minimum(state, "all", "arp_announce", 2);
	if (!error)
		error = plan_minimum(state, interface, "arp_announce", 2);
	if (!error)
		error = plan_reverse_path(state, interface);
	if (error)
		problem_set(problem, error, "cannot read the sysctls net/ipv4/conf/{all,%s}/...: %s", interface,
			    strerror(-error));
	return error;
}
