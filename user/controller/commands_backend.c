/* SPDX-License-Identifier: BSD-2-Clause */
/* The operators' overrides of backends. */
#include "composition.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

static const char *find_name(json_t *arguments, struct problem *problem)
{
	const char *name = json_string_value(json_object_get(arguments, "name"));

	if (!name)
		problem_set(problem, -EINVAL, "no backend was named");
	return name;
}

/* The backends that the name means, as they are after the change. */
static json_t *answer(const struct controller *controller, const char *name)
{
	json_t *all = status_backends_json(controller), *named = json_array(), *row;
	const char *slash = strchr(name, '/');
	const char *backend = slash ? slash + 1 : name;
	size_t i;

	json_array_foreach(all, i, row) {
		const char *pool = json_string_value(json_object_get(row, "pool"));

		if (strcmp(json_string_value(json_object_get(row, "name")), backend) != 0)
			continue;
		if (!slash || (strlen(pool) == (size_t)(slash - name) && !strncmp(pool, name, strlen(pool))))
			json_array_append(named, row);
	}
	json_decref(all);
	return json_pack("{s:o}", "backends", named);
}

json_t *command_backend_admin(struct controller *controller, uint32_t admin, json_t *arguments, struct problem *problem)
{
	const char *name = find_name(arguments, problem);

	if (!name || reconcile_backend_admin(controller->reconcile, name, admin, problem))
		return NULL;
	return answer(controller, name);
}

json_t *command_backend_weight(struct controller *controller, uint32_t which, json_t *arguments,
			       struct problem *problem)
{
	const char *name = find_name(arguments, problem);
	const json_t *value = json_object_get(arguments, "weight");
	int weight = -1;

	(void)which;
	if (!name)
		return NULL;
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= RECONCILE_WEIGHT_MAX) {
		weight = (int)json_integer_value(value);
	} else if (!json_is_null(value)) {
		problem_set(problem, -EINVAL, "a weight is a whole number from 0 to %d, or null for the configured one",
			    RECONCILE_WEIGHT_MAX);
		return NULL;
	}
	if (reconcile_backend_weight(controller->reconcile, name, weight, problem))
		return NULL;
	return answer(controller, name);
}
