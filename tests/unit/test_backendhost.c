/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets through the cache host's program by BPF_PROG_TEST_RUN: what comes off, what is left alone, what is dropped.
 */
#include <backend.skel.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <maps/backend_host.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "tunnel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- the program ------------------------------------------------------------------------------------------ */

static struct weir_addr address_of(const char *text, __u32 *family)
{
	struct weir_addr address = {};

	*family = strchr(text, ':') ? WEIR_IPV6 : WEIR_IPV4;
	assert_int_equal(inet_pton(*family == WEIR_IPV6 ? AF_INET6 : AF_INET, text, &address), 1);
	return address;
}

static void add_vip(struct backend_bpf *program, const char *text)
{
	struct weir_vip_key key = {};
	const __u32 present = 1;

	key.address = address_of(text, &key.family);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(program->maps.host_vips), &key, &present, BPF_ANY), 0);
}

static void check_edges(struct backend_bpf *program, bool on)
{
	const struct weir_host_settings settings = {.check_edges = on};
	const __u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(program->maps.host_settings), &zero, &settings, BPF_ANY), 0);
}

static void add_edge(struct backend_bpf *program, const char *text, unsigned int length)
{
	struct weir_host_edge_key key = {.length = WEIR_HOST_FAMILY_BITS + length};
	const __u32 present = 1;
	__u32 family;

	key.address = address_of(text, &family);
	key.family = htonl(family);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(program->maps.host_edges), &key, &present, BPF_ANY), 0);
}

static int load(void **state)
{
	struct backend_bpf *program = backend_bpf__open_and_load();

	if (!program)
		return -1;
	add_vip(program, VIP4);
	add_vip(program, VIP6);
	*state = program;
	return 0;
}

static int unload(void **state)
{
	backend_bpf__destroy(*state);
	return 0;
}

static struct weir_count count_of(struct backend_bpf *program, __u32 outcome)
{
	struct weir_count each[256], sum = {};

	assert_true(libbpf_num_possible_cpus() <= (int)COUNT(each));
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(program->maps.host_count), &outcome, each), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		sum.packets += each[i].packets;
		sum.bytes += each[i].bytes;
	}
	return sum;
}

static unsigned int run(struct backend_bpf *program, const struct bytes *in, struct bytes *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in->data, .data_size_in = in->size, .data_out = out->data,
		    .data_size_out = sizeof(out->data));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program->progs.weir_backend), &options), 0);
	out->size = options.data_size_out;
	return options.retval;
}

static void expect(struct backend_bpf *program, const char *sentence, struct bytes in, enum weir_host_outcome outcome,
		   unsigned int action, struct bytes want)
{
	const struct weir_count before = count_of(program, outcome);
	struct bytes out = {};
	const unsigned int got = run(program, &in, &out);
	const struct weir_count after = count_of(program, outcome);

	if (got != action || after.packets != before.packets + 1 || after.bytes != before.bytes + in.size)
		fail_msg("%s: action %u, not %u; %llu packets and %llu bytes more", sentence, got, action,
			 after.packets - before.packets, after.bytes - before.bytes);
	if (action == XDP_PASS && (out.size != want.size || memcmp(out.data, want.data, want.size) != 0))
		fail_msg("%s: %zu bytes came out, not the %zu that should have", sentence, out.size, want.size);
}

static void expect_untouched(struct backend_bpf *program, const char *sentence, struct bytes in,
			     enum weir_host_outcome outcome)
{
	expect(program, sentence, in, outcome, XDP_PASS, in);
}

static void expect_drop(struct backend_bpf *program, const char *sentence, struct bytes in,
			enum weir_host_outcome outcome)
{
	expect(program, sentence, in, outcome, XDP_DROP, in);
}

static void expect_stripped(struct backend_bpf *program, const char *sentence, struct bytes in, int inner_family,
			    struct bytes want)
{
	expect(program, sentence, in, inner_family == 4 ? WEIR_HOST_DECAPSULATED4 : WEIR_HOST_DECAPSULATED6, XDP_PASS,
	       want);
}

