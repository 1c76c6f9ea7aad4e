/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads pcapng (draft-ietf-opsawg-pcapng): sections, interfaces and packets; other blocks are passed over. */
#include "reader.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete, still found */
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
};
#define BLOCK_SECTION	    0x0a0d0d0au
#define SECTION_ORDER	    0x1a2b3c4du
#define BLOCK_FRAME	    12u /* type, length, and the length again */
#define OPTION_END	    0
#define OPTION_RESOLUTION   9
#define OPTION_OFFSET	    14
#define RESOLUTION_MICRO    6
#define RESOLUTION_IS_POWER 0x80

struct ng_packet { /* after the type and length of an enhanced block, and of the obsolete one but for its first word */
	uint32_t interface, time_high, time_low, captured, original;
};

/* The body of a block, bounded: left is what is still unread of it. */
struct ng_block {
	uint32_t type, length, left;
};

static int ng_take(struct replay_reader *reader, struct ng_block *block, void *out, uint32_t size,
		   struct problem *problem)
{
	if (size > block->left)
		return reader_damaged(reader, problem, "a block of %u bytes is too short for what it holds",
				      block->length);
	block->left -= size;
	return reader_need(reader, out, size, problem);
}

static int ng_end(struct replay_reader *reader, struct ng_block *block, struct problem *problem)
{
	uint32_t again;
	int error = reader_skip(reader, block->left, problem);

	if (!error)
		error = reader_need(reader, &again, sizeof(again), problem);
	if (error)
		return error;
	if (reader_u32(reader, again) != block->length)
		return reader_damaged(reader, problem, "a block that begins with a length of %u ends with %u",
				      block->length, reader_u32(reader, again));
	return 0;
}

static int ng_check_length(struct replay_reader *reader, struct ng_block *block, uint32_t least,
			   struct problem *problem)
{
	if (block->length < least || block->length % 4 || block->length > READER_MAX_BLOCK)
		return reader_damaged(reader, problem, "a block of %u bytes; %u to %u in steps of 4 are allowed",
				      block->length, least, READER_MAX_BLOCK);
	return 0;
}

int reader_ng_section(struct replay_reader *reader, struct problem *problem)
{
	struct ng_block block = {.type = BLOCK_SECTION};
	struct {
		uint32_t length, order;
		uint16_t major, minor;
		uint64_t section_length;
	} __attribute__((packed)) header;
	int error = reader_need(reader, &header, sizeof(header), problem);

	if (error)
		return error;
	reader->swapped = header.order == __builtin_bswap32(SECTION_ORDER);
	if (reader_u32(reader, header.order) != SECTION_ORDER)
		return reader_damaged(reader, problem, "a section with the byte-order mark %08x", header.order);
	block.length = reader_u32(reader, header.length);
	error = ng_check_length(reader, &block, BLOCK_FRAME + sizeof(header) - 4, problem);
	if (error)
		return error;
	if (reader_u16(reader, header.major) != 1)
		return reader_damaged(reader, problem, "pcapng version %u.%u; 1.0 is known",
				      reader_u16(reader, header.major), reader_u16(reader, header.minor));
	block.left = block.length - BLOCK_FRAME - (sizeof(header) - 4);
	reader->interfaces_count = 0;
	return ng_end(reader, &block, problem);
}

static int ng_options(struct replay_reader *reader, struct ng_block *block, struct reader_interface *interface,
		      struct problem *problem)
{
	uint16_t option[2];
	uint8_t value[8] = {0};

	while (block->left >= sizeof(option)) {
		uint32_t length, padded, kept;
		int error = ng_take(reader, block, option, sizeof(option), problem);

		if (error)
			return error;
		option[0] = reader_u16(reader, option[0]);
		length = reader_u16(reader, option[1]);
		if (option[0] == OPTION_END)
			return 0;
		padded = (length + 3) & ~3u;
		kept = padded < sizeof(value) ? padded : sizeof(value);
		error = ng_take(reader, block, value, kept, problem);
		if (!error && padded - kept > block->left)
			error = reader_damaged(reader, problem, "an option of %u bytes leaves its block", length);
		if (!error)
			error = reader_skip(reader, padded - kept, problem);
		if (error)
			return error;
		block->left -= padded - kept;
		if (option[0] == OPTION_RESOLUTION && length == 1)
			interface->resolution = value[0];
		if (option[0] == OPTION_OFFSET && length == sizeof(value)) {
			uint64_t offset;

			memcpy(&offset, value, sizeof(offset));
			interface->offset_s = (int64_t)reader_u64(reader, offset);
		}
	}
	return 0;
}

static int ng_interface(struct replay_reader *reader, struct ng_block *block, struct problem *problem)
{
	struct reader_interface *interface, *grown;
	struct {
		uint16_t link_type, reserved;
		uint32_t snap_length;
	} header;
	int error = ng_take(reader, block, &header, sizeof(header), problem);

	if (error)
		return error;
	if (reader->interfaces_count == READER_MAX_INTERFACES)
		return reader_damaged(reader, problem, "more than %u interfaces in a section", READER_MAX_INTERFACES);
	grown = reallocarray(reader->interfaces, reader->interfaces_count + 1, sizeof(*grown));
	if (!grown)
		return problem_set(problem, -ENOMEM, "%s: out of memory", reader->name);
	reader->interfaces = grown;
	interface = &grown[reader->interfaces_count];
	*interface = (struct reader_interface){
		.link_type = reader_u16(reader, header.link_type),
		.snap_length = reader_u32(reader, header.snap_length),
		.resolution = RESOLUTION_MICRO,
	};
	error = ng_options(reader, block, interface, problem);
	if (error)
		return error;
	reader->interfaces_count++;
	return 0;
}

