/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Next hops that are used again: for what, for how long, and that explain and replay never do it.
 *
 * What the program remembers is written by the test, with a link address that no neighbour has: the frame that leaves
 * shows whether the FIB was asked. Packets of a test run come in by the loopback device.
 */
#include "harness.h"
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TCP	   .protocol = IPPROTO_TCP, .sport = 40000, .dport = 443
#define PATIENCE_S 10

static const uint8_t fake[6] = {0x02, 0xfa, 0xce, 0, 0, 1}, neighbour[6] = {0x02, 0, 0, 0, 0, 21};
static const struct packet_spec to_l2 = {.source = C4, .destination = L2_4, TCP, .payload = 60}; /* 100 bytes */

static struct weir_hop *hop_read(struct harness *harness, uint32_t id)
{
	struct weir_hop *hops = calloc((size_t)libbpf_num_possible_cpus(), sizeof(*hops));

	assert_non_null(hops);
	assert_int_equal(kernel_map_get(kernel_map_fd(harness->kernel, KERNEL_MAP_hops), &id, hops), 0);
	return hops;
}

/* The entry of the CPU that the tests run on. */
static struct weir_hop hop_get(struct harness *harness, uint32_t id)
{
	AUTO_FREE struct weir_hop *hops = hop_read(harness, id);

	return hops[sched_getcpu()];
}

static void hop_put(struct harness *harness, uint32_t id, const struct weir_hop *hop)
{
	AUTO_FREE struct weir_hop *hops = hop_read(harness, id);

	hops[sched_getcpu()] = *hop;
	assert_int_equal(kernel_map_put(kernel_map_fd(harness->kernel, KERNEL_MAP_hops), &id, hops), 0);
}

/* Where the packet goes: the link address that its frame has in the end. */
static void hop_send(struct harness *harness, const struct packet_spec *spec, uint8_t mac[6])
{
	struct harness_result result;

	harness_run_spec(harness, spec, &result);
	assert_int_equal(result.action, harness->traced ? XDP_TX : XDP_REDIRECT);
	memcpy(mac, result.data, 6);
}

static bool hop_goes_to(struct harness *harness, const struct packet_spec *spec, const uint8_t mac[6])
{
	uint8_t found[6];

	hop_send(harness, spec, found);
	return !memcmp(found, mac, 6);
}

static bool hop_is_late(time_t start)
{
	return time(NULL) - start > PATIENCE_S;
}

struct change {
	const char *sentence;
	bool again; /* the hop is used again */
	uint32_t generation, ingress;
	int fits;    /* added to the packet's 100 bytes */
	int jiffies; /* added to the time it was found */
};

static const struct change changes[] = {
	{"the same question", true, 0, 0, 0, 0},
	{"a packet shorter than what fits", true, 0, 0, 1400, 0},
	{"a packet longer than what is known to fit", false, 0, 0, -1, 0},
	{"another generation", false, 1, 0, 0, 0},
	{"another interface", false, 0, 1, 0, 0},
	{"a hop whose time is over", false, 0, 0, 0, -WEIR_HOP_JIFFIES},
	{"a hop of days ago", false, 0, 0, 0, -250 * 86400},
};

/* Whether a packet took the hop of the row, which is made from the one that the FIB gives. */
static bool hop_try(struct harness *harness, uint32_t id, const struct change *change)
{
	struct weir_hop hop = {0};

	hop_put(harness, id, &hop);
	assert_true(hop_goes_to(harness, &to_l2, neighbour));
	hop = hop_get(harness, id);
	hop.generation += change->generation;
	hop.ingress += change->ingress;
	hop.fits = 100 + change->fits;
	hop.found += change->jiffies;
	memcpy(hop.destination, fake, sizeof(fake));
	hop_put(harness, id, &hop);
	return hop_goes_to(harness, &to_l2, fake);
}

/* A machine that is busy lets the time of a hop run out: what is to be used again is tried more than once. */
static void hop_is_used_again_for_the_same_question_alone(void **state)
{
	struct harness *harness = *state;
	const uint32_t id = harness_id(harness, WEIR_NAMES_BACKENDS, "l2/a");

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const time_t start = time(NULL);
		bool again;

		do
			again = hop_try(harness, id, &changes[i]);
		while (changes[i].again && !again && !hop_is_late(start));
		if (again != changes[i].again)
			fail_msg("%s: the FIB was %s", changes[i].sentence, again ? "not asked" : "asked");
		if (!again)
			assert_memory_equal(hop_get(harness, id).destination, neighbour, sizeof(neighbour));
	}
}

static void hop_found_says_what_the_fib_says(void **state)
{
	static const struct {
		const char *destination, *backend, *egress;
		uint32_t mtu;
		uint8_t mac[6];
	} rows[] = {
		{L2_4, "l2/a", "edge0", 1500, {0x02, 0, 0, 0, 0, 21}},
		{NARROW4, "narrow/a", "edge1", 1400, {0x02, 0, 0, 0, 1, 41}},
	};
	struct harness *harness = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct packet_spec spec = {.source = C4, .destination = rows[i].destination, TCP, .payload = 60};
		const uint32_t id = harness_id(harness, WEIR_NAMES_BACKENDS, rows[i].backend);
		struct weir_hop hop = {0};

		hop_put(harness, id, &hop);
		assert_true(hop_goes_to(harness, &spec, rows[i].mac));
		hop = hop_get(harness, id);
		assert_int_equal(hop.generation, reconcile_generation(harness->reconcile));
		assert_int_equal(hop.ingress, 1);
		assert_int_equal(hop.egress, if_nametoindex(rows[i].egress));
		assert_int_equal(hop.fits, rows[i].mtu); /* before 5.13: the packet's own length */
		assert_memory_equal(hop.destination, rows[i].mac, 6);
		assert_true(hop.found);
	}
}

