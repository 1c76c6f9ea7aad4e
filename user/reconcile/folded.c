/* SPDX-License-Identifier: BSD-2-Clause */
/* Live entries in the address tables of a generation: which they are, and what a generation that is live has. */
#include "parts.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

uint32_t folded_lists(const struct folded *folded, const struct prefix *prefix)
{
	size_t low = 0, high = folded->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct prefix here = compile_folded_prefix(&folded->entries[middle]);
		int order = prefix_compare(prefix, &here);

		if (order == 0)
			return folded->entries[middle].lists;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return 0;
}

int folded_collect(const struct ban_store *store, struct folded *out)
{
	struct folded folded = {.entries = calloc(store->lasting ?: 1, sizeof(*folded.entries))};

	if (!folded.entries)
		return -ENOMEM;
	for (size_t i = 0; i < store->count; i++) {
		const struct ban *ban = store->bans[i];
		struct weir_folded_entry *last = folded.count ? &folded.entries[folded.count - 1] : NULL;

		if (ban->until_ns)
			continue;
		if (last && last->family == ban->prefix.addr.family && last->length == ban->prefix.length &&
		    !memcmp(last->address, ban->prefix.addr.bytes.word, sizeof(last->address))) {
			last->lists |= ban->list;
			continue;
		}
		last = &folded.entries[folded.count++];
		memcpy(last->address, ban->prefix.addr.bytes.word, sizeof(last->address));
		last->family = ban->prefix.addr.family;
		last->length = ban->prefix.length;
		last->lists = (uint8_t)ban->list;
	}
	*out = folded;
	return 0;
}

int folded_read(const struct kernel *kernel, unsigned int bank, struct folded *out)
{
	AUTO_CLOSE int fd = kernel_bank_open(kernel, KERNEL_MAP_folded_entries, bank);
	struct folded folded = {};
	unsigned int count;
	void *mapped;
	int error;

	if (fd == -ENOENT) {
		*out = folded;
		return 0;
	}
	error = fd < 0 ? fd : kernel_map_entries(fd, &count);
	if (error)
		return error;
	mapped = kernel_map_mmap(fd, count * sizeof(*folded.entries), false);
	if (!mapped)
		return -errno;
	folded.count = count;
	folded.entries = malloc(count * sizeof(*folded.entries));
	if (folded.entries)
		memcpy(folded.entries, mapped, count * sizeof(*folded.entries));
	kernel_map_munmap(mapped, count * sizeof(*folded.entries));
	if (!folded.entries)
		return -ENOMEM;
	*out = folded;
	return 0;
}

void folded_free(struct folded *folded)
{
	free(folded->entries);
	*folded = (struct folded){};
}
