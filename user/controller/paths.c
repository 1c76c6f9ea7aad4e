/* SPDX-License-Identifier: BSD-2-Clause */
/* What in this host's devices and routes keeps packets from the backends of a configuration. */
#include "composition.h"
#include "../base/file.h"
#include "../base/scope.h"
#include <string.h>

#define NAMES_MAX 3 /* backends that a sentence names before it counts the rest */

/* Names in a row: "a, b, c and 4 more". */
struct names {
	char text[NAMES_MAX * (WEIR_NAME_MAX + 2)];
	size_t count;
};

static void names_add(struct names *names, const char *name)
{
	size_t used = strlen(names->text);

	if (names->count++ < NAMES_MAX)
		snprintf(names->text + used, sizeof(names->text) - used, "%s%s", used ? ", " : "", name);
}

static char *names_rest(const struct names *names, char out[32])
{
	out[0] = '\0';
	if (names->count > NAMES_MAX)
		snprintf(out, 32, " and %zu more", names->count - NAMES_MAX);
	return out;
}

static bool has_backend_of(const struct config *config, enum weir_family family)
{
	for (size_t i = 0; i < config->pools_count; i++)
		for (size_t k = 0; k < config->pools[i].backends_count; k++)
			if (config->pools[i].backends[k].address.family == family)
				return true;
	return false;
}

/* bpf_fib_lookup answers for a device that forwards alone (net/core/filter.c, BPF_FIB_LKUP_RET_FWD_DISABLED). */
void paths_check_forwarding(const struct config *config, const char *interface, json_t *sentences)
{
	static const struct {
		enum weir_family family;
		const char *stack;
	} stacks[] = {{WEIR_IPV4, "ipv4"}, {WEIR_IPV6, "ipv6"}};

	for (size_t i = 0; i < ARRAY_SIZE(stacks); i++) {
		AUTO_FREE char *value = NULL;
		char path[96];
		size_t size;

		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", stacks[i].stack, interface);
		if (!has_backend_of(config, stacks[i].family) || file_read(path, 16, &value, &size) || *value != '0')
			continue;
		json_array_append_new(
			sentences,
			json_sprintf("interface %s: nothing is steered to %s backends, because the kernel tells no "
				     "route to a program on a device that does not forward: sysctl -w "
				     "net/%s/conf/%s/forwarding=1",
				     interface, stacks[i].stack, stacks[i].stack, interface));
	}
}

/* The kinds whose drivers take no packet from a native program (no ndo_xdp_xmit): it would be lost in silence. */
static bool takes_no_packets(const struct route_device *device)
{
	static const char *const kinds[] = {"vlan", "bridge", "macvlan", "ipvlan", "dummy"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(device->kind, kinds[i]))
			return true;
	return false;
}

static bool may_be_native(const struct config *config)
{
	for (size_t i = 0; i < config->interfaces_count; i++)
		if (config->interfaces[i].mode != CONFIG_XDP_GENERIC)
			return true;
	return false;
}

/* Devices that take no packets, with the backends behind them. */
struct exits {
	struct {
		unsigned int ifindex;
		bool is_bad;
		struct route_device device;
		struct names names;
	} found[8];
	size_t count;
};

static void exits_add(struct exits *exits, struct route_socket *routes, unsigned int ifindex, const char *name)
{
	size_t i = 0;

	while (i < exits->count && exits->found[i].ifindex != ifindex)
		i++;
	if (i == ARRAY_SIZE(exits->found))
		return;
	if (i == exits->count) {
		exits->found[i].ifindex = ifindex;
		exits->found[i].is_bad = !route_device_find(routes, ifindex, &exits->found[i].device) &&
					 takes_no_packets(&exits->found[i].device);
		exits->count++;
	}
	names_add(&exits->found[i].names, name);
}

static void exits_report(const struct exits *exits, json_t *sentences)
{
	for (size_t i = 0; i < exits->count; i++) {
		const struct route_device *device = &exits->found[i].device;
		char rest[32], below[64] = "the device below it";

		if (!exits->found[i].is_bad)
			continue;
		if (*device->parent)
			snprintf(below, sizeof(below), "%s", device->parent);
		json_array_append_new(
			sentences,
			json_sprintf("%s%s: the route leaves by %s, a %s device, which takes no packets from a program "
				     "in native mode: they would be lost; reach these backends by %s itself, or set "
				     "mode: generic on every interface",
				     exits->found[i].names.text, names_rest(&exits->found[i].names, rest), device->name,
				     device->kind, below));
	}
}

void paths_check_routes(const struct config *config, struct route_socket *routes, json_t *sentences)
{
	struct names lost = {0}, own = {0};
	struct exits exits = {0};
	char rest[32];

	for (size_t i = 0; i < config->pools_count; i++) {
		const struct config_pool *pool = &config->pools[i];

		for (size_t k = 0; k < pool->backends_count; k++) {
			char name[2 * WEIR_NAME_MAX];
			struct route route;

			snprintf(name, sizeof(name), "%s/%s", pool->name, pool->backends[k].name);
			if (route_find(routes, &pool->backends[k].address, &route))
				names_add(&lost, name);
			else if (route.is_local)
				names_add(&own, name);
			else
				exits_add(&exits, routes, route.ifindex, name);
		}
	}
	if (lost.count)
		json_array_append_new(sentences,
				      json_sprintf("%s%s: this host has no route there; packets for them are dropped "
						   "(no-route) until it has one, which is noticed within seconds",
						   lost.text, names_rest(&lost, rest)));
	if (own.count)
		json_array_append_new(
			sentences, json_sprintf("%s%s: the address is this host's own; a backend must be another host",
						own.text, names_rest(&own, rest)));
	if (may_be_native(config))
		exits_report(&exits, sentences);
}

json_t *controller_path_warnings(const struct config *config)
{
	struct route_socket *routes = NULL;
	json_t *sentences = json_array();

	for (size_t i = 0; i < config->interfaces_count; i++)
		paths_check_forwarding(config, config->interfaces[i].name, sentences);
	if (!route_open(&routes))
		paths_check_routes(config, routes, sentences);
	route_close(routes);
	return sentences;
}
