/* SPDX-License-Identifier: BSD-2-Clause */
/* From facts of an interface to findings: what its driver and its settings have against native XDP. */
#include "facts.h"
#include "../base/scope.h"
#include <linux/virtio_net.h>
#include <string.h>

/* A frame has to fit into a page of 4 KiB with room before it (256) and the kernel's bookkeeping (320) behind: with
 * tags 3,498 bytes in the strictest drivers, 3,506 in virtio_net and veth. */
#define MTU_MOST 3498

#define VIRTIO_BIT(feature) (UINT64_C(1) << VIRTIO_NET_F_##feature)
#define VIRTIO_LARGE	    (VIRTIO_BIT(GUEST_TSO4) | VIRTIO_BIT(GUEST_TSO6) | VIRTIO_BIT(GUEST_ECN) | VIRTIO_BIT(GUEST_UFO))

static bool is_native(const struct device_facts *device)
{
	return device->xdp == XDP_MODE_NATIVE && device->is_weir;
}

/* What keeps Weir from native mode is wrong only where that is demanded; else it falls back to generic mode. */
static enum doctor_severity severity_of(const struct device_facts *device)
{
	return device->wanted == DOCTOR_MODE_NATIVE ? DOCTOR_ERROR : DOCTOR_WARNING;
}

#define ABILITY_BASIC UINT64_C(1) /* NETDEV_XDP_ACT_BASIC: takes programs, and may send back what came in */

/* The kinds of device that take no program natively (no ndo_bpf), whatever the kernel. */
static bool is_without_xdp(const struct device_facts *device)
{
	static const char *const kinds[] = {"vlan", "bridge", "macvlan", "ipvlan", "dummy"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(device->kind, kinds[i]))
			return true;
	return false;
}

static void judge_kind(const struct host_facts *host, const struct device_facts *device, const char *group,
		       struct doctor_report *report)
{
	if (device->wanted == DOCTOR_MODE_GENERIC)
		return;
	if (is_without_xdp(device)) {
		doctor_find(report, severity_of(device), group, "kind",
			    "a %s device has no native XDP, and generic mode costs several times the CPU",
			    device->kind);
		if (*device->lower)
			doctor_fix(report, "write interfaces: [%s]; Weir looks behind VLAN tags", device->lower);
		else
			doctor_fix(report, "name the NIC itself in interfaces:");
	}
	if (strcmp(device->kind, "bond") != 0)
		return;
	if (kernel_is_before(&host->kernel, 5, 15))
		doctor_find(report, severity_of(device), group, "kind", "a bond has native XDP from Linux 5.15 on");
	else
		doctor_find(report, DOCTOR_NOTE, group, "kind",
			    "a bond has native XDP only if all of its members have; Weir's tests know no bonds");
	doctor_fix(report, "where native mode is refused: name its members in interfaces: instead of %s", device->name);
}

static void judge_abilities(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	if (!device->has_abilities || device->abilities & ABILITY_BASIC || is_without_xdp(device) ||
	    is_native(device) || device->wanted == DOCTOR_MODE_GENERIC)
		return;
	doctor_find(
		report, severity_of(device), group, "driver",
		"%s tells of no native XDP, and generic mode costs several times the CPU; use a NIC whose driver has "
		"it",
		*device->driver ? device->driver : "the driver");
	doctor_fix(report, "write mode: generic for %s if it has to be this one", device->name);
}

static void judge_mtu(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	bool is_of_peer = device->mtu <= MTU_MOST && device->peer_mtu > MTU_MOST;
	const char *name = is_of_peer ? device->peer : device->name;

	if ((device->mtu <= MTU_MOST && !is_of_peer) || device->wanted == DOCTOR_MODE_GENERIC || is_native(device))
		return;
	doctor_find(
		report, severity_of(device), group, "MTU",
		"%s has %u: native XDP takes frames of one page, about 3500 bytes, and Weir has no jumbo frames there; "
		"in generic mode (mode: generic) it has",
		name, is_of_peer ? device->peer_mtu : device->mtu);
	doctor_fix(report, "ip link set %s mtu 1500", name);
}

static void judge_lro(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	if (device->lro != 1 || device->wanted == DOCTOR_MODE_GENERIC || device->has_virtio)
		return;
	doctor_find(report, severity_of(device), group, "LRO",
		    "on: drivers refuse native XDP while the NIC joins packets");
	doctor_fix(report, "ethtool -K %s lro off", device->name);
}

/* virtnet_xdp_set() refuses while the hypervisor may hand over joined or half-summed packets and cannot be told not
 * to; without merged buffers a driver that could get large packets never calls the program (both
 * drivers/net/virtio_net.c). */
