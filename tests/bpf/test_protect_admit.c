/* SPDX-License-Identifier: BSD-2-Clause */
/* What always reaches the kernel, what no packet may come from, and the live lists. */
#include "harness.h"
#include <time.h>

#define PASS(why) WEIR_PASS, WEIR_REASON_##why, NULL
#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define TCP	  .protocol = IPPROTO_TCP, .sport = 40000
#define UDP	  .protocol = IPPROTO_UDP, .sport = 40000
#define ND	  .source = "fe80::1", .destination = "ff02::1", .protocol = IPPROTO_ICMP, .payload = 16
#define HOUR_NS	  3600000000000ull

static const struct row protect_rows[] = {
	{"a neighbour solicitation", {ND, .icmp_type = 135, .ttl = 255}, PASS(NEIGHBOUR_DISCOVERY)},
	{"a neighbour advertisement", {ND, .icmp_type = 136, .ttl = 255}, PASS(NEIGHBOUR_DISCOVERY)},
	{"a router advertisement", {ND, .icmp_type = 134, .ttl = 255}, PASS(NEIGHBOUR_DISCOVERY)},
	{"duplicate address detection, from ::",
	 {.source = "::",
	  .destination = "ff02::1:ff00:7",
	  .protocol = IPPROTO_ICMP,
	  .icmp_type = 135,
	  .ttl = 255,
	  .payload = 16},
	 PASS(NEIGHBOUR_DISCOVERY)},
	{"a neighbour solicitation that was routed", {ND, .icmp_type = 135, .ttl = 254}, PASS(NOT_VIP)},
	{"neighbour discovery from ff02::, routed",
	 {.source = "ff02::1", .destination = OTHER6, .protocol = IPPROTO_ICMP, .icmp_type = 135, .ttl = 64},
	 DROP(MARTIAN)},
	{"a multicast listener report", {ND, .icmp_type = 143, .ttl = 1, .extensions = "h"}, PASS(NEIGHBOUR_DISCOVERY)},
	{"DHCP from the server",
	 {.source = OTHER4,
	  .destination = "255.255.255.255",
	  .protocol = IPPROTO_UDP,
	  .sport = 67,
	  .dport = 68,
	  .payload = 240},
	 PASS(DHCP)},
	{"DHCP from a client without an address",
	 {.source = "0.0.0.0",
	  .destination = "255.255.255.255",
	  .protocol = IPPROTO_UDP,
	  .sport = 68,
	  .dport = 67,
	  .payload = 240},
	 PASS(DHCP)},
	{"DHCPv6",
	 {.source = "fe80::1",
	  .destination = "fe80::2",
	  .protocol = IPPROTO_UDP,
	  .sport = 547,
	  .dport = 546,
	  .payload = 40},
	 PASS(DHCP)},
	{"a datagram that has only one DHCP port",
	 {.source = C4, .destination = V4, .protocol = IPPROTO_UDP, .sport = 67, .dport = 443},
	 STEERED},
	{"DHCP ports towards a VIP, which has no DHCP client",
	 {.source = C4, .destination = V4, .protocol = IPPROTO_UDP, .sport = 67, .dport = 68},
	 DROP(NO_SERVICE)},
	{"a fragment that says it is DHCP",
	 {.source = C4,
	  .destination = OTHER4,
	  .protocol = IPPROTO_UDP,
	  .sport = 67,
	  .dport = 68,
	  .payload = 64,
	  .more_fragments = true},
	 PASS(NOT_VIP)},
	{"DHCPv6 ports from beyond the link",
	 {.source = C6, .destination = V6, .protocol = IPPROTO_UDP, .sport = 547, .dport = 546},
	 DROP(NO_SERVICE)},
	{"DHCPv6 ports over IPv4",
	 {.source = C4, .destination = V4, .protocol = IPPROTO_UDP, .sport = 547, .dport = 546},
	 DROP(NO_SERVICE)},

	{"a protected source and port", {.source = MANAGER4, .destination = V4, TCP, .dport = 22}, PASS(PROTECTED)},
	{"the answer to a protected source",
	 {.source = MANAGER4, .destination = OTHER4, .protocol = IPPROTO_TCP, .sport = 22, .dport = 50000},
	 PASS(PROTECTED)},
	{"a protected source and datagram port",
	 {.source = MANAGER4, .destination = V4, UDP, .dport = 161},
	 PASS(PROTECTED)},
	{"a protected port of the other protocol",
	 {.source = MANAGER4, .destination = V4, UDP, .dport = 22},
	 DROP(NO_SERVICE)},
	{"a protected source and another port", {.source = MANAGER4, .destination = V4, TCP, .dport = 443}, STEERED},
	{"a protected port of another source", {.source = C4, .destination = V4, TCP, .dport = 22}, DROP(NO_SERVICE)},
	{"a protected source over IPv6",
	 {.source = "2001:db8:bbbb:1::5", .destination = V6, TCP, .dport = 22},
	 PASS(PROTECTED)},
	{"a source just outside of the protected prefix",
	 {.source = "2001:db8:bbbc::5", .destination = V6, TCP, .dport = 22},
	 DROP(NO_SERVICE)},
	{"a source that is protected whole, TCP",
	 {.source = OPERATOR4, .destination = V4, TCP, .dport = 443},
	 PASS(PROTECTED)},
	{"a source that is protected whole, ICMP",
	 {.source = OPERATOR6, .destination = V6, .protocol = IPPROTO_ICMP, .icmp_type = 128},
	 PASS(PROTECTED)},
	{"a source that is protected whole, GRE",
	 {.source = OPERATOR4, .destination = V4, .protocol = 47, .payload = 9},
	 PASS(PROTECTED)},
	{"a source that is protected whole, a later fragment",
	 {.source = OPERATOR4, .destination = V4, TCP, .offset = 8, .payload = 8},
	 PASS(PROTECTED)},
	{"a protected port behind a tag",
	 {.source = MANAGER4, .destination = V4, TCP, .dport = 22, .tags = 1, .tci = {9}},
	 PASS(PROTECTED)},
};
const struct table table_protect = {"protect", protect_rows, ARRAY_SIZE(protect_rows)};

