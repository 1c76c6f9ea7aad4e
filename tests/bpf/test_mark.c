/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule that marks puts in front of a packet for the kernel, and when it does not. */
#include "harness.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <maps/mark.h>
#include <string.h>

#define BACKENDS                                                                                                       \
	"pools: {local: {backends: [{name: a, address: 10.0.0.11}]}, none: {backends: [{name: b, address: 10.0.0.12, " \
	"weight: 0}]}}\n"                                                                                              \
	"services:\n"                                                                                                  \
	"  - {name: www, address: [" V4 ", \"" V6 "\"], ports: [tcp/443, udp/443], pools: [local]}\n"                  \
	"  - {name: host, address: [" KERNEL4 "], ports: [tcp/443], pools: [none], fallback: kernel}\n"

#define RULES                                                                                                          \
	"  - {name: shade, from: 198.51.100.9, mark: 9, mode: shadow}\n"                                               \
	"  - {name: idle, from: 198.51.100.10, mark: 10, mode: off}\n"                                                 \
	"  - {name: one, from: [198.51.100.1, \"2001:db8:c::1\"], mark: 0x10}\n"                                       \
	"  - {name: high, from: [198.51.100.2, \"2001:db8:c::2\"], mark: 0xfffffffe}\n"                                \
	"  - {name: pass, from: [198.51.100.3, \"2001:db8:c::3\"], action: pass}\n"                                    \
	"  - {name: allow, from: 198.51.100.4, action: allow}\n"

/* By the class of the source alone, and by all that rules look at. */
static const char quick[] = "filter:\n  rules:\n"
			    "  - {name: one, from: [198.51.100.1, \"2001:db8:c::1\"], mark: 0x10}\n"
			    "  - {name: high, from: [198.51.100.2, \"2001:db8:c::2\"], mark: 0xfffffffe}\n"
			    "  - {name: pass, from: [198.51.100.3, \"2001:db8:c::3\"], action: pass}\n" BACKENDS;
static const char full[] = "protect: [{from: [198.51.100.1/32], ports: [tcp/22]}]\n"
			   "filter:\n  rules:\n" RULES "  - {name: fallback, proto: tcp, to: " KERNEL4 ", mark: 77}\n"
			   "  - {name: reply, proto: icmp, from: 198.51.100.5, mark: 5}\n" BACKENDS;

#define HOST4 .destination = OTHER4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define HOST6 .destination = OTHER6, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443

struct mark_row {
	const char *sentence;
	struct packet_spec packet;
	unsigned int action; /* enum xdp_action */
	enum weir_reason reason;
	uint32_t mark;
	const char *rule; /* that counts it */
};

