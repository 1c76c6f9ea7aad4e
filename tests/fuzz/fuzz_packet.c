/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame through the real program, compared with the oracle: the same verdict, reason and reading of the headers.
 * The fuzzer sees the oracle's branches, which lead it to the program's.
 */
#include "oracle.h"
#include "../../user/config/config.h"
#include "../../user/kernel/kernel.h"
#include "../../user/reconcile/reconcile.h"
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MIN  14
#define FRAME_MAX  1500
#define FRAME_ROOM 256

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct kernel *program;
static struct reconcile *policy; /* lives as long as the process */

static void require(bool ok, const char *what, const char *why)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_packet: %s: %s\n", what, why);
	exit(1);
}

static void ban(const char *prefix, uint32_t list)
{
	struct reconcile_ban entry = {.list = list};
	struct problem problem = {};

	require(!prefix_parse(prefix, &entry.prefix), prefix, "not a prefix");
	require(!reconcile_ban_add(policy, &entry, 1, &problem), prefix, problem.text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct kernel_options options = {.trace = true, .read_only = true, .assume_next_hop = true};
	struct config_errors errors = {};
	struct problem problem = {};
	struct config *config;

	(void)argc;
	(void)argv;
	require(!config_parse("oracle", ORACLE_CONFIG, strlen(ORACLE_CONFIG), &config, &errors), "configuration",
		errors.text ? errors.text : "");
	config_errors_free(&errors);
	require(!kernel_load(&options, &program, &problem), "load", problem.text);
	require(!reconcile_open(program, NULL, &policy, &problem), "open", problem.text);
	require(!reconcile_apply(policy, config, NULL, &problem), "apply", problem.text);
	ban(ORACLE_DENIED4, WEIR_BAN_DENY);
	ban(ORACLE_DENIED6, WEIR_BAN_DENY);
	ban(ORACLE_ALLOWED4, WEIR_BAN_ALLOW);
	return 0;
}

static void differ(const char *what, unsigned int program_says, unsigned int oracle_says)
{
	fprintf(stderr, "fuzz_packet: %s differs: the program says %u, the oracle %u\n", what, program_says,
		oracle_says);
	abort();
}

static void compare(const char *what, unsigned int program_says, unsigned int oracle_says)
{
	if (program_says != oracle_says)
		differ(what, program_says, oracle_says);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[FRAME_MAX + FRAME_ROOM];
	struct oracle_outcome expected;
	struct weir_trace trace = {.now_ns = 1};
	size_t out_size = sizeof(out);
	unsigned int action;

	if (size < FRAME_MIN || size > FRAME_MAX)
		return -1;
	if (kernel_test_run(program, data, size, out, &out_size, &action, &trace))
		abort();
	oracle_judge(data, size, &expected);
	if (action == XDP_ABORTED || action > XDP_REDIRECT)
		differ("action", action, expected.verdict);
	compare("reason", trace.reason, expected.reason);
	compare("verdict", trace.verdict, expected.verdict);
	if (expected.reason >= WEIR_REASON_ARP && expected.reason != WEIR_REASON_ARP) {
		compare("family", trace.family, expected.family);
		compare("protocol", trace.protocol, expected.protocol);
		compare("fragment", trace.fragment, expected.fragment);
		compare("source port", trace.sport, expected.sport);
		compare("destination port", trace.dport, expected.dport);
	}
	return 0;
}
