/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that put another configuration in force. */
#include "change.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

static bool is_same_file(const struct controller *controller, const char *path)
{
	AUTO_FREE char *resolved = realpath(path, NULL);

	return !strcmp(controller->config_path, resolved ? resolved : path);
}

int command_apply(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem)
{
	const json_t *text = json_object_get(arguments, "text"), *base = json_object_get(arguments, "base");
	const char *path = json_string_value(json_object_get(arguments, "path"));

	(void)unused;
	if (!path || !json_is_string(text))
		return problem_set(problem, -EINVAL, "apply needs the path and the text of a configuration");
	change->kind = CHANGE_APPLY;
	change->dry_run = json_is_true(json_object_get(arguments, "dry_run"));
	if (json_is_integer(base))
		change->base = json_integer_value(base);
	change->path = strdup(path);
	change->text_size = json_string_length(text);
	change->text = malloc(change->text_size + 1);
	if (!change->path || !change->text)
		return problem_set(problem, -ENOMEM, "out of memory");
	memcpy(change->text, json_string_value(text), change->text_size + 1);
	return 0;
}

json_t *command_applied(const struct change *change, struct problem *problem)
{
	const struct controller *controller = change->controller;

	(void)problem;
	return json_pack("{s:I, s:O, s:O, s:b, s:o, s:b}", "generation",
			 (json_int_t)reconcile_generation(controller->reconcile), "changes", change->changes,
			 "warnings", change->warnings, "dry_run", change->dry_run, "starts_from",
			 json_text(controller->config_path), "same_file", is_same_file(controller, change->path));
}

int command_reload(struct change *change, uint32_t unused, json_t *arguments, struct problem *problem)
{
	(void)unused;
	(void)arguments;
	(void)problem;
	change->kind = CHANGE_RELOAD;
	return 0;
}

json_t *command_reloaded(const struct change *change, struct problem *problem)
{
	(void)problem;
	return json_pack("{s:I, s:O, s:O}", "generation",
			 (json_int_t)reconcile_generation(change->controller->reconcile), "changes", change->changes,
			 "warnings", change->warnings);
}
