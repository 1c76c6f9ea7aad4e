/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses that rules look at: `from` and `to` as sets, and the rules that each class of addresses satisfies. */
#include "../base/scope.h"
#include "filter_part.h"

#define NOT_YET UINT32_MAX

/* What is needed until all sets are there. */
struct gathering {
	const struct compile_filter_input *input;
	struct compile_sides *sides;
	uint32_t *numbers;	   /* of each of config.sets, then of the VIPs, among sides.sets; or NOT_YET */
	struct compile_slots made; /* by content: numbers of sets that were made */
};

static const struct config_term *terms_of(const struct config_rule *rule, enum compile_side side, size_t *count)
{
	*count = side == COMPILE_FROM ? rule->from_count : rule->to_count;
	return side == COMPILE_FROM ? rule->from : rule->to;
}

static uint32_t hash_prefixes(const struct prefixes *set)
{
	uint64_t hash = set->v4_count;

	for (size_t i = 0; i < set->v4_count; i++)
		hash = compile_hash_word(hash, (uint64_t)set->v4[i].first << 32 | set->v4[i].last);
	for (size_t i = 0; i < set->v6_count; i++) {
		hash = compile_hash_word(hash, set->v6[i].high);
		hash = compile_hash_word(hash, set->v6[i].low);
		hash = compile_hash_word(hash, set->v6[i].length);
	}
	return compile_hash_end(hash);
}

/* Takes the builder's content as a set: one that is there already, or a new one. */
static int number_made(struct gathering *gathering, struct prefixes_builder *builder, uint32_t *number)
{
	struct compile_sides *sides = gathering->sides;
	struct prefixes *made = NULL;
	size_t step = 0;
	uint32_t hash, found;
	int error = prefixes_finish(builder, &made);

	if (error)
		return error;
	hash = hash_prefixes(made);
	while ((found = compile_slots_next(&gathering->made, hash, &step)) != COMPILE_SLOTS_END) {
		if (!prefixes_equal(sides->sets[found], made))
			continue;
		prefixes_release(made);
		*number = found;
		return 0;
	}
	sides->made[sides->made_count++] = made;
	*number = sides->sets_count;
	sides->sets[sides->sets_count++] = made;
	return compile_slots_add(&gathering->made, hash, *number);
}

static int number_vips(struct gathering *gathering, uint32_t *number)
{
	const struct config *config = gathering->input->config;
	struct prefixes_builder builder __attribute__((cleanup(prefixes_builder_free))) = {0};

	for (size_t i = 0; i < config->services_count; i++) {
		const struct config_service *service = &config->services[i];

		for (size_t j = 0; j < service->addresses_count; j++) {
			struct prefix prefix = {.addr = service->addresses[j]};
			int error;

			prefix.length = prefix.addr.family == WEIR_IPV4 ? 32 : 128;
			error = prefixes_add(&builder, &prefix);
			if (error)
				return error;
		}
	}
	return number_made(gathering, &builder, number);
}

/* A set that is written in the configuration, as long as nobody read it. */
static int number_inline(struct gathering *gathering, const struct config_set *set, uint32_t *number)
{
	struct prefixes_builder builder __attribute__((cleanup(prefixes_builder_free))) = {0};
	int error = prefixes_add_all(&builder, set->prefixes, set->prefixes_count);

	return error ? error : number_made(gathering, &builder, number);
}

/* The number of a set of the configuration, or of the VIPs. */
static int number_named(struct gathering *gathering, int set, uint32_t *number)
{
	const struct compile_filter_input *input = gathering->input;
	const struct config *config = input->config;
	uint32_t *known = &gathering->numbers[set == CONFIG_TERM_VIPS ? config->sets_count : (size_t)set];
	const struct prefixes *content = NULL;
	int error = 0;

	if (set != CONFIG_TERM_VIPS && input->contents)
		content = input->contents[set];
	if (*known == NOT_YET && set == CONFIG_TERM_VIPS) {
		error = number_vips(gathering, known);
	} else if (*known == NOT_YET && !content) {
		error = number_inline(gathering, &config->sets[set], known);
	} else if (*known == NOT_YET) {
		*known = gathering->sides->sets_count++;
		gathering->sides->sets[*known] = content;
	}
	*number = *known;
	return error;
}

static void add_term(struct compile_sides *sides, enum compile_side side, uint32_t rule, uint32_t set, bool negated)
{
	sides->terms[side][sides->terms_count[side]++] =
		(struct compile_side_term){.rule = rule, .set = set, .negated = negated};
}

/* The terms of one rule on one side that are negated, or are not. */
static int gather(struct gathering *gathering, const struct config_rule *rule, uint32_t number, enum compile_side side,
		  bool negated)
{
	struct prefixes_builder builder __attribute__((cleanup(prefixes_builder_free))) = {0};
	size_t count;
	const struct config_term *terms = terms_of(rule, side, &count);
	uint32_t set = 0;
	int error = 0;

	for (size_t i = 0; i < count && !error; i++) {
		if (terms[i].negated != negated)
			continue;
		if (terms[i].set == CONFIG_TERM_PREFIX) {
			error = prefixes_add(&builder, &terms[i].prefix);
			continue;
		}
		error = number_named(gathering, terms[i].set, &set);
		if (!error)
			add_term(gathering->sides, side, number, set, negated);
	}
	if (error || !builder.given)
		return error;
	error = number_made(gathering, &builder, &set);
	if (!error)
		add_term(gathering->sides, side, number, set, negated);
	return error;
}

