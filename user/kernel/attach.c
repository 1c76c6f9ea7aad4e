/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaches by a pinned link, replaces the program of one in place, and takes links away. */
#include "load.h"
#include "pins.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>

#define ATTACH_ENOTSUPP 524 /* the kernel's own ENOTSUPP, which some drivers let out */

static int attach_link_info(int fd, struct bpf_link_info *info)
{
	__u32 size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size);
}

static int attach_mode_of(unsigned int ifindex)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};

	if (!ifindex || bpf_xdp_query((int)ifindex, 0, &query))
		return 0;
	if (query.attach_mode == XDP_ATTACHED_SKB)
		return 1;
	return query.attach_mode == XDP_ATTACHED_NONE ? 0 : 2;
}

int kernel_links(const char *pin_directory, void (*each)(void *arg, const struct kernel_link *link), void *arg)
{
	DIR *directory = opendir(pin_directory);
	struct dirent *entry;
	char path[PATH_MAX];

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		struct kernel_link link = {};
		struct bpf_link_info info;
		AUTO_CLOSE int fd = -1;

		if (!pins_interface_of(entry->d_name, PINS_LINK_PREFIX, link.interface) ||
		    pins_path(pin_directory, entry->d_name, path, sizeof(path)))
			continue;
		fd = bpf_obj_get(path);
		if (fd < 0 || attach_link_info(fd, &info))
			continue;
		link.ifindex = info.xdp.ifindex;
		link.program_id = info.prog_id;
		link.mode = attach_mode_of(link.ifindex);
		each(arg, &link);
	}
	closedir(directory);
	return 0;
}

/* What a driver's errno says about XDP. The drivers' own words go to the netlink extack, which bpf(2) drops. */
static const char *attach_cause(int error)
{
	switch (error) {
	case -EOPNOTSUPP:
	case -ATTACH_ENOTSUPP:
		return "the driver has no native XDP, or an offload (GRO_HW, LRO) is in its way";
	case -EINVAL:
	case -ERANGE:
		return "the MTU (of a veth: its peer's) is too large for XDP in one page";
	case -ENOSPC:
	case -ENOMEM:
		return "the driver has too few queues or too little memory for XDP";
	case -EPERM:
		return "the right to attach is missing";
	default:
		return "the driver refused";
	}
}

static int attach_fail(int error, const char *interface, struct problem *problem)
{
	problem_set(problem, error, "%s: XDP cannot be attached (%s): %s", interface, strerror(-error),
		    attach_cause(error));
	if (error == -EINVAL || error == -ERANGE)
		problem_hint(problem,
			     "lower the MTU (ip link set %s mtu 1500; about 3500 is the most), or set mode: "
			     "generic",
			     interface);
	else if (error == -EPERM)
		problem_hint(problem, "root is needed (CAP_BPF and CAP_NET_ADMIN)");
	else
		problem_hint(problem, "set mode: auto or generic for the interface");
	return error;
}

static int attach_foreign(const char *interface, unsigned int ifindex, struct problem *problem)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	__u32 id = 0;

	if (!bpf_xdp_query((int)ifindex, 0, &query))
		id = query.prog_id ?: query.drv_prog_id ?: query.skb_prog_id;
	problem_set(problem, -EBUSY, "%s: another XDP program (id %u) is attached", interface, id);
	problem_hint(problem,
		     "see it with `bpftool prog show id %u`; take it off with `ip link set %s xdp off` (and "
		     "xdpgeneric off), or remove the pinned link that holds it",
		     id, interface);
	return -EBUSY;
}

static int attach_create(const struct kernel *kernel, unsigned int ifindex, __u32 flags)
{
	struct bpf_link_create_opts options = {.sz = sizeof(options), .flags = flags};

	return bpf_link_create(kernel_program_fd(kernel), (int)ifindex, BPF_XDP, &options);
}

