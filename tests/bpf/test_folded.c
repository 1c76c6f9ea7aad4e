/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live entries by chance, in the hashes, in the address tables and taken back by tombstones, against a plain list of
 * them: what holds a source is looked for entry by entry.
 */
#include "harness.h"
#include "tests/unit/chance.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ENTRIES	 600
#define STEPS	 50  /* changes of a world */
#define SOURCES	 100 /* packets between them */
#define ENDING_S 3600
#define HOUR_NS	 3600000000000ull

/* What lists are to hold, as it was asked for. */
struct entry {
	struct prefix prefix;
	uint32_t list;
	bool ends; /* in an hour */
};

struct world {
	struct harness *harness;
	struct chance chance;
	const char *rules; /* NULL: none */
	struct entry entries[ENTRIES];
	size_t count;
	uint64_t now_ns;
	size_t by_folded, by_hash, undecided; /* packets */
	uint64_t seed;
};

/* The first ones hold every source. */
#define WIDE 3
static const uint8_t lengths4[] = {12, 16, 18, 22, 24, 25, 27, 29, 30, 31, 32, 32};
static const uint8_t lengths6[] = {20, 32, 48, 63, 64, 65, 66, 96, 100, 125, 126, 127, 128, 128};

/* Few enough that prefixes and sources meet: below 10.200.0.0/18 and 2001:db8:c::/48. */
static struct addr chance_source(struct chance *chance, uint8_t family)
{
	number128 number = (number128)0x20010db8000c << 80;

	if (family == WEIR_IPV4)
		return addr_of(WEIR_IPV4,
			       0x0ac80000 | (chance_below(chance, 64) << 8) | (chance_below(chance, 8) * 31));
	number |= (number128)chance_below(chance, 24) << 64;
	number |= (number128)chance_below(chance, 3) << 62;
	return addr_of(WEIR_IPV6, number | chance_below(chance, 6));
}

static uint8_t chance_family(struct chance *chance)
{
	return chance_one_in(chance, 2) ? WEIR_IPV4 : WEIR_IPV6;
}

static struct prefix chance_entry(struct chance *chance)
{
	uint8_t family = chance_family(chance);
	struct addr addr = chance_source(chance, family);
	uint32_t count = family == WEIR_IPV4 ? ARRAY_SIZE(lengths4) : ARRAY_SIZE(lengths6);
	uint32_t at =
		chance_one_in(chance, 300) ? chance_below(chance, WIDE) : WIDE + chance_below(chance, count - WIDE);

	return prefix_around(family, number_of(&addr), family == WEIR_IPV4 ? lengths4[at] : lengths6[at]);
}

static struct entry *find_entry(struct world *world, const struct prefix *prefix, uint32_t list)
{
	for (size_t i = 0; i < world->count; i++)
		if (world->entries[i].list == list && !prefix_compare(&world->entries[i].prefix, prefix))
			return &world->entries[i];
	return NULL;
}

static void add_some(struct world *world, size_t some)
{
	struct reconcile_ban bans[64];
	struct problem problem = {0};
	size_t count = 0;

	for (; count < some && count < ARRAY_SIZE(bans) && world->count < ENTRIES; count++) {
		struct entry entry = {
			.prefix = chance_entry(&world->chance),
			.list = chance_one_in(&world->chance, 4) ? WEIR_BAN_ALLOW : WEIR_BAN_DENY,
			.ends = chance_one_in(&world->chance, 6),
		};
		struct entry *same = find_entry(world, &entry.prefix, entry.list);

		if (!same)
			same = &world->entries[world->count++];
		*same = entry;
		bans[count] = (struct reconcile_ban){.prefix = entry.prefix, .list = entry.list};
		if (entry.ends)
			bans[count].until_s = time(NULL) + ENDING_S;
	}
	if (count && reconcile_ban_add(world->harness->reconcile, bans, count, &problem))
		fail_msg("%s", problem.text);
}