static const struct row admit_rows[] = {
	{"a source of 0.0.0.0", {.source = "0.0.0.0", .destination = V4, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a source of 0.1.2.3", {.source = "0.1.2.3", .destination = V4, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a source of 127.0.0.1", {.source = "127.0.0.1", .destination = V4, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a multicast source", {.source = "224.0.0.1", .destination = V4, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a multicast source for the host",
	 {.source = "239.1.1.1", .destination = OTHER4, UDP, .dport = 53},
	 DROP(MARTIAN)},
	{"the broadcast source", {.source = "255.255.255.255", .destination = V4, UDP, .dport = 443}, DROP(MARTIAN)},
	{"an IGMP query from 0.0.0.0",
	 {.source = "0.0.0.0", .destination = "224.0.0.1", .protocol = 2, .payload = 8},
	 PASS(NOT_VIP)},
	{"a source of ::", {.source = "::", .destination = V6, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a source of ::1", {.source = "::1", .destination = V6, TCP, .dport = 443}, DROP(MARTIAN)},
	{"an IPv4-mapped source",
	 {.source = "::ffff:198.51.100.7", .destination = V6, TCP, .dport = 443},
	 DROP(MARTIAN)},
	{"a multicast IPv6 source", {.source = "ff02::1", .destination = V6, TCP, .dport = 443}, DROP(MARTIAN)},
	{"a source of ::2, which is unusual but no martian",
	 {.source = "::2", .destination = V6, TCP, .dport = 443},
	 STEERED},
	{"source and destination alike", {.source = V4, .destination = V4, TCP, .dport = 443}, DROP(LAND)},
	{"source and destination alike over IPv6", {.source = V6, .destination = V6, TCP, .dport = 443}, DROP(LAND)},
	{"source and destination alike, no VIP",
	 {.source = OTHER4, .destination = OTHER4, UDP, .dport = 9},
	 DROP(LAND)},
};
const struct table table_admit = {"admit", admit_rows, ARRAY_SIZE(admit_rows)};

static void protect_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_protect);
}

static void admit_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_admit);
}

static void expect_reason(struct harness *harness, const char *source, const char *destination, enum weir_reason reason,
			  uint8_t ban_length)
{
	const struct packet_spec spec = {.source = source, .destination = destination, TCP, .dport = 443};
	struct harness_result result;

	harness_run_spec(harness, &spec, &result);
	if (result.trace.reason != reason || result.trace.ban_length != ban_length)
		fail_msg("%s: reason %u by a prefix of %u bits; wanted %u by %u", source, result.trace.reason,
			 result.trace.ban_length, reason, ban_length);
}

