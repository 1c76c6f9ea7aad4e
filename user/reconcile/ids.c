/* SPDX-License-Identifier: BSD-2-Clause */
/* Stable ids in the kernel's tables: names, the state of backends, and who must not lose an id. */
#include "parts.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

int ids_open(struct reconcile *reconcile, struct problem *problem)
{
	int error = 0;

	reconcile->names = calloc(WEIR_NAMES_TOTAL, sizeof(*reconcile->names));
	reconcile->states = calloc(WEIR_MAX_BACKENDS, sizeof(*reconcile->states));
	if (!reconcile->names || !reconcile->states)
		return problem_set(problem, -ENOMEM, "out of memory");
	reconcile->registry.names = reconcile->names;
	for (uint32_t i = 0; i < WEIR_NAMES_TOTAL && !error; i++) {
		error = kernel_map_get(kernel_map_fd(reconcile->kernel, KERNEL_MAP_names), &i, &reconcile->names[i]);
		reconcile->names[i].name[WEIR_NAME_MAX - 1] = '\0';
	}
	for (uint32_t i = 0; i < WEIR_MAX_BACKENDS && !error; i++)
		error = kernel_map_get(kernel_map_fd(reconcile->kernel, KERNEL_MAP_backend_state), &i,
				       &reconcile->states[i]);
	return error ? problem_set(problem, error, "the names and states in the kernel cannot be read: %s",
				   strerror(-error))
		     : 0;
}

static int ids_write_one(struct reconcile *reconcile, uint32_t index, const struct weir_name *name,
			 const struct weir_backend_state *states)
{
	struct kernel *kernel = reconcile->kernel;
	int error;

	if (index >= WEIR_NAMES_RULES) {
		error = kernel_map_zero(kernel_map_fd(kernel, KERNEL_MAP_count_rule), index - WEIR_NAMES_RULES,
					sizeof(struct weir_rule_count) / sizeof(__u64));
	} else if (index >= WEIR_NAMES_LIMITS) {
		error = kernel_map_zero(kernel_map_fd(kernel, KERNEL_MAP_count_limit), index - WEIR_NAMES_LIMITS,
					sizeof(struct weir_limit_count) / sizeof(__u64));
	} else if (index >= WEIR_NAMES_BACKENDS) {
		uint32_t id = index - WEIR_NAMES_BACKENDS;

		error = kernel_map_zero(kernel_map_fd(kernel, KERNEL_MAP_count_backend), id,
					sizeof(struct weir_flow_count) / sizeof(__u64));
		if (!error)
			error = kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_backend_state), &id, &states[id]);
		if (!error)
			reconcile->states[id] = states[id];
	} else {
		error = kernel_map_zero(kernel_map_fd(kernel, KERNEL_MAP_count_service), index - WEIR_NAMES_SERVICES,
					sizeof(struct weir_flow_count) / sizeof(__u64));
	}
	if (!error)
		error = kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_names), &index, name);
	if (!error)
		reconcile->names[index] = *name;
	return error;
}

int ids_write(struct reconcile *reconcile, const struct weir_name *names, const struct weir_backend_state *states,
	      struct problem *problem)
{
	for (uint32_t i = 0; i < WEIR_NAMES_TOTAL; i++) {
		int error;

		if (memcmp(&names[i], &reconcile->names[i], sizeof(names[i])) == 0)
			continue;
		error = ids_write_one(reconcile, i, &names[i], states);
		if (error)
			return problem_set(problem, error, "the name %s could not be written: %s", names[i].name,
					   strerror(-error));
	}
	return 0;
}

static int ids_mark_services(int fd, bool *used)
{
	struct weir_service service;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &service);
		if (!error && service.id < WEIR_MAX_SERVICES)
			used[WEIR_NAMES_SERVICES + service.id] = true;
	}
	return error;
}

static int ids_mark_backends(int fd, bool *used)
{
	struct weir_backend backend;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &backend);
		if (!error && backend.forward)
			used[WEIR_NAMES_BACKENDS + i] = true;
	}
	return error;
}

static int ids_mark_limits(int fd, bool *used)
{
	struct weir_limit limit;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &limit);
		if (!error && limit.id < WEIR_MAX_LIMITS)
			used[WEIR_NAMES_LIMITS + limit.id] = true;
	}
	return error;
}

static int ids_mark_rules(int fd, bool *used)
{
	struct weir_rule rule;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &rule);
		if (!error && rule.id < WEIR_MAX_RULE_IDS)
			used[WEIR_NAMES_RULES + rule.id] = true;
	}
	return error;
}

bool *ids_in_use(const struct kernel *kernel)
{
	static const struct {
		enum kernel_map map;
		int (*mark)(int fd, bool *used);
	} kinds[] = {
		{KERNEL_MAP_services, ids_mark_services},
		{KERNEL_MAP_backends, ids_mark_backends},
		{KERNEL_MAP_limits, ids_mark_limits},
		{KERNEL_MAP_rules, ids_mark_rules},
	};
	AUTO_FREE bool *used = calloc(WEIR_NAMES_TOTAL, sizeof(*used));

	if (!used)
		return NULL;
	for (size_t i = 0; i < WEIR_BANKS * ARRAY_SIZE(kinds); i++) {
		unsigned int bank = (unsigned int)(i / ARRAY_SIZE(kinds));
		AUTO_CLOSE int fd = kernel_bank_open(kernel, kinds[i % ARRAY_SIZE(kinds)].map, bank);

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || kinds[i % ARRAY_SIZE(kinds)].mark(fd, used))
			return NULL;
	}
	return TAKE_PTR(used);
}
