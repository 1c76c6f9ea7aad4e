/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: what is pointed out in sets and rules that are valid. */
#include "tests/unit/config_refusal.h"

#define SETS                                                                                                           \
	"sets: {file: {file: x}, office: [192.0.2.0/24, \"2001:db8:5::/48\"], empty: []}\n"                            \
	"limits: [{name: l, rate: 1/s}, {name: m, match: {to: \"@vips\"}, rate: 1/s}]\n"                               \
	"pools: {p: {backends: [{address: 10.9.9.9}]}}\n"                                                              \
	"services: [{address: 198.51.100.10, ports: tcp/80, pools: p}]\n"

/* Names every set of SETS without a word about them, as it is off. */
#define USE_ALL "  - {name: all, from: [\"@file\", \"@office\", \"@empty\"], action: drop, mode: off}\n"

/* The findings, one a line: place, sentence, (other place); hint. */
static char *findings_of(const char *text)
{
	struct config *config = accepted_as("f", text);
	struct config_findings found = {0};
	char *out = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&out, &size);

	assert_non_null(file);
	assert_int_equal(config_findings_collect(config, 0, &found), 0);
	for (size_t i = 0; i < found.count; i++) {
		const struct config_finding *finding = &found.findings[i];

		fprintf(file, "%d:%d %s (%d:%d); %s\n", finding->place.line, finding->place.column, finding->sentence,
			finding->other.line, finding->other.column, finding->hint);
	}
	fclose(file);
	config_findings_free(&found);
	config_free(config);
	return out;
}

/* One row is two rules, in lines 8 and 9; the second is or is not covered by the first. */
struct pair {
	const char *first, *second;
	bool covered;
};

static const struct pair dimensions[] = {
	{"", "proto: tcp", true},
	{"proto: tcp", "", false},
	{"proto: tcp", "proto: tcp, dport: 80", true},
	{"proto: [tcp, udp]", "dport: 80", true},
	{"proto: tcp", "dport: 80", false},
	{"proto: tcp", "tcp_flags: syn", true},
	{"proto: icmp", "icmp: 8", true},
	{"proto: icmpv4", "icmp: 8", false},
	{"proto: icmp", "proto: icmpv6", true},
	{"dport: 80-90", "dport: \"81,85-90\"", true},
	{"dport: 80-90", "dport: \"81,91\"", false},
	{"dport: 80", "sport: 80", false},
	{"tcp_flags: syn", "tcp_flags: \"syn,ack\"", true},
	{"tcp_flags: \"syn/syn,ack\"", "tcp_flags: syn", false},
	{"tcp_flags: \"syn/syn,ack\"", "tcp_flags: \"syn/all\"", true},
	{"tcp_flags: \"syn/syn,ack\"", "tcp_flags: \"syn,ack\"", false},
	{"icmp: 3", "icmp: 3/4", true},
	{"icmp: 3/4", "icmp: 3", false},
	{"length: \"<100\"", "length: 10-20", true},
	{"length: \"<100\"", "ttl: 10-20", false},
	{"dscp: ef", "dscp: 46", true},
	{"fragment: yes", "fragment: later", true},
	{"fragment: later", "fragment: yes", false},
	{"fragment: [no, first]", "dport: 80", true},
	{"ipv6_extensions: absent", "ipv6_extensions: present", false},
	{"vlan: [none, 5]", "vlan: none", true},
	{"vlan: 5", "vlan: none", false},
	{"interface: [eth0, eth1]", "interface: eth1", true},
	{"interface: eth0", "interface: [eth0, eth1]", false},
};

