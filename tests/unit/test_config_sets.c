/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: sets, and what YAML makes of the signs that sets and rules are written with. */
#include "tests/unit/config_refusal.h"

static void assert_prefix(const struct prefix *prefix, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(prefix_format(prefix, text), expected);
}

static void sets_inline_are_read_in_every_form(void **state)
{
	struct config *config = accepted_as("f", "sets:\n"
						 "  office: {prefixes: [203.0.113.0/24, \"2001:db8:5::/48\"]}\n"
						 "  plain: [10.0.0.0/8, 192.0.2.1]\n"
						 "  one: 0.0.0.0/0\n"
						 "  empty: []\n"
						 "  also-empty: {prefixes: []}\n");

	(void)state;
	assert_int_equal(config->sets_count, 5);
	assert_string_equal(config->sets[0].name, "office");
	assert_int_equal(config->sets[0].kind, CONFIG_SET_INLINE);
	assert_int_equal(config->sets[0].prefixes_count, 2);
	assert_prefix(&config->sets[0].prefixes[0], "203.0.113.0/24");
	assert_prefix(&config->sets[0].prefixes[1], "2001:db8:5::/48");
	assert_int_equal(config->sets[0].place.line, 2);
	assert_int_equal(config->sets[0].place.column, 3);
	assert_int_equal(config->sets[1].prefixes_count, 2);
	assert_prefix(&config->sets[1].prefixes[1], "192.0.2.1");
	assert_int_equal(config->sets[2].prefixes_count, 1);
	assert_prefix(&config->sets[2].prefixes[0], "0.0.0.0/0");
	assert_int_equal(config->sets[3].prefixes_count, 0);
	assert_int_equal(config->sets[4].prefixes_count, 0);
	config_free(config);
}

static void sets_in_files_have_defaults_and_paths_from_the_configuration(void **state)
{
	static const struct {
		const char *path, *file, *expected;
	} rows[] = {
		{"/etc/weir/weir.yaml", "lists/bad.netset", "/etc/weir/lists/bad.netset"},
		{"/etc/weir/weir.yaml", "/var/lists/bad.netset", "/var/lists/bad.netset"},
		{"/etc/weir/weir.yaml", "../bad", "/etc/weir/../bad"},
		{"conf/weir.yaml", "bad", "conf/bad"},
		{"weir.yaml", "bad", "bad"},
	};
	struct config *config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128];

		snprintf(text, sizeof(text), "sets: {a: {file: %s}}\n", rows[i].file);
		config = accepted_as(rows[i].path, text);
		assert_int_equal(config->sets[0].kind, CONFIG_SET_FILE);
		assert_string_equal(config->sets[0].path, rows[i].expected);
		assert_int_equal(config->sets[0].refresh_ms, 10000);
		assert_int_equal(config->sets[0].max_change_percent, 0);
		assert_false(config->sets[0].strict);
		config_free(config);
	}
	config = accepted_as("f", "sets: {a: {file: x, refresh: 1h, max_change: 250%, strict: true}}\n");
	assert_int_equal(config->sets[0].refresh_ms, 3600000);
	assert_int_equal(config->sets[0].max_change_percent, 250);
	assert_true(config->sets[0].strict);
	config_free(config);
}

