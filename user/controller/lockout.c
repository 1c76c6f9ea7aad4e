/* SPDX-License-Identifier: BSD-2-Clause */
/* Deny entries that would cut off more than was meant: the operator, or the answers to the health checks. */
#include "composition.h"
#include "../base/scope.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct ear {
	struct addr address;
	uint16_t port;
	const char *name;
};

static int compare_ears(const void *a, const void *b)
{
	return addr_compare(&((const struct ear *)a)->address, &((const struct ear *)b)->address);
}

/* The backends that are checked, by address. The caller frees it; NULL without memory. */
static struct ear *list_ears(const struct controller *controller, size_t *count)
{
	const struct config *config = reconcile_config(controller->reconcile);
	const struct model *model = reconcile_model(controller->reconcile);
	struct ear *ears;
	size_t room = 1;

	for (size_t i = 0; model && i < model->pools_count; i++)
		room += model->pools[i].backends_count;
	ears = calloc(room, sizeof(*ears));
	for (size_t i = 0; ears && model && i < model->pools_count; i++) {
		const struct model_pool *pool = &model->pools[i];

		for (size_t k = 0; k < pool->backends_count; k++)
			if (pool->backends[k].checked)
				ears[(*count)++] = (struct ear){.address = pool->backends[k].address,
								.port = config->pools[i].health.port,
								.name = pool->backends[k].name};
	}
	if (ears)
		qsort(ears, *count, sizeof(*ears), compare_ears);
	return ears;
}

static bool covers_port(const struct config_protect *protect, uint16_t port)
{
	for (size_t i = 0; i < protect->ports_count; i++) {
		const struct config_ports *ports = &protect->ports[i];

		if (ports->protocol == IPPROTO_TCP && (!ports->last || (ports->first <= port && port <= ports->last)))
			return true;
	}
	return !protect->ports_count;
}

static bool is_protected(const struct config *config, const struct ear *ear)
{
	for (size_t i = 0; i < config->protects_count; i++)
		for (size_t k = 0; k < config->protects[i].from_count; k++)
			if (prefix_covers(&config->protects[i].from[k], &ear->address) &&
			    covers_port(&config->protects[i], ear->port))
				return true;
	return false;
}

struct search {
	const struct addr *address;
	struct prefix prefix; /* the longest that covers it */
	bool is_found;
};

static void search_ban(void *arg, const struct reconcile_ban *ban)
{
	struct search *search = arg;

	if (!prefix_covers(&ban->prefix, search->address) ||
	    (search->is_found && ban->prefix.length < search->prefix.length))
		return;
	search->prefix = ban->prefix;
	search->is_found = true;
}

static struct search find_ban(const struct controller *controller, uint32_t list, const struct addr *address)
{
	struct search search = {.address = address};

	reconcile_ban_each(controller->reconcile, list, search_ban, &search);
	return search;
}

/* The index of the first that is not before the prefix. */
static size_t first_ear(const struct ear *ears, size_t count, const struct prefix *prefix)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addr_compare(&ears[middle].address, &prefix->addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int refuse_for_checks(const struct controller *controller, const struct ear *ears, size_t count,
			     const struct prefix *prefix, struct problem *problem)
{
	const struct config *config = reconcile_config(controller->reconcile);
	char denied[ADDR_TEXT_MAX], address[ADDR_TEXT_MAX];

	for (size_t i = first_ear(ears, count, prefix); i < count && prefix_covers(prefix, &ears[i].address); i++) {
		if (is_protected(config, &ears[i]) || find_ban(controller, WEIR_BAN_ALLOW, &ears[i].address).is_found)
			continue;
		addr_format(&ears[i].address, address);
		problem_set(problem, -EPERM,
			    "denying %s would drop what backend %s (%s) answers to its health checks, and so take it "
			    "out of service",
			    prefix_format(prefix, denied), ears[i].name, address);
		problem_hint(problem,
			     "allow the backends first (weir allow add %s), name their prefix in protect:, or insist "
			     "with --force",
			     address);
		return -EPERM;
	}
	return 0;
}

/* Without anything protected, a deny of everything would cut off the operator too. */
static int refuse_for_operator(const struct config *config, const struct prefix *prefix, struct problem *problem)
{
	if (prefix->length || config->protects_count)
		return 0;
	problem_set(problem, -EPERM, "denying all of %s with no entry in protect: would cut off everybody, you too",
		    prefix->addr.family == WEIR_IPV4 ? "IPv4" : "IPv6");
	problem_hint(problem, "add your own prefix to protect: in the configuration, or insist with --force");
	return -EPERM;
}

int lockout_refuse(const struct controller *controller, const struct reconcile_ban *bans, size_t count,
		   struct problem *problem)
{
	size_t ears_count = 0;
	AUTO_FREE struct ear *ears = list_ears(controller, &ears_count);
	int err = ears ? 0 : problem_set(problem, -ENOMEM, "out of memory");

	for (size_t i = 0; !err && i < count; i++) {
		err = refuse_for_operator(reconcile_config(controller->reconcile), &bans[i].prefix, problem);
		if (!err)
			err = refuse_for_checks(controller, ears, ears_count, &bans[i].prefix, problem);
	}
	return err;
}

bool lockout_is_denied(const struct controller *controller, const struct model_backend *backend, uint16_t port,
		       struct prefix *by)
{
	const struct ear ear = {.address = backend->address, .port = port, .name = backend->name};
	struct search deny = find_ban(controller, WEIR_BAN_DENY, &ear.address);

	if (!deny.is_found || is_protected(reconcile_config(controller->reconcile), &ear) ||
	    find_ban(controller, WEIR_BAN_ALLOW, &ear.address).is_found)
		return false;
	*by = deny.prefix;
	return true;
}