/* A descriptor of a new link, or -errno. *problem says, on success with *generic, why native mode was refused. */
static int attach_new(const struct kernel *kernel, const char *interface, unsigned int ifindex,
		      enum kernel_attach_mode mode, bool *generic, struct problem *problem)
{
	int fd = -EOPNOTSUPP;

	*generic = mode == KERNEL_ATTACH_GENERIC;
	if (mode != KERNEL_ATTACH_GENERIC)
		fd = attach_create(kernel, ifindex, XDP_FLAGS_DRV_MODE);
	if (fd == -EBUSY || fd == -EEXIST)
		return attach_foreign(interface, ifindex, problem);
	if (fd < 0 && mode == KERNEL_ATTACH_NATIVE)
		return attach_fail(fd, interface, problem);
	if (fd >= 0)
		return fd;
	if (mode == KERNEL_ATTACH_AUTO) {
		problem_set(problem, 0, "%s: native XDP was refused (%s): %s", interface, strerror(-fd),
			    attach_cause(fd));
		*generic = true;
	}
	fd = attach_create(kernel, ifindex, XDP_FLAGS_SKB_MODE);
	if (fd == -EBUSY || fd == -EEXIST)
		return attach_foreign(interface, ifindex, problem);
	return fd < 0 ? attach_fail(fd, interface, problem) : fd;
}

struct attach_search {
	unsigned int ifindex;
	char interface[IF_NAMESIZE];
};

static void attach_match(void *arg, const struct kernel_link *link)
{
	struct attach_search *search = arg;

	if (link->ifindex == search->ifindex)
		snprintf(search->interface, sizeof(search->interface), "%s", link->interface);
}

static bool attach_is_on_a_device(const char *path)
{
	AUTO_CLOSE int fd = bpf_obj_get(path);
	struct bpf_link_info info;

	return fd >= 0 && !attach_link_info(fd, &info) && info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex;
}

/* A link that is pinned under the device's former name follows its device. What is pinned under the new name changes
 * places with it while it filters: it is of a device that has another name by now, and two may have swapped theirs. */
static void attach_follow_rename(const struct kernel *kernel, const char *path, unsigned int ifindex)
{
	struct attach_search search = {.ifindex = ifindex};
	char former[PATH_MAX], aside[PATH_MAX];
	bool is_taken;

	if (kernel_links(kernel->pin_directory, attach_match, &search) || !*search.interface ||
	    pins_interface_path(kernel->pin_directory, PINS_LINK_PREFIX, search.interface, former, sizeof(former)) ||
	    strcmp(former, path) == 0)
		return;
	is_taken = attach_is_on_a_device(path) &&
		   !pins_path(kernel->pin_directory, PINS_LINK_PREFIX "+", aside, sizeof(aside)) &&
		   !rename(path, aside);
	if (!is_taken)
		unlink(path);
	if (rename(former, path))
		unlink(former);
	if (is_taken && rename(aside, former))
		unlink(aside);
}

static bool attach_mode_fits(enum kernel_attach_mode wanted, int mode)
{
	return wanted == KERNEL_ATTACH_AUTO || (wanted == KERNEL_ATTACH_GENERIC) == (mode == 1);
}

/* 0: the pinned link has the new program. -ENOENT: there is none that can be used, and no pin is left; *former is then
 * the mode of one that filtered in another mode than the wanted one until now, or untouched. */
static int attach_update(const struct kernel *kernel, const char *path, unsigned int ifindex,
			 enum kernel_attach_mode mode, bool *generic, enum kernel_attach_mode *former)
{
	AUTO_CLOSE int fd = bpf_obj_get(path);
	struct bpf_link_info info;
	int error, now = 0;
	bool is_ours;

