/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: the faults of docs/faults.md that a configuration can have. */
#include "tests/unit/config_refusal.h"

#include <unistd.h>

#define RULE(inner) "filter:\n  rules:\n  - {action: drop, " inner "}\n"

static void config_fault_34_broken_files_are_refused_with_file_line_and_column(void **state)
{
	static const struct refusal rows[] = {
		{"", "f:1:1: nothing is configured"},
		{"\n\n# only comments\n", "f:1:1: nothing is configured"},
		{"---\n", "f:1:1: nothing is configured"},
		{"{}\n", "f:1:1: nothing is configured"},
		{"interfaces: [eth0, {name: e", "f:1:28: not valid YAML"},
		{"control: {socket: \"/run\n", "f:1:20: not valid YAML: double-quoted scalar without closing quote"},
		{"interfaces:\n\t- eth0\n", "f:2:1: not valid YAML: tab character"},
		{"interfaces: [eth0]\n---\ninterfaces: [eth1]\n", "f:2:1: a second document"},
		{"interfaces: &a [eth0]\n", "f:1:14: anchors (&name) are refused"},
		{"interfaces: *a\n", "f:1:14: aliases (*name) are refused"},
		{"interfaces: !!set [eth0]\n", "f:1:13: tags (!name) are refused"},
		{"interfaces: [\"a\\0\"]\n", "f:1:14: a value holds a NUL byte"},
		{"interfaces: [[[[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]]]\n", "f:1:28: nested too deep"},
		{"interfaces: [\xff]\n", "f:1:14: byte 0xff is not UTF-8"},
		{"interfaces: [\xc0\xaf]\n", "f:1:14: byte 0xc0 is not UTF-8"},
		{"interfaces: [\xed\xa0\x80]\n", "f:1:14: byte 0xed is not UTF-8"},
		{"# \xc3\xa9\n#\xc3\n", "f:2:2: byte 0xc3 is not UTF-8"},
		{SERVICE("name: a, " VIP "}\n- {name: b, address: 192.0.2.1, ports: [tcp/80], pools: [p]"),
		 "f:4:41: 192.0.2.1 tcp/80 is taken already: by tcp/80 of service \"a\" in line 3"},
		{SERVICE("name: a, address: 192.0.2.1, ports: [udp/10-90], pools: [p]}\n"
			 "- {name: b, address: 192.0.2.1, ports: [udp/20], pools: [p]}\n"
			 "- {name: c, address: 192.0.2.1, ports: [udp/85-99], pools: [p]"),
		 "f:5:41: 192.0.2.1 udp/85-99 is taken already: by udp/10-90 of service \"a\" in line 3"},
		{"filtr: {}\n", "f:1:1: unknown key \"filtr\" in the configuration; did you mean \"filter\"?"},
		{"sets: {a: {file: x, refesh: 1h}}\n",
		 "f:1:21: unknown key \"refesh\" in a set; did you mean \"refresh\"?"},
		{"sets: {a: {file: x, refresh: 1hour}}\n", "f:1:30: \"1hour\" for \"refresh\": not a unit of time"},
		{"sets: {a: {file: x, max_change: 30/s}}\n", "f:1:33: \"30/s\" for \"max_change\": a change is"},
		{LIMIT("rate: 2000/day"), "f:2:10: \"2000/day\" for \"rate\": a rate is per s, m or h"},
		{RULE("from: 10.0.0.0/8, expires: 1h"), "f:3:47: \"1h\" for \"expires\": a date is written"},
		{RULE("from: [10.0.0.0/8"), "f:3:"},
		{SERVICE("name: a, address: 192.0.2.1, ports: [tcp/any, icmp], pools: [p]}\n"
			 "- {name: b, address: 192.0.2.1, ports: [icmp, tcp/any], pools: [p]"),
		 "f:4:47: 192.0.2.1 tcp/any is taken already"},
	};
	static const char nul[] = "interfaces: [eth0]\ncontrol: {\0}\n";

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
	assert_refused(nul, sizeof(nul) - 1, "f:2:11: a NUL byte");
}

