/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP for IPv4 (RFC 792), since <linux/icmp.h> pulls in the C library's headers. */
#ifndef WEIR_BPF_ICMP_H
#define WEIR_BPF_ICMP_H

#include <linux/icmpv6.h>
#include <linux/types.h>
#include <stdbool.h>

struct icmp_header {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 word; /* by type: identifier and sequence, unused and MTU */
};

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_unreachable_code {
	ICMP_PORT_UNREACHABLE = 3,
	ICMP_FRAGMENTATION_NEEDED = 4,
};

static inline __attribute__((always_inline)) bool icmp_is_error4(__u8 type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

static inline __attribute__((always_inline)) bool icmp_is_error6(__u8 type)
{
	return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
}

#endif
