/* SPDX-License-Identifier: BSD-2-Clause */
/* The sections that say where Weir sits and whom it never cuts off: interfaces and protect. */
#include "form.h"

#include <netinet/in.h>
#include <string.h>

#include "../base/scope.h"

/* What the kernel takes as a name (dev_valid_name in net/core/dev.c), less what is not printable. */
static bool read_interface_name(struct form *form, const struct yaml_node *node, struct config_interface *interface)
{
	const char *text = form_text(form, node);

	if (!text)
		return false;
	if (!*text || !strcmp(text, ".") || !strcmp(text, "..") || strpbrk(text, "/: \t\n\r\v\f")) {
		errors_add(form->errors, node->place, "\"%s\" cannot be the name of an interface", SHOWN(text));
		return false;
	}
	return form_string(form, node, interface->name, sizeof(interface->name));
}

static void read_name(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_interface *interface = object;

	read_interface_name(form, node, interface);
}

static void read_mode(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"auto", CONFIG_XDP_AUTO}, {"native", CONFIG_XDP_NATIVE}, {"generic", CONFIG_XDP_GENERIC}};
	struct config_interface *interface = object;
	int mode;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &mode))
		interface->mode = (enum config_xdp_mode)mode;
}

static bool read_interface(struct form *form, const struct yaml_node *node, void *item)
{
	static const struct form_key keys[] = {{"name", read_name, true}, {"mode", read_mode, false}};
	static const char *const later[] = {"attach", NULL};
	static const struct form_map map = {"an interface", keys, ARRAY_SIZE(keys), later};
	struct config_interface *interface = item;

	interface->place = node->place;
	if (node->kind == YAML_SCALAR)
		return read_interface_name(form, node, interface);
	return form_read_map(form, node, &map, interface) && *interface->name;
}

void form_interfaces(struct form *form, const struct yaml_node *node)
{
	static const struct form_list list = {sizeof(struct config_interface), read_interface, false, true};
	struct config *config = form->config;
	AUTO_NAMES struct form_names names = {};

	if (!form_read_list(form, node, &list, &config->interfaces, &config->interfaces_count))
		return;
	for (size_t i = 0; i < config->interfaces_count; i++)
		form_names_add(form, &names, "interface", config->interfaces[i].name, config->interfaces[i].place);
	if (config->interfaces_count > WEIR_MAX_INTERFACES)
		errors_add(form->errors, node->place, "%zu interfaces, at most %d (WEIR_MAX_INTERFACES)",
			   config->interfaces_count, WEIR_MAX_INTERFACES);
}

static bool read_prefix(struct form *form, const struct yaml_node *node, void *item)
{
	return form_prefix(form, node, item);
}

static bool read_protected_ports(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_ports *ports = item;

	if (!form_ports(form, node, ports))
		return false;
	if (ports->protocol != IPPROTO_ICMP)
		return true;
	errors_add(form->errors, node->place,
		   "protect knows ports of tcp and udp; without ports it covers all protocols");
	return false;
}

static void read_from(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct prefix), read_prefix, true, false};
	struct config_protect *protect = object;

	form_read_list(form, node, &list, &protect->from, &protect->from_count);
}

static void read_ports(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct config_ports), read_protected_ports, true, false};
	struct config_protect *protect = object;

	form_read_list(form, node, &list, &protect->ports, &protect->ports_count);
}

static bool read_protect(struct form *form, const struct yaml_node *node, void *item)
{
	static const struct form_key keys[] = {{"from", read_from, true}, {"ports", read_ports, false}};
	static const struct form_map map = {"an entry of protect", keys, ARRAY_SIZE(keys), NULL};
	struct config_protect *protect = item;

	protect->place = node->place;
	return form_read_map(form, node, &map, protect);
}

void form_protect(struct form *form, const struct yaml_node *node)
{
	static const struct form_list list = {sizeof(struct config_protect), read_protect, false, false};
	struct config *config = form->config;
	size_t prefixes = 0;

	if (!form_read_list(form, node, &list, &config->protects, &config->protects_count))
		return;
	for (size_t i = 0; i < config->protects_count; i++)
		prefixes += config->protects[i].from_count;
	if (prefixes > WEIR_MAX_PROTECT)
		errors_add(form->errors, node->place, "%zu protected prefixes, at most %d (WEIR_MAX_PROTECT)", prefixes,
			   WEIR_MAX_PROTECT);
}
