/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/model: what a change of sets and rules says about itself. */
#include "tests/unit/config_refusal.h"
#include "user/model/model.h"

#define HEAD	    "interfaces: [eth0]\nlimits: [{name: l, rate: 1/s}]\n"
#define SETS	    "sets: {a: [10.0.0.0/8], b: {file: /x}}\n"
#define RULES(list) HEAD SETS "filter:\n  rules: [" list "]\n"
#define ONE	    "{name: one, from: \"@a\", action: drop}"
#define TWO	    "{name: two, proto: tcp, action: pass}"
#define THREE	    "{name: three, proto: udp, action: drop}"
#define FOUR	    "{name: four, proto: gre, action: drop}"

struct change {
	const char *old, *new;
	int lines;
	const char *text;
};

static void assert_changes(const struct change *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct config *old = rows[i].old ? accepted_as("f", rows[i].old) : NULL;
		struct config *new = accepted_as("f", rows[i].new);
		AUTO_FREE char *text = NULL;
		int lines = model_diff(old, new, &text);

		assert_string_equal(text, rows[i].text);
		assert_int_equal(lines, rows[i].lines);
		config_free(old);
		config_free(new);
	}
}

static void model_diff_sets_are_told_by_their_content(void **state)
{
	static const char nine[] = "sets: {a: [10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, "
				   "10.0.0.7, 10.0.0.8]}\n";
	static const char same[] = "sets: {a: [10.0.0.8, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, "
				   "10.0.0.7, 10.0.0.0]}\n";
	static const struct change rows[] = {
		{HEAD, HEAD SETS, 2, "set a added\nset b added\n"},
		{HEAD SETS, HEAD, 2, "set a removed\nset b removed\n"},
		{HEAD "sets: {a: [10.0.0.0/8]}\n", HEAD "sets: {a: [192.0.2.0/24, 10.0.0.0/8]}\n", 1,
		 "set a: content 10.0.0.0/8 -> 10.0.0.0/8, 192.0.2.0/24\n"},
		{HEAD "sets: {a: [192.0.2.0/24, 10.0.0.0/8]}\n", HEAD "sets: {a: [10.0.0.0/8, 192.0.2.0/24]}\n", 0, ""},
		{HEAD "sets: {a: []}\n", HEAD "sets: {a: {file: /x, refresh: 1h, max_change: 30%, strict: true}}\n", 4,
		 "set a: content none -> file /x\nset a: refresh never -> 3600000 ms\nset a: max_change any -> 30%\n"
		 "set a: strict false -> true\n"},
		{nine, same, 0, ""},
		{nine, "sets: {a: []}\n", 1, "set a: content 9 prefixes (digest 0c0868a2) -> none\n"},
	};

	(void)state;
	assert_changes(rows, ARRAY_SIZE(rows));
}

static void model_diff_rules_are_told_in_words_and_in_order(void **state)
{
	static const struct change rows[] = {
		{HEAD SETS, RULES(ONE "," TWO), 2, "rule one added\nrule two added\n"},
		{RULES(ONE "," TWO), RULES(TWO), 1, "rule one removed\n"},
		{RULES(ONE), RULES("{name: one, from: [\"@a\", \"!@b\"], limit: l, mode: shadow, expires: 2026-12-01}"),
		 5,
		 "rule one: match from @a -> from @a,!@b\n"
		 "rule one: action drop -> limit l\n"
		 "rule one: mode enforce -> shadow\n"
		 "rule one: expires never -> 2026-12-01T00:00:00Z\n"
		 "limit l: match to @vips -> rules that name it\n"},
		{RULES(ONE "," TWO "," THREE), RULES(THREE "," ONE "," TWO), 1, "rule three moved: now the first\n"},
		{RULES(ONE "," TWO "," THREE), RULES(TWO "," THREE "," ONE), 1, "rule one moved: now behind three\n"},
		{RULES(ONE "," TWO "," THREE), RULES(TWO "," FOUR "," THREE "," ONE), 2,
		 "rule four added\nrule one moved: now behind three\n"},
		{RULES(ONE "," TWO "," THREE), RULES(FOUR "," TWO "," THREE), 2, "rule four added\nrule one removed\n"},
		{RULES(ONE "," TWO "," THREE "," FOUR), RULES(FOUR "," THREE "," TWO "," ONE), 3,
		 "rule four moved: now the first\nrule three moved: now behind four\nrule two moved: now behind "
		 "three\n"},
		{HEAD "filter: {default: pass}\n", HEAD "filter: {default: drop}\n", 1,
		 "setting filter: default pass -> drop\n"},
		{NULL, "filter: {rules: [{action: drop}]}\n", 1, "rule any-drop added\n"},
	};

	(void)state;
	assert_changes(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_diff_sets_are_told_by_their_content),
		cmocka_unit_test(model_diff_rules_are_told_in_words_and_in_order),
	};

	return cmocka_run_group_tests_name("model_diff_filter", tests, NULL, NULL);
}
