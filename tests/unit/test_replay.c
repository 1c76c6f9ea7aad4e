/* SPDX-License-Identifier: BSD-2-Clause */
/* Captures of every format, honest and lying ones, read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/scope.h"
#include "user/replay/replay.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A capture under construction, in either byte order. */
struct bytes {
	uint8_t data[65536];
	size_t size;
	bool big;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
	assert_true(bytes->size + size <= sizeof(bytes->data));
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static void put_number(struct bytes *bytes, uint64_t value, size_t width)
{
	uint8_t out[8];

	for (size_t i = 0; i < width; i++)
		out[bytes->big ? width - 1 - i : i] = (uint8_t)(value >> 8 * i);
	put(bytes, out, width);
}

static void put_u16(struct bytes *bytes, uint16_t value)
{
	put_number(bytes, value, 2);
}

static void put_u32(struct bytes *bytes, uint32_t value)
{
	put_number(bytes, value, 4);
}

static const uint8_t frame[61] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45};

static void put_pcap_header(struct bytes *bytes, uint32_t magic, uint32_t link_type)
{
	put_u32(bytes, magic);
	put_u16(bytes, 2);
	put_u16(bytes, 4);
	put_u32(bytes, 0);
	put_u32(bytes, 0);
	put_u32(bytes, 65535);
	put_u32(bytes, link_type);
}

static void put_pcap_packet(struct bytes *bytes, uint32_t seconds, uint32_t fraction)
{
	put_u32(bytes, seconds);
	put_u32(bytes, fraction);
	put_u32(bytes, sizeof(frame));
	put_u32(bytes, sizeof(frame) + 40);
	put(bytes, frame, sizeof(frame));
}

/* A pcapng block around a body. */
static void put_block(struct bytes *bytes, uint32_t type, const struct bytes *body)
{
	static const uint8_t padding[3];
	uint32_t padded = (uint32_t)(body->size + 3) & ~3u;

	put_u32(bytes, type);
	put_u32(bytes, padded + 12);
	put(bytes, body->data, body->size);
	put(bytes, padding, padded - body->size);
	put_u32(bytes, padded + 12);
}

static struct bytes *body_new(const struct bytes *bytes)
{
	struct bytes *body = calloc(1, sizeof(*body));

	assert_non_null(body);
	body->big = bytes->big;
	return body;
}

static void put_section(struct bytes *bytes)
{
	AUTO_FREE struct bytes *body = body_new(bytes);

	put_u32(body, 0x1a2b3c4d);
	put_u16(body, 1);
	put_u16(body, 0);
	put_number(body, UINT64_MAX, 8);
	put_block(bytes, 0x0a0d0d0a, body);
}

/* resolution -1: no option. */
static void put_interface(struct bytes *bytes, uint16_t link_type, int resolution, int64_t offset_s, uint32_t snap)
{
	AUTO_FREE struct bytes *body = body_new(bytes);

	put_u16(body, link_type);
	put_u16(body, 0);
	put_u32(body, snap);
	put_u16(body, 2); /* if_name */
	put_u16(body, 5);
	put(body, "eth42\0\0", 8);
	if (resolution >= 0) {
		put_u16(body, 9);
		put_u16(body, 1);
		put(body, (uint8_t[4]){(uint8_t)resolution}, 4);
	}
	if (offset_s) {
		put_u16(body, 14);
		put_u16(body, 8);
		put_number(body, (uint64_t)offset_s, 8);
	}
	put_u32(body, 0);
	put_block(bytes, 1, body);
}

static void put_enhanced(struct bytes *bytes, uint32_t interface, uint64_t units)
{
	AUTO_FREE struct bytes *body = body_new(bytes);

	put_u32(body, interface);
	put_u32(body, (uint32_t)(units >> 32));
	put_u32(body, (uint32_t)units);
	put_u32(body, sizeof(frame));
	put_u32(body, sizeof(frame) + 40);
	put(body, frame, sizeof(frame));
	put(body, "\0\0", 3);
	put_u16(body, 1); /* a comment behind the packet */
	put_u16(body, 2);
	put(body, "hi\0", 4);
	put_u32(body, 0);
	put_block(bytes, 6, body);
}

static void put_simple(struct bytes *bytes)
{
	AUTO_FREE struct bytes *body = body_new(bytes);

	put_u32(body, sizeof(frame));
	put(body, frame, sizeof(frame));
	put_block(bytes, 3, body);
}

