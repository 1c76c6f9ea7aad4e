/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: what is refused, where, and with which sentence. */
#include "tests/unit/config_refusal.h"

static void config_structure_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{"interface: [eth0]\n",
		 "f:1:1: unknown key \"interface\" in the configuration; did you mean \"interfaces\"?"},
		{"zzz: 1\n", "f:1:1: unknown key \"zzz\" in the configuration\n"},
		{"control: {}\ncontrol: {}\n", "f:2:1: \"control\" is here twice, first in line 1"},
		{"flood: {}\n", "f:1:1: this version does not have \"flood\""},
		{"alerts: []\n", "f:1:1: this version does not have \"alerts\""},
		{"console: {}\n", "f:1:1: this version does not have \"console\""},
		{"[a]\n", "f:1:1: the configuration is written as keys with values"},
		{"text\n", "f:1:1: the configuration is written as keys with values"},
		{"interfaces: eth0\n", "f:1:13: \"interfaces\" must be a list"},
		{"interfaces:\n", "\"interfaces\" must be a list"},
		{"control: [x]\n", "f:1:10: control is written as keys with values, {key: value, ...}, not as a list"},
		{"control: {socket: [a]}\n", "f:1:19: \"socket\" takes a single value, not a list"},
		{"control: {socket: {a: b}}\n", "f:1:19: \"socket\" takes a single value, not a map"},
		{"control: {socket: }\n", "\"socket\" has no value"},
		{"control: {socket: ~}\n", "f:1:19: \"socket\" has no value"},
		{"control: {[a]: b}\n", "f:1:11: a key must be a single word"},
		{"control: {socket: /a, group: b,c}\n",
		 "f:1:32: unknown key \"c\" in control; if it belongs to the value before it, put that in quotes"},
		{"control: {<<: {socket: /a}}\n", "f:1:11: unknown key \"<<\" in control"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_edge_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{"interfaces: [eth0, eth0]\n", "f:1:20: interface \"eth0\" is here twice, first in line 1"},
		{"interfaces: [abcdefghijklmnop]\n", "f:1:14: \"interfaces\" is too long: 16 bytes, at most 15"},
		{"interfaces: [a/b]\n", "f:1:14: \"a/b\" cannot be the name of an interface"},
		{"interfaces: ['']\n", "f:1:14: \"\" cannot be the name of an interface"},
		{"interfaces: [{mode: native}]\n", "f:1:14: an interface needs \"name\""},
		{"interfaces: [{name: a, mode: nativ}]\n",
		 "f:1:30: \"nativ\" for \"mode\": must be one of auto, native, generic; did you mean \"native\"?"},
		{"interfaces: [{name: a, attach: link}]\n",
		 "f:1:24: this version does not have \"attach\" in an interface"},
		{"interfaces: [a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q]\n",
		 "f:1:13: 17 interfaces, at most 16 (WEIR_MAX_INTERFACES)"},
		{"protect: []\n", "f:1:10: \"protect\" is an empty list"},
		{"protect: [{ports: [tcp/22]}]\n", "f:1:11: an entry of protect needs \"from\""},
		{"protect: [{from: [192.0.2.7/24]}]\n",
		 "f:1:19: 192.0.2.7/24 has bits set behind its prefix length: write 192.0.2.0/24"},
		{"protect: [{from: [\"2001:db8::1/64\"]}]\n",
		 "f:1:19: 2001:db8::1/64 has bits set behind its prefix length: write 2001:db8::/64"},
		{"protect: [{from: [192.0.2.0/33]}]\n",
		 "f:1:19: \"192.0.2.0/33\" for \"from\": not an address or prefix; a prefix length is 0 to 32"},
		{"protect: [{from: [any]}]\n", "f:1:19: \"any\" for \"from\": not an address or prefix"},
		{"protect: [{from: 10.0.0.0/8, ports: []}]\n", "f:1:37: \"ports\" is an empty list"},
		{"protect: [{from: 10.0.0.0/8, ports: icmp}]\n", "f:1:37: protect knows ports of tcp and udp"},
		{"protect: [{from: 10.0.0.0/8, ports: tcp/9-8}]\n",
		 "f:1:37: \"tcp/9-8\" for \"ports\": a port range goes from the lower to the higher"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_limit_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{LIMIT("name: a"), "f:2:3: a limit needs \"rate\""},
		{LIMIT("rate: 2000"), "f:2:10: \"2000\" for \"rate\": a rate needs its time"},
		{LIMIT("rate: 2000/d"), "f:2:10: \"2000/d\" for \"rate\": a rate is per s, m or h"},
		{LIMIT("rate: 200MB/s"), "f:2:10: \"200MB/s\" for \"rate\": not a unit of rate"},
		{LIMIT("rate: 10K/s"), "f:2:10: \"10K/s\" for \"rate\": not a unit of rate"},
		{LIMIT("rate: -1/s"), "f:2:10: \"-1/s\" for \"rate\": a rate is written"},
		{LIMIT("rate: 1e3/s"), "f:2:10: \"1e3/s\" for \"rate\": not a unit of rate"},
		{LIMIT("rate: 101M/s"), "f:2:10: \"101M/s\" for \"rate\": a rate is at most 100M/s"},
		{LIMIT("rate: 1bit/s"), "f:2:10: \"1bit/s\" for \"rate\": a rate in bits is 1kbit/s to 1000Gbit/s"},
		{LIMIT("rate: 1/s, burst: 0"), "f:2:22: \"0\" for \"burst\": a number of packets is whole and not 0"},
		{LIMIT("rate: 1/s, burst: 1kB"), "f:2:22: \"1kB\" for \"burst\": a number of packets is written"},
		{LIMIT("rate: 1Mbit/s, burst: 4000"), "f:2:26: \"4000\" for \"burst\": a size needs a unit"},
		{LIMIT("rate: 1Mbit/s, burst: 100B"),
		 "f:2:26: \"100B\" for \"burst\": the burst is smaller than one packet"},
		{LIMIT("rate: 1/h, burst: 1M"),
		 "f:2:22: \"1M\" for \"burst\": the burst is more than the rate gives in a week"},
		{LIMIT("rate: 1/s, key: destination"),
		 "f:2:20: \"destination\" for \"key\": a key is source, or source/24,/56"},
		{LIMIT("rate: 1/s, key: source/24"),
		 "f:2:20: \"source/24\" for \"key\": a key is source, or source/24,/56"},
		{LIMIT("rate: 1/s, key: \"source/33,/56\""),
		 "f:2:20: \"source/33,/56\" for \"key\": prefix lengths are 1 to 32"},
		{LIMIT("rate: 1/s, key: \"source/24,/0\""),
		 "f:2:20: \"source/24,/0\" for \"key\": prefix lengths are 1 to 32"},
		{LIMIT("rate: 1/s, action: pass"), "f:2:23: \"pass\" for \"action\": must be one of drop"},
		{LIMIT("rate: 1/s, match: {to: 192.0.2.1}"),
		 "f:2:27: this version limits only what goes \"to: @vips\""},
		{LIMIT("rate: 1/s, match: {from: \"@x\"}"),
		 "f:2:23: this version does not have \"from\" in the match of a limit"},
		{"limits: [{name: a, rate: 1/s}, {name: a, rate: 2/s}]\n",
		 "f:1:32: limit \"a\" is here twice, first in line 1"},
		{"limits: [{rate: 1/s}, {rate: 1/s}]\n", "f:1:23: limit \"source-1pps\" is here twice"},
		{"limits: [{rate: 1/s}, {rate: 2/s}, {rate: 3/s}, {rate: 4/s}, {rate: 5/s}, {rate: 6/s}, {rate: 7/s}, "
		 "{rate: 8/s}, {rate: 9/s}]\n",
		 "f:1:9: 9 limits, at most 8 (WEIR_MAX_LIVE_LIMITS)"},
		{LIMIT("name: a b, rate: 1/s"),
		 "f:2:10: \"a b\" is no name: letters, digits, \"_\", \".\" and \"-\" only"},
		{LIMIT("name: a/b, rate: 1/s"), "f:2:10: \"a/b\" is no name"},
		{LIMIT("name: a" NAME_59 ", rate: 1/s"), "f:2:10: the name is too long: 60 bytes, at most 59"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_pool_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{"pools: {}\n", "f:1:8: \"pools\" must name at least one pool"},
		{"pools: {p: {forward: ipip}}\n", "f:1:12: a pool needs \"backends\""},
		{"pools: {p: {backends: []}}\n", "f:1:23: \"backends\" is an empty list"},
		{"pools: {p: {backends: [{name: a}]}}\n", "f:1:24: a backend needs \"address\""},
		{"pools: {p: {backends: [{adress: 10.0.0.1}]}}\n",
		 "f:1:25: unknown key \"adress\" in a backend; did you mean \"address\"?"},
		{"pools: {p: {backends: [{address: 10.0.0.1/32}]}}\n",
		 "f:1:34: \"10.0.0.1/32\" for \"address\": not an IPv4 or IPv6 address; an address has no prefix "
		 "length"},
		{"pools: {p: {backends: [{address: 0.0.0.0}]}}\n", "f:1:34: 0.0.0.0 cannot be used for \"address\""},
		{"pools: {p: {backends: [{address: \"ff02::1\"}]}}\n",
		 "f:1:34: ff02::1 cannot be used for \"address\": it is a multicast address"},
		{"pools: {p: {backends: [{address: \"::ffff:10.0.0.1\"}]}}\n",
		 "f:1:34: ::ffff:10.0.0.1 cannot be used"},
		{"pools: {p: {backends: [{address: 10.0.0.1, weight: 1001}]}}\n",
		 "f:1:52: \"weight\" must be 0 to 1000, not 1001"},
		{"pools: {p: {backends: [{address: 10.0.0.1, weight: 1.5}]}}\n",
		 "f:1:52: \"1.5\" for \"weight\": a whole number is needed"},
		{"pools: {p: {backends: [{address: 10.0.0.1, weight: 010}]}}\n",
		 "f:1:52: \"010\" for \"weight\": a number has no leading zeros"},
		{"pools:\n p:\n  backends:\n  - {name: a, address: 10.0.0.1}\n  - {name: a, address: 10.0.0.2}\n",
		 "f:5:5: backend \"a\" is here twice, first in line 4"},
		{"pools: {p: {backends: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.1}]}}\n",
		 "f:1:54: the address of a backend, \"10.0.0.1\" is here twice"},
		{"pools: {" NAME_59 ": {backends: [{name: b, address: 10.0.0.1}]}}\n",
		 "f:1:82: the names of pool and backend are too long together"},
		{"pools: {p: {backends: [{address: 10.0.0.1}]}, p: {backends: [{address: 10.0.0.2}]}}\n",
		 "f:1:47: pool \"p\" is here twice, first in line 1"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_pool_option_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{IN_POOL("forward: gue"), "f:2:48: this version does not have \"forward: gue\" yet"},
		{IN_POOL("forward: nat"), "f:2:48: this version does not have \"forward: nat\" yet"},
		{IN_POOL("slow_start: 30s"), "f:2:39: this version does not have \"slow_start\" in a pool"},
		{IN_POOL("panic_below: 50"), "f:2:52: \"50\" for \"panic_below\": a share is written in percent: 50%"},
		{IN_POOL("panic_below: 101%"), "f:2:52: \"101%\" for \"panic_below\": a share is 0% to 100%"},
		{IN_POOL("min_healthy: 0"), "f:2:52: \"min_healthy\" must be 1 to"},
		{IN_POOL("min_healthy: 2"), "f:2:52: \"min_healthy\" is 2, but the pool has 1 backends"},
		{IN_POOL("ring_size: 1000"), "f:2:50: \"ring_size\" must be a prime number; the next one is 1009"},
		{IN_POOL("ring_size: 65539"), "f:2:50: \"ring_size\" must be 11 to 65537, not 65539"},
		{IN_POOL("source: [10.0.0.8, 10.0.0.9]"), "f:2:47: \"source\" takes one address of each family"},
		{IN_POOL("forward: l2, source: 10.0.0.9"), "f:2:60: \"source\" is of outer headers"},
		{HEALTH("port: 80"), "f:4:11: a health check needs \"type\""},
		{HEALTH("type: http"), "f:4:11: a health check needs \"port\""},
		{HEALTH("type: http, port: 0"), "f:4:30: \"port\" must be 1 to 65535, not 0"},
		{HEALTH("type: http, port: 65536"), "f:4:30: \"port\" must be 1 to 65535, not 65536"},
		{HEALTH("type: smtp, port: 25"), "f:4:18: \"smtp\" for \"type\": must be one of tcp, http"},
		{HEALTH("type: http, port: 80, path: x"), "f:4:40: \"path\" must begin with \"/\""},
		{HEALTH("type: http, port: 80, path: \"/a b\""), "f:4:40: \"path\" holds a blank"},
		{HEALTH("type: http, port: 80, host: \"a\\r\\nb\""), "f:4:40: \"host\" holds a blank"},
		{HEALTH("type: tcp, port: 80, expect_body: ok"), "f:4:33: \"expect_body\" belongs to \"type: http\""},
		{HEALTH("type: tcp, port: 80, interval: 2"), "f:4:43: \"2\" for \"interval\": a duration needs a unit"},
		{HEALTH("type: tcp, port: 80, interval: 2sec"),
		 "f:4:43: \"2sec\" for \"interval\": not a unit of time"},
		{HEALTH("type: tcp, port: 80, interval: 1ms"), "f:4:43: \"interval\" must be 50ms to 1h, not 1ms"},
		{HEALTH("type: tcp, port: 80, timeout: 3s"),
		 "f:4:42: the timeout (3000ms) is longer than the interval (2000ms)"},
		{HEALTH("type: tcp, port: 80, rise: 0"), "f:4:39: \"rise\" must be 1 to 100, not 0"},
		{HEALTH("type: http, port: 80, expect_status: 999"), "f:4:49: \"expect_status\" must be 100 to 599"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_service_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{SERVICE("ports: [tcp/80], pools: [p]"), "f:3:3: a service needs \"address\""},
		{SERVICE("address: [], ports: [tcp/80], pools: [p]"), "f:3:13: \"address\" is an empty list"},
		{SERVICE("address: 192.0.2.1, ports: [], pools: [p]"), "f:3:31: \"ports\" is an empty list"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/80], pools: []"), "f:3:48: \"pools\" is an empty list"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/80], pools: [q]"), "f:3:49: there is no pool \"q\""},
		{"pools: {local: {backends: [{address: 10.0.0.1}]}}\nservices: [{address: 192.0.2.1, ports: tcp/80, "
		 "pools: locla}]\n",
		 "f:2:55: there is no pool \"locla\"; did you mean \"local\"?"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/80], pools: [p, p]"), "pool \"p\" is here twice"},
		{SERVICE("address: [192.0.2.1, 192.0.2.1], ports: [tcp/80], pools: [p]"),
		 "f:3:13: address \"192.0.2.1\" is here twice"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/0], pools: [p]"),
		 "f:3:32: \"tcp/0\" for \"ports\": a port is 1 to 65535"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/65536], pools: [p]"),
		 "f:3:32: \"tcp/65536\" for \"ports\": a port is 1 to 65535"},
		{SERVICE("address: 192.0.2.1, ports: [80], pools: [p]"),
		 "f:3:32: \"80\" for \"ports\": a port needs its protocol"},
		{SERVICE("address: 192.0.2.1, ports: [tcp], pools: [p]"),
		 "f:3:32: \"tcp\" for \"ports\": a protocol needs its port"},
		{SERVICE("address: 192.0.2.1, ports: [sctp/1], pools: [p]"),
		 "f:3:32: \"sctp/1\" for \"ports\": ports are written"},
		{SERVICE("address: 192.0.2.1, ports: [icmp/8], pools: [p]"),
		 "f:3:32: \"icmp/8\" for \"ports\": icmp has no ports"},
		{SERVICE("address: 192.0.2.1, ports: [tcp/80-], pools: [p]"),
		 "f:3:32: \"tcp/80-\" for \"ports\": a port is a number"},
		{SERVICE(VIP ", fallback: accept"),
		 "f:3:63: \"accept\" for \"fallback\": must be one of reject, drop, kernel"},
		{SERVICE(VIP ", affinity: quic-cid"), "f:3:63: this version does not have \"affinity: quic-cid\" yet"},
		{SERVICE(VIP ", by_region: {}"), "f:3:53: this version does not have \"by_region\" in a service"},
		{SERVICE("name: a, " VIP "}\n- {name: a, address: 192.0.2.2, ports: [tcp/80], pools: [p]"),
		 "f:4:3: service \"a\" is here twice, first in line 3"},
		{SERVICE("address: 10.0.0.1, ports: [tcp/80], pools: [p]"),
		 "f:1:24: backend \"b\" has the address of a VIP"},
		{"pools: {p: {forward: l2, backends: [{name: b, address: 10.0.0.1}]}}\nservices: [{address: "
		 "[192.0.2.1, \"2001:db8::1\"], ports: tcp/80, pools: p}]\n",
		 "f:2:72: pool \"p\" forwards by l2, but backend \"b\" is not of the family of the VIP 2001:db8::1"},
		{SERVICE("address: [192.0.2.1, 192.0.2.2, 192.0.2.3], ports: [tcp/1-65535], pools: [p]"),
		 "f:3:3: 196605 ports over all VIPs, at most 131072 (WEIR_MAX_PORTS)"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void config_host_section_that_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct refusal rows[] = {
		{"steering: {seed: -1}\n", "f:1:18: \"-1\" for \"seed\": a whole number is needed"},
		{"steering: {seed: 18446744073709551616}\n",
		 "f:1:18: \"18446744073709551616\" for \"seed\": the number is too large"},
		{"steering: {settle: 10}\n", "f:1:20: \"10\" for \"settle\": a duration needs a unit"},
		{"steering: {idle: 1d}\n", "f:1:18: \"idle\" must be 1s to 8h, not 1d"},
		{"steering: {settle: 2d}\n", "f:1:20: \"settle\" must be 100ms to 4h, not 2d"},
		{"telemetry: {otlp: {interval: 1s}}\n", "f:1:19: otlp needs \"endpoint\""},
		{"telemetry: {otlp: {endpoint: 127.0.0.1}}\n",
		 "f:1:30: \"127.0.0.1\" for \"endpoint\": a base URL is written http://"},
		{"telemetry: {otlp: {endpoint: \"file:///etc/x\"}}\n",
		 "f:1:30: \"file:///etc/x\" for \"endpoint\": a base URL"},
		{"telemetry: {prometheus: {listen: 9180}}\n", "f:1:34: \"9180\" for \"listen\": an address and a port"},
		{"telemetry: {prometheus: {listen: \"::1:9180\"}}\n",
		 "f:1:34: \"::1:9180\" for \"listen\": an address and a port"},
		{"telemetry: {prometheus: {listen: \"127.0.0.1:0\"}}\n", "f:1:34: \"127.0.0.1:0\" for \"listen\""},
		{"telemetry: {prometheus: {listen: \"0.0.0.0:9180\"}}\n",
		 "f:1:34: \"listen\" on 0.0.0.0: this version serves metrics on loopback only"},
		{"telemetry: {sample: 1/1000}\n", "f:1:13: this version does not have \"sample\" in telemetry"},
		{"control: {socket: run/x}\n", "f:1:19: \"socket\" must be an absolute path"},
		{"control: {socket: "
		 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaa}\n",
		 "f:1:19: \"socket\" is too long: 108 bytes, at most 107"},
		{"control: {group: \"a\\nb\"}\n", "f:1:18: \"group\" holds a line break"},
		{"dataplane: {pins: ''}\n", "f:1:19: \"pins\" is empty"},
		{"state: {dir: /x}\n", "f:1:9: unknown key \"dir\" in state"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_structure_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_edge_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_limit_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_pool_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_pool_option_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_service_that_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(config_host_section_that_is_wrong_is_refused_with_its_place),
	};

	return cmocka_run_group_tests_name("config_refusals", tests, NULL, NULL);
}
