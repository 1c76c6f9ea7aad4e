/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/model: names and their stable ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/model/model.h"

static struct model_registry make_registry(void)
{
	struct model_registry registry = {.names = calloc(WEIR_NAMES_TOTAL, sizeof(struct weir_name))};

	assert_non_null(registry.names);
	return registry;
}

static bool odd_in_use(void *arg, enum model_kind kind, uint32_t id)
{
	(void)arg;
	(void)kind;
	return id % 2;
}

static bool all_in_use(void *arg, enum model_kind kind, uint32_t id)
{
	(void)arg;
	(void)kind;
	(void)id;
	return true;
}

static uint32_t assign(struct model_registry *registry, enum model_kind kind, const char *name, bool expect_fresh)
{
	struct problem problem;
	uint32_t id = 0;
	bool fresh = !expect_fresh;

	assert_int_equal(model_registry_assign(registry, kind, name, odd_in_use, NULL, &id, &fresh, &problem), 0);
	assert_int_equal(fresh, expect_fresh);
	return id;
}

static void model_registry_names_assigned_again_keep_their_ids(void **state)
{
	struct model_registry registry = make_registry();
	uint32_t one = assign(&registry, MODEL_BACKEND, "pool/one", true);
	uint32_t two = assign(&registry, MODEL_BACKEND, "pool/two", true);

	(void)state;
	assert_int_not_equal(one, 0);
	assert_int_not_equal(two, one);
	assert_int_equal(assign(&registry, MODEL_BACKEND, "pool/one", false), one);
	assert_int_equal(model_registry_find(&registry, MODEL_BACKEND, "pool/two"), two);
	assert_string_equal(model_registry_name(&registry, MODEL_BACKEND, two), "pool/two");
	/* Kinds do not share names. */
	assert_int_equal(model_registry_find(&registry, MODEL_SERVICE, "pool/two"), 0);
	assert_int_not_equal(assign(&registry, MODEL_SERVICE, "pool/two", true), 0);
	assert_null(model_registry_name(&registry, MODEL_LIMIT, one));
	assert_null(model_registry_name(&registry, MODEL_BACKEND, 0));
	assert_null(model_registry_name(&registry, MODEL_BACKEND, WEIR_MAX_BACKENDS));
	free(registry.names);
}

static void fill_limits(struct model_registry *registry)
{
	for (int i = 1; i < WEIR_MAX_LIMITS; i++) {
		char name[WEIR_NAME_MAX];

		snprintf(name, sizeof(name), "limit%d", i);
		assert_int_equal(assign(registry, MODEL_LIMIT, name, true), i);
	}
}

static void model_registry_no_fresh_id_left_reuses_one_that_is_not_in_use(void **state)
{
	struct model_registry registry = make_registry();

	(void)state;
	fill_limits(&registry);
	assert_int_equal(assign(&registry, MODEL_LIMIT, "late", true), 2);
	assert_string_equal(model_registry_name(&registry, MODEL_LIMIT, 2), "late");
	assert_int_equal(model_registry_find(&registry, MODEL_LIMIT, "limit2"), 0);
	assert_int_equal(model_registry_find(&registry, MODEL_LIMIT, "limit3"), 3);
	free(registry.names);
}

static void model_registry_all_ids_in_use_is_refused_by_name(void **state)
{
	struct model_registry registry = make_registry();
	struct problem problem;
	uint32_t id = 99;
	bool fresh = true;

	(void)state;
	fill_limits(&registry);
	assert_int_equal(model_registry_assign(&registry, MODEL_LIMIT, "late", all_in_use, NULL, &id, &fresh, &problem),
			 -ENOSPC);
	assert_int_equal(id, 99);
	assert_non_null(strstr(problem.text, "WEIR_MAX_LIMITS"));
	assert_int_equal(model_registry_find(&registry, MODEL_LIMIT, "limit2"), 2);
	free(registry.names);
}

static void model_registry_long_name_is_refused(void **state)
{
	struct model_registry registry = make_registry();
	char name[WEIR_NAME_MAX + 1];
	struct problem problem;
	uint32_t id;
	bool fresh;

	(void)state;
	memset(name, 'a', WEIR_NAME_MAX);
	name[WEIR_NAME_MAX] = '\0';
	assert_int_equal(model_registry_assign(&registry, MODEL_SERVICE, name, NULL, NULL, &id, &fresh, &problem),
			 -ENAMETOOLONG);
	name[WEIR_NAME_MAX - 1] = '\0';
	assert_int_equal(model_registry_assign(&registry, MODEL_SERVICE, name, NULL, NULL, &id, &fresh, &problem), 0);
	assert_int_equal(model_registry_find(&registry, MODEL_SERVICE, name), id);
	free(registry.names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_registry_names_assigned_again_keep_their_ids),
		cmocka_unit_test(model_registry_no_fresh_id_left_reuses_one_that_is_not_in_use),
		cmocka_unit_test(model_registry_all_ids_in_use_is_refused_by_name),
		cmocka_unit_test(model_registry_long_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