static int gather_all(struct gathering *gathering, const struct compile_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		for (int kind = 0; kind < 2 * COMPILE_SIDES; kind++) {
			int error = gather(gathering, rules->list[i], i, kind / 2, kind % 2);

			if (error)
				return error;
		}
	}
	return 0;
}

int compile_sides_open(const struct compile_filter_input *input, const struct compile_rules *rules,
		       struct compile_sides *sides)
{
	size_t named = input->config->sets_count + 1, made = 2ull * COMPILE_SIDES * rules->count + named;
	uint32_t *numbers AUTO_FREE = malloc(named * sizeof(*numbers));
	struct gathering gathering = {.input = input, .sides = sides, .numbers = numbers};
	int error;

	sides->sets = calloc(named + made, sizeof(*sides->sets));
	sides->made = calloc(made, sizeof(*sides->made));
	for (int side = 0; side < COMPILE_SIDES; side++) {
		size_t total = 0, count;

		for (size_t i = 0; i < rules->count; i++) {
			terms_of(rules->list[i], side, &count);
			total += count;
		}
		sides->terms[side] = calloc(total ?: 1, sizeof(*sides->terms[side]));
	}
	if (!numbers || !sides->sets || !sides->made || !sides->terms[COMPILE_FROM] || !sides->terms[COMPILE_TO])
		return -ENOMEM;
	for (size_t i = 0; i < named; i++)
		numbers[i] = NOT_YET;
	error = gather_all(&gathering, rules);
	compile_slots_free(&gathering.made);
	return error;
}

void compile_sides_close(struct compile_sides *sides)
{
	for (size_t i = 0; i < sides->made_count; i++)
		prefixes_release(sides->made[i]);
	for (int side = 0; side < COMPILE_SIDES; side++)
		free(sides->terms[side]);
	free(sides->sets);
	free(sides->made);
	*sides = (struct compile_sides){0};
}

/* Rules by set, as rows of bits: those that ask for the set, and those that ask for its absence. */
struct votes {
	uint64_t *wanted, *unwanted; /* [sets * words] */
	uint64_t *open;		     /* rules that ask for no set at all: every address will do */
	uint64_t *row;
	size_t words;
};

static void votes_close(struct votes *votes)
{
	free(votes->wanted);
	free(votes->unwanted);
	free(votes->open);
	free(votes->row);
}

static int votes_open(struct votes *votes, const struct compile_sides *sides, enum compile_side side,
		      const struct compile_rules *rules)
{
	size_t cells = (sides->sets_count ?: 1) * rules->words;

	votes->words = rules->words;
	votes->wanted = calloc(cells, sizeof(*votes->wanted));
	votes->unwanted = calloc(cells, sizeof(*votes->unwanted));
	votes->open = calloc(rules->words, sizeof(*votes->open));
	votes->row = calloc(rules->words, sizeof(*votes->row));
	if (!votes->wanted || !votes->unwanted || !votes->open || !votes->row)
		return -ENOMEM;
	for (size_t i = 0; i < rules->count; i++)
		votes->open[i / 64] |= 1ull << i % 64;
	for (size_t i = 0; i < sides->terms_count[side]; i++) {
		const struct compile_side_term *term = &sides->terms[side][i];
		uint64_t bit = 1ull << term->rule % 64;
		size_t at = term->set * votes->words + term->rule / 64;

		if (term->negated) {
			votes->unwanted[at] |= bit;
		} else {
			votes->wanted[at] |= bit;
			votes->open[term->rule / 64] &= ~bit;
		}
	}
	return 0;
}

static void add_wanted(struct votes *votes, size_t set)
{
	for (size_t i = 0; i < votes->words; i++)
		votes->row[i] |= votes->wanted[set * votes->words + i];
}

static void take_unwanted(struct votes *votes, size_t set)
{
	for (size_t i = 0; i < votes->words; i++)
		votes->row[i] &= ~votes->unwanted[set * votes->words + i];
}

static void each_member(struct votes *votes, const uint64_t *members, size_t words,
			void (*visit)(struct votes *votes, size_t set))
{
	for (size_t i = 0; i < words; i++)
		for (uint64_t left = members[i]; left; left &= left - 1)
			visit(votes, i * 64 + __builtin_ctzll(left));
}

/* Into votes->row: the rules that an address in exactly these sets satisfies. */
static void count_votes(struct votes *votes, const uint64_t *members, size_t words)
{
	memcpy(votes->row, votes->open, votes->words * sizeof(*votes->row));
	each_member(votes, members, words, add_wanted);
	each_member(votes, members, words, take_unwanted);
}

int compile_sides_vectors(const struct compile_sides *sides, enum compile_side side, const struct compile_rules *rules,
			  struct compile_filter *filter)
{
	enum weir_dimension dimension = side == COMPILE_FROM ? WEIR_DIMENSION_SOURCE : WEIR_DIMENSION_DESTINATION;
	const struct compile_addresses *addresses = &filter->addresses;
	struct votes votes __attribute__((cleanup(votes_close))) = {0};
	uint32_t base = 0;
	int error;

	if (!sides->terms_count[side])
		return 0;
	error = votes_open(&votes, sides, side, rules);
	if (!error)
		error = compile_vectors_add(filter, addresses->classes_count, &base);
	if (error)
		return error;
	for (size_t class = 0; class < addresses->classes_count; class ++) {
		count_votes(&votes, addresses->members + class * addresses->member_words, addresses->member_words);
		compile_vector_write(filter, base + class * filter->head.vector_lines, votes.row, votes.words);
	}
	filter->head.dimensions |= 1u << dimension;
	filter->head.vector_base[dimension] = base;
	return 0;
}
