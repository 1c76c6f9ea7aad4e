/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of addresses to the tables of maps/filter.h, and the walk that the program makes through them. */
#include "../base/scope.h"
#include "classes.h"
#include "part.h"

#include <arpa/inet.h>

void compile_addresses_free(struct compile_addresses *addresses)
{
	free(addresses->nodes4);
	free(addresses->values4);
	free(addresses->lines4);
	free(addresses->tops6);
	free(addresses->lengths6);
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
	return ranges ? compile_table4(runs, runs_count, addresses) : 0;
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

static uint16_t find4(const struct compile_addresses *addresses, uint32_t address)
{
	const struct weir_node4 *node = &addresses->nodes4[address >> 16];
	uint32_t word = address >> 14 & 3, bit = address >> 8 & 63, last = address & 255, at, value, range = 0;
	const struct weir_line4 *line;

	if (!(node->present[word] >> bit & 1))
		return node->class;
	at = node->base + node->before[word] + __builtin_popcountll(node->present[word] & ((1ull << bit) - 1));
	value = addresses->values4[at / 2] >> (at % 2 * 32);
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_CLASS)
		return WEIR_VALUE4_INDEX(value);
	line = &addresses->lines4[WEIR_VALUE4_INDEX(value)];
	if (WEIR_VALUE4_KIND(value) == WEIR_VALUE4_DENSE)
		return line[last >> 5].dense[last & 31];
	for (size_t i = 1; i < ARRAY_SIZE(line->start); i++)
		range += line->start[i] <= last;
	return line->class[range < WEIR_LINE4_RANGES ? range : WEIR_LINE4_RANGES - 1];
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

/* Probes the lengths whose bits are set, the longest first; bit 0 is length base. */
static const struct weir_entry6 *probe_lengths(const struct compile_addresses *addresses, const struct addr *addr,
					       uint64_t lengths, uint32_t base)
{
	while (lengths) {
		int bit = 63 - __builtin_clzll(lengths);
		const struct weir_entry6 *entry = probe(addresses, addr, base + bit);

		if (entry)
			return entry;
		lengths &= ~(1ull << bit);
	}
	return NULL;
}

static uint16_t find6(const struct compile_addresses *addresses, const struct addr *addr)
{
	uint32_t hash = weir_hash6_top(addr->bytes.word[0]) & (addresses->lengths6_count - 1);
	const struct weir_lengths6 *lengths = &addresses->lengths6[hash];
	const struct weir_top6 *top = &addresses->tops6[ntohl(addr->bytes.word[0]) >> 16];
	const struct weir_entry6 *entry = probe_lengths(addresses, addr, lengths->high, 97);

	if (!entry)
		entry = probe_lengths(addresses, addr, lengths->low, 33);
	if (!entry)
		entry = probe_lengths(addresses, addr, top->lengths, 1);
	return entry ? entry->class : top->class;
}

uint16_t compile_addresses_find(const struct compile_addresses *addresses, const struct addr *addr)
{
	if (addr->family == WEIR_IPV4)
		return addresses->nodes4_count ? find4(addresses, ntohl(addr->bytes.word[0])) : 0;
	return addresses->tops6_count ? find6(addresses, addr) : 0;
}
