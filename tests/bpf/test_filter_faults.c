/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules against packets that are made to get past them: fragments, chains of extension headers, a denial of all. */
#include "harness.h"
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

/* Rows change what the macros begin with. */
#pragma GCC diagnostic ignored "-Woverride-init"

#define HOST4	  "10.0.0.1"
#define HOST6	  "2001:db8:b::1"
#define PASS	  WEIR_PASS, WEIR_REASON_NOT_VIP, NULL
#define DROP(why) WEIR_DROP, WEIR_REASON_##why, NULL
#define OF4	  .source = C4, .destination = HOST4
#define OF6	  .source = C6, .destination = HOST6, .extensions = "F"
/* What the port rule drops, and what it does not. */
#define UDP  .protocol = IPPROTO_UDP, .sport = 40000, .dport = 5353
#define OPEN .protocol = IPPROTO_UDP, .sport = 40000, .dport = 8080
#define TCP  .protocol = IPPROTO_TCP, .sport = 40000, .dport = 5353

static const char rules[] =
	"filter:\n"
	"  rules:\n"
	"  - {name: hostile, from: [198.51.100.66, \"2001:db8:c::66\"], action: drop}\n"
	"  - {name: friend, from: [198.51.100.77, \"2001:db8:c::77\"], action: allow}\n"
	"  - {name: port, dport: 5353, action: drop}\n"
	"  - {name: opens, tcp_flags: \"syn/syn,ack\", action: drop}\n"
	"  - {name: pings, icmp: [8, 128], action: drop}\n"
	"  - {name: odd, proto: [253, 139], action: drop}\n"
	"  - {name: auth, proto: ah, action: drop}\n"
	"pools: {local: {backends: [{name: a, address: 10.0.0.11}]}}\n"
	"services:\n"
	"  - {name: www, address: [" V4 ", \"" V6 "\"], ports: [udp/8080, tcp/443], pools: [local]}\n";

/* Each fragment is judged by itself: one with ports by them, a later one by its addresses alone, wherever it lies. */
static const struct filter_row fragment_rows[] = {
	{{"a first fragment to the port", {OF4, UDP, .payload = 64, .more_fragments = true}, DROP(RULE)}, "port"},
	{{"a first fragment to the port, v6", {OF6, UDP, .payload = 64, .more_fragments = true}, DROP(RULE)}, "port"},
	{{"a first fragment to another port", {OF4, OPEN, .payload = 64, .more_fragments = true}, PASS}, NULL},
	{{"another that overlaps it whole and has the port",
	  {OF4, UDP, .payload = 8, .more_fragments = true},
	  DROP(RULE)},
	 "port"},
	{{"a later fragment whose bytes look like the port", {OF4, UDP, .offset = 1480, .payload = 16}, PASS}, NULL},
	{{"the same of IPv6", {OF6, UDP, .offset = 1480, .payload = 16}, PASS}, NULL},
	{{"one that overlaps the header and looks like the port", {OF4, UDP, .offset = 8, .payload = 16}, PASS}, NULL},
	{{"the same of IPv6", {OF6, UDP, .offset = 8, .payload = 16}, PASS}, NULL},
	{{"one that overlaps TCP's flags (RFC 3128)", {OF4, TCP, .flags = SYN, .offset = 8, .payload = 12}, PASS},
	 NULL},
	{{"one with more behind it", {OF4, UDP, .offset = 8, .payload = 16, .more_fragments = true}, PASS}, NULL},
	{{"a later fragment of a hostile source", {OF4, .source = "198.51.100.66", OPEN, .offset = 8}, DROP(RULE)},
	 "hostile"},
	{{"the same of IPv6", {OF6, .source = "2001:db8:c::66", OPEN, .offset = 1480}, DROP(RULE)}, "hostile"},
	{{"a later fragment for a VIP", {OF4, .destination = V4, OPEN, .offset = 8}, DROP(VIP_FRAGMENT)}, NULL},
	{{"a later fragment for a VIP of a friend",
	  {OF6, .source = "2001:db8:c::77", .destination = V6, OPEN, .offset = 8},
	  DROP(VIP_FRAGMENT)},
	 "friend"},
	{{"a first fragment for a VIP",
	  {OF4, .destination = V4, OPEN, .payload = 64, .more_fragments = true},
	  DROP(VIP_FRAGMENT)},
	 NULL},
	{{"a tiny first fragment, without flags", {OF4, TCP, .more_fragments = true, .keep = 8}, DROP(TINY_FRAGMENT)},
	 NULL},
	{{"one without its last byte", {OF4, UDP, .more_fragments = true, .keep = 7}, DROP(TINY_FRAGMENT)}, NULL},
	{{"one without ports, v6", {OF6, UDP, .more_fragments = true, .keep = 2}, DROP(TINY_FRAGMENT)}, NULL},
	{{"one of a friend",
	  {OF4, .source = "198.51.100.77", UDP, .more_fragments = true, .keep = 4},
	  DROP(TINY_FRAGMENT)},
	 NULL},
	{{"a later fragment of ICMP that looks like an echo request",
	  {OF4, .protocol = IPPROTO_ICMP, .icmp_type = 8, .offset = 8},
	  PASS},
	 NULL},
};

