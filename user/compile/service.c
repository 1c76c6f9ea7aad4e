/* SPDX-License-Identifier: BSD-2-Clause */
/* The services: a dense number for each VIP address, an entry for each port, and the ring that serves each. */
#include "../base/scope.h"
#include "part.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

static int compare_addresses(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static size_t count_ports(const struct config_ports *ports)
{
	return (size_t)ports->last - ports->first + 1;
}

/* The VIPs in the order of their addresses, so that their numbers do not depend on the order of services. */
static int number_vips(const struct config *config, struct addr **out, size_t *out_count)
{
	struct addr *vips AUTO_FREE = NULL;
	size_t total = 0, count = 0;

	for (size_t i = 0; i < config->services_count; i++)
		total += config->services[i].addresses_count;
	vips = calloc(total ?: 1, sizeof(*vips));
	if (!vips)
		return -ENOMEM;
	total = 0;
	for (size_t i = 0; i < config->services_count; i++)
		for (size_t j = 0; j < config->services[i].addresses_count; j++)
			vips[total++] = config->services[i].addresses[j];
	qsort(vips, total, sizeof(*vips), compare_addresses);
	for (size_t i = 0; i < total; i++)
		if (!count || !addr_equal(&vips[count - 1], &vips[i]))
			vips[count++] = vips[i];
	*out = TAKE_PTR(vips);
	*out_count = count;
	return 0;
}

static int fill_vips(const struct addr *vips, size_t count, struct compile_image *image, struct problem *problem)
{
	if (count > WEIR_MAX_VIPS)
		return compile_refuse(problem, "VIP addresses", count, "WEIR_MAX_VIPS", WEIR_MAX_VIPS,
				      "take addresses out of the services");
	image->vips = calloc(count ?: 1, sizeof(*image->vips));
	if (!image->vips)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t bit = weir_vip_bit(&vips[i].bytes);

		image->vips[i] = (struct compile_vip){
			.key = {.address = vips[i].bytes, .family = vips[i].family},
			.value = i,
		};
		image->policy.vip_filter[bit / 64] |= 1ull << bit % 64;
	}
	image->vips_count = count;
	return 0;
}

static void add_ports(struct compile_image *image, uint32_t vip, const struct config_ports *ports, uint32_t service)
{
	for (uint32_t port = ports->first; port <= ports->last; port++)
		image->ports[image->ports_count++] = (struct compile_port){
			.key = {.vip = vip, .port = htons(port), .protocol = ports->protocol},
			.value = service,
		};
}

static int fill_ports(const struct config *config, const struct addr *vips, size_t vips_count,
		      struct compile_image *image, struct problem *problem)
{
	size_t total = 0;

	for (size_t i = 0; i < config->services_count; i++)
		for (size_t j = 0; j < config->services[i].ports_count; j++)
			total += config->services[i].addresses_count * count_ports(&config->services[i].ports[j]);
	if (total > WEIR_MAX_PORTS)
		return compile_refuse(problem, "entries of VIP, protocol and port", total, "WEIR_MAX_PORTS",
				      WEIR_MAX_PORTS,
				      "write tcp/any or udp/any instead of a long range of ports (a range takes an "
				      "entry a port), or narrow the range");
	image->ports = calloc(total ?: 1, sizeof(*image->ports));
	if (!image->ports)
		return -ENOMEM;
	for (size_t i = 0; i < config->services_count; i++) {
		const struct config_service *service = &config->services[i];

		for (size_t j = 0; j < service->addresses_count; j++) {
			const struct addr *vip =
				bsearch(&service->addresses[j], vips, vips_count, sizeof(*vips), compare_addresses);

			for (size_t k = 0; k < service->ports_count; k++)
				add_ports(image, vip - vips, &service->ports[k], i);
		}
	}
	return 0;
}

static int fill_services(const struct model *model, struct compile_image *image)
{
	image->services = calloc(model->services_count ?: 1, sizeof(*image->services));
	image->rings = calloc(model->services_count ?: 1, sizeof(*image->rings));
	if (!image->services || !image->rings)
		return -ENOMEM;
	image->services_count = model->services_count;
	for (size_t i = 0; i < model->services_count; i++) {
		const struct model_service *service = &model->services[i];

		image->services[i] = (struct weir_service){
			.id = service->id,
			.fallback = service->config->fallback,
			.affinity = service->config->affinity,
		};
		image->rings[i] = (struct weir_ring){
			.base = image->routes[service->route].base,
			.size = image->routes[service->route].size,
		};
	}
	return 0;
}

int compile_services(const struct model *model, struct compile_image *image, struct problem *problem)
{
	struct addr *vips AUTO_FREE = NULL;
	size_t vips_count = 0;
	int error;

	if (model->services_count > WEIR_MAX_SERVICES)
		return compile_refuse(problem, "services", model->services_count, "WEIR_MAX_SERVICES",
				      WEIR_MAX_SERVICES,
				      "join services that have the same pools: one can have many addresses and ports");
	error = number_vips(model->config, &vips, &vips_count);
	if (!error)
		error = fill_vips(vips, vips_count, image, problem);
	if (!error)
		error = fill_ports(model->config, vips, vips_count, image, problem);
	if (!error)
		error = fill_services(model, image);
	return error;
}
