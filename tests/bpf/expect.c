/* SPDX-License-Identifier: BSD-2-Clause */
/* What outputs must be, byte for byte, built from the input alone. */
#include "harness.h"
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <string.h>

#define QUOTE_MAX  128
#define ANSWER_TTL 64

struct headers {
	size_t l3, ip_size, l4;
	bool ipv6;
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

/* Where the headers of a frame without IPv6 extension headers lie. */
static struct headers headers_of(const uint8_t *frame)
{
	struct headers headers = {.l3 = 14};

	while (get16(frame + headers.l3 - 2) == 0x8100 || get16(frame + headers.l3 - 2) == 0x88a8)
		headers.l3 += 4;
	headers.ipv6 = frame[headers.l3] >> 4 == 6;
	headers.ip_size = headers.ipv6 ? 40u + get16(frame + headers.l3 + 4) : get16(frame + headers.l3 + 2);
	headers.l4 = headers.l3 + (headers.ipv6 ? 40 : (frame[headers.l3] & 15) * 4u);
	return headers;
}

static void write_ip_checksum(uint8_t *ip)
{
	set16(ip + 10, 0);
	set16(ip + 10, (uint16_t)~packet_fold(packet_sum(0, ip, (ip[0] & 15) * 4u)));
}

/* Over addresses and pseudo-header too, but for ICMP over IPv4. */
static uint16_t transport_sum(const uint8_t *frame, const struct headers *headers)
{
	const uint8_t *ip = frame + headers->l3;
	size_t size = headers->ip_size - (headers->l4 - headers->l3);
	uint32_t sum = packet_sum(0, frame + headers->l4, size);

	if (headers->ipv6)
		sum = packet_sum(sum, ip + 8, 32) + ip[6] + (uint32_t)size;
	else if (ip[9] != IPPROTO_ICMP)
		sum = packet_sum(sum, ip + 12, 8) + ip[9] + (uint32_t)size;
	return packet_fold(sum);
}

static void get_backend(struct harness *harness, const struct weir_trace *trace, struct weir_backend *backend)
{
	AUTO_CLOSE int bank = kernel_bank_open(harness->kernel, KERNEL_MAP_backends, trace->used_generation & 1);

	assert_true(bank >= 0);
	assert_int_equal(kernel_map_get(bank, &trace->backend_id, backend), 0);
}

static size_t write_outer(const struct weir_backend *backend, const uint8_t *inner, size_t inner_size,
			  const uint8_t *got, uint8_t *out)
{
	bool ipv6 = inner[0] >> 4 == 6;
	uint8_t tos = ipv6 ? (uint8_t)(get16(inner) >> 4) : inner[1];

	if (backend->family == WEIR_IPV4) {
		bool whole = ipv6 || get16(inner + 6) & 0x4000;

		memset(out, 0, 20);
		out[0] = 0x45;
		out[1] = tos;
		set16(out + 2, (uint16_t)(inner_size + 20));
		if (whole)
			set16(out + 6, 0x4000);
		else
			memcpy(out + 4, got + 4, 2); /* the identification is random */
		out[8] = 64;
		out[9] = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
		memcpy(out + 12, &backend->source, 4);
		memcpy(out + 16, &backend->address, 4);
		write_ip_checksum(out);
		return 20;
	}
	memcpy(out, got, 4); /* the flow label is the flow's hash */
	out[0] = (uint8_t)(0x60 | tos >> 4);
	out[1] = (uint8_t)(tos << 4 | (got[1] & 15));
	set16(out + 4, (uint16_t)inner_size);
	out[6] = ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	out[7] = 64;
	memcpy(out + 8, &backend->source, 16);
	memcpy(out + 24, &backend->address, 16);
	return 40;
}

void expect_steered(struct harness *harness, const char *sentence, const uint8_t *frame, size_t size,
		    const struct harness_result *result)
{
	struct headers headers = headers_of(frame);
	uint8_t expected[OUTPUT_MAX], *inner;
	struct weir_backend backend;
	size_t at = 12;
	bool outer4;

	get_backend(harness, &result->trace, &backend);
	outer4 = backend.family == WEIR_IPV4;
	harness_backend_mac(&backend.address, backend.family, expected);
	memcpy(expected + 6, packet_edge_mac, 6);
	if (result->action == XDP_REDIRECT)
		expected[11] = 0x01; /* edge1 */
	if (result->trace.next_hop == 2)
		memcpy(expected, harness_assumed_macs, 12);
	if (result->action == XDP_TX) { /* tags are those of the interface that it came in by */
		memcpy(expected + at, frame + at, headers.l3 - 2 - at);
		at = headers.l3 - 2;
	}
	if (backend.forward == WEIR_FORWARD_L2)
		outer4 = !headers.ipv6;
	set16(expected + at, outer4 ? 0x0800 : 0x86dd);
	at += 2;
	if (backend.forward != WEIR_FORWARD_L2)
		at += write_outer(&backend, frame + headers.l3, headers.ip_size, result->data + at, expected + at);
	inner = expected + at;
	memcpy(inner, frame + headers.l3, size - headers.l3);
	inner[headers.ipv6 ? 7 : 8]--;
	if (!headers.ipv6)
		write_ip_checksum(inner);
	at += size - headers.l3;
	if (result->size != at || memcmp(result->data, expected, at)) {
		size_t differs = 0;

		while (differs < at && differs < result->size && result->data[differs] == expected[differs])
			differs++;
		fail_msg("%s: %zu bytes came out, %zu were wanted; they differ at %zu", sentence, result->size, at,
			 differs);
	}
}

/* Link and network addresses are those of the packet, swapped; tags stay. */
static void expect_reversed(const uint8_t *frame, const struct headers *in, const struct harness_result *result,
			    const struct headers *out)
{
	size_t address = in->ipv6 ? 16 : 4, at = in->ipv6 ? 8 : 12;
	const uint8_t *from = frame + in->l3 + at, *to = result->data + out->l3 + at;

	assert_memory_equal(result->data, frame + 6, 6);
	assert_memory_equal(result->data + 6, frame, 6);
	assert_int_equal(out->l3, in->l3);
	assert_memory_equal(result->data + 12, frame + 12, in->l3 - 12);
	assert_memory_equal(to, from + address, address);
	assert_memory_equal(to + address, from, address);
	assert_int_equal(result->data[out->l3 + (out->ipv6 ? 7 : 8)], ANSWER_TTL);
	if (!out->ipv6)
		assert_int_equal(packet_fold(packet_sum(0, result->data + out->l3, out->l4 - out->l3)), 0xffff);
	assert_int_equal(transport_sum(result->data, out), 0xffff);
}

void expect_echo(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result)
{
	struct headers in = headers_of(frame), out = headers_of(result->data);

	(void)row;
	assert_int_equal(result->size, size);
	expect_reversed(frame, &in, result, &out);
	assert_int_equal(result->data[out.l4], in.ipv6 ? 129 : 0);
	assert_memory_equal(result->data + out.l4 + 4, frame + in.l4 + 4, size - in.l4 - 4);
}

void expect_reset(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result)
{
	struct headers in = headers_of(frame), out = headers_of(result->data);
	const uint8_t *question = frame + in.l4, *answer = result->data + out.l4;
	uint8_t flags = question[13];
	uint32_t length = (uint32_t)(in.ip_size - (in.l4 - in.l3) - (question[12] >> 4) * 4u);

	(void)row;
	(void)size;
	expect_reversed(frame, &in, result, &out);
	assert_int_equal(result->size, out.l4 + 20);
	assert_int_equal(out.ip_size, out.l4 - out.l3 + 20);
	assert_memory_equal(answer, question + 2, 2);
	assert_memory_equal(answer + 2, question, 2);
	assert_int_equal(answer[12], 0x50);
	if (flags & ACK) {
		assert_int_equal(answer[13], RST);
		assert_int_equal(get32(answer + 4), get32(question + 8));
	} else {
		assert_int_equal(answer[13], RST | ACK);
		assert_int_equal(get32(answer + 4), 0);
		assert_int_equal(get32(answer + 8), get32(question + 4) + length + !!(flags & SYN) + !!(flags & FIN));
	}
}

static void expect_error(const uint8_t *frame, const struct harness_result *result, uint8_t type, uint8_t code,
			 uint32_t word)
{
	struct headers in = headers_of(frame), out = headers_of(result->data);
	size_t quote = in.ip_size > QUOTE_MAX ? QUOTE_MAX : in.ip_size & ~(size_t)3;
	const uint8_t *icmp = result->data + out.l4;

	expect_reversed(frame, &in, result, &out);
	assert_int_equal(result->data[out.l3 + (out.ipv6 ? 6 : 9)], out.ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	assert_int_equal(icmp[0], type);
	assert_int_equal(icmp[1], code);
	assert_int_equal(get32(icmp + 4), word);
	assert_int_equal(out.ip_size, out.l4 - out.l3 + 8 + quote);
	assert_int_equal(result->size, out.l3 + out.ip_size);
	assert_memory_equal(icmp + 8, frame + in.l3, quote);
}

void expect_unreachable(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result)
{
	(void)row;
	(void)size;
	if (headers_of(frame).ipv6)
		expect_error(frame, result, 1, 4, 0);
	else
		expect_error(frame, result, 3, 3, 0);
}

/* The MTU that is told leaves room for the outer header of 20 bytes on edge0 (1500) or edge1 (1400), or of 40. */
void expect_too_big(const struct row *row, const uint8_t *frame, size_t size, const struct harness_result *result)
{
	bool narrow = !strncmp(row->packet.destination, NARROW4, strlen(NARROW4)) ||
		      !strncmp(row->packet.destination, NARROW6, strlen(NARROW6));
	bool six = !strcmp(row->packet.destination, SIX4) || !strcmp(row->packet.destination, SIX6);
	uint32_t mtu = (narrow ? 1400 : 1500) - (six ? 40 : 20);

	(void)size;
	assert_int_equal(result->trace.mtu, mtu);
	if (headers_of(frame).ipv6)
		expect_error(frame, result, 2, 0, mtu);
	else
		expect_error(frame, result, 3, 4, mtu);
}
