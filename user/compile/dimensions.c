/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dimensions with an index: the values of one field fall into classes by the rules that they satisfy.
 *
 * Each rule's ranges toggle its bit where they begin and where they have ended; a walk over the values finds the
 * classes. The value for "no such field" comes last. No range reaches it but one of VLANs that asks for it.
 */
#include "../base/scope.h"
#include "filter_part.h"
#include "part.h"

static const uint32_t none_of[WEIR_DIMENSIONS_TOTAL] = {
#define NONE_OF(symbol, values) values,
	WEIR_DIMENSIONS(NONE_OF)
#undef NONE_OF
};

/* How the configuration writes a dimension, and where its ranges are in a rule; 0: it has none. */
static const struct {
	const char *key;
	size_t ranges;
} written[WEIR_DIMENSIONS_TOTAL] = {
	[WEIR_DIMENSION_PROTOCOL] = {"proto", offsetof(struct config_rule, protocols)},
	[WEIR_DIMENSION_SPORT] = {"sport", offsetof(struct config_rule, sports)},
	[WEIR_DIMENSION_DPORT] = {"dport", offsetof(struct config_rule, dports)},
	[WEIR_DIMENSION_TCP_FLAGS] = {"tcp_flags", 0},
	[WEIR_DIMENSION_ICMP] = {"icmp", offsetof(struct config_rule, icmp)},
	[WEIR_DIMENSION_LENGTH] = {"length", offsetof(struct config_rule, length)},
	[WEIR_DIMENSION_TTL] = {"ttl", offsetof(struct config_rule, ttl)},
	[WEIR_DIMENSION_DSCP] = {"dscp", offsetof(struct config_rule, dscp)},
	[WEIR_DIMENSION_FRAGMENT] = {"fragment", 0},
	[WEIR_DIMENSION_VLAN] = {"vlan", offsetof(struct config_rule, vlan)},
	[WEIR_DIMENSION_INTERFACE] = {"interface", 0},
};

struct span {
	uint32_t first, last;
};

struct toggle {
	uint32_t rule, next; /* next: number + 1 of another toggle at the same value */
};

/* Through the values of one dimension. */
struct walk {
	const struct compile_filter_input *input;
	struct compile_filter *filter;
	enum weir_dimension dimension;
	struct span *spans; /* of the rule at hand */
	size_t spans_count, spans_room;
	struct toggle *toggles;
	size_t toggles_count, toggles_room;
	uint32_t *at; /* [none + 2]: number + 1 of the first toggle at each value */
	struct compile_rows rows;
};

static void walk_close(struct walk *walk)
{
	free(walk->spans);
	free(walk->toggles);
	free(walk->at);
	compile_rows_close(&walk->rows);
}

static const struct config_ranges *ranges_of(const struct config_rule *rule, enum weir_dimension dimension)
{
	return (const struct config_ranges *)((const char *)rule + written[dimension].ranges);
}

static bool looks_at(const struct config_rule *rule, enum weir_dimension dimension)
{
	switch (dimension) {
	case WEIR_DIMENSION_TCP_FLAGS:
		return rule->has_tcp_flags;
	case WEIR_DIMENSION_FRAGMENT:
		return rule->fragments || rule->extensions;
	case WEIR_DIMENSION_INTERFACE:
		return rule->interfaces_count;
	default:
		return ranges_of(rule, dimension)->count;
	}
}

/* --- the values that a rule wants ------------------------------------------------------------------------ */

