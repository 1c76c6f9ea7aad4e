/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: sets of addresses to classes, and the flat tables against a plain scan of the sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "user/base/scope.h"
#include "user/compile/addresses.h"

#define SETS_MAX    16
#define ENTRIES_MAX 400

/* Sets as they were written down, beside what the compiler makes of them. */
struct world {
	struct prefix entries[ENTRIES_MAX];
	size_t set_of[ENTRIES_MAX]; /* of each entry */
	size_t entries_count, sets_count;
	struct prefixes *sets[SETS_MAX];
	struct compile_addresses addresses;
	struct problem problem;
};

static void close_world(struct world *world)
{
	for (size_t i = 0; i < world->sets_count; i++)
		prefixes_release(world->sets[i]);
	compile_addresses_free(&world->addresses);
	*world = (struct world){0};
}

static void add_entry(struct world *world, size_t set, struct prefix prefix)
{
	assert_true(world->entries_count < ENTRIES_MAX);
	world->entries[world->entries_count] = prefix;
	world->set_of[world->entries_count++] = set;
}

static void add_text(struct world *world, size_t set, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	add_entry(world, set, prefix);
}

static struct prefixes *make_set(const struct world *world, size_t set)
{
	struct prefixes_builder builder = {0};
	struct prefixes *made = NULL;

	for (size_t i = 0; i < world->entries_count; i++)
		if (world->set_of[i] == set)
			assert_int_equal(prefixes_add(&builder, &world->entries[i]), 0);
	assert_int_equal(prefixes_finish(&builder, &made), 0);
	return made;
}

static int try_compile(struct world *world, size_t sets_count)
{
	world->sets_count = sets_count;
	for (size_t i = 0; i < sets_count; i++)
		world->sets[i] = make_set(world, i);
	return compile_addresses_build((const struct prefixes *const *)world->sets, sets_count, &world->addresses,
				       &world->problem);
}

static void compile(struct world *world, size_t sets_count)
{
	if (try_compile(world, sets_count))
		fail_msg("%s", world->problem.text);
}

static uint64_t scan(const struct world *world, const struct addr *addr)
{
	uint64_t sets = 0;

	for (size_t i = 0; i < world->entries_count; i++)
		if (prefix_covers(&world->entries[i], addr))
			sets |= 1ull << world->set_of[i];
	return sets;
}

static uint64_t look_up(const struct world *world, const struct addr *addr)
{
	uint16_t class = compile_addresses_find(&world->addresses, addr);

	assert_true(class < world->addresses.classes_count);
	return world->addresses.members[class * world->addresses.member_words];
}

static void expect_as_scanned(const struct world *world, struct addr addr)
{
	uint64_t wanted = scan(world, &addr), found = look_up(world, &addr);
	char text[ADDR_TEXT_MAX];

	if (wanted != found)
		fail_msg("%s is in sets %llx, but the tables say %llx", addr_format(&addr, text),
			 (unsigned long long)wanted, (unsigned long long)found);
}

static void expect_text(const struct world *world, const char *text, uint64_t sets)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	expect_as_scanned(world, addr);
	if (look_up(world, &addr) != sets)
		fail_msg("%s is in sets %llx", text, (unsigned long long)look_up(world, &addr));
}

/* Around both ends of every entry, and wherever chance leads. */
static void expect_world_as_scanned(const struct world *world, struct chance *chance, int more)
{
	for (size_t i = 0; i < world->entries_count; i++) {
		const struct prefix *entry = &world->entries[i];
		number128 first = number_of(&entry->addr), last = first + span_of(entry);

		for (int offset = -1; offset <= 1; offset++) {
			expect_as_scanned(world, addr_of(entry->addr.family, first + offset));
			expect_as_scanned(world, addr_of(entry->addr.family, last + offset));
		}
	}
	for (int i = 0; i < more; i++)
		expect_as_scanned(world, chance_address(chance, world->entries, world->entries_count));
}

static size_t count_entries(const struct compile_addresses *addresses)
{
	size_t count = 0;

	for (size_t i = 0; i < addresses->entries4_count * WEIR_LINE_ENTRIES4; i++)
		count += addresses->entries4[i / WEIR_LINE_ENTRIES4].entries4[i % WEIR_LINE_ENTRIES4].key != 0;
	return count;
}

