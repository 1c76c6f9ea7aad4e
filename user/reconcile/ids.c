/* SPDX-License-Identifier: BSD-2-Clause */
/* Stable ids in the kernel's tables: names, the state of backends, and who must not lose an id. */
#include "parts.h"
#include "../base/scope.h"
#include <errno.h>
#include <stddef.h>
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

const enum kernel_map reconcile_count_maps[MODEL_KINDS] = {
	[MODEL_SERVICE] = KERNEL_MAP_count_service,
	[MODEL_BACKEND] = KERNEL_MAP_count_backend,
	[MODEL_LIMIT] = KERNEL_MAP_count_limit,
	[MODEL_RULE] = KERNEL_MAP_count_rule,
};

static enum model_kind ids_kind_of(uint32_t index)
{
	enum model_kind kind = 0;

	while (index >= model_kinds[kind].base + model_kinds[kind].ids)
		kind++;
	return kind;
}

static int ids_write_one(struct reconcile *reconcile, uint32_t index, const struct weir_name *name,
			 const struct weir_backend_state *states)
{
	struct kernel *kernel = reconcile->kernel;
	enum model_kind kind = ids_kind_of(index);
	enum kernel_map counts = reconcile_count_maps[kind];
	uint32_t id = index - model_kinds[kind].base;
	int error = kernel_map_zero(kernel_map_fd(kernel, counts), id, kernel_maps[counts].value_size / sizeof(__u64));

	if (!error && kind == MODEL_BACKEND) {
		error = kernel_map_put(kernel_map_fd(kernel, KERNEL_MAP_backend_state), &id, &states[id]);
		if (!error)
			reconcile->states[id] = states[id];
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

/* Services, limits and rules have their id in front. */
_Static_assert(offsetof(struct weir_service, id) == 0 && offsetof(struct weir_limit, id) == 0 &&
		       offsetof(struct weir_rule, id) == 0,
	       "the id is the first word");

static int ids_mark_first_words(int fd, enum model_kind kind, bool *used)
{
	union {
		uint32_t id;
		struct weir_service service;
		struct weir_limit limit;
		struct weir_rule rule;
	} value;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &value);
		if (!error && value.id < model_kinds[kind].ids)
			used[model_kinds[kind].base + value.id] = true;
	}
	return error;
}

/* A backend's index is its id. */
static int ids_mark_indexes(int fd, enum model_kind kind, bool *used)
{
	struct weir_backend backend;
	unsigned int entries;
	int error = kernel_map_entries(fd, &entries);

	for (uint32_t i = 0; !error && i < entries; i++) {
		error = kernel_map_get(fd, &i, &backend);
		if (!error && backend.forward)
			used[model_kinds[kind].base + i] = true;
	}
	return error;
}

bool *ids_in_use(const struct kernel *kernel)
{
	static const struct {
		enum kernel_map map;
		int (*mark)(int fd, enum model_kind kind, bool *used);
	} kinds[MODEL_KINDS] = {
		[MODEL_SERVICE] = {KERNEL_MAP_services, ids_mark_first_words},
		[MODEL_BACKEND] = {KERNEL_MAP_backends, ids_mark_indexes},
		[MODEL_LIMIT] = {KERNEL_MAP_limits, ids_mark_first_words},
		[MODEL_RULE] = {KERNEL_MAP_rules, ids_mark_first_words},
	};
	AUTO_FREE bool *used = calloc(WEIR_NAMES_TOTAL, sizeof(*used));

	if (!used)
		return NULL;
	for (unsigned int i = 0; i < WEIR_BANKS * MODEL_KINDS; i++) {
		enum model_kind kind = i % MODEL_KINDS;
		AUTO_CLOSE int fd = kernel_bank_open(kernel, kinds[kind].map, i / MODEL_KINDS);

		if (fd == -ENOENT)
			continue;
		if (fd < 0 || kinds[kind].mark(fd, kind, used))
			return NULL;
	}
	return TAKE_PTR(used);
}
