/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map of the edge program, defined from the inventory in maps/list.h. */
#ifndef WEIR_BPF_MAPS_H
#define WEIR_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <maps/list.h>

#define MAP_DEFINE(name, kind, key_type, value_type, max, flags)                                                       \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_##kind);                                                                     \
		__uint(max_entries, max);                                                                              \
		__uint(map_flags, flags);                                                                              \
		__type(key, key_type);                                                                                 \
		__type(value, value_type);                                                                             \
	} name SEC(".maps");

/* A bank of varying size needs a template of one entry: the full number of slots would cost 64 MiB a load.
 * Sizes rather than types for the banks: clang 14 leaves the types of an inner map's values undefined in BTF. */
#define MAP_DEFINE_PAGED(name, kind, key_type, value_type, max, flags, pages)                                          \
	struct name##_bank {                                                                                           \
		__uint(type, BPF_MAP_TYPE_##kind);                                                                     \
		__uint(max_entries, (flags)&BPF_F_INNER_MAP ? 1 : (max));                                              \
		__uint(map_flags, flags);                                                                              \
		__uint(key_size, sizeof(key_type));                                                                    \
		__uint(value_size, sizeof(value_type));                                                                \
	};                                                                                                             \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                                              \
		__uint(max_entries, WEIR_BANKS *(pages));                                                              \
		__type(key, __u32);                                                                                    \
		__array(values, struct name##_bank);                                                                   \
	} name SEC(".maps");
#define MAP_DEFINE_BANKED(name, kind, key_type, value_type, max, flags)                                                \
	MAP_DEFINE_PAGED(name, kind, key_type, value_type, max, flags, 1)

WEIR_MAPS_PINNED(MAP_DEFINE)
WEIR_MAPS_BANKED(MAP_DEFINE_BANKED)
WEIR_MAPS_PAGED(MAP_DEFINE_PAGED)
WEIR_MAPS_LOCAL(MAP_DEFINE)

/* The value of key in the bank of a banked map; NULL when the bank or the key is not there. */
#define bank_lookup(map, bank, key)                                                                                    \
	({                                                                                                             \
		__u32 bank_index_ = (bank);                                                                            \
		void *inner_ = bpf_map_lookup_elem(&map, &bank_index_);                                                \
		inner_ ? bpf_map_lookup_elem(inner_, key) : NULL;                                                      \
	})

/* A line of a generation; NULL when it is not there. */
static __always_inline struct weir_line *bank_line(__u32 bank, __u32 number)
{
	__u32 page = bank * WEIR_PAGES + number / WEIR_PAGE_LINES, element = number % WEIR_PAGE_LINES;
	void *inner = bpf_map_lookup_elem(&lines, &page);

	return inner ? bpf_map_lookup_elem(inner, &element) : NULL;
}

#endif
