/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the program that sets marks beside the edge program while the configuration has a rule that marks. */
#include "composition.h"
#include "../base/log.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>

/* Whatever its mode: an operator may switch it on at any time. */
static bool has_marks(const struct config *config)
{
	for (size_t i = 0; config && i < config->filter.rules_count; i++)
		if (config->filter.rules[i].action == CONFIG_ACTION_MARK)
			return true;
	return false;
}

static void attach(struct controller *controller, struct controller_interface *interface, bool renew, json_t *warnings)
{
	bool is_there = kernel_mark_is_attached(controller->pin_directory, interface->name);
	struct problem problem = {0};

	/* A device that has another name by now keeps its program. */
	if ((is_there && !renew) || !if_nametoindex(interface->name))
		return;
	if (!kernel_mark_attach(controller->pin_directory, interface->name, &problem)) {
		if (!is_there)
			log_info("interface %s: the program that sets the marks of rules is attached", interface->name);
		interface->why_unmarked[0] = '\0';
		return;
	}
	if (strcmp(interface->why_unmarked, problem.text) != 0)
		controller_warn(warnings, "interface %s: packets get no marks: %s%s%s", interface->name, problem.text,
				*problem.hint ? "; " : "", problem.hint);
	snprintf(interface->why_unmarked, sizeof(interface->why_unmarked), "%s", problem.text);
}

struct leftovers {
	struct controller *controller;
	bool is_wanted;
};

static void detach_leftover(void *arg, const char *name)
{
	struct leftovers *leftovers = arg;
	struct controller *controller = leftovers->controller;
	struct problem problem = {0};
	int err;

	for (size_t i = 0; leftovers->is_wanted && i < controller->interfaces_count; i++)
		if (!strcmp(controller->interfaces[i].name, name))
			return;
	err = kernel_mark_detach(controller->pin_directory, name, &problem);
	if (err && err != -ENOENT)
		log_warning("%s; %s", problem.text, problem.hint);
	else if (!err)
		log_info("interface %s: the program that sets the marks of rules is taken off", name);
}

/* Told once a configuration. */
static void watch_losses(struct controller *controller, bool is_new)
{
	uint64_t lost = 0;

	if (kernel_marks_lost(controller->pin_directory, &lost))
		return;
	if (is_new) {
		controller->marks_lost = lost;
		controller->told_marks_lost = false;
	}
	if (lost == controller->marks_lost || controller->told_marks_lost)
		return;
	log_warning(
		"packets pass without the mark of their rule (%llu, reason unmarked in `weir stats`): the driver "
		"leaves no room for it; write mode: generic for the interface, which costs several times the CPU, or "
		"match by address in nftables",
		(unsigned long long)(lost - controller->marks_lost));
	controller->told_marks_lost = true;
}

void marks_prepare(struct controller *controller, const struct config *config, json_t *warnings)
{
	for (size_t i = 0; has_marks(config) && i < controller->interfaces_count; i++)
		if (controller->interfaces[i].attached)
			attach(controller, &controller->interfaces[i], false, warnings);
}

void marks_keep(struct controller *controller, bool is_new, bool renew, json_t *warnings)
{
	struct leftovers leftovers = {.controller = controller,
				      .is_wanted = has_marks(reconcile_config(controller->reconcile))};

	for (size_t i = 0; leftovers.is_wanted && i < controller->interfaces_count; i++)
		if (controller->interfaces[i].attached)
			attach(controller, &controller->interfaces[i], renew, warnings);
	kernel_marks(controller->pin_directory, detach_leftover, &leftovers);
	if (leftovers.is_wanted)
		watch_losses(controller, is_new);
}