static uint64_t ng_time_ns(const struct reader_interface *interface, uint64_t units)
{
	unsigned int exponent = interface->resolution & ~RESOLUTION_IS_POWER;
	__int128 ns = units;

	if (interface->resolution & RESOLUTION_IS_POWER) {
		ns = (ns * 1000000000) >> exponent;
	} else {
		/* 2^64 units of 10^-29 s and less are under a nanosecond. */
		for (; exponent < 9; exponent++)
			ns *= 10;
		for (; exponent > 9 && ns; exponent--)
			ns /= 10;
	}
	ns += (__int128)interface->offset_s * 1000000000;
	if (ns < 0)
		return 0;
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static int ng_data(struct replay_reader *reader, struct ng_block *block, uint32_t size, struct problem *problem)
{
	if (size > READER_MAX_PACKET)
		return reader_damaged(reader, problem, "a length of %u bytes; at most %u are allowed", size,
				      READER_MAX_PACKET);
	return ng_take(reader, block, reader->packet, size, problem);
}

static int ng_find_interface(struct replay_reader *reader, uint32_t index, struct problem *problem)
{
	if (index >= reader->interfaces_count)
		return reader_damaged(reader, problem, "interface %u of a section that describes %u so far", index,
				      reader->interfaces_count);
	return reader_check_link(reader, reader->interfaces[index].link_type, problem);
}

static int ng_packet(struct replay_reader *reader, struct ng_block *block, struct replay_packet *packet,
		     struct problem *problem)
{
	struct ng_packet header;
	uint32_t size, original;
	uint64_t units;
	int error = ng_take(reader, block, &header, sizeof(header), problem);

	if (error)
		return error;
	if (block->type == BLOCK_PACKET) { /* two 16-bit fields: the interface and a count of drops */
		uint16_t index;

		memcpy(&index, &header.interface, sizeof(index));
		header.interface = reader_u16(reader, index);
	} else {
		header.interface = reader_u32(reader, header.interface);
	}
	error = ng_find_interface(reader, header.interface, problem);
	if (error)
		return error;
	size = reader_u32(reader, header.captured);
	original = reader_u32(reader, header.original);
	units = (uint64_t)reader_u32(reader, header.time_high) << 32 | reader_u32(reader, header.time_low);
	error = ng_data(reader, block, size, problem);
	if (error)
		return error;
	*packet = (struct replay_packet){
		.data = reader->packet,
		.size = size,
		.original_size = original > size ? original : size,
		.time_ns = ng_time_ns(&reader->interfaces[header.interface], units),
	};
	return 0;
}

/* A simple packet has no time and no captured length: the shortest of the lengths that could bound it counts. */
static int ng_simple(struct replay_reader *reader, struct ng_block *block, struct replay_packet *packet,
		     struct problem *problem)
{
	uint32_t original, size, snap;
	int error = ng_take(reader, block, &original, sizeof(original), problem);

	if (!error)
		error = ng_find_interface(reader, 0, problem);
	if (error)
		return error;
	original = reader_u32(reader, original);
	snap = reader->interfaces[0].snap_length;
	size = original < block->left ? original : block->left;
	if (snap && size > snap)
		size = snap;
	error = ng_data(reader, block, size, problem);
	if (error)
		return error;
	*packet = (struct replay_packet){.data = reader->packet, .size = size, .original_size = original};
	return 0;
}

static int ng_block(struct replay_reader *reader, struct ng_block *block, struct replay_packet *packet,
		    struct problem *problem)
{
	bool is_packet = block->type == BLOCK_ENHANCED || block->type == BLOCK_PACKET || block->type == BLOCK_SIMPLE;
	int error = 0;

	if (block->type == BLOCK_INTERFACE)
		error = ng_interface(reader, block, problem);
	else if (block->type == BLOCK_SIMPLE)
		error = ng_simple(reader, block, packet, problem);
	else if (is_packet)
		error = ng_packet(reader, block, packet, problem);
	if (!error)
		error = ng_end(reader, block, problem);
	return error ? error : is_packet;
}

int reader_ng_next(struct replay_reader *reader, struct replay_packet *packet, struct problem *problem)
{
	for (;;) {
		struct ng_block block;
		int result = reader_get(reader, &block.type, sizeof(block.type), problem);

		if (result <= 0)
			return result;
		if (block.type == BLOCK_SECTION) {
			result = reader_ng_section(reader, problem);
			if (result)
				return result;
			continue;
		}
		result = reader_need(reader, &block.length, sizeof(block.length), problem);
		if (result)
			return result;
		block.type = reader_u32(reader, block.type);
		block.length = reader_u32(reader, block.length);
		result = ng_check_length(reader, &block, BLOCK_FRAME, problem);
		if (result)
			return result;
		block.left = block.length - BLOCK_FRAME;
		result = ng_block(reader, &block, packet, problem);
		if (result)
			return result;
	}
}
