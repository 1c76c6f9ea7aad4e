/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares ratios with the committed baseline: the ratio to the floor survives a change of machine far better than
 * nanoseconds do. */
#include "bench.h"
#include <jansson.h>
#include <string.h>

#define TOLERANCE   0.20
#define NOISE_RATIO 0.25 /* of the floor: about seven nanoseconds, below which a difference is not one */

static double check_ratio_of(const json_t *row)
{
	const json_t *ratio = json_object_get(row, "ratio_to_floor") ?: json_object_get(row, "ratio_to_drop");

	return ratio ? json_number_value(ratio) : 0;
}

static double check_find(const json_t *baseline, const struct result *result)
{
	size_t index;
	json_t *row;

	json_array_foreach(baseline, index, row) {
		const char *group = json_string_value(json_object_get(row, "group"));
		const char *name = json_string_value(json_object_get(row, "name"));

		if (group && name && !strcmp(group, result->group) && !strcmp(name, result->name))
			return check_ratio_of(row);
	}
	return 0;
}

static void check_mark(char slow[][16], size_t *groups, const char *group)
{
	for (size_t i = 0; i < *groups; i++) {
		if (!strcmp(slow[i], group))
			return;
	}
	snprintf(slow[(*groups)++], 16, "%s", group);
}

size_t check_baseline(const char *path, const struct results *results, bool say, char slow[][16], size_t *slow_groups)
{
	json_error_t error;
	json_t *baseline = json_load_file(path, 0, &error);
	size_t beyond = 0, compared = 0;

	if (!baseline)
		bench_fail("%s: %s (write one with --write-baseline)", path, error.text);
	*slow_groups = 0;
	for (size_t i = 0; i < results->count; i++) {
		const struct result *r = &results->row[i];
		double before = r->ratio ? check_find(baseline, r) : 0, change;

		if (!before)
			continue;
		compared++;
		change = r->ratio / before - 1;
		if (say && change < -TOLERANCE && before - r->ratio > NOISE_RATIO)
			fprintf(stderr, "faster: %s/%s: ratio %.2f, was %.2f: write the baseline anew\n", r->group,
				r->name, r->ratio, before);
		if (change <= TOLERANCE || r->ratio - before <= NOISE_RATIO)
			continue;
		beyond++;
		check_mark(slow, slow_groups, r->group);
		if (say)
			fprintf(stderr, "SLOWER: %s/%s: ratio %.2f, was %.2f (%+.0f %%)\n", r->group, r->name, r->ratio,
				before, change * 100);
	}
	json_decref(baseline);
	if (say)
		fprintf(stderr, "%zu rows compared with the baseline, %zu slower by more than %.0f %%\n", compared,
			beyond, TOLERANCE * 100);
	if (!compared)
		bench_fail("no row has a baseline in %s", path);
	return beyond;
}
