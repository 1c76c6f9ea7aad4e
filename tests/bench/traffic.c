/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the wrapper for a row's traffic, and runs programs over it. */
#include "bench.h"
#include "user/base/addr.h"
#include "user/base/scope.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <string.h>
#include <vary.skel.h>

/* far0's and edge0's link addresses: network.c. */
static const uint8_t link_addresses[12] = {2, 0, 0, 0, 0xee, 0, 2, 0, 0, 0, 0xfa, 0};

const struct traffic traffic_plain = {.keys = KEYS_MILLION};

struct wrapper {
	struct vary_bpf *skeleton;
	uint8_t frame[BENCH_FRAME + sizeof(struct ipv6hdr)];
	uint32_t size;
};

/* The sum over the IPv4 header, whose checksum and source are still zero. */
static uint32_t header_sum(const void *header)
{
	const uint16_t *word = header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(struct iphdr) / 2; i++)
		sum += word[i];
	return (sum & 0xffff) + (sum >> 16);
}

static size_t wrapper_write_ip(struct wrapper *wrapper, const struct addr *to)
{
	size_t payload = wrapper->size - ETH_HLEN;

	if (to->family == WEIR_IPV6) {
		struct ipv6hdr ip = {.version = 6, .nexthdr = IPPROTO_TCP, .hop_limit = 64};

		ip.payload_len = htons(payload - sizeof(ip));
		memcpy(&ip.daddr, &to->bytes, sizeof(ip.daddr));
		memcpy(wrapper->frame + ETH_HLEN, &ip, sizeof(ip));
		return sizeof(ip);
	}
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};

	ip.tot_len = htons(payload);
	ip.frag_off = htons(0x4000);
	ip.daddr = to->bytes.word[0];
	memcpy(wrapper->frame + ETH_HLEN, &ip, sizeof(ip));
	return sizeof(ip);
}

static void wrapper_write_frame(struct wrapper *wrapper, const struct addr *to, uint8_t flags)
{
	struct tcphdr tcp = {.dest = htons(80), .doff = 5, .window = htons(64240)};
	uint16_t type = htons(to->family == WEIR_IPV6 ? ETH_P_IPV6 : ETH_P_IP);
	size_t header;

	wrapper->size = BENCH_FRAME + (to->family == WEIR_IPV6 ? 20 : 0);
	memcpy(wrapper->frame, link_addresses, sizeof(link_addresses));
	memcpy(wrapper->frame + 12, &type, sizeof(type));
	header = wrapper_write_ip(wrapper, to);
	memcpy(wrapper->frame + ETH_HLEN + header, &tcp, sizeof(tcp));
	wrapper->frame[ETH_HLEN + header + 13] = flags;
}

struct wrapper *wrapper_open(const struct traffic *traffic, int program)
{
	struct wrapper *wrapper = calloc(1, sizeof(*wrapper));
	struct vary_bpf *skeleton = vary_bpf__open();
	const uint32_t zero = 0;
	struct addr to;

	if (!wrapper || !skeleton)
		bench_fail("out of memory");
	if (addr_parse(traffic->destination ?: NOT_VIP4, &to))
		bench_fail("%s is no address", traffic->destination);
	wrapper_write_frame(wrapper, &to, traffic->tcp_flags ?: TCP_ACK);
	skeleton->rodata->is_ipv6 = to.family == WEIR_IPV6;
	skeleton->rodata->restore = traffic->restore;
	skeleton->rodata->miss = traffic->miss;
	skeleton->rodata->keys = traffic->keys ?: 1;
	skeleton->rodata->size = wrapper->size;
	skeleton->rodata->ip_sum = header_sum(wrapper->frame + ETH_HLEN);
	skeleton->rodata->destination_port = htons(80);
	memcpy((void *)skeleton->rodata->link_words, wrapper->frame, 12);
	memcpy((void *)&skeleton->rodata->link_type, wrapper->frame + 12, 2);
	memcpy((void *)skeleton->rodata->ip_words, wrapper->frame + ETH_HLEN, sizeof(skeleton->rodata->ip_words));
	if (vary_bpf__load(skeleton))
		bench_fail("the wrapper does not load: %s", strerror(errno));
	wrapper->skeleton = skeleton;
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.target), &zero, &program, BPF_ANY))
		bench_fail("the program cannot be called by the wrapper: %s", strerror(errno));
	return wrapper;
}

void wrapper_close(void *object)
{
	struct wrapper *wrapper = object;

	vary_bpf__destroy(wrapper->skeleton);
	free(wrapper);
}

int wrapper_program(const struct wrapper *wrapper)
{
	return bpf_program__fd(wrapper->skeleton->progs.vary);
}

void wrapper_set_counter(struct wrapper *wrapper, uint32_t counter)
{
	wrapper->skeleton->bss->counter = counter;
}

unsigned int wrapper_run(const struct wrapper *wrapper, int program, uint32_t packets, uint32_t ifindex, uint32_t flags)
{
	struct xdp_md context = {.data_end = wrapper->size, .ingress_ifindex = ifindex};
	struct bpf_test_run_opts run = {
		.sz = sizeof(run),
		.data_in = wrapper->frame,
		.data_size_in = wrapper->size,
		.ctx_in = &context,
		.ctx_size_in = sizeof(context),
		.repeat = (int)packets,
		.flags = flags,
		.batch_size = flags ? 64 : 0,
	};
	int error;

	do {
		error = bpf_prog_test_run_opts(program, &run);
	} while (error == -EINTR);
	if (error)
		bench_fail("the test run failed: %s", strerror(-error));
	return run.retval;
}

int verdict_program(enum verdict_program which)
{
	static const char *const names[] = {"drop", "pass", "tx"};
	static int programs[3]; /* loaded when first asked for, kept to the end of the process */
	struct vary_bpf *skeleton;

	if (programs[which])
		return programs[which];
	skeleton = vary_bpf__open_and_load();
	if (!skeleton)
		bench_fail("the verdicts' programs do not load: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		programs[i] = dup(bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, names[i])));
	vary_bpf__destroy(skeleton);
	return programs[which];
}
