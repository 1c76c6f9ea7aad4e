/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP to a VIP: echo is answered, errors go where their flow goes, the rest is dropped. */
#include "harness.h"

#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define ECHO	  WEIR_TX, WEIR_REASON_VIP_ECHO, expect_echo
#define ICMP4	  .source = "192.0.2.77", .destination = V4, .protocol = IPPROTO_ICMP
#define ICMP6	  .source = "2001:db8:dead::77", .destination = V6, .protocol = IPPROTO_ICMP

/* What a VIP sent to a client, as an error on the way quotes it. */
static const struct packet_spec sent4 = {.source = V4,
					 .destination = C4,
					 .protocol = IPPROTO_TCP,
					 .sport = 443,
					 .dport = 40000,
					 .payload = 1000,
					 .ttl = 3};
static const struct packet_spec sent4_options = {.source = V4,
						 .destination = C4,
						 .protocol = IPPROTO_UDP,
						 .sport = 443,
						 .dport = 40000,
						 .payload = 20,
						 .options = 2};
static const struct packet_spec sent4_later = {
	.source = V4, .destination = C4, .protocol = IPPROTO_TCP, .sport = 443, .dport = 40000, .offset = 1480};
static const struct packet_spec sent4_unserved = {
	.source = V4, .destination = C4, .protocol = IPPROTO_TCP, .sport = 9999, .dport = 40000};
static const struct packet_spec sent4_other = {
	.source = SIX4, .destination = C4, .protocol = IPPROTO_TCP, .sport = 443, .dport = 40000};
static const struct packet_spec sent4_echo = {
	.source = V4, .destination = C4, .protocol = IPPROTO_ICMP, .icmp_type = 0, .payload = 20};
static const struct packet_spec sent6 = {
	.source = V6, .destination = C6, .protocol = IPPROTO_TCP, .sport = 443, .dport = 40000, .payload = 1000};
static const struct packet_spec sent6_six = {
	.source = SIX6, .destination = C6, .protocol = IPPROTO_UDP, .sport = 443, .dport = 40000, .payload = 10};

static const struct row rows[] = {
	{"an echo request", {ICMP4, .icmp_type = 8, .icmp_word = 0x12340001, .payload = 56}, ECHO},
	{"an echo request of no data", {ICMP4, .icmp_type = 8}, ECHO},
	{"an echo request with options behind a tag",
	 {ICMP4, .icmp_type = 8, .icmp_word = 0xffffffff, .payload = 33, .options = 3, .tags = 1, .tci = {5}},
	 ECHO},
	{"an echo request with TTL 1", {ICMP4, .icmp_type = 8, .ttl = 1, .payload = 8}, ECHO},
	{"an echo request over IPv6", {ICMP6, .icmp_type = 128, .icmp_word = 0x00010001, .payload = 1200}, ECHO},
	{"an echo request over IPv6 behind two tags", {ICMP6, .icmp_type = 128, .tags = 2, .payload = 9}, ECHO},
	{"an echo reply", {ICMP4, .icmp_type = 0, .payload = 56}, DROP(VIP_ICMP)},
	{"an echo reply over IPv6", {ICMP6, .icmp_type = 129, .payload = 56}, DROP(VIP_ICMP)},
	{"a timestamp request", {ICMP4, .icmp_type = 13, .payload = 12}, DROP(VIP_ICMP)},
	{"a redirect", {ICMP4, .icmp_type = 5, .icmp_code = 1, .quote = &sent4}, DROP(VIP_ICMP)},
	{"a fragmented echo request",
	 {ICMP4, .icmp_type = 8, .more_fragments = true, .payload = 8},
	 DROP(VIP_FRAGMENT)},
	{"an echo request that is too short", {ICMP4, .icmp_type = 8, .lie_length = -1}, DROP(MALFORMED)},

	{"fragmentation needed", {ICMP4, .icmp_type = 3, .icmp_code = 4, .icmp_word = 1400, .quote = &sent4}, STEERED},
	{"fragmentation needed with the 28 bytes that RFC 792 asks for",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .icmp_word = 1400, .quote = &sent4, .quote_size = 28},
	 STEERED},
	{"port unreachable, quoted with options",
	 {ICMP4, .icmp_type = 3, .icmp_code = 3, .quote = &sent4_options},
	 STEERED},
	{"time exceeded", {ICMP4, .icmp_type = 11, .quote = &sent4, .quote_size = 60}, STEERED},
	{"packet too big", {ICMP6, .icmp_type = 2, .icmp_word = 1280, .quote = &sent6, .quote_size = 1000}, STEERED},
	{"destination unreachable over IPv6 in IPv6",
	 {.source = C6, .destination = SIX6, .protocol = IPPROTO_ICMP, .icmp_type = 1, .quote = &sent6_six},
	 STEERED},
	{"a quote that ends before the ports",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4, .quote_size = 22},
	 DROP(VIP_ICMP)},
	{"a quote of nothing", {ICMP4, .icmp_type = 3, .icmp_code = 4}, DROP(VIP_ICMP)},
	{"a quote of a later fragment", {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4_later}, DROP(VIP_ICMP)},
	{"a quote that another VIP sent",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4_other},
	 DROP(VIP_ICMP)},
	{"a quote of an echo", {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4_echo}, DROP(VIP_ICMP)},
	{"a quote from a port that is not served",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4_unserved},
	 DROP(NO_SERVICE)},
	{"an IPv6 packet quoted by ICMP over IPv4",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent6},
	 DROP(VIP_ICMP)},
	{"an error from the VIP itself",
	 {.source = V4, .destination = V4, .protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &sent4},
	 DROP(LAND)},
	{"an error with a wrong checksum, which is for the backend to find",
	 {ICMP4, .icmp_type = 3, .icmp_code = 4, .quote = &sent4, .bad_checksum = true},
	 STEERED},
};
const struct table table_icmp = {"icmp", rows, ARRAY_SIZE(rows)};

