/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of addresses to the tables of maps/filter.h, and the walk that the program makes through them. */
#include "../base/scope.h"
#include "classes.h"
#include "part.h"

#include <arpa/inet.h>

void compile_addresses_free(struct compile_addresses *addresses)
{
	free(addresses->bits4);
	free(addresses->tops4);
	free(addresses->values4);
	free(addresses->entries4);
	free(addresses->lines4);
	free(addresses->tops6);
	free(addresses->bits6);
	free(addresses->groups6);
	free(addresses->buckets6);
	free(addresses->members);
	*addresses = (struct compile_addresses){0};
}

static int refuse_classes(struct problem *problem)
{
	problem_set(problem, -E2BIG, "the sets overlap in more than %u combinations (WEIR_MAX_CLASSES)",
		    WEIR_MAX_CLASSES);
	problem_hint(problem, "join sets that rules use alike, or take out some that overlap others in many ways");
	return -E2BIG;
}

static int build4(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		  struct compile_addresses *addresses, struct problem *problem)
{
	struct compile_run4 *runs AUTO_FREE = NULL;
	size_t runs_count = 0, ranges = 0;
	int error = compile_classes4(sets, count, rows, &runs, &runs_count);

	if (error)
		return error == -E2BIG ? refuse_classes(problem) : error;
	for (size_t i = 0; i < count; i++)
		ranges += sets[i]->v4_count;
	return ranges ? compile_table4(runs, runs_count, addresses, problem) : 0;
}

static int build6(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		  struct compile_addresses *addresses, struct problem *problem)
{
	struct compile_class6 *prefixes AUTO_FREE = NULL;
	size_t prefixes_count = 0;
	int error = compile_classes6(sets, count, rows, &prefixes, &prefixes_count);

	if (error)
		return error == -E2BIG ? refuse_classes(problem) : error;
	return prefixes_count ? compile_table6(prefixes, prefixes_count, addresses, problem) : 0;
}

static int build(const struct prefixes *const *sets, size_t count, struct compile_rows *rows,
		 struct compile_addresses *addresses, struct problem *problem)
{
	int error = compile_rows_open(rows, count);

	if (!error)
		error = build4(sets, count, rows, addresses, problem);
	return error ? error : build6(sets, count, rows, addresses, problem);
}

int compile_addresses_build(const struct prefixes *const *sets, size_t count, struct compile_addresses *out,
			    struct problem *problem)
{
	struct compile_addresses addresses __attribute__((cleanup(compile_addresses_free))) = {0};
	struct compile_rows rows __attribute__((cleanup(compile_rows_close))) = {0};
	size_t total = 0;
	int error;

	for (size_t i = 0; i < count; i++)
		total += sets[i]->v4_count + sets[i]->v6_count;
	if (total > WEIR_MAX_PREFIXES)
		return compile_refuse(problem, "ranges and prefixes in the sets", total, "WEIR_MAX_PREFIXES",
				      WEIR_MAX_PREFIXES, "take sets or lists out, or use shorter lists");
	error = build(sets, count, &rows, &addresses, problem);
	if (error)
		return error;
	addresses.classes_count = rows.count;
	addresses.member_words = rows.words;
	addresses.members = compile_array_trim(TAKE_PTR(rows.bits), rows.count, rows.words * sizeof(*rows.bits));
	*out = addresses;
	addresses = (struct compile_addresses){0};
	return 0;
}

static uint16_t find_in_lines(const struct compile_addresses *addresses, uint32_t index, bool is_dense, uint32_t low)
{
	const struct weir_line4 *line = &addresses->lines4[index];
	uint32_t range = 0;

	if (is_dense)
		return line[low >> 5].dense[low & 31];
	for (size_t i = 1; i < ARRAY_SIZE(line->start); i++)
		range += line->start[i] <= low;
	return line->class[range < WEIR_LINE4_RANGES ? range : WEIR_LINE4_RANGES - 1];
}

static uint16_t find_in_entry(const struct compile_addresses *addresses, const struct weir_entry4 *entry, uint32_t low)
{
	uint32_t kind = entry->key >> 24;
	uint16_t class = entry->class;

	if (kind != WEIR_ENTRY4_RANGES)
		return find_in_lines(addresses, entry->index, kind == WEIR_ENTRY4_DENSE, low);
	for (size_t i = 0; i < ARRAY_SIZE(entry->inner); i++)
		if ((uint8_t)(low - entry->first[i]) <= entry->span[i])
			class = entry->inner[i];
	return class;
}

