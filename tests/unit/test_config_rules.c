/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: rules that are good, what they come to, and how they are told. */
#include "tests/unit/config_refusal.h"

/* What rules may name, and one rule of lines 5 on. */
#define AROUND                                                                                                         \
	"interfaces: [eth0, eth1]\n"                                                                                   \
	"sets: {listed: {file: x.netset}, office: [192.0.2.0/24, \"2001:db8:5::/48\"], v4: [192.0.2.0/24]}\n"          \
	"limits: [{name: per-client, rate: 1/s}]\n"
#define RULES(inner) AROUND "filter:\n  rules:\n  - {" inner "}\n"

struct good_rule {
	const char *inner, *text;
};

static struct config *parse_rule(const char *inner)
{
	char text[1024];

	snprintf(text, sizeof(text), RULES("%s"), inner);
	return accepted_as("f", text);
}

/* Each is read, and told as expected. */
static void assert_texts(const struct good_rule *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct config *config = parse_rule(rows[i].inner);
		AUTO_FREE char *text = config_rule_format(config, &config->filter.rules[0]);

		assert_int_equal(config->filter.rules_count, 1);
		assert_string_equal(text, rows[i].text);
		config_free(config);
	}
}

static void rules_are_told_in_the_words_of_the_configuration(void **state)
{
	static const struct good_rule rows[] = {
		{"action: drop", "any drop"},
		{"from: \"@listed\", action: drop", "from @listed drop"},
		{"from: \"@listed\", to: \"@vips\", proto: tcp, dport: \"80,443\", action: drop",
		 "from @listed to @vips tcp dport 80,443 drop"},
		{"from: [\"@office\", 10.0.0.1, \"!192.0.2.128/25\", \"!@v4\"], action: allow",
		 "from @office,10.0.0.1,!192.0.2.128/25,!@v4 allow"},
		{"to: \"!@vips\", action: reject", "to !@vips reject"},
		{"proto: icmp, action: pass", "icmp pass"},
		{"proto: icmpv4, action: pass", "icmpv4 pass"},
		{"proto: [icmpv6, icmpv4], action: pass", "icmp pass"},
		{"proto: \"udp, tcp\", action: pass", "tcp,udp pass"},
		{"proto: [6, gre, 253], action: pass", "tcp,gre,253 pass"},
		{"proto: 58, action: pass", "icmpv6,58 pass"},
		{"sport: 123, action: drop", "sport 123 drop"},
		{"dport: [443, \"8000-8099\", 80], action: drop", "dport 80,443,8000-8099 drop"},
		{"dport: \"80,81,82-90,85\", action: drop", "dport 80-90 drop"},
		{"sport: \"<1024\", dport: \">=1024\", action: drop", "sport 0-1023 dport >1023 drop"},
		{"sport: 0, action: drop", "sport 0 drop"},
		{"tcp_flags: \"syn/syn,ack\", action: drop", "tcp_flags syn/syn,ack drop"},
		{"tcp_flags: syn, action: drop", "tcp_flags syn/syn drop"},
		{"tcp_flags: \"fin,psh,urg\", action: drop", "tcp_flags fin,psh,urg/fin,psh,urg drop"},
		{"tcp_flags: none, action: drop", "tcp_flags none/all drop"},
		{"tcp_flags: none/all, action: drop", "tcp_flags none/all drop"},
		{"tcp_flags: all, action: drop", "tcp_flags all/all drop"},
		{"tcp_flags: none/ece, action: drop", "tcp_flags none/ece drop"},
		{"length: \"0-128\", action: drop", "length 0-128 drop"},
		{"length: \"<64,>1500\", action: drop", "length 0-63,>1500 drop"},
		{"ttl: \"<=1\", action: drop", "ttl 0-1 drop"},
		{"ttl: 255, action: drop", "ttl 255 drop"},
		{"dscp: [ef, af11, cs1, 3], action: drop", "dscp 3,8,10,46 drop"},
		{"fragment: yes, action: drop", "fragment yes drop"},
		{"fragment: [later, first], action: drop", "fragment yes drop"},
		{"fragment: \"no,first\", action: drop", "fragment no,first drop"},
		{"fragment: later, action: drop", "fragment later drop"},
		{"ipv6_extensions: present, action: drop", "ipv6_extensions present drop"},
		{"ipv6_extensions: absent, action: pass", "ipv6_extensions absent pass"},
		{"vlan: 7, action: pass", "vlan 7 pass"},
		{"vlan: [none, 10-20], action: pass", "vlan 10-20,none pass"},
		{"vlan: \"4000-4095,none\", action: pass", "vlan >3999,none pass"},
		{"interface: eth1, action: pass", "interface eth1 pass"},
		{"interface: [eth1, eth0, eth1], action: pass", "interface eth0,eth1 pass"},
		{"limit: per-client", "any limit per-client"},
		{"action: limit, limit: per-client", "any limit per-client"},
		{"mark: 0x10", "any mark 0x10"},
		{"action: mark, mark: 4294967295", "any mark 0xffffffff"},
		{"from: \"@office\", mark: 0XfF", "from @office mark 0xff"},
		{"mark: 1", "any mark 0x1"},
	};

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
}

