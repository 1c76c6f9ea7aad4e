/* SPDX-License-Identifier: BSD-2-Clause */
/* The pin directory: a bpffs below it, and pinned maps that must agree with the inventory before they are used. */
#include "pins.h"
#include "../base/file.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <net/if.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PINS_BPFFS "/sys/fs/bpf"

int pins_path(const char *directory, const char *name, char *out, size_t size)
{
	int length = snprintf(out, size, "%s/%s", directory, name);

	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* Pin names may hold no dot and interface names no colon, so one stands for the other. */
int pins_interface_path(const char *directory, const char *prefix, const char *interface, char *out, size_t size)
{
	char name[32];

	if (!*interface || strlen(interface) >= IF_NAMESIZE || strpbrk(interface, "/:"))
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s", prefix, interface);
	for (char *c = name; *c; c++)
		*c = *c == '.' ? ':' : *c;
	return pins_path(directory, name, out, size);
}

bool pins_interface_of(const char *pin, const char *prefix, char interface[16])
{
	if (strncmp(pin, prefix, strlen(prefix)) != 0)
		return false;
	snprintf(interface, IF_NAMESIZE, "%.15s", pin + strlen(prefix));
	for (char *c = interface; *c; c++)
		*c = *c == ':' ? '.' : *c;
	return true;
}

/* Of the path itself, or of the nearest directory above it that is there. */
static bool pins_is_bpffs(const char *path)
{
	char nearest[PATH_MAX];
	struct statfs info;
	char *slash;

	snprintf(nearest, sizeof(nearest), "%s", path);
	while (statfs(nearest, &info)) {
		slash = strrchr(nearest, '/');
		if (errno != ENOENT || !slash || slash == nearest)
			return false;
		*slash = '\0';
	}
	return (unsigned long)info.f_type == BPF_FS_MAGIC;
}

static bool pins_is_below(const char *path, const char *mount_point)
{
	size_t length = strlen(mount_point);

	return strncmp(path, mount_point, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static int pins_mount(const char *directory, struct problem *problem)
{
	const char *mount_point = pins_is_below(directory, PINS_BPFFS) ? PINS_BPFFS : directory;
	int error;

	if (mount_point == directory) {
		error = problem_set(problem, -ENOTSUP, "%s: pins need a bpf file system, and this is none", directory);
		problem_hint(problem, "mount one: mkdir -p %s && mount -t bpf bpf %s", directory, directory);
		return error;
	}
	if (mount("bpf", PINS_BPFFS, "bpf", 0, "mode=0700") == 0)
		return 0;
	error = problem_set(problem, -errno, "%s: there is no bpf file system, and mounting one failed: %s", PINS_BPFFS,
			    strerror(errno));
	problem_hint(problem, "as root: mount -t bpf bpf %s", PINS_BPFFS);
	return error;
}

int pins_make_directory(const char *directory, struct problem *problem)
{
	int error;

	if (!pins_is_bpffs(directory)) {
		error = pins_mount(directory, problem);
		if (error)
			return error;
	}
	error = file_make_directories(directory, 0700);
	if (error) {
		problem_set(problem, error, "%s: cannot make the pin directory: %s", directory, strerror(-error));
		problem_hint(problem, "names on a bpf file system may hold no dot; root is needed");
	}
	return error;
}

static int pins_differs(const char *path, const char *what, unsigned long found, unsigned long expected,
			struct problem *problem)
{
	int error = problem_set(problem, -EPROTO, "%s: the pinned map has another layout: %s is %lu, not %lu", path,
				what, found, expected);

	problem_hint(problem,
		     "the dataplane that is attached goes on as it is; to replace it run `weir detach IFACE` "
		     "for each interface (filtering stops), remove the pins (rm -r %.*s) and start again",
		     (int)(strrchr(path, '/') - path), path);
	return error;
}

static int pins_check(const char *path, int fd, const struct kernel_map_info *expected, bool outer,
		      struct problem *problem)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(fd, &info, &size);
	const struct {
		const char *what;
		unsigned long found, expected;
	} checks[] = {
		{"its type", info.type, outer ? BPF_MAP_TYPE_ARRAY_OF_MAPS : expected->type},
		{"the size of its keys", info.key_size, outer ? sizeof(__u32) : expected->key_size},
		{"the size of its values", info.value_size, outer ? sizeof(__u32) : expected->value_size},
		{"the number of its entries", info.max_entries,
		 outer ? WEIR_BANKS * expected->pages : expected->max_entries},
		{"its flags", info.map_flags, outer ? 0 : expected->flags},
	};

	if (error)
		return problem_set(problem, error, "%s: not a map, or not readable: %s", path, strerror(-error));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		if (checks[i].found != checks[i].expected)
			return pins_differs(path, checks[i].what, checks[i].found, checks[i].expected, problem);
	}
	return 0;
}

/* One inner map; it may be smaller than the inventory's. -ENOENT: there is none. */
static int pins_check_page(const char *path, int outer_fd, __u32 index, const struct kernel_map_info *expected,
			   struct problem *problem)
{
	AUTO_CLOSE int fd = -1;
	struct kernel_map_info page_expected = *expected;
	__u32 id;
	int error = kernel_map_get(outer_fd, &index, &id);

	if (error == -ENOENT)
		return error;
	if (error)
		return problem_set(problem, error, "%s: cannot read its entry %u: %s", path, index, strerror(-error));
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return problem_set(problem, fd, "%s: cannot open its entry %u: %s", path, index, strerror(-fd));
	error = kernel_map_entries(fd, &page_expected.max_entries);
	if (!error && page_expected.max_entries > expected->max_entries)
		page_expected.max_entries = expected->max_entries;
	return pins_check(path, fd, &page_expected, false, problem);
}

/* There is no gap in the pages of a bank. Those that are not there are not all asked for: older kernels wait for
 * every program that runs whenever an entry of an outer map is read. */
static int pins_check_banks(const char *path, int outer_fd, const struct kernel_map_info *expected,
			    struct problem *problem)
{
	for (__u32 bank = 0; bank < WEIR_BANKS; bank++) {
		int error = 0;

		for (__u32 page = 0; page < expected->pages && !error; page++)
			error = pins_check_page(path, outer_fd, bank * expected->pages + page, expected, problem);
		if (error && error != -ENOENT)
			return error;
	}
	return 0;
}

static int pins_open_one(const char *directory, enum kernel_map map, struct pins *pins, struct problem *problem)
{
	const struct kernel_map_info *info = &kernel_maps[map];
	char path[PATH_MAX];
	int error = pins_path(directory, info->name, path, sizeof(path));

	if (error)
		return problem_set(problem, error, "%s: the path is too long", directory);
	pins->fds[map] = bpf_obj_get(path);
	if (pins->fds[map] == -ENOENT) {
		pins->missing++;
		return 0;
	}
	if (pins->fds[map] < 0)
		return problem_set(problem, pins->fds[map], "%s: cannot open the pinned map: %s", path,
				   strerror(-pins->fds[map]));
	pins->found++;
	error = pins_check(path, pins->fds[map], info, info->pages > 0, problem);
	if (!error && info->pages)
		error = pins_check_banks(path, pins->fds[map], info, problem);
	return error;
}

/* "live" is pinned before every other map, so that a layout is known wherever anything is. */
static int pins_check_layout(const char *directory, struct pins *pins, struct problem *problem)
{
	const __u32 zero = 0;
	char path[PATH_MAX];
	int error = pins_path(directory, kernel_maps[KERNEL_MAP_live].name, path, sizeof(path));

	if (error || !pins->found)
		return error;
	if (pins->fds[KERNEL_MAP_live] < 0) {
		error = problem_set(problem, -EPROTO, "%s is missing beside %u other pinned maps", path, pins->found);
		problem_hint(problem,
			     "run `weir detach IFACE` for each interface, remove the pins (rm -r %s) and "
			     "start again",
			     directory);
		return error;
	}
	error = kernel_map_get(pins->fds[KERNEL_MAP_live], &zero, &pins->live);
	if (error)
		return problem_set(problem, error, "%s: cannot read it: %s", path, strerror(-error));
	if (pins->live.layout != WEIR_LAYOUT)
		return pins_differs(path, "the layout's number", pins->live.layout, WEIR_LAYOUT, problem);
	return 0;
}

int pins_open(const char *directory, struct pins *out, struct problem *problem)
{
	struct pins pins = {};
	int error = 0;

	for (int map = 0; map < KERNEL_MAPS; map++)
		pins.fds[map] = -1;
	for (int map = 0; map < KERNEL_MAPS && !error; map++) {
		if (kernel_maps[map].pinned)
			error = pins_open_one(directory, map, &pins, problem);
	}
	if (!error)
		error = pins_check_layout(directory, &pins, problem);
	if (error) {
		pins_close(&pins);
		return error;
	}
	*out = pins;
	return 0;
}

void pins_close(struct pins *pins)
{
	for (int map = 0; map < KERNEL_MAPS; map++)
		scope_close(&pins->fds[map]);
}

int kernel_unpin(const char *pin_directory, struct problem *problem)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int error = 0;
	DIR *directory;

	if (!pins_is_bpffs(pin_directory))
		return problem_set(problem, -ENOTDIR, "%s: not on a bpf file system; nothing was removed",
				   pin_directory);
	directory = opendir(pin_directory);
	if (!directory)
		return problem_set(problem, -errno, "%s: cannot read the pin directory: %s", pin_directory,
				   strerror(errno));
	while (!error && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		error = pins_path(pin_directory, entry->d_name, path, sizeof(path));
		if (!error && unlink(path))
			error = problem_set(problem, -errno, "%s: cannot remove the pin: %s", path, strerror(errno));
	}
	closedir(directory);
	if (!error && rmdir(pin_directory))
		error = problem_set(problem, -errno, "%s: cannot remove the directory: %s", pin_directory,
				    strerror(errno));
	return error;
}
