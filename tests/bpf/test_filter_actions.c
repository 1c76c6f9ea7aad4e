/* SPDX-License-Identifier: BSD-2-Clause */
/* What rules do, in which order with everything else, and what the default leaves to the host itself. */
#include "harness.h"
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* Rows change what the macros begin with. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define PASS	  WEIR_PASS, WEIR_REASON_NOT_VIP, NULL
#define REPLY	  WEIR_PASS, WEIR_REASON_REPLY, NULL
#define STEERED	  WEIR_TX, WEIR_REASON_STEERED, NULL
#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define RESET	  WEIR_TX, WEIR_REASON_RULE_REJECT, expect_reset
#define UNREACH	  WEIR_TX, WEIR_REASON_RULE_REJECT, expect_unreachable
#define TCP	  .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define UDP	  .protocol = IPPROTO_UDP, .sport = 40000, .dport = 443
#define FROM4(n)  .source = "198.51.100." #n, .destination = V4
#define FROM6(n)  .source = "2001:db8:c::" #n, .destination = V6
#define SECOND_NS 1000000000ull
#define NOW_S	  1800000000ll

#define BACKENDS                                                                                                       \
	"pools: {local: {backends: [{name: a, address: 10.0.0.11}]}}\n"                                                \
	"services:\n"                                                                                                  \
	"  - {name: www, address: [" V4 ", \"" V6 "\"], ports: [tcp/443, udp/443], pools: [local]}\n"

static const char actions[] =
	"protect: [{from: [198.51.100.200, \"2001:db8:c::200\"], ports: [tcp/443]}]\n"
	"filter:\n"
	"  rules:\n"
	"  - {name: pass, from: [198.51.100.1, \"2001:db8:c::1\"], action: pass}\n"
	"  - {name: allow, from: [198.51.100.2, \"2001:db8:c::2\"], action: allow}\n"
	"  - {name: drop, from: [198.51.100.3, \"2001:db8:c::3\"], action: drop}\n"
	"  - {name: reject, from: [198.51.100.4, \"2001:db8:c::4\", 198.51.100.40/29, 0.0.0.0], action: reject}\n"
	"  - {name: idle, from: 198.51.100.5, action: drop, mode: off}\n"
	"  - {name: over, from: 198.51.100.6, action: drop, expires: 2027-01-15T07:59:59Z}\n"
	"  - {name: ends, from: 198.51.100.7, action: drop, expires: 2027-01-15T08:01:40Z}\n"
	"  - {name: rest, from: [198.51.100.200/29, \"2001:db8:c::200/125\"], action: drop}\n" BACKENDS;

static const struct filter_row action_rows[] = {
	{{"pass goes on to the services", {FROM4(1), TCP}, STEERED}, "pass"},
	{{"pass goes on to the services, v6", {FROM6(1), UDP}, STEERED}, "pass"},
	{{"allow goes on to the services", {FROM4(2), TCP}, STEERED}, "allow"},
	{{"allow goes on to the services, v6", {FROM6(2), TCP}, STEERED}, "allow"},
	{{"drop", {FROM4(3), TCP}, DROP(RULE)}, "drop"},
	{{"drop, v6", {FROM6(3), UDP}, DROP(RULE)}, "drop"},
	{{"a rule that is off", {FROM4(5), TCP}, STEERED}, NULL},
	{{"a rule that has expired", {FROM4(6), TCP}, STEERED}, NULL},
	{{"a rule that will expire", {FROM4(7), TCP}, DROP(RULE)}, "ends"},
	{{"no rule", {FROM4(8), TCP}, STEERED}, NULL},
	{{"protect beats rules", {FROM4(200), TCP}, WEIR_PASS, WEIR_REASON_PROTECTED, NULL}, NULL},
	{{"protect beats rules, v6", {FROM6(200), TCP}, WEIR_PASS, WEIR_REASON_PROTECTED, NULL}, NULL},
	{{"what is not protected has rules", {FROM4(200), UDP}, DROP(RULE)}, "rest"},
	{{"an address that no packet may come from", {.source = "0.0.0.0", .destination = V4, UDP}, DROP(MARTIAN)},
	 NULL},
	{{"a header that lies", {FROM4(3), TCP, .lie_doff = -1}, DROP(MALFORMED)}, NULL},
};

