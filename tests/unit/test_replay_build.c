/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets from words: checksums that add up, and words that make no packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/scope.h"
#include "user/replay/replay.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t sum(const uint8_t *data, size_t size)
{
	uint32_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

static void builder_checksums_add_up(void **state)
{
	static const struct {
		const char *source, *destination;
		uint8_t protocol;
		uint16_t length;
		int vlan;
		size_t size;
	} rows[] = {
		{"198.51.100.7", "203.0.113.10", IPPROTO_TCP, 0, -1, 54},
		{"198.51.100.7", "203.0.113.10", IPPROTO_TCP, 61, 100, 79},
		{"198.51.100.7", "203.0.113.10", IPPROTO_UDP, 0, -1, 42},
		{"198.51.100.7", "203.0.113.10", IPPROTO_UDP, 1500, -1, 1514},
		{"198.51.100.7", "203.0.113.10", IPPROTO_ICMP, 0, -1, 42},
		{"198.51.100.7", "203.0.113.10", IPPROTO_GRE, 0, 0, 38},
		{"2001:db8::7", "2001:db8::10", IPPROTO_TCP, 0, -1, 74},
		{"2001:db8::7", "2001:db8::10", IPPROTO_TCP, 71, 4094, 89},
		{"2001:db8::7", "2001:db8::10", IPPROTO_UDP, 1280, -1, 1294},
		{"2001:db8::7", "2001:db8::10", IPPROTO_ICMP, 0, -1, 62},
		{"2001:db8::7", "2001:db8::10", IPPROTO_ICMPV6, 48, -1, 62},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct replay_words words = {.protocol = rows[i].protocol,
					     .sport = 40000,
					     .dport = 443,
					     .length = rows[i].length,
					     .vlan = rows[i].vlan,
					     .icmp_type = 128};
		size_t link = rows[i].vlan >= 0 ? 18 : 14, head, addresses;
		struct problem problem = {0};
		uint8_t out[2048];
		const uint8_t *ip = out + link;
		uint32_t total;

		assert_int_equal(addr_parse(rows[i].source, &words.source), 0);
		assert_int_equal(addr_parse(rows[i].destination, &words.destination), 0);
		assert_int_equal(replay_build_packet(&words, out, sizeof(out), &problem), rows[i].size);
		head = ip[0] >> 4 == 4 ? 20 : 40;
		addresses = head == 20 ? 12 : 8;
		if (head == 20)
			assert_int_equal(fold(sum(ip, head)), 0xffff);
		if (rows[i].protocol == IPPROTO_GRE)
			continue;
		total = sum(ip + head, rows[i].size - link - head);
		if (ip[9] != IPPROTO_ICMP || head == 40)
			total += sum(ip + addresses, head - addresses) + (head == 20 ? ip[9] : ip[6]) +
				 (uint32_t)(rows[i].size - link - head);
		assert_int_equal(fold(total), 0xffff);
	}
}

static void builder_impossible_words_are_refused(void **state)
{
	struct addr v4, v6;
	uint8_t out[128];
	struct problem problem;

	(void)state;
	addr_parse("198.51.100.7", &v4);
	addr_parse("2001:db8::7", &v6);
	const struct {
		struct replay_words words;
		const char *says;
	} rows[] = {
		{{.source = v4, .destination = v6, .protocol = 47, .vlan = -1}, "different IP versions"},
		{{.source = v4, .protocol = 47, .vlan = -1}, "needs a source and a destination address"},
		{{.source = v4, .destination = v4, .protocol = IPPROTO_TCP, .dport = 80, .vlan = -1},
		 "TCP packet needs"},
		{{.source = v4, .destination = v4, .protocol = IPPROTO_UDP, .sport = 80, .vlan = -1},
		 "UDP packet needs"},
		{{.source = v4, .destination = v4, .protocol = 47, .vlan = 4095}, "no VLAN 4095"},
		{{.source = v4, .destination = v4, .protocol = 47, .vlan = -1, .length = 19},
		 "cannot hold its headers"},
		{{.source = v4, .destination = v4, .protocol = 47, .vlan = -1, .length = 115}, "at most 114 fit"},
		{{.source = v4, .destination = v4, .protocol = IPPROTO_ICMPV6, .vlan = -1}, "ICMPv6"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(replay_build_packet(&rows[i].words, out, sizeof(out), &problem), -EINVAL);
		if (!strstr(problem.text, rows[i].says))
			fail_msg("row %zu: \"%s\" lacks \"%s\"", i, problem.text, rows[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builder_checksums_add_up),
		cmocka_unit_test(builder_impossible_words_are_refused),
	};

	return cmocka_run_group_tests_name("replay build", tests, NULL, NULL);
}
