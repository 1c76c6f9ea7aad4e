/* SPDX-License-Identifier: BSD-2-Clause */
/* Live frames from far0 into edge0, and what a packet of them cost generator and receiver together. */
#ifndef WEIR_BENCH_LIVE_H
#define WEIR_BENCH_LIVE_H

#include "bench.h"

struct live_load {
	double mpps;   /* taken by edge0 */
	double cpu_ns; /* a packet */
	double lost;   /* share of what was sent that edge0 did not take */
};

/* Sends the number of packets from each of the cores at once, as fast as it goes. */
struct live_load live_send(const struct bench *bench, const struct traffic *traffic, uint32_t packets,
			   unsigned int cores);
/* Packets that edge0's stack judged by itself: errors, discards, and what it delivered (RFC 4293). What is dropped
 * where the case means to is none of these. */
uint64_t live_judged(void);

#endif