static void delete_one(struct world *world)
{
	struct problem problem = {0};
	struct entry *entry;

	if (!world->count)
		return;
	entry = &world->entries[chance_below(&world->chance, (uint32_t)world->count)];
	if (reconcile_ban_delete(world->harness->reconcile, entry->list, &entry->prefix, 1, &problem))
		fail_msg("%s", problem.text);
	*entry = world->entries[--world->count];
}

static void fold(struct world *world)
{
	struct problem problem = {0};

	if (reconcile_apply(world->harness->reconcile, NULL, reconcile_model(world->harness->reconcile)->filter,
			    &problem))
		fail_msg("%s", problem.text);
}

/* Any allow entry before any deny entry, and of one list the shortest. NULL: none holds it. */
static const struct entry *judge(const struct world *world, const struct addr *source, bool ended)
{
	const struct entry *found = NULL;

	for (size_t i = 0; i < world->count; i++) {
		const struct entry *entry = &world->entries[i];

		if ((entry->ends && ended) || !prefix_covers(&entry->prefix, source))
			continue;
		if (!found || entry->list > found->list ||
		    (entry->list == found->list && entry->prefix.length < found->prefix.length))
			found = entry;
	}
	return found;
}

static void differ(const struct world *world, const char *what, const char *source, unsigned int program,
		   unsigned int list)
{
	struct reconcile_folding folding = reconcile_folding(world->harness->reconcile);

	fail_msg("%s of %s: the program says %u, the lists %u (seed %llu; %zu folded, %zu in the hashes, %zu "
		 "tombstones; %s program, %s rules)",
		 what, source, program, list, (unsigned long long)world->seed, folding.folded, folding.overlay,
		 folding.tombstones, world->harness->traced ? "traced" : "plain", world->rules ? "with" : "without");
}

/* What the rules say of a source that no entry holds: they drop odd addresses. */
static enum weir_reason reason_by_rules(const struct world *world, const struct addr *source)
{
	return world->rules && number_of(source) & 1 ? WEIR_REASON_RULE : WEIR_REASON_NOT_VIP;
}

static void try_source(struct world *world)
{
	struct addr source = chance_source(&world->chance, chance_family(&world->chance));
	bool ended = world->harness->traced && chance_one_in(&world->chance, 4);
	const struct entry *entry = judge(world, &source, ended);
	enum weir_reason wanted = !entry			 ? reason_by_rules(world, &source)
				  : entry->list == WEIR_BAN_DENY ? WEIR_REASON_DENIED
								 : WEIR_REASON_NOT_VIP;
	char text[ADDR_TEXT_MAX];
	const struct packet_spec spec = {.source = addr_format(&source, text),
					 .destination = source.family == WEIR_IPV4 ? OTHER4 : OTHER6,
					 .protocol = IPPROTO_TCP,
					 .sport = 40000,
					 .dport = 443};
	static struct harness_result result;
	struct weir_count before, after;
	enum weir_verdict verdict = wanted == WEIR_REASON_NOT_VIP ? WEIR_PASS : WEIR_DROP;

	world->harness->now_ns = world->now_ns + (ended ? 2 * HOUR_NS : 0);
	before = harness_count_verdict(world->harness, verdict, wanted);
	harness_run_spec(world->harness, &spec, &result);
	after = harness_count_verdict(world->harness, verdict, wanted);
	if (after.packets - before.packets != 1)
		differ(world, "reason", text, result.trace.reason, wanted);
	if (world->harness->traced && result.trace.ban_lists != (entry ? entry->list : 0))
		differ(world, "list", text, result.trace.ban_lists, entry ? entry->list : 0);
	if (world->harness->traced && entry && result.trace.ban_length != entry->prefix.length)
		differ(world, "prefix length", text, result.trace.ban_length, entry->prefix.length);
	world->undecided += !entry;
	world->by_hash += entry && entry->ends;
	world->by_folded += entry && !entry->ends;
}