static void filter_fault_3_each_fragment_is_judged_by_what_it_has(void **state)
{
	filter_rows_run(*state, fragment_rows, ARRAY_SIZE(fragment_rows));
}

/* What the packet is, behind whatever stands in front of it. */
static const struct filter_row chain_rows[] = {
	{{"a flag behind AH", {OF6, TCP, .dport = 1, .flags = SYN, .extensions = "a"}, DROP(RULE)}, "opens"},
	{{"no such flag behind AH", {OF6, TCP, .dport = 1, .extensions = "a"}, PASS}, NULL},
	{{"a type behind a chain", {OF6, .protocol = IPPROTO_ICMP, .icmp_type = 128, .extensions = "hdr"}, DROP(RULE)},
	 "pings"},
	{{"a protocol that nobody knows, behind a chain",
	  {OF6, .protocol = 253, .payload = 40, .extensions = "hda"},
	  DROP(RULE)},
	 "odd"},
	{{"another that nobody knows has no ports",
	  {OF6, .protocol = 254, .sport = 5353, .payload = 40, .extensions = ""},
	  PASS},
	 NULL},
	{{"no next header (59)", {OF6, .protocol = 59, .payload = 40, .extensions = "d"}, PASS}, NULL},
	{{"no next header, of a hostile source",
	  {OF6, .source = "2001:db8:c::66", .protocol = 59, .payload = 40, .extensions = "d"},
	  DROP(RULE)},
	 "hostile"},
	{{"AH over IPv4 is a protocol", {OF4, .protocol = 51, .payload = 40}, DROP(RULE)}, "auth"},
	{{"seven headers of a friend",
	  {OF6, .source = "2001:db8:c::77", UDP, .extensions = "hdddddd"},
	  DROP(IPV6_CHAIN)},
	 NULL},
	{{"a routing header of type 0 of a friend",
	  {OF6, .source = "2001:db8:c::77", UDP, .extensions = "0"},
	  DROP(ROUTING_HEADER)},
	 NULL},
	{{"an authentication header that lies, of a friend",
	  {OF6, .source = "2001:db8:c::77", UDP, .extensions = "a", .lie_extension = 251},
	  DROP(MALFORMED)},
	 NULL},
};

/* Every chain of destination, routing and authentication headers, with a hop-by-hop header in front and a fragment
 * header that is the whole packet at the end, or without. */
static void run_chain(struct harness *harness, const char *chain)
{
	const bool is_walked = strlen(chain) <= WEIR_MAX_IPV6_EXTENSIONS;
	const struct packet_spec spec = {OF6, UDP, .payload = 4, .extensions = chain};
	const struct weir_rule_count before = harness_count_rule(harness, "port");
	struct harness_result result;

	harness_run_spec(harness, &spec, &result);
	if (result.trace.verdict != WEIR_DROP ||
	    result.trace.reason != (is_walked ? WEIR_REASON_RULE : WEIR_REASON_IPV6_CHAIN))
		fail_msg("chain \"%s\": verdict %u, reason %u", chain, result.trace.verdict, result.trace.reason);
	assert_int_equal(harness_count_rule(harness, "port").packets, before.packets + is_walked);
}

