/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/model: what a change of configuration says about itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/model/model.h"

/* One of everything, in storage of its own, so that a test can change any part of it. */
struct whole {
	struct config config;
	struct config_interface interfaces[2];
	struct config_protect protect;
	struct prefix from[2];
	struct config_ports protect_ports[1];
	struct config_limit limits[2];
	struct config_pool pools[2];
	struct config_backend near[3], far[1];
	struct config_service services[2];
	struct addr addresses[2];
	struct config_ports ports[4];
	size_t order[2];
};

static void set_address(struct addr *out, const char *text)
{
	assert_int_equal(addr_parse(text, out), 0);
}

static void set_prefix(struct prefix *out, const char *text)
{
	assert_int_equal(prefix_parse(text, out), 0);
}

static void fill_pools(struct whole *whole)
{
	strcpy(whole->near[0].name, "cache1");
	strcpy(whole->near[1].name, "cache2");
	strcpy(whole->near[2].name, "cache3");
	strcpy(whole->far[0].name, "cache1");
	for (size_t i = 0; i < 3; i++) {
		set_address(&whole->near[i].address, "10.0.0.11");
		whole->near[i].weight = 1;
	}
	set_address(&whole->far[0].address, "2001:db8::11");
	whole->pools[0] = (struct config_pool){.name = "local",
					       .forward = WEIR_FORWARD_IPIP,
					       .backends = whole->near,
					       .backends_count = 2,
					       .min_healthy = 1};
	whole->pools[1] = (struct config_pool){.name = "far",
					       .forward = WEIR_FORWARD_IPIP,
					       .backends = whole->far,
					       .backends_count = 1,
					       .min_healthy = 1};
	whole->order[1] = 1;
}

static void fill_service(struct whole *whole)
{
	set_address(&whole->addresses[0], "198.51.100.10");
	set_address(&whole->addresses[1], "2001:db8::10");
	whole->ports[0] = (struct config_ports){.protocol = IPPROTO_TCP, .first = 80, .last = 80};
	whole->ports[1] = (struct config_ports){.protocol = IPPROTO_TCP, .first = 8000, .last = 8099};
	whole->ports[2] = (struct config_ports){.protocol = IPPROTO_UDP};
	whole->ports[3] = (struct config_ports){.protocol = IPPROTO_ICMP};
	for (size_t i = 0; i < 2; i++)
		whole->services[i] = (struct config_service){.addresses = whole->addresses,
							     .addresses_count = 1,
							     .ports = whole->ports,
							     .ports_count = 1,
							     .pools = whole->order,
							     .pools_count = 1};
	strcpy(whole->services[0].name, "www");
	strcpy(whole->services[1].name, "dns");
}

static struct whole *make_whole(void)
{
	struct whole *whole = calloc(1, sizeof(*whole));

	assert_non_null(whole);
	strcpy(whole->interfaces[0].name, "eth0");
	strcpy(whole->interfaces[1].name, "eth1");
	set_prefix(&whole->from[0], "192.0.2.0/24");
	set_prefix(&whole->from[1], "2001:db8:5::/48");
	whole->protect_ports[0] = (struct config_ports){.protocol = IPPROTO_TCP, .first = 22, .last = 22};
	whole->protect = (struct config_protect){
		.from = whole->from, .from_count = 2, .ports = whole->protect_ports, .ports_count = 1};
	whole->limits[0] = (struct config_limit){
		.name = "per-client", .prefix4 = 32, .prefix6 = 128, .rate_per_s = 2000, .burst = 4000};
	whole->limits[1] = (struct config_limit){.name = "per-net",
						 .prefix4 = 24,
						 .prefix6 = 56,
						 .unit = CONFIG_PER_BIT,
						 .rate_per_s = 2e8,
						 .burst = 2e8};
	fill_pools(whole);
	fill_service(whole);
	whole->config = (struct config){
		.interfaces = whole->interfaces,
		.interfaces_count = 1,
		.protects = &whole->protect,
		.protects_count = 1,
		.limits = whole->limits,
		.limits_count = 1,
		.pools = whole->pools,
		.pools_count = 2,
		.services = whole->services,
		.services_count = 1,
		.settle_ms = 600000,
		.idle_ms = 7200000,
	};
	return whole;
}

static void no_change(struct whole *whole)
{
	whole->config.path[0] = 'x';
	whole->near[0].place.line = 7;
}

static void reorder_backends(struct whole *whole)
{
	struct config_backend first = whole->near[0];

	whole->near[0] = whole->near[1];
	whole->near[1] = first;
}

static void add_backend(struct whole *whole)
{
	whole->pools[0].backends_count = 3;
}

static void remove_backend(struct whole *whole)
{
	whole->pools[0].backends_count = 1;
}

static void change_backend(struct whole *whole)
{
	whole->near[1].weight = 10;
	set_address(&whole->near[1].address, "10.0.0.12");
}

static void remove_pool(struct whole *whole)
{
	whole->config.pools_count = 1;
}

