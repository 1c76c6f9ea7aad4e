/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the counters, summed over the CPUs, together with the names of their ids. */
#include "counters.h"
#include "../base/clock.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

#define REASON_ROW(number, symbol, name, verdict, sentence) {number, name, sentence, WEIR_##verdict},
const struct counters_reason counters_reasons[] = {WEIR_REASONS(REASON_ROW)};
const size_t counters_reasons_count = ARRAY_SIZE(counters_reasons);
const char *const counters_verdict_names[WEIR_VERDICTS] = WEIR_VERDICT_NAMES;

int counters_objects(const struct kernel *kernel, enum model_kind kind, struct counters_object **out, size_t *count)
{
	enum kernel_map map = reconcile_count_maps[kind];
	int names = kernel_map_fd(kernel, KERNEL_MAP_names), counts = kernel_map_fd(kernel, map);
	AUTO_FREE struct counters_object *objects = NULL;
	size_t filled = 0, capacity = 0;

	/* Ids are given out from 1 upwards and a name stays with its id: the first unused one ends the list. */
	for (uint32_t id = 1; id < model_kinds[kind].ids; id++) {
		uint32_t index = model_kinds[kind].base + id;
		struct counters_object *object;
		struct weir_name name;
		__u64 words[COUNTERS_WORDS] = {0};
		int err = kernel_map_get(names, &index, &name);

		if (err)
			return err;
		if (!name.used)
			break;
		if (filled == capacity) {
			size_t grown = capacity ? capacity * 2 : 16;

			object = realloc(objects, grown * sizeof(*objects));
			if (!object)
				return -ENOMEM;
			objects = object;
			capacity = grown;
		}
		err = kernel_map_sum(counts, id, kernel_maps[map].value_size / sizeof(__u64), words);
		if (err)
			return err;
		object = &objects[filled++];
		*object = (struct counters_object){.id = id};
		memcpy(object->name, name.name, sizeof(object->name));
		object->name[sizeof(object->name) - 1] = '\0';
		memcpy(object->words, words, sizeof(object->words));
	}
	*out = TAKE_PTR(objects);
	*count = filled;
	return 0;
}

int counters_verdict(const struct kernel *kernel, enum weir_verdict verdict, unsigned int reason,
		     struct weir_count *out)
{
	__u64 words[2];
	int err = kernel_map_sum(kernel_map_fd(kernel, KERNEL_MAP_count_verdict), verdict + WEIR_VERDICTS * reason, 2,
				 words);

	if (err)
		return err;
	*out = (struct weir_count){.packets = words[0], .bytes = words[1]};
	return 0;
}

int counters_rule(const struct kernel *kernel, uint32_t id, struct weir_rule_count *out)
{
	AUTO_FREE __u64 *values = NULL;
	int cpus = kernel_map_cpus(kernel_map_fd(kernel, KERNEL_MAP_count_rule), id, sizeof(*out) / 8, &values);
	const struct weir_rule_count *counts = (const void *)values;
	struct weir_rule_count sum = {};

	if (cpus < 0)
		return cpus;
	for (int i = 0; i < cpus; i++) {
		sum.packets += counts[i].packets;
		sum.bytes += counts[i].bytes;
		if (counts[i].last_ns > sum.last_ns)
			sum.last_ns = counts[i].last_ns;
	}
	*out = sum;
	return 0;
}

int64_t counters_seconds_ago(uint64_t then_ns)
{
	int64_t ago = clock_read_ns(CLOCK_MONOTONIC) - (int64_t)then_ns;

	return ago > 0 ? ago / NS_PER_S : 0;
}

const char *counters_split_backend(const char *name, char *pool)
{
	const char *slash = strchr(name, '/');
	size_t length = slash ? (size_t)(slash - name) : 0;

	memcpy(pool, name, length);
	pool[length] = '\0';
	return slash ? slash + 1 : name;
}
