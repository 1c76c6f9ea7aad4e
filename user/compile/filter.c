/* SPDX-License-Identifier: BSD-2-Clause */
/* The filter of one generation: which rules there are, and their tables put together. */
#include "../base/clock.h"
#include "../base/scope.h"
#include "filter_part.h"
#include "part.h"

_Static_assert((int)CONFIG_ACTION_PASS == WEIR_ACTION_PASS && (int)CONFIG_ACTION_ALLOW == WEIR_ACTION_ALLOW &&
		       (int)CONFIG_ACTION_DROP == WEIR_ACTION_DROP && (int)CONFIG_ACTION_REJECT == WEIR_ACTION_REJECT &&
		       (int)CONFIG_ACTION_LIMIT == WEIR_ACTION_LIMIT && (int)CONFIG_ACTION_MARK == WEIR_ACTION_MARK,
	       "the same numbers");

void compile_filter_free(struct compile_filter *filter)
{
	if (!filter)
		return;
	compile_addresses_free(&filter->addresses);
	free(filter->indexes);
	free(filter->vectors);
	free(filter->rules);
	free(filter->folded);
	free(filter);
}

static void free_filter(struct compile_filter **filter)
{
	compile_filter_free(*filter);
}

static void free_rules(struct compile_rules *rules)
{
	free(rules->list);
}

