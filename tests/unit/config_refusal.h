/* SPDX-License-Identifier: BSD-2-Clause */
/* Checking that a text is refused as a configuration, with the right place and sentence. */
#ifndef TEST_CONFIG_REFUSAL_H
#define TEST_CONFIG_REFUSAL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "user/base/scope.h"
#include "user/config/config.h"

/* A pool to name, and a service around the part that a row is about. */
#define POOL	       "pools: {p: {backends: [{name: b, address: 10.0.0.1}]}}\n"
#define SERVICE(inner) POOL "services:\n- {" inner "}\n"
#define VIP	       "address: 192.0.2.1, ports: [tcp/80], pools: [p]"
#define IN_POOL(inner) "pools:\n p: {backends: [{address: 10.0.0.1}], " inner "}\n"
#define LIMIT(inner)   "limits:\n- {" inner "}\n"
#define HEALTH(inner)  "pools:\n p:\n  backends: [{address: 10.0.0.1}]\n  health: {" inner "}\n"
#define NAME_59	       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct refusal {
	const char *text, *error; /* error: what the message must contain, from line and column on */
};

static inline void assert_refused(const char *text, size_t size, const char *expected)
{
	struct config *config = (struct config *)(uintptr_t)1;
	struct config_errors errors = {};

	if (config_parse("f", text, size, &config, &errors) != -EINVAL)
		fail_msg("accepted: %.300s", text);
	assert_ptr_equal(config, (void *)(uintptr_t)1);
	assert_true(errors.count > 0);
	if (!strstr(errors.text, expected))
		fail_msg("%.300s\nexpected: %s\ngot: %s", text, expected, errors.text);
	config_errors_free(&errors);
}

/* The form of a text that must be good; path as the file's name. */
static inline struct config *accepted_as(const char *path, const char *text)
{
	struct config *config = NULL;
	struct config_errors errors = {};

	if (config_parse(path, text, strlen(text), &config, &errors))
		fail_msg("%.2000s\nrefused: %s", text, errors.text);
	config_errors_free(&errors);
	return config;
}

static inline void assert_rows(const struct refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_refused(rows[i].text, strlen(rows[i].text), rows[i].error);
}

#endif
