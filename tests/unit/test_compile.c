/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/compile: images and their capacities. */
#include "pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "user/base/scope.h"
#include "user/compile/compile.h"

static struct addr address(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct prefix prefix(const char *text)
{
	struct prefix out;

	assert_int_equal(prefix_parse(text, &out), 0);
	return out;
}

static const struct compile_vip *find_vip(const struct compile_image *image, const char *text)
{
	struct addr addr = address(text);

	for (size_t i = 0; i < image->vips_count; i++)
		if (image->vips[i].key.family == addr.family &&
		    memcmp(&image->vips[i].key.address, &addr.bytes, sizeof(addr.bytes)) == 0)
			return &image->vips[i];
	return NULL;
}

/* The service of a port, -1 when it has none. */
static int find_port(const struct compile_image *image, const char *vip, uint8_t protocol, uint16_t port)
{
	const struct compile_vip *entry = find_vip(image, vip);

	assert_non_null(entry);
	for (size_t i = 0; i < image->ports_count; i++) {
		const struct weir_port_key *key = &image->ports[i].key;

		if (key->vip == entry->value && key->protocol == protocol && key->port == htons(port))
			return (int)image->ports[i].value;
	}
	return -1;
}

static void expect_vips_and_ports(const struct compile_image *image)
{
	assert_int_equal(image->vips_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(image->vips[i].value, i);
	assert_int_equal(image->ports_count, 2 * 5 + 2 * 2);
	assert_int_equal(find_port(image, "198.51.100.10", IPPROTO_TCP, 80), 0);
	assert_int_equal(find_port(image, "2001:db8::10", IPPROTO_TCP, 8000), 0);
	assert_int_equal(find_port(image, "2001:db8::10", IPPROTO_TCP, 8003), 0);
	assert_int_equal(find_port(image, "2001:db8::10", IPPROTO_TCP, 8004), -1);
	assert_int_equal(find_port(image, "198.51.100.10", IPPROTO_UDP, 0), 1);
	assert_int_equal(find_port(image, "198.51.100.9", IPPROTO_ICMP, 0), 1);
	assert_int_equal(find_port(image, "198.51.100.9", IPPROTO_TCP, 80), -1);
	assert_null(find_vip(image, "2001:db8::11"));
}

static void expect_rings(const struct compile_image *image)
{
	/* Two areas a route; both services point at the first area of theirs. */
	assert_int_equal(image->slots_count, 4 * 1021);
	assert_int_equal(image->routes[1].base, 2 * 1021);
	assert_int_equal(image->rings[0].base, 2 * 1021);
	assert_int_equal(image->rings[0].size, 1021);
	assert_memory_equal(&image->rings[0], &image->rings[1], sizeof(struct weir_ring));
	assert_int_equal(image->rings[2].base, 0);
	assert_int_equal(image->rings[2].size, 1021);
	for (uint32_t i = 0; i < 1021; i++) {
		assert_int_equal(image->slots[i].current, 0);
		assert_int_equal(image->slots[2 * 1021 + i].current, 40);
		assert_int_equal(image->slots[1021 + i].current, 0);
		assert_int_equal(image->slots[3 * 1021 + i].current, 0);
	}
}

static void expect_backends(const struct compile_image *image)
{
	assert_int_equal(image->backends_count, 41);
	assert_int_equal(image->backends[40].forward, WEIR_FORWARD_IPIP);
	assert_int_equal(image->backends[40].family, WEIR_IPV4);
	assert_int_equal(image->backends[40].address.word[0], htonl(0x0a000001));
	assert_int_equal(image->backends[40].source.word[0], htonl(0x0a0000fe));
	assert_int_equal(image->backends[39].forward, 0);
}

static void compile_build_services_share_pools_and_vips(void **state)
{
	struct addr www[] = {address("198.51.100.10"), address("2001:db8::10")};
	struct addr dns[] = {address("198.51.100.10"), address("198.51.100.9")};
	struct config_ports www_ports[] = {{IPPROTO_TCP, 80, 80, {0, 0}}, {IPPROTO_TCP, 8000, 8003, {0, 0}}};
	struct config_ports dns_ports[] = {{IPPROTO_UDP, 0, 0, {0, 0}}, {IPPROTO_ICMP, 0, 0, {0, 0}}};
	struct config_service services[] = {
		{.name = "www", .addresses = www, .addresses_count = 2, .ports = www_ports, .ports_count = 2},
		{.name = "dns",
		 .addresses = dns,
		 .addresses_count = 2,
		 .ports = dns_ports,
		 .ports_count = 2,
		 .fallback = WEIR_FALLBACK_KERNEL,
		 .affinity = WEIR_AFFINITY_SOURCE},
		{.name = "off"},
	};
	struct config config = {.services = services, .services_count = 3, .steer_seed = 77};
	struct model_pool pools[] = {make_pool(2, 1021), make_pool(1, 1021)};
	struct model_service model_services[] = {
		{.id = 5, .config = &services[0], .pool = 1, .route = 1},
		{.id = 3, .config = &services[1], .pool = 1, .route = 1},
		{.id = 9, .config = &services[2], .pool = -1, .route = 0},
	};
	struct model_route routes[] = {{.pool = -1, .ring_size = 1021}, {.pool = 1, .ring_size = 1021}};
	struct model model = {.config = &config,
			      .pools = pools,
			      .pools_count = 2,
			      .routes = routes,
			      .routes_count = 2,
			      .services = model_services,
			      .services_count = 3};
	struct compile_image *image;
	struct problem problem;

	(void)state;
	pools[1].backends[0] = (struct model_backend){
		.id = 40,
		.name = "other/b",
		.address = address("10.0.0.1"),
		.source = address("10.0.0.254"),
		.forward = WEIR_FORWARD_IPIP,
		.weight = 1,
		.takes_new = true,
		.keeps_old = true,
	};
	assert_int_equal(compile_build(&model, &image, &problem), 0);
	assert_int_equal(image->policy.generation, 0);
	assert_int_equal(image->policy.steer_seed, 77);

	expect_vips_and_ports(image);
	assert_int_equal(image->services_count, 3);
	assert_int_equal(image->services[1].id, 3);
	assert_int_equal(image->services[1].fallback, WEIR_FALLBACK_KERNEL);
	assert_int_equal(image->services[1].affinity, WEIR_AFFINITY_SOURCE);
	expect_rings(image);
	expect_backends(image);
	compile_free(image);
	free(pools[0].backends);
	free(pools[1].backends);
}

static void compile_build_protects_have_a_bit_a_prefix(void **state)
{
	struct prefix office[] = {prefix("192.0.2.0/24"), prefix("2001:db8:5::/48")}, peer[] = {prefix("10.0.0.1")};
	struct prefix jump[] = {prefix("10.0.0.2")};
	struct config_ports office_ports[] = {{IPPROTO_TCP, 22, 22, {0, 0}}, {IPPROTO_UDP, 60000, 60002, {0, 0}}};
	struct config_ports jump_ports[] = {{IPPROTO_TCP, 0, 0, {0, 0}}};
	struct config_protect protects[] = {
		{.from = office, .from_count = 2, .ports = office_ports, .ports_count = 2},
		{.from = peer, .from_count = 1},
		{.from = jump, .from_count = 1, .ports = jump_ports, .ports_count = 1},
	};
	struct config config = {.protects = protects, .protects_count = 3};
	struct model model = {.config = &config};
	static const struct {
		uint32_t index;
		uint64_t bits;
	} rows[] = {
		{22, 3 | 8},
		{21, 8},
		{0, 8},
		{65535, 8},
		{WEIR_PROTECT_UDP + 22, 0},
		{WEIR_PROTECT_UDP + 59999, 0},
		{WEIR_PROTECT_UDP + 60000, 3},
		{WEIR_PROTECT_UDP + 60002, 3},
		{WEIR_PROTECT_UDP + 60003, 0},
	};
	struct compile_image *image;
	struct problem problem;

	(void)state;
	assert_int_equal(compile_build(&model, &image, &problem), 0);
	assert_int_equal(image->policy.protects, 4);
	assert_int_equal(image->protects_count, 4);
	assert_int_equal(image->policy.protect_any, 1 << 2);
	assert_int_equal(image->protects[0].family, WEIR_IPV4);
	assert_int_equal(image->protects[0].address.word[0], htonl(0xc0000200));
	assert_int_equal(image->protects[0].mask.word[0], htonl(0xffffff00));
	assert_int_equal(image->protects[1].family, WEIR_IPV6);
	assert_int_equal(image->protects[1].mask.word[1], htonl(0xffff0000));
	assert_int_equal(image->protect_ports_count, WEIR_PROTECT_PORTS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(image->protect_ports[rows[i].index], rows[i].bits);
	compile_free(image);
}

static void compile_build_nothing_configured_is_an_empty_image(void **state)
{
	struct config config = {0};
	struct model model = {.config = &config};
	struct compile_image *image;
	struct problem problem;

	(void)state;
	assert_int_equal(compile_build(&model, &image, &problem), 0);
	assert_int_equal(image->protect_ports_count, 1);
	assert_int_equal(image->protect_ports[0], 0);
	assert_int_equal(image->policy.protect_any, 0);
	for (size_t i = 0; i < WEIR_VIP_FILTER_WORDS; i++)
		assert_int_equal(image->policy.vip_filter[i], 0);
	assert_int_equal(image->backends_count, 1);
	assert_int_equal(image->slots_count + image->vips_count + image->ports_count + image->limits_count, 0);
	compile_free(image);
}

static bool filter_has(const struct compile_image *image, const struct weir_addr *address)
{
	uint32_t bit = weir_vip_bit(address);

	assert_true(bit < 64 * WEIR_VIP_FILTER_WORDS);
	return image->policy.vip_filter[bit / 64] >> bit % 64 & 1;
}

/* An address with n's bits spread over all words that its family has. */
static struct addr spread(uint32_t n, uint8_t family)
{
	struct addr addr = {.family = family};

	for (int word = 0; word < (family == WEIR_IPV4 ? 1 : 4); word++)
		addr.bytes.word[word] = (n + 1) * (0x9e3779b1u + 2 * word);
	return addr;
}

/* No VIP without its bit, no bit without its VIP. */
static void compile_build_vip_filter_has_the_vips_and_no_more(void **state)
{
	static const size_t counts[] = {1, 16, 255, 1000, WEIR_MAX_VIPS};
	struct addr *addresses AUTO_FREE = calloc(WEIR_MAX_VIPS, sizeof(*addresses));
	struct config_service service = {.name = "s", .addresses = addresses};
	struct config config = {.services = &service, .services_count = 1};
	struct model_service model_service = {.id = 1, .config = &service, .pool = -1};
	struct model_route route = {.pool = -1, .ring_size = 11};
	struct model model = {.config = &config, .routes = &route, .routes_count = 1, .services = &model_service};
	struct problem problem;

	(void)state;
	assert_non_null(addresses);
	model.services_count = 1;
	for (size_t i = 0; i < WEIR_MAX_VIPS; i++)
		addresses[i] = spread(i, i % 3 ? WEIR_IPV4 : WEIR_IPV6);
	for (size_t row = 0; row < ARRAY_SIZE(counts); row++) {
		struct weir_policy expected = {0};
		struct compile_image *image;

		service.addresses_count = counts[row];
		assert_int_equal(compile_build(&model, &image, &problem), 0);
		for (size_t i = 0; i < counts[row]; i++) {
			uint32_t bit = weir_vip_bit(&addresses[i].bytes);

			assert_true(filter_has(image, &addresses[i].bytes));
			expected.vip_filter[bit / 64] |= 1ull << bit % 64;
		}
		assert_memory_equal(expected.vip_filter, image->policy.vip_filter, sizeof(expected.vip_filter));
		compile_free(image);
	}
}

/* The addresses of an IPv4 /24 and of an IPv6 /120 have bits of their own, as many as there are. */
static void compile_vip_bit_neighbours_do_not_meet(void **state)
{
	(void)state;
	for (int family = WEIR_IPV4; family <= WEIR_IPV6; family += 2) {
		bool seen[64 * WEIR_VIP_FILTER_WORDS] = {0};

		for (int host = 0; host < 256; host++) {
			struct addr addr = address(family == WEIR_IPV4 ? "198.51.100.0" : "2001:db8:10::");
			uint32_t bit;

			((uint8_t *)&addr.bytes)[family == WEIR_IPV4 ? 3 : 15] = (uint8_t)host;
			bit = weir_vip_bit(&addr.bytes);
			assert_false(seen[bit]);
			seen[bit] = true;
		}
	}
}

static void compile_build_protected_icmp_port_is_refused(void **state)
{
	struct prefix from = prefix("192.0.2.0/24");
	struct config_ports ports = {IPPROTO_ICMP, 0, 0, {7, 9}};
	struct config_protect protect = {.from = &from, .from_count = 1, .ports = &ports, .ports_count = 1};
	struct config config = {.path = "weir.yaml", .protects = &protect, .protects_count = 1};
	struct model model = {.config = &config};
	struct compile_image *image = NULL;
	struct problem problem;

	(void)state;
	assert_int_equal(compile_build(&model, &image, &problem), -EINVAL);
	assert_null(image);
	assert_non_null(strstr(problem.text, "weir.yaml:7:9"));
}

struct oversize {
	struct config config;
	struct config_protect protect;
	struct config_service services[WEIR_MAX_SERVICES + 1];
	struct config_ports ports[2];
	struct model model;
	struct model_service model_services[WEIR_MAX_SERVICES + 1];
	struct model_route routes[65];
	struct model_pool pool;
	struct model_limit limits[WEIR_MAX_LIVE_LIMITS + 1];
	struct addr addresses[WEIR_MAX_VIPS + 1];
	struct prefix prefixes[WEIR_MAX_PROTECT + 1];
};

static void with_services(struct oversize *o, size_t count)
{
	o->config.services_count = o->model.services_count = count;
	o->model.routes_count = 1;
	o->routes[0] = (struct model_route){.pool = -1, .ring_size = 11};
	for (size_t i = 0; i < count; i++)
		o->model_services[i] = (struct model_service){.config = &o->services[i], .pool = -1};
}

static void with_protects(struct oversize *o, size_t count)
{
	for (size_t i = 0; i < count; i++)
		o->prefixes[i] =
			(struct prefix){.addr = {.bytes = {{htonl(i + 1)}}, .family = WEIR_IPV4}, .length = 32};
	o->protect = (struct config_protect){.from = o->prefixes, .from_count = count};
	o->config.protects = &o->protect;
	o->config.protects_count = 1;
}

static void with_vips(struct oversize *o, size_t count)
{
	with_services(o, 1);
	for (size_t i = 0; i < count; i++)
		o->addresses[i] = (struct addr){.bytes = {{htonl(i + 1)}}, .family = WEIR_IPV4};
	o->services[0].addresses = o->addresses;
	o->services[0].addresses_count = count;
}

/* Two addresses of two ranges each come to WEIR_MAX_PORTS at most. */
static void with_ports(struct oversize *o, size_t count)
{
	with_vips(o, 2);
	o->ports[0] = (struct config_ports){.protocol = IPPROTO_TCP, .first = 1, .last = 65535};
	o->ports[1] = (struct config_ports){.protocol = IPPROTO_UDP, .first = 1, .last = count / 2 - 65535};
	o->services[0].ports = o->ports;
	o->services[0].ports_count = 2;
}

static void with_limits(struct oversize *o, size_t count)
{
	o->model.limits_count = count;
}

static void with_routes(struct oversize *o, size_t count)
{
	o->model.routes_count = count;
	for (size_t i = 0; i < count; i++)
		o->routes[i] = (struct model_route){.pool = -1, .ring_size = 65536};
}

static void with_ring(struct oversize *o, size_t count)
{
	o->model.pools_count = 1;
	o->pool.ring_size = count;
}

static void compile_build_fault_14_what_exceeds_a_capacity_is_refused_by_name(void **state)
{
	static const struct {
		const char *capacity, *way_out;
		void (*fill)(struct oversize *o, size_t count);
		size_t most, step;
	} rows[] = {
		{"WEIR_MAX_SERVICES", "join services", with_services, WEIR_MAX_SERVICES, 1},
		{"WEIR_MAX_PROTECT", "protect", with_protects, WEIR_MAX_PROTECT, 1},
		{"WEIR_MAX_VIPS", "addresses", with_vips, WEIR_MAX_VIPS, 1},
		{"WEIR_MAX_PORTS", "tcp/any", with_ports, WEIR_MAX_PORTS, 2},
		{"WEIR_MAX_LIVE_LIMITS", "limits", with_limits, WEIR_MAX_LIVE_LIMITS, 1},
		{"WEIR_MAX_RING_SLOTS", "ring_size", with_routes, WEIR_MAX_RING_SLOTS / (2 * 65536), 1},
		{"WEIR_MAX_RING)", "ring_size", with_ring, WEIR_MAX_RING, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int over = 0; over < 2; over++) {
			struct oversize *o AUTO_FREE = calloc(1, sizeof(*o));
			struct compile_image *image = NULL;
			struct problem problem = {.text = ""};
			int result;

			assert_non_null(o);
			o->config.services = o->services;
			o->model = (struct model){.config = &o->config,
						  .pools = &o->pool,
						  .routes = o->routes,
						  .services = o->model_services,
						  .limits = o->limits};
			rows[i].fill(o, rows[i].most + (over ? rows[i].step : 0));
			result = compile_build(&o->model, &image, &problem);
			assert_int_equal(result, over ? -E2BIG : 0);
			assert_true(over ? !image : !!image);
			assert_true(!over || strstr(problem.text, rows[i].capacity));
			assert_true(!over || strstr(problem.hint, rows[i].way_out));
			compile_free(image);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compile_build_services_share_pools_and_vips),
		cmocka_unit_test(compile_build_protects_have_a_bit_a_prefix),
		cmocka_unit_test(compile_build_nothing_configured_is_an_empty_image),
		cmocka_unit_test(compile_build_vip_filter_has_the_vips_and_no_more),
		cmocka_unit_test(compile_vip_bit_neighbours_do_not_meet),
		cmocka_unit_test(compile_build_protected_icmp_port_is_refused),
		cmocka_unit_test(compile_build_fault_14_what_exceeds_a_capacity_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
