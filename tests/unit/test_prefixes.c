/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/base/prefixes: one form for a set however it is written, and a naive model to compare with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/prefixes.h"
#include "user/base/scope.h"

/* Adds words such as "192.0.2.0/24" or "192.0.2.1-192.0.2.9", with blanks between. */
static void add_words(struct prefixes_builder *builder, const char *words)
{
	char copy[512], *rest = copy, *word;

	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	while ((word = strsep(&rest, " "))) {
		char *dash = strchr(word, '-');
		struct addr first, last;
		struct prefix prefix;

		if (!*word)
			continue;
		if (!dash) {
			assert_int_equal(prefix_parse(word, &prefix), 0);
			assert_int_equal(prefixes_add(builder, &prefix), 0);
			continue;
		}
		*dash = '\0';
		assert_int_equal(addr_parse(word, &first), 0);
		assert_int_equal(addr_parse(dash + 1, &last), 0);
		assert_int_equal(prefixes_add_range(builder, &first, &last), 0);
	}
}

static struct prefixes *set_of(const char *words)
{
	struct prefixes_builder builder = {0};
	struct prefixes *prefixes = NULL;

	add_words(&builder, words);
	assert_int_equal(prefixes_finish(&builder, &prefixes), 0);
	assert_null(builder.v4);
	assert_null(builder.v6);
	return prefixes;
}

static int append_text(void *arg, const struct prefix *prefix)
{
	char *out = arg, text[ADDR_TEXT_MAX];

	if (*out)
		strcat(out, " ");
	strcat(out, prefix_format(prefix, text));
	return 0;
}