static const int families[] = {4, 6};

#define FOR_EACH_TUNNEL(o, i)                                                                                          \
	for (const int *o = families; o < families + COUNT(families); o++)                                             \
		for (const int *i = families; i < families + COUNT(families); i++)

/* --- tests ------------------------------------------------------------------------------------------------ */

static void decap_every_pair_of_families_and_tags_leaves_the_inner_packet(void **state)
{
	FOR_EACH_TUNNEL(o, i)
	{
		for (unsigned int tags = 0; tags <= 2; tags++) {
			char sentence[64];

			snprintf(sentence, sizeof(sentence), "IPv%d in IPv%d, %u tags", *i, *o, tags);
			expect_stripped(*state, sentence, tunnel(*o, *i, tags), *i,
					ethernet(tags, type_of(*i), inner(*i, 0)));
		}
	}
}

static void decap_outer_options_come_off_too(void **state)
{
	static const unsigned int sizes[] = {8, 24, 40};

	FOR_EACH_TUNNEL(o, i)
	{
		for (size_t n = 0; n < COUNT(sizes); n++) {
			const struct ip spec = {.protocol = protocol_of(*i), .options = sizes[n]};

			expect_stripped(*state, "outer options",
					ethernet(1, type_of(*o), outer(*o, spec, inner(*i, 0))), *i,
					ethernet(1, type_of(*i), inner(*i, 0)));
		}
	}
}

static void decap_inner_options_stay(void **state)
{
	struct bytes packet = ipv4((struct ip){CLIENT4, VIP4, IPPROTO_UDP, 0, 40, 0}, udp());
	const struct ip spec = {.protocol = IPPROTO_IPIP};

	expect_stripped(*state, "inner options", ethernet(0, ETH_P_IP, outer(4, spec, packet)), 4,
			ethernet(0, ETH_P_IP, packet));
}

static void decap_ethernet_padding_stays_behind_the_inner_packet(void **state)
{
	struct bytes in = tunnel(4, 4, 0), want = ethernet(0, ETH_P_IP, inner(4, 0));

	append(&in, "\0\0\0\0\0\0", 6);
	append(&want, "\0\0\0\0\0\0", 6);
	expect_stripped(*state, "padding", in, 4, want);
}

static void decap_inner_fragment_is_passed_up(void **state)
{
	struct bytes packet = ipv4((struct ip){CLIENT4, VIP4, IPPROTO_UDP, 0, 0, 0x2003}, udp());
	const struct ip spec = {.protocol = IPPROTO_IPIP};

	expect_stripped(*state, "inner fragment", ethernet(0, ETH_P_IPV6, outer(6, spec, packet)), 4,
			ethernet(0, ETH_P_IP, packet));
}

static void decap_other_traffic_is_left_alone(void **state)
{
	struct bytes arp = {};

	append(&arp, "\0\1\x08\0\6\4\0\1", 8);
	expect_untouched(*state, "ARP", ethernet(0, ETH_P_ARP, arp), WEIR_HOST_OTHER);
	expect_untouched(*state, "bare IPv4 to the VIP", ethernet(0, ETH_P_IP, inner(4, 0)), WEIR_HOST_OTHER);
	expect_untouched(*state, "bare IPv6 to the VIP", ethernet(1, ETH_P_IPV6, inner(6, 0)), WEIR_HOST_OTHER);
	expect_untouched(*state, "three tags", tunnel(4, 4, 3), WEIR_HOST_OTHER);
}

static void decap_inner_destination_that_is_no_vip_is_left_alone(void **state)
{
	FOR_EACH_TUNNEL(o, i)
	{
		const struct ip spec = {.protocol = protocol_of(*i)};
		struct bytes packet = *i == 4 ? ipv4((struct ip){CLIENT4, HOST4, IPPROTO_UDP, 0, 0, 0}, udp())
					      : ipv6((struct ip){CLIENT6, HOST6, IPPROTO_UDP, 0, 0, 0}, udp());

		expect_untouched(*state, "no VIP", ethernet(0, type_of(*o), outer(*o, spec, packet)),
				 WEIR_HOST_FOREIGN_INNER);
	}
}