static const struct mark_row quick_rows[] = {
	{"a marked packet", {.source = "198.51.100.1", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0x10, "one"},
	{"a marked packet, v6", {.source = "2001:db8:c::1", HOST6}, XDP_PASS, WEIR_REASON_NOT_VIP, 0x10, "one"},
	{"another mark", {.source = "198.51.100.2", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0xfffffffe, "high"},
	{"a rule that passes", {.source = "198.51.100.3", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, "pass"},
	{"no rule", {.source = "198.51.100.6", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, NULL},
};

static const struct mark_row full_rows[] = {
	{"a marked packet", {.source = "198.51.100.1", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0x10, "one"},
	{"with two tags", {.source = "198.51.100.1", HOST4, .tags = 2}, XDP_PASS, WEIR_REASON_NOT_VIP, 0x10, "one"},
	{"a marked packet, v6", {.source = "2001:db8:c::2", HOST6}, XDP_PASS, WEIR_REASON_NOT_VIP, 0xfffffffe, "high"},
	{"a rule that passes", {.source = "2001:db8:c::3", HOST6}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, "pass"},
	{"a rule that allows", {.source = "198.51.100.4", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, "allow"},
	{"no rule", {.source = "198.51.100.6", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, NULL},
	{"a shadow", {.source = "198.51.100.9", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, "shade"},
	{"a rule that is off", {.source = "198.51.100.10", HOST4}, XDP_PASS, WEIR_REASON_NOT_VIP, 0, NULL},
	{"what goes to the kernel as nobody serves it",
	 {.source = "198.51.100.6", .destination = KERNEL4, .protocol = IPPROTO_TCP, .sport = 4, .dport = 443},
	 XDP_PASS,
	 WEIR_REASON_FALLBACK_KERNEL,
	 77,
	 "fallback"},
	{"what is protected meets no rule",
	 {.source = "198.51.100.1", .destination = OTHER4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 22},
	 XDP_PASS,
	 WEIR_REASON_PROTECTED,
	 0,
	 NULL},
	{"what is for a service",
	 {.source = "198.51.100.1", .destination = V4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443},
	 XDP_REDIRECT,
	 WEIR_REASON_STEERED,
	 0,
	 "one"},
	{"what a service drops",
	 {.source = "198.51.100.1", .destination = V4, .protocol = IPPROTO_TCP, .sport = 40000, .dport = 444},
	 XDP_DROP,
	 WEIR_REASON_NO_SERVICE,
	 0,
	 "one"},
};

static void check_mark(const struct mark_row *row, const uint8_t *frame, size_t size,
		       const struct harness_result *result)
{
	size_t front = row->mark ? sizeof(struct weir_mark) : 0;
	struct weir_mark mark;

	memcpy(&mark, result->data, sizeof(mark));
	if (row->action != XDP_PASS) {
		assert_int_not_equal(mark.magic, WEIR_MARK_MAGIC);
		return;
	}
	if (result->size != size + front)
		fail_msg("%s: %zu bytes came out of %zu", row->sentence, result->size, size);
	if (front && (mark.magic != WEIR_MARK_MAGIC || mark.mark != row->mark))
		fail_msg("%s: the mark is %#x (%#x)", row->sentence, mark.mark, mark.magic);
	assert_memory_equal(result->data + front, frame, size);
}

static void run_rows(struct harness *harness, const struct mark_row *rows, size_t count)
{
	static const enum weir_verdict verdicts[] = {
		[XDP_PASS] = WEIR_PASS, [XDP_DROP] = WEIR_DROP, [XDP_REDIRECT] = WEIR_REDIRECT};

	for (size_t i = 0; i < count; i++) {
		const struct mark_row *row = &rows[i];
		enum weir_verdict verdict = verdicts[row->action];
		uint64_t before = harness_count_verdict(harness, verdict, row->reason).packets;
		uint64_t hits = row->rule ? harness_count_rule(harness, row->rule).packets : 0;
		struct harness_result result;
		uint8_t frame[PACKET_MAX];
		size_t size = packet_build(&row->packet, frame);

		harness_run(harness, frame, size, &result);
		if (result.action != row->action ||
		    harness_count_verdict(harness, verdict, row->reason).packets != before + 1)
			fail_msg("%s: XDP action %u, or not counted under reason %u", row->sentence, result.action,
				 row->reason);
		check_mark(row, frame, size, &result);
		if (row->rule && harness_count_rule(harness, row->rule).packets != hits + 1)
			fail_msg("%s: not counted by %s", row->sentence, row->rule);
	}
}

static void mark_is_put_in_front_of_what_the_kernel_gets(void **state)
{
	struct harness *harness = harness_open(quick, HARNESS_PLAIN);

	(void)state;
	run_rows(harness, quick_rows, ARRAY_SIZE(quick_rows));
	harness_apply(harness, full);
	run_rows(harness, full_rows, ARRAY_SIZE(full_rows));
	harness_close(harness);
}

static void mark_goes_on_to_the_limits(void **state)
{
	static const char limited[] = "limits:\n  - {name: all, key: source, rate: 1/h, burst: 3}\n"
				      "filter:\n  rules:\n  - {name: one, from: 198.51.100.1, mark: 0x10}\n" BACKENDS;
	const struct packet_spec spec = {
		.source = "198.51.100.1", .destination = V4, .protocol = IPPROTO_UDP, .sport = 40000, .dport = 443};
	struct harness *harness = harness_open(limited, HARNESS_PLAIN);
	struct harness_result result;
	unsigned int sent = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		harness_run_spec(harness, &spec, &result);
		sent += result.action == XDP_REDIRECT;
	}
	assert_int_equal(sent, 3);
	assert_int_equal(harness_count_verdict(harness, WEIR_DROP, WEIR_REASON_LIMITED).packets, 5);
	harness_close(harness);
}

static void mark_stays_out_of_the_traced_program(void **state)
{
	const struct packet_spec spec = {.source = "198.51.100.1", HOST4};
	struct harness *harness = harness_open(full, HARNESS_TRACED);
	struct harness_result result;
	uint8_t frame[PACKET_MAX];
	size_t size = packet_build(&spec, frame);

	(void)state;
	harness_run(harness, frame, size, &result);
	assert_int_equal(result.action, XDP_PASS);
	assert_int_equal(result.size, size);
	assert_int_equal(result.trace.rule_id, harness_id(harness, WEIR_NAMES_RULES, "one"));
	harness_close(harness);
}

/* A packet behind front bytes of somebody else's metadata. 0 or -errno. */
static int run_behind(struct harness *harness, size_t front, const struct packet_spec *spec)
{
	uint8_t frame[256 + PACKET_MAX] = {0}, out[sizeof(frame)];
	struct xdp_md context = {.data = (__u32)front};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_out = out, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .data_size_out = sizeof(out), .repeat = 1);
	int error;

	run.data_size_in = (__u32)(front + packet_build(spec, frame + front));
	context.data_end = run.data_size_in;
	error = bpf_prog_test_run_opts(kernel_program_fd(harness->kernel), &run);
	if (error)
		return error;
	assert_int_equal(run.retval, XDP_PASS);
	assert_int_equal(run.data_size_out, run.data_size_in);
	assert_memory_equal(out, frame, run.data_size_in);
	return 0;
}

/* As with a driver that has no metadata: here a frame has as much of somebody else's as it may. */
static void mark_without_room_is_a_counted_pass(void **state)
{
	const struct packet_spec spec = {.source = "198.51.100.1", HOST4};
	struct harness *harness = harness_open(full, HARNESS_PLAIN);

	(void)state;
	/* All of the headroom but the kernel's own 40 bytes; older kernels take 32 at most. */
	if (run_behind(harness, 216, &spec))
		assert_int_equal(run_behind(harness, 32, &spec), 0);
	assert_int_equal(harness_count_verdict(harness, WEIR_PASS, WEIR_REASON_UNMARKED).packets, 1);
	assert_int_equal(harness_count_rule(harness, "one").packets, 1);
	harness_close(harness);
}

int group_mark(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mark_is_put_in_front_of_what_the_kernel_gets),
		cmocka_unit_test(mark_goes_on_to_the_limits),
		cmocka_unit_test(mark_stays_out_of_the_traced_program),
		cmocka_unit_test(mark_without_room_is_a_counted_pass),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