static void fill_by_chance(struct world *world, struct chance *chance, size_t sets_count, size_t entries_count)
{
	for (size_t i = 0; i < entries_count; i++)
		add_entry(world, chance_below(chance, sets_count),
			  chance_prefix(chance, world->entries, world->entries_count));
}

static void compile_addresses_sets_by_chance_are_found_as_a_scan_finds_them(void **state)
{
	static struct world world;
	struct chance chance = {.state = 4};

	(void)state;
	for (int round = 0; round < 250; round++) {
		size_t sets = 1 + chance_below(&chance, round % 2 ? 3 : SETS_MAX);

		fill_by_chance(&world, &chance, sets, chance_below(&chance, round % 4 ? 40 : ENTRIES_MAX));
		compile(&world, sets);
		expect_world_as_scanned(&world, &chance, 500);
		close_world(&world);
	}
}

static void compile_addresses_no_sets_is_one_class_and_no_tables(void **state)
{
	static struct world world;

	(void)state;
	for (size_t sets = 0; sets < 3; sets++) {
		compile(&world, sets);
		assert_int_equal(world.addresses.classes_count, 1);
		assert_int_equal(world.addresses.bits4_count + world.addresses.tops4_count, 0);
		assert_int_equal(world.addresses.values4_count + world.addresses.lines4_count, 0);
		assert_int_equal(world.addresses.entries4_count, 0);
		assert_int_equal(world.addresses.tops6_count + world.addresses.bits6_count, 0);
		assert_int_equal(world.addresses.groups6_count + world.addresses.buckets6_count, 0);
		expect_text(&world, "192.0.2.1", 0);
		expect_text(&world, "2001:db8::1", 0);
		close_world(&world);
	}
}

static void compile_addresses_everything_is_the_values_of_one_16_and_no_buckets(void **state)
{
	static struct world world;

	(void)state;
	add_text(&world, 0, "0.0.0.0/0");
	add_text(&world, 1, "::/0");
	compile(&world, 2);
	assert_int_equal(world.addresses.classes_count, 3);
	assert_int_equal(world.addresses.bits4_count, WEIR_BITS4);
	assert_int_equal(world.addresses.values4_count, 256);
	assert_int_equal(world.addresses.lines4_count, 0);
	assert_int_equal(world.addresses.tops6_count, WEIR_TOPS6);
	assert_int_equal(world.addresses.bits6_count + world.addresses.groups6_count, 0);
	assert_int_equal(world.addresses.buckets6_count, 0);
	expect_text(&world, "0.0.0.0", 1);
	expect_text(&world, "255.255.255.255", 1);
	expect_text(&world, "::", 2);
	expect_text(&world, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2);
	close_world(&world);
}

static void compile_addresses_single_addresses_that_fill_a_24_are_one_entry(void **state)
{
	static struct world world;

	(void)state;
	for (uint32_t i = 0; i < 256; i++)
		add_entry(&world, 0, prefix_around(WEIR_IPV4, 0xc0000200 + i, 32));
	compile(&world, 1);
	assert_int_equal(count_entries(&world.addresses), 1);
	assert_int_equal(world.addresses.values4_count + world.addresses.lines4_count, 0);
	expect_text(&world, "192.0.1.255", 0);
	expect_text(&world, "192.0.2.0", 1);
	expect_text(&world, "192.0.2.255", 1);
	expect_text(&world, "192.0.3.0", 0);
	close_world(&world);
}

static void compile_addresses_ranges_of_a_24_are_a_line_up_to_the_capacity(void **state)
{
	/* n single addresses apart are 2n + 1 ranges, or 2n when the first is at the beginning; two lie in the entry.
	 */
	static const struct {
		uint32_t first, count, lines;
	} rows[] = {
		{1, 1, 0},  {1, 2, 0},	{1, 3, 1},    {0, 3, 1},    {0, 10, 1},
		{0, 11, 8}, {1, 10, 8}, {236, 10, 8}, {237, 10, 1}, {0, 128, 8},
	};
	static struct world world;
	struct chance chance = {.state = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint32_t n = 0; n < rows[i].count; n++)
			add_entry(&world, 0, prefix_around(WEIR_IPV4, 0xc0000200 + rows[i].first + 2 * n, 32));
		compile(&world, 1);
		assert_int_equal(world.addresses.lines4_count, rows[i].lines);
		for (uint32_t n = 0; n < 256; n++)
			expect_as_scanned(&world, addr_of(WEIR_IPV4, 0xc0000200 + n));
		expect_world_as_scanned(&world, &chance, 100);
		close_world(&world);
	}
}

