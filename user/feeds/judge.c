/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a new version of a list is believed: a list that halves, doubles or empties is more likely broken. */
#include "feeds.h"

#include <errno.h>
#include <stdio.h>

struct figure {
	const char *unit;
	double before, after;
	double all; /* of the family; 0: that is no question here */
};

static double percent_of(const struct figure *figure)
{
	double difference = figure->after - figure->before;

	return (difference < 0 ? -difference : difference) * 100 / figure->before;
}

static int refuse(struct problem *problem, const char *text)
{
	problem_set(problem, -ERANGE, "%s; the last good version stays", text);
	problem_hint(problem, "if the list is right, raise the set's max_change, or leave it out for any change");
	return -ERANGE;
}

static int judge(const struct figure *figure, unsigned int max_change_percent, struct problem *problem)
{
	char text[320];

	if (figure->before > 0 && percent_of(figure) <= max_change_percent)
		return 0;
	if (figure->before > 0) {
		snprintf(text, sizeof(text), "from %.*g to %.*g %s: a change of %.1f %%, where max_change is %u %%",
			 figure->before < 1e15 ? 15 : 3, figure->before, figure->after < 1e15 ? 15 : 3, figure->after,
			 figure->unit, percent_of(figure), max_change_percent);
		return refuse(problem, text);
	}
	if (!figure->all || figure->after < figure->all)
		return 0;
	snprintf(text, sizeof(text), "from no to all %s", figure->unit);
	return refuse(problem, text);
}

int feeds_judge_change(const struct prefixes *good, const struct prefixes *fresh, unsigned int max_change_percent,
		       struct problem *problem)
{
	char text[160];
	double before = good ? (double)prefixes_count(good) : 0;

	if (!max_change_percent || !before)
		return 0;
	if (!fresh->v4_count && !fresh->v6_count) {
		snprintf(text, sizeof(text), "from %.0f prefixes to none", before);
		return refuse(problem, text);
	}

	const struct figure figures[] = {
		{"prefixes", before, (double)prefixes_count(fresh), 0},
		{"IPv4 addresses", prefixes_addresses4(good), prefixes_addresses4(fresh), 0x1p32},
		{"IPv6 addresses", prefixes_addresses6(good), prefixes_addresses6(fresh), 0x1p128},
	};
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(figures) / sizeof(figures[0]); i++)
		error = judge(&figures[i], max_change_percent, problem);
	return error;
}