static uint16_t find_by_entries(const struct compile_addresses *addresses, uint32_t number, uint32_t low)
{
	uint32_t at = weir_hash4(number, addresses->entries4_seed, addresses->entries4_hashed);

	for (uint32_t i = 0; i < WEIR_ENTRY4_PROBES * WEIR_LINE_ENTRIES4; i++) {
		const struct weir_entry4 *entry =
			&addresses->entries4[at + i / WEIR_LINE_ENTRIES4].entries4[i % WEIR_LINE_ENTRIES4];

		if (entry->key && (entry->key & 0xffffff) == number)
			return find_in_entry(addresses, entry, low);
	}
	return 0;
}

static uint16_t find4(const struct compile_addresses *addresses, uint32_t address)
{
	uint32_t number = address >> 8, low = address & 255, values, value;

	if (!(addresses->bits4[number >> 6] >> (number & 63) & 1))
		return 0;
	values = addresses->tops4[address >> 17] >> (address >> 16 & 1) * 32;
	if (!values)
		return find_by_entries(addresses, number, low);
	value = addresses->values4[values - 1 + (number & 255)];
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_CLASS)
		return WEIR_VALUE4_INDEX(value);
	return find_in_lines(addresses, WEIR_VALUE4_INDEX(value), WEIR_VALUE4_KIND(value) == WEIR_VALUE4_DENSE, low);
}

/* The entry of the prefix with that length around the address. */
static const struct weir_entry6 *probe(const struct compile_addresses *addresses, const struct addr *addr,
				       uint32_t length)
{
	struct weir_addr key = prefix_mask(WEIR_IPV6, length);
	const struct weir_bucket6 *bucket;

	for (int i = 0; i < 4; i++)
		key.word[i] &= addr->bytes.word[i];
	bucket = &addresses->buckets6[weir_hash6(key.word, length) & (addresses->buckets6_hashed - 1)];
	for (int links = 0; links < WEIR_BUCKET6_CHAIN; links++) {
		for (int i = 0; i < WEIR_BUCKET6_ENTRIES; i++)
			if (bucket->entry[i].length == length &&
			    memcmp(bucket->entry[i].address, key.word, sizeof(key.word)) == 0)
				return &bucket->entry[i];
		if (!bucket->next)
			break;
		bucket = &addresses->buckets6[bucket->next];
	}
	return NULL;
}

#define FOUND (1u << 16)

/* The class of the longest prefix of these lengths, plus FOUND, or 0; bit 0 is length base. */
static uint32_t probe_lengths(const struct compile_addresses *addresses, const struct addr *addr, uint64_t lengths,
			      uint32_t base)
{
	while (lengths) {
		int bit = 63 - __builtin_clzll(lengths);
		const struct weir_entry6 *entry = probe(addresses, addr, base + bit);

		if (entry)
			return FOUND | entry->class;
		lengths &= ~(1ull << bit);
	}
	return 0;
}

static uint64_t shift_right(uint64_t word, unsigned int shift)
{
	return shift < 64 ? word >> shift : 0;
}

static uint32_t find_in_group(const struct weir_group6 *group, const struct addr *addr)
{
	uint64_t high = (uint64_t)ntohl(addr->bytes.word[0]) << 32 | ntohl(addr->bytes.word[1]);
	uint64_t low = (uint64_t)ntohl(addr->bytes.word[2]) << 32 | ntohl(addr->bytes.word[3]);

	for (int i = 0; i < group->count; i++)
		if (!shift_right(high ^ group->high[i], group->high_shift[i]) &&
		    !shift_right(low ^ group->low[i], group->low_shift[i]))
			return FOUND | group->class[i];
	return 0;
}

/* Among the prefixes from /32 on. */
static uint32_t find_long(const struct compile_addresses *addresses, const struct addr *addr)
{
	uint32_t hash = weir_hash6_top(addr->bytes.word[0]), found;
	const struct weir_group6 *group;

	if (!addresses->bits6_count ||
	    weir_bits6(hash, addresses->bits6_shift) & ~addresses->bits6[hash >> addresses->bits6_shift])
		return 0;
	group = &addresses->groups6[hash & (addresses->groups6_count - 1)];
	if (group->count != WEIR_GROUP6_LENGTHS)
		return find_in_group(group, addr);
	found = probe_lengths(addresses, addr, group->lengths[1], 96);
	return found ? found : probe_lengths(addresses, addr, group->lengths[0], 32);
}

static uint16_t find6(const struct compile_addresses *addresses, const struct addr *addr)
{
	uint32_t found = find_long(addresses, addr);
	const struct weir_top6 *top;

	if (found || !addresses->tops6_count)
		return found;
	top = &addresses->tops6[ntohl(addr->bytes.word[0]) >> 16];
	found = probe_lengths(addresses, addr, top->lengths, 1);
	return found ? found : top->class;
}

uint16_t compile_addresses_find(const struct compile_addresses *addresses, const struct addr *addr)
{
	if (addr->family == WEIR_IPV4)
		return addresses->bits4_count ? find4(addresses, ntohl(addr->bytes.word[0])) : 0;
	return find6(addresses, addr);
}