int compile_vectors_add(struct compile_filter *filter, size_t count, uint32_t *first)
{
	size_t lines = count * filter->head.vector_lines, total = filter->vectors_count + lines;
	struct weir_vector_line *grown = realloc(filter->vectors, (total ?: 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	memset(grown + filter->vectors_count, 0, lines * sizeof(*grown));
	*first = filter->vectors_count;
	filter->vectors = grown;
	filter->vectors_count = total;
	return 0;
}

void compile_vector_write(struct compile_filter *filter, size_t line, const uint64_t *bits, size_t words)
{
	struct weir_vector_line *lines = filter->vectors + line;

	for (size_t i = 0; i < words; i++) {
		lines[(i + 1) / 8].word[(i + 1) % 8] = bits[i];
		if (bits[i])
			lines->word[0] |= 1ull << i;
	}
}

static enum config_rule_mode mode_of(const struct compile_filter_input *input, size_t rule)
{
	return input->rule_modes ? input->rule_modes[rule] : input->config->filter.rules[rule].mode;
}

/* When a rule expires by the monotonic clock: 0 never (or in more than a human age), negative when it has already. */
static int64_t expiry_of(const struct compile_filter_input *input, const struct config_rule *rule)
{
	int64_t expires_ns, left_ns, by_monotonic_ns;

	if (!rule->expires_s)
		return 0;
	if (__builtin_mul_overflow(rule->expires_s, NS_PER_S, &expires_ns))
		return rule->expires_s > 0 ? 0 : -1;
	if (expires_ns <= input->realtime_ns)
		return -1;
	left_ns = expires_ns - input->realtime_ns;
	return __builtin_add_overflow(left_ns, input->monotonic_ns, &by_monotonic_ns) ? 0 : by_monotonic_ns;
}

static int select_rules(const struct compile_filter_input *input, struct compile_rules *rules,
			struct compile_filter *filter, struct problem *problem)
{
	const struct config_filter *config = &input->config->filter;

	rules->list = calloc(config->rules_count ?: 1, sizeof(*rules->list));
	filter->rules = calloc(config->rules_count ?: 1, sizeof(*filter->rules));
	if (!rules->list || !filter->rules)
		return -ENOMEM;
	for (size_t i = 0; i < config->rules_count; i++) {
		const struct config_rule *rule = &config->rules[i];
		enum config_rule_mode mode = mode_of(input, i);
		int64_t expires_ns = expiry_of(input, rule);

		if (mode == CONFIG_RULE_OFF || expires_ns < 0)
			continue;
		rules->list[rules->count] = rule;
		filter->rules[rules->count++] = (struct weir_rule){
			.id = input->rule_ids[i],
			.action = (uint8_t)rule->action,
			.shadow = mode == CONFIG_RULE_SHADOW,
			.limit = rule->action == CONFIG_ACTION_LIMIT ? rule->limit + 1 : 0,
			.allows = rule->action == CONFIG_ACTION_ALLOW,
			.mark = rule->action == CONFIG_ACTION_MARK ? rule->mark : 0,
			.expires_ns = expires_ns,
		};
	}
	if (rules->count > WEIR_MAX_RULES)
		return compile_refuse(problem, "rules", rules->count, "WEIR_MAX_RULES", WEIR_MAX_RULES,
				      "join rules that differ in addresses or ports alone: one can list many, and a "
				      "set can hold any number of addresses");
	rules->words = (rules->count + 63) / 64;
	filter->rules_count = rules->count;
	return 0;
}

/* The rules that act, as a vector, and the shadows as the next one. */
static int mark_modes(const struct compile_rules *rules, struct compile_filter *filter)
{
	uint64_t bits[2][WEIR_MAX_RULES / 64] = {0};
	struct weir_filter *head = &filter->head;
	int error = compile_vectors_add(filter, 2, &head->enforcing);

	if (error)
		return error;
	for (size_t i = 0; i < rules->count; i++) {
		bits[filter->rules[i].shadow][i / 64] |= 1ull << i % 64;
		head->shadows += filter->rules[i].shadow;
	}
	for (int shadow = 0; shadow < 2; shadow++)
		compile_vector_write(filter, head->enforcing + shadow * head->vector_lines, bits[shadow], rules->words);
	return 0;
}

static int fill_addresses(const struct compile_sides *sides, const struct compile_rules *rules,
			  struct compile_filter *filter, struct problem *problem)
{
	struct compile_addresses *addresses = &filter->addresses;
	struct weir_filter *head = &filter->head;
	int error = compile_addresses_build(sides->sets, sides->sets_count, addresses, problem);

	if (error)
		return error;
	head->entries4_lines = addresses->entries4_hashed;
	head->entries4_seed = addresses->entries4_seed;
	head->tops6 = addresses->tops6_count != 0;
	head->bits6_shift = addresses->bits6_shift;
	head->groups6_mask = addresses->groups6_count ? addresses->groups6_count - 1 : 0;
	head->buckets6_mask = addresses->buckets6_hashed ? addresses->buckets6_hashed - 1 : 0;
	error = compile_sides_vectors(sides, COMPILE_FROM, rules, filter);
	return error ? error : compile_sides_vectors(sides, COMPILE_TO, rules, filter);
}

bool compile_filter_is_quick(const struct compile_filter *filter)
{
	const struct weir_filter *head = &filter->head;
	bool is_quick = head->dimensions == 1u << WEIR_DIMENSION_SOURCE && !head->shadows &&
			head->default_action == WEIR_ACTION_PASS;

	for (size_t i = 0; i < filter->rules_count; i++)
		is_quick = is_quick && !filter->rules[i].expires_ns;
	return is_quick;
}

/* The first rule of each of the first classes. */
static void fill_quick(struct compile_filter *filter)
{
	struct weir_filter *head = &filter->head;

	for (size_t class = 0; class < WEIR_QUICK_CLASSES && class < filter->addresses.classes_count; class ++) {
		const struct weir_vector_line *lines =
			filter->vectors + head->vector_base[WEIR_DIMENSION_SOURCE] + class * head->vector_lines;
		uint64_t summary = lines->word[0];
		size_t word, number;

		if (!summary)
			continue;
		word = (size_t)__builtin_ctzll(summary) + 1;
		number = (word - 1) * 64 + (size_t)__builtin_ctzll(lines[word / 8].word[word % 8]);
		head->quick[class] = WEIR_FOUND(number, &filter->rules[number]);
	}
}

size_t compile_filter_lines(const struct compile_filter *filter, struct compile_lines out[COMPILE_LINES])
{
	const struct compile_addresses *addresses = &filter->addresses;
	const struct compile_lines tables[COMPILE_LINES] = {
		[COMPILE_LINES_VALUES4] = {addresses->values4, addresses->values4_count * sizeof(*addresses->values4),
					   0},
		[COMPILE_LINES_ENTRIES4] = {addresses->entries4,
					    addresses->entries4_count * sizeof(*addresses->entries4), 0},
		[COMPILE_LINES_LINES4] = {addresses->lines4, addresses->lines4_count * sizeof(*addresses->lines4), 0},
		[COMPILE_LINES_BITS6] = {addresses->bits6, addresses->bits6_count * sizeof(*addresses->bits6), 0},
		[COMPILE_LINES_GROUPS6] = {addresses->groups6, addresses->groups6_count * sizeof(*addresses->groups6),
					   0},
		[COMPILE_LINES_BUCKETS6] = {addresses->buckets6,
					    addresses->buckets6_count * sizeof(*addresses->buckets6), 0},
		[COMPILE_LINES_VECTORS] = {filter->vectors, filter->vectors_count * sizeof(*filter->vectors), 0},
	};
	size_t lines = 0;

	for (size_t i = 0; i < COMPILE_LINES; i++) {
		out[i] = tables[i];
		out[i].first = lines;
		lines += (tables[i].bytes + sizeof(struct weir_line) - 1) / sizeof(struct weir_line);
	}
	return lines;
}

static int place_lines(struct compile_filter *filter, struct problem *problem)
{
	struct compile_lines tables[COMPILE_LINES];
	size_t lines = compile_filter_lines(filter, tables);

	if (lines > WEIR_MAX_LINES)
		return compile_refuse(problem, "lines are needed by sets and rules", lines, "WEIR_MAX_LINES",
				      WEIR_MAX_LINES,
				      "use fewer or smaller sets, or fewer rules that look at different ones");
	filter->head.values4 = tables[COMPILE_LINES_VALUES4].first;
	filter->head.entries4 = tables[COMPILE_LINES_ENTRIES4].first;
	filter->head.lines4 = tables[COMPILE_LINES_LINES4].first;
	filter->head.bits6 = tables[COMPILE_LINES_BITS6].first;
	filter->head.groups6 = tables[COMPILE_LINES_GROUPS6].first;
	filter->head.buckets6 = tables[COMPILE_LINES_BUCKETS6].first;
	filter->head.vectors = tables[COMPILE_LINES_VECTORS].first;
	return 0;
}

static int fill_tables(const struct compile_filter_input *input, const struct compile_rules *rules,
		       struct compile_filter *filter, struct problem *problem)
{
	struct compile_folded folded __attribute__((cleanup(compile_folded_close))) = {0};
	struct compile_sides sides __attribute__((cleanup(compile_sides_close))) = {0};
	int error;

	filter->head.rules = rules->count;
	filter->head.vector_lines = (1 + rules->words + 7) / 8;
	error = rules->count ? mark_modes(rules, filter) : 0;
	if (!error)
		error = compile_sides_open(input, rules, &sides);
	if (!error)
		error = compile_folded_open(input, &sides, &folded);
	if (!error)
		error = fill_addresses(&sides, rules, filter, problem);
	if (!error)
		error = compile_dimensions(input, rules, filter, problem);
	for (__u32 i = 0; i < WEIR_DIMENSIONS_TOTAL; i++)
		if (filter->head.dimensions >> i & 1)
			filter->head.order[filter->head.used++] = i;
	if (!error && compile_filter_is_quick(filter))
		fill_quick(filter);
	if (!error)
		error = compile_folded_records(&folded, filter);
	return error ? error : place_lines(filter, problem);
}

int compile_filter_build(const struct compile_filter_input *input, struct compile_filter **out, struct problem *problem)
{
	struct compile_filter *filter __attribute__((cleanup(free_filter))) = calloc(1, sizeof(*filter));
	struct compile_rules rules __attribute__((cleanup(free_rules))) = {0};
	size_t sets_count = input->config->sets_count;
	int error;

	if (sets_count > WEIR_MAX_SETS)
		return compile_refuse(problem, "sets", sets_count, "WEIR_MAX_SETS", WEIR_MAX_SETS,
				      "join sets that rules use alike: one can have many prefixes");
	error = filter ? select_rules(input, &rules, filter, problem) : -ENOMEM;
	if (!error) {
		filter->head.default_action = input->config->filter.default_action;
		if (rules.count || input->folded_count)
			error = fill_tables(input, &rules, filter, problem);
	}
	if (error)
		return error;
	*out = TAKE_PTR(filter);
	return 0;
}