static void decap_fragments_of_the_tunnel_are_left_to_the_kernel(void **state)
{
	static const struct {
		int family;
		unsigned int field;
	} rows[] = {{4, 0x2000}, {4, 0x2010}, {4, 0x0010}, {6, 1}};

	for (size_t n = 0; n < COUNT(rows); n++) {
		const struct ip spec = {.protocol = IPPROTO_IPIP, .fragment = rows[n].field};

		expect_untouched(*state, "fragment",
				 ethernet(0, type_of(rows[n].family), outer(rows[n].family, spec, inner(4, 0))),
				 WEIR_HOST_FRAGMENT);
	}
}

static void decap_do_not_fragment_bit_is_no_fragment(void **state)
{
	const struct ip spec = {.protocol = IPPROTO_IPIP, .fragment = 0x4000};

	expect_stripped(*state, "DF", ethernet(0, ETH_P_IP, outer(4, spec, inner(4, 0))), 4,
			ethernet(0, ETH_P_IP, inner(4, 0)));
}

static void decap_long_outer_chain_is_left_to_the_kernel(void **state)
{
	for (unsigned int headers = 1; headers <= 8; headers++) {
		struct bytes chain = {};
		struct ip spec = {.protocol = IPPROTO_HOPOPTS};
		struct bytes frame, bare = inner(6, 0);

		for (unsigned int n = 1; n <= headers; n++) {
			uint8_t header[8] = {n == headers ? IPPROTO_IPV6 : IPPROTO_DSTOPTS, 0, 1, 4};

			append(&chain, header, sizeof(header));
		}
		append(&chain, bare.data, bare.size);
		frame = ethernet(0, ETH_P_IPV6, outer(6, spec, chain));
		if (headers <= WEIR_MAX_IPV6_EXTENSIONS)
			expect_stripped(*state, "chain", frame, 6, ethernet(0, ETH_P_IPV6, inner(6, 0)));
		else
			expect_untouched(*state, "long chain", frame, WEIR_HOST_IPV6_CHAIN);
	}
}

static void decap_outer_routing_header_is_left_to_the_kernel(void **state)
{
	struct bytes chain = {}, bare = inner(6, 0);

	append(&chain, "\x29\0\0\1\0\0\0\0", 8);
	append(&chain, bare.data, bare.size);
	expect_untouched(*state, "routing header",
			 ethernet(0, ETH_P_IPV6, outer(6, (struct ip){.protocol = IPPROTO_ROUTING}, chain)),
			 WEIR_HOST_IPV6_CHAIN);
}

static void decap_lying_headers_are_dropped(void **state)
{
	static const struct {
		const char *sentence;
		int outer, inner;
		size_t offset;
		uint8_t value;
		bool fix; /* the outer checksum */
	} rows[] = {
		{"outer total length beyond the frame", 4, 4, 14 + 2, 4, true},
		{"outer total length below its header", 4, 4, 14 + 3, 19, true},
		{"outer checksum wrong", 4, 4, 14 + 10, 0xee, false},
		{"outer header length beyond the total length", 4, 6, 14 + 3, 30, true},
		{"outer payload length beyond the frame", 6, 4, 14 + 4, 4, false},
		{"outer payload too short for the inner header", 6, 4, 14 + 5, 19, false},
		{"inner version", 4, 4, 34, 0x65, false},
		{"inner header length below 20", 4, 4, 34, 0x44, false},
		{"inner header length beyond its total length", 4, 4, 34 + 3, 19, false},
		{"inner total length beyond the outer payload", 4, 4, 34 + 2, 1, false},
		{"inner IPv6 version", 4, 6, 34, 0x40, false},
		{"inner payload length beyond the outer payload", 4, 6, 34 + 4, 1, false},
		{"inner payload length beyond by one", 6, 6, 54 + 5, 17, false},
	};

	for (size_t n = 0; n < COUNT(rows); n++) {
		struct bytes frame = tunnel(rows[n].outer, rows[n].inner, 0);

		frame.data[rows[n].offset] = rows[n].value;
		if (rows[n].fix)
			fix_checksum(frame.data + 14);
		expect_drop(*state, rows[n].sentence, frame, WEIR_HOST_MALFORMED);
	}
}