static void rules_icmp_names_are_of_the_family_that_the_rule_has(void **state)
{
	static const struct good_rule rows[] = {
		{"icmp: 3, action: drop", "icmp 3 drop"},
		{"icmp: [8, 3/4], action: drop", "icmp 3/4,8 drop"},
		{"proto: icmp, icmp: 8, action: drop", "icmp icmp 8 drop"},
		{"proto: icmpv4, icmp: echo-request, action: drop", "icmpv4 icmp echo-request drop"},
		{"proto: icmpv4, icmp: 8, action: drop", "icmpv4 icmp echo-request drop"},
		{"proto: icmpv6, icmp: echo-request, action: drop", "icmpv6 icmp echo-request drop"},
		{"proto: icmpv6, icmp: [1/4, packet-too-big], action: drop",
		 "icmpv6 icmp destination-unreachable/4,packet-too-big drop"},
		{"from: 10.0.0.0/8, icmp: echo-request, action: drop", "from 10.0.0.0/8 icmp echo-request drop"},
		{"to: \"@v4\", icmp: echo-request, action: drop", "to @v4 icmp echo-request drop"},
		{"to: \"2001:db8::/32\", proto: icmp, icmp: time-exceeded, action: drop",
		 "to 2001:db8::/32 icmp icmp time-exceeded drop"},
		{"icmp: packet-too-big, action: pass", "icmpv6 icmp packet-too-big pass"},
		{"icmp: [source-quench, echo-reply], action: drop", "icmpv4 icmp echo-reply,source-quench drop"},
		{"proto: icmp, icmp: neighbor-solicitation, action: pass", "icmpv6 icmp neighbour-solicitation pass"},
		{"proto: [tcp, icmpv4], icmp: echo-request, action: pass", "icmpv4,tcp icmp 8 pass"},
	};
	struct config *config;

	(void)state;
	assert_texts(rows, ARRAY_SIZE(rows));
	config = parse_rule("proto: icmpv6, icmp: [echo-request, 1/4], action: drop");
	assert_int_equal(config->filter.rules[0].icmp.count, 2);
	assert_int_equal(config->filter.rules[0].icmp.ranges[0].first, 0x104);
	assert_int_equal(config->filter.rules[0].icmp.ranges[0].last, 0x104);
	assert_int_equal(config->filter.rules[0].icmp.ranges[1].first, 0x8000);
	assert_int_equal(config->filter.rules[0].icmp.ranges[1].last, 0x80ff);
	config_free(config);
}

static void assert_range(const struct config_ranges *ranges, size_t index, unsigned int first, unsigned int last)
{
	assert_true(index < ranges->count);
	assert_int_equal(ranges->ranges[index].first, first);
	assert_int_equal(ranges->ranges[index].last, last);
}

