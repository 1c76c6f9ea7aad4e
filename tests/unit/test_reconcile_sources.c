/* SPDX-License-Identifier: BSD-2-Clause */
/* The outer source of tunnels follows the host's addresses, in a network of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "edge.h"

static const char yaml[] = "pools:\n"
			   "  near:\n"
			   "    health: {type: tcp, port: 80}\n"
			   "    backends:\n"
			   "      - {name: a, address: 10.9.0.11}\n"
			   "      - {name: b, address: 10.9.0.12}\n"
			   "services:\n"
			   "  - {name: www, address: [198.51.100.10], ports: [tcp/80], pools: [near]}\n";

static void ip(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "ip %s", command);
	if (system(line))
		fail_msg("%s failed", line);
}

/* The source in the live bank, as text. */
static char *live_source(const struct edge *edge, const char *backend, char out[ADDR_TEXT_MAX])
{
	uint32_t id = model_registry_find(reconcile_registry(edge->reconcile), MODEL_BACKEND, backend);
	int bank =
		kernel_bank_open(edge->kernel, KERNEL_MAP_backends, reconcile_generation(edge->reconcile) % WEIR_BANKS);
	struct weir_backend found;
	struct addr source = {.family = WEIR_IPV4};

	assert_true(bank >= 0);
	assert_int_equal(kernel_map_get(bank, &id, &found), 0);
	close(bank);
	source.bytes = found.source;
	return addr_format(&source, out);
}

static void reconcile_source_route_after_the_apply_gives_tunnels_their_source(void **state)
{
	struct pinned *pinned = *state;
	struct edge edge = start(pinned);
	uint32_t generation, id;
	char text[ADDR_TEXT_MAX];

	apply_yaml(pinned, &edge, yaml);
	generation = reconcile_generation(edge.reconcile);
	assert_string_equal(live_source(&edge, "near/a", text), "0.0.0.0");
	assert_false(reconcile_sources_moved(edge.reconcile));

	ip("link add ws0 type veth peer name ws1");
	ip("link set ws0 up");
	ip("addr add 10.9.0.1/24 dev ws0");
	/* A change of health builds the model anew, with the new source; the bank has the old one still. */
	id = model_registry_find(reconcile_registry(edge.reconcile), MODEL_BACKEND, "near/b");
	assert_int_equal(reconcile_backend_health(edge.reconcile, id, WEIR_HEALTH_DOWN, &pinned->problem), 0);
	assert_true(reconcile_sources_moved(edge.reconcile));
	apply_yaml(pinned, &edge, yaml);
	assert_int_equal(reconcile_generation(edge.reconcile), generation + 1);
	assert_string_equal(live_source(&edge, "near/a", text), "10.9.0.1");
	assert_false(reconcile_sources_moved(edge.reconcile));

	ip("addr add 10.9.0.2/24 dev ws0");
	assert_false(reconcile_sources_moved(edge.reconcile));
	ip("route add 10.9.0.12/32 dev ws0 src 10.9.0.2");
	assert_true(reconcile_sources_moved(edge.reconcile));
	apply_yaml(pinned, &edge, yaml);
	assert_string_equal(live_source(&edge, "near/a", text), "10.9.0.1");
	assert_string_equal(live_source(&edge, "near/b", text), "10.9.0.2");

	/* Without any route the last source stays: there is none to be better. */
	ip("link set ws0 down");
	assert_false(reconcile_sources_moved(edge.reconcile));
	assert_string_equal(live_source(&edge, "near/a", text), "10.9.0.1");
	ip("link del ws0");
	stop(&edge);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		PINNED_TEST(reconcile_source_route_after_the_apply_gives_tunnels_their_source),
	};

	if (geteuid() == 0 && unshare(CLONE_NEWNET)) {
		perror("a network of its own");
		return 1;
	}
	return PINNED_RUN(tests);
}
