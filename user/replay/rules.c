/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rule that decided does: read from the tables once a generation, since captures have many packets. */
#include "bench.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

static int rules_read(const struct replay_bench *bench, uint32_t generation)
{
	AUTO_CLOSE int header = kernel_bank_open(bench->kernel, KERNEL_MAP_policy, generation % WEIR_BANKS);
	AUTO_CLOSE int bank = kernel_bank_open(bench->kernel, KERNEL_MAP_rules, generation % WEIR_BANKS);
	struct bench_rules *rules = bench->rules;
	struct weir_policy policy;
	struct weir_rule rule;
	uint32_t zero = 0;
	int error = header < 0 ? header : bank < 0 ? bank : kernel_map_get(header, &zero, &policy);

	if (error)
		return error;
	memset(rules->by_id, 0, sizeof(rules->by_id));
	for (uint32_t i = 0; i < policy.filter.rules && i < WEIR_MAX_RULES; i++)
		if (!kernel_map_get(bank, &i, &rule) && rule.id < WEIR_MAX_RULE_IDS)
			rules->by_id[rule.id] = rule;
	rules->generation = generation;
	return 0;
}

int bench_rule(const struct replay_bench *bench, uint32_t generation, uint32_t id, struct weir_rule *out)
{
	int error = bench->rules->generation == generation ? 0 : rules_read(bench, generation);

	if (error)
		return error;
	if (!id || id >= WEIR_MAX_RULE_IDS || bench->rules->by_id[id].id != id)
		return -ENOENT;
	*out = bench->rules->by_id[id];
	return 0;
}
