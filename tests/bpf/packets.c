/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds frames from specs, from the inside out: transport, then IP, then Ethernet. */
#include "packets.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t packet_client_mac[6] = {0x02, 0, 0, 0, 0xcc, 0x01};
const uint8_t packet_edge_mac[6] = {0x02, 0, 0, 0, 0xee, 0x00};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define OTHER_BODY     46
#define NEXT_FRAGMENT  44
#define NEXT_AH	       51
#define OPTION_NOP     1

struct addr packet_addr(const char *text)
{
	struct addr addr = {0};

	if (addr_parse(text, &addr)) {
		fprintf(stderr, "\"%s\" is no address\n", text);
		abort();
	}
	return addr;
}

uint32_t packet_sum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

uint16_t packet_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint8_t protocol_of(const struct packet_spec *spec, uint8_t family)
{
	return spec->protocol == IPPROTO_ICMP && family == WEIR_IPV6 ? IPPROTO_ICMPV6 : spec->protocol;
}

static void fill(uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)('a' + i % 26);
}

static size_t build_ip(const struct packet_spec *spec, uint8_t *out);

static size_t build_icmp(const struct packet_spec *spec, uint8_t *out)
{
	size_t size = 8;

	out[0] = spec->icmp_type;
	out[1] = spec->icmp_code;
	put32(out + 4, spec->icmp_word);
	if (spec->quote) {
		size_t quoted = build_ip(spec->quote, out + size);

		size += spec->quote_size ? spec->quote_size : quoted;
	}
	return size;
}

static size_t build_tcp(const struct packet_spec *spec, uint8_t *out)
{
	put16(out, spec->sport);
	put16(out + 2, spec->dport);
	put32(out + 4, spec->sequence);
	put32(out + 8, spec->acknowledge);
	out[12] = (uint8_t)((5 + spec->lie_doff) << 4);
	out[13] = spec->flags ? spec->flags : ACK;
	put16(out + 14, 65535);
	return 20;
}

static void write_checksum(const struct packet_spec *spec, uint8_t protocol, uint8_t *out, size_t size)
{
	struct addr source = packet_addr(spec->source), destination = packet_addr(spec->destination);
	size_t length = source.family == WEIR_IPV4 ? 4 : 16;
	size_t at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
	uint32_t sum = 0;
	uint16_t checksum;

	if (protocol != IPPROTO_ICMP) {
		sum = packet_sum(sum, &source.bytes, length);
		sum = packet_sum(sum, &destination.bytes, length);
		sum += protocol + (uint32_t)size;
	}
	checksum = (uint16_t)~packet_fold(packet_sum(sum, out, size));
	if (protocol == IPPROTO_UDP && !checksum)
		checksum = 0xffff;
	put16(out + at, spec->bad_checksum ? checksum ^ 0x5555 : checksum);
}

/* Returns the size of the IP packet's payload. */
static size_t build_transport(const struct packet_spec *spec, uint8_t protocol, uint8_t *out)
{
	size_t size = 0;

	if (spec->offset) {
		put16(out, spec->sport);
		put16(out + 2, spec->dport);
		fill(out + 4, spec->payload);
		return 4 + spec->payload;
	}
	if (protocol == IPPROTO_TCP)
		size = build_tcp(spec, out);
	else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		size = build_icmp(spec, out);
	else if (protocol == IPPROTO_UDP)
		size = 8;
	fill(out + size, spec->payload);
	size += spec->payload;
	if (protocol == IPPROTO_UDP) {
		put16(out, spec->sport);
		put16(out + 2, spec->dport);
		put16(out + 4, (uint16_t)((int)size + spec->lie_udp_length));
	}
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP ||
	    protocol == IPPROTO_ICMPV6)
		write_checksum(spec, protocol, out, size);
	return spec->keep && spec->keep < size ? spec->keep : size;
}

