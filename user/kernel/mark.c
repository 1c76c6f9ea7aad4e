/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the program that turns the marks of rules into skb->mark at the ingress of interfaces: by a pinned TCX link
 * where the kernel has those, else by a filter of a clsact qdisc. Both stay when the controller dies.
 */
#include "../base/scope.h"
#include "clsact.h"
#include "kernel.h"
#include "mark.skel.h"
#include "pins.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

/* Of Linux 6.6, which the headers may be older than. */
#define MARK_TCX_INGRESS 46	   /* BPF_TCX_INGRESS */
#define MARK_BEFORE	 (1U << 3) /* BPF_F_BEFORE: ahead of all others */

/* What a pin is: a TCX link; the program, of a filter in a clsact qdisc that was there; of one in a qdisc of ours. */
enum mark_pin { MARK_PIN_LINK, MARK_PIN_FILTER, MARK_PIN_QDISC, MARK_PINS };
static const char *const mark_prefixes[MARK_PINS] = {"mark-", "tc-", "clsact-"};

static void close_program(struct mark_bpf **program)
{
	mark_bpf__destroy(*program);
}

static void restore_print(libbpf_print_fn_t *former)
{
	libbpf_set_print(*former);
}

/* What libbpf would print is said by what follows from it. */
#define QUIET libbpf_print_fn_t former_print __attribute__((cleanup(restore_print), unused)) = libbpf_set_print(NULL)

static int mark_path(const char *directory, enum mark_pin pin, const char *interface, char *out, size_t size)
{
	return pins_interface_path(directory, mark_prefixes[pin], interface, out, size);
}

static bool has_pin(const char *directory, enum mark_pin pin, const char *interface)
{
	char path[PATH_MAX];

	return !mark_path(directory, pin, interface, path, sizeof(path)) && !access(path, F_OK);
}

static void remove_pin(const char *directory, enum mark_pin pin, const char *interface)
{
	char path[PATH_MAX];

	if (!mark_path(directory, pin, interface, path, sizeof(path)))
		unlink(path);
}

/* The pinned link, if it is there, and the device that it is on (0: none any more). */
static int open_link(const char *directory, const char *interface, unsigned int *ifindex)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX];
	int error = mark_path(directory, MARK_PIN_LINK, interface, path, sizeof(path));

	fd = error ? error : bpf_obj_get(path);
	if (fd < 0)
		return TAKE_FD(fd);
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ifindex = info.xdp.ifindex; /* of a TCX link it lies in the same place */
	return TAKE_FD(fd);
}

bool kernel_mark_is_attached(const char *pin_directory, const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface), linked = 0;
	AUTO_CLOSE int fd = open_link(pin_directory, interface, &linked);
	QUIET;

	if (!ifindex)
		return false;
	if (fd >= 0)
		return linked == ifindex;
	return (has_pin(pin_directory, MARK_PIN_FILTER, interface) ||
		has_pin(pin_directory, MARK_PIN_QDISC, interface)) &&
	       clsact_is_attached(ifindex);
}

/* 0 when the pinned link has the program now. Else none is left: -ENOENT. */
static int update_link(const char *directory, const char *interface, unsigned int ifindex, int program)
{
	unsigned int linked = 0;
	AUTO_CLOSE int fd = open_link(directory, interface, &linked);

	if (fd >= 0 && linked == ifindex && !bpf_link_update(fd, program, NULL))
		return 0;
	if (fd >= 0)
		bpf_link_detach(fd);
	remove_pin(directory, MARK_PIN_LINK, interface);
	return -ENOENT;
}

static int create_link(const char *directory, const char *interface, unsigned int ifindex, int program)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = MARK_BEFORE);
	AUTO_CLOSE int fd = bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)MARK_TCX_INGRESS, &options);
	char path[PATH_MAX];
	int error;

	if (fd < 0)
		return TAKE_FD(fd);
	error = mark_path(directory, MARK_PIN_LINK, interface, path, sizeof(path));
	return error ? error : bpf_obj_pin(fd, path);
}

