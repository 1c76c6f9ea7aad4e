/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* At TC ingress, where rules mark packets: what the edge program left in front of a packet becomes its skb->mark. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/pkt_cls.h>
#include <maps/mark.h>

SEC("tc")
int weir_mark(struct __sk_buff *skb)
{
	struct weir_mark *mark = (void *)(long)skb->data_meta;

	if ((void *)(mark + 1) <= (void *)(long)skb->data && mark->magic == WEIR_MARK_MAGIC)
		skb->mark = mark->mark;
	return TC_ACT_UNSPEC; /* whatever other programs there are decide; the same number is TCX_NEXT */
}

char _license[] SEC("license") = "Dual BSD/GPL";
