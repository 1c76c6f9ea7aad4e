/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IPv6 tables: short prefixes spread out; long ones by three in groups, by their first 32 bits; in a hash table of
 * buckets those between, and those of a group that has more.
 */
#include "../base/scope.h"
#include "classes.h"
#include "part.h"

#include <arpa/inet.h>

/* Entries for each hashed bucket at most: few overflow, and the table is not much larger than what is in it. */
#define LOAD_NUMERATOR	 8
#define LOAD_DENOMINATOR 5
/* The table is doubled so often, at most, to shorten its chains: more does not part equal hashes. */
#define DOUBLINGS 4

/* Bits for each group, in as many words as a power of two between those of a line and half a MiB, which a processor's
 * second cache holds. */
#define BITS_EACH  8
#define WORD_BITS  64
#define LINE_ORDER 3
#define MOST_ORDER 16

static size_t power_of_two(size_t least)
{
	size_t power = 1;

	while (power < least)
		power *= 2;
	return power;
}

static void words_of(const struct prefix6 *prefix, __be32 word[4])
{
	word[0] = htonl(prefix->high >> 32);
	word[1] = htonl(prefix->high);
	word[2] = htonl(prefix->low >> 32);
	word[3] = htonl(prefix->low);
}

static uint32_t hash_of(const struct prefix6 *prefix)
{
	__be32 word[4];

	words_of(prefix, word);
	return weir_hash6(word, prefix->length);
}

static void fill_top(const struct compile_class6 *entry, struct weir_top6 *tops)
{
	const struct prefix6 *prefix = &entry->prefix;
	uint32_t top = prefix->high >> 48;

	if (prefix->length > 16) {
		tops[top].lengths |= 1u << (prefix->length - 1);
		return;
	}
	for (uint32_t n = 0; n < 1u << (16 - prefix->length); n++)
		tops[top + n].class = entry->class;
}

/* Prefixes ascend: what lies within a shorter one comes after it. */
static int fill_tops(const struct compile_class6 *prefixes, size_t count, struct compile_addresses *out)
{
	for (size_t i = 0; i < count; i++) {
		if (prefixes[i].prefix.length > 31)
			continue;
		if (!out->tops6)
			out->tops6 = calloc(WEIR_TOPS6, sizeof(*out->tops6));
		if (!out->tops6)
			return -ENOMEM;
		out->tops6_count = WEIR_TOPS6;
		fill_top(&prefixes[i], out->tops6);
	}
	return 0;
}

/* Of the first 32 bits, for prefixes that are as long. */
static uint32_t hash_of_first(const struct prefix6 *prefix)
{
	return weir_hash6_top(htonl(prefix->high >> 32));
}

static struct weir_group6 *group_of(const struct prefix6 *prefix, const struct compile_addresses *out)
{
	return &out->groups6[hash_of_first(prefix) & (out->groups6_count - 1)];
}

/* Those that buckets hold. */
static bool is_bucketed(const struct prefix6 *prefix, const struct compile_addresses *out)
{
	if (prefix->length < 32)
		return prefix->length > 16;
	return group_of(prefix, out)->count == WEIR_GROUP6_LENGTHS;
}

/* Before those in the group that are shorter. */
static void insert(struct weir_group6 *group, const struct compile_class6 *entry)
{
	const struct prefix6 *prefix = &entry->prefix;
	uint8_t low_shift = prefix->length > 64 ? 128 - prefix->length : 64;
	uint8_t high_shift = prefix->length > 64 ? 0 : 64 - prefix->length;
	int at = group->count++;

	for (; at && group->high_shift[at - 1] + group->low_shift[at - 1] > high_shift + low_shift; at--) {
		group->high[at] = group->high[at - 1];
		group->low[at] = group->low[at - 1];
		group->class[at] = group->class[at - 1];
		group->high_shift[at] = group->high_shift[at - 1];
		group->low_shift[at] = group->low_shift[at - 1];
	}
	group->high[at] = prefix->high;
	group->low[at] = prefix->low;
	group->class[at] = entry->class;
	group->high_shift[at] = high_shift;
	group->low_shift[at] = low_shift;
}

static void fill_group(const struct compile_class6 *entry, bool is_full, struct compile_addresses *out)
{
	const struct prefix6 *prefix = &entry->prefix;
	struct weir_group6 *group = group_of(prefix, out);
	uint32_t hash = hash_of_first(prefix);

	out->bits6[hash >> out->bits6_shift] |= weir_bits6(hash, out->bits6_shift);
	if (!is_full) {
		insert(group, entry);
		return;
	}
	group->count = WEIR_GROUP6_LENGTHS;
	if (prefix->length < 96)
		group->lengths[0] |= 1ull << (prefix->length - 32);
	else
		group->lengths[1] |= 1ull << (prefix->length - 96);
}

static size_t count_groups(const struct compile_class6 *prefixes, size_t count)
{
	uint64_t before = UINT64_MAX;
	size_t distinct = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t first = prefixes[i].prefix.high >> 32;

		if (prefixes[i].prefix.length < 32)
			continue;
		distinct += first != before;
		before = first;
	}
	return distinct ? power_of_two(distinct) : 0;
}

