/* SPDX-License-Identifier: BSD-2-Clause */
/* Facts of interfaces that nobody has here, and what is thought of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/virtio_net.h>

#include "user/base/scope.h"

#include "doctor_host.h"

static const struct doctor_options ipv4_policy = {.root = "", .has_policy = true, .has_backends4 = true};

static void expect_of_device(const struct device_facts *device, const char *sentence, const struct expected *expected)
{
	struct doctor_report report = {0};
	struct host_facts host = well_host();

	judge_device(&ipv4_policy, &host, device, &report);
	doctor_expect(&report, sentence, expected);
	doctor_report_clear(&report);
}

/* --- interfaces ------------------------------------------------------------------------------------------- */

static void doctor_link_missing_or_down_is_told(void **state)
{
	static const struct expected missing = {"link", DOCTOR_ERROR, "no such interface", "ip -br link"};
	static const struct expected down = {"link", DOCTOR_WARNING, "down", "ip link set eth0 up"};
	static const struct expected unplugged = {"link", DOCTOR_WARNING, "without a carrier", "cable"};
	struct device_facts device = well_device();

	(void)state;
	device.has_carrier = false;
	expect_of_device(&device, "no carrier", &unplugged);
	device.is_up = false;
	expect_of_device(&device, "down", &down);
	device.ifindex = 0;
	expect_of_device(&device, "missing", &missing);
}

