/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the program on the configured interfaces while devices come, go and change their names. */
#include "composition.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>

struct found_links {
	struct kernel_link links[2 * WEIR_MAX_INTERFACES];
	size_t count;
};

static void collect_link(void *arg, const struct kernel_link *link)
{
	struct found_links *found = arg;

	if (found->count < ARRAY_SIZE(found->links))
		found->links[found->count++] = *link;
}

static const struct kernel_link *find_link(const struct found_links *found, const char *name)
{
	for (size_t i = 0; i < found->count; i++)
		if (!strcmp(found->links[i].interface, name))
			return &found->links[i];
	return NULL;
}

static bool is_link_of(const struct kernel_link *link, unsigned int ifindex)
{
	return link && link->mode && link->ifindex && link->ifindex == ifindex;
}

/* Says once what keeps the interface from being filtered, or from being so in the wanted mode. */
static void report_why(struct controller_interface *interface, json_t *warnings, const char *why, const char *hint)
{
	char text[sizeof(interface->why)];

	snprintf(text, sizeof(text), "%s%s%s", why, *hint ? "; " : "", hint);
	if (strcmp(interface->why, text) != 0 && interface->attached)
		controller_warn(warnings, "interface %s stays in %s mode: %s", interface->name,
				interface->generic ? "generic" : "native", text);
	else if (strcmp(interface->why, text) != 0)
		controller_warn(warnings, "interface %s is not filtered: %s", interface->name, text);
	snprintf(interface->why, sizeof(interface->why), "%s", text);
}

static void warn_of_forwarding(const struct controller *controller, const char *name, json_t *warnings)
{
	json_t *sentences = json_array();

	paths_check_forwarding(reconcile_config(controller->reconcile), name, sentences);
	controller_warn_all(warnings, sentences);
}

static bool mode_fits(const struct controller_interface *interface, const struct kernel_link *link)
{
	return interface->mode == CONFIG_XDP_AUTO || (interface->mode == CONFIG_XDP_GENERIC) == (link->mode == 1);
}

/* An attach that was refused leaves the interface in its former mode, when it had one. */
static void report_refusal(struct controller *controller, struct controller_interface *interface, json_t *warnings,
			   const struct problem *problem)
{
	unsigned int ifindex = if_nametoindex(interface->name);
	struct found_links found = {0};
	const struct kernel_link *link;

	kernel_links(controller->pin_directory, collect_link, &found);
	link = find_link(&found, interface->name);
	interface->attached = is_link_of(link, ifindex);
	if (interface->attached)
		interface->generic = link->mode == 1;
	report_why(interface, warnings, problem->text, problem->hint);
}

static void attach(struct controller *controller, struct controller_interface *interface, json_t *warnings)
{
	unsigned int ifindex = if_nametoindex(interface->name);
	bool generic = false, was_attached = interface->attached;
	struct problem problem = {0};

	interface->attached = false;
	interface->missing = !ifindex;
	if (!ifindex) {
		report_why(interface, warnings, "there is no such device", "it will be attached when it appears");
		return;
	}
	if (kernel_attach(controller->kernel, interface->name, (enum kernel_attach_mode)interface->mode, &generic,
			  &problem)) {
		report_refusal(controller, interface, warnings, &problem);
		return;
	}
	if (!was_attached)
		log_info("interface %s: attached in %s mode", interface->name, generic ? "generic" : "native");
	if (generic && interface->mode == CONFIG_XDP_AUTO && (!interface->generic || !was_attached))
		controller_warn(
			warnings,
			"interface %s: generic mode is used, which costs several times the CPU (native: %s); use a "
			"NIC and driver with XDP, or write mode: generic if this is meant",
			interface->name, *problem.text ? problem.text : "the driver has none");
	warn_of_forwarding(controller, interface->name, warnings);
	interface->attached = true;
	interface->generic = generic;
	interface->ifindex = ifindex;
	interface->why[0] = '\0';
}

static struct controller_interface *find_interface(struct controller_interface *interfaces, size_t count,
						   const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(interfaces[i].name, name))
			return &interfaces[i];
	return NULL;
}

