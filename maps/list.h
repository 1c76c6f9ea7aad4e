/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inventory: every map of the edge program. Map definitions, pin names, layout checks and tests derive from it.
 *
 * WEIR_MAPS_PINNED(X): X(name, TYPE, key, value, max_entries, flags) -- one map, pinned as its name.
 * WEIR_MAPS_BANKED(X): the same for a map of two banks, pinned as its name; the columns describe a bank. One with
 *   BPF_F_INNER_MAP is made as large as its content, which costs each look-up a call (the kernel does not inline it);
 *   the filter's banks are left out where they would be empty.
 * WEIR_MAPS_PAGED(X): X(..., pages) -- the same for a map whose banks have up to so many inner maps; the other columns
 *   describe one of them.
 * WEIR_MAPS_LOCAL(X): one map that belongs to one loaded program and is not pinned.
 */
#ifndef WEIR_MAPS_LIST_H
#define WEIR_MAPS_LIST_H

#include "ban.h"
#include "count.h"
#include "filter.h"
#include "flow.h"
#include "folded.h"
#include "hop.h"
#include "limit.h"
#include "live.h"
#include "object.h"
#include "policy.h"
#include "ring.h"
#include "trace.h"

#define WEIR_BANKS 2

/* clang-format off */
#define WEIR_MAPS_PINNED(X)                                                                                            \
	X(live, ARRAY, __u32, struct weir_live, 1, BPF_F_MMAPABLE)                                                     \
	X(ban4, HASH, struct weir_ban4_key, struct weir_ban, WEIR_MAX_BANS, BPF_F_NO_PREALLOC)                         \
	X(ban6, HASH, struct weir_ban6_key, struct weir_ban, WEIR_MAX_BANS, BPF_F_NO_PREALLOC)                         \
	X(ban_lengths, ARRAY, __u32, struct weir_ban_lengths, 1, 0)                                                    \
	X(sketch, ARRAY, __u32, __u64, WEIR_SKETCH_ROWS * WEIR_SKETCH_COLUMNS, 0)                                      \
	X(flows, ARRAY, __u32, struct weir_flow_line, WEIR_FLOW_LINES, BPF_F_MMAPABLE)                                 \
	X(count_verdict, PERCPU_ARRAY, __u32, struct weir_count, WEIR_COUNT_VERDICTS, 0)                               \
	X(count_service, PERCPU_ARRAY, __u32, struct weir_flow_count, WEIR_MAX_SERVICES, 0)                            \
	X(count_backend, PERCPU_ARRAY, __u32, struct weir_flow_count, WEIR_MAX_BACKENDS, 0)                            \
	X(count_limit, PERCPU_ARRAY, __u32, struct weir_limit_count, WEIR_MAX_LIMITS, 0)                               \
	X(count_rule, PERCPU_ARRAY, __u32, struct weir_rule_count, WEIR_MAX_RULE_IDS, 0)                               \
	X(names, ARRAY, __u32, struct weir_name, WEIR_NAMES_TOTAL, 0)                                                  \
	X(backend_state, ARRAY, __u32, struct weir_backend_state, WEIR_MAX_BACKENDS, 0)

#define WEIR_MAPS_BANKED(X)                                                                                            \
	X(policy, ARRAY, __u32, struct weir_policy, 1, 0)                                                              \
	X(protect, ARRAY, __u32, struct weir_protect, WEIR_MAX_PROTECT, 0)                                             \
	X(protect_ports, ARRAY, __u32, __u64, WEIR_PROTECT_PORTS, BPF_F_INNER_MAP)                                     \
	X(vips, HASH, struct weir_vip_key, __u32, WEIR_MAX_VIPS, BPF_F_NO_PREALLOC)                                    \
	X(ports, HASH, struct weir_port_key, __u32, WEIR_MAX_PORTS, BPF_F_NO_PREALLOC)                                 \
	X(services, ARRAY, __u32, struct weir_service, WEIR_MAX_SERVICES, BPF_F_INNER_MAP)                             \
	X(rings, ARRAY, __u32, __u64, WEIR_MAX_SERVICES, BPF_F_INNER_MAP | BPF_F_MMAPABLE)                             \
	X(slots, ARRAY, __u32, struct weir_slot, WEIR_MAX_RING_SLOTS, BPF_F_INNER_MAP | BPF_F_MMAPABLE)                \
	X(backends, ARRAY, __u32, struct weir_backend, WEIR_MAX_BACKENDS, BPF_F_INNER_MAP)                             \
	X(limits, ARRAY, __u32, struct weir_limit, WEIR_MAX_LIVE_LIMITS, 0)                                            \
	X(bits4, ARRAY, __u32, __u64, WEIR_BITS4, BPF_F_MMAPABLE)                                                      \
	X(tops4, ARRAY, __u32, __u64, WEIR_TOPS4, BPF_F_MMAPABLE)                                                      \
	X(tops6, ARRAY, __u32, struct weir_top6, WEIR_TOPS6, BPF_F_MMAPABLE)                                           \
	X(indexes, ARRAY, __u32, __u64, WEIR_MAX_INDEXES, BPF_F_MMAPABLE)                                              \
	X(rules, ARRAY, __u32, struct weir_rule, WEIR_MAX_RULES, BPF_F_MMAPABLE)                                       \
	X(folded, ARRAY, __u32, struct weir_folded, WEIR_MAX_CLASSES, BPF_F_INNER_MAP | BPF_F_MMAPABLE)                \
	X(folded_entries, ARRAY, __u32, struct weir_folded_entry, WEIR_MAX_FOLDED, BPF_F_INNER_MAP | BPF_F_MMAPABLE)

#define WEIR_MAPS_PAGED(X) X(lines, ARRAY, __u32, struct weir_line, WEIR_PAGE_LINES, BPF_F_MMAPABLE, WEIR_PAGES)

#define WEIR_MAPS_LOCAL(X)                                                                                             \
	X(trace, ARRAY, __u32, struct weir_trace, 1, BPF_F_MMAPABLE)                                                   \
	X(hops, PERCPU_ARRAY, __u32, struct weir_hop, WEIR_MAX_BACKENDS, 0)                                            \
	X(question, PERCPU_ARRAY, __u32, struct weir_question, 1, 0)
/* clang-format on */

#endif
