/* SPDX-License-Identifier: BSD-2-Clause */
/* What is protected: one entry and one bit for each source prefix, and which ports each bit covers. */
#include "part.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

static uint32_t protocol_base(const struct config_ports *ports)
{
	return ports->protocol == IPPROTO_UDP ? WEIR_PROTECT_UDP : 0;
}

static void mark_ports(const struct config_ports *ports, uint64_t bits, uint64_t *table)
{
	bool any = !ports->first && !ports->last;
	uint32_t first = any ? 0 : ports->first, last = any ? UINT16_MAX : ports->last;

	for (uint32_t port = first; port <= last; port++)
		table[protocol_base(ports) + port] |= bits;
}

/* Sizes up what is configured and refuses what the tables cannot say. */
static int measure(const struct config *config, size_t *prefixes, bool *names_ports, struct problem *problem)
{
	for (size_t i = 0; i < config->protects_count; i++) {
		const struct config_protect *protect = &config->protects[i];

		*prefixes += protect->from_count;
		*names_ports = *names_ports || protect->ports_count > 0;
		for (size_t j = 0; j < protect->ports_count; j++) {
			if (protect->ports[j].protocol == IPPROTO_TCP || protect->ports[j].protocol == IPPROTO_UDP)
				continue;
			problem_set(problem, -EINVAL, "%s:%d:%d: only TCP and UDP have ports that can be protected",
				    config->path, protect->ports[j].place.line, protect->ports[j].place.column);
			problem_hint(problem, "leave `ports` out of the entry to protect every protocol, ICMP too");
			return -EINVAL;
		}
	}
	if (*prefixes > WEIR_MAX_PROTECT)
		return compile_refuse(problem, "protected prefixes", *prefixes, "WEIR_MAX_PROTECT", WEIR_MAX_PROTECT,
				      "join neighbouring prefixes under `protect`, or leave some out");
	return 0;
}

int compile_protects(const struct config *config, struct compile_image *image, struct problem *problem)
{
	size_t prefixes = 0, next = 0;
	bool names_ports = false;
	int error = measure(config, &prefixes, &names_ports, problem);

	if (error)
		return error;
	image->protect_ports_count = names_ports ? WEIR_PROTECT_PORTS : 1;
	image->protect_ports = calloc(image->protect_ports_count, sizeof(*image->protect_ports));
	image->protects = calloc(prefixes ?: 1, sizeof(*image->protects));
	if (!image->protect_ports || !image->protects)
		return -ENOMEM;
	for (size_t i = 0; i < config->protects_count; i++) {
		const struct config_protect *protect = &config->protects[i];
		uint64_t bits = 0;

		for (size_t j = 0; j < protect->from_count; j++, next++) {
			const struct prefix *from = &protect->from[j];

			bits |= 1ull << next;
			image->protects[next] = (struct weir_protect){
				.address = from->addr.bytes,
				.mask = prefix_mask(from->addr.family, from->length),
				.family = from->addr.family,
			};
		}
		if (!protect->ports_count)
			image->policy.protect_any |= bits;
		for (size_t j = 0; j < protect->ports_count; j++)
			mark_ports(&protect->ports[j], bits, image->protect_ports);
	}
	image->protects_count = prefixes;
	image->policy.protects = prefixes;
	return 0;
}