static void icmp_table_gives_what_it_says(void **state)
{
	table_run(*state, &table_icmp);
}

/* Whatever the client's port: the error comes to the backend that has the flow. */
static void icmp_error_goes_where_its_flow_goes(void **state)
{
	static const struct {
		const char *client, *vip;
		uint8_t protocol, type;
	} rows_[] = {
		{C4, V4, IPPROTO_TCP, 3},   {C4, V4, IPPROTO_UDP, 3}, {C4, SOURCE4, IPPROTO_TCP, 3},
		{C6, V6, IPPROTO_TCP, 2},   {C6, V6, IPPROTO_UDP, 2}, {C6, SIX6, IPPROTO_TCP, 2},
		{C4, SIX4, IPPROTO_UDP, 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows_); i++) {
		for (uint16_t port = 1000; port < 1100; port++) {
			const struct packet_spec flow = {.source = rows_[i].client,
							 .destination = rows_[i].vip,
							 .protocol = rows_[i].protocol,
							 .sport = port,
							 .dport = 443};
			const struct packet_spec sent = {.source = rows_[i].vip,
							 .destination = rows_[i].client,
							 .protocol = rows_[i].protocol,
							 .sport = 443,
							 .dport = port,
							 .payload = 30};
			struct packet_spec error = {.source = "192.0.2.77",
						    .destination = rows_[i].vip,
						    .protocol = IPPROTO_ICMP,
						    .icmp_type = rows_[i].type,
						    .icmp_code = 0,
						    .quote = &sent};
			struct harness_result direct, quoted;

			if (rows_[i].type == 2)
				error.source = "2001:db8:dead::77";
			harness_run_spec(*state, &flow, &direct);
			harness_run_spec(*state, &error, &quoted);
			assert_int_equal(direct.trace.reason, WEIR_REASON_STEERED);
			assert_int_equal(quoted.trace.reason, WEIR_REASON_STEERED);
			assert_int_equal(quoted.trace.icmp_quote, 1);
			assert_int_equal(direct.trace.slot, quoted.trace.slot);
			assert_int_equal(direct.trace.backend_id, quoted.trace.backend_id);
		}
	}
}

int group_icmp(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(icmp_table_gives_what_it_says),
		cmocka_unit_test(icmp_error_goes_where_its_flow_goes),
	};

	return cmocka_run_group_tests_name("icmp", tests, group_open_standard, group_close);
}