static int attach_filter(const char *directory, const char *interface, unsigned int ifindex, int program)
{
	bool is_our_qdisc = has_pin(directory, MARK_PIN_QDISC, interface);
	int error = clsact_attach(ifindex, program, &is_our_qdisc);
	char path[PATH_MAX];

	if (error)
		return error;
	remove_pin(directory, MARK_PIN_FILTER, interface);
	remove_pin(directory, MARK_PIN_QDISC, interface);
	error = mark_path(directory, is_our_qdisc ? MARK_PIN_QDISC : MARK_PIN_FILTER, interface, path, sizeof(path));
	if (!error)
		error = bpf_obj_pin(program, path);
	if (error)
		clsact_detach(ifindex, is_our_qdisc);
	return error;
}

int kernel_mark_attach(const char *pin_directory, const char *interface, struct problem *problem)
{
	struct mark_bpf *program __attribute__((cleanup(close_program))) = NULL;
	unsigned int ifindex = if_nametoindex(interface);
	int fd, error;
	QUIET;

	if (!ifindex)
		return problem_set(problem, -ENODEV, "%s: there is no such interface", interface);
	program = mark_bpf__open_and_load();
	if (!program)
		return problem_set(problem, -errno, "the kernel refused the program that sets marks: %s",
				   strerror(errno));
	fd = bpf_program__fd(program->progs.weir_mark);
	error = update_link(pin_directory, interface, ifindex, fd);
	if (error)
		error = create_link(pin_directory, interface, ifindex, fd);
	/* What a kernel without TCX says of it. */
	if (error == -EINVAL || error == -EOPNOTSUPP)
		error = attach_filter(pin_directory, interface, ifindex, fd);
	if (!error)
		return 0;
	problem_set(problem, error, "%s: the program that sets marks cannot be attached at TC ingress (%s)", interface,
		    strerror(-error));
	problem_hint(problem,
		     error == -ENOENT || error == -EOPNOTSUPP
			     ? "the kernel needs NET_CLS_ACT, NET_SCH_INGRESS (sch_ingress) and NET_CLS_BPF (cls_bpf)"
			     : "see what else is there: `tc filter show dev %s ingress`",
		     interface);
	return error;
}

int kernel_mark_detach(const char *pin_directory, const char *interface, struct problem *problem)
{
	bool is_our_qdisc = has_pin(pin_directory, MARK_PIN_QDISC, interface);
	unsigned int ifindex = if_nametoindex(interface), linked = 0;
	AUTO_CLOSE int fd = open_link(pin_directory, interface, &linked);
	int error = 0;
	QUIET;

	if (fd < 0 && !is_our_qdisc && !has_pin(pin_directory, MARK_PIN_FILTER, interface))
		return -ENOENT;
	if (fd >= 0)
		bpf_link_detach(fd); /* without a device: -ENOLINK */
	else if (ifindex)
		error = clsact_detach(ifindex, is_our_qdisc);
	if (error) {
		problem_set(problem, error, "%s: the program that sets marks cannot be taken off: %s", interface,
			    strerror(-error));
		problem_hint(problem, "`tc qdisc del dev %s clsact` takes it off with all other filters there",
			     interface);
		return error;
	}
	for (enum mark_pin pin = 0; pin < MARK_PINS; pin++)
		remove_pin(pin_directory, pin, interface);
	return 0;
}

int kernel_marks(const char *pin_directory, void (*each)(void *arg, const char *interface), void *arg)
{
	DIR *directory = opendir(pin_directory);
	struct dirent *entry;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory)))
		for (enum mark_pin pin = 0; pin < MARK_PINS; pin++) {
			char interface[IF_NAMESIZE];

			if (pins_interface_of(entry->d_name, mark_prefixes[pin], interface))
				each(arg, interface);
		}
	closedir(directory);
	return 0;
}

int kernel_marks_lost(const char *pin_directory, uint64_t *packets)
{
	AUTO_CLOSE int fd = -1;
	struct weir_count count;
	char path[PATH_MAX];
	int error = pins_path(pin_directory, kernel_maps[KERNEL_MAP_count_verdict].name, path, sizeof(path));

	fd = error ? error : bpf_obj_get(path);
	if (fd < 0)
		return fd;
	error = kernel_map_sum(fd, WEIR_REASON_UNMARKED * WEIR_VERDICTS + WEIR_PASS, sizeof(count) / 8, &count.packets);
	if (!error)
		*packets = count.packets;
	return error;
}