static void compile_addresses_equal_24s_share_their_line(void **state)
{
	static struct world world;
	struct chance chance = {.state = 1};

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		add_entry(&world, 0, prefix_around(WEIR_IPV4, 0x0a000007 + (i << 9), 32));
	for (uint32_t i = 0; i < 20; i++) {
		add_entry(&world, 1, prefix_around(WEIR_IPV4, 0x14000100 + 4 * i, 32));
		add_entry(&world, 1, prefix_around(WEIR_IPV4, 0x14000300 + 4 * i, 32));
	}
	compile(&world, 2);
	assert_int_equal(world.addresses.lines4_count, 1 + 8);
	expect_world_as_scanned(&world, &chance, 100);
	close_world(&world);
}

static void compile_addresses_full_16s_have_values_and_equal_ones_share_them(void **state)
{
	static struct world world;
	struct chance chance = {.state = 1};
	const uint64_t *tops;

	(void)state;
	add_text(&world, 0, "10.0.0.0/22");
	add_text(&world, 0, "10.1.0.0/17");
	add_text(&world, 0, "10.2.0.0/18");
	add_text(&world, 1, "10.2.64.0/18");
	add_text(&world, 0, "10.3.0.0/17");
	add_text(&world, 0, "10.4.8.0/21");
	add_text(&world, 0, "10.4.16.0/20");
	add_text(&world, 0, "10.4.32.0/19");
	add_text(&world, 0, "10.4.64.0/19");
	add_text(&world, 1, "10.5.64.0/18");
	compile(&world, 2);
	tops = world.addresses.tops4 + 0x0a00 / 2;
	assert_int_equal(tops[0], 1ull << 32); /* 10.0 by entries, 10.1 the first values */
	assert_int_equal(tops[1], 1ull << 32 | 257);
	assert_int_equal(tops[2], 513ull << 32); /* 10.4 by entries; one word of 10.5 is full */
	for (uint32_t word = 0; word < 4; word++) {
		assert_true(world.addresses.bits4[0x0a04 * 4 + word] != WEIR_BITS4_VALUES);
		assert_true(world.addresses.bits4[0x0a05 * 4 + word] == WEIR_BITS4_VALUES);
	}
	assert_int_equal(world.addresses.values4_count, 768);
	assert_int_equal(count_entries(&world.addresses), 4 + 88);
	expect_world_as_scanned(&world, &chance, 1000);
	close_world(&world);
}

/* Up to two ranges within an outer class lie in the entry, whichever of them is the outer one. */
static void compile_addresses_few_ranges_of_a_24_lie_in_the_entry(void **state)
{
	static const struct {
		const char *prefixes[4]; /* each in a set of its own */
		uint32_t lines;
	} rows[] = {
		{{"192.0.2.0/25"}, 0},
		{{"192.0.2.128/25"}, 0},
		{{"192.0.2.0/32", "192.0.2.255/32"}, 0},
		{{"192.0.2.0/24", "192.0.2.64/26", "192.0.2.200/32"}, 0},
		{{"192.0.2.0/25", "192.0.2.128/25"}, 0},
		{{"192.0.2.64/26", "192.0.2.128/26"}, 0},
		{{"192.0.2.64/26", "192.0.2.128/26", "192.0.2.200/32"}, 1},
		{{"192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/25"}, 0},
		{{"192.0.2.0/26", "192.0.2.64/26", "192.0.2.128/26", "192.0.2.192/26"}, 1},
	};
	static struct world world;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t set = 0; set < 4 && rows[i].prefixes[set]; set++)
			add_text(&world, set, rows[i].prefixes[set]);
		compile(&world, 4);
		assert_int_equal(count_entries(&world.addresses), 1);
		assert_int_equal(world.addresses.lines4_count, rows[i].lines);
		for (uint32_t n = 0; n < 256; n++)
			expect_as_scanned(&world, addr_of(WEIR_IPV4, 0xc0000200 + n));
		close_world(&world);
	}
}