static void judge_virtio_offloads(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	if (!device->has_virtio || device->wanted == DOCTOR_MODE_GENERIC)
		return;
	if (!(device->virtio & VIRTIO_BIT(CTRL_GUEST_OFFLOADS)) &&
	    device->virtio & (VIRTIO_LARGE | VIRTIO_BIT(GUEST_CSUM))) {
		doctor_find(report, severity_of(device), group, "GRO_HW",
			    "the hypervisor joins packets or leaves checksums out and takes no word about it: the "
			    "driver refuses native XDP");
		doctor_fix(report, "on the hypervisor: ctrl_guest_offloads=on for this NIC (or guest_csum, guest_tso4, "
				   "guest_tso6, guest_ecn, guest_ufo off); or mode: generic for it");
	} else if (!(device->virtio & VIRTIO_BIT(MRG_RXBUF)) && device->virtio & VIRTIO_LARGE) {
		doctor_find(report, DOCTOR_ERROR, group, "GRO_HW",
			    "the hypervisor gives no merged buffers but joins packets: the driver takes a native "
			    "program and never runs it, so nothing would be filtered");
		doctor_fix(report, "on the hypervisor: mrg_rxbuf=on for this NIC; or mode: generic for it");
	}
}

/*
 * virtio_net wants a transmit queue more for each possible CPU. Without them it shares the others under locks, and
 * where more pairs than CPUs are in use it takes a queue that is not there (virtnet_xdp_get_sq(); seen as an oops in
 * virtnet_xdp_xmit of 6.1).
 */
static void judge_virtio_queues(const struct host_facts *host, const struct device_facts *device, const char *group,
				struct doctor_report *report)
{
	/* With XDP attached the driver counts its extra queues among those in use. */
	int pairs = device->receive_queues ? device->receive_queues : device->combined;
	int cpus = host->cpus_possible, most = device->combined_most;

	if (strcmp(device->driver, "virtio_net") != 0 || device->wanted == DOCTOR_MODE_GENERIC || !cpus || !pairs ||
	    pairs + cpus <= most)
		return;
	if (pairs > cpus) {
		doctor_find(report, DOCTOR_WARNING, group, "queues",
			    "%d pairs in use, %d CPUs, and no %d to spare for XDP: the kernel can crash when the "
			    "program sends a packet in native mode (seen on Linux 6.1); the driver takes a change only "
			    "while no XDP "
			    "program is attached",
			    pairs, cpus, cpus);
		doctor_fix(report, "ethtool -L %s combined %d", device->name, host->cpus_online);
		return;
	}
	doctor_find(report, DOCTOR_NOTE, group, "queues",
		    "%d of %d pairs in use: with a queue more for each of %d CPUs native XDP would send without locks",
		    pairs, most, cpus);
	if (most > cpus)
		doctor_fix(report, "ethtool -L %s combined %d", device->name, most - cpus);
	else
		doctor_fix(report, "on the hypervisor: %d queues for this NIC", pairs + cpus);
}

/* A veth has no wire: nobody fills in what a sender left to its device, and it takes frames of a program only while
 * its other end has one. */
static void judge_veth(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	const char *peer = *device->peer ? device->peer : "PEER";

	if (strcmp(device->kind, "veth") != 0)
		return;
	if (device->peer_tx_checksum == 0) {
		doctor_find(report, DOCTOR_OK, group, "veth", "%s sends packets with their checksums filled in", peer);
		return;
	}
	doctor_find(report, DOCTOR_NOTE, group, "veth",
		    "unless transmit checksums are off at the other end (%s), packets come in with unfinished ones and "
		    "leave for backends so; and that end takes what Weir sends only while it has an XDP program too",
		    *device->peer ? device->peer : "PEER, in another network namespace");
	doctor_fix(report, "ethtool -K %s tx off", peer);
}

/* A driver that has no XDP metadata cannot be asked; it shows in what was lost. In generic mode the kernel has it. */
static void judge_marks(const struct device_facts *device, const char *group, struct doctor_report *report)
{
	if (!device->is_weir || !device->has_marks)
		return;
	if (!device->marks_lost || device->xdp != XDP_MODE_NATIVE) {
		doctor_find(report, DOCTOR_OK, group, "marks", "packets get the marks of rules at TC ingress");
		return;
	}
	doctor_find(report, DOCTOR_WARNING, group, "marks",
		    "%llu packets came to the kernel without the mark of their rule: %s, or the driver of another "
		    "interface, leaves no room for XDP metadata",
		    (unsigned long long)device->marks_lost, *device->driver ? device->driver : "the driver");
	doctor_fix(report,
		   "write mode: generic for %s, which costs several times the CPU, or match by address in nftables "
		   "instead of by mark",
		   device->name);
}

void judge_driver(const struct host_facts *host, const struct device_facts *device, struct doctor_report *report)
{
	char group[32];

	snprintf(group, sizeof(group), "interface %s", device->name);
	judge_kind(host, device, group, report);
	judge_abilities(device, group, report);
	judge_mtu(device, group, report);
	judge_lro(device, group, report);
	judge_virtio_offloads(device, group, report);
	judge_virtio_queues(host, device, group, report);
	judge_veth(device, group, report);
	judge_marks(device, group, report);
}