static void config_fault_34_a_file_of_100_mb_is_refused_unread(void **state)
{
	char path[] = "/tmp/weir-config-XXXXXX";
	struct config_errors errors = {};
	struct config *config = NULL;
	AUTO_CLOSE int fd = mkstemp(path);
	AUTO_FREE char *big = malloc(CONFIG_MAX_BYTES + 1);

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(big);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(config_load(path, &config, &errors), -EFBIG);
	assert_non_null(strstr(errors.text, ":1:1: the file is too large, at most 8388608 bytes (CONFIG_MAX_BYTES)"));
	config_errors_free(&errors);
	unlink(path);

	memset(big, '#', CONFIG_MAX_BYTES + 1);
	assert_int_equal(config_parse("f", big, CONFIG_MAX_BYTES + 1, &config, &errors), -EFBIG);
	assert_non_null(strstr(errors.text, "f:1:1: the file has 8388609 bytes, at most 8388608"));
	config_errors_free(&errors);
	assert_null(config);
}

static void config_fault_35_an_empty_source_list_never_means_any(void **state)
{
	static const struct refusal rows[] = {
		{"protect: [{from: []}]\n", "f:1:18: \"from\" is an empty list: that never means \"any\""},
		{"protect: [{from: }]\n", "\"from\" must be a list"},
		{"protect: [{from: [~]}]\n", "f:1:19: \"from\" has no value"},
		{"protect: [{}]\n", "f:1:11: an entry of protect needs \"from\""},
		{IN_POOL("source: []"), "f:2:47: \"source\" is an empty list"},
		{"services: []\n", "f:1:11: \"services\" is an empty list"},
		{RULE("from: []"), "f:3:26: \"from\" is an empty list: that never means \"any\""},
		{RULE("to: []"), "f:3:24: \"to\" is an empty list: that never means \"any\""},
		{RULE("from: "), "\"from\" must be a list"},
		{RULE("from: [~]"), "f:3:27: \"from\" has no value"},
		{RULE("from: \"\""), "f:3:26: \"\" for \"from\": not an address or prefix"},
		{RULE("from: \"!\""), "f:3:26: \"\" for \"from\": not an address or prefix"},
		{RULE("from: \"@\""), "f:3:26: there is no set \"\""},
		{RULE("dport: []"), "f:3:27: \"dport\" is an empty list: that never means \"any\""},
		{RULE("dport: \"\""), "f:3:27: \"\" for \"dport\": it is empty"},
		{RULE("interface: []"), "f:3:31: \"interface\" is an empty list: that never means \"any\""},
		{"filter: {rules: []}\n", "f:1:17: \"rules\" is an empty list"},
		{"sets: {a: {}}\n", "f:1:11: a set needs \"prefixes\", \"file\" or \"geoip\""},
		{"sets: {a: }\n", "\"a\" must be a list"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_fault_37_absurd_values_are_refused(void **state)
{
	static const struct refusal rows[] = {
		{"pools: {p: {backends: [{address: 10.0.0.1, weight: 99971}]}}\n",
		 "f:1:52: \"weight\" must be 0 to 1000, not 99971"},
		{"protect: [{from: [10.0.0.0/99971]}]\n",
		 "f:1:19: \"10.0.0.0/99971\" for \"from\": not an address or prefix; a prefix length is 0 to 32"},
		{"protect: [{from: [10.0.0.0/33]}]\n", "f:1:19: \"10.0.0.0/33\" for \"from\""},
		{"protect: [{from: [\"2001:db8::/129\"]}]\n", "f:1:19: \"2001:db8::/129\" for \"from\""},
		{LIMIT("rate: 0/s"), "f:2:10: \"0/s\" for \"rate\": a rate of 0 would let nothing through"},
		{LIMIT("rate: 0.0Mbit/s"), "f:2:10: \"0.0Mbit/s\" for \"rate\": a rate of 0 would let nothing through"},
		{LIMIT("rate: 99999999999999999999/s"),
		 "f:2:10: \"99999999999999999999/s\" for \"rate\": a rate is written"},
		{LIMIT("rate: 1/s, key: \"source/99971,/1\""),
		 "f:2:20: \"source/99971,/1\" for \"key\": prefix lengths are 1 to 32"},
		{IN_POOL("ring_size: 99971"), "f:2:50: \"ring_size\" must be 11 to 65537, not 99971"},
		{RULE("from: 10.0.0.0/33"), "f:3:26: \"10.0.0.0/33\" for \"from\": not an address or prefix; a prefix "
					    "length is 0 to 32"},
		{RULE("to: \"!2001:db8::/129\""), "f:3:24: \"2001:db8::/129\" for \"to\": not an address or prefix; a "
						  "prefix length is 0 to 32 for IPv4 and 0 to 128"},
		{RULE("from: 10.0.0.0/-1"), "f:3:26: \"10.0.0.0/-1\" for \"from\": not an address or prefix"},
		{RULE("length: 99971"), "f:3:28: \"99971\" for \"length\": values are 0 to 65535"},
		{RULE("dport: 65536"), "f:3:27: \"65536\" for \"dport\": values are 0 to 65535"},
		{RULE("sport: -1"), "f:3:27: \"-1\" for \"sport\": a number"},
		{RULE("dport: 99999999999999999999"), "f:3:27: \"99999999999999999999\" for \"dport\": a number"},
		{RULE("dport: 443-80"), "f:3:27: \"443-80\" for \"dport\": a range goes from the lower to the higher"},
		{RULE("dport: 1-65536"), "f:3:27: \"1-65536\" for \"dport\": values are 0 to 65535"},
		{RULE("ttl: 255-1"), "f:3:25: \"255-1\" for \"ttl\": a range goes from the lower to the higher"},
		{RULE("ttl: 256"), "f:3:25: \"256\" for \"ttl\": values are 0 to 255"},
		{RULE("dscp: 64"), "f:3:26: \"64\" for \"dscp\": values are 0 to 63"},
		{RULE("vlan: 4096"), "f:3:26: \"4096\" for \"vlan\": values are 0 to 4095"},
		{RULE("proto: 256"), "f:3:27: \"256\" for \"proto\": a protocol is"},
		{RULE("icmp: 3/256"), "f:3:26: \"3/256\" for \"icmp\": a type is"},
		{RULE("expires: 99999-01-01"), "f:3:29: \"99999-01-01\" for \"expires\": a date is written"},
		{"sets: {a: [10.0.0.0/33]}\n", "f:1:12: \"10.0.0.0/33\" for \"a\": not an address or prefix"},
		{"sets: {a: [\"2001:db8::/129\"]}\n", "f:1:12: \"2001:db8::/129\" for \"a\": not an address or prefix"},
		{"sets: {a: {file: x, refresh: 0s}}\n", "f:1:30: \"refresh\" must be 1s to 30d, not 0s"},
		{"sets: {a: {file: x, refresh: 99971d}}\n", "f:1:30: \"refresh\" must be 1s to 30d, not 99971d"},
		{"sets: {a: {file: x, max_change: 0%}}\n", "f:1:33: \"0%\" for \"max_change\": 0% would hold"},
		{"sets: {a: {file: x, max_change: 99971%}}\n", "f:1:33: \"99971%\" for \"max_change\": a change is"},
		{"steering: {settle: 99999999999999d}\n",
		 "f:1:20: \"99999999999999d\" for \"settle\": the duration is too long"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_fault_34_broken_files_are_refused_with_file_line_and_column),
		cmocka_unit_test(config_fault_34_a_file_of_100_mb_is_refused_unread),
		cmocka_unit_test(config_fault_35_an_empty_source_list_never_means_any),
		cmocka_unit_test(config_fault_37_absurd_values_are_refused),
	};

	return cmocka_run_group_tests_name("config_faults", tests, NULL, NULL);
}