static int add_span(struct walk *walk, uint32_t first, uint32_t last)
{
	uint32_t most = none_of[walk->dimension] - (walk->dimension != WEIR_DIMENSION_VLAN);
	struct span *grown;

	if (last > most)
		last = most;
	if (first > last)
		return 0;
	grown = array_grow(walk->spans, &walk->spans_room, walk->spans_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	walk->spans = grown;
	grown[walk->spans_count++] = (struct span){.first = first, .last = last};
	return 0;
}

static bool wants_value(const struct config_rule *rule, enum weir_dimension dimension, uint32_t value)
{
	uint32_t state = value & 3;
	bool extensions = value & WEIR_EXTENDED;

	if (dimension == WEIR_DIMENSION_TCP_FLAGS)
		return (value & rule->tcp_flags_mask) == rule->tcp_flags_set;
	return (!rule->fragments || rule->fragments >> state & 1) &&
	       (!rule->extensions || (rule->extensions > 0) == extensions);
}

/* An interface that is not there has no position: no packet comes in by it. */
static int add_interfaces(struct walk *walk, const struct config_rule *rule)
{
	const struct weir_filter *head = &walk->filter->head;
	int error = 0;

	for (size_t i = 0; i < rule->interfaces_count && !error; i++) {
		uint32_t ifindex = walk->input->ifindexes ? walk->input->ifindexes[rule->interfaces[i]] : 0;

		for (uint32_t j = 0; ifindex && j < WEIR_MAX_INTERFACES; j++)
			if (head->interfaces[j] == ifindex)
				error = add_span(walk, j, j);
	}
	return error;
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Sorted, and what overlaps or touches made one, so that each end toggles once. */
static void join_spans(struct walk *walk)
{
	size_t count = 0;

	if (walk->spans_count > 1)
		qsort(walk->spans, walk->spans_count, sizeof(*walk->spans), compare_spans);
	for (size_t i = 0; i < walk->spans_count; i++) {
		struct span span = walk->spans[i];

		if (!count || span.first > walk->spans[count - 1].last + 1)
			walk->spans[count++] = span;
		else if (span.last > walk->spans[count - 1].last)
			walk->spans[count - 1].last = span.last;
	}
	walk->spans_count = count;
}

static int spans_of(struct walk *walk, const struct config_rule *rule)
{
	int error = 0;

	walk->spans_count = 0;
	if (walk->dimension == WEIR_DIMENSION_INTERFACE) {
		error = add_interfaces(walk, rule);
	} else if (!written[walk->dimension].ranges) {
		for (uint32_t value = 0; value < none_of[walk->dimension] && !error; value++)
			if (wants_value(rule, walk->dimension, value))
				error = add_span(walk, value, value);
	} else {
		const struct config_ranges *ranges = ranges_of(rule, walk->dimension);

		for (size_t i = 0; i < ranges->count && !error; i++)
			error = add_span(walk, ranges->ranges[i].first, ranges->ranges[i].last);
	}
	join_spans(walk);
	return error;
}

/* --- the classes of the values --------------------------------------------------------------------------- */

static int add_toggle(struct walk *walk, uint32_t rule, uint32_t value)
{
	struct toggle *grown = array_grow(walk->toggles, &walk->toggles_room, walk->toggles_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	walk->toggles = grown;
	grown[walk->toggles_count++] = (struct toggle){.rule = rule, .next = walk->at[value]};
	walk->at[value] = walk->toggles_count;
	return 0;
}

/* A rule that does not look at the dimension wants every value. */
static int add_toggles(struct walk *walk, const struct compile_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		int error = 0;

		if (!looks_at(rules->list[i], walk->dimension)) {
			compile_rows_toggle(&walk->rows, i);
			continue;
		}
		error = spans_of(walk, rules->list[i]);
		for (size_t j = 0; j < walk->spans_count && !error; j++) {
			error = add_toggle(walk, i, walk->spans[j].first);
			if (!error)
				error = add_toggle(walk, i, walk->spans[j].last + 1);
		}
		if (error)
			return error;
	}
	return 0;
}

static void put_class(struct compile_filter *filter, size_t element, uint16_t class)
{
	filter->indexes[element / 4] |= (uint64_t) class << (element % 4 * 16);
}

static int number_values(struct walk *walk)
{
	size_t base = walk->filter->head.index_base[walk->dimension];
	uint16_t class = 0;

	for (uint32_t value = 0; value <= none_of[walk->dimension]; value++) {
		int error = 0;

		for (uint32_t i = walk->at[value]; i; i = walk->toggles[i - 1].next)
			compile_rows_toggle(&walk->rows, walk->toggles[i - 1].rule);
		if (walk->at[value] || !value)
			error = compile_rows_number(&walk->rows, &class);
		if (error)
			return error;
		put_class(walk->filter, base + value, class);
	}
	return 0;
}

static int write_vectors(const struct walk *walk)
{
	struct compile_filter *filter = walk->filter;
	const struct compile_rows *rows = &walk->rows;
	uint32_t base = 0;
	int error = compile_vectors_add(filter, rows->count, &base);

	if (error)
		return error;
	for (size_t i = 0; i < rows->count; i++)
		compile_vector_write(filter, base + i * filter->head.vector_lines, rows->bits + i * rows->words,
				     rows->words);
	filter->head.vector_base[walk->dimension] = base;
	return 0;
}

static int fill_dimension(const struct compile_filter_input *input, const struct compile_rules *rules,
			  enum weir_dimension dimension, struct compile_filter *filter, struct problem *problem)
{
	struct walk walk __attribute__((cleanup(walk_close))) = {
		.input = input,
		.filter = filter,
		.dimension = dimension,
	};
	int error = compile_rows_open(&walk.rows, rules->count);

	walk.at = calloc(none_of[dimension] + 2, sizeof(*walk.at));
	if (error || !walk.at)
		return -ENOMEM;
	error = add_toggles(&walk, rules);
	if (!error)
		error = number_values(&walk);
	if (!error)
		error = write_vectors(&walk);
	if (error == -E2BIG) {
		problem_set(problem, error, "the rules tell more than %u classes of `%s` apart (WEIR_MAX_CLASSES)",
			    WEIR_MAX_CLASSES, written[dimension].key);
		problem_hint(problem, "write ranges in place of long lists of single values");
	}
	return error;
}

/* --- all of them ----------------------------------------------------------------------------------------- */

static bool in_use(const struct compile_rules *rules, enum weir_dimension dimension)
{
	for (size_t i = 0; i < rules->count; i++)
		if (looks_at(rules->list[i], dimension))
			return true;
	return false;
}

/* Rules that look at nothing at all need vectors, too: then a small dimension is in use, with one class. */
static uint32_t choose_dimensions(const struct compile_rules *rules, uint32_t sides_in_use)
{
	uint32_t dimensions = sides_in_use;

	for (int i = WEIR_DIMENSION_PROTOCOL; i < WEIR_DIMENSIONS_TOTAL; i++)
		if (in_use(rules, i))
			dimensions |= 1u << i;
	return dimensions ? dimensions : 1u << WEIR_DIMENSION_FRAGMENT;
}

/* The interfaces that are there, each once. */
static int list_interfaces(const struct compile_filter_input *input, struct weir_filter *head, struct problem *problem)
{
	size_t count = input->config->interfaces_count;

	if (count > WEIR_MAX_INTERFACES)
		return compile_refuse(problem, "interfaces", count, "WEIR_MAX_INTERFACES", WEIR_MAX_INTERFACES,
				      "take some out of `interfaces`");
	for (size_t i = 0; i < count && input->ifindexes; i++) {
		size_t at = 0;

		while (head->interfaces[at] && head->interfaces[at] != input->ifindexes[i])
			at++;
		head->interfaces[at] = input->ifindexes[i];
	}
	return 0;
}

int compile_dimensions(const struct compile_filter_input *input, const struct compile_rules *rules,
		       struct compile_filter *filter, struct problem *problem)
{
	struct weir_filter *head = &filter->head;
	size_t elements = 0;
	int error = 0;

	head->dimensions = choose_dimensions(rules, head->dimensions);
	for (int i = WEIR_DIMENSION_PROTOCOL; i < WEIR_DIMENSIONS_TOTAL; i++) {
		if (!(head->dimensions >> i & 1))
			continue;
		head->index_base[i] = elements;
		elements += none_of[i] + 1;
	}
	filter->indexes_count = (elements + 3) / 4;
	filter->indexes = calloc(filter->indexes_count ?: 1, sizeof(*filter->indexes));
	if (!filter->indexes)
		return -ENOMEM;
	if (head->dimensions >> WEIR_DIMENSION_INTERFACE & 1)
		error = list_interfaces(input, head, problem);
	for (int i = WEIR_DIMENSION_PROTOCOL; i < WEIR_DIMENSIONS_TOTAL && !error; i++)
		if (head->dimensions >> i & 1)
			error = fill_dimension(input, rules, i, filter, problem);
	return error;
}