static void filter_fault_4_no_chain_of_headers_hides_a_port(void **state)
{
	unsigned int chains = 1, ran = 0;

	for (size_t length = 0; length <= 5; length++, chains *= 3) {
		for (unsigned int number = 0; number < 4 * chains; number++) {
			unsigned int rest = number / 4;
			char chain[8] = "";
			size_t used = 0;

			if (number & 1)
				chain[used++] = 'h';
			for (size_t i = 0; i < length; i++, rest /= 3)
				chain[used++] = "dra"[rest % 3];
			if (number & 2)
				chain[used++] = 'f';
			run_chain(*state, chain);
			ran++;
		}
	}
	assert_int_equal(ran, 4 * 364);
	filter_rows_run(*state, chain_rows, ARRAY_SIZE(chain_rows));
}

/* Ways to deny everything, beside a live entry. */
#define RULE(content) "filter: {rules: [{name: all, " content "action: drop}]}\n"
static const struct {
	const char *filter; /* what the standard configuration gets */
	enum weir_reason reason;
} closed[] = {
	{RULE(""), WEIR_REASON_RULE},
	{RULE("from: [0.0.0.0/0, \"::/0\"], "), WEIR_REASON_RULE},
	{RULE("from: \"@all\", ") "sets: {all: [0.0.0.0/0, \"::/0\"]}\n", WEIR_REASON_RULE},
	{RULE("from: \"@halves\", ") "sets: {halves: [0.0.0.0/1, 128.0.0.0/1, \"::/1\", \"8000::/1\"]}\n",
	 WEIR_REASON_RULE},
	{"filter: {default: drop}\n", WEIR_REASON_DEFAULT},
};

static void run_closed(struct harness *harness, const struct row *row, enum weir_reason reason, size_t counts[2])
{
	bool is_needed = row->verdict == WEIR_PASS && row->reason <= WEIR_REASON_PROTECTED;
	struct harness_result result;
	bool is_reply;

	harness_run_spec(harness, &row->packet, &result);
	/* A default lets in what this host asked for; here that is ICMP alone. */
	is_reply = reason == WEIR_REASON_DEFAULT && result.trace.reason == WEIR_REASON_REPLY &&
		   row->packet.protocol == IPPROTO_ICMP;
	if (is_needed ? result.action != XDP_PASS : result.action != XDP_DROP && !is_reply)
		fail_msg("%s: XDP action %u, reason %u", row->sentence, result.action, result.trace.reason);
	counts[0] += is_needed;
	counts[1] += result.trace.reason == reason;
}

static void filter_fault_10_denial_of_all_keeps_what_the_host_needs(void **state)
{
	(void)state;
	for (size_t way = 0; way < ARRAY_SIZE(closed); way++) {
		struct harness *harness;
		size_t counts[2] = {0};
		char text[8192];

		assert_in_range(snprintf(text, sizeof(text), "%s%s", configuration_standard, closed[way].filter), 1,
				sizeof(text) - 1);
		harness = harness_open(text, HARNESS_TRACED);
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			for (size_t row = 0; row < tables[i]->count; row++)
				run_closed(harness, &tables[i]->rows[row], closed[way].reason, counts);
		assert_in_range(counts[0], 15, 1000);
		assert_in_range(counts[1], 50, 1000);
		harness_close(harness);
	}
}

static int open_rules(void **state)
{
	*state = harness_open(rules, HARNESS_TRACED);
	return 0;
}

int group_filter_faults(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter_fault_3_each_fragment_is_judged_by_what_it_has),
		cmocka_unit_test(filter_fault_4_no_chain_of_headers_hides_a_port),
		cmocka_unit_test(filter_fault_10_denial_of_all_keeps_what_the_host_needs),
	};

	return cmocka_run_group_tests_name("filter faults", tests, open_rules, group_close);
}
