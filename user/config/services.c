/* SPDX-License-Identifier: BSD-2-Clause */
/* The section of services: VIPs, ports, and the pools that serve them. */
#include "form.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

struct service_draft {
	struct config_service *service;
	const struct yaml_node *pools;
};

static void read_name(struct form *form, const struct yaml_node *node, void *object)
{
	struct service_draft *draft = object;

	form_name(form, node, draft->service->name);
}

static bool read_vip(struct form *form, const struct yaml_node *node, void *item)
{
	return form_address(form, node, item);
}

static void read_address(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct addr), read_vip, true, false};
	struct service_draft *draft = object;
	struct config_service *service = draft->service;
	AUTO_NAMES struct form_names names = {};
	char text[ADDR_TEXT_MAX];

	form_read_list(form, node, &list, &service->addresses, &service->addresses_count);
	for (size_t i = 0; i < service->addresses_count; i++)
		form_names_add(form, &names, "address", addr_format(&service->addresses[i], text), node->place);
}

static bool read_one_ports(struct form *form, const struct yaml_node *node, void *item)
{
	return form_ports(form, node, item);
}

static void read_ports(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(struct config_ports), read_one_ports, true, false};
	struct service_draft *draft = object;

	form_read_list(form, node, &list, &draft->service->ports, &draft->service->ports_count);
}

static bool read_pool_reference(struct form *form, const struct yaml_node *node, void *item)
{
	const struct config *config = form->config;
	const char *text = form_text(form, node);
	struct nearest nearest = {.word = text};
	size_t *index = item;

	if (!text)
		return false;
	for (size_t i = 0; i < config->pools_count; i++) {
		if (!strcmp(config->pools[i].name, text)) {
			*index = i;
			return true;
		}
	}
	for (size_t i = 0; i < config->pools_count; i++)
		nearest_try(&nearest, config->pools[i].name);
	errors_add(form->errors, node->place, "there is no pool \"%s\"%s", SHOWN(text), MEANT(&nearest));
	return false;
}

static void read_pools(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_list list = {sizeof(size_t), read_pool_reference, true, false};
	struct service_draft *draft = object;
	struct config_service *service = draft->service;
	AUTO_NAMES struct form_names names = {};

	draft->pools = node;
	form_read_list(form, node, &list, &service->pools, &service->pools_count);
	for (size_t i = 0; i < service->pools_count; i++)
		form_names_add(form, &names, "pool", form->config->pools[service->pools[i]].name, node->place);
}

static void read_fallback(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"reject", WEIR_FALLBACK_REJECT}, {"drop", WEIR_FALLBACK_DROP}, {"kernel", WEIR_FALLBACK_KERNEL}};
	struct service_draft *draft = object;
	int fallback;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &fallback))
		draft->service->fallback = (enum weir_fallback)fallback;
}

static void read_affinity(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {
		{"flow", WEIR_AFFINITY_FLOW}, {"source", WEIR_AFFINITY_SOURCE}, {"quic-cid", -1}};
	struct service_draft *draft = object;
	int affinity;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &affinity))
		draft->service->affinity = (enum weir_affinity)affinity;
}

/* L2 forwarding changes no IP header, and the next hop is looked up in the packet's own family. */
static void check_l2_families(struct form *form, const struct service_draft *draft, const struct config_pool *pool)
{
	const struct config_service *service = draft->service;

	for (size_t i = 0; i < pool->backends_count; i++) {
		const struct addr *backend = &pool->backends[i].address;
		char vip_text[ADDR_TEXT_MAX];

		for (size_t j = 0; backend->family && j < service->addresses_count; j++) {
			if (service->addresses[j].family == backend->family)
				continue;
			errors_add(form->errors, draft->pools->place,
				   "pool \"%s\" forwards by l2, but backend \"%s\" is not of the family of the VIP %s: "
				   "use ipip, or "
				   "a service for each family",
				   pool->name, pool->backends[i].name, addr_format(&service->addresses[j], vip_text));
			return;
		}
	}
}

static void name_by_content(struct config_service *service)
{
	const struct config_ports *ports = service->ports;
	const char *protocol;
	size_t used;

	if (*service->name || !service->addresses_count || !service->ports_count)
		return;
	protocol = ports->protocol == IPPROTO_TCP ? "tcp" : ports->protocol == IPPROTO_UDP ? "udp" : "icmp";
	form_name_of(&service->addresses[0], service->name);
	used = strlen(service->name);
	if (ports->first)
		snprintf(service->name + used, sizeof(service->name) - used, "-%s-%u", protocol, ports->first);
	else
		snprintf(service->name + used, sizeof(service->name) - used, "-%s", protocol);
}

static bool read_service(struct form *form, const struct yaml_node *node, void *item)
{
	static const struct form_key keys[] = {
		{"name", read_name, false},  {"address", read_address, true},	 {"ports", read_ports, true},
		{"pools", read_pools, true}, {"fallback", read_fallback, false}, {"affinity", read_affinity, false},
	};
	static const char *const later[] = {"by_region", NULL};
	static const struct form_map map = {"a service", keys, ARRAY_SIZE(keys), later};
	struct config_service *service = item;
	struct service_draft draft = {.service = service};

	service->place = node->place;
	if (!form_read_map(form, node, &map, &draft))
		return false;
	name_by_content(service);
	for (size_t i = 0; draft.pools && i < service->pools_count; i++) {
		const struct config_pool *pool = &form->config->pools[service->pools[i]];

		if (pool->forward == WEIR_FORWARD_L2)
			check_l2_families(form, &draft, pool);
	}
	return true;
}

void form_services(struct form *form, const struct yaml_node *node)
{
	static const struct form_list list = {sizeof(struct config_service), read_service, false, false};
	struct config *config = form->config;
	AUTO_NAMES struct form_names names = {};

	if (!form_read_list(form, node, &list, &config->services, &config->services_count))
		return;
	for (size_t i = 0; i < config->services_count; i++) {
		if (*config->services[i].name)
			form_names_add(form, &names, "service", config->services[i].name, config->services[i].place);
	}
	if (config->services_count >= WEIR_MAX_SERVICES)
		errors_add(form->errors, node->place, "%zu services, at most %d (WEIR_MAX_SERVICES)",
			   config->services_count, WEIR_MAX_SERVICES - 1);
}
