/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether a packet is for a VIP. */
#ifndef WEIR_BPF_VIP_H
#define WEIR_BPF_VIP_H

#include "packet.h"

/* The VIP's number plus 1, 0 when the destination is none. The filter spares most of what is for the host itself the
 * look-up in the hash. */
static __always_inline __u32 vip_find(const struct packet *p, const struct weir_policy *policy)
{
	__u32 bit = weir_vip_bit(&p->destination), *vip;
	struct weir_vip_key key;

	if (!(policy->vip_filter[bit / 64] >> bit % 64 & 1))
		return 0;
	asm volatile("" ::: "memory"); /* no key before it is needed */
	key = (struct weir_vip_key){.address = p->destination, .family = p->family};
	vip = bank_lookup(vips, p->bank, &key);
	return vip ? *vip + 1 : 0;
}

#endif