static void prefixes_however_written_come_out_in_one_form(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", ""},
		{"192.0.2.1", "192.0.2.1"},
		{"198.51.100.0/24 192.0.2.0/24", "192.0.2.0/24 198.51.100.0/24"},
		{"192.0.2.0/24 192.0.2.0/24 192.0.2.7", "192.0.2.0/24"},
		{"192.0.2.128/25 192.0.2.0/25", "192.0.2.0/24"},
		{"192.0.2.0-192.0.2.5", "192.0.2.0/30 192.0.2.4/31"},
		{"192.0.2.1-192.0.2.6", "192.0.2.1 192.0.2.2/31 192.0.2.4/31 192.0.2.6"},
		{"192.0.2.255 192.0.3.0", "192.0.2.255 192.0.3.0"},
		{"192.0.2.0-192.0.2.9 192.0.2.5-192.0.2.15", "192.0.2.0/28"},
		{"192.0.2.5-192.0.2.15 192.0.2.0-192.0.2.20", "192.0.2.0/28 192.0.2.16/30 192.0.2.20"},
		{"128.0.0.0/1 0.0.0.0/1", "0.0.0.0/0"},
		{"0.0.0.0-255.255.255.255", "0.0.0.0/0"},
		{"0.0.0.0/0 255.255.255.255 0.0.0.0", "0.0.0.0/0"},
		{"255.255.255.255 255.255.255.254", "255.255.255.254/31"},
		{"2001:db8::1", "2001:db8::1"},
		{"2001:db8:8000::/33 2001:db8::/33", "2001:db8::/32"},
		{"2001:db8:8000::/33 2001:db8::/33 2001:db8:1::/48", "2001:db8::/32"},
		{"2001:db8:8000::/34 2001:db8:c000::/34 2001:db8::/33", "2001:db8::/32"},
		{"2001:db8:4000::/34 2001:db8:8000::/34", "2001:db8:4000::/34 2001:db8:8000::/34"},
		{"2001:db8::/32 2001:db8::/48 2001:db8::", "2001:db8::/32"},
		{"2001:db8::1-2001:db8::4", "2001:db8::1 2001:db8::2/127 2001:db8::4"},
		{"2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff 2001:db8:0:1::"},
		{"::/1 8000::/1", "::/0"},
		{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"::-7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
		{"2001:db8::/32 192.0.2.1", "192.0.2.1 2001:db8::/32"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *prefixes = set_of(rows[i].in), *again = set_of(rows[i].out);
		char text[512] = "";

		assert_int_equal(prefixes_each(prefixes, append_text, text), 0);
		assert_string_equal(text, rows[i].out);
		assert_true(prefixes_equal(prefixes, again));
		assert_int_equal(again->v6_count, prefixes->v6_count);
		if (again->v6_count)
			assert_memory_equal(prefixes->v6, again->v6, again->v6_count * sizeof(*again->v6));
		prefixes_release(prefixes);
		prefixes_release(again);
	}
}

static void prefixes_hold_names_the_entry(void **state)
{
	static const struct {
		const char *set, *address, *entry; /* NULL: not held */
	} rows[] = {
		{"", "192.0.2.1", NULL},
		{"", "2001:db8::1", NULL},
		{"192.0.2.0/24", "192.0.1.255", NULL},
		{"192.0.2.0/24", "192.0.2.0", "192.0.2.0/24"},
		{"192.0.2.0/24", "192.0.2.255", "192.0.2.0/24"},
		{"192.0.2.0/24", "192.0.3.0", NULL},
		{"192.0.2.0/24 198.51.100.7", "198.51.100.7", "198.51.100.7"},
		{"192.0.2.1-192.0.2.6", "192.0.2.3", "192.0.2.2/31"},
		{"192.0.2.1-192.0.2.6", "192.0.2.6", "192.0.2.6"},
		{"0.0.0.0/0", "255.255.255.255", "0.0.0.0/0"},
		{"0.0.0.0/0", "2001:db8::", NULL},
		{"2001:db8::/32", "192.0.2.1", NULL},
		{"2001:db8::/32", "2001:db8:ffff::1", "2001:db8::/32"},
		{"2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
		{"2001:db8::/32", "2001:db9::", NULL},
		{"2001:db8::1 2001:db8::3", "2001:db8::2", NULL},
		{"::/0", "::", "::/0"},
		{"::/0", "ffff::", "::/0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *prefixes = set_of(rows[i].set);
		struct prefix entry = {.length = 77};
		char text[ADDR_TEXT_MAX];
		struct addr addr;

		assert_int_equal(addr_parse(rows[i].address, &addr), 0);
		assert_int_equal(prefixes_hold(prefixes, &addr, NULL), !!rows[i].entry);
		assert_int_equal(prefixes_hold(prefixes, &addr, &entry), !!rows[i].entry);
		if (rows[i].entry)
			assert_string_equal(prefix_format(&entry, text), rows[i].entry);
		else
			assert_int_equal(entry.length, 77);
		prefixes_release(prefixes);
	}
}

static void prefixes_are_counted_as_people_write_them(void **state)
{
	static const struct {
		const char *set;
		size_t given, count;
		double addresses4, addresses6;
	} rows[] = {
		{"", 0, 0, 0, 0},
		{"192.0.2.0/24 192.0.2.0/24", 2, 1, 256, 0},
		{"192.0.2.1-192.0.2.6 192.0.2.6", 2, 4, 6, 0},
		{"0.0.0.0/0", 1, 1, 0x1p32, 0},
		{"0.0.0.1-255.255.255.254", 1, 62, 0x1p32 - 2, 0},
		{"2001:db8::/64 2001:db8::1", 2, 1, 0, 0x1p64},
		{"::/0 192.0.2.1", 2, 2, 1, 0x1p128},
		{"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 1, 254, 0, 0x1p128},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *prefixes = set_of(rows[i].set);

		assert_int_equal(prefixes->given, rows[i].given);
		assert_int_equal(prefixes_count(prefixes), rows[i].count);
		assert_true(prefixes_addresses4(prefixes) == rows[i].addresses4);
		assert_true(prefixes_addresses6(prefixes) == rows[i].addresses6);
		prefixes_release(prefixes);
	}
}

static void prefixes_range_of_two_families_or_backwards_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{"192.0.2.1", "2001:db8::1"},
		{"2001:db8::1", "192.0.2.1"},
		{"192.0.2.2", "192.0.2.1"},
		{"2001:db8::2", "2001:db8::1"},
	};
	struct prefixes_builder builder = {0};
	struct addr none = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr first, last;

		assert_int_equal(addr_parse(rows[i][0], &first), 0);
		assert_int_equal(addr_parse(rows[i][1], &last), 0);
		assert_int_equal(prefixes_add_range(&builder, &first, &last), -EINVAL);
	}
	assert_int_equal(prefixes_add_range(&builder, &none, &none), -EINVAL);
	prefixes_builder_free(&builder);
}

static void prefixes_shared_live_until_the_last_release(void **state)
{
	struct prefixes *prefixes = set_of("192.0.2.0/24 2001:db8::/32");
	struct prefixes *shared = prefixes_share(prefixes);

	(void)state;
	assert_ptr_equal(shared, prefixes);
	prefixes_release(prefixes);
	assert_int_equal(prefixes_count(shared), 2);
	prefixes_release(shared);
	prefixes_release(NULL);
	assert_null(prefixes_share(NULL));
}

static int stop_at_second(void *arg, const struct prefix *prefix)
{
	int *seen = arg;

	(void)prefix;
	return ++*seen == 2 ? 42 : 0;
}

static void prefixes_each_stops_where_it_is_told(void **state)
{
	static const char *const rows[] = {"192.0.2.1-192.0.2.6", "192.0.2.1 192.0.2.4 192.0.2.6",
					   "192.0.2.1 2001:db8::1", "2001:db8::1 2001:db8::3 2001:db8::5"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct prefixes *prefixes = set_of(rows[i]);
		int seen = 0;

		assert_int_equal(prefixes_each(prefixes, stop_at_second, &seen), 42);
		assert_int_equal(seen, 2);
		prefixes_release(prefixes);
	}
}

/* --- against a naive model ------------------------------------------------------------------------------- */

/* 256 cells in a row somewhere in the address space, of 2^shift addresses each; the model is a flag a cell. */
#define CELLS 256

struct universe {
	uint8_t family;
	unsigned __int128 base;
	int shift;
};

static const struct universe UNIVERSES[] = {
	{WEIR_IPV4, 0xc0000200, 0},
	{WEIR_IPV4, 0, 0},
	{WEIR_IPV4, 0xffffff00, 0},
	{WEIR_IPV4, 0, 24},
	{WEIR_IPV6, (unsigned __int128)0x20010db800000000 << 64, 0},
	{WEIR_IPV6, (unsigned __int128)0x20010db800000000 << 64, 60}, /* across both words */
	{WEIR_IPV6, 0, 120},
	{WEIR_IPV6, ~(unsigned __int128)0xff, 0},
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (*seed >> 33) % below;
}

static struct addr addr_at(const struct universe *universe, int cell, bool is_end)
{
	unsigned __int128 number = universe->base + ((unsigned __int128)cell << universe->shift);
	struct addr addr = {.family = universe->family};

	if (is_end)
		number += ((unsigned __int128)1 << universe->shift) - 1;
	if (universe->family == WEIR_IPV4)
		addr.bytes.word[0] = htonl((uint32_t)number);
	for (int i = 0; universe->family == WEIR_IPV6 && i < 4; i++)
		addr.bytes.word[i] = htonl((uint32_t)(number >> (96 - 32 * i)));
	return addr;
}

static int bits_of(const struct universe *universe)
{
	return universe->family == WEIR_IPV4 ? 32 : 128;
}

/* A prefix or a range, the same to the model. */
static void add_random(const struct universe *universe, uint64_t *seed, struct prefixes_builder *builder, bool *model)
{
	int wide = (int)draw(seed, draw(seed, 8) ? 5 : 9), first = (int)draw(seed, CELLS), last;

	if (draw(seed, 2)) {
		struct prefix prefix = {.length = (uint8_t)(bits_of(universe) - universe->shift - wide)};

		first &= ~((1 << wide) - 1);
		last = first + (1 << wide) - 1;
		prefix.addr = addr_at(universe, first, false);
		assert_int_equal(prefixes_add(builder, &prefix), 0);
	} else {
		struct addr from = addr_at(universe, first, false), to;

		last = first + (int)draw(seed, (uint64_t)1 << wide);
		last = last < CELLS ? last : CELLS - 1;
		to = addr_at(universe, last, true);
		assert_int_equal(prefixes_add_range(builder, &from, &to), 0);
	}
	for (int cell = first; cell <= last; cell++)
		model[cell] = true;
}

/* The prefixes that the model consists of, as text: the widest that fits at each place. */
static void write_model(const struct universe *universe, const bool *model, char *out, size_t *count)
{
	for (int cell = 0; cell < CELLS;) {
		int wide = 8;
		struct prefix prefix;

		if (!model[cell]) {
			cell++;
			continue;
		}
		while (cell & ((1 << wide) - 1) || memchr(&model[cell], 0, (size_t)1 << wide))
			wide--;
		prefix = (struct prefix){.addr = addr_at(universe, cell, false),
					 .length = (uint8_t)(bits_of(universe) - universe->shift - wide)};
		append_text(out, &prefix);
		cell += 1 << wide;
		++*count;
	}
}

static void compare_cells(const struct universe *universe, const bool *model, const struct prefixes *prefixes)
{
	for (int cell = 0; cell < CELLS; cell++) {
		struct addr first = addr_at(universe, cell, false), last = addr_at(universe, cell, true);
		struct prefix entry;

		assert_int_equal(prefixes_hold(prefixes, &first, NULL), model[cell]);
		assert_int_equal(prefixes_hold(prefixes, &last, &entry), model[cell]);
		if (model[cell])
			assert_true(prefix_covers(&entry, &first) && prefix_covers(&entry, &last));
	}
}

static void compare_with_model(const struct universe *universe, const bool *model, const struct prefixes *prefixes)
{
	static char expected[CELLS * ADDR_TEXT_MAX], text[CELLS * ADDR_TEXT_MAX];
	size_t count = 0, held = 0;
	double addresses;

	expected[0] = text[0] = '\0';
	write_model(universe, model, expected, &count);
	assert_int_equal(prefixes_each(prefixes, append_text, text), 0);
	assert_string_equal(text, expected);
	assert_int_equal(prefixes_count(prefixes), count);
	for (int cell = 0; cell < CELLS; cell++)
		held += model[cell];
	addresses = (double)held * (double)((unsigned __int128)1 << universe->shift);
	assert_true(prefixes_addresses4(prefixes) == (universe->family == WEIR_IPV4 ? addresses : 0));
	assert_true(prefixes_addresses6(prefixes) == (universe->family == WEIR_IPV6 ? addresses : 0));
	compare_cells(universe, model, prefixes);
}

static void prefixes_of_random_entries_are_what_the_model_says(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (int round = 0; round < 400; round++) {
		const struct universe *universe = &UNIVERSES[(size_t)round % ARRAY_SIZE(UNIVERSES)];
		struct prefixes_builder builder = {0};
		struct prefixes *prefixes = NULL;
		size_t entries = draw(&seed, draw(&seed, 4) ? 30 : 300);
		bool model[CELLS] = {false};

		for (size_t i = 0; i < entries; i++)
			add_random(universe, &seed, &builder, model);
		assert_int_equal(prefixes_finish(&builder, &prefixes), 0);
		assert_int_equal(prefixes->given, entries);
		compare_with_model(universe, model, prefixes);
		prefixes_release(prefixes);
	}
}

/* Two random ways to the same set, and one cell more. */
static void prefixes_equal_sees_what_is_held_and_nothing_else(void **state)
{
	uint64_t seed = 8;

	(void)state;
	for (int round = 0; round < 200; round++) {
		const struct universe *universe = &UNIVERSES[(size_t)round % ARRAY_SIZE(UNIVERSES)];
		struct prefixes_builder one = {0}, two = {0}, three = {0};
		struct prefixes *a = NULL, *b = NULL, *c = NULL;
		bool model[CELLS] = {false};
		int other = (int)draw(&seed, CELLS);

		for (int i = 0; i < 10; i++)
			add_random(universe, &seed, &one, model);
		for (int cell = CELLS - 1; cell >= 0; cell--) {
			struct addr from = addr_at(universe, cell, false), to = addr_at(universe, cell, true);

			if (model[cell])
				assert_int_equal(prefixes_add_range(&two, &from, &to), 0);
			if (model[cell] != (cell == other))
				assert_int_equal(prefixes_add_range(&three, &from, &to), 0);
		}
		assert_int_equal(prefixes_finish(&one, &a) | prefixes_finish(&two, &b) | prefixes_finish(&three, &c),
				 0);
		assert_true(prefixes_equal(a, b));
		assert_false(prefixes_equal(a, c));
		prefixes_release(a);
		prefixes_release(b);
		prefixes_release(c);
	}
}

static void prefixes_in_any_order_are_sorted(void **state)
{
	struct prefixes_builder builder = {0};
	struct prefixes *prefixes = NULL;
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct prefix prefix = {.addr.family = i % 2 ? WEIR_IPV4 : WEIR_IPV6, .length = i % 2 ? 32 : 128};

		for (int word = 0; word < (i % 2 ? 1 : 4); word++)
			prefix.addr.bytes.word[word] = htonl((uint32_t)draw(&seed, 1ull << 31) << 1);
		assert_int_equal(prefixes_add(&builder, &prefix), 0);
	}
	assert_int_equal(prefixes_finish(&builder, &prefixes), 0);
	for (size_t i = 1; i < prefixes->v4_count; i++)
		assert_true(prefixes->v4[i - 1].last < prefixes->v4[i].first);
	for (size_t i = 1; i < prefixes->v6_count; i++)
		assert_true(prefixes->v6[i - 1].high < prefixes->v6[i].high ||
			    (prefixes->v6[i - 1].high == prefixes->v6[i].high &&
			     prefixes->v6[i - 1].low < prefixes->v6[i].low));
	prefixes_release(prefixes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_however_written_come_out_in_one_form),
		cmocka_unit_test(prefixes_hold_names_the_entry),
		cmocka_unit_test(prefixes_are_counted_as_people_write_them),
		cmocka_unit_test(prefixes_range_of_two_families_or_backwards_is_refused),
		cmocka_unit_test(prefixes_shared_live_until_the_last_release),
		cmocka_unit_test(prefixes_each_stops_where_it_is_told),
		cmocka_unit_test(prefixes_of_random_entries_are_what_the_model_says),
		cmocka_unit_test(prefixes_equal_sees_what_is_held_and_nothing_else),
		cmocka_unit_test(prefixes_in_any_order_are_sorted),
	};

	return cmocka_run_group_tests_name("prefixes", tests, NULL, NULL);
}