static void decap_edges_given_strangers_are_dropped(void **state)
{
	struct backend_bpf *program = *state;
	const struct ip stranger = {.source = STRANGER, .protocol = IPPROTO_IPIP};
	const struct ip near = {.source = "10.0.1.1", .protocol = IPPROTO_IPV6};
	const struct ip six = {.source = "fd00:0:0:1::1", .protocol = IPPROTO_IPIP};
	struct bytes elsewhere = ipv4((struct ip){CLIENT4, HOST4, IPPROTO_UDP, 0, 0, 0}, udp());

	expect_stripped(program, "no edges given", ethernet(0, ETH_P_IP, outer(4, stranger, inner(4, 0))), 4,
			ethernet(0, ETH_P_IP, inner(4, 0)));
	add_edge(program, "10.0.0.0", 24);
	add_edge(program, "fd00::", 64);
	check_edges(program, true);
	FOR_EACH_TUNNEL(o, i)
	expect_stripped(program, "an edge", tunnel(*o, *i, 0), *i, ethernet(0, type_of(*i), inner(*i, 0)));
	expect_drop(program, "a stranger", ethernet(0, ETH_P_IP, outer(4, stranger, inner(4, 0))),
		    WEIR_HOST_FOREIGN_EDGE);
	expect_drop(program, "next to the prefix", ethernet(0, ETH_P_IP, outer(4, near, inner(6, 0))),
		    WEIR_HOST_FOREIGN_EDGE);
	expect_drop(program, "next to the IPv6 prefix", ethernet(0, ETH_P_IPV6, outer(6, six, inner(4, 0))),
		    WEIR_HOST_FOREIGN_EDGE);
	expect_untouched(program, "a stranger's tunnel for no VIP",
			 ethernet(0, ETH_P_IP, outer(4, stranger, elsewhere)), WEIR_HOST_FOREIGN_INNER);
	check_edges(program, false);
}

/* RFC 6040, figure 4: rows the inner field, columns the outer one; -1 drops. */
static void decap_ecn_is_merged_as_rfc_6040_says(void **state)
{
	enum { NOT_ECT, ECT1, ECT0, CE };
	static const int merged[4][4] = {
		[NOT_ECT] = {[NOT_ECT] = NOT_ECT, [ECT0] = NOT_ECT, [ECT1] = NOT_ECT, [CE] = -1},
		[ECT0] = {[NOT_ECT] = ECT0, [ECT0] = ECT0, [ECT1] = ECT1, [CE] = CE},
		[ECT1] = {[NOT_ECT] = ECT1, [ECT0] = ECT1, [ECT1] = ECT1, [CE] = CE},
		[CE] = {[NOT_ECT] = CE, [ECT0] = CE, [ECT1] = CE, [CE] = CE},
	};

	FOR_EACH_TUNNEL(o, i)
	{
		for (unsigned int n = 0; n < 16; n++) {
			const unsigned int in = n / 4, out = n % 4, dscp = 0xb8;
			const struct ip spec = {.protocol = protocol_of(*i), .tos = out};
			struct bytes frame = ethernet(0, type_of(*o), outer(*o, spec, inner(*i, dscp | in)));
			char sentence[64];

			snprintf(sentence, sizeof(sentence), "IPv%d in IPv%d, inner %u, outer %u", *i, *o, in, out);
			if (merged[in][out] < 0)
				expect_drop(*state, sentence, frame, WEIR_HOST_ECN);
			else
				expect_stripped(*state, sentence, frame, *i,
						ethernet(0, type_of(*i), inner(*i, dscp | merged[in][out])));
		}
	}
}

