/* SPDX-License-Identifier: BSD-2-Clause */
/* What is up on a backend host's interface, as a document. */
#include "../base/scope.h"
#include "../kernel/kernel.h"
#include "address.h"
#include "paths.h"
#include "state.h"
#include "sysctl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static json_t *describe_vips(const struct kernel_host_policy *policy, const struct state *state)
{
	AUTO_FREE struct addr *there = NULL;
	struct state listed = {};
	json_t *list = json_array();

	if (address_list(&there, &listed.added_count) == 0)
		listed.added = there;
	for (size_t i = 0; i < policy->vip_count; i++) {
		const struct addr vip = {policy->vips[i].address, policy->vips[i].family};
		char text[ADDR_TEXT_MAX];

		json_array_append_new(list, json_pack("{s:s, s:b, s:b}", "address", addr_format(&vip, text), "on_lo",
						      state_has_address(&listed, &vip), "added",
						      state_has_address(state, &vip)));
	}
	return list;
}

static json_t *describe_edges(const struct kernel_host_policy *policy)
{
	json_t *list = json_array();

	for (size_t i = 0; i < policy->edge_count; i++) {
		const struct weir_host_edge_key *key = &policy->edges[i];
		const struct prefix prefix = {
			.addr = {key->address, ntohl(key->family)},
			.length = key->length - WEIR_HOST_FAMILY_BITS,
		};
		char text[ADDR_TEXT_MAX];

		json_array_append_new(list, json_string(prefix_format(&prefix, text)));
	}
	return list;
}

static json_t *describe_counters(const struct weir_count *count)
{
	static const char *const verdicts[] = WEIR_VERDICT_NAMES;
	static const struct {
		const char *name, *meaning;
		enum weir_verdict verdict;
		unsigned int index;
	} outcomes[] = {
#define OUTCOME_ROW(number, symbol, name, verdict, sentence) {name, sentence, WEIR_##verdict, number},
		WEIR_HOST_OUTCOMES(OUTCOME_ROW)
#undef OUTCOME_ROW
	};
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		const struct weir_count *c = &count[outcomes[i].index];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s}", "name", outcomes[i].name, "verdict",
						      verdicts[outcomes[i].verdict], "packets", (json_int_t)c->packets,
						      "bytes", (json_int_t)c->bytes, "meaning", outcomes[i].meaning));
	}
	return list;
}

static json_t *describe_sysctls(const struct state *state)
{
	json_t *list = json_array();

	for (size_t i = 0; i < state->sysctl_count; i++) {
		const struct state_sysctl *sysctl = &state->sysctls[i];
		int now = 0;
		json_t *value = sysctl_read(sysctl->name, &now) ? json_null() : json_integer(now);

		json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:o}", "name", sysctl->name, "before",
						      sysctl->before, "set", sysctl->set, "now", value));
	}
	return list;
}

int backendhost_status(const struct backendhost_options *options, json_t **out, struct problem *problem)
{
	static const char *const modes[] = {"detached", "generic", "native"};
	struct kernel_host_status kernel = {};
	struct backendhost_paths paths;
	struct state state = {};
	json_t *json;
	int error = backendhost_paths(options, &paths, problem);

	if (!error)
		error = backendhost_state_load(paths.state, &state, problem);
	if (error)
		return error;
	error = kernel_host_status(paths.pins, options->interface, &kernel, problem);
	if (error && (error != -ENOENT || !state.netns)) {
		backendhost_state_free(&state);
		return error == -ENOENT ? problem_set(problem, error, "nothing is up on %s", options->interface)
					: error;
	}
	json = json_pack("{s:s, s:s, s:i, s:b, s:o, s:o, s:o, s:o}", "interface", options->interface, "mode",
			 modes[kernel.mode], "program", kernel.program_id, "check_edges", kernel.policy.edge_count > 0,
			 "vips", describe_vips(&kernel.policy, &state), "edges", describe_edges(&kernel.policy),
			 "counters", describe_counters(kernel.count), "sysctls", describe_sysctls(&state));
	kernel_host_status_free(&kernel);
	backendhost_state_free(&state);
	if (!json)
		return problem_set(problem, -ENOMEM, "out of memory");
	*out = json;
	return 0;
}