static const struct pair addresses[] = {
	{"from: 10.0.0.0/8", "from: 10.1.0.0/16", true},
	{"from: 10.0.0.0/8", "to: 10.1.0.0/16", false},
	{"from: 10.1.0.0/16", "from: 10.0.0.0/8", false},
	{"from: 10.0.0.0/8", "from: [10.1.0.0/16, 192.0.2.1]", false},
	{"from: [10.0.0.0/8, 192.0.2.0/24]", "from: [10.1.0.0/16, 192.0.2.1]", true},
	{"from: \"::/0\"", "from: 10.0.0.0/8", false},
	{"from: \"@file\"", "from: \"@file\"", true},
	{"from: \"@file\"", "from: 10.0.0.0/8", false},
	{"from: 0.0.0.0/0", "from: \"@file\"", false},
	{"from: [0.0.0.0/0, \"::/0\"]", "from: \"@file\"", true},
	{"from: [0.0.0.0/0, \"::/0\"]", "", true},
	{"from: [\"@file\", \"@office\"]", "from: [192.0.2.1, \"@file\"]", true},
	{"from: \"@office\"", "from: 192.0.2.7", true},
	{"from: \"@office\"", "from: [192.0.2.7, \"2001:db8:5::1\"]", true},
	{"from: [192.0.0.0/8, \"2001:db8::/32\"]", "from: \"@office\"", true},
	{"from: 192.0.0.0/8", "from: \"@office\"", false},
	{"to: \"@vips\"", "to: 198.51.100.10", true},
	{"to: 198.51.100.0/24", "to: \"@vips\"", true},
	{"to: \"@vips\"", "to: 198.51.100.11", false},
	{"", "from: \"@empty\"", false},
	{"", "to: [\"@empty\", \"!10.0.0.0/8\"]", false},
	{"", "from: [\"@empty\", 10.0.0.0/8]", true},
	{"", "from: \"!@empty\"", true},
	{"from: \"!@file\"", "from: \"!@file\"", true},
	{"from: \"!@file\"", "from: 10.0.0.0/8", false},
	{"from: \"!10.0.0.0/8\"", "from: 192.0.2.0/24", true},
	{"from: \"!10.0.0.0/8\"", "from: 0.0.0.0/0", false},
	{"from: \"!10.1.0.0/16\"", "from: \"!10.0.0.0/8\"", true},
	{"from: \"!10.0.0.0/8\"", "from: \"!10.1.0.0/16\"", false},
	{"from: \"!10.0.0.0/8\"", "", false},
	{"from: [10.0.0.0/8, \"!10.1.0.0/16\"]", "from: 10.2.0.0/16", true},
	{"from: [10.0.0.0/8, \"!10.1.0.0/16\"]", "from: 10.1.2.0/24", false},
	{"from: 10.0.0.0/8", "from: [10.0.0.0/8, \"!10.1.0.0/16\"]", true},
};

static void assert_pairs(const struct pair *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		static const char covered[] =
			"9:5 rule \"b\" can never match: rule \"a\" ahead of it takes all that it "
			"would match (8:5); put it ahead of that rule, or remove one of them\n";
		AUTO_FREE char *found = NULL;
		char text[2048];

		snprintf(text, sizeof(text),
			 "interfaces: [eth0, eth1]\n" SETS "filter:\n  rules:\n"
			 "  - {name: a, action: drop%s%s}\n  - {name: b, action: reject%s%s}\n",
			 *rows[i].first ? ", " : "", rows[i].first, *rows[i].second ? ", " : "", rows[i].second);
		found = findings_of(text);
		if (!!strstr(found, "rule \"b\" can never match") != rows[i].covered ||
		    (rows[i].covered && !strstr(found, covered)))
			fail_msg("%s\n%s\nfound: %s", rows[i].first, rows[i].second, found);
	}
}

static void overlap_of_dimensions_is_told_when_it_is_certain(void **state)
{
	(void)state;
	assert_pairs(dimensions, ARRAY_SIZE(dimensions));
}

static void overlap_of_addresses_is_told_when_it_is_certain(void **state)
{
	(void)state;
	assert_pairs(addresses, ARRAY_SIZE(addresses));
}

struct row {
	const char *rules, *found;
};

#define IDLE(name, line)                                                                                               \
	line ":5 rule \"" name "\" has no effect: the default passes what it passes (5:1); remove it, or let the "     \
	     "default be drop\n"

