/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the host, chooses the interfaces that are meant, and has all of it judged. */
#include "facts.h"
#include "../base/scope.h"
#include "../kernel/kernel.h"
#include <errno.h>
#include <string.h>

struct devices {
	struct device_link *links;
	size_t count;
	bool has_weir; /* on an interface, by its pins */
};

static void mark_weir(void *arg, const struct kernel_link *link)
{
	struct devices *devices = arg;

	for (size_t i = 0; i < devices->count; i++) {
		if (devices->links[i].facts.ifindex != link->ifindex || !link->mode)
			continue;
		devices->links[i].facts.is_weir = true;
		devices->has_weir = true;
	}
}

static void examine(const struct doctor_options *options, const struct host_facts *host, const struct devices *devices,
		    struct device_facts *device, struct doctor_report *report)
{
	if (device->ifindex) {
		device->is_weir = false;
		device_read(options->root, devices->links, devices->count, device);
		program_read(options->pins, device);
	}
	judge_device(options, host, device, report);
}

static void examine_targets(const struct doctor_options *options, const struct host_facts *host,
			    const struct devices *devices, struct doctor_report *report)
{
	for (size_t i = 0; i < options->targets_count; i++) {
		const struct doctor_target *target = &options->targets[i];
		struct device_facts device = {0};

		for (size_t k = 0; k < devices->count; k++)
			if (!strcmp(devices->links[k].facts.name, target->name))
				device = devices->links[k].facts;
		snprintf(device.name, sizeof(device.name), "%s", target->name);
		device.is_named = true;
		device.wanted = target->mode;
		examine(options, host, devices, &device, report);
	}
}

/* Hardware comes first: a host of containers has a veth for each. */
static void examine_found(const struct doctor_options *options, const struct host_facts *host,
			  const struct devices *devices, struct doctor_report *report)
{
	bool has_hardware = false, is_any = false;

	for (size_t i = 0; i < devices->count; i++) {
		const struct device_facts *facts = &devices->links[i].facts;

		has_hardware = has_hardware ||
			       (facts->is_ethernet && facts->is_up && !*facts->kind && !devices->links[i].is_loopback);
	}
	for (size_t i = 0; i < devices->count; i++) {
		struct device_facts device = devices->links[i].facts;
		bool is_meant = device.is_ethernet && device.is_up && !devices->links[i].is_loopback &&
				(!*device.kind || !has_hardware);

		if (devices->has_weir ? !device.is_weir : !is_meant)
			continue;
		is_any = true;
		device.is_named = device.is_weir;
		examine(options, host, devices, &device, report);
	}
	if (is_any)
		return;
	doctor_find(report, DOCTOR_WARNING, "interfaces", "which",
		    "no Ethernet interface is up, and none was named: none was looked at");
	doctor_fix(report, "weir doctor INTERFACE");
}

static void examine_devices(const struct doctor_options *options, const struct host_facts *host,
			    struct devices *devices, struct doctor_report *report)
{
	int err = device_list(&devices->links, &devices->count);

	if (err) {
		doctor_find(report, DOCTOR_ERROR, "interfaces", "which", "the kernel lists none: %s", strerror(-err));
		return;
	}
	kernel_links(options->pins, mark_weir, devices);
	if (options->targets_count)
		examine_targets(options, host, devices, report);
	else
		examine_found(options, host, devices, report);
}

struct pinned {
	bool is_any;
};

static void note_pinned(void *arg, const struct kernel_link *link)
{
	struct pinned *pinned = arg;

	pinned->is_any = pinned->is_any || link->program_id;
}

void doctor_examine(const struct doctor_options *options, struct doctor_report *report)
{
	struct host_facts host = {0};
	struct devices devices = {0};
	struct pinned pinned = {0};

	facts_read_kernel(options->root, &host.kernel);
	facts_read_features(&host.kernel);
	facts_read_memory(options->root, &host.memory);
	facts_read_sysctls(options->root, &host);
	/* A program that is attached has been taken by the kernel: a second one would only cost a busy edge memory. */
	kernel_links(options->pins, note_pinned, &pinned);
	if (host.kernel.has[FEATURE_XDP] && !pinned.is_any)
		facts_read_program(&host.kernel);
	judge_kernel(&host.kernel, report);
	judge_memory(&host.kernel, &host.memory, report);
	judge_sysctls(&host, report);
	examine_devices(options, &host, &devices, report);
	free(devices.links);
}
