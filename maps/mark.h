/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the edge program leaves in front of a packet for the kernel, where a rule marks it (XDP metadata).
 *
 * Written by: the edge program at its exit. Read by: the program of bpf/mark.bpf.c at TC ingress of the same interface,
 * which sets skb->mark. The first word tells it from the metadata of others.
 */
#ifndef WEIR_MAPS_MARK_H
#define WEIR_MAPS_MARK_H

#include <linux/types.h>

#define WEIR_MARK_MAGIC 0x77656972u /* "weir" */

struct weir_mark {
	__u32 magic; /* WEIR_MARK_MAGIC */
	__u32 mark;
};
_Static_assert(sizeof(struct weir_mark) == 8, "a multiple of 4, as bpf_xdp_adjust_meta wants");

#endif