/* So many /24s whose hashes lead to the last lines that any seed has. */
static void compile_addresses_24s_that_hash_alike_are_put_in_with_another_seed_or_more_lines(void **state)
{
	static struct world world;
	struct chance chance = {.state = 1};
	uint32_t lines = ENTRIES_MAX * 5 / 12 + 1;

	(void)state;
	for (uint32_t number = 0x010000; world.entries_count < ENTRIES_MAX; number++)
		if (weir_hash4(number, 0, lines) < 4)
			add_entry(&world, 0, prefix_around(WEIR_IPV4, number << 8, 24));
	compile(&world, 1);
	assert_int_equal(count_entries(&world.addresses), ENTRIES_MAX);
	assert_true(world.addresses.entries4_seed > 0 || world.addresses.entries4_hashed > lines);
	expect_world_as_scanned(&world, &chance, 1000);
	close_world(&world);
}

static void compile_addresses_nested_ipv6_prefixes_count_outer_sets_in(void **state)
{
	static struct world world;
	struct chance chance = {.state = 1};

	(void)state;
	for (uint8_t length = 0; length <= 128; length++)
		add_entry(&world, length % SETS_MAX,
			  prefix_around(WEIR_IPV6, (number128)0x20010db8ffff0000 << 64 | 0xffff0000aaaa5555, length));
	compile(&world, SETS_MAX);
	assert_int_equal(world.addresses.classes_count, 1 + SETS_MAX);
	expect_world_as_scanned(&world, &chance, 1000);
	close_world(&world);

	/* All lengths of /17 to /31, side by side. */
	for (uint8_t length = 17; length <= 31; length++)
		add_entry(&world, length - 17,
			  prefix_around(WEIR_IPV6, (number128)(0x20000000 + length) << 96, length));
	add_text(&world, 0, "2000::/15");
	compile(&world, SETS_MAX);
	assert_int_equal(world.addresses.bits6_count + world.addresses.groups6_count, 0);
	expect_world_as_scanned(&world, &chance, 1000);
	close_world(&world);

	/* None of them is short: no look at their first 16 bits. */
	for (uint32_t i = 0; i < 200; i++)
		add_entry(&world, i % SETS_MAX,
			  prefix_around(WEIR_IPV6, (number128)(0x20010db8 + i / 2) << 96 | i, 32 + i % 97));
	compile(&world, SETS_MAX);
	assert_int_equal(world.addresses.tops6_count, 0);
	expect_world_as_scanned(&world, &chance, 1000);
	close_world(&world);
}

/* So many /64 whose hashes end alike. */
static void add_alike(struct world *world, size_t count)
{
	for (uint64_t i = 0; world->entries_count < count; i++) {
		struct prefix prefix = prefix_around(WEIR_IPV6, (number128)(0x20010db800000000 + i) << 64, 64);

		if (!(weir_hash6(prefix.addr.bytes.word, 64) & 0xfff))
			add_entry(world, world->entries_count % SETS_MAX, prefix);
	}
}

static void compile_addresses_entries_that_hash_alike_make_a_chain(void **state)
{
	static struct world world;
	struct chance chance = {.state = 1};

	(void)state;
	add_alike(&world, (size_t)WEIR_BUCKET6_CHAIN * WEIR_BUCKET6_ENTRIES);
	compile(&world, SETS_MAX);
	assert_int_equal(world.addresses.buckets6_count, world.addresses.buckets6_hashed + WEIR_BUCKET6_CHAIN - 1);
	expect_world_as_scanned(&world, &chance, 100);
	close_world(&world);
}

static void compile_addresses_chain_that_does_not_get_shorter_is_refused(void **state)
{
	static struct world world;

	(void)state;
	add_alike(&world, (size_t)WEIR_BUCKET6_CHAIN * WEIR_BUCKET6_ENTRIES + 1);
	assert_int_equal(try_compile(&world, SETS_MAX), -E2BIG);
	assert_non_null(strstr(world.problem.text, "hash alike"));
	assert_int_equal(world.addresses.classes_count, 0);
	close_world(&world);
}

static void expect_equal_arrays(const void *a, size_t a_count, const void *b, size_t b_count, size_t size)
{
	assert_int_equal(a_count, b_count);
	if (a_count)
		assert_memory_equal(a, b, a_count * size);
}

