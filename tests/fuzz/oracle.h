/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain interpreter of the edge program, for tests: reads a frame byte by byte as the documents say, with none of the
 * program's code, and says what must become of it under the policy below.
 */
#ifndef WEIR_TESTS_ORACLE_H
#define WEIR_TESTS_ORACLE_H

#include <stddef.h>
#include <stdint.h>
#include <weir/reason.h>

/* The policy that the oracle knows: the configuration as text, and the live entries. Both families, a service on
 * TCP 80 and UDP 443, a protected prefix for TCP 22. */
#define ORACLE_CONFIG                                                                                                  \
	"protect:\n"                                                                                                   \
	"  - {from: [192.0.2.0/24, \"2001:db8:5::/48\"], ports: [tcp/22]}\n"                                           \
	"pools:\n"                                                                                                     \
	"  local:\n"                                                                                                   \
	"    backends:\n"                                                                                              \
	"      - {name: one, address: 10.1.2.3}\n"                                                                     \
	"      - {name: two, address: \"2001:db8:9::2\"}\n"                                                            \
	"services:\n"                                                                                                  \
	"  - {name: www, address: [198.51.100.10, \"2001:db8::10\"], ports: [tcp/80, udp/443], pools: [local]}\n"
#define ORACLE_DENIED4	"203.0.113.128/25"
#define ORACLE_DENIED6	"2001:db8:bad::/49"
#define ORACLE_ALLOWED4 "203.0.113.200"

struct oracle_outcome {
	enum weir_verdict verdict;
	enum weir_reason reason;
	uint8_t family, protocol, fragment; /* as in struct weir_trace; protocol and ports of the flow */
	uint16_t sport, dport;
};

void oracle_judge(const uint8_t *frame, size_t size, struct oracle_outcome *outcome);

#endif
