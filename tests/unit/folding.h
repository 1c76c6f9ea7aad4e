/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of folding: what the kernel's hashes and the tables of a generation say of live entries. */
#ifndef WEIR_TESTS_UNIT_FOLDING_H
#define WEIR_TESTS_UNIT_FOLDING_H

#include "edge.h"
#include "user/base/scope.h"

static inline void fold(struct pinned *pinned, struct edge *edge)
{
	if (reconcile_apply(edge->reconcile, NULL, NULL, &pinned->problem))
		fail_msg("%s", pinned->problem.text);
}

static inline void expect_counts(const struct edge *edge, size_t folded, size_t overlay, size_t tombstones)
{
	struct reconcile_folding folding = reconcile_folding(edge->reconcile);

	assert_int_equal(folding.folded, folded);
	assert_int_equal(folding.overlay, overlay);
	assert_int_equal(folding.tombstones, tombstones);
}

/* What the kernel has for a prefix: WEIR_BAN_* and WEIR_BAN_GONE of each, 0: no key. */
static inline uint32_t kernel_lists(const struct edge *edge, const char *prefix)
{
	struct weir_ban ban;

	return kernel_ban4(edge, prefix, &ban) ? 0 : ban.lists;
}

static inline size_t kernel_keys(const struct edge *edge)
{
	int fd = kernel_map_fd(edge->kernel, KERNEL_MAP_ban4);
	struct weir_ban4_key key, next;
	size_t count = 0;

	for (int error = kernel_map_next(fd, NULL, &next); !error; error = kernel_map_next(fd, &key, &next)) {
		key = next;
		count++;
	}
	return count;
}

/* What a packet would find, read from the pinned tables alone. */
struct folded_view {
	struct weir_folded_entry *entries;
	size_t count;
};

static inline struct folded_view read_view(const struct edge *edge, uint32_t generation)
{
	AUTO_CLOSE int fd = kernel_bank_open(edge->kernel, KERNEL_MAP_folded_entries, generation % WEIR_BANKS);
	struct folded_view view = {0};
	unsigned int count = 0;

	if (fd < 0)
		return view;
	assert_int_equal(kernel_map_entries(fd, &count), 0);
	view.count = count;
	view.entries = calloc(count, sizeof(*view.entries));
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(kernel_map_get(fd, &i, &view.entries[i]), 0);
	return view;
}

static inline bool acts(const struct edge *edge, const struct folded_view *view, const char *text, uint32_t list)
{
	struct prefix prefix = prefix_of(text);
	uint32_t lists = kernel_lists(edge, text);
	bool length_is_there = kernel_ban_lengths(edge).v4 >> prefix.length & 1;

	if (lists & list && length_is_there)
		return true;
	for (size_t i = 0; i < view->count; i++)
		if (view->entries[i].family == prefix.addr.family && view->entries[i].length == prefix.length &&
		    view->entries[i].address[0] == prefix.addr.bytes.word[0] && view->entries[i].lists & list)
			return !(lists & WEIR_BAN_GONE(list) && kernel_ban_lengths(edge).gone4 >> prefix.length & 1);
	return false;
}

#endif