static void detach(struct controller *controller, const char *name, json_t *warnings)
{
	struct problem problem = {0};
	int err = kernel_detach(controller->pin_directory, name, &problem);

	if (err && err != -ENOENT)
		controller_warn(warnings, "interface %s could not be detached: %s", name, problem.text);
	else if (!err)
		log_info("interface %s: detached, the configuration does not name it", name);
}

void interfaces_set(struct controller *controller, const struct config *config, bool at_start, json_t *warnings)
{
	struct controller_interface next[WEIR_MAX_INTERFACES] = {0};
	size_t count = config->interfaces_count;
	struct found_links found = {0};

	if (count > ARRAY_SIZE(next))
		count = ARRAY_SIZE(next);
	kernel_links(controller->pin_directory, collect_link, &found);
	for (size_t i = 0; i < count; i++) {
		const struct config_interface *wanted = &config->interfaces[i];
		struct controller_interface *old =
			find_interface(controller->interfaces, controller->interfaces_count, wanted->name);

		if (old)
			next[i] = *old;
		snprintf(next[i].name, sizeof(next[i].name), "%s", wanted->name);
		if (at_start || !old || !old->attached || *old->why || old->mode != wanted->mode) {
			next[i].mode = wanted->mode;
			attach(controller, &next[i], warnings);
		}
	}
	for (size_t i = 0; !at_start && i < controller->interfaces_count; i++)
		if (!find_interface(next, count, controller->interfaces[i].name))
			detach(controller, controller->interfaces[i].name, warnings);
	for (size_t i = 0; at_start && count && i < found.count; i++)
		if (!find_interface(next, count, found.links[i].interface))
			detach(controller, found.links[i].interface, warnings);
	memcpy(controller->interfaces, next, sizeof(next));
	controller->interfaces_count = count;
	marks_keep(controller, true, at_start, warnings);
	interfaces_check(controller);
}

static void check(struct controller *controller, struct controller_interface *interface, const struct kernel_link *link)
{
	unsigned int ifindex = if_nametoindex(interface->name);
	char other[IF_NAMESIZE], why[96];

	if (is_link_of(link, ifindex)) {
		bool fits = mode_fits(interface, link);

		if (!interface->attached || (fits && *interface->why))
			log_info("interface %s: attached again", interface->name);
		interface->attached = true;
		interface->missing = false;
		interface->generic = link->mode == 1;
		interface->ifindex = ifindex;
		interface->program_id = link->program_id;
		if (fits)
			interface->why[0] = '\0';
		return;
	}
	if (link && link->mode && !ifindex && if_indextoname(link->ifindex, other)) {
		snprintf(why, sizeof(why), "the device is now called %s, and filtered there", other);
		if (strcmp(interface->why, why) != 0)
			log_warning("interface %s: %s; put the new name into the configuration, or the old one back",
				    interface->name, why);
		snprintf(interface->why, sizeof(interface->why), "%s", why);
		return;
	}
	if (interface->attached && ifindex) {
		log_warning("interface %s: something took the program off; attaching it again", interface->name);
		interface->attached = false;
	}
	attach(controller, interface, NULL);
}

void interfaces_check(struct controller *controller)
{
	struct found_links found = {0};

	kernel_links(controller->pin_directory, collect_link, &found);
	for (size_t i = 0; i < controller->interfaces_count; i++)
		check(controller, &controller->interfaces[i], find_link(&found, controller->interfaces[i].name));
	marks_keep(controller, false, false, NULL);
}

json_t *interfaces_json(const struct controller *controller)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < controller->interfaces_count; i++) {
		const struct controller_interface *interface = &controller->interfaces[i];
		const char *mode = interface->generic ? "generic" : "native";

		json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:i, s:s}", "name", interface->name, "mode",
						      interface->attached ? mode : "detached", "ifindex",
						      interface->attached ? (int)interface->ifindex : 0, "program_id",
						      interface->attached ? (int)interface->program_id : 0, "why",
						      interface->why));
	}
	return rows;
}
