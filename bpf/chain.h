/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The IPv6 extension header chain: up to six headers, then the transport header (RFC 8200, 4).
 *
 * A global function, which the verifier checks once by itself: walked inline, each shape of chain would be a state of
 * its own in everything that follows. Only packets that have extension headers pay for the call.
 */
#ifndef WEIR_BPF_CHAIN_H
#define WEIR_BPF_CHAIN_H

#include "packet.h"
#include <bpf/bpf_endian.h>
#include <linux/in6.h>

/* Next-header values that <linux/in.h> lacks (IANA Protocol Numbers). */
#define NEXT_MOBILITY 135
#define NEXT_HIP      139
#define NEXT_SHIM6    140

/* What chain_walk found, in one word: reason of a drop, fragment state, next header, offset of what follows. */
#define CHAIN_OFFSET_MASK     0x3fff
#define CHAIN_OFFSET(found)   ((__u32)(found)&CHAIN_OFFSET_MASK)
#define CHAIN_NEXT(found)     ((__u8)((found) >> 16))
#define CHAIN_FRAGMENT(found) ((__u8)((found) >> 24) & 3)
#define CHAIN_REASON(found)   ((__u32)((found) >> 32))

/* How long a header is: ((its second byte & mask) + add) << shift. A look-up instead of branches, for the
 * verifier's sake. */
struct chain_kind {
	__u8 mask, add, shift, is_extension;
};

static const struct chain_kind chain_kinds[256] = {
	[IPPROTO_HOPOPTS] = {0xff, 1, 3, 1}, [IPPROTO_ROUTING] = {0xff, 1, 3, 1}, [IPPROTO_DSTOPTS] = {0xff, 1, 3, 1},
	[NEXT_MOBILITY] = {0xff, 1, 3, 1},   [NEXT_HIP] = {0xff, 1, 3, 1},	  [NEXT_SHIM6] = {0xff, 1, 3, 1},
	[IPPROTO_AH] = {0xff, 2, 2, 1},	     [IPPROTO_FRAGMENT] = {0, 1, 3, 1},
};

static __always_inline bool chain_is_extension(__u8 next)
{
	return chain_kinds[next].is_extension;
}

static __always_inline __u64 chain_drop(enum weir_reason reason)
{
	return (__u64)reason << 32;
}

/* From offset, where a header of type next begins, to the end of the IP packet. */
__noinline __u64 chain_walk(struct xdp_md *ctx, __u32 offset, __u32 limit, __u32 next)
{
	__u32 fragment = FRAGMENT_NONE;

	for (int i = 0; i <= WEIR_MAX_IPV6_EXTENSIONS; i++) {
		const struct chain_kind *kind = &chain_kinds[next & 255];
		__u8 *header = (void *)(long)ctx->data + (offset & CHAIN_OFFSET_MASK);

		if (!kind->is_extension || fragment == FRAGMENT_LATER)
			return (__u64)fragment << 24 | (next & 255) << 16 | (offset & CHAIN_OFFSET_MASK);
		if (i == WEIR_MAX_IPV6_EXTENSIONS)
			break;
		if ((void *)(header + 8) > (void *)(long)ctx->data_end)
			return chain_drop(WEIR_REASON_MALFORMED);
		if ((next & 255) == IPPROTO_ROUTING && header[2] == 0)
			return chain_drop(WEIR_REASON_ROUTING_HEADER);
		if ((next & 255) == IPPROTO_FRAGMENT) {
			__u16 field = bpf_ntohs(*(__be16 *)(header + 2));

			if (field >> 3)
				fragment = FRAGMENT_LATER;
			else if (field & 1)
				fragment = FRAGMENT_FIRST;
		}
		offset += ((__u32)(header[1] & kind->mask) + kind->add) << (kind->shift & 3);
		next = header[0];
		if (offset > limit)
			return chain_drop(fragment == FRAGMENT_FIRST ? WEIR_REASON_TINY_FRAGMENT
								     : WEIR_REASON_MALFORMED);
	}
	return chain_drop(WEIR_REASON_IPV6_CHAIN);
}

#endif
