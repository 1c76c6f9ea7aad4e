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

#define MAP_INFO(map_name, map_type, key, value, entries, map_flags, is_pinned, is_banked)                             \
	[KERNEL_MAP_##map_name] = {.name = #map_name,                                                                  \
				   .type = BPF_MAP_TYPE_##map_type,                                                    \
				   .key_size = sizeof(key),                                                            \
				   .value_size = sizeof(value),                                                        \
				   .max_entries = (entries),                                                           \
				   .flags = (map_flags),                                                               \
				   .pinned = (is_pinned),                                                              \
				   .banked = (is_banked),                                                              \
				   .per_cpu = BPF_MAP_TYPE_##map_type == BPF_MAP_TYPE_PERCPU_ARRAY},
#define MAP_INFO_PINNED(name, type, key, value, entries, flags)                                                        \
	MAP_INFO(name, type, key, value, entries, flags, true, false)
#define MAP_INFO_BANKED(name, type, key, value, entries, flags)                                                        \
	MAP_INFO(name, type, key, value, entries, flags, true, true)
#define MAP_INFO_LOCAL(name, type, key, value, entries, flags)                                                         \
	MAP_INFO(name, type, key, value, entries, flags, false, false)

const struct kernel_map_info kernel_maps[KERNEL_MAPS] = {
	WEIR_MAPS_PINNED(MAP_INFO_PINNED) WEIR_MAPS_BANKED(MAP_INFO_BANKED) WEIR_MAPS_LOCAL(MAP_INFO_LOCAL)};

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

	if (!info->banked || entries > info->max_entries)
		return -EINVAL;
	/* The kernel takes an array into an outer map only at the template's size, unless it is BPF_F_INNER_MAP. */
	if (!entries || !any_size)
		entries = info->max_entries;
	return bpf_map_create(info->type, info->name, (__u32)info->key_size, (__u32)info->value_size, entries,
			      &options);
}

int kernel_bank_install(const struct kernel *kernel, enum kernel_map map, unsigned int bank, int fd)
{
	if (!kernel_maps[map].banked || bank >= WEIR_BANKS)
		return -EINVAL;
	if (fd < 0) {
		int error = kernel_map_delete(kernel_map_fd(kernel, map), &bank);

		return error == -ENOENT ? 0 : error;
	}
	return kernel_map_put(kernel_map_fd(kernel, map), &bank, &fd);
}

int kernel_bank_open(const struct kernel *kernel, enum kernel_map map, unsigned int bank)
{
	__u32 id;
	int error;

	if (!kernel_maps[map].banked || bank >= WEIR_BANKS)
		return -EINVAL;
	error = kernel_map_get(kernel_map_fd(kernel, map), &bank, &id);
	return error ? error : bpf_map_get_fd_by_id(id);
}