static const struct filter_row reject_rows[] = {
	{{"a segment is reset", {FROM4(4), TCP, .sequence = 7, .acknowledge = 9}, RESET}, "reject"},
	{{"a SYN is reset", {FROM4(4), TCP, .flags = SYN, .sequence = 0xffffffff}, RESET}, "reject"},
	{{"a SYN with data in a VLAN", {FROM4(4), TCP, .flags = SYN, .payload = 9, .tags = 1, .tci = {7}}, RESET},
	 "reject"},
	{{"a segment is reset, v6", {FROM6(4), TCP, .flags = FIN | ACK, .payload = 100}, RESET}, "reject"},
	{{"a SYN is reset, v6", {FROM6(4), TCP, .flags = SYN}, RESET}, "reject"},
	{{"a datagram is unreachable", {FROM4(4), UDP, .payload = 13}, UNREACH}, "reject"},
	{{"a long datagram is unreachable", {FROM4(41), UDP, .payload = 1000, .tags = 2}, UNREACH}, "reject"},
	{{"a datagram is unreachable, v6", {FROM6(4), UDP, .payload = 1000}, UNREACH}, "reject"},
	{{"an echo request is unreachable", {FROM4(4), .protocol = IPPROTO_ICMP, .icmp_type = 8}, UNREACH}, "reject"},
	{{"a first fragment is unreachable", {FROM4(41), TCP, .payload = 60, .more_fragments = true}, UNREACH},
	 "reject"},
	{{"what is not for a VIP is rejected, too", {FROM4(41), .destination = OTHER4, UDP}, UNREACH}, "reject"},
	{{"a later fragment has no answer", {FROM4(4), UDP, .offset = 64, .payload = 64}, DROP(RULE)}, "reject"},
	{{"an ICMP error has no answer", {FROM4(4), .protocol = IPPROTO_ICMP, .icmp_type = 3}, DROP(RULE)}, "reject"},
	{{"an ICMPv6 error has no answer", {FROM6(4), .protocol = IPPROTO_ICMP, .icmp_type = 1}, DROP(RULE)}, "reject"},
	{{"a RST has no answer", {FROM4(4), TCP, .flags = RST}, DROP(NO_ANSWER)}, "reject"},
	{{"multicast has no answer", {FROM4(4), .destination = "224.0.0.251", UDP}, DROP(RULE)}, "reject"},
	{{"broadcast has no answer", {FROM4(4), .destination = "255.255.255.255", UDP}, DROP(RULE)}, "reject"},
	{{"multicast has no answer, v6", {FROM6(4), .destination = "ff02::fb", UDP}, DROP(RULE)}, "reject"},
};

/* Two moments by both clocks: the configuration's dates lie around the first. */
static void apply_now(struct harness *harness, const char *configuration)
{
	static struct model_filter filter;

	filter = (struct model_filter){.realtime_ns = NOW_S * (int64_t)SECOND_NS, .monotonic_ns = harness->now_ns};
	harness_apply_filter(harness, configuration, &filter);
}

static int open_actions(void **state)
{
	*state = harness_open(NULL, HARNESS_TRACED);
	apply_now(*state, actions);
	return 0;
}

static void filter_does_what_the_rule_says(void **state)
{
	filter_rows_run(*state, action_rows, ARRAY_SIZE(action_rows));
}

static void filter_rejects_with_an_answer(void **state)
{
	filter_rows_run(*state, reject_rows, ARRAY_SIZE(reject_rows));
}

static void filter_reject_to_all_on_the_link_has_no_answer(void **state)
{
	const struct packet_spec spec = {FROM4(42), UDP, .destination = "10.50.0.255"};
	struct harness_result result;
	uint8_t frame[PACKET_MAX];
	size_t size = packet_build(&spec, frame);

	for (int i = 0; i < 6; i++)
		frame[i] = 0xff;
	harness_run(*state, frame, size, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_RULE);
	assert_int_equal(result.trace.verdict, WEIR_DROP);
}

static unsigned int count_reason(struct harness *harness, const struct packet_spec *spec, unsigned int packets,
				 enum weir_reason reason)
{
	struct harness_result result;
	unsigned int count = 0;

