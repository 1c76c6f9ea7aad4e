/* SPDX-License-Identifier: BSD-2-Clause */
/* From one configuration to the next: what changes, and everything that follows the policy. */
#include "composition.h"
#include "../base/json.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

void controller_warn(json_t *warnings, const char *format, ...)
{
	va_list arguments;
	char text[1024];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_warning("%s", text);
	if (warnings)
		json_array_append_new(warnings, json_text(text));
}

void controller_warn_all(json_t *warnings, json_t *sentences)
{
	const json_t *sentence;
	size_t i;

	json_array_foreach(sentences, i, sentence)
		controller_warn(warnings, "%s", json_string_value(sentence));
	json_decref(sentences);
}

static void warn_of_routes(const struct controller *controller, const struct config *config, json_t *warnings)
{
	json_t *sentences = json_array();

	paths_check_routes(config, controller->routes, sentences);
	controller_warn_all(warnings, sentences);
}

void controller_diff(const struct config *old, const struct config *new, json_t *changes)
{
	AUTO_FREE char *text = NULL;
	char *rest, *line;

	if (!changes || model_diff(old, new, &text) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			json_array_append_new(changes, json_string(line));
}

static void warn_of_restart(const struct controller *controller, const struct config *config, json_t *warnings)
{
	const struct {
		const char *key, *now, *wanted;
	} fixed[] = {
		{"control.socket", controller->control_socket, config->control_socket},
		{"dataplane.pins", controller->pin_directory, config->pin_directory},
		{"state.directory", controller->state_directory, config->state_directory},
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(fixed[i].now, fixed[i].wanted) != 0)
			controller_warn(warnings, "%s stays %s until the controller is started again", fixed[i].key,
					fixed[i].now);
}

void controller_follow(struct controller *controller, bool at_start, json_t *warnings)
{
	const struct config *config = reconcile_config(controller->reconcile);
	int err;

	controller->applies++;
	log_info("generation %u is live, from %s", reconcile_generation(controller->reconcile), config->path);
	warn_of_restart(controller, config, warnings);
	interfaces_set(controller, config, at_start, warnings);
	warn_of_routes(controller, config, warnings);
	neighbours_keep(controller);
	err = targets_set(controller);
	if (err)
		controller_warn(warnings, "the backends' health checks could not be changed: %s", strerror(-err));
	exporters_set(controller, config, warnings);
}