static void overlap_of_rules_is_told_in_words_with_both_places(void **state)
{
	static const struct row rows[] = {
		{"  - {name: a, proto: tcp, action: drop}\n  - {name: b, proto: udp, action: drop}\n", ""},
		{"  - {name: a, proto: tcp, action: drop}\n  - {name: b, proto: tcp, action: drop}\n",
		 "9:5 rule \"b\" matches and does the same as rule \"a\" (8:5); remove one of them\n"},
		{"  - {name: a, proto: tcp, action: drop}\n  - {name: b, dport: 80, proto: tcp, action: drop}\n",
		 "9:5 rule \"b\" can never match: rule \"a\" ahead of it takes all that it would match (8:5); remove "
		 "it\n"},
		{"  - {name: a, proto: tcp, action: drop, mode: shadow}\n  - {name: b, proto: tcp, action: drop}\n",
		 ""},
		{"  - {name: a, proto: tcp, action: drop, mode: shadow}\n"
		 "  - {name: b, proto: tcp, action: drop, mode: shadow}\n",
		 "9:5 rule \"b\" matches and does the same as rule \"a\" (8:5); remove one of them\n"},
		{"  - {name: a, proto: tcp, action: drop, mode: off}\n  - {name: b, proto: tcp, action: drop}\n", ""},
		{"  - {name: a, proto: tcp, action: drop}\n  - {name: b, proto: tcp, action: drop, mode: off}\n", ""},
		{"  - {name: a, proto: tcp, action: drop, expires: 2100-01-01}\n  - {name: b, proto: tcp, action: "
		 "drop}\n",
		 ""},
		{"  - {name: a, action: drop}\n  - {name: b, proto: tcp, action: drop, mode: shadow}\n",
		 "9:5 rule \"b\" is a shadow that never counts: rule \"a\" ahead of it takes all that it would match "
		 "(8:5); "
		 "put the shadow ahead of it, or remove one of them\n"},
		{"  - {name: a, proto: tcp, limit: l}\n  - {name: b, proto: tcp, action: drop}\n",
		 "9:5 rule \"b\" can never match: rule \"a\" ahead of it takes all that it would match (8:5); put it "
		 "ahead of "
		 "that rule, or remove one of them\n"},
		{"  - {name: a, proto: tcp, limit: m}\n", "8:5 rule \"a\" charges limit \"m\", which takes everything "
							  "to the VIPs anyway by its \"match\" (2:32); take "
							  "\"match\" out of the limit, or remove the rule\n"},
		{"  - {name: a, proto: tcp, action: pass}\n", IDLE("a", "8")},
		{"  - {name: a, proto: tcp, action: pass}\n  - {name: b, action: drop, mode: off}\n", IDLE("a", "8")},
		{"  - {name: a, proto: tcp, action: pass}\n  - {name: b, action: drop, mode: shadow}\n", ""},
		{"  - {name: a, proto: tcp, action: pass}\n  - {name: b, action: drop}\n", ""},
		{"  - {name: a, proto: tcp, action: allow}\n", ""},
		{"  - {name: a, proto: gre, action: drop}\n  - {name: b, proto: tcp, action: pass}\n"
		 "  - {name: c, proto: udp, action: pass}\n",
		 "9:5 the last 2 rules, from \"b\" to \"c\", have no effect: the default passes what they pass (10:5); "
		 "remove "
		 "them, or let the default be drop\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *found = NULL;
		char text[2048];

		snprintf(text, sizeof(text), SETS "filter:\n  rules:\n" USE_ALL "%s", rows[i].rules);
		found = findings_of(text);
		/* The empty set of SETS is told every time. */
		assert_non_null(strstr(found, "set \"empty\" is empty"));
		assert_string_equal(strchr(found, '\n') + 1, rows[i].found);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *found = NULL;
		char text[2048];

		snprintf(text, sizeof(text), SETS "filter:\n  default: drop\n  rules:\n" USE_ALL "%s", rows[i].rules);
		found = findings_of(text);
		assert_null(strstr(found, "no effect"));
	}
}

#define MARKS(match, fallback)                                                                                         \
	"pools: {p: {backends: [{name: b, address: 10.0.0.1}]}}\n"                                                     \
	"services: [{name: s, address: 10.0.0.2, ports: [tcp/1], pools: [p], fallback: " fallback "}]\n"               \
	"filter:\n  rules:\n  - {name: a, " match ", mark: 1}\n"

static void overlap_of_sets_is_told_in_words_with_both_places(void **state)
{
	static const struct row rows[] = {
		{"sets:\n  a: [10.0.0.0/8, 192.0.2.0/24]\n  b: [192.0.2.0/24, 10.0.0.0/8, 10.0.0.0/8]\n"
		 "filter:\n  rules:\n    - {from: \"@a\", to: \"!@b\", action: drop}\n",
		 "3:3 set \"b\" holds the same as set \"a\" (2:3); keep one of them and name that everywhere\n"},
		{"sets:\n  a: [10.0.0.0/8]\n  b: {file: x}\n",
		 "2:3 set \"a\" is named by no rule (0:0); name it in a rule, or remove it\n"
		 "3:3 set \"b\" is named by no rule (0:0); name it in a rule, or remove it\n"},
		{"sets:\n  a: []\nfilter:\n  rules:\n    - {from: \"@a\", action: drop}\n",
		 "2:3 set \"a\" is empty: nothing is in it (5:7); add prefixes, or remove it\n"},
		{"sets:\n  a: [10.0.0.0/8]\n  b: {file: x}\nfilter:\n  rules:\n    - {from: [\"@a\", \"@b\"], action: "
		 "drop}\n",
		 ""},
		{"filter:\n  rules:\n    - {to: \"@vips\", action: drop}\n",
		 "3:7 rule \"to-vips-drop\" names @vips, but there are no services, so it stands for no address (0:0); "
		 "add "
		 "services, or name the addresses\n"},
		{MARKS("to: \"@vips\"", "reject"),
		 "5:5 rule \"a\" marks nothing: what goes to the VIPs comes to the kernel only by \"fallback: "
		 "kernel\", "
		 "which no service has (0:0); take \"@vips\" out of it, or remove the rule\n"},
		{MARKS("to: \"@vips\"", "kernel"), ""},
		{MARKS("to: [\"@vips\", 10.0.0.9]", "reject"), ""},
		{MARKS("to: \"!@vips\"", "reject"), ""},
		{MARKS("from: 10.0.0.9", "reject"), ""},
		{"filter: {default: drop}\n", ""},
		{"interfaces: []\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *found = findings_of(rows[i].rules);

		assert_string_equal(found, rows[i].found);
	}
}

/* A row of its own for everything that can be pointed out, and nothing more. */
static void overlap_ten_planted_mistakes_are_all_named(void **state)
{
	static const char text[] = "sets:\n"
				   "  one: [192.0.2.0/24]\n"
				   "  twin: [192.0.2.0/24]\n" /* 1: the same content */
				   "  unused: {file: x}\n"    /* 2 */
				   "  empty: []\n"	      /* 3 */
				   "limits: [{name: m, match: {to: \"@vips\"}, rate: 1/s}]\n"
				   "filter:\n"
				   "  rules:\n"
				   "    - {name: r9, from: [\"@one\", \"@empty\"], proto: tcp, action: drop}\n"
				   "    - {name: r10, from: \"@twin\", proto: tcp, dport: 1, action: pass}\n"	 /* 4 */
				   "    - {name: r11, from: [\"@one\", \"@empty\"], proto: tcp, action: drop}\n" /* 5 */
				   "    - {name: r12, to: \"@vips\", proto: gre, action: drop}\n"		 /* 6 */
				   "    - {name: r13, proto: udp, limit: m}\n"					 /* 7 */
				   "    - {name: r14, sport: 123, proto: udp, action: drop, mode: shadow}\n"	 /* 8 */
				   "    - {name: r15, proto: udp, dport: 53, limit: m, mode: off}\n"		 /* 9 */
				   "    - {name: r16, proto: icmp, action: pass}\n"; /* 10 */
	static const char *const places[] = {"3:3 ",  "4:3 ",  "5:3 ",	"10:7 ", "11:7 ",
					     "12:7 ", "13:7 ", "14:7 ", "15:7 ", "16:7 "};
	AUTO_FREE char *found = findings_of(text);
	size_t lines = 0;

	(void)state;
	for (const char *at = found; *at; at = strchr(at, '\n') + 1) {
		assert_true(lines < ARRAY_SIZE(places));
		assert_int_equal(strncmp(at, places[lines], strlen(places[lines])), 0);
		lines++;
	}
	assert_int_equal(lines, ARRAY_SIZE(places));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlap_of_dimensions_is_told_when_it_is_certain),
		cmocka_unit_test(overlap_of_addresses_is_told_when_it_is_certain),
		cmocka_unit_test(overlap_of_rules_is_told_in_words_with_both_places),
		cmocka_unit_test(overlap_of_sets_is_told_in_words_with_both_places),
		cmocka_unit_test(overlap_ten_planted_mistakes_are_all_named),
	};

	return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
