/* SPDX-License-Identifier: BSD-2-Clause */
/* From facts of an interface to findings: is it there, whose program does it run, may packets leave by it. */
#include "facts.h"
#include "../base/scope.h"
#include <string.h>

/* The group of an interface's findings. */
static const char *group_of(const struct device_facts *device, char out[32])
{
	snprintf(out, 32, "interface %s", device->name);
	return out;
}

/* Nobody said that Weir is to run on an interface that it found by itself. */
static enum doctor_severity at_most(const struct device_facts *device, enum doctor_severity severity)
{
	return !device->is_named && severity == DOCTOR_ERROR ? DOCTOR_WARNING : severity;
}

static void judge_link(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	char queues[48] = "", lower[32] = "";

	if (!device->is_up) {
		doctor_find(report, DOCTOR_WARNING, group, "link", "down: no packet comes in");
		doctor_fix(report, "ip link set %s up", device->name);
		return;
	}
	if (!device->has_carrier) {
		doctor_find(report, DOCTOR_WARNING, group, "link", "up, but without a carrier: no packet comes in");
		doctor_fix(report, "plug in its cable, or set its other end up");
		return;
	}
	if (device->combined)
		snprintf(queues, sizeof(queues), ", queues %d of %d", device->combined, device->combined_most);
	if (*device->lower)
		snprintf(lower, sizeof(lower), ", on %s", device->lower);
	doctor_find(report, DOCTOR_OK, group, "link", "up, driver %s, MTU %u%s%s",
		    *device->driver ? device->driver : "unknown", device->mtu, queues, lower);
}

static void judge_weir(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	if (device->xdp != XDP_MODE_GENERIC) {
		doctor_find(report, DOCTOR_OK, group, "XDP", "Weir, in native mode (program %u)", device->program_id);
		return;
	}
	if (device->wanted == DOCTOR_MODE_GENERIC) {
		doctor_find(report, DOCTOR_OK, group, "XDP", "Weir, in generic mode as configured (program %u)",
			    device->program_id);
		return;
	}
	doctor_find(report, DOCTOR_WARNING, group, "XDP",
		    "Weir, in generic mode (program %u), which costs several times the CPU: the driver refused the "
		    "native one; mend what is wrong below, or write mode: generic for it if this is meant",
		    device->program_id);
	doctor_fix(report, "weir attach %s --mode native", device->name);
}

/* A program that a link holds comes off with the link, another one by the mode that it is in (ip-link(8)). */
static void fix_foreign(const struct device_facts *device, struct doctor_report *report)
{
	static const char *const words[] = {
		[XDP_MODE_NATIVE] = "xdpdrv", [XDP_MODE_GENERIC] = "xdpgeneric", [XDP_MODE_OFFLOADED] = "xdpoffload"};

	if (device->link_id)
		doctor_fix(report, "bpftool link detach id %u", device->link_id);
	else if (device->xdp == XDP_MODE_SEVERAL)
		doctor_fix(report, "ip link set %s xdpdrv off; ip link set %s xdpgeneric off", device->name,
			   device->name);
	else
		doctor_fix(report, "ip link set %s %s off", device->name, words[device->xdp]);
}

static void judge_xdp(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	static const char *const modes[] = {[XDP_MODE_NATIVE] = "native",
					    [XDP_MODE_GENERIC] = "generic",
					    [XDP_MODE_OFFLOADED] = "offloaded",
					    [XDP_MODE_SEVERAL] = "more than one"};

	if (device->xdp == XDP_MODE_NONE) {
		doctor_find(report, DOCTOR_OK, group, "XDP", "free: no program is attached, Weir's neither");
		return;
	}
	if (device->is_weir) {
		judge_weir(device, group, report);
		return;
	}
	if (!*device->program_name) {
		doctor_find(report, DOCTOR_WARNING, group, "XDP",
			    "a program is attached (id %u, in %s mode); whose it is was not looked at",
			    device->program_id, modes[device->xdp]);
		doctor_fix(report, "sudo weir doctor %s", device->name);
		return;
	}
	doctor_find(report, at_most(device, DOCTOR_ERROR), group, "XDP",
		    "another program is attached (%s, id %u, in %s mode), and Weir cannot be beside it: stop what "
		    "attached it, or it may come back%s",
		    device->program_name, device->program_id, modes[device->xdp],
		    !strcmp(device->program_name, "weir")
			    ? "; by its name it is a Weir whose pins are elsewhere (--pins)"
			    : "");
	fix_foreign(device, report);
}

/* bpf_fib_lookup answers for a device that forwards alone (net/core/filter.c, BPF_FIB_LKUP_RET_FWD_DISABLED). */
static void judge_forwarding(const struct doctor_options *options, const struct device_facts *device, const char *group,
			     struct doctor_report *report)
{
	const struct {
		const char *subject, *stack, *family;
		int setting;
		bool has_backends;
	} rows[] = {
		{"IPv4 forwarding", "ipv4", "IPv4", device->forward4, options->has_backends4},
		{"IPv6 forwarding", "ipv6", "IPv6", device->forward6, options->has_backends6},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].setting > 0) {
			doctor_find(report, DOCTOR_OK, group, rows[i].subject, "on");
		} else if (options->has_policy && !rows[i].has_backends) {
			doctor_find(report, DOCTOR_OK, group, rows[i].subject, "off, and no backend is of %s",
				    rows[i].family);
		} else if (rows[i].setting == FACT_UNKNOWN) {
			doctor_find(report, options->has_policy ? at_most(device, DOCTOR_ERROR) : DOCTOR_NOTE, group,
				    rows[i].subject, "this interface has no %s: no packet is steered to %s backends",
				    rows[i].family, rows[i].family);
			doctor_fix(report, "sysctl -w net/%s/conf/%s/disable_ipv6=0", "ipv6", device->name);
		} else {
			doctor_find(report, options->has_policy ? at_most(device, DOCTOR_ERROR) : DOCTOR_WARNING, group,
				    rows[i].subject,
				    "off: the kernel tells the program no route, so no packet is steered to %s "
				    "backends",
				    rows[i].family);
			doctor_fix(report, "sysctl -w net/%s/conf/%s/forwarding=1", rows[i].stack, device->name);
		}
	}
}

/* The kernel goes by the larger of all and the interface (Documentation/networking/ip-sysctl.rst). */
static void judge_reverse_path(const struct host_facts *host, const struct device_facts *device, const char *group,
			       struct doctor_report *report)
{
	int all = host->sysctls.rp_filter_all, own = device->rp_filter;

	if ((all > own ? all : own) != 1)
		return;
	doctor_find(report, DOCTOR_NOTE, group, "rp_filter",
		    "strict: what Weir passes to the kernel is dropped there when the way back to its source leaves by "
		    "another interface (what Weir steers never is): change it where that is so");
	doctor_fix(report, "sysctl -w net/ipv4/conf/%s/rp_filter=2", device->name);
}

void judge_device(const struct doctor_options *options, const struct host_facts *host,
		  const struct device_facts *device, struct doctor_report *report)
{
	char group[32];

	group_of(device, group);
	if (!device->ifindex) {
		doctor_find(report, DOCTOR_ERROR, group, "link",
			    "there is no such interface in this network namespace");
		doctor_fix(report, "`ip -br link` lists those that there are; a running controller waits for it");
		return;
	}
	judge_link(device, group, report);
	judge_xdp(device, group, report);
	judge_driver(host, device, report);
	judge_forwarding(options, device, group, report);
	judge_reverse_path(host, device, group, report);
}