	for (unsigned int i = 0; i < packets; i++) {
		harness_run_spec(harness, spec, &result);
		count += result.trace.reason == reason;
	}
	return count;
}

/* Ten a second, and those of one second at once. */
static void filter_rejects_no_source_too_often(void **state)
{
	const struct packet_spec one = {FROM4(43), UDP}, other = {FROM4(44), TCP};
	struct harness *harness = *state;

	assert_in_range(count_reason(harness, &one, 50, WEIR_REASON_RULE_REJECT), 10, 11);
	assert_int_equal(count_reason(harness, &one, 5, WEIR_REASON_RULE), 5);
	assert_int_equal(count_reason(harness, &other, 5, WEIR_REASON_RULE_REJECT), 5);
	harness->now_ns += SECOND_NS / 10;
	assert_int_equal(count_reason(harness, &one, 5, WEIR_REASON_RULE_REJECT), 1);
}

static void filter_rule_ends_when_it_expires(void **state)
{
	const struct packet_spec spec = {FROM4(7), TCP};
	struct harness *harness = *state;
	uint64_t start_ns = harness->now_ns;

	apply_now(harness, actions);
	harness->now_ns = start_ns + 100 * SECOND_NS - 1;
	assert_int_equal(count_reason(harness, &spec, 3, WEIR_REASON_RULE), 3);
	harness->now_ns = start_ns + 100 * SECOND_NS;
	assert_int_equal(count_reason(harness, &spec, 3, WEIR_REASON_STEERED), 3);
	harness->now_ns = start_ns;
}

static void filter_live_entries_come_before_rules(void **state)
{
	static const struct filter_row rows[] = {
		{{"a live allow skips the rules", {FROM4(3), TCP}, STEERED}, NULL},
		{{"a live allow skips the rules, v6", {FROM6(3), TCP}, STEERED}, NULL},
		{{"a live deny beats a rule that allows", {FROM4(2), TCP}, DROP(DENIED)}, NULL},
		{{"a live deny beats a rule that allows, v6", {FROM6(2), TCP}, DROP(DENIED)}, NULL},
	};
	struct harness *harness = *state;

	harness_ban(harness, WEIR_BAN_ALLOW, "198.51.100.3", 0);
	harness_ban(harness, WEIR_BAN_ALLOW, "2001:db8:c::3", 0);
	harness_ban(harness, WEIR_BAN_DENY, "198.51.100.2", 0);
	harness_ban(harness, WEIR_BAN_DENY, "2001:db8:c::2", 0);
	filter_rows_run(harness, rows, ARRAY_SIZE(rows));
	harness_unban(harness, WEIR_BAN_ALLOW, "198.51.100.3");
	harness_unban(harness, WEIR_BAN_ALLOW, "2001:db8:c::3");
	harness_unban(harness, WEIR_BAN_DENY, "198.51.100.2");
	harness_unban(harness, WEIR_BAN_DENY, "2001:db8:c::2");
}

static void filter_shadows_count_in_front_of_the_rule_that_decides(void **state)
{
	static const char shadows[] = "filter:\n"
				      "  rules:\n"
				      "  - {name: before, proto: udp, action: drop, mode: shadow}\n"
				      "  - {name: apart, proto: tcp, action: drop, mode: shadow}\n"
				      "  - {name: acts, from: 198.51.100.3, action: drop}\n"
				      "  - {name: behind, proto: udp, action: drop, mode: shadow}\n" BACKENDS;
	const struct packet_spec dropped = {FROM4(3), UDP, .payload = 10}, passes = {FROM4(4), UDP};
	struct harness *harness = harness_open(shadows, HARNESS_TRACED);

	(void)state;
	assert_int_equal(count_reason(harness, &dropped, 3, WEIR_REASON_RULE), 3);
	assert_int_equal(harness_count_rule(harness, "before").packets, 3);
	assert_int_equal(harness_count_rule(harness, "before").bytes, 3 * (14 + 38));
	assert_int_equal(harness_count_rule(harness, "acts").packets, 3);
	assert_int_equal(harness_count_rule(harness, "behind").packets, 0);
	assert_int_equal(count_reason(harness, &passes, 2, WEIR_REASON_STEERED), 2);
	assert_int_equal(harness_count_rule(harness, "before").packets, 5);
	assert_int_equal(harness_count_rule(harness, "behind").packets, 2);
	assert_int_equal(harness_count_rule(harness, "apart").packets, 0);
	harness_close(harness);
}