static int fill_groups(const struct compile_class6 *prefixes, size_t count, struct compile_addresses *out)
{
	size_t groups = count_groups(prefixes, count);
	uint8_t *members AUTO_FREE = NULL; /* of each group, up to one more than fit */
	size_t words = 1u << LINE_ORDER;

	if (!groups)
		return 0;
	members = calloc(groups, sizeof(*members));
	for (out->bits6_shift = 32 - LINE_ORDER;
	     out->bits6_shift > 32 - MOST_ORDER && words * WORD_BITS < BITS_EACH * groups; words *= 2)
		out->bits6_shift--;
	out->bits6_count = words;
	out->bits6 = calloc(out->bits6_count, sizeof(*out->bits6));
	out->groups6 = calloc(groups, sizeof(*out->groups6));
	if (!members || !out->bits6 || !out->groups6)
		return -ENOMEM;
	out->groups6_count = groups;
	for (size_t i = 0; i < count; i++) {
		uint8_t *member = &members[hash_of_first(&prefixes[i].prefix) & (groups - 1)];

		*member += prefixes[i].prefix.length >= 32 && *member <= WEIR_GROUP6_PREFIXES;
	}
	for (size_t i = 0; i < count; i++) {
		bool is_full = members[hash_of_first(&prefixes[i].prefix) & (groups - 1)] > WEIR_GROUP6_PREFIXES;

		if (prefixes[i].prefix.length >= 32)
			fill_group(&prefixes[i], is_full, out);
	}
	return 0;
}

/* Entries in each of the hashed buckets. */
static void count_entries(const struct compile_class6 *prefixes, size_t count, const struct compile_addresses *out,
			  uint32_t *entries, size_t hashed)
{
	memset(entries, 0, hashed * sizeof(*entries));
	for (size_t i = 0; i < count; i++)
		if (is_bucketed(&prefixes[i].prefix, out))
			entries[hash_of(&prefixes[i].prefix) & (hashed - 1)]++;
}

static size_t chain_of(uint32_t entries)
{
	return entries ? (entries + WEIR_BUCKET6_ENTRIES - 1) / WEIR_BUCKET6_ENTRIES : 1;
}

/* Buckets that these take in all, 0 when a chain would be too long. */
static size_t count_buckets(const uint32_t *entries, size_t hashed)
{
	size_t total = 0;

	for (size_t i = 0; i < hashed; i++) {
		if (chain_of(entries[i]) > WEIR_BUCKET6_CHAIN)
			return 0;
		total += chain_of(entries[i]);
	}
	return total;
}

/* The buckets of a chain lie in a row behind the hashed ones, in the order of those. */
static void link_chains(const uint32_t *entries, struct compile_addresses *out)
{
	size_t next = out->buckets6_hashed;

	for (size_t i = 0; i < out->buckets6_hashed; i++) {
		size_t at = i;

		for (size_t left = chain_of(entries[i]); left > 1; left--) {
			out->buckets6[at].next = next;
			at = next++;
		}
	}
}

static void add_entry(const struct compile_class6 *prefix, uint32_t number, struct compile_addresses *out)
{
	struct weir_bucket6 *bucket = &out->buckets6[hash_of(&prefix->prefix) & (out->buckets6_hashed - 1)];
	struct weir_entry6 *entry;

	for (; number >= WEIR_BUCKET6_ENTRIES; number -= WEIR_BUCKET6_ENTRIES)
		bucket = &out->buckets6[bucket->next];
	entry = &bucket->entry[number];
	words_of(&prefix->prefix, entry->address);
	entry->class = prefix->class;
	entry->length = prefix->prefix.length;
}

static int refuse_chains(struct problem *problem)
{
	problem_set(problem, -E2BIG,
		    "IPv6 prefixes in the sets hash alike: more than %u in one bucket, however many there are",
		    WEIR_BUCKET6_CHAIN * WEIR_BUCKET6_ENTRIES);
	problem_hint(problem, "this does not happen by chance: find out who put the prefixes into the lists");
	return -E2BIG;
}

static int fill_buckets(const struct compile_class6 *prefixes, size_t count, struct compile_addresses *out,
			struct problem *problem)
{
	size_t total = 0, hashed, buckets, most;
	uint32_t *entries AUTO_FREE = NULL;

	for (size_t i = 0; i < count; i++)
		total += is_bucketed(&prefixes[i].prefix, out);
	if (!total)
		return 0;
	hashed = power_of_two((total * LOAD_DENOMINATOR + LOAD_NUMERATOR - 1) / LOAD_NUMERATOR);
	most = hashed << DOUBLINGS;
	entries = calloc(most, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	count_entries(prefixes, count, out, entries, hashed);
	while (!(buckets = count_buckets(entries, hashed))) {
		if (hashed == most)
			return refuse_chains(problem);
		hashed *= 2;
		count_entries(prefixes, count, out, entries, hashed);
	}
	out->buckets6 = calloc(buckets, sizeof(*out->buckets6));
	if (!out->buckets6)
		return -ENOMEM;
	out->buckets6_count = buckets;
	out->buckets6_hashed = hashed;
	link_chains(entries, out);
	/* From the last to the first, so that entries is the number of those before. */
	for (size_t i = count; i-- > 0;)
		if (is_bucketed(&prefixes[i].prefix, out))
			add_entry(&prefixes[i], --entries[hash_of(&prefixes[i].prefix) & (hashed - 1)], out);
	return 0;
}

int compile_table6(const struct compile_class6 *prefixes, size_t count, struct compile_addresses *out,
		   struct problem *problem)
{
	int error;

	error = fill_tops(prefixes, count, out);
	if (!error)
		error = fill_groups(prefixes, count, out);
	return error ? error : fill_buckets(prefixes, count, out, problem);
}