static void change_pool(struct whole *whole)
{
	whole->pools[0].forward = WEIR_FORWARD_L2;
	whole->pools[0].health = (struct config_health){
		.type = CONFIG_HEALTH_TCP, .port = 80, .interval_ms = 2000, .timeout_ms = 1000, .rise = 2, .fall = 3};
	whole->pools[0].panic_below_percent = 50;
	whole->pools[0].min_healthy = 2;
	whole->pools[0].ring_size = 4093;
	set_address(&whole->pools[0].source4, "192.0.2.7");
}

static void add_service(struct whole *whole)
{
	whole->config.services_count = 2;
}

static void change_service(struct whole *whole)
{
	whole->services[0].addresses_count = 2;
	whole->services[0].ports_count = 4;
	whole->services[0].pools_count = 2;
	whole->services[0].fallback = WEIR_FALLBACK_KERNEL;
	whole->services[0].affinity = WEIR_AFFINITY_SOURCE;
}

static void change_limits(struct whole *whole)
{
	whole->limits[0].rate_per_s = 2500;
	whole->limits[0].prefix4 = 24;
	whole->config.limits_count = 2;
}

static void change_protect(struct whole *whole)
{
	whole->protect.from_count = 1;
	whole->protect.ports_count = 0;
}

static void change_interfaces(struct whole *whole)
{
	whole->config.interfaces_count = 2;
	whole->interfaces[0].mode = CONFIG_XDP_GENERIC;
}

static void change_settings(struct whole *whole)
{
	whole->config.steer_seed = 7;
	whole->config.settle_ms = 1000;
	whole->config.idle_ms = 60000;
	strcpy(whole->config.otlp.endpoint, "http://127.0.0.1:4318");
	strcpy(whole->config.prometheus_address, "127.0.0.1");
	whole->config.prometheus_port = 9180;
	strcpy(whole->config.control_group, "weir");
}

static void model_diff_change_is_told_in_one_line_each(void **state)
{
	static const struct {
		void (*change)(struct whole *whole);
		int lines;
		const char *text;
	} rows[] = {
		{no_change, 0, ""},
		{reorder_backends, 0, ""},
		{add_backend, 1, "backend local/cache3 added\n"},
		{remove_backend, 1, "backend local/cache2 removed\n"},
		{change_backend, 2,
		 "backend local/cache2: address 10.0.0.11 -> 10.0.0.12\n"
		 "backend local/cache2: weight 1 -> 10\n"},
		{remove_pool, 2, "pool far removed\nbackend far/cache1 removed\n"},
		{change_pool, 6,
		 "pool local: forward ipip -> l2\n"
		 "pool local: health none -> tcp port 80 every 2000 ms, timeout 1000 ms, rise 2, fall 3\n"
		 "pool local: panic_below 0% -> 50%\n"
		 "pool local: min_healthy 1 -> 2\n"
		 "pool local: ring_size automatic -> 4093\n"
		 "pool local: source (IPv4) automatic -> 192.0.2.7\n"},
		{add_service, 1, "service dns added\n"},
		{change_service, 5,
		 "service www: address 198.51.100.10 -> 198.51.100.10, 2001:db8::10\n"
		 "service www: ports tcp/80 -> tcp/80, tcp/8000-8099, udp/any, icmp\n"
		 "service www: pools local -> local, far\n"
		 "service www: fallback reject -> kernel\n"
		 "service www: affinity flow -> source\n"},
		{change_limits, 3,
		 "limit per-client: key source/32,/128 -> source/24,/128\n"
		 "limit per-client: rate 2000 packets/s -> 2500 packets/s\n"
		 "limit per-net added\n"},
		{change_protect, 2,
		 "protect from 192.0.2.0/24 (everything) added\n"
		 "protect from 192.0.2.0/24, 2001:db8:5::/48 (tcp/22) removed\n"},
		{change_interfaces, 2,
		 "interface eth0: mode auto -> generic\n"
		 "interface eth1 added\n"},
		{change_settings, 6,
		 "setting telemetry: otlp endpoint off -> http://127.0.0.1:4318\n"
		 "setting telemetry: prometheus off -> 127.0.0.1 port 9180\n"
		 "setting controller: steering seed 0 -> 7\n"
		 "setting controller: steering settle 600000 ms -> 1000 ms\n"
		 "setting controller: steering idle 7200000 ms -> 60000 ms\n"
		 "setting controller: group none -> weir\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct whole *old AUTO_FREE = make_whole(), *new AUTO_FREE = make_whole();
		char *text AUTO_FREE = NULL;

		rows[i].change(new);
		assert_int_equal(model_diff(&old->config, &new->config, &text), rows[i].lines);
		assert_string_equal(text, rows[i].text);
	}
}

static void model_diff_from_nothing_adds_everything(void **state)
{
	struct whole *whole AUTO_FREE = make_whole();
	char *text AUTO_FREE = NULL;

	(void)state;
	assert_int_equal(model_diff(NULL, &whole->config, &text), 9);
	assert_string_equal(text, "interface eth0 added\n"
				  "protect from 192.0.2.0/24, 2001:db8:5::/48 (tcp/22) added\n"
				  "limit per-client added\n"
				  "pool far added\n"
				  "pool local added\n"
				  "backend far/cache1 added\n"
				  "backend local/cache1 added\n"
				  "backend local/cache2 added\n"
				  "service www added\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(model_diff_change_is_told_in_one_line_each),
		cmocka_unit_test(model_diff_from_nothing_adds_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