static void put_unknown(struct bytes *bytes)
{
	AUTO_FREE struct bytes *body = body_new(bytes);

	put(body, "whatever this block may say", 27);
	put_block(bytes, 0x0bad, body);
}

struct reading {
	int packets, error;
	struct replay_packet last;
	struct problem problem;
};

static struct reading read_all(const uint8_t *data, size_t size)
{
	struct reading reading = {0};
	struct replay_reader *reader = NULL;
	/* fmemopen refuses a size of 0 in some libraries, and the reader wants a stream to own. */
	FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "r");

	assert_non_null(file);
	reading.error = replay_reader_stream(file, "x.pcap", &reader, &reading.problem);
	if (reading.error) {
		fclose(file);
		return reading;
	}
	while ((reading.error = replay_reader_next(reader, &reading.last, &reading.problem)) == 1) {
		assert_int_equal(reading.last.size, sizeof(frame));
		assert_memory_equal(reading.last.data, frame, sizeof(frame));
		reading.packets++;
	}
	replay_reader_close(reader);
	return reading;
}

static void reader_pcap_of_either_order_and_unit_gives_packets_and_times(void **state)
{
	static const struct {
		uint32_t magic, fraction;
	} formats[] = {{0xa1b2c3d4, 123456}, {0xa1b23c4d, 123456000}};

	(void)state;
	for (int i = 0; i < 4; i++) {
		AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
		struct reading reading;

		bytes->big = i & 1;
		put_pcap_header(bytes, formats[i / 2].magic, 1);
		put_pcap_packet(bytes, 1, 0);
		put_pcap_packet(bytes, 1700000000, formats[i / 2].fraction);
		reading = read_all(bytes->data, bytes->size);
		assert_int_equal(reading.error, 0);
		assert_int_equal(reading.packets, 2);
		assert_int_equal(reading.last.original_size, sizeof(frame) + 40);
		assert_true(reading.last.time_ns == 1700000000123456000ull);
	}
}

static void reader_pcapng_of_either_order_gives_packets_and_skips_the_rest(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
		struct reading reading;

		bytes->big = i;
		put_section(bytes);
		put_interface(bytes, 1, -1, 0, 65535);
		put_unknown(bytes);
		put_enhanced(bytes, 0, 1700000000123456ull);
		put_simple(bytes);
		put_enhanced(bytes, 0, 1700000000123456ull);
		reading = read_all(bytes->data, bytes->size);
		assert_string_equal(reading.problem.text, "");
		assert_int_equal(reading.error, 0);
		assert_int_equal(reading.packets, 3);
		assert_true(reading.last.time_ns == 1700000000123456000ull);
	}
}

static void reader_pcapng_of_two_sections_takes_each_in_its_own_order(void **state)
{
	AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
	struct reading reading;

	(void)state;
	put_section(bytes);
	put_interface(bytes, 1, -1, 0, 0);
	put_enhanced(bytes, 0, 1);
	bytes->big = true;
	put_section(bytes);
	put_interface(bytes, 1, 9, 0, 0);
	put_enhanced(bytes, 0, 77);
	reading = read_all(bytes->data, bytes->size);
	assert_int_equal(reading.error, 0);
	assert_int_equal(reading.packets, 2);
	assert_true(reading.last.time_ns == 77);
	put_section(bytes); /* a new section knows no interface */
	put_enhanced(bytes, 0, 77);
	reading = read_all(bytes->data, bytes->size);
	assert_int_equal(reading.error, -EBADMSG);
	assert_non_null(strstr(reading.problem.text, "interface 0 of a section that describes 0"));
}

