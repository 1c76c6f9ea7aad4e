/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP for IPv4 (RFC 792), since <linux/icmp.h> pulls in the C library's headers. */
#ifndef WEIR_BPF_ICMP_H
#define WEIR_BPF_ICMP_H

#include <linux/types.h>

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

#endif
