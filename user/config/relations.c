/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds between services, pools and capacities. */
#include "form.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

/* One VIP with one entry of ports of one service. */
struct claim {
	const struct addr *vip;
	const struct config_ports *ports;
	const struct config_service *service;
};

/* By VIP and protocol, "any" before ports, then by port; in the file's order where all that is equal. */
static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = addr_compare(a->vip, b->vip);

	if (order)
		return order;
	if (a->ports->protocol != b->ports->protocol)
		return a->ports->protocol < b->ports->protocol ? -1 : 1;
	if (a->ports->first != b->ports->first)
		return a->ports->first < b->ports->first ? -1 : 1;
	if (a->ports->place.line != b->ports->place.line)
		return a->ports->place.line < b->ports->place.line ? -1 : 1;
	if (a->ports->place.column != b->ports->place.column)
		return a->ports->place.column < b->ports->place.column ? -1 : 1;
	return 0;
}

static void report_overlap(struct form *form, const struct claim *a, const struct claim *b)
{
	const struct config_place *pa = &a->ports->place, *pb = &b->ports->place;
	bool a_later = pa->line > pb->line || (pa->line == pb->line && pa->column > pb->column);
	const struct claim *later = a_later ? a : b, *earlier = a_later ? b : a;
	char vip[ADDR_TEXT_MAX], mine[CONFIG_PORTS_TEXT_MAX], theirs[CONFIG_PORTS_TEXT_MAX];

	errors_add(form->errors, later->ports->place, "%s %s is taken already: by %s of service \"%s\" in line %d",
		   addr_format(later->vip, vip), config_ports_format(later->ports, mine),
		   config_ports_format(earlier->ports, theirs), earlier->service->name, earlier->ports->place.line);
}

/* A wildcard and named ports may meet: the named ones come first in the program. */
static bool overlaps(const struct claim *widest, const struct claim *next)
{
	if (!addr_equal(widest->vip, next->vip) || widest->ports->protocol != next->ports->protocol)
		return false;
	if (!widest->ports->first || !next->ports->first)
		return widest->ports->first == next->ports->first;
	return next->ports->first <= widest->ports->last;
}

static void check_overlaps(struct form *form, struct claim *claims, size_t count)
{
	const struct claim *widest = claims;

	qsort(claims, count, sizeof(*claims), compare_claims);
	for (size_t i = 1; i < count && !form->errors->more; i++) {
		bool same = overlaps(widest, &claims[i]);

		if (same)
			report_overlap(form, widest, &claims[i]);
		if (!same || claims[i].ports->last > widest->ports->last)
			widest = &claims[i];
	}
}

static size_t ports_width(const struct config_service *service)
{
	size_t width = 0;

	for (size_t i = 0; i < service->ports_count; i++)
		width += (size_t)(service->ports[i].last - service->ports[i].first) + 1;
	return width;
}

static size_t collect_claims(const struct config *config, struct claim *claims)
{
	size_t used = 0;

	for (size_t s = 0; s < config->services_count; s++) {
		const struct config_service *service = &config->services[s];

		for (size_t a = 0; a < service->addresses_count; a++) {
			for (size_t p = 0; p < service->ports_count; p++)
				claims[used++] = (struct claim){&service->addresses[a], &service->ports[p], service};
		}
	}
	return used;
}

static void check_backends_are_no_vips(struct form *form, const struct claim *claims, size_t count)
{
	const struct config *config = form->config;
	AUTO_FREE const struct addr **vips = calloc(count, sizeof(*vips));
	size_t used = 0;

	if (!vips) {
		form->errors->no_memory = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (!used || !addr_equal(vips[used - 1], claims[i].vip))
			vips[used++] = claims[i].vip;
	}
	if (used > WEIR_MAX_VIPS)
		errors_add(form->errors, config->services[0].place, "%zu VIP addresses, at most %d (WEIR_MAX_VIPS)",
			   used, WEIR_MAX_VIPS);
	for (size_t p = 0; p < config->pools_count; p++) {
		for (size_t b = 0; b < config->pools[p].backends_count; b++) {
			const struct config_backend *backend = &config->pools[p].backends[b];
			size_t low = 0, high = used;

			while (low < high) {
				size_t middle = (low + high) / 2;

				if (addr_compare(vips[middle], &backend->address) < 0)
					low = middle + 1;
				else
					high = middle;
			}
			if (low < used && addr_equal(vips[low], &backend->address))
				errors_add(form->errors, backend->place,
					   "backend \"%s\" has the address of a VIP: its traffic would come back to "
					   "the edge",
					   backend->name);
		}
	}
}

void form_check_relations(struct form *form)
{
	const struct config *config = form->config;
	AUTO_FREE struct claim *claims = NULL;
	size_t entries = 0, pairs = 0;

	for (size_t s = 0; s < config->services_count; s++) {
		entries += config->services[s].addresses_count * ports_width(&config->services[s]);
		pairs += config->services[s].addresses_count * config->services[s].ports_count;
	}
	if (entries > WEIR_MAX_PORTS) {
		errors_add(form->errors, config->services[0].place,
			   "%zu ports over all VIPs, at most %d (WEIR_MAX_PORTS): tcp/any takes one for all", entries,
			   WEIR_MAX_PORTS);
		return;
	}
	if (!pairs)
		return;
	claims = calloc(pairs, sizeof(*claims));
	if (!claims) {
		form->errors->no_memory = true;
		return;
	}
	pairs = collect_claims(config, claims);
	check_overlaps(form, claims, pairs);
	check_backends_are_no_vips(form, claims, pairs);
}
