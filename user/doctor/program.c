/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose the XDP program on an interface is, and whether Weir's own one loads here. */
#include "facts.h"
#include "../base/scope.h"
#include "../kernel/kernel.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* The whole program over tables of its own, which are gone again at once: what the verifier says of it. */
void facts_read_program(struct kernel_facts *kernel)
{
	const struct kernel_options options = {0};
	struct problem problem = {0};
	struct kernel *loaded = NULL;
	const char *line;

	kernel->program = !kernel_load(&options, &loaded, &problem);
	kernel_free(loaded);
	line = problem.text;
	snprintf(kernel->refusal, sizeof(kernel->refusal), "%.*s", (int)strcspn(line, "\n"), line);
}

static void read_name(struct device_facts *device)
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(device->program_id);
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
		snprintf(device->program_name, sizeof(device->program_name), "%s", info.name);
}

/* The bpf_link that holds the program on the interface, if one does: such a program cannot be taken off by ip(8). */
static void read_link(struct device_facts *device)
{
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		AUTO_CLOSE int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = {0};
		__u32 size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != BPF_LINK_TYPE_XDP)
			continue;
		if (info.xdp.ifindex == device->ifindex && info.prog_id == device->program_id)
			device->link_id = id;
	}
}

static void compare(void *arg, const struct kernel_link *link)
{
	struct device_facts *device = arg;

	if (link->ifindex == device->ifindex && link->program_id == device->program_id)
		device->is_weir = true;
}

void program_read(const char *pins, struct device_facts *device)
{
	if (!device->program_id)
		return;
	read_name(device);
	read_link(device);
	kernel_links(pins, compare, device);
	device->has_marks = kernel_mark_is_attached(pins, device->name);
	kernel_marks_lost(pins, &device->marks_lost);
}
