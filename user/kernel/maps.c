/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed access to maps: the inventory as a table, single values, per-CPU sums, mappings and banks. */
#include "kernel.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define MAP_INFO(map_name, map_type, key, value, entries, map_flags, is_pinned, inner_maps)                            \
	[KERNEL_MAP_##map_name] = {.name = #map_name,                                                                  \
				   .type = BPF_MAP_TYPE_##map_type,                                                    \
				   .key_size = sizeof(key),                                                            \
				   .value_size = sizeof(value),                                                        \
				   .max_entries = (entries),                                                           \
				   .flags = (map_flags),                                                               \
				   .pinned = (is_pinned),                                                              \
				   .pages = (inner_maps),                                                              \
				   .per_cpu = BPF_MAP_TYPE_##map_type == BPF_MAP_TYPE_PERCPU_ARRAY},
#define MAP_INFO_PINNED(name, type, key, value, entries, flags)                                                        \
	MAP_INFO(name, type, key, value, entries, flags, true, 0)
#define MAP_INFO_BANKED(name, type, key, value, entries, flags)                                                        \
	MAP_INFO(name, type, key, value, entries, flags, true, 1)
#define MAP_INFO_PAGED(name, type, key, value, entries, flags, pages)                                                  \
	MAP_INFO(name, type, key, value, entries, flags, true, pages)
#define MAP_INFO_LOCAL(name, type, key, value, entries, flags)                                                         \
	MAP_INFO(name, type, key, value, entries, flags, false, 0)

const struct kernel_map_info kernel_maps[KERNEL_MAPS] = {WEIR_MAPS_PINNED(MAP_INFO_PINNED) WEIR_MAPS_BANKED(
	MAP_INFO_BANKED) WEIR_MAPS_PAGED(MAP_INFO_PAGED) WEIR_MAPS_LOCAL(MAP_INFO_LOCAL)};

/* A bpf(2) call that meets a signal or a busy bucket is worth another try, but not for ever. */
#define MAP_TRIES 100
#define MAP_RETRY(call)                                                                                                \
	({                                                                                                             \
		int error_ = 0;                                                                                        \
		for (int try_ = 0; try_ < MAP_TRIES; try_++) {                                                         \
			error_ = (call);                                                                               \
			if (error_ != -EINTR && error_ != -EBUSY)                                                      \
				break;                                                                                 \
		}                                                                                                      \
		error_;                                                                                                \
	})

int kernel_map_get(int fd, const void *key, void *value)
{
	return MAP_RETRY(bpf_map_lookup_elem(fd, key, value));
}

int kernel_map_put(int fd, const void *key, const void *value)
{
	return MAP_RETRY(bpf_map_update_elem(fd, key, value, BPF_ANY));
}

int kernel_map_delete(int fd, const void *key)
{
	return MAP_RETRY(bpf_map_delete_elem(fd, key));
}

int kernel_map_next(int fd, const void *key, void *next)
{
	return MAP_RETRY(bpf_map_get_next_key(fd, key, next));
}

int kernel_map_entries(int fd, unsigned int *entries)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int error = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (error)
		return error;
	*entries = info.max_entries;
	return 0;
}

int kernel_map_cpus(int fd, unsigned int index, size_t words, __u64 **out)
{
	AUTO_FREE __u64 *values = NULL;
	int cpus = libbpf_num_possible_cpus();
	int error;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * words, sizeof(*values));
	if (!values)
		return -ENOMEM;
	error = kernel_map_get(fd, &index, values);
	if (error)
		return error;
	*out = TAKE_PTR(values);
	return cpus;
}

int kernel_map_sum(int fd, unsigned int index, size_t words, __u64 *out)
{
	AUTO_FREE __u64 *values = NULL;
	int cpus = kernel_map_cpus(fd, index, words, &values);

	if (cpus < 0)
		return cpus;
	memset(out, 0, words * sizeof(*out));
	for (size_t i = 0; i < (size_t)cpus * words; i++)
		out[i % words] += values[i];
	return 0;
}