static void decap_wrong_inner_checksum_stays_wrong(void **state)
{
	struct bytes packet = inner(4, 2), want = inner(4, 3);
	const struct ip spec = {.protocol = IPPROTO_IPIP, .tos = 3};

	packet.data[11] ^= 0x40;
	want.data[11] ^= 0x40;
	expect_stripped(*state, "wrong checksum", ethernet(0, ETH_P_IP, outer(4, spec, packet)), 4,
			ethernet(0, ETH_P_IP, want));
}

static void decap_every_prefix_of_every_tunnel_is_never_aborted(void **state)
{
	FOR_EACH_TUNNEL(o, i)
	{
		for (unsigned int n = 0; n < 6; n++) {
			const struct ip spec = {.protocol = protocol_of(*i), .options = n % 2 ? 24 : 0};
			const struct bytes whole = ethernet(n / 2, type_of(*o), outer(*o, spec, inner(*i, 0)));

			for (size_t size = ETH_HLEN; size < whole.size; size++) {
				struct bytes prefix = whole, out = {};
				unsigned int action;

				prefix.size = size;
				action = run(*state, &prefix, &out);
				if (action == XDP_PASS &&
				    (out.size != size || memcmp(out.data, prefix.data, size) != 0))
					fail_msg("a prefix of %zu bytes was changed", size);
				if (action != XDP_PASS && action != XDP_DROP)
					fail_msg("a prefix of %zu bytes: action %u", size, action);
			}
		}
	}
	assert_int_equal(count_of(*state, WEIR_HOST_BUG).packets, 0);
}

static void decap_mutated_tunnels_are_never_aborted(void **state)
{
	srand(20261);
	FOR_EACH_TUNNEL(o, i)
	{
		for (unsigned int n = 0; n < 5000; n++) {
			struct bytes frame = tunnel(*o, *i, n % 3), out = {};
			unsigned int action;

			for (int flips = rand() % 4; flips >= 0; flips--)
				frame.data[12 + rand() % (frame.size - 12)] = rand();
			if (*o == 4 && n % 2)
				fix_checksum(frame.data + 14 + n % 3 * 4);
			action = run(*state, &frame, &out);
			assert_true(action == XDP_PASS || action == XDP_DROP);
		}
	}
	assert_int_equal(count_of(*state, WEIR_HOST_BUG).packets, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decap_every_pair_of_families_and_tags_leaves_the_inner_packet),
		cmocka_unit_test(decap_outer_options_come_off_too),
		cmocka_unit_test(decap_inner_options_stay),
		cmocka_unit_test(decap_ethernet_padding_stays_behind_the_inner_packet),
		cmocka_unit_test(decap_inner_fragment_is_passed_up),
		cmocka_unit_test(decap_other_traffic_is_left_alone),
		cmocka_unit_test(decap_inner_destination_that_is_no_vip_is_left_alone),
		cmocka_unit_test(decap_fragments_of_the_tunnel_are_left_to_the_kernel),
		cmocka_unit_test(decap_do_not_fragment_bit_is_no_fragment),
		cmocka_unit_test(decap_long_outer_chain_is_left_to_the_kernel),
		cmocka_unit_test(decap_outer_routing_header_is_left_to_the_kernel),
		cmocka_unit_test(decap_lying_headers_are_dropped),
		cmocka_unit_test(decap_edges_given_strangers_are_dropped),
		cmocka_unit_test(decap_ecn_is_merged_as_rfc_6040_says),
		cmocka_unit_test(decap_wrong_inner_checksum_stays_wrong),
		cmocka_unit_test(decap_every_prefix_of_every_tunnel_is_never_aborted),
		cmocka_unit_test(decap_mutated_tunnels_are_never_aborted),
	};

	if (geteuid() != 0) {
		printf("SKIP: packets run through the program as root only\n");
		return 0;
	}
	return cmocka_run_group_tests_name("backendhost", tests, load, unload);
}