static void admit_denied_prefix_is_exact(void **state)
{
	static const struct {
		const char *prefix, *inside, *outside, *destination;
		uint8_t length;
	} rows[] = {
		{"198.51.100.7", "198.51.100.7", "198.51.100.8", V4, 32},
		{"198.51.100.0/24", "198.51.100.255", "198.51.101.0", V4, 24},
		{"128.0.0.0/1", "198.51.100.7", "100.0.0.1", V4, 1},
		{"0.0.0.0/0", "8.8.8.8", NULL, V4, 0},
		{"2001:db8:c::7", "2001:db8:c::7", "2001:db8:c::8", V6, 128},
		{"2001:db8:c::/48", "2001:db8:c:ffff::", "2001:db8:d::", V6, 48},
		{"2001:db8:c::/63", "2001:db8:c:1::7", "2001:db8:c:2::7", V6, 63},
		{"2001:db8:c::/65", "2001:db8:c::7", "2001:db8:c:0:8000::7", V6, 65},
		{"2001:db8:c::/127", "2001:db8:c::1", "2001:db8:c::2", V6, 127},
		{"::/0", "2001:db8:c::7", NULL, V6, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		harness_ban(*state, WEIR_BAN_DENY, rows[i].prefix, 0);
		expect_reason(*state, rows[i].inside, rows[i].destination, WEIR_REASON_DENIED, rows[i].length);
		if (rows[i].outside)
			expect_reason(*state, rows[i].outside, rows[i].destination, WEIR_REASON_STEERED, 0);
		harness_unban(*state, WEIR_BAN_DENY, rows[i].prefix);
		expect_reason(*state, rows[i].inside, rows[i].destination, WEIR_REASON_STEERED, 0);
	}
}

static void admit_any_allow_beats_every_deny(void **state)
{
	harness_ban(*state, WEIR_BAN_DENY, "198.51.100.7", 0);
	harness_ban(*state, WEIR_BAN_ALLOW, "198.51.0.0/16", 0);
	expect_reason(*state, C4, V4, WEIR_REASON_STEERED, 16);
	harness_ban(*state, WEIR_BAN_DENY, "198.51.0.0/16", 0);
	expect_reason(*state, C4, V4, WEIR_REASON_STEERED, 16);
	harness_unban(*state, WEIR_BAN_ALLOW, "198.51.0.0/16");
	expect_reason(*state, "198.51.100.9", V4, WEIR_REASON_DENIED, 16);
	harness_unban(*state, WEIR_BAN_DENY, "198.51.0.0/16");
	harness_unban(*state, WEIR_BAN_DENY, "198.51.100.7");
	harness_ban(*state, WEIR_BAN_DENY, "::/0", 0);
	harness_ban(*state, WEIR_BAN_ALLOW, C6, 0);
	expect_reason(*state, C6, V6, WEIR_REASON_STEERED, 128);
	expect_reason(*state, "2001:db8:c::8", V6, WEIR_REASON_DENIED, 0);
	harness_unban(*state, WEIR_BAN_DENY, "::/0");
	harness_unban(*state, WEIR_BAN_ALLOW, C6);
}

static void admit_entry_ends_by_itself(void **state)
{
	struct harness *harness = *state;
	const uint64_t now_ns = harness->now_ns;

	harness_ban(harness, WEIR_BAN_DENY, C4, time(NULL) + 3600);
	expect_reason(harness, C4, V4, WEIR_REASON_DENIED, 32);
	harness->now_ns = now_ns + HOUR_NS / 2;
	expect_reason(harness, C4, V4, WEIR_REASON_DENIED, 32);
	harness->now_ns = now_ns + 2 * HOUR_NS;
	expect_reason(harness, C4, V4, WEIR_REASON_STEERED, 0);
	harness->now_ns = now_ns;
	harness_ban(harness, WEIR_BAN_ALLOW, "198.51.100.0/24", time(NULL) + 60);
	expect_reason(harness, C4, V4, WEIR_REASON_STEERED, 24);
	harness->now_ns = now_ns + HOUR_NS / 2;
	expect_reason(harness, C4, V4, WEIR_REASON_DENIED, 32);
	harness->now_ns = now_ns;
	harness_unban(harness, WEIR_BAN_ALLOW, "198.51.100.0/24");
	harness_unban(harness, WEIR_BAN_DENY, C4);
}

/* What a deny entry must not be bypassed by. */
static void admit_denied_source_has_no_way_around(void **state)
{
	static const struct packet_spec ways[] = {
		{.source = C4, .destination = V4, TCP, .dport = 443, .tags = 2, .tci = {1, 2}},
		{.source = C4, .destination = V4, TCP, .dport = 443, .options = 10},
		{.source = C4, .destination = V4, TCP, .dport = 443, .offset = 8, .payload = 8},
		{.source = C4, .destination = V4, TCP, .dport = 443, .more_fragments = true, .payload = 8},
		{.source = C4, .destination = V4, .protocol = IPPROTO_ICMP, .icmp_type = 8},
		{.source = C4, .destination = V4, .protocol = 47, .payload = 8},
		{.source = C4, .destination = OTHER4, TCP, .dport = 22},
		{.source = C6, .destination = V6, TCP, .dport = 443, .extensions = "hdrdad"},
		{.source = C6, .destination = V6, TCP, .dport = 443, .extensions = "f"},
		{.source = C6, .destination = V6, TCP, .dport = 443, .extensions = "F", .offset = 8},
		{.source = C6, .destination = V6, .protocol = 59, .payload = 8},
	};

	harness_ban(*state, WEIR_BAN_DENY, C4, 0);
	harness_ban(*state, WEIR_BAN_DENY, C6, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct harness_result result;

		harness_run_spec(*state, &ways[i], &result);
		if (result.trace.reason != WEIR_REASON_DENIED)
			fail_msg("way %zu: reason %u", i, result.trace.reason);
	}
	harness_unban(*state, WEIR_BAN_DENY, C4);
	harness_unban(*state, WEIR_BAN_DENY, C6);
}

int group_protect_admit(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protect_table_gives_what_it_says),
		cmocka_unit_test(admit_table_gives_what_it_says),
		cmocka_unit_test(admit_denied_prefix_is_exact),
		cmocka_unit_test(admit_any_allow_beats_every_deny),
		cmocka_unit_test(admit_entry_ends_by_itself),
		cmocka_unit_test(admit_denied_source_has_no_way_around),
	};

	return cmocka_run_group_tests_name("protect and admit", tests, group_open_standard, group_close);
}
