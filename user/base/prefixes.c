/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of addresses: collected in any order, sorted by digits, joined into the one form that a set has. */
#include "prefixes_number.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "scope.h"

#define FIRST_ROOM 16

/* What *out of prefixes_finish lies in. */
struct counted {
	struct prefixes prefixes;
	atomic_size_t references;
};

/* --- collecting ------------------------------------------------------------------------------------------ */

static int make_room(void **array, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? 2 * *room : FIRST_ROOM;
	void *grown;

	if (count < *room)
		return 0;
	grown = reallocarray(*array, wanted, size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = wanted;
	return 0;
}

static int append4(struct prefixes_builder *builder, uint32_t first, uint32_t last)
{
	void *array = builder->v4;
	int error = make_room(&array, builder->v4_count, &builder->v4_room, sizeof(*builder->v4));

	builder->v4 = array;
	if (!error)
		builder->v4[builder->v4_count++] = (struct range4){.first = first, .last = last};
	return error;
}

static int append6(struct prefixes_builder *builder, number6 address, uint8_t length)
{
	struct prefix6 *entry;
	void *array = builder->v6;
	int error = make_room(&array, builder->v6_count, &builder->v6_room, sizeof(*builder->v6));

	builder->v6 = array;
	if (error)
		return error;
	entry = &builder->v6[builder->v6_count++];
	memset(entry, 0, sizeof(*entry)); /* the bytes behind length too */
	entry->high = (uint64_t)(address >> 64);
	entry->low = (uint64_t)address;
	entry->length = length;
	return 0;
}

/* Host bits of the largest prefix that begins at first and does not pass last, 0 .. 128. */
static int host_bits_from(number6 first, number6 last)
{
	int bits = 0;

	while (bits < 128 && !(first >> bits & 1)) {
		number6 span = bits == 127 ? ~(number6)0 : ((number6)2 << bits) - 1;

		if (last - first < span)
			break;
		bits++;
	}
	return bits;
}

static int append_range6(struct prefixes_builder *builder, number6 first, number6 last)
{
	for (;;) {
		int bits = host_bits_from(first, last), error = append6(builder, first, (uint8_t)(128 - bits));

		if (error)
			return error;
		if (bits == 128 || last - first == ((number6)1 << bits) - 1)
			return 0;
		first += (number6)1 << bits;
	}
}

int prefixes_add(struct prefixes_builder *builder, const struct prefix *prefix)
{
	uint32_t first = number4_of(&prefix->addr);

	builder->given++;
	if (prefix->addr.family == WEIR_IPV6)
		return append6(builder, number6_of(&prefix->addr), prefix->length);
	return append4(builder, first, first | (uint32_t)(0xffffffffull >> prefix->length));
}

int prefixes_add_all(struct prefixes_builder *builder, const struct prefix *prefixes, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = prefixes_add(builder, &prefixes[i]);
	return error;
}

int prefixes_add_range(struct prefixes_builder *builder, const struct addr *first, const struct addr *last)
{
	if (!first->family || first->family != last->family || addr_compare(first, last) > 0)
		return -EINVAL;
	builder->given++;
	if (first->family == WEIR_IPV6)
		return append_range6(builder, number6_of(first), number6_of(last));
	return append4(builder, number4_of(first), number4_of(last));
}

/* --- sorting --------------------------------------------------------------------------------------------- */

/* Where a number's n-th byte lies in memory, the least significant one first. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DIGIT(type, member, n) (offsetof(type, member) + (n))
#else
#define DIGIT(type, member, n) (offsetof(type, member) + sizeof(((type *)0)->member) - 1 - (n))
#endif

/* One pass by one byte, stable. Returns false when all have the same byte and nothing was moved. */
static inline __attribute__((always_inline)) bool scatter(const uint8_t *from, uint8_t *to, size_t count, size_t size,
							  size_t digit)
{
	size_t places[256] = {0}, place = 0;

	for (size_t i = 0; i < count; i++)
		places[from[i * size + digit]]++;
	if (places[from[digit]] == count)
		return false;
	for (size_t i = 0; i < 256; i++) {
		size_t here = places[i];

		places[i] = place;
		place += here;
	}
	for (size_t i = 0; i < count; i++)
		memcpy(to + places[from[i * size + digit]]++ * size, from + i * size, size);
	return true;
}

static bool is_sorted4(const struct range4 *ranges, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (ranges[i].first < ranges[i - 1].first)
			return false;
	}
	return true;
}

static bool is_sorted6(const struct prefix6 *prefixes, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (is_before6(&prefixes[i], &prefixes[i - 1]))
			return false;
	}
	return true;
}