static void rules_come_to_the_values_of_the_dimensions(void **state)
{
	struct config *config = parse_rule("name: r, from: [\"@office\", \"!@vips\", 10.0.0.0/8], proto: [tcp, icmp], "
					   "length: \">1500\", fragment: [no, first], ipv6_extensions: absent, "
					   "vlan: none, interface: eth1, action: drop, mode: shadow, "
					   "expires: 2026-12-01T00:00:00Z");
	const struct config_rule *rule = &config->filter.rules[0];

	(void)state;
	assert_string_equal(rule->name, "r");
	assert_int_equal(rule->place.line, 6);
	assert_int_equal(rule->place.column, 5);
	assert_int_equal(rule->from_count, 3);
	assert_int_equal(rule->from[0].set, 1);
	assert_false(rule->from[0].negated);
	assert_int_equal(rule->from[1].set, CONFIG_TERM_VIPS);
	assert_true(rule->from[1].negated);
	assert_int_equal(rule->from[2].set, CONFIG_TERM_PREFIX);
	assert_int_equal(rule->from[2].prefix.length, 8);
	assert_int_equal(rule->to_count, 0);
	assert_range(&rule->protocols, 0, 1, 1);
	assert_range(&rule->protocols, 1, 6, 6);
	assert_range(&rule->protocols, 2, 256 + 6, 256 + 6);
	assert_range(&rule->protocols, 3, 256 + 58, 256 + 58);
	assert_range(&rule->length, 0, 1501, 65535);
	assert_int_equal(rule->fragments, 3);
	assert_int_equal(rule->extensions, -1);
	assert_range(&rule->vlan, 0, 4096, 4096);
	assert_int_equal(rule->interfaces_count, 1);
	assert_int_equal(rule->interfaces[0], 1);
	assert_int_equal(rule->action, CONFIG_ACTION_DROP);
	assert_int_equal(rule->mode, CONFIG_RULE_SHADOW);
	assert_int_equal(rule->expires_s, 1796083200);
	assert_int_equal(config->filter.default_action, CONFIG_ACTION_PASS);
	config_free(config);

	config = accepted_as("f", "filter: {default: drop}\n");
	assert_int_equal(config->filter.default_action, CONFIG_ACTION_DROP);
	assert_int_equal(config->filter.rules_count, 0);
	config_free(config);
}

static void rules_tcp_flags_have_their_bits(void **state)
{
	static const struct {
		const char *inner;
		uint8_t set, mask;
	} rows[] = {
		{"tcp_flags: \"syn/syn,ack\"", 0x02, 0x12},
		{"tcp_flags: \"fin,syn,rst,psh,ack,urg,ece,cwr\"", 0xff, 0xff},
		{"tcp_flags: none", 0, 0xff},
		{"tcp_flags: \"none/syn,fin\"", 0, 0x03},
		{"tcp_flags: ece/all", 0x40, 0xff},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char inner[128];
		struct config *config;

		snprintf(inner, sizeof(inner), "%s, action: drop", rows[i].inner);
		config = parse_rule(inner);
		assert_true(config->filter.rules[0].has_tcp_flags);
		assert_int_equal(config->filter.rules[0].tcp_flags_set, rows[i].set);
		assert_int_equal(config->filter.rules[0].tcp_flags_mask, rows[i].mask);
		config_free(config);
	}
}

static void rules_expire_at_dates_of_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{"1970-01-02", 86400},
		{"2000-03-01", 951868800},
		{"2024-02-29T23:59:59Z", 1709251199},
		{"2026-12-01", 1796083200},
		{"2026-12-01T00:00:00+01:00", 1796079600},
		{"2026-11-30T19:00:00-05:00", 1796083200},
		{"2026-12-01t00:00:00.25z", 1796083200},
		{"\"2026-12-01 00:00:00Z\"", 1796083200},
		{"2100-01-01", 4102444800},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char inner[128];
		struct config *config;

		snprintf(inner, sizeof(inner), "action: drop, expires: %s", rows[i].text);
		config = parse_rule(inner);
		assert_int_equal(config->filter.rules[0].expires_s, rows[i].seconds);
		config_free(config);
	}
}