	if (fd < 0)
		return fd;
	error = attach_link_info(fd, &info);
	if (error)
		return error;
	is_ours = info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex;
	if (is_ours)
		now = attach_mode_of(ifindex);
	if (is_ours && attach_mode_fits(mode, now)) {
		error = bpf_link_update(fd, kernel_program_fd(kernel), NULL);
		if (!error)
			*generic = now == 1;
		if (error != -ENOLINK)
			return error;
	}
	bpf_link_detach(fd);
	if (unlink(path))
		return -errno;
	if (now)
		*former = now == 1 ? KERNEL_ATTACH_GENERIC : KERNEL_ATTACH_NATIVE;
	return -ENOENT;
}

/* The wanted mode was refused: rather the former one than no filter at all. The kernel takes no two modes at once, so
 * the new one could not be tried first. */
static void attach_go_back(const struct kernel *kernel, const char *interface, const char *path, unsigned int ifindex,
			   enum kernel_attach_mode former, struct problem *problem)
{
	AUTO_CLOSE int fd = -1;
	bool generic;

	fd = attach_new(kernel, interface, ifindex, former, &generic, NULL);
	if (fd >= 0 && !bpf_obj_pin(fd, path))
		problem_hint(problem, "%s goes on in %s mode; write that mode, or auto, in the configuration",
			     interface, generic ? "generic" : "native");
}

int kernel_attach(struct kernel *kernel, const char *interface, enum kernel_attach_mode mode, bool *generic,
		  struct problem *problem)
{
	unsigned int ifindex = if_nametoindex(interface);
	enum kernel_attach_mode former = KERNEL_ATTACH_AUTO;
	AUTO_CLOSE int fd = -1;
	bool is_generic = false;
	char path[PATH_MAX];
	int error;

	if (!*kernel->pin_directory)
		return problem_set(problem, -EINVAL, "%s: a program without a pin directory is not attached",
				   interface);
	error = pins_interface_path(kernel->pin_directory, PINS_LINK_PREFIX, interface, path, sizeof(path));
	if (error)
		return problem_set(problem, error, "%s: not a name of an interface", interface);
	if (!ifindex) {
		error = problem_set(problem, -ENODEV, "%s: there is no such interface", interface);
		problem_hint(problem, "`ip link` lists the interfaces");
		return error;
	}
	attach_follow_rename(kernel, path, ifindex);
	error = attach_update(kernel, path, ifindex, mode, &is_generic, &former);
	if (error == -ENOENT) {
		fd = attach_new(kernel, interface, ifindex, mode, &is_generic, problem);
		if (fd < 0) {
			if (former != KERNEL_ATTACH_AUTO)
				attach_go_back(kernel, interface, path, ifindex, former, problem);
			return TAKE_FD(fd);
		}
		error = bpf_obj_pin(fd, path);
	}
	if (error)
		return problem_set(problem, error, "%s: the link %s cannot be updated or pinned: %s", interface, path,
				   strerror(-error));
	*generic = is_generic;
	return 0;
}

int kernel_detach(const char *pin_directory, const char *interface, struct problem *problem)
{
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];
	int error = pins_interface_path(pin_directory, PINS_LINK_PREFIX, interface, path, sizeof(path));

	if (error)
		return problem_set(problem, error, "%s: not a name of an interface", interface);
	fd = bpf_obj_get(path);
	if (fd == -ENOENT) {
		problem_set(problem, fd, "%s: Weir is not attached (no %s)", interface, path);
		problem_hint(problem, "`weir status` lists what is attached");
		return -ENOENT;
	}
	if (fd < 0)
		return problem_set(problem, fd, "%s: cannot open the link %s: %s", interface, path, strerror(-fd));
	bpf_link_detach(fd); /* at once, even while somebody else holds the link open; without a device: -ENOLINK */
	if (unlink(path))
		return problem_set(problem, -errno, "%s: cannot remove the link %s: %s", interface, path,
				   strerror(errno));
	error = kernel_mark_detach(pin_directory, interface, problem);
	return error == -ENOENT ? 0 : error;
}