static void compile_addresses_same_sets_give_the_same_bytes(void **state)
{
	static struct world one, other;
	const struct compile_addresses *a = &one.addresses, *b = &other.addresses;
	struct chance chance = {.state = 7};

	(void)state;
	fill_by_chance(&one, &chance, SETS_MAX, ENTRIES_MAX);
	for (size_t i = one.entries_count; i-- > 0;)
		add_entry(&other, one.set_of[i], one.entries[i]);
	compile(&one, SETS_MAX);
	compile(&other, SETS_MAX);
	expect_equal_arrays(a->bits4, a->bits4_count, b->bits4, b->bits4_count, sizeof(*a->bits4));
	expect_equal_arrays(a->tops4, a->tops4_count, b->tops4, b->tops4_count, sizeof(*a->tops4));
	expect_equal_arrays(a->entries4, a->entries4_count, b->entries4, b->entries4_count, sizeof(*a->entries4));
	expect_equal_arrays(a->values4, a->values4_count, b->values4, b->values4_count, sizeof(*a->values4));
	expect_equal_arrays(a->lines4, a->lines4_count, b->lines4, b->lines4_count, sizeof(*a->lines4));
	expect_equal_arrays(a->tops6, a->tops6_count, b->tops6, b->tops6_count, sizeof(*a->tops6));
	expect_equal_arrays(a->bits6, a->bits6_count, b->bits6, b->bits6_count, sizeof(*a->bits6));
	expect_equal_arrays(a->groups6, a->groups6_count, b->groups6, b->groups6_count, sizeof(*a->groups6));
	expect_equal_arrays(a->buckets6, a->buckets6_count, b->buckets6, b->buckets6_count, sizeof(*a->buckets6));
	assert_int_equal(a->buckets6_hashed, b->buckets6_hashed);
	expect_equal_arrays(a->members, a->classes_count, b->members, b->classes_count, a->member_words * 8);
	close_world(&one);
	close_world(&other);
}

static void compile_addresses_classes_are_numbered_as_they_occur(void **state)
{
	/* Sets end and begin at the same address without a class between: {0}, {1}, {0, 1}, then of IPv6 {1, 2}. */
	static const uint64_t members[] = {0, 1, 2, 3, 4, 6};
	static struct world world;

	(void)state;
	add_text(&world, 0, "10.0.0.0/25");
	add_text(&world, 1, "10.0.0.128/25");
	add_text(&world, 0, "10.0.1.0/24");
	add_text(&world, 1, "10.0.1.0/24");
	add_text(&world, 2, "2001:db8::/32");
	add_text(&world, 1, "2001:db8:1::/48");
	compile(&world, 3);
	assert_int_equal(world.addresses.classes_count, ARRAY_SIZE(members));
	assert_int_equal(world.addresses.member_words, 1);
	assert_memory_equal(world.addresses.members, members, sizeof(members));
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_addresses_sets_by_chance_are_found_as_a_scan_finds_them),
		cmocka_unit_test(compile_addresses_no_sets_is_one_class_and_no_tables),
		cmocka_unit_test(compile_addresses_everything_is_the_values_of_one_16_and_no_buckets),
		cmocka_unit_test(compile_addresses_single_addresses_that_fill_a_24_are_one_entry),
		cmocka_unit_test(compile_addresses_ranges_of_a_24_are_a_line_up_to_the_capacity),
		cmocka_unit_test(compile_addresses_equal_24s_share_their_line),
		cmocka_unit_test(compile_addresses_full_16s_have_values_and_equal_ones_share_them),
		cmocka_unit_test(compile_addresses_few_ranges_of_a_24_lie_in_the_entry),
		cmocka_unit_test(compile_addresses_24s_that_hash_alike_are_put_in_with_another_seed_or_more_lines),
		cmocka_unit_test(compile_addresses_nested_ipv6_prefixes_count_outer_sets_in),
		cmocka_unit_test(compile_addresses_entries_that_hash_alike_make_a_chain),
		cmocka_unit_test(compile_addresses_chain_that_does_not_get_shorter_is_refused),
		cmocka_unit_test(compile_addresses_same_sets_give_the_same_bytes),
		cmocka_unit_test(compile_addresses_classes_are_numbered_as_they_occur),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