static size_t build_ipv4(const struct packet_spec *spec, uint8_t *out)
{
	struct addr source = packet_addr(spec->source), destination = packet_addr(spec->destination);
	size_t header = 20 + 4u * spec->options;
	size_t size = header + build_transport(spec, spec->protocol, out + header);
	uint16_t fragment = spec->offset / 8;

	if (spec->more_fragments)
		fragment |= 0x2000;
	if (spec->dont_fragment)
		fragment |= 0x4000;
	out[0] = (uint8_t)((4 + spec->lie_version) << 4 | (int)(header / 4 + (size_t)spec->lie_ihl));
	out[1] = spec->tos;
	put16(out + 2, (uint16_t)((int)size + spec->lie_length));
	put16(out + 4, 0x1234);
	put16(out + 6, fragment);
	out[8] = spec->ttl ? spec->ttl : 64;
	out[9] = spec->protocol;
	memcpy(out + 12, &source.bytes, 4);
	memcpy(out + 16, &destination.bytes, 4);
	memset(out + 20, OPTION_NOP, header - 20);
	put16(out + 10, (uint16_t)~packet_fold(packet_sum(0, out, header)));
	return size;
}

static uint8_t extension_number(char letter)
{
	switch (letter) {
	case 'h':
		return IPPROTO_HOPOPTS;
	case 'd':
		return IPPROTO_DSTOPTS;
	case 'r':
	case '0':
		return IPPROTO_ROUTING;
	case 'a':
		return NEXT_AH;
	case 'f':
	case 'F':
		return NEXT_FRAGMENT;
	default:
		abort();
	}
}

static size_t build_extension(const struct packet_spec *spec, char letter, uint8_t next, uint8_t *out)
{
	size_t size = letter == 'a' ? 24 : letter == 'r' || letter == '0' ? 24 : 8;

	out[0] = next;
	switch (letter) {
	case 'h':
	case 'd':
		out[2] = 1; /* PadN over the other four bytes */
		out[3] = 4;
		break;
	case 'r':
	case '0':
		out[1] = (uint8_t)(2 + spec->lie_extension);
		out[2] = letter == 'r' ? 2 : 0;
		return size;
	case 'a':
		out[1] = (uint8_t)(4 + spec->lie_extension); /* in words, less two (RFC 4302, 2.2) */
		return size;
	case 'F':
		put16(out + 2, (uint16_t)((spec->offset & 0xfff8) | spec->more_fragments));
		return size;
	default:
		return size;
	}
	out[1] = (uint8_t)spec->lie_extension;
	return size;
}

static size_t build_ipv6(const struct packet_spec *spec, uint8_t *out)
{
	struct addr source = packet_addr(spec->source), destination = packet_addr(spec->destination);
	const char *extensions = spec->extensions ? spec->extensions : "";
	uint8_t protocol = protocol_of(spec, WEIR_IPV6);
	size_t size = 40;

	for (const char *at = extensions; *at; at++)
		size += build_extension(spec, *at, at[1] ? extension_number(at[1]) : protocol, out + size);
	size += build_transport(spec, protocol, out + size);
	put32(out, (uint32_t)(6 + spec->lie_version) << 28 | (uint32_t)spec->tos << 20 | 0x54321);
	put16(out + 4, (uint16_t)((int)size - 40 + spec->lie_length));
	out[6] = *extensions ? extension_number(*extensions) : protocol;
	out[7] = spec->ttl ? spec->ttl : 64;
	memcpy(out + 8, &source.bytes, 16);
	memcpy(out + 24, &destination.bytes, 16);
	return size;
}

static size_t build_ip(const struct packet_spec *spec, uint8_t *out)
{
	return packet_addr(spec->source).family == WEIR_IPV4 ? build_ipv4(spec, out) : build_ipv6(spec, out);
}

size_t packet_build(const struct packet_spec *spec, uint8_t *out)
{
	uint8_t work[2 * PACKET_MAX] = {0};
	uint16_t ethertype = spec->ethertype;
	size_t size = 12;

	memcpy(work, packet_edge_mac, 6);
	memcpy(work + 6, packet_client_mac, 6);
	for (uint8_t i = 0; i < spec->tags; i++) {
		put16(work + size, spec->tpid[i] ? spec->tpid[i] : ETHERTYPE_VLAN);
		put16(work + size + 2, spec->tci[i]);
		size += 4;
	}
	if (!ethertype)
		ethertype = packet_addr(spec->source).family == WEIR_IPV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	put16(work + size, ethertype);
	size += 2;
	size += spec->ethertype ? OTHER_BODY : build_ip(spec, work + size);
	size += spec->padding;
	if (size - spec->cut > PACKET_MAX || spec->cut > size)
		abort();
	memcpy(out, work, size - spec->cut);
	return size - spec->cut;
}
