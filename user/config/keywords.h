/* SPDX-License-Identifier: BSD-2-Clause */
/* The words that rules have for numbers in packets. */
#ifndef WEIR_CONFIG_KEYWORDS_H
#define WEIR_CONFIG_KEYWORDS_H

#include <stddef.h>
#include <stdint.h>

/* A number in each family, -1 where it has none. */
struct keyword_pair {
	const char *word;
	int16_t ipv4, ipv6;
};

struct keyword {
	const char *word;
	uint16_t value;
};

extern const struct keyword_pair keywords_protocol[], keywords_icmp[];
extern const size_t keywords_protocol_count, keywords_icmp_count;
#define KEYWORDS_TCP_FLAGS 8
#define KEYWORDS_DSCPS	   23
extern const struct keyword keywords_tcp_flag[], keywords_dscp[];

#endif
