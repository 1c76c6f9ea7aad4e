/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets through the real program without a NIC: captures in and out, packets built from words, outcomes in words.
 */
#ifndef WEIR_REPLAY_H
#define WEIR_REPLAY_H

#include "../base/addr.h"
#include "../base/problem.h"
#include "../kernel/kernel.h"
#include "../model/model.h"
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Captures: pcap (micro- and nanoseconds, either byte order) and pcapng, Ethernet link type only, at most 256 KiB a
 * packet. The path "-" is standard input. */
struct replay_reader;
struct replay_packet {
	const uint8_t *data;  /* valid until the next read */
	size_t size;	      /* bytes captured */
	size_t original_size; /* bytes on the wire; more than size: the capture cut it */
	uint64_t time_ns;     /* since 1970 */
};
int replay_reader_open(const char *path, struct replay_reader **out, struct problem *problem);
/* The same from an open stream, called name in messages; it is closed with the reader, or left open on failure. */
int replay_reader_stream(FILE *file, const char *name, struct replay_reader **out, struct problem *problem);
/* 1: a packet, 0: the end, -errno with *problem (a damaged file says at which packet). */
int replay_reader_next(struct replay_reader *reader, struct replay_packet *packet, struct problem *problem);
void replay_reader_close(struct replay_reader *reader);

struct replay_writer; /* classic pcap, nanoseconds, Ethernet */
int replay_writer_open(const char *path, struct replay_writer **out, struct problem *problem);
int replay_writer_put(struct replay_writer *writer, const void *data, size_t size, uint64_t time_ns);
int replay_writer_close(struct replay_writer *writer); /* 0 or -errno: whether all is on the disk's side */

/* A program to ask: over the live pinned maps, or over its own filled from a configuration. */
struct replay_bench;
struct replay_options {
	const char *config_path; /* NULL: the live tables below pin_directory */
	const char *pin_directory;
	bool stateful; /* limits and flows are written (only with config_path) */
};
int replay_bench_open(const struct replay_options *options, struct replay_bench **out, struct problem *problem);
void replay_bench_close(struct replay_bench *bench);

#define REPLAY_HEADERS_MAX 128 /* bytes that the program may put in front */

/* One packet. out has room for at least size + REPLAY_HEADERS_MAX bytes; *out_size as for kernel_test_run. Where
 * time_ns is 0 the present is used. ifindex 0: the first configured interface, or loopback. */
struct replay_outcome {
	unsigned int action; /* enum xdp_action */
	struct weir_trace trace;
};
int replay_run(struct replay_bench *bench, const void *data, size_t size, uint64_t time_ns, uint32_t ifindex, void *out,
	       size_t *out_size, struct replay_outcome *outcome, struct problem *problem);

/* {"n":1,"verdict":"tx","reason":"steered","service":"www","backend":"local/cache1","slot":17,...}. n 0: left out. */
json_t *replay_outcome_json(const struct replay_bench *bench, const struct replay_outcome *outcome, uint64_t n);
/* The walk through the stages, in words, one line a stage, for explain. */
void replay_outcome_print(const struct replay_bench *bench, const struct replay_outcome *outcome, FILE *file,
			  bool colour);

/* A packet from words. Ports are needed for TCP and UDP. Returns the bytes written to out[out_size], or -EINVAL
 * with *problem. */
struct replay_words {
	struct addr source, destination;
	uint8_t protocol;
	uint16_t sport, dport;
	uint8_t tcp_flags; /* default ACK; SYN with --syn */
	uint8_t ttl;	   /* 0: 64 */
	uint16_t length;   /* of the IP packet; 0: the smallest */
	int vlan;	   /* -1: none */
	uint8_t icmp_type, icmp_code;
};
ssize_t replay_build_packet(const struct replay_words *words, uint8_t *out, size_t out_size, struct problem *problem);

#endif