static void filter_allow_skips_limits_and_limit_charges_its_own(void **state)
{
	static const char limits[] =
		"limits:\n"
		"  - {name: everybody, key: source, rate: 10/s, burst: 8}\n"
		"  - {name: few, key: source, rate: 10/s, burst: 3}\n"
		"filter:\n"
		"  rules:\n"
		"  - {name: friend, from: [198.51.100.2, \"2001:db8:c::2\"], action: allow}\n"
		"  - {name: plain, from: [198.51.100.1, \"2001:db8:c::1\"], action: pass}\n"
		"  - {name: charged, from: [198.51.100.3, \"2001:db8:c::3\"], limit: few}\n" BACKENDS;
	const struct packet_spec allowed = {FROM4(2), UDP}, allowed6 = {FROM6(2), UDP};
	const struct packet_spec passed = {FROM4(1), UDP}, charged = {FROM4(3), UDP}, charged6 = {FROM6(3), UDP};
	const struct packet_spec host = {FROM4(3), UDP, .destination = OTHER4};
	struct harness *harness = harness_open(limits, HARNESS_TRACED);

	(void)state;
	assert_int_equal(count_reason(harness, &allowed, 50, WEIR_REASON_STEERED), 50);
	assert_int_equal(count_reason(harness, &allowed6, 50, WEIR_REASON_STEERED), 50);
	assert_int_equal(count_reason(harness, &passed, 50, WEIR_REASON_STEERED), 8);
	assert_int_equal(count_reason(harness, &charged, 50, WEIR_REASON_STEERED), 3);
	assert_int_equal(count_reason(harness, &charged6, 50, WEIR_REASON_STEERED), 3);
	assert_int_equal(harness_count_rule(harness, "charged").packets, 100);
	harness->now_ns += SECOND_NS;
	/* A rule's limit holds for the host's own traffic, too. */
	assert_int_equal(count_reason(harness, &host, 50, WEIR_REASON_NOT_VIP), 3);
	harness_close(harness);
}

static const char closed[] = "filter:\n"
			     "  default: drop\n"
			     "  rules:\n"
			     "  - {name: www, to: \"@vips\", action: pass}\n" BACKENDS;

static const struct filter_row closed_rows[] = {
	{{"what a rule passes", {FROM4(1), TCP}, STEERED}, "www"},
	{{"what no rule passes", {FROM4(1), .destination = "10.0.0.1", TCP, .flags = SYN}, DROP(DEFAULT)}, NULL},
	{{"what no rule passes, v6", {FROM6(1), .destination = "2001:db8:b::1", UDP}, DROP(DEFAULT)}, NULL},
	{{"a protocol without ports", {FROM4(1), .destination = "10.0.0.1", .protocol = 47}, DROP(DEFAULT)}, NULL},
	{{"a later fragment", {FROM4(1), .destination = "10.0.0.1", UDP, .offset = 64}, DROP(DEFAULT)}, NULL},
	{{"an echo request",
	  {FROM4(1), .destination = "10.0.0.1", .protocol = IPPROTO_ICMP, .icmp_type = 8},
	  DROP(DEFAULT)},
	 NULL},
	{{"an echo reply", {FROM4(1), .destination = "10.0.0.1", .protocol = IPPROTO_ICMP}, REPLY}, NULL},
	{{"an ICMP error", {FROM4(1), .destination = "10.0.0.1", .protocol = IPPROTO_ICMP, .icmp_type = 3}, REPLY},
	 NULL},
	{{"an echo reply, v6",
	  {FROM6(1), .destination = "2001:db8:b::1", .protocol = IPPROTO_ICMP, .icmp_type = 129},
	  REPLY},
	 NULL},
	{{"too big, v6", {FROM6(1), .destination = "2001:db8:b::1", .protocol = IPPROTO_ICMP, .icmp_type = 2}, REPLY},
	 NULL},
};