static void sets_that_are_wrong_are_refused_with_their_place(void **state)
{
	static const struct refusal rows[] = {
		{"sets: {}\n", "f:1:7: \"sets\" must name at least one set"},
		{"sets: [a]\n", "f:1:7: \"sets\" must name at least one set"},
		{"sets: {a: {}}\n", "f:1:11: a set needs \"prefixes\", \"file\" or \"geoip\""},
		{"sets: {a: ~}\n", "f:1:11: \"a\" must be a list"},
		{"sets: {a: {prefixes: [10.0.0.0/8], file: x}}\n",
		 "f:1:42: a set has \"prefixes\" or a \"file\": make two sets of it"},
		{"sets: {a: {prefixes: [10.0.0.0/8], refresh: 1h}}\n",
		 "f:1:36: \"refresh\" belongs to a set with a \"file\" or \"geoip\": leave it out"},
		{"sets: {a: {prefixes: [10.0.0.0/8], strict: true}}\n",
		 "f:1:36: \"strict\" belongs to a set with a \"file\""},
		{"sets: {a: {url: \"https://example.net/\"}}\n",
		 "f:1:12: this version does not have \"url\" in a set yet"},
		{"sets: {a: {fiel: x}}\n", "f:1:12: unknown key \"fiel\" in a set; did you mean \"file\"?"},
		{"sets: {vips: [10.0.0.0/8]}\n",
		 "f:1:8: \"vips\" stands for the addresses of all services: choose another name"},
		{"sets:\n  a: [10.0.0.0/8]\n  a: [10.0.0.0/8]\n", "f:3:3: set \"a\" is here twice, first in line 2"},
		{"sets: {\"a b\": [10.0.0.0/8]}\n", "f:1:8: \"a b\" is no name: letters, digits"},
		{"sets: {a: [10.0.0.1/8]}\n",
		 "f:1:12: 10.0.0.1/8 has bits set behind its prefix length: write 10.0.0.0/8, or the address"},
		{"sets: {a: [10.0.0.0/33]}\n", "f:1:12: \"10.0.0.0/33\" for \"a\": not an address or prefix; a prefix"},
		{"sets: {a: lists/bad.netset}\n", "f:1:11: \"lists/bad.netset\" for \"a\": not an address or prefix; a "
						  "list in a file is written {file: PATH}"},
		{"sets: {a: [\"@b\"]}\n", "f:1:12: \"@b\": a set holds prefixes alone"},
		{"sets: {a: [\"!10.0.0.0/8\"]}\n", "f:1:12: \"!10.0.0.0/8\": a set holds prefixes alone"},
		{"sets: {a: {file: \"\"}}\n", "f:1:18: \"file\" is empty"},
		{"sets: {a: {file: x, refresh: 0s}}\n", "f:1:30: \"refresh\" must be 1s to 30d, not 0s"},
		{"sets: {a: {file: x, refresh: 60}}\n", "f:1:30: \"60\" for \"refresh\": a duration needs a unit"},
		{"sets: {a: {file: x, max_change: 30}}\n",
		 "f:1:33: \"30\" for \"max_change\": a change is written in percent: 30%"},
		{"sets: {a: {file: x, max_change: 0%}}\n",
		 "f:1:33: \"0%\" for \"max_change\": 0% would hold every change back"},
		{"sets: {a: {file: x, max_change: 1001%}}\n",
		 "f:1:33: \"1001%\" for \"max_change\": a change is 1% to 1000%"},
		{"sets: {a: {file: x, strict: maybe}}\n",
		 "f:1:29: \"maybe\" for \"strict\": must be one of false, true"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void sets_more_than_there_is_room_for_are_refused(void **state)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	struct config *config;

	(void)state;
	fputs("sets:\n", file);
	for (int i = 0; i < WEIR_MAX_SETS; i++)
		fprintf(file, "  set%d: [10.0.0.%d]\n", i, i);
	fflush(file);
	config = accepted_as("f", text);
	assert_int_equal(config->sets_count, WEIR_MAX_SETS);
	config_free(config);
	fputs("  more: [10.1.0.0]\n", file);
	fclose(file);
	assert_refused(text, size, "f:2:3: 257 sets, at most 256 (WEIR_MAX_SETS)");
}

static void sets_of_a_path_that_gets_too_long_are_refused(void **state)
{
	char path[4000], text[256];
	struct config_errors errors = {};
	struct config *config = NULL;

	(void)state;
	memset(path, 'd', sizeof(path));
	path[0] = path[sizeof(path) - 3] = '/';
	path[sizeof(path) - 1] = 0;
	snprintf(text, sizeof(text), "sets: {a: {file: %s%s}}\n", NAME_59, NAME_59);
	assert_int_equal(config_parse(path, text, strlen(text), &config, &errors), -EINVAL);
	assert_non_null(strstr(errors.text, ":1:18: \"file\" is too long with the configuration's directory in front"));
	config_errors_free(&errors);
}

#define RULE(inner) "filter:\n  rules:\n  - {action: drop, " inner "}\n"

static void sets_and_signs_that_yaml_misreads_are_told_to_be_quoted(void **state)
{
	static const struct refusal rows[] = {
		{RULE("from: @office"),
		 "f:3:26: not valid YAML: plain scalar cannot start with '@'; put it in quotes: \"@office\"\n"},
		{RULE("from: [10.0.0.1, @office]"), "put it in quotes: \"@office\"\n"},
		{"filter:\n  rules:\n  - from: @office\n    action: drop\n", "f:3:11: not valid YAML"},
		{"filter:\n  rules:\n  - from: @office\n    action: drop\n", "put it in quotes: \"@office\"\n"},
		{RULE("from: !10.0.0.0/8"),
		 "f:3:26: tags (!name) are refused: values need none here; \"not\" is written in quotes, as in "
		 "\"!10.0.0.0/8\"\n"},
		{RULE("from: [!@office, 10.0.0.1]"), "in \"!@office\"\n"},
		{RULE("from: [!@office]"), "put it in quotes: \"!@office\"\n"},
		{RULE("length: >1500"), "put it in quotes: \">1500\"\n"},
		{"filter:\n  rules:\n  - length: >1500\n    action: drop\n", "put it in quotes: \">1500\"\n"},
		{"filter:\n  rules:\n  - length: >1\n    action: drop\n",
		 "\"\" for \"length\": it is empty; a comparison as \">10\" is written in quotes"},
		{RULE("dport: 80,443"),
		 "f:3:30: unknown key \"443\" in a rule; if it belongs to the value before it, put "
		 "that in quotes, commas and all"},
	};

	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_inline_are_read_in_every_form),
		cmocka_unit_test(sets_in_files_have_defaults_and_paths_from_the_configuration),
		cmocka_unit_test(sets_that_are_wrong_are_refused_with_their_place),
		cmocka_unit_test(sets_more_than_there_is_room_for_are_refused),
		cmocka_unit_test(sets_of_a_path_that_gets_too_long_are_refused),
		cmocka_unit_test(sets_and_signs_that_yaml_misreads_are_told_to_be_quoted),
	};

	return cmocka_run_group_tests_name("config_sets", tests, NULL, NULL);
}