static void doctor_program_on_the_interface_is_named_with_its_way_off(void **state)
{
	static const struct {
		struct device_facts facts;
		struct expected expected;
	} rows[] = {
		{{.xdp = XDP_MODE_NATIVE, .program_name = "filter", .is_named = true},
		 {"XDP", DOCTOR_ERROR, "(filter, id 7, in native mode)", "ip link set eth0 xdpdrv off"}},
		{{.xdp = XDP_MODE_GENERIC, .program_name = "filter", .is_named = true},
		 {"XDP", DOCTOR_ERROR, "in generic mode", "ip link set eth0 xdpgeneric off"}},
		{{.xdp = XDP_MODE_OFFLOADED, .program_name = "filter", .is_named = true},
		 {"XDP", DOCTOR_ERROR, "in offloaded mode", "ip link set eth0 xdpoffload off"}},
		{{.xdp = XDP_MODE_SEVERAL, .program_name = "filter", .is_named = true},
		 {"XDP", DOCTOR_ERROR, "more than one", "xdpdrv off; ip link set eth0 xdpgeneric off"}},
		{{.xdp = XDP_MODE_NATIVE, .program_name = "filter", .link_id = 9, .is_named = true},
		 {"XDP", DOCTOR_ERROR, "filter", "bpftool link detach id 9"}},
		{{.xdp = XDP_MODE_NATIVE, .program_name = "filter"}, {"XDP", DOCTOR_WARNING, "filter", "xdpdrv off"}},
		{{.xdp = XDP_MODE_NATIVE, .program_name = "weir", .is_named = true},
		 {"XDP", DOCTOR_ERROR, "pins are elsewhere (--pins)", "xdpdrv off"}},
		{{.xdp = XDP_MODE_NATIVE, .is_named = true},
		 {"XDP", DOCTOR_WARNING, "was not looked at", "sudo weir doctor eth0"}},
		{{.xdp = XDP_MODE_NATIVE, .program_name = "weir", .is_weir = true},
		 {"XDP", DOCTOR_OK, "Weir, in native mode (program 7)", ""}},
		{{.xdp = XDP_MODE_GENERIC, .program_name = "weir", .is_weir = true},
		 {"XDP", DOCTOR_WARNING, "several times the CPU", "weir attach eth0 --mode native"}},
		{{.xdp = XDP_MODE_GENERIC, .is_weir = true, .wanted = DOCTOR_MODE_GENERIC},
		 {"XDP", DOCTOR_OK, "as configured", ""}},
		{{.xdp = XDP_MODE_NONE}, {"XDP", DOCTOR_OK, "free", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = well_device();

		device.is_named = rows[i].facts.is_named;
		device.wanted = rows[i].facts.wanted;
		device.xdp = rows[i].facts.xdp;
		device.program_id = 7;
		device.link_id = rows[i].facts.link_id;
		device.is_weir = rows[i].facts.is_weir;
		strcpy(device.program_name, rows[i].facts.program_name);
		expect_of_device(&device, rows[i].expected.text, &rows[i].expected);
	}
}

static void doctor_forwarding_off_is_an_error_where_backends_need_it(void **state)
{
	static const struct {
		const char *sentence;
		struct doctor_options options;
		int forward4, forward6;
		struct expected expected;
	} rows[] = {
		{"IPv4 backends",
		 {.has_policy = true, .has_backends4 = true},
		 0,
		 1,
		 {"IPv4 forwarding", DOCTOR_ERROR, "no route", "sysctl -w net/ipv4/conf/eth0/forwarding=1"}},
		{"IPv6 backends",
		 {.has_policy = true, .has_backends6 = true},
		 1,
		 0,
		 {"IPv6 forwarding", DOCTOR_ERROR, "no route", "sysctl -w net/ipv6/conf/eth0/forwarding=1"}},
		{"no IPv6 backends",
		 {.has_policy = true, .has_backends4 = true},
		 1,
		 0,
		 {"IPv6 forwarding", DOCTOR_OK, "no backend is of IPv6", ""}},
		{"no IPv6 at all",
		 {.has_policy = true, .has_backends6 = true},
		 1,
		 FACT_UNKNOWN,
		 {"IPv6 forwarding", DOCTOR_ERROR, "has no IPv6", "sysctl -w net/ipv6/conf/eth0/disable_ipv6=0"}},
		{"no policy",
		 {.has_policy = false},
		 0,
		 0,
		 {"IPv4 forwarding", DOCTOR_WARNING, "no route", "sysctl -w net/ipv4/conf/eth0/forwarding=1"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = well_device();
		struct host_facts host = well_host();
		struct doctor_report report = {0};

		device.forward4 = rows[i].forward4;
		device.forward6 = rows[i].forward6;
		judge_device(&rows[i].options, &host, &device, &report);
		doctor_expect(&report, rows[i].sentence, &rows[i].expected);
		doctor_report_clear(&report);
	}
}

static void doctor_reverse_path_filter_that_is_strict_is_a_note(void **state)
{
	static const struct {
		int all, own;
		struct expected expected;
	} rows[] = {
		{0, 0, {.subject = "rp_filter"}},
		{2, 1, {.subject = "rp_filter"}},
		{1, 2, {.subject = "rp_filter"}},
		{0, 1, {"rp_filter", DOCTOR_NOTE, "strict", "sysctl -w net/ipv4/conf/eth0/rp_filter=2"}},
		{1, 0, {"rp_filter", DOCTOR_NOTE, "strict", "sysctl -w net/ipv4/conf/eth0/rp_filter=2"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = well_device();
		struct host_facts host = well_host();
		struct doctor_report report = {0};

		device.rp_filter = rows[i].own;
		host.sysctls.rp_filter_all = rows[i].all;
		judge_device(&ipv4_policy, &host, &device, &report);
		doctor_expect(&report, "rp_filter", &rows[i].expected);
		doctor_report_clear(&report);
	}
}

/* --- drivers ---------------------------------------------------------------------------------------------- */

#define BIT(feature) (UINT64_C(1) << VIRTIO_NET_F_##feature)

static void doctor_virtio_offloads_that_keep_native_mode_away_are_told(void **state)
{
	static const uint64_t merged = BIT(MRG_RXBUF), control = BIT(CTRL_GUEST_OFFLOADS);
	static const struct {
		const char *sentence;
		uint64_t features;
		enum doctor_mode wanted;
		struct expected expected;
	} rows[] = {
		{"nothing joined", merged, DOCTOR_MODE_AUTO, {.subject = "GRO_HW"}},
		{"may be turned off", merged | control | BIT(GUEST_TSO4), DOCTOR_MODE_NATIVE, {.subject = "GRO_HW"}},
		{"auto",
		 merged | BIT(GUEST_TSO4),
		 DOCTOR_MODE_AUTO,
		 {"GRO_HW", DOCTOR_WARNING, "refuses", "ctrl_guest"}},
		{"native",
		 merged | BIT(GUEST_CSUM),
		 DOCTOR_MODE_NATIVE,
		 {"GRO_HW", DOCTOR_ERROR, "refuses native XDP", "ctrl_guest_offloads=on"}},
		{"generic", merged | BIT(GUEST_CSUM), DOCTOR_MODE_GENERIC, {.subject = "GRO_HW"}},
		{"no merged buffers",
		 control | BIT(GUEST_TSO6),
		 DOCTOR_MODE_AUTO,
		 {"GRO_HW", DOCTOR_ERROR, "never runs it", "mrg_rxbuf=on"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = well_device();

		strcpy(device.driver, "virtio_net");
		device.combined_most = 8;
		device.has_virtio = true;
		device.virtio = rows[i].features;
		device.wanted = rows[i].wanted;
		expect_of_device(&device, rows[i].sentence, &rows[i].expected);
	}
}

static void doctor_virtio_queues_more_than_cpus_without_spare_ones_are_a_warning(void **state)
{
	static const struct {
		const char *sentence;
		int combined, most, receive_queues; /* and 4 CPUs */
		struct expected expected;
	} rows[] = {
		{"as many as CPUs, and as many spare", 4, 8, 0, {.subject = "queues"}},
		{"more than CPUs and none spare",
		 8,
		 8,
		 0,
		 {"queues", DOCTOR_WARNING, "can crash", "ethtool -L eth0 combined 4"}},
		{"more than CPUs and too few spare", 6, 8, 6, {"queues", DOCTOR_WARNING, "can crash", "combined 4"}},
		{"attached: those of XDP are in use too", 8, 8, 4, {.subject = "queues"}},
		{"one", 1, 1, 0, {"queues", DOCTOR_NOTE, "without locks", "on the hypervisor: 5 queues"}},
		{"fewer would do", 4, 6, 0, {"queues", DOCTOR_NOTE, "without locks", "ethtool -L eth0 combined 2"}},
		{"unknown", 0, 0, 0, {.subject = "queues"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = well_device();

		strcpy(device.driver, "virtio_net");
		device.combined = rows[i].combined;
		device.combined_most = rows[i].most;
		device.receive_queues = rows[i].receive_queues;
		expect_of_device(&device, rows[i].sentence, &rows[i].expected);
	}
}

static void doctor_settings_that_keep_native_mode_away_are_told(void **state)
{
	static const struct {
		const char *sentence;
		struct device_facts facts;
		struct expected expected;
	} rows[] = {
		{"jumbo", {.mtu = 9000}, {"MTU", DOCTOR_WARNING, "eth0 has 9000", "ip link set eth0 mtu 1500"}},
		{"jumbo, native",
		 {.mtu = 9000, .wanted = DOCTOR_MODE_NATIVE},
		 {"MTU", DOCTOR_ERROR, "9000", "mtu 1500"}},
		{"jumbo, generic", {.mtu = 9000, .wanted = DOCTOR_MODE_GENERIC}, {.subject = "MTU"}},
		{"3498", {.mtu = 3498}, {.subject = "MTU"}},
		{"the peer's",
		 {.mtu = 1500, .kind = "veth", .peer = "port", .peer_mtu = 9000},
		 {"MTU", DOCTOR_WARNING, "port has 9000", "ip link set port mtu 1500"}},
		{"a driver without XDP",
		 {.mtu = 1500, .has_abilities = true, .abilities = 0, .driver = "r8169"},
		 {"driver", DOCTOR_WARNING, "r8169 tells of no native XDP", "mode: generic"}},
		{"a driver with XDP", {.mtu = 1500, .has_abilities = true, .abilities = 3}, {.subject = "driver"}},
		{"a driver that tells nothing", {.mtu = 1500}, {.subject = "driver"}},
		{"LRO", {.mtu = 1500, .lro = 1}, {"LRO", DOCTOR_WARNING, "refuse", "ethtool -K eth0 lro off"}},
		{"VLAN",
		 {.mtu = 1500, .kind = "vlan", .lower = "eth1"},
		 {"kind", DOCTOR_WARNING, "a vlan device has no native XDP", "interfaces: [eth1]"}},
		{"bridge", {.mtu = 1500, .kind = "bridge"}, {"kind", DOCTOR_WARNING, "a bridge", "the NIC itself"}},
		{"bond", {.mtu = 1500, .kind = "bond"}, {"kind", DOCTOR_NOTE, "all of its members", "its members"}},
		{"veth, peer elsewhere",
		 {.mtu = 1500, .kind = "veth", .peer_tx_checksum = FACT_UNKNOWN},
		 {"veth", DOCTOR_NOTE, "another network namespace", "ethtool -K PEER tx off"}},
		{"veth, unfinished checksums",
		 {.mtu = 1500, .kind = "veth", .peer = "port", .peer_tx_checksum = 1},
		 {"veth", DOCTOR_NOTE, "the other end (port)", "ethtool -K port tx off"}},
		{"veth, finished ones",
		 {.mtu = 1500, .kind = "veth", .peer = "port", .peer_tx_checksum = 0},
		 {"veth", DOCTOR_OK, "filled in", ""}},
		{"marks",
		 {.mtu = 1500, .xdp = XDP_MODE_NATIVE, .is_weir = true, .has_marks = true, .driver = "none"},
		 {"marks", DOCTOR_OK, "at TC ingress", ""}},
		{"marks that a driver lost",
		 {.mtu = 1500,
		  .xdp = XDP_MODE_NATIVE,
		  .is_weir = true,
		  .has_marks = true,
		  .marks_lost = 7,
		  .driver = "some"},
		 {"marks", DOCTOR_WARNING, "7 packets came to the kernel without the mark of their rule: some, or",
		  "mode: generic for eth0"}},
		{"marks that another driver lost",
		 {.mtu = 1500, .xdp = XDP_MODE_GENERIC, .is_weir = true, .has_marks = true, .marks_lost = 7},
		 {"marks", DOCTOR_OK, "at TC ingress", ""}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct device_facts device = rows[i].facts, well = well_device();

		strcpy(device.name, "eth0");
		device.ifindex = well.ifindex;
		device.is_up = device.has_carrier = true;
		expect_of_device(&device, rows[i].sentence, &rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doctor_link_missing_or_down_is_told),
		cmocka_unit_test(doctor_program_on_the_interface_is_named_with_its_way_off),
		cmocka_unit_test(doctor_forwarding_off_is_an_error_where_backends_need_it),
		cmocka_unit_test(doctor_reverse_path_filter_that_is_strict_is_a_note),
		cmocka_unit_test(doctor_virtio_offloads_that_keep_native_mode_away_are_told),
		cmocka_unit_test(doctor_virtio_queues_more_than_cpus_without_spare_ones_are_a_warning),
		cmocka_unit_test(doctor_settings_that_keep_native_mode_away_are_told),
	};

	return cmocka_run_group_tests_name("doctor_interface", tests, NULL, NULL);
}
