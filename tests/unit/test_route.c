/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes, neighbours and devices, asked of a network of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>

#include "user/base/route.h"
#include "user/base/scope.h"

static void ip(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "ip %s", command);
	if (system(line))
		fail_msg("%s failed", line);
}

static bool ip_says(const char *command, const char *text)
{
	char line[256], said[4096] = "";
	FILE *pipe;
	size_t size;

	snprintf(line, sizeof(line), "ip %s", command);
	pipe = popen(line, "r");
	assert_non_null(pipe);
	size = fread(said, 1, sizeof(said) - 1, pipe);
	said[size] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return strstr(said, text) != NULL;
}

static int setup(void **state)
{
	if (geteuid() != 0)
		return 0;
	ip("link add wr0 type veth peer name wr1");
	ip("link set wr0 up");
	ip("link set wr1 up");
	ip("link set lo up");
	ip("addr add 192.0.2.1/24 dev wr0");
	ip("addr add 2001:db8::1/64 dev wr0 nodad");
	ip("route add 198.51.100.0/24 via 192.0.2.254");
	ip("route add 203.0.113.0/24 via inet6 2001:db8::254");
	ip("route add 2001:db8:1::/64 via 2001:db8::254");
	ip("route add blackhole 192.0.3.0/24");
	return route_open((struct route_socket **)state);
}

static int teardown(void **state)
{
	route_close(*state);
	if (geteuid() == 0)
		ip("link del wr0");
	return 0;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void route_table_answered(void **state)
{
	static const struct {
		const char *to;
		int error;
		const char *device, *next_hop;
		bool is_local;
	} rows[] = {
		{"192.0.2.7", 0, "wr0", "192.0.2.7", false},	     {"198.51.100.7", 0, "wr0", "192.0.2.254", false},
		{"203.0.113.7", 0, "wr0", "2001:db8::254", false},   {"2001:db8::7", 0, "wr0", "2001:db8::7", false},
		{"2001:db8:1::7", 0, "wr0", "2001:db8::254", false}, {"192.0.2.1", 0, "lo", "192.0.2.1", true},
		{"2001:db8::1", 0, "lo", "2001:db8::1", true},	     {"10.0.0.1", -ENETUNREACH, NULL, NULL, false},
		{"2001:db8:2::1", -ENETUNREACH, NULL, NULL, false},  {"192.0.3.1", -EINVAL, NULL, NULL, false},
	};

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct route route = {.ifindex = 77};
		struct addr to = addr_of(rows[i].to);
		char text[ADDR_TEXT_MAX];
		int error = route_find(*state, &to, &route);

		if (error != rows[i].error)
			fail_msg("%s: %d instead of %d", rows[i].to, error, rows[i].error);
		if (error) {
			assert_int_equal(route.ifindex, 77);
			continue;
		}
		assert_string_equal(addr_format(&route.next_hop, text), rows[i].next_hop);
		assert_int_equal(route.is_local, rows[i].is_local);
		/* The loopback address of IPv4 is on lo, a local one of IPv6 may be told by its own device. */
		if (!route.is_local)
			assert_int_equal(route.ifindex, if_nametoindex(rows[i].device));
	}
}

static void route_neighbour_in_use_is_asked_for(void **state)
{
	static const char *const rows[][2] = {
		{"192.0.2.7", "neigh show 192.0.2.7 dev wr0"},
		{"198.51.100.7", "neigh show 192.0.2.254 dev wr0"},
		{"2001:db8::7", "-6 neigh show 2001:db8::7 dev wr0"},
	};

	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct addr to = addr_of(rows[i][0]);
		struct route route;

		assert_int_equal(route_find(*state, &to, &route), 0);
		assert_false(ip_says(rows[i][1], "INCOMPLETE"));
		assert_int_equal(route_use_neighbour(*state, &route), 0);
		assert_true(ip_says(rows[i][1], "INCOMPLETE"));
		assert_int_equal(route_use_neighbour(*state, &route), 0);
	}
}

static void route_neighbour_that_is_old_is_confirmed(void **state)
{
	struct addr to = addr_of("192.0.2.8");
	struct route route;

	if (geteuid() != 0)
		skip();
	ip("neigh add 192.0.2.8 dev wr0 lladdr 02:00:00:00:00:08 nud stale");
	assert_int_equal(route_find(*state, &to, &route), 0);
	assert_int_equal(route_use_neighbour(*state, &route), 0);
	assert_true(ip_says("neigh show 192.0.2.8 dev wr0", "02:00:00:00:00:08 DELAY"));
}

static void route_neighbour_that_is_permanent_stays_so(void **state)
{
	struct addr to = addr_of("192.0.2.9");
	struct route route;

	if (geteuid() != 0)
		skip();
	ip("neigh add 192.0.2.9 dev wr0 lladdr 02:00:00:00:00:09 nud permanent");
	assert_int_equal(route_find(*state, &to, &route), 0);
	assert_int_equal(route_use_neighbour(*state, &route), 0);
	assert_true(ip_says("neigh show 192.0.2.9 dev wr0", "02:00:00:00:00:09 PERMANENT"));
}

static void route_device_tells_its_kind(void **state)
{
	struct route_device device;

	if (geteuid() != 0)
		skip();
	assert_int_equal(route_device_find(*state, if_nametoindex("wr0"), &device), 0);
	assert_string_equal(device.name, "wr0");
	assert_string_equal(device.kind, "veth");
	assert_string_equal(device.parent, "");
	ip("link add wrb type bridge");
	assert_int_equal(route_device_find(*state, if_nametoindex("wrb"), &device), 0);
	assert_string_equal(device.kind, "bridge");
	ip("link del wrb");
	assert_int_equal(route_device_find(*state, 99999, &device), -ENODEV);
	assert_string_equal(device.kind, "bridge");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(route_table_answered),
		cmocka_unit_test(route_neighbour_in_use_is_asked_for),
		cmocka_unit_test(route_neighbour_that_is_old_is_confirmed),
		cmocka_unit_test(route_neighbour_that_is_permanent_stays_so),
		cmocka_unit_test(route_device_tells_its_kind),
	};

	if (geteuid() != 0)
		printf("skipped: a network of its own needs root\n");
	else if (unshare(CLONE_NEWNET)) {
		perror("a network of its own");
		return 1;
	}
	return cmocka_run_group_tests_name("route", tests, setup, teardown);
}