static void reader_pcapng_resolution_is_honoured(void **state)
{
	static const struct {
		int resolution;
		int64_t offset_s;
		uint64_t units, ns;
	} rows[] = {
		{0, 0, 3, 3000000000ull},
		{3, 0, 3, 3000000},
		{9, 0, 3, 3},
		{12, 0, 3999, 3},
		{0x80 | 10, 0, 1024, 1000000000},
		{0x80 | 0, 0, 2, 2000000000},
		{6, 1700000000, 1, 1700000000000001000ull},
		{6, -5, 1, 0},			/* before 1970: the earliest time that there is */
		{0, 0, UINT64_MAX, UINT64_MAX}, /* beyond the year 2554: the latest */
		{127, 0, UINT64_MAX, 0},
		{0xff, 0, UINT64_MAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
		struct reading reading;

		put_section(bytes);
		put_interface(bytes, 1, rows[i].resolution, rows[i].offset_s, 0);
		put_enhanced(bytes, 0, rows[i].units);
		reading = read_all(bytes->data, bytes->size);
		assert_int_equal(reading.packets, 1);
		assert_true(reading.last.time_ns == rows[i].ns);
	}
}

static void reader_every_prefix_is_the_end_or_an_error(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));

		bytes->big = i & 1;
		if (i / 2) {
			put_section(bytes);
			put_interface(bytes, 1, 9, 0, 0);
			put_enhanced(bytes, 0, 1);
			put_simple(bytes);
		} else {
			put_pcap_header(bytes, 0xa1b2c3d4, 1);
			put_pcap_packet(bytes, 1, 0);
			put_pcap_packet(bytes, 2, 0);
		}
		for (size_t size = 0; size < bytes->size; size++) {
			struct reading reading = read_all(bytes->data, size);

			assert_true(reading.packets < 2);
			assert_true(reading.error == 0 || reading.error == -EBADMSG);
			assert_true(reading.error == 0 || strstr(reading.problem.text, "offset"));
		}
		assert_int_equal(read_all(bytes->data, bytes->size).packets, 2);
	}
}

static void reader_other_link_type_is_refused_by_name(void **state)
{
	AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
	struct reading reading;

	(void)state;
	put_pcap_header(bytes, 0xa1b2c3d4, 113);
	reading = read_all(bytes->data, bytes->size);
	assert_int_equal(reading.error, -EPROTONOSUPPORT);
	assert_non_null(strstr(reading.problem.text, "link type 113, LINUX_SLL"));
	bytes->size = 0;
	put_section(bytes);
	put_interface(bytes, 1, -1, 0, 0);
	put_interface(bytes, 101, -1, 0, 0);
	put_enhanced(bytes, 0, 1);
	put_enhanced(bytes, 1, 1);
	reading = read_all(bytes->data, bytes->size);
	assert_int_equal(reading.error, -EPROTONOSUPPORT);
	assert_int_equal(reading.packets, 1);
	assert_non_null(strstr(reading.problem.text, "packet 2"));
	assert_non_null(strstr(reading.problem.text, "link type 101, RAW"));
}

/* One number of an honest capture is replaced. */
static void reader_lying_number_is_an_error_with_its_place(void **state)
{
	static const struct {
		bool pcapng;
		size_t at;
		uint32_t value;
		const char *says;
	} rows[] = {
		{false, 0, 0x12345678, "neither pcap nor pcapng"},
		{false, 0, 0x00088b1f, "neither pcap nor pcapng"},
		{false, 4, 3, "pcap version 3"},
		{false, 24 + 4, 1000000, "fractions of a second"},
		{false, 24 + 8, 256 * 1024 + 1, "packet 1, offset 40: a length of 262145 bytes"},
		{false, 24 + 8, UINT32_MAX, "a length of 4294967295 bytes"},
		{false, 24 + 8, 102, "102 bytes captured of a packet of 101"},
		{false, 24 + 8, 101, "the file ends"},
		{true, 4, 24, "a block of 24 bytes"},
		{true, 4, 30, "a block of 30 bytes"},
		{true, 4, 0, "a block of 0 bytes"},
		{true, 4, UINT32_MAX, "a block of 4294967295 bytes"},
		{true, 4, 32, "begins with a length of 32 ends with 1"},
		{true, 8, 0x99999999, "byte-order mark"},
		{true, 12, 2, "pcapng version 2.0"},
		{true, 28 + 4, 8, "a block of 8 bytes"},
		{true, 28 + 4, 0x7ffffffc, "a block of 2147483644 bytes"},
		{true, 28 + 4, 12, "too short for what it holds"},
		{true, 28 + 16, 0xffff0002, "leaves its block"},
		{true, 72 + 8, 1, "interface 1 of a section that describes 1"},
		{true, 72 + 20, 96, "too short for what it holds"},
		{true, 72 + 20, 256 * 1024 + 1, "a length of 262145 bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
		struct reading reading;

		if (rows[i].pcapng) {
			put_section(bytes);
			put_interface(bytes, 1, 6, 0, 0);
			assert_int_equal(bytes->size, 28 + 44);
			put_enhanced(bytes, 0, 1);
		} else {
			put_pcap_header(bytes, 0xa1b2c3d4, 1);
			put_pcap_packet(bytes, 1, 0);
		}
		memcpy(bytes->data + rows[i].at, &rows[i].value, sizeof(rows[i].value));
		reading = read_all(bytes->data, bytes->size);
		if (!strstr(reading.problem.text, rows[i].says))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, reading.problem.text, rows[i].says);
		assert_int_equal(reading.error, -EBADMSG);
		assert_int_equal(reading.packets, 0);
	}
}

