/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes the configuration parser: any bytes give a form, or an error with a place. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer of the size of one scalar when it refuses a doubled quote in a flow map, as in
 * [{'x': 1}, {'''''x: 1}]. The unit tests under ASan watch over our own use of it. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

/* Rules that were read can be told and compared. */
static void look_through(const struct config *config)
{
	struct config_findings found = {0};

	for (size_t i = 0; i < config->filter.rules_count; i++) {
		char *text = config_rule_format(config, &config->filter.rules[i]);

		if (!text || !*text || !*config->filter.rules[i].name)
			abort();
		free(text);
	}
	if (config_findings_collect(config, 0, &found))
		abort();
	config_findings_free(&found);
}

/* The same verdict, and whatever was read of a refused file can be looked through. */
static void examine(const char *data, size_t size, int expected)
{
	struct config_report report;
	char *words;

	if (config_examine("fuzz.yaml", data, size, 0, &report) != expected ||
	    report.errors.entries.count != report.errors.count)
		abort();
	words = config_findings_format(&report.findings, "fuzz.yaml", data, size);
	if (!words)
		abort();
	free(words);
	config_report_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct config_errors errors = {};
	int error = config_parse("fuzz.yaml", (const char *)data, size, &config, &errors);

	if (error == 0) {
		if (!config || errors.count || !errors.text || *errors.text)
			abort();
		look_through(config);
	} else if (error == -EINVAL) {
		if (config || !errors.count || errors.count > 50 || !errors.text ||
		    strncmp(errors.text, "fuzz.yaml:", 10))
			abort();
	} else {
		abort();
	}
	config_free(config);
	config_errors_free(&errors);
	examine((const char *)data, size, error);
	return 0;
}