/* By first: a radix sort, as comparing a million ranges takes several times as long. */
static int sort4(struct range4 **ranges, size_t *room, size_t count)
{
	AUTO_FREE struct range4 *other = NULL;

	if (is_sorted4(*ranges, count))
		return 0;
	other = reallocarray(NULL, count, sizeof(*other));
	if (!other)
		return -ENOMEM;
	for (size_t n = 0; n < sizeof(other->first); n++) {
		struct range4 *from = *ranges;

		if (!scatter((const uint8_t *)from, (uint8_t *)other, count, sizeof(*from),
			     DIGIT(struct range4, first, n)))
			continue;
		*ranges = other;
		other = from;
		*room = count;
	}
	return 0;
}

static int sort6(struct prefix6 **prefixes, size_t *room, size_t count)
{
	AUTO_FREE struct prefix6 *other = NULL;

	if (is_sorted6(*prefixes, count))
		return 0;
	other = reallocarray(NULL, count, sizeof(*other));
	if (!other)
		return -ENOMEM;
	for (size_t n = 0; n < 17; n++) {
		size_t digit = DIGIT(struct prefix6, length, 0);
		struct prefix6 *from = *prefixes;

		if (n)
			digit = n <= 8 ? DIGIT(struct prefix6, low, n - 1) : DIGIT(struct prefix6, high, n - 9);
		if (!scatter((const uint8_t *)from, (uint8_t *)other, count, sizeof(*from), digit))
			continue;
		*prefixes = other;
		other = from;
		*room = count;
	}
	return 0;
}

/* --- joining --------------------------------------------------------------------------------------------- */

/* Both return how many are left, in place. */
static size_t join4(struct range4 *ranges, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		struct range4 *top = left ? &ranges[left - 1] : NULL;

		if (!top || (top->last < ranges[i].first && ranges[i].first - top->last > 1))
			ranges[left++] = ranges[i];
		else if (ranges[i].last > top->last)
			top->last = ranges[i].last;
	}
	return left;
}

static bool are_halves6(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->length && a->length == b->length &&
	       (address_of(a) ^ address_of(b)) == (number6)1 << (128 - a->length);
}

/* What is left is disjoint, so a prefix that two halves have made is covered by none before it. */
static size_t join6(struct prefix6 *prefixes, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (left && covers6(&prefixes[left - 1], &prefixes[i]))
			continue;
		prefixes[left++] = prefixes[i];
		while (left > 1 && are_halves6(&prefixes[left - 2], &prefixes[left - 1])) {
			left--;
			prefixes[left - 1].length--;
		}
	}
	return left;
}

/* Gives back what is not needed; an array that cannot shrink is kept as it is. */
static void *shrink(void *array, size_t count, size_t size)
{
	void *less;

	if (!count) {
		free(array);
		return NULL;
	}
	less = realloc(array, count * size);
	return less ? less : array;
}

int prefixes_finish(struct prefixes_builder *builder, struct prefixes **out)
{
	AUTO_FREE struct counted *counted = calloc(1, sizeof(*counted));
	int error;

	if (!counted)
		return -ENOMEM;
	error = sort4(&builder->v4, &builder->v4_room, builder->v4_count);
	if (!error)
		error = sort6(&builder->v6, &builder->v6_room, builder->v6_count);
	if (error)
		return error;
	atomic_init(&counted->references, 1);
	counted->prefixes.given = builder->given;
	counted->prefixes.v4_count = join4(builder->v4, builder->v4_count);
	counted->prefixes.v6_count = join6(builder->v6, builder->v6_count);
	counted->prefixes.v4 = shrink(builder->v4, counted->prefixes.v4_count, sizeof(*builder->v4));
	counted->prefixes.v6 = shrink(builder->v6, counted->prefixes.v6_count, sizeof(*builder->v6));
	prefixes_measure(&counted->prefixes);
	*builder = (struct prefixes_builder){0};
	*out = &counted->prefixes;
	counted = NULL;
	return 0;
}

void prefixes_builder_free(struct prefixes_builder *builder)
{
	free(builder->v4);
	free(builder->v6);
	*builder = (struct prefixes_builder){0};
}

/* --- sharing --------------------------------------------------------------------------------------------- */

struct prefixes *prefixes_share(struct prefixes *prefixes)
{
	if (prefixes)
		atomic_fetch_add(&((struct counted *)prefixes)->references, 1);
	return prefixes;
}

void prefixes_release(struct prefixes *prefixes)
{
	struct counted *counted = (struct counted *)prefixes;

	if (!counted || atomic_fetch_sub(&counted->references, 1) > 1)
		return;
	free((void *)(uintptr_t)prefixes->v4);
	free((void *)(uintptr_t)prefixes->v6);
	free(counted);
}