static void rules_without_a_name_are_named_by_their_content(void **state)
{
	struct config *config = accepted_as(
		"f", RULES("from: \"@listed\", dport: \"80,443\", action: drop}\n"
			   "  - {action: drop}\n"
			   "  - {action: drop, mode: shadow}\n"
			   "  - {name: any-drop-3, action: pass}\n"
			   "  - {action: drop, expires: 2026-12-01}\n"
			   "  - {from: [10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24, 10.0.3.0/24], action: drop}\n"
			   "  - {from: [10.0.0.0/24, 10.0.1.0/24, 10.0.2.0/24, 10.0.4.0/24], action: drop"));
	const struct config_rule *rules = config->filter.rules;

	(void)state;
	assert_int_equal(config->filter.rules_count, 7);
	assert_string_equal(rules[0].name, "from-listed-dport-80_443-drop");
	assert_string_equal(rules[1].name, "any-drop");
	assert_string_equal(rules[2].name, "any-drop-2");
	assert_string_equal(rules[4].name, "any-drop-4");
	assert_int_equal(strncmp(rules[5].name, "from-10.0.0.0_24_10.0.1.0_24_10.0.2.0_24_10.0", 42), 0);
	assert_true(strlen(rules[5].name) < WEIR_NAME_MAX - 5);
	assert_string_not_equal(rules[5].name, rules[6].name);
	config_free(config);
}

static void rules_that_name_a_limit_make_it_theirs(void **state)
{
	struct config *config = accepted_as("f", "limits:\n"
						 "  - {name: general, rate: 1/s}\n"
						 "  - {name: ruled, rate: 1/s}\n"
						 "  - {name: matched, match: {to: \"@vips\"}, rate: 1/s}\n"
						 "  - {name: idle, rate: 1/s}\n"
						 "filter:\n"
						 "  rules:\n"
						 "    - {proto: udp, limit: ruled}\n"
						 "    - {proto: tcp, limit: matched}\n"
						 "    - {proto: gre, limit: idle, mode: off}\n");

	(void)state;
	assert_false(config->limits[0].by_rule);
	assert_true(config->limits[1].by_rule);
	assert_false(config->limits[2].by_rule);
	assert_true(config->limits[2].has_match);
	assert_true(config->limits[3].by_rule);
	assert_int_equal(config->filter.rules[1].action, CONFIG_ACTION_LIMIT);
	assert_int_equal(config->filter.rules[1].limit, 2);
	config_free(config);
}

static void rules_as_many_as_there_is_room_for_are_read(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	struct config *config;

	(void)state;
	fputs("filter:\n  rules:\n", file);
	for (int i = 0; i < WEIR_MAX_RULES; i++)
		fputs("  - {action: drop}\n", file);
	fflush(file);
	config = accepted_as("f", text);
	assert_int_equal(config->filter.rules_count, WEIR_MAX_RULES);
	assert_string_equal(config->filter.rules[WEIR_MAX_RULES - 1].name, "any-drop-4096");
	config_free(config);
	fputs("  - {action: drop}\n", file);
	fclose(file);
	assert_refused(text, size, "f:3:3: 4097 rules, at most 4096 (WEIR_MAX_RULES)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_told_in_the_words_of_the_configuration),
		cmocka_unit_test(rules_icmp_names_are_of_the_family_that_the_rule_has),
		cmocka_unit_test(rules_come_to_the_values_of_the_dimensions),
		cmocka_unit_test(rules_tcp_flags_have_their_bits),
		cmocka_unit_test(rules_expire_at_dates_of_rfc_3339),
		cmocka_unit_test(rules_without_a_name_are_named_by_their_content),
		cmocka_unit_test(rules_that_name_a_limit_make_it_theirs),
		cmocka_unit_test(rules_as_many_as_there_is_room_for_are_read),
	};

	return cmocka_run_group_tests_name("config_rules", tests, NULL, NULL);
}
