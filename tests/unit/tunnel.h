/* SPDX-License-Identifier: BSD-2-Clause */
/* Tunnel packets built byte by byte for the tests of the cache host's program. Included after cmocka.h. */
#ifndef WEIR_TEST_TUNNEL_H
#define WEIR_TEST_TUNNEL_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdint.h>
#include <string.h>

#define VIP4	 "198.51.100.10"
#define VIP6	 "2001:db8::10"
#define CLIENT4	 "203.0.113.7"
#define CLIENT6	 "2001:db8:7::7"
#define EDGE4	 "10.0.0.1"
#define EDGE6	 "fd00::1"
#define HOST4	 "10.0.0.11"
#define HOST6	 "fd00::11"
#define STRANGER "192.0.2.99"

struct bytes {
	uint8_t data[600];
	size_t size;
};

static inline void append(struct bytes *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof(b->data));
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

static inline void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline unsigned int ones_sum(const uint8_t *data, size_t size)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static inline void fix_checksum(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, ~ones_sum(ip, (ip[0] & 15) * 4) & 0xffff);
}

struct ip {
	const char *source, *destination;
	unsigned int protocol, tos;
	unsigned int options;  /* IPv4: bytes of NOPs; IPv6: bytes of destination options */
	unsigned int fragment; /* IPv4: the field; IPv6: 1 puts a fragment header in */
};

static inline struct bytes ipv4(struct ip spec, struct bytes payload)
{
	uint8_t header[60] = {0x45, spec.tos, 0, 0, 0x12, 0x34, 0, 0, 61, spec.protocol};
	struct bytes packet = {};

	header[0] += spec.options / 4;
	put16(header + 2, 20 + spec.options + payload.size);
	put16(header + 6, spec.fragment);
	inet_pton(AF_INET, spec.source, header + 12);
	inet_pton(AF_INET, spec.destination, header + 16);
	memset(header + 20, 1, spec.options);
	fix_checksum(header);
	append(&packet, header, 20 + spec.options);
	append(&packet, payload.data, payload.size);
	return packet;
}

static inline struct bytes ipv6(struct ip spec, struct bytes payload)
{
	uint8_t header[40] = {0x60 | spec.tos >> 4, (spec.tos & 15) << 4 | 0x0a, 0xbc, 0xde, 0, 0, spec.protocol, 61};
	uint8_t options[256] = {spec.protocol, 0, 1, 4};
	uint8_t fragment[8] = {spec.protocol, 0, 0, 1};
	struct bytes packet = {};

	put16(header + 4, payload.size + spec.options + (spec.fragment ? sizeof(fragment) : 0));
	inet_pton(AF_INET6, spec.source, header + 8);
	inet_pton(AF_INET6, spec.destination, header + 24);
	if (spec.options) {
		header[6] = IPPROTO_DSTOPTS;
		options[1] = spec.options / 8 - 1;
	} else if (spec.fragment) {
		header[6] = IPPROTO_FRAGMENT;
	}
	append(&packet, header, sizeof(header));
	append(&packet, options, spec.options);
	if (spec.fragment)
		append(&packet, fragment, sizeof(fragment));
	append(&packet, payload.data, payload.size);
	return packet;
}

static inline struct bytes ethernet(unsigned int tags, unsigned int type, struct bytes payload)
{
	uint8_t header[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct bytes frame = {};

	append(&frame, header, 12);
	for (unsigned int i = 0; i < tags; i++) {
		uint8_t tag[4] = {0x81, 0x00, 0x20, 100 + i};

		if (i + 1 < tags)
			put16(tag, ETH_P_8021AD);
		append(&frame, tag, sizeof(tag));
	}
	put16(header, type);
	append(&frame, header, 2);
	append(&frame, payload.data, payload.size);
	return frame;
}

static inline struct bytes udp(void)
{
	struct bytes datagram = {};

	append(&datagram,
	       "\x30\x39\x00\x50\x00\x10\x00\x00"
	       "weirweir",
	       16);
	return datagram;
}

static inline struct bytes inner(int family, unsigned int tos)
{
	if (family == 4)
		return ipv4((struct ip){CLIENT4, VIP4, IPPROTO_UDP, tos, 0, 0}, udp());
	return ipv6((struct ip){CLIENT6, VIP6, IPPROTO_UDP, tos, 0, 0}, udp());
}

static inline unsigned int type_of(int family)
{
	return family == 4 ? ETH_P_IP : ETH_P_IPV6;
}

static inline unsigned int protocol_of(int family)
{
	return family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
}

static inline struct bytes outer(int family, struct ip spec, struct bytes payload)
{
	spec.source = spec.source ?: family == 4 ? EDGE4 : EDGE6;
	spec.destination = family == 4 ? HOST4 : HOST6;
	return family == 4 ? ipv4(spec, payload) : ipv6(spec, payload);
}

static inline struct bytes tunnel(int outer_family, int inner_family, unsigned int tags)
{
	const struct ip spec = {.protocol = protocol_of(inner_family)};

	return ethernet(tags, type_of(outer_family), outer(outer_family, spec, inner(inner_family, 0)));
}

#endif
