/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: one run tells all of a file that is refused, and claims nothing of what it could not read.
 */
#include "tests/unit/config_refusal.h"

#define NOW_S 1790000000 /* in 2026 */

/* Errors and findings, one a line: "3:5 error SENTENCE" and "3:5 SENTENCE (2:1)". */
static char *report_of(const char *text)
{
	struct config_report report;
	char *out = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&out, &size);

	assert_non_null(file);
	assert_int_equal(config_examine("f", text, strlen(text), NOW_S, &report), -EINVAL);
	assert_int_equal(report.errors.entries.count, report.errors.count);
	for (size_t i = 0; i < report.errors.count; i++) {
		const struct config_finding *entry = &report.errors.entries.findings[i];

		fprintf(file, "%d:%d error %s\n", entry->place.line, entry->place.column, entry->sentence);
	}
	for (size_t i = 0; i < report.findings.count; i++) {
		const struct config_finding *finding = &report.findings.findings[i];

		fprintf(file, "%d:%d %s (%d:%d)\n", finding->place.line, finding->place.column, finding->sentence,
			finding->other.line, finding->other.column);
	}
	fclose(file);
	config_report_free(&report);
	return out;
}

struct row {
	const char *text, *told; /* told: one of the lines, from its beginning */
};

static void report_of_a_refused_file_has_what_is_certain(void **state)
{
	static const struct row rows[] = {
		{"sets: {a: []}\nfilter:\n  rules:\n  - {from: \"@a\", action: drop}\n  - {dport: 70000, action: "
		 "drop}\n",
		 "1:8 set \"a\" is empty: nothing is in it (4:5)\n"},
		{"sets: {a: [10.0.0.0/8], b: [10.0.0.0/8], c: [10.0.0.0/33]}\n",
		 "1:25 set \"b\" holds the same as set \"a\" (1:8)\n"},
		{"filter:\n  rules:\n  - {from: 10.0.0.0/8, action: drop}\n  - {name: n, from: 10.0.0.0/9, action: "
		 "pass}\n"
		 "  - {dport: 70000, action: drop}\n",
		 "4:5 rule \"n\" can never match: rule \"from-10.0.0.0_8-drop\" ahead of it takes all that it would "
		 "match "
		 "(3:5)\n"},
		{"filter:\n  rules:\n  - {dport: 70000, action: drop}\n  - {name: n, dport: 1, action: pass}\n",
		 "4:5 rule \"n\" has no effect: the default passes what it passes (1:1)\n"},
		{"filter:\n  rules:\n  - {name: n, dport: 70000, action: drop, expires: 2020-01-01}\n",
		 "3:5 rule \"n\" has expired: it does nothing any more (0:0)\n"},
		{"limits: [{name: l, match: {to: \"@vips\"}, rate: 1/s}]\nfilter:\n  rules:\n  - {name: n, limit: l}\n"
		 "  - {dport: 70000, action: drop}\n",
		 "4:5 rule \"n\" charges limit \"l\", which takes everything to the VIPs anyway by its \"match\" "
		 "(1:10)\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *found = report_of(rows[i].text);

		if (!strstr(found, rows[i].told))
			fail_msg("%s\nnot told: %s\ntold: %s", rows[i].text, rows[i].told, found);
	}
}

/* Each of these would tell something if what is refused in it were not there, or were all there is. */
static void report_of_a_refused_file_claims_nothing_of_what_it_could_not_read(void **state)
{
	static const char *const texts[] = {
		/* the rule ahead */
		"filter:\n  rules:\n  - {from: 10.0.0.0/8, dport: 70000, action: drop}\n"
		"  - {from: 10.0.0.0/9, action: drop}\n",
		/* the rule behind */
		"filter:\n  rules:\n  - {from: 10.0.0.0/8, action: drop}\n"
		"  - {from: [10.0.0.0/9, 192.0.2.1/24], action: drop}\n",
		/* what may have meant the set */
		"sets: {office: [10.0.0.0/8]}\nfilter:\n  rules:\n  - {from: \"@ofice\", action: drop}\n",
		"sets: {office: [10.0.0.0/8]}\nfliter:\n  rules:\n  - {from: \"@office\", action: drop}\n",
		/* the rest of a set */
		"sets: {a: [10.0.0.0/8, 10.0.0.1/8]}\nfilter:\n  rules:\n  - {from: 10.0.0.0/8, action: drop}\n"
		"  - {from: \"@a\", action: drop}\n",
		"sets: {a: [10.0.0.0/8, 10.0.0.1/8]}\nfilter:\n  rules:\n"
		"  - {from: [192.0.2.0/24, \"!@a\"], action: drop}\n  - {from: 192.0.2.1, action: drop}\n",
		"sets: {a: [10.0.0.0/8, 10.0.0.1/8], b: [10.0.0.0/8]}\nfilter:\n  rules:\n"
		"  - {from: [\"@a\", \"@b\"], action: drop}\n",
		"sets: {a: [10.0.0.1/8]}\nfilter:\n  rules:\n  - {from: \"@a\", action: drop}\n",
		"sets: {a: [10.0.0.0/8, \"2001:db8::1/48\"]}\nfilter:\n  rules:\n"
		"  - {from: \"@a\", to: \"2001:db8:1::/48\", action: drop}\n",
		/* the rest of the services */
		"servces: []\nfilter:\n  rules:\n  - {to: \"@vips\", action: drop}\n",
		"pools: {p: {backends: [{address: 10.0.0.1}]}}\n"
		"services: [{address: [192.0.2.1, 192.0.2.300], ports: tcp/80, pools: p}]\nfilter:\n  rules:\n"
		"  - {to: 192.0.2.1, action: drop}\n  - {to: \"@vips\", action: drop}\n",
		"pools: {p: {backends: [{address: 10.0.0.1}]}}\n"
		"services: [{address: [192.0.2.1, \"2001:db8::x\"], ports: tcp/80, pools: p}]\nfilter:\n  rules:\n"
		"  - {from: \"2001:db8::/32\", to: \"@vips\", action: drop}\n",
		/* the rules behind, and the default */
		"filter:\n  rules:\n  - {dport: 1, action: pass}\n  - {dport: 70000, action: drop}\n",
		"filter:\n  rules:\n  - {dport: 1, action: pass}\n  - [a]\n",
		"filter:\n  rules:\n  - {dport: 1, action: pass}\n  - {dport: 1-70000, action: drop, mode: off}\n",
		"filter:\n  defualt: drop\n  rules:\n  - {dport: 1, action: pass}\n",
		"filter:\n  default: dorp\n  rules:\n  - {dport: 1, action: pass}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_FREE char *found = report_of(texts[i]);

		/* The one error, which is the first line, and nothing behind it. */
		if (!strstr(found, " error ") || strchr(found, '\n')[1])
			fail_msg("%s\ntold: %s", texts[i], found);
	}
}

static void report_of_a_good_file_has_the_configuration_and_its_findings(void **state)
{
	static const char text[] = "sets:\n  a: []\n";
	struct config_report report;
	AUTO_FREE char *words = NULL;

	(void)state;
	assert_int_equal(config_examine("f", text, strlen(text), NOW_S, &report), 0);
	assert_non_null(report.config);
	assert_false(report.config->refused);
	assert_int_equal(report.errors.count + report.errors.entries.count, 0);
	words = config_findings_format(&report.findings, "f", text, strlen(text));
	assert_string_equal(words, "f:2:3: warning: set \"a\" is named by no rule; name it in a rule, or remove it\n"
				   "    2 |   a: []\n"
				   "      |   ^\n"
				   "f:2:3: warning: set \"a\" is empty: nothing is in it; add prefixes, or remove it\n"
				   "    2 |   a: []\n"
				   "      |   ^\n");
	config_report_free(&report);
}

static void report_of_what_is_no_configuration_has_the_reason(void **state)
{
	struct config_report report;

	(void)state;
	assert_int_equal(config_examine("f", "a: [", 4, NOW_S, &report), -EINVAL);
	assert_null(report.config);
	assert_int_equal(report.errors.entries.count, 1);
	config_report_free(&report);
	assert_int_equal(config_examine_file("/nowhere/weir.yaml", NOW_S, &report), -ENOENT);
	assert_null(report.config);
	assert_string_equal(report.errors.text, "/nowhere/weir.yaml: cannot be read: No such file or directory\n");
	config_report_free(&report);
}

/* Reading stops after so many errors: what comes behind is not known. */
static void report_of_more_errors_than_are_told_has_no_findings(void **state)
{
	AUTO_FREE char *text = NULL;
	struct config_report report;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(file);
	fputs("filter:\n  rules:\n  - {dport: 1, action: drop}\n  - {dport: 1, action: drop}\n", file);
	for (int i = 0; i < 60; i++)
		fputs("  - {dport: 70000, action: drop}\n", file);
	fclose(file);
	assert_int_equal(config_examine("f", text, size, NOW_S, &report), -EINVAL);
	assert_int_equal(report.errors.entries.count, 50);
	assert_int_equal(report.findings.count, 0);
	config_report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_of_a_refused_file_has_what_is_certain),
		cmocka_unit_test(report_of_a_refused_file_claims_nothing_of_what_it_could_not_read),
		cmocka_unit_test(report_of_a_good_file_has_the_configuration_and_its_findings),
		cmocka_unit_test(report_of_what_is_no_configuration_has_the_reason),
		cmocka_unit_test(report_of_more_errors_than_are_told_has_no_findings),
	};

	return cmocka_run_group_tests_name("config_report", tests, NULL, NULL);
}