static void reader_after_damage_stays_failed(void **state)
{
	AUTO_FREE struct bytes *bytes = calloc(1, sizeof(*bytes));
	struct replay_reader *reader;
	struct replay_packet packet;
	struct problem problem;

	(void)state;
	put_pcap_header(bytes, 0xa1b2c3d4, 1);
	put_pcap_packet(bytes, 1, 2000000);
	put_pcap_packet(bytes, 1, 0);
	assert_int_equal(replay_reader_stream(fmemopen(bytes->data, bytes->size, "r"), "x", &reader, &problem), 0);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), -EBADMSG);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), -EBADMSG);
	replay_reader_close(reader);
}

static void reader_missing_file_is_named(void **state)
{
	struct replay_reader *reader;
	struct problem problem;

	(void)state;
	assert_int_equal(replay_reader_open("/nonexistent/x.pcap", &reader, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, "/nonexistent/x.pcap"));
}

static void writer_what_it_wrote_is_read_back(void **state)
{
	char path[] = "/tmp/weir-unit-replay-XXXXXX";
	static uint8_t large[256 * 1024 + 1];
	AUTO_CLOSE int fd = mkstemp(path);
	struct replay_writer *writer;
	struct replay_reader *reader;
	struct replay_packet packet;
	struct problem problem = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(replay_writer_open(path, &writer, &problem), 0);
	assert_int_equal(replay_writer_put(writer, frame, sizeof(frame), 1700000000123456789ull), 0);
	assert_int_equal(replay_writer_put(writer, large, sizeof(large), 1), -EMSGSIZE);
	assert_int_equal(replay_writer_put(writer, large, sizeof(large) - 1, 5), 0);
	assert_int_equal(replay_writer_close(writer), 0);
	assert_int_equal(replay_reader_open(path, &reader, &problem), 0);
	unlink(path);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), 1);
	assert_int_equal(packet.size, sizeof(frame));
	assert_int_equal(packet.original_size, sizeof(frame));
	assert_memory_equal(packet.data, frame, sizeof(frame));
	assert_true(packet.time_ns == 1700000000123456789ull);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), 1);
	assert_int_equal(packet.size, sizeof(large) - 1);
	assert_true(packet.time_ns == 5);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), 0);
	assert_int_equal(replay_reader_next(reader, &packet, &problem), 0);
	replay_reader_close(reader);
}

static void writer_full_disk_is_told(void **state)
{
	struct replay_writer *writer;
	struct problem problem;

	(void)state;
	assert_int_equal(replay_writer_open("/dev/full", &writer, &problem), 0);
	replay_writer_put(writer, frame, sizeof(frame), 0);
	assert_int_equal(replay_writer_close(writer), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_pcap_of_either_order_and_unit_gives_packets_and_times),
		cmocka_unit_test(reader_pcapng_of_either_order_gives_packets_and_skips_the_rest),
		cmocka_unit_test(reader_pcapng_of_two_sections_takes_each_in_its_own_order),
		cmocka_unit_test(reader_pcapng_resolution_is_honoured),
		cmocka_unit_test(reader_every_prefix_is_the_end_or_an_error),
		cmocka_unit_test(reader_other_link_type_is_refused_by_name),
		cmocka_unit_test(reader_lying_number_is_an_error_with_its_place),
		cmocka_unit_test(reader_after_damage_stays_failed),
		cmocka_unit_test(reader_missing_file_is_named),
		cmocka_unit_test(writer_what_it_wrote_is_read_back),
		cmocka_unit_test(writer_full_disk_is_told),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
