/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mark of a rule on its way to the kernel: in front of the packet, where bpf/mark.bpf.c finds it.
 *
 * The last thing that is done to a packet, since no pointer into it holds afterwards.
 */
#ifndef WEIR_BPF_MARK_H
#define WEIR_BPF_MARK_H

#include "packet.h"
#include <maps/mark.h>

/* What the stages behind the filter keep of its answer: which rule, and what it does. */
#define MARK_MATCHED(found)  (WEIR_FOUND_NUMBER(found) | WEIR_FOUND_ACTION(found) << 12)
#define MARK_NUMBER(matched) ((matched)&0xfff)
#define MARK_ACTION(matched) ((matched) >> 12)

/* Reads no packet, so that it stands before the counters, which tell of a mark that could not be set. */
static __always_inline void mark_for_kernel(struct packet *p)
{
	__u32 number = MARK_NUMBER(p->matched);
	struct weir_rule *rule;
	struct weir_mark *mark;

	/* Explain and replay compare the packet with what it was. */
	if (cfg_trace || p->verdict != WEIR_PASS || MARK_ACTION(p->matched) != WEIR_ACTION_MARK)
		return;
	rule = bank_lookup(rules, p->bank, &number);
	if (!rule)
		return;
	if (bpf_xdp_adjust_meta(p->ctx, -(int)sizeof(*mark))) {
		p->reason = WEIR_REASON_UNMARKED;
		return;
	}
	mark = (void *)(long)p->ctx->data_meta;
	if ((void *)(mark + 1) > (void *)(long)p->ctx->data)
		return;
	mark->magic = WEIR_MARK_MAGIC;
	mark->mark = rule->mark;
}

#endif
