/* SPDX-License-Identifier: BSD-2-Clause */
/* Within replay: the stream that both capture formats are read from, with its position for messages. */
#ifndef WEIR_REPLAY_READER_H
#define WEIR_REPLAY_READER_H

#include "replay.h"
#include <stdbool.h>

#define READER_MAX_PACKET     (256u << 10)
#define READER_MAX_BLOCK      (16u << 20) /* of pcapng */
#define READER_MAX_INTERFACES 4096u	  /* of a pcapng section */
#define READER_LINK_ETHERNET  1u

struct reader_interface {
	uint32_t link_type, snap_length;
	int64_t offset_s;
	uint8_t resolution; /* as if_tsresol: a negative power of 10, or of 2 with the top bit set */
};

struct replay_reader {
	FILE *file;
	char *name;
	uint64_t offset;  /* bytes read */
	uint64_t packets; /* read whole; messages count from 1 */
	bool swapped;	  /* the file's byte order is not ours */
	bool pcapng;
	bool nanoseconds; /* pcap */
	bool failed;	  /* where a damaged part ends is unknown: nothing after it is read */
	struct reader_interface *interfaces;
	uint32_t interfaces_count;
	uint8_t *packet; /* [READER_MAX_PACKET] */
};

static inline uint16_t reader_u16(const struct replay_reader *reader, uint16_t value)
{
	return reader->swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t reader_u32(const struct replay_reader *reader, uint32_t value)
{
	return reader->swapped ? __builtin_bswap32(value) : value;
}

static inline uint64_t reader_u64(const struct replay_reader *reader, uint64_t value)
{
	return reader->swapped ? __builtin_bswap64(value) : value;
}

/* Reads exactly size bytes. 1, 0 at the end of the file before the first of them, or -errno (-EBADMSG where the
 * file ends within them). */
int reader_get(struct replay_reader *reader, void *out, size_t size, struct problem *problem);
int reader_skip(struct replay_reader *reader, uint64_t size, struct problem *problem);
/* The same where the file must go on: its end is damage too. 0 or -errno. */
int reader_need(struct replay_reader *reader, void *out, size_t size, struct problem *problem);
/* -EBADMSG with the place. */
__attribute__((format(printf, 3, 4))) int reader_damaged(struct replay_reader *reader, struct problem *problem,
							 const char *format, ...);
/* 0, or -EPROTONOSUPPORT that names the link type. */
int reader_check_link(struct replay_reader *reader, uint32_t link_type, struct problem *problem);

/* pcapng.c: after the type of the first block was read. */
int reader_ng_section(struct replay_reader *reader, struct problem *problem);
int reader_ng_next(struct replay_reader *reader, struct replay_packet *packet, struct problem *problem);

#endif
