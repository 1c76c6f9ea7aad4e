/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages of one generation's lines: the filter's tables, one after the other, cut into inner maps of equal size. */
#include "parts.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

#define PAGE_BYTES (WEIR_PAGE_LINES * sizeof(struct weir_line))

int pages_create(const struct compile_filter *filter, struct bank *bank)
{
	struct compile_lines tables[COMPILE_LINES];
	size_t lines = compile_filter_lines(filter, tables);
	unsigned int count = (unsigned int)((lines + WEIR_PAGE_LINES - 1) / WEIR_PAGE_LINES);

	bank->pages = calloc(count ?: 1, sizeof(*bank->pages));
	if (!bank->pages)
		return -ENOMEM;
	for (; bank->pages_count < count; bank->pages_count++) {
		int fd = kernel_bank_create(KERNEL_MAP_lines, 0);

		if (fd < 0)
			return fd;
		bank->pages[bank->pages_count] = fd;
	}
	return 0;
}

/* What lies in the page of a table: writes it, or compares it. False: the page holds something else. */
static bool page_copy(uint8_t *mapped, unsigned int page, const struct compile_lines *table, bool write)
{
	size_t start = page * PAGE_BYTES, end = start + PAGE_BYTES;
	size_t first = table->first * sizeof(struct weir_line), last = first + table->bytes;
	size_t from = first > start ? first : start, to = last < end ? last : end;
	const uint8_t *rows = (const uint8_t *)table->rows + (from - first);

	if (from >= to)
		return true;
	if (!write)
		return memcmp(mapped + (from - start), rows, to - from) == 0;
	memcpy(mapped + (from - start), rows, to - from);
	return true;
}

static int pages_copy(const struct compile_filter *filter, const struct bank *bank, bool write)
{
	struct compile_lines tables[COMPILE_LINES];
	bool is_same = true;

	compile_filter_lines(filter, tables);
	for (unsigned int page = 0; page < bank->pages_count && is_same; page++) {
		uint8_t *mapped = kernel_map_mmap(bank->pages[page], PAGE_BYTES, write);

		if (!mapped)
			return -errno;
		for (int i = 0; i < COMPILE_LINES && is_same; i++)
			is_same = page_copy(mapped, page, &tables[i], write);
		kernel_map_munmap(mapped, PAGE_BYTES);
	}
	return is_same ? 0 : -EIO;
}

int pages_fill(const struct compile_filter *filter, const struct bank *bank)
{
	return pages_copy(filter, bank, true);
}

int pages_check(const struct compile_filter *filter, const struct bank *bank)
{
	return pages_copy(filter, bank, false);
}

void pages_free(struct bank *bank)
{
	for (unsigned int page = 0; page < bank->pages_count; page++)
		scope_close(&bank->pages[page]);
	free(bank->pages);
	bank->pages = NULL;
	bank->pages_count = 0;
}