static void try_world(struct world *world)
{
	for (size_t step = 0; step < STEPS; step++) {
		switch (step ? chance_below(&world->chance, 8) : 0) {
		case 0:
			add_some(world, world->count < ENTRIES / 4 ? 64 : 8);
			break;
		case 1:
			fold(world);
			break;
		case 2:
		case 3:
			add_some(world, 1);
			break;
		default:
			delete_one(world);
		}
		for (size_t i = 0; i < SOURCES; i++)
			try_source(world);
	}
	print_message("folded: %zu packets held by entries without an end, %zu by those with one, %zu by none\n",
		      world->by_folded, world->by_hash, world->undecided);
	assert_true(world->by_folded && world->by_hash && world->undecided);
}

static void try_configuration(const char *rules, enum harness_mode mode, uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));
	char *configuration = NULL;

	assert_non_null(world);
	assert_true(asprintf(&configuration, "%s%s", configuration_standard, rules ? rules : "") > 0);
	*world = (struct world){.rules = rules, .seed = seed, .chance = {.state = seed}};
	world->harness = harness_open(configuration, mode);
	world->now_ns = world->harness->now_ns;
	try_world(world);
	harness_close(world->harness);
	free(configuration);
	free(world);
}

/* Odd addresses in the sources' ranges, as a set. */
static char *odd_sources(const char *more)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs("filter:\n  rules:\n    - {from: [", out);
	for (unsigned int i = 0; i < 64; i++)
		for (unsigned int j = 1; j < 8; j += 2)
			fprintf(out, "10.200.%u.%u, ", i, j * 31);
	for (unsigned int i = 0; i < 24; i++)
		for (unsigned int j = 0; j < 3; j++)
			for (unsigned int k = 1; k < 6; k += 2)
				fprintf(out, "\"2001:db8:c:%x:%x::%x\"%s", i, j << 14 & 0xffff, k,
					i == 23 && j == 2 && k == 5 ? "" : ", ");
	fprintf(out, "]%s, action: drop}\n", more);
	fclose(out);
	return text;
}

static void folded_entries_decide_as_the_list_does_without_rules(void **state)
{
	(void)state;
	try_configuration(NULL, HARNESS_TRACED, 1);
	try_configuration(NULL, HARNESS_PLAIN, 2);
}

static void folded_entries_decide_as_the_list_does_before_rules(void **state)
{
	AUTO_FREE char *by_source = odd_sources(""), *by_more = odd_sources(", dport: 443");

	(void)state;
	try_configuration(by_source, HARNESS_TRACED, 3);
	try_configuration(by_source, HARNESS_PLAIN, 4);
	try_configuration(by_more, HARNESS_TRACED, 5);
	try_configuration(by_more, HARNESS_PLAIN, 6);
}

/* The class of the source is known of what live entries hold, too: that is no match of a rule. */
static void folded_entry_is_no_set_of_a_rule(void **state)
{
	struct harness *harness = harness_open(configuration_standard, HARNESS_TRACED);
	struct harness_result result;
	const struct packet_spec spec = {
		.source = "10.200.0.1", .destination = V4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443};
	struct problem problem = {0};

	(void)state;
	for (unsigned int i = 0; i < 2 * RECONCILE_FOLD_LEAST; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.200.%u.0/24", i);
		harness_ban(harness, WEIR_BAN_DENY, text, 0);
	}
	assert_int_equal(
		reconcile_apply(harness->reconcile, NULL, reconcile_model(harness->reconcile)->filter, &problem), 0);
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_DENIED);
	assert_int_equal(result.trace.ban_length, 24);
	harness_unban(harness, WEIR_BAN_DENY, "10.200.0.0/24");
	harness_run_spec(harness, &spec, &result);
	assert_int_equal(result.trace.reason, WEIR_REASON_STEERED);
	assert_int_equal(result.trace.rule_id, 0);
	harness_close(harness);
}

int group_folded(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folded_entry_is_no_set_of_a_rule),
		cmocka_unit_test(folded_entries_decide_as_the_list_does_without_rules),
		cmocka_unit_test(folded_entries_decide_as_the_list_does_before_rules),
	};

	return cmocka_run_group_tests_name("folded live entries", tests, NULL, NULL);
}
