/* SPDX-License-Identifier: BSD-2-Clause */
/* Live entries in the address tables: the entries of one list and one prefix length are a set, and a class's sets say
 * which lengths hold it. */
#include "../base/scope.h"
#include "filter_part.h"

#include <maps/list.h>

#define LISTS 2
#define KEYS  (LISTS * COMPILE_LENGTHS)

static const uint8_t lists[LISTS] = {WEIR_BAN_DENY, WEIR_BAN_ALLOW};

struct prefix compile_folded_prefix(const struct weir_folded_entry *entry)
{
	struct prefix prefix = {.addr = {.family = entry->family}, .length = entry->length};

	memcpy(prefix.addr.bytes.word, entry->address, sizeof(entry->address));
	return prefix;
}

static int collect(const struct compile_filter_input *input, struct prefixes_builder *builders)
{
	for (size_t i = 0; i < input->folded_count; i++) {
		const struct weir_folded_entry *entry = &input->folded[i];
		struct prefix prefix = compile_folded_prefix(entry);

		for (size_t list = 0; list < LISTS; list++) {
			struct prefixes_builder *builder = &builders[list * COMPILE_LENGTHS + entry->length];

			if (entry->lists & lists[list] && prefixes_add(builder, &prefix))
				return -ENOMEM;
		}
	}
	return 0;
}

static int finish(struct prefixes_builder *builders, struct compile_folded *folded)
{
	folded->sets = calloc(KEYS, sizeof(*folded->sets));
	folded->keys = calloc(KEYS, sizeof(*folded->keys));
	if (!folded->sets || !folded->keys)
		return -ENOMEM;
	for (uint16_t key = 0; key < KEYS; key++) {
		if (!builders[key].given)
			continue;
		if (prefixes_finish(&builders[key], &folded->sets[folded->count]))
			return -ENOMEM;
		folded->keys[folded->count++] = key;
	}
	return 0;
}

static int append(const struct compile_folded *folded, struct compile_sides *sides)
{
	size_t total = sides->sets_count + folded->count;
	const struct prefixes **grown = reallocarray(sides->sets, total ?: 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (size_t i = 0; i < folded->count; i++)
		grown[sides->sets_count + i] = folded->sets[i];
	sides->sets = grown;
	sides->sets_count = total;
	return 0;
}

int compile_folded_open(const struct compile_filter_input *input, struct compile_sides *sides,
			struct compile_folded *folded)
{
	struct prefixes_builder *builders AUTO_FREE = NULL;
	int error;

	if (!input->folded_count)
		return 0;
	builders = calloc(KEYS, sizeof(*builders));
	if (!builders)
		return -ENOMEM;
	error = collect(input, builders);
	if (!error)
		error = finish(builders, folded);
	for (size_t key = 0; key < KEYS; key++)
		prefixes_builder_free(&builders[key]);
	folded->first = sides->sets_count;
	return error ? error : append(folded, sides);
}

void compile_folded_close(struct compile_folded *folded)
{
	for (size_t i = 0; i < folded->count; i++)
		prefixes_release(folded->sets[i]);
	free(folded->sets);
	free(folded->keys);
	*folded = (struct compile_folded){0};
}

/* Returns the lists that hold the class. */
static uint32_t fill_record(const struct compile_folded *folded, const uint64_t *members, struct weir_folded *record)
{
	uint32_t found = 0;

	for (size_t i = 0; i < folded->count; i++) {
		size_t set = folded->first + i;
		uint32_t list = folded->keys[i] / COMPILE_LENGTHS, length = folded->keys[i] % COMPILE_LENGTHS;

		if (!(members[set / 64] >> set % 64 & 1))
			continue;
		found |= lists[list];
		(list ? record->allow : record->deny)[length / 64] |= 1ull << length % 64;
	}
	return found;
}

int compile_folded_records(const struct compile_folded *folded, struct compile_filter *filter)
{
	const struct compile_addresses *addresses = &filter->addresses;

	if (!folded->count)
		return 0;
	filter->folded = calloc(addresses->classes_count, sizeof(*filter->folded));
	if (!filter->folded)
		return -ENOMEM;
	filter->folded_count = addresses->classes_count;
	for (size_t class = 0; class < addresses->classes_count; class ++) {
		uint32_t found = fill_record(folded, addresses->members + class * addresses->member_words,
					     &filter->folded[class]);

		filter->folded[class].lists = found;
		if (class < WEIR_QUICK_CLASSES)
			filter->head.quick[class] |= WEIR_FOUND_FOLDED(found);
	}
	return 0;
}