int kernel_map_zero(int fd, unsigned int index, size_t words)
{
	AUTO_FREE __u64 *values = NULL;
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus * words, sizeof(*values));
	if (!values)
		return -ENOMEM;
	return kernel_map_put(fd, &index, values);
}

static size_t map_whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

void *kernel_map_mmap(int fd, size_t bytes, bool writable)
{
	int protection = PROT_READ | (writable ? PROT_WRITE : 0);
	void *address = mmap(NULL, map_whole_pages(bytes), protection, MAP_SHARED, fd, 0);

	return address == MAP_FAILED ? NULL : address;
}

void kernel_map_munmap(void *address, size_t bytes)
{
	if (address)
		munmap(address, map_whole_pages(bytes));
}

int kernel_bank_create(enum kernel_map map, unsigned int entries)
{
	const struct kernel_map_info *info = &kernel_maps[map];
	struct bpf_map_create_opts options = {.sz = sizeof(options), .map_flags = info->flags};
	bool any_size = info->type == BPF_MAP_TYPE_HASH || (info->flags & BPF_F_INNER_MAP);

	if (!info->pages || entries > info->max_entries)
		return -EINVAL;
	/* The kernel takes an array into an outer map only at the template's size, unless it is BPF_F_INNER_MAP. */
	if (!entries || !any_size)
		entries = info->max_entries;
	return bpf_map_create(info->type, info->name, (__u32)info->key_size, (__u32)info->value_size, entries,
			      &options);
}

int kernel_bank_install(const struct kernel *kernel, enum kernel_map map, unsigned int bank, int fd)
{
	return kernel_pages_install(kernel, map, bank, &fd, fd >= 0);
}

int kernel_bank_open(const struct kernel *kernel, enum kernel_map map, unsigned int bank)
{
	return kernel_page_open(kernel, map, bank, 0);
}

/* All in one call, after which the kernel waits once for programs that look at what was there before; kernels without
 * this call (before 5.14) wait after each. */
static int map_put_many(int fd, unsigned int first, const int *fds, unsigned int count)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, options);
	AUTO_FREE unsigned int *keys = calloc(count ?: 1, sizeof(*keys));
	__u32 done = count;
	int error = 0;

	if (!keys)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		keys[i] = first + i;
	if (count > 1 && !MAP_RETRY(bpf_map_update_batch(fd, keys, fds, &done, &options)))
		return 0;
	for (unsigned int i = 0; i < count && !error; i++)
		error = kernel_map_put(fd, &keys[i], &fds[i]);
	return error;
}

int kernel_pages_install(const struct kernel *kernel, enum kernel_map map, unsigned int bank, const int *fds,
			 unsigned int count)
{
	unsigned int pages = kernel_maps[map].pages;
	unsigned int end = count;
	int outer = kernel_map_fd(kernel, map), error;
	__u32 id;

	if (bank >= WEIR_BANKS || count > pages)
		return -EINVAL;
	error = map_put_many(outer, bank * pages, fds, count);
	for (; !error && end < pages; end++) {
		unsigned int key = bank * pages + end;

		if (kernel_map_get(outer, &key, &id))
			break;
	}
	/* From the last one on, so that there is no gap whenever this ends. */
	while (!error && end-- > count) {
		unsigned int key = bank * pages + end;

		error = kernel_map_delete(outer, &key);
	}
	return error;
}

int kernel_page_open(const struct kernel *kernel, enum kernel_map map, unsigned int bank, unsigned int page)
{
	unsigned int key = bank * kernel_maps[map].pages + page;
	__u32 id;
	int error;

	if (bank >= WEIR_BANKS || page >= kernel_maps[map].pages)
		return -EINVAL;
	error = kernel_map_get(kernel_map_fd(kernel, map), &key, &id);
	return error ? error : bpf_map_get_fd_by_id(id);
}
