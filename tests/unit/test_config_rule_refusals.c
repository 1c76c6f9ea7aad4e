/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: rules that are refused, where, and with which sentence. */
#include "tests/unit/config_refusal.h"

#define AROUND                                                                                                         \
	"interfaces: [eth0, eth1]\n"                                                                                   \
	"sets: {listed: {file: x.netset}, office: [192.0.2.0/24, \"2001:db8:5::/48\"], v4: [192.0.2.0/24]}\n"          \
	"limits: [{name: per-client, rate: 1/s}]\n"
/* What is wrong begins in column 20 of line 6. */
#define RULE(inner) AROUND "filter:\n  rules:\n  - {action: drop, " inner "}\n"
#define BARE(inner) AROUND "filter:\n  rules:\n  - {" inner "}\n"

static void rules_structure_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{"filter: []\n", "f:1:9: the filter is written as keys with values"},
		{"filter: {rules: []}\n", "f:1:17: \"rules\" is an empty list"},
		{"filter: {rules: {a: b}}\n", "f:1:17: \"rules\" must be a list"},
		{"filter: {default: reject}\n", "f:1:19: \"reject\" for \"default\": must be one of pass, drop"},
		{"filter: {rule: []}\n", "f:1:10: unknown key \"rule\" in the filter; did you mean \"rules\"?"},
		{BARE("name: a"),
		 "f:6:5: a rule needs \"action\" (pass, allow, drop or reject), \"limit\" with a limit's name, "
		 "or \"mark\" with a number"},
		{BARE("action: limit"), "f:6:14: \"action: limit\" needs \"limit\" with the name of one of \"limits\""},
		{RULE("limit: per-client"), "f:6:27: \"limit\" goes with \"action: limit\""},
		{BARE("limit: per-clint"), "f:6:13: there is no limit \"per-clint\"; did you mean \"per-client\"?"},
		{BARE("action: deny"),
		 "f:6:14: \"deny\" for \"action\": must be one of pass, allow, drop, reject, limit, mark"},
		{BARE("action: mark"), "f:6:14: \"action: mark\" needs \"mark\" with a number, such as 0x10"},
		{BARE("action: pass, mark: 7"),
		 "f:6:26: \"mark\" goes with \"action: mark\", which a rule with \"mark\" has"},
		{BARE("limit: per-client, mark: 7"), "f:6:31: \"mark\" and \"limit\" are two actions"},
		{BARE("mark: 7, limit: per-client"), "f:6:12: \"mark\" and \"limit\" are two actions"},
		{BARE("mark: 0"),
		 "f:6:12: \"0\" for \"mark\": 0 is what packets without a mark have: leave the rule out"},
		{BARE("mark: 0x0"), "f:6:12: \"0x0\" for \"mark\": 0 is what packets without a mark have"},
		{BARE("mark: 4294967296"), "f:6:12: \"4294967296\" for \"mark\": a mark has 32 bits"},
		{BARE("mark: 0x100000000"), "f:6:12: \"0x100000000\" for \"mark\": a mark has 32 bits"},
		{BARE("mark: 99999999999999999999"),
		 "f:6:12: \"99999999999999999999\" for \"mark\": a mark has 32 bits"},
		{BARE("mark: 0x"), "f:6:12: \"0x\" for \"mark\": a mark is a number from 1 to 4294967295"},
		{BARE("mark: 010"), "f:6:12: \"010\" for \"mark\": a mark is a number from 1"},
		{BARE("mark: -1"), "f:6:12: \"-1\" for \"mark\": a mark is a number from 1"},
		{BARE("mark: 0x10/0xff"),
		 "f:6:12: \"0x10/0xff\" for \"mark\": a mark is a number from 1 to 4294967295, or from "
		 "0x1 to 0xffffffff; it takes no mask"},
		{BARE("mark: [1]"), "f:6:12: \"mark\" takes a single value, not a list"},
		{RULE("mode: shadw"),
		 "f:6:26: \"shadw\" for \"mode\": must be one of enforce, shadow, off; did you mean"},
		{RULE("expires: tomorrow"),
		 "f:6:29: \"tomorrow\" for \"expires\": a date is written 2026-12-01, or with"},
		{RULE("expires: 2026-12-01T00:00:00"), "f:6:29: \"2026-12-01T00:00:00\" for \"expires\": a date is"},
		{RULE("expires: 2026-02-29"), "f:6:29: \"2026-02-29\" for \"expires\": there is no such day"},
		{RULE("expires: 2026-13-01"), "f:6:29: \"2026-13-01\" for \"expires\": there is no such day"},
		{RULE("expires: 1969-12-31"), "f:6:29: \"1969-12-31\" for \"expires\": the date lies before 1970"},
		{RULE("expires: 2026-12-01T24:00:00Z"), "f:6:29: \"2026-12-01T24:00:00Z\" for \"expires\": a date is"},
		{RULE("expires: 2026-12-01x"), "f:6:29: \"2026-12-01x\" for \"expires\": a date is"},
		{RULE("dprot: 80"), "f:6:20: unknown key \"dprot\" in a rule; did you mean \"dport\"?"},
		{BARE("name: a, action: drop}\n  - {name: a, action: pass"),
		 "f:7:5: rule \"a\" is here twice, first in line 6"},
		{RULE("name: a b"), "f:6:26: \"a b\" is no name"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void rules_addresses_that_are_wrong_are_refused_with_their_place(void **state)
{
	static const struct refusal rows[] = {
		{RULE("from: []"), "f:6:26: \"from\" is an empty list: that never means \"any\""},
		{RULE("from: any"), "f:6:26: \"any\" for \"from\": leave \"from\" out to match every address"},
		{RULE("from: \"@lsited\""), "f:6:26: there is no set \"lsited\"; did you mean \"listed\"?"},
		{RULE("from: \"!@vip\""), "f:6:26: there is no set \"vip\"; did you mean \"vips\"?"},
		{RULE("to: [10.0.0.1, \"@zzzzzz\"]"), "f:6:35: there is no set \"zzzzzz\"\n"},
		{RULE("from: office"), "f:6:26: \"office\" for \"from\": not an address or prefix; the set is written "
				       "\"@office\", in quotes"},
		{RULE("from: \"10.0.0.1,10.0.0.2\""),
		 "f:6:26: \"10.0.0.1,10.0.0.2\" for \"from\": several are written as"},
		{RULE("from: \"@v4,@office\""),
		 "f:6:26: there is no set \"v4,@office\"; several are written as a list"},
		{RULE("from: \"!!10.0.0.1\""), "f:6:26: \"!!10.0.0.1\" for \"from\": one \"!\" is enough"},
		{RULE("from: \"!10.0.0.1/8\""),
		 "f:6:26: 10.0.0.1/8 has bits set behind its prefix length: write 10.0.0.0/8"},
		{RULE("from: 10.0.0.0/33"), "f:6:26: \"10.0.0.0/33\" for \"from\": not an address or prefix"},
		{RULE("interface: eht0"),
		 "f:6:31: \"eht0\" is none of \"interfaces\": add it there or name one of them; did "
		 "you mean \"eth0\"?"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void rules_matches_that_are_wrong_are_refused_with_their_place(void **state)
{
	static const struct refusal rows[] = {
		{RULE("proto: tpc"), "f:6:27: \"tpc\" for \"proto\": a protocol is tcp, udp, icmp"},
		{RULE("proto: 256"), "f:6:27: \"256\" for \"proto\": a protocol is"},
		{RULE("proto: []"), "f:6:27: \"proto\" is an empty list"},
		{RULE("dport: 80-70"),
		 "f:6:27: \"80-70\" for \"dport\": a range goes from the lower to the higher: write 70-80"},
		{RULE("dport: 65536"), "f:6:27: \"65536\" for \"dport\": values are 0 to 65535"},
		{RULE("dport: http"), "f:6:27: \"http\" for \"dport\": a number, a range as 10-20 or a comparison as"},
		{RULE("dport: tcp/80"), "f:6:27: \"tcp/80\" for \"dport\": the protocol belongs to \"proto\""},
		{RULE("dport: \"80,,443\""),
		 "f:6:27: \"80,,443\" for \"dport\": an item is missing between the commas"},
		{RULE("dport: \"80,\""), "f:6:27: \"80,\" for \"dport\": an item is missing between the commas"},
		{RULE("dport: \"80-\""), "f:6:27: \"80-\" for \"dport\": a number"},
		{RULE("dport: \">65535\""),
		 "f:6:27: \">65535\" for \"dport\": values are 0 to 65535, so none is meant"},
		{RULE("sport: \"<0\""), "f:6:27: \"<0\" for \"sport\": values are 0 to 65535, so none is meant"},
		{RULE("dport: [[80]]"), "f:6:28: \"dport\" takes a single value, not a list"},
		{RULE("ttl: 256"), "f:6:25: \"256\" for \"ttl\": values are 0 to 255"},
		{RULE("dscp: 64"), "f:6:26: \"64\" for \"dscp\": values are 0 to 63"},
		{RULE("dscp: af14"), "f:6:26: \"af14\" for \"dscp\": a number, a name as af11, a range"},
		{RULE("vlan: 4096"), "f:6:26: \"4096\" for \"vlan\": values are 0 to 4095"},
		{RULE("vlan: nono"), "f:6:26: \"nono\" for \"vlan\": a number, the word none, a range as 10-20 or a "
				     "comparison as \">10\" (in quotes) is needed; did you mean \"none\"?"},
		{RULE("length: 65536"), "f:6:28: \"65536\" for \"length\": values are 0 to 65535"},
		{RULE("fragment: maybe"), "f:6:30: \"maybe\" for \"fragment\": must be one of yes, no, first, later"},
		{RULE("fragment: [yes, no]"), "f:6:30: \"fragment\" takes every packet: leave it out"},
		{RULE("ipv6_extensions: yes"),
		 "f:6:37: \"yes\" for \"ipv6_extensions\": must be one of absent, present"},
		{RULE("tcp_flags: sny"), "f:6:31: \"sny\" for \"tcp_flags\": \"sny\" is no flag; written as"},
		{RULE("tcp_flags: \"syn/\""), "f:6:31: \"syn/\" for \"tcp_flags\": \"\" is no flag"},
		{RULE("tcp_flags: \"syn,ack/syn\""),
		 "f:6:31: \"syn,ack/syn\" for \"tcp_flags\": never holds, as the mask "
		 "behind the slash leaves \"ack\" out: add it there"},
		{RULE("tcp_flags: none/none"), "f:6:31: \"none/none\" for \"tcp_flags\": the mask is empty"},
		{RULE("icmp: echo-requets"),
		 "f:6:26: \"echo-requets\" for \"icmp\": a type is a name as echo-request or a "
		 "number from 0 to 255, perhaps with a code as in 3/4; did you mean "
		 "\"echo-request\"?"},
		{RULE("icmp: 256"), "f:6:26: \"256\" for \"icmp\": a type is"},
		{RULE("icmp: 3/256"), "f:6:26: \"3/256\" for \"icmp\": a type is"},
		{RULE("icmp: echo-request"),
		 "f:6:26: \"echo-request\" is type 8 in ICMP and 128 in ICMPv6: say which by "
		 "\"proto: icmpv4\" or \"proto: icmpv6\", in a rule for each"},
		{RULE("proto: icmp, icmp: echo-request"),
		 "f:6:39: \"echo-request\" is type 8 in ICMP and 128 in ICMPv6"},
		{RULE("proto: icmpv4, icmp: packet-too-big"),
		 "f:6:41: \"packet-too-big\" for \"icmp\" is of IPv6 alone, the rest of the rule of IPv4"},
		{RULE("icmp: [source-quench, packet-too-big]"),
		 "f:6:42: \"packet-too-big\" for \"icmp\" is of IPv6 alone"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void rules_that_no_packet_can_match_are_refused_with_their_place(void **state)
{
	static const struct refusal rows[] = {
		{RULE("proto: udp, tcp_flags: syn"),
		 "f:6:43: \"tcp_flags\" never holds: it is of TCP, which \"proto\" leaves"},
		{RULE("proto: icmp, dport: 80"),
		 "f:6:40: \"dport\" never holds: it is of TCP and UDP, which \"proto\""},
		{RULE("proto: gre, sport: 80"), "f:6:39: \"sport\" never holds: it is of TCP and UDP"},
		{RULE("proto: tcp, icmp: 8"),
		 "f:6:38: \"icmp\" never holds: it is of ICMP, which \"proto\" leaves out"},
		{RULE("icmp: 8, dport: 80"), "f:6:36: \"icmp\" and \"dport\" hold for no packet together"},
		{RULE("proto: [icmp, tcp], icmp: 8, tcp_flags: syn"),
		 "f:6:60: \"icmp\" and \"tcp_flags\" hold for no packet"},
		{RULE("fragment: later, dport: 80"), "f:6:44: \"dport\" never holds: later fragments do not have it"},
		{RULE("fragment: later, proto: tcp, tcp_flags: syn"), "\"tcp_flags\" never holds: later fragments"},
		{RULE("fragment: later, icmp: 8"), "f:6:43: \"icmp\" never holds: later fragments"},
		{RULE("from: 10.0.0.0/8, to: \"2001:db8::/32\""),
		 "f:6:42: \"from\" is of one family and \"to\" of the other, which no packet is"},
		{RULE("from: \"@v4\", to: \"2001:db8::/32\""),
		 "f:6:37: \"from\" is of one family and \"to\" of the other"},
		{RULE("from: 10.0.0.0/8, proto: icmpv6"),
		 "f:6:45: the protocol is of IPv6 and the addresses are of IPv4, which no packet is"},
		{RULE("to: \"2001:db8::/32\", proto: icmpv4"),
		 "f:6:48: the protocol is of IPv4 and the addresses are of IPv6, which no packet is"},
		{RULE("from: 10.0.0.0/8, ipv6_extensions: present"),
		 "f:6:55: extension headers are of IPv6, the rest of "},
		{RULE("from: [10.0.0.0/24, \"!10.0.0.0/8\"]"),
		 "f:6:26: \"from\" leaves no address: all that it names is taken out again by a \"!\""},
		{RULE("to: [\"@listed\", \"!@listed\"]"), "f:6:24: \"to\" leaves no address"},
		{RULE("from: [\"!0.0.0.0/0\", \"!::/0\"]"),
		 "f:6:26: \"from\" leaves no address: every family is taken out"},
	};
	struct config *config = accepted_as(
		"f", RULE("from: [10.0.0.0/8, \"!10.0.0.0/24\"], to: [\"!::/0\"], proto: [tcp, icmp], dport: 1}\n"
			  "  - {action: drop, fragment: [first, later], dport: 1}\n"
			  "  - {action: drop, from: \"@office\", to: \"@v4\""));

	(void)state;
	assert_int_equal(config->filter.rules_count, 3);
	config_free(config);
	assert_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_structure_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(rules_addresses_that_are_wrong_are_refused_with_their_place),
		cmocka_unit_test(rules_matches_that_are_wrong_are_refused_with_their_place),
		cmocka_unit_test(rules_that_no_packet_can_match_are_refused_with_their_place),
	};

	return cmocka_run_group_tests_name("config_rule_refusals", tests, NULL, NULL);
}