static void filter_default_drop_leaves_what_rules_pass(void **state)
{
	struct harness *harness = harness_open(closed, HARNESS_TRACED);

	(void)state;
	filter_rows_run(harness, closed_rows, ARRAY_SIZE(closed_rows));
	harness_close(harness);
}

/* A socket of the host; port 0: an ephemeral one, which is returned in *port. */
static int open_socket(int type, const char *address, uint16_t *port)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t size = sizeof(own);
	int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	inet_pton(AF_INET, address, &own.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &size), 0);
	*port = ntohs(own.sin_port);
	return fd;
}

static void connect_to(int fd, const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, address, &to.sin_addr);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to)); /* a TCP socket stays in SYN-SENT: nobody answers */
}

static enum weir_reason reason_of(struct harness *harness, uint8_t protocol, uint16_t sport, uint16_t dport,
				  const char *source)
{
	const struct packet_spec spec = {.source = source,
					 .destination = "10.0.0.1",
					 .protocol = protocol,
					 .sport = sport,
					 .dport = dport,
					 .flags = SYN | ACK,
					 .payload = 20};
	struct harness_result result;

	harness_run_spec(harness, &spec, &result);
	return result.trace.reason;
}

static void filter_default_drop_lets_replies_in(void **state)
{
	struct harness *harness = harness_open(closed, HARNESS_TRACED);
	uint16_t dns = 0, ntp = 123, tcp = 0, open = 0, listener = 8080;
	AUTO_CLOSE int dns_fd = open_socket(SOCK_DGRAM, "10.0.0.1", &dns);
	AUTO_CLOSE int ntp_fd = open_socket(SOCK_DGRAM, "10.0.0.1", &ntp);
	AUTO_CLOSE int tcp_fd = open_socket(SOCK_STREAM, "10.0.0.1", &tcp);
	AUTO_CLOSE int open_fd = open_socket(SOCK_DGRAM, "10.0.0.1", &open);
	AUTO_CLOSE int listen_fd = open_socket(SOCK_STREAM, "10.0.0.1", &listener);

	(void)state;
	(void)open_fd;
	connect_to(dns_fd, "10.0.0.11", 53);
	connect_to(ntp_fd, "10.0.0.11", 123);
	connect_to(tcp_fd, "10.0.0.11", 443);
	assert_int_equal(listen(listen_fd, 1), 0);
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 53, dns, "10.0.0.11"), WEIR_REASON_REPLY);
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 53, dns, "10.0.0.12"), WEIR_REASON_DEFAULT);
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 54, dns, "10.0.0.11"), WEIR_REASON_DEFAULT);
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 123, ntp, "10.0.0.11"), WEIR_REASON_REPLY);
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 123, ntp, "10.0.0.12"), WEIR_REASON_DEFAULT);
	assert_int_equal(reason_of(harness, IPPROTO_TCP, 443, tcp, "10.0.0.11"), WEIR_REASON_REPLY);
	assert_int_equal(reason_of(harness, IPPROTO_TCP, 443, tcp, "10.0.0.12"), WEIR_REASON_DEFAULT);
	/* What is not connected: an ephemeral port has asked somebody, a listener has asked nobody. */
	assert_int_equal(reason_of(harness, IPPROTO_UDP, 53, open, "10.0.0.12"), WEIR_REASON_REPLY);
	assert_int_equal(reason_of(harness, IPPROTO_TCP, 40000, listener, "10.0.0.12"), WEIR_REASON_DEFAULT);
	harness_close(harness);
}

int group_filter_actions(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_does_what_the_rule_says),
		cmocka_unit_test(filter_rejects_with_an_answer),
		cmocka_unit_test(filter_reject_to_all_on_the_link_has_no_answer),
		cmocka_unit_test(filter_rejects_no_source_too_often),
		cmocka_unit_test(filter_rule_ends_when_it_expires),
		cmocka_unit_test(filter_live_entries_come_before_rules),
		cmocka_unit_test(filter_shadows_count_in_front_of_the_rule_that_decides),
		cmocka_unit_test(filter_allow_skips_limits_and_limit_charges_its_own),
		cmocka_unit_test(filter_default_drop_leaves_what_rules_pass),
		cmocka_unit_test(filter_default_drop_lets_replies_in),
	};

	return cmocka_run_group_tests_name("filter actions", tests, open_actions, group_close);
}
