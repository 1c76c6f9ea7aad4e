/* SPDX-License-Identifier: BSD-2-Clause */
/* What is valid in a configuration and yet probably not meant. */
#include "cli.h"
#include "../config/config.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

static void check_interfaces(const struct config *config, json_t *dangers)
{
	if (!config->interfaces_count)
		json_array_append_new(dangers,
				      json_string("interfaces: is empty: nothing will be filtered or steered"));
	for (size_t i = 0; i < config->interfaces_count; i++)
		if (!if_nametoindex(config->interfaces[i].name))
			json_array_append_new(dangers,
					      json_sprintf("interface %s does not exist here: the controller will wait "
							   "for it",
							   config->interfaces[i].name));
}

static void check_pools(const struct config *config, json_t *dangers)
{
	for (size_t i = 0; i < config->pools_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		if (!pool->backends_count)
			json_array_append_new(dangers, json_sprintf("pool %s has no backends", pool->name));
		else if (pool->health.type == CONFIG_HEALTH_NONE)
			json_array_append_new(dangers,
					      json_sprintf("pool %s has no health: a dead backend would go on getting "
							   "its share",
							   pool->name));
	}
}

static void read_address(const struct sockaddr *socket_address, struct addr *address)
{
	*address = (struct addr){0};
	if (socket_address->sa_family == AF_INET) {
		address->family = WEIR_IPV4;
		memcpy(&address->bytes, &((const struct sockaddr_in *)socket_address)->sin_addr, 4);
	} else if (socket_address->sa_family == AF_INET6) {
		address->family = WEIR_IPV6;
		memcpy(&address->bytes, &((const struct sockaddr_in6 *)socket_address)->sin6_addr, 16);
	}
}

static void check_service_addresses(const struct config_service *service, const struct ifaddrs *own, json_t *dangers)
{
	char text[ADDR_TEXT_MAX];
	struct addr address;

	for (; own; own = own->ifa_next) {
		if (!own->ifa_addr)
			continue;
		read_address(own->ifa_addr, &address);
		for (size_t i = 0; address.family && i < service->addresses_count; i++)
			if (addr_equal(&service->addresses[i], &address))
				json_array_append_new(
					dangers,
					json_sprintf("%s of service %s is an address of %s here: ports that no "
						     "service has would be dropped for this host too",
						     addr_format(&address, text), service->name, own->ifa_name));
	}
}

json_t *cli_config_dangers(const struct config *config)
{
	json_t *dangers = json_array();
	struct ifaddrs *own = NULL;

	if (!config->protects_count)
		json_array_append_new(
			dangers, json_string("protect: has no entries: a deny or a limit could cut you off; add the "
					     "prefix and port that you administer from"));
	check_interfaces(config, dangers);
	check_pools(config, dangers);
	if (getifaddrs(&own))
		own = NULL;
	for (size_t i = 0; i < config->services_count; i++) {
		if (!config->services[i].pools_count)
			json_array_append_new(dangers, json_sprintf("service %s has no pools: its fallback answers all",
								    config->services[i].name));
		check_service_addresses(&config->services[i], own, dangers);
	}
	freeifaddrs(own);
	return dangers;
}