/* A neighbour that is missing, a packet that is too big: neither is remembered, nor takes away what is. */
static void hop_negative_answer_is_not_kept(void **state)
{
	const struct packet_spec unknown = {.source = C4, .destination = UNKNOWN4, TCP};
	const struct packet_spec big = {
		.source = "198.51.100.81", .destination = L2_4, TCP, .payload = 1461, .dont_fragment = true};
	struct harness *harness = *state;
	const uint32_t id = harness_id(harness, WEIR_NAMES_BACKENDS, "unknown/a");
	const uint32_t l2 = harness_id(harness, WEIR_NAMES_BACKENDS, "l2/a");
	const uint64_t told = harness_count_verdict(harness, WEIR_TX, WEIR_REASON_TOO_BIG).packets;
	struct harness_result result;
	struct weir_hop before, after;

	harness_run_spec(harness, &unknown, &result);
	assert_int_equal(result.action, XDP_DROP);
	assert_int_equal(hop_get(harness, id).generation, 0);
	assert_true(hop_goes_to(harness, &to_l2, neighbour));
	before = hop_get(harness, l2);
	harness_run_spec(harness, &big, &result);
	assert_int_equal(harness_count_verdict(harness, WEIR_TX, WEIR_REASON_TOO_BIG).packets, told + 1);
	after = hop_get(harness, l2);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void hop_set_neighbour(const uint8_t mac[6])
{
	AUTO_FREE char *command = NULL;

	assert_true(asprintf(&command,
			     "ip neighbour replace 10.0.0.21 lladdr %02x:%02x:%02x:%02x:%02x:%02x dev edge0 nud "
			     "permanent",
			     mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]) > 0);
	assert_int_equal(system(command), 0);
}

static void hop_new_neighbour_is_taken_within_the_time(void **state)
{
	struct harness *harness = *state;
	const time_t start = time(NULL);

	assert_true(hop_goes_to(harness, &to_l2, neighbour));
	hop_set_neighbour(fake);
	while (!hop_goes_to(harness, &to_l2, fake)) /* each packet meets the hop again: it is not kept young by that */
		assert_false(hop_is_late(start));
	hop_set_neighbour(neighbour);
	while (!hop_goes_to(harness, &to_l2, neighbour))
		assert_false(hop_is_late(start));
}

static void hop_new_generation_asks_at_once(void **state)
{
	struct harness *harness = *state;

	for (int i = 0; i < 5; i++) {
		const uint8_t *mac = i & 1 ? fake : neighbour;

		hop_set_neighbour(mac);
		harness_apply(harness, configuration_standard);
		assert_true(hop_goes_to(harness, &to_l2, mac));
	}
}

/* The hop of the backend would be good for the attached program: it is given anew with each packet. */
static void hop_explain_and_replay_always_ask(void **state)
{
	static const enum harness_mode modes[] = {HARNESS_TRACED, HARNESS_READ_ONLY, HARNESS_ASSUME};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct harness *harness = harness_open(configuration_standard, modes[i]);
		const uint32_t id = harness_id(harness, WEIR_NAMES_BACKENDS, "l2/a");

		for (int packet = 0; packet < 20; packet++) {
			struct weir_hop hop, after;

			assert_true(hop_goes_to(harness, &to_l2, neighbour));
			hop = hop_get(harness, 0);
			memcpy(hop.destination, fake, sizeof(fake));
			hop_put(harness, 0, &hop);
			hop_put(harness, id, &hop);
			assert_true(hop_goes_to(harness, &to_l2, neighbour));
			after = hop_get(harness, id);
			assert_memory_equal(&after, &hop, sizeof(hop));
		}
		harness_close(harness);
	}
}

static int group_open_attached(void **state)
{
	*state = harness_open(configuration_standard, HARNESS_ATTACHED);
	return 0;
}

int group_hop(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hop_is_used_again_for_the_same_question_alone),
		cmocka_unit_test(hop_found_says_what_the_fib_says),
		cmocka_unit_test(hop_negative_answer_is_not_kept),
		cmocka_unit_test(hop_new_neighbour_is_taken_within_the_time),
		cmocka_unit_test(hop_new_generation_asks_at_once),
		cmocka_unit_test(hop_explain_and_replay_always_ask),
	};
	cpu_set_t before, one;
	int failed;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_getaffinity(0, sizeof(before), &before) || sched_setaffinity(0, sizeof(one), &one))
		return 1;
	failed = cmocka_run_group_tests_name("hop", tests, group_open_attached, group_close);
	return failed | sched_setaffinity(0, sizeof(before), &before);
}
