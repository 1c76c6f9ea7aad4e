/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit tests of user/config: how errors are told, and what the full form comes to. */
#include "tests/unit/config_refusal.h"

#include <netinet/in.h>

static struct config *parse(const char *text)
{
	return accepted_as("f", text);
}

static void config_errors_come_in_order_of_place_with_line_and_caret(void **state)
{
	static const char text[] = "services: [{address: 192.0.2.1, ports: [tcp/80], pools: [nix]}]\n"
				   "interfaces: [a b]\n"
				   "control: {sockt: /x}\n";
	struct config_errors errors = {};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_parse("weir.yaml", text, strlen(text), &config, &errors), -EINVAL);
	assert_int_equal(errors.count, 3);
	assert_string_equal(errors.text, "weir.yaml:1:58: there is no pool \"nix\"\n"
					 "    1 | services: [{address: 192.0.2.1, ports: [tcp/80], pools: [nix]}]\n"
					 "      |                                                          ^\n"
					 "weir.yaml:2:14: \"a b\" cannot be the name of an interface\n"
					 "    2 | interfaces: [a b]\n"
					 "      |              ^\n"
					 "weir.yaml:3:11: unknown key \"sockt\" in control; did you mean \"socket\"?\n"
					 "    3 | control: {sockt: /x}\n"
					 "      |           ^\n");
	config_errors_free(&errors);
}

static void config_errors_count_characters_not_bytes_and_hide_controls(void **state)
{
	static const char text[] = "control: {\"\xc3\xa9\xc2\x9b\": x, nope\x7f: y}\n";
	struct config_errors errors = {};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_parse("f", text, strlen(text), &config, &errors), -EINVAL);
	assert_non_null(strstr(errors.text, "unknown key \"\xc3\xa9?\" in control"));
	assert_null(strstr(errors.text, "\xc2\x9b"));
	assert_null(strchr(errors.text, 0x7f));
	config_errors_free(&errors);
	assert_refused("control: {a\xc3\xa9: 1, b: 2}\n", 24, "f:1:18: unknown key \"b\"");
}

static void config_errors_stop_at_fifty_and_say_so(void **state)
{
	char text[4096] = "";
	struct config_errors errors = {};
	struct config *config = NULL;

	(void)state;
	for (int i = 0; i < 80; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "key%d: 1\n", i);
	assert_int_equal(config_parse("f", text, strlen(text), &config, &errors), -EINVAL);
	assert_int_equal(errors.count, 50);
	assert_non_null(strstr(errors.text, "f:50:1: unknown key"));
	assert_null(strstr(errors.text, "f:51:1:"));
	assert_non_null(strstr(errors.text, "f: there are more errors; these are 50 of them\n"));
	config_errors_free(&errors);
}

static void config_file_that_is_not_there_is_named(void **state)
{
	struct config_errors errors = {};
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load("/nonexistent/weir.yaml", &config, &errors), -ENOENT);
	assert_string_equal(errors.text, "/nonexistent/weir.yaml: cannot be read: No such file or directory\n");
	config_errors_free(&errors);
}

static void assert_addr(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(addr, text), expected);
}

static void config_defaults_work(void **state)
{
	struct config *config = parse("interfaces: []\n");

	(void)state;
	assert_int_equal(config->interfaces_count, 0);
	assert_int_equal(config->settle_ms, 600000);
	assert_int_equal(config->idle_ms, 7200000);
	assert_int_equal(config->steer_seed, 0);
	assert_string_equal(config->otlp.endpoint, "");
	assert_string_equal(config->otlp.metrics_path, "/v1/metrics");
	assert_int_equal(config->otlp.interval_ms, 10000);
	assert_int_equal(config->otlp.timeout_ms, 5000);
	assert_string_equal(config->prometheus_address, "");
	assert_int_equal(config->prometheus_port, 0);
	assert_string_equal(config->control_socket, "/run/weir/control.sock");
	assert_string_equal(config->control_group, "");
	assert_string_equal(config->pin_directory, "/sys/fs/bpf/weir");
	assert_string_equal(config->state_directory, "/var/lib/weir");
	assert_true(*config->host_name);
	config_free(config);

	config = parse(SERVICE(VIP));
	assert_int_equal(config->pools[0].forward, WEIR_FORWARD_IPIP);
	assert_int_equal(config->pools[0].min_healthy, 1);
	assert_int_equal(config->pools[0].panic_below_percent, 0);
	assert_int_equal(config->pools[0].ring_size, 0);
	assert_int_equal(config->pools[0].health.type, CONFIG_HEALTH_NONE);
	assert_int_equal(config->pools[0].source4.family, 0);
	assert_int_equal(config->pools[0].backends[0].weight, 1);
	assert_int_equal(config->services[0].fallback, WEIR_FALLBACK_REJECT);
	assert_int_equal(config->services[0].affinity, WEIR_AFFINITY_FLOW);
	config_free(config);

	config = parse(HEALTH("type: http, port: 80, interval: 500ms"));
	assert_string_equal(config->pools[0].health.path, "/");
	assert_string_equal(config->pools[0].health.host, "");
	assert_int_equal(config->pools[0].health.expect_status, 0);
	assert_int_equal(config->pools[0].health.interval_ms, 500);
	assert_int_equal(config->pools[0].health.timeout_ms, 500);
	assert_int_equal(config->pools[0].health.rise, 2);
	assert_int_equal(config->pools[0].health.fall, 3);
	config_free(config);
}

static void config_unnamed_parts_get_names_from_their_content(void **state)
{
	struct config *config = parse("limits: [{rate: 10k/s}, {rate: 200Mbit/s, key: \"source/24,/56\"}]\n"
				      "pools: {p: {backends: [{address: 10.0.0.1}, {address: \"2001:db8::1\"}]}}\n"
				      "services: [{address: \"2001:db8::10\", ports: [tcp/80], pools: p},\n"
				      " {address: 192.0.2.1, ports: icmp, pools: p}]\n");

	(void)state;
	assert_string_equal(config->limits[0].name, "source-10000pps");
	assert_string_equal(config->limits[1].name, "source-24-56-200000000bps");
	assert_string_equal(config->pools[0].backends[0].name, "10.0.0.1");
	assert_string_equal(config->pools[0].backends[1].name, "2001_db8__1");
	assert_string_equal(config->services[0].name, "2001_db8__10-tcp-80");
	assert_string_equal(config->services[1].name, "192.0.2.1-icmp");
	config_free(config);
}

static void config_units_come_to_numbers(void **state)
{
	static const struct {
		const char *text;
		enum config_limit_unit unit;
		double rate, burst;
	} rows[] = {
		{"rate: 2000/s", CONFIG_PER_PACKET, 2000, 2000},
		{"rate: 10k/s, burst: 4k", CONFIG_PER_PACKET, 10000, 4000},
		{"rate: 1.5k/m", CONFIG_PER_PACKET, 25, 25},
		{"rate: 1/h", CONFIG_PER_PACKET, 1 / 3600.0, 1},
		{"rate: 200Mbit/s", CONFIG_PER_BIT, 2e8, 2e8},
		{"rate: 6Gbit/m, burst: 1MiB", CONFIG_PER_BIT, 1e8, 8388608},
		{"rate: 1kbit/s", CONFIG_PER_BIT, 1000, 12144},
		{"rate: 1Mbit/s, burst: 64kB", CONFIG_PER_BIT, 1e6, 512000},
	};
	static const struct {
		const char *text;
		uint32_t ms;
	} durations[] = {{"500ms", 500},  {"2s", 2000},	   {"1.5s", 1500},
			 {"10m", 600000}, {"1h", 3600000}, {"4h", 14400000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		struct config *config;

		snprintf(text, sizeof(text), "limits:\n- {%s}\n", rows[i].text);
		config = parse(text);
		assert_int_equal(config->limits[0].unit, rows[i].unit);
		assert_true(config->limits[0].rate_per_s == rows[i].rate);
		assert_true(config->limits[0].burst == rows[i].burst);
		config_free(config);
	}
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		char text[256];
		struct config *config;

		snprintf(text, sizeof(text), "steering: {settle: %s}\n", durations[i].text);
		config = parse(text);
		assert_int_equal(config->settle_ms, durations[i].ms);
		config_free(config);
	}
}

static void config_any_and_named_ports_of_one_vip_may_meet(void **state)
{
	struct config *config = parse(SERVICE("address: 192.0.2.1, ports: [tcp/any, udp/80], pools: [p]}\n"
					      "- {address: 192.0.2.1, ports: [tcp/1-80, tcp/81, tcp/443], pools: [p]"));

	(void)state;
	assert_int_equal(config->services[0].ports[0].first, 0);
	assert_int_equal(config->services[0].ports[0].last, 0);
	assert_int_equal(config->services[1].ports[0].first, 1);
	assert_int_equal(config->services[1].ports[0].last, 80);
	config_free(config);
}

static void config_yaml_styles_that_editors_write_are_read(void **state)
{
	static const char *const rows[] = {
		"\xef\xbb\xbfinterfaces: [eth0]\n",
		"%YAML 1.2\n---\ninterfaces: [eth0]\n...\n",
		"interfaces:\r\n- eth0\r\n",
		"interfaces: [\n  eth0,\n]\n",
		"\"interfaces\": [\"eth0\"]",
		"{interfaces: ['eth0']}",
		"interfaces:\n  - name: eth0 # comment\n",
		"interfaces: [{\"name\":\"eth0\",\"mode\":\"auto\"}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = parse(rows[i]);

		assert_int_equal(config->interfaces_count, 1);
		assert_string_equal(config->interfaces[0].name, "eth0");
		config_free(config);
	}
}

static void check_example_edge(const struct config *config)
{
	char text[ADDR_TEXT_MAX];

	assert_int_equal(config->interfaces_count, 2);
	assert_string_equal(config->interfaces[0].name, "eth0");
	assert_int_equal(config->interfaces[0].mode, CONFIG_XDP_AUTO);
	assert_int_equal(config->interfaces[1].mode, CONFIG_XDP_GENERIC);
	assert_int_equal(config->protects_count, 2);
	assert_int_equal(config->protects[0].from_count, 2);
	assert_string_equal(prefix_format(&config->protects[0].from[1], text), "2001:db8:5::/48");
	assert_int_equal(config->protects[0].ports_count, 2);
	assert_int_equal(config->protects[0].ports[0].protocol, IPPROTO_TCP);
	assert_int_equal(config->protects[0].ports[0].first, 22);
	assert_int_equal(config->protects[0].ports[0].last, 22);
	assert_int_equal(config->protects[1].ports_count, 0);
	assert_int_equal(config->limits_count, 3);
	assert_true(config->limits[2].by_rule);
	assert_string_equal(config->limits[0].name, "per-client");
	assert_int_equal(config->limits[0].prefix4, 32);
	assert_int_equal(config->limits[0].prefix6, 128);
	assert_true(config->limits[0].burst == 4000);
	assert_int_equal(config->limits[1].prefix4, 24);
	assert_int_equal(config->limits[1].prefix6, 56);
	assert_int_equal(config->limits[1].unit, CONFIG_PER_BIT);
	assert_true(config->limits[1].burst == 2e8);
}

static void check_example_filter(const struct config *config)
{
	assert_int_equal(config->sets_count, 4);
	assert_int_equal(config->sets[0].prefixes_count, 2);
	assert_string_equal(config->sets[1].path, "docs/lists/firehol.netset");
	assert_int_equal(config->sets[1].max_change_percent, 30);
	assert_int_equal(config->sets[2].regions_count, 3);
	assert_string_equal(config->sets[2].path, "docs/country.mmdb");
	assert_int_equal(config->sets[3].regions_count, 2);
	assert_int_equal(config->sets[3].regions[1].number, 64511);
	assert_int_equal(config->filter.rules_count, 10);
	assert_int_equal(config->filter.rules[1].from_count, 2);
	assert_int_equal(config->filter.rules[5].mode, CONFIG_RULE_SHADOW);
	assert_int_equal(config->filter.rules[8].action, CONFIG_ACTION_MARK);
	assert_int_equal(config->filter.rules[8].mark, 0x10);
	assert_int_equal(config->filter.rules[9].action, CONFIG_ACTION_LIMIT);
	assert_int_equal(config->filter.rules[9].limit, 2);
}

static void check_example_pools(const struct config *config)
{
	const struct config_pool *local = &config->pools[0], *rack = &config->pools[1];

	assert_int_equal(config->pools_count, 2);
	assert_string_equal(local->name, "local");
	assert_int_equal(local->forward, WEIR_FORWARD_IPIP);
	assert_int_equal(local->backends_count, 3);
	assert_string_equal(local->backends[2].name, "cache3");
	assert_addr(&local->backends[2].address, "2001:db8:10::13");
	assert_int_equal(local->backends[2].weight, 5);
	assert_int_equal(local->health.type, CONFIG_HEALTH_HTTP);
	assert_int_equal(local->health.port, 8080);
	assert_string_equal(local->health.path, "/healthz");
	assert_string_equal(local->health.host, "health.example.net");
	assert_string_equal(local->health.expect_body, "ok");
	assert_int_equal(local->health.expect_status, 200);
	assert_int_equal(local->panic_below_percent, 50);
	assert_int_equal(local->ring_size, 4093);
	assert_addr(&local->source4, "10.0.0.1");
	assert_addr(&local->source6, "2001:db8:10::1");
	assert_int_equal(rack->forward, WEIR_FORWARD_L2);
	assert_int_equal(rack->health.type, CONFIG_HEALTH_TCP);
}

static void check_example_services(const struct config *config)
{
	const struct config_service *www = &config->services[0], *downloads = &config->services[1];

	assert_int_equal(config->services_count, 2);
	assert_string_equal(www->name, "www");
	assert_int_equal(www->addresses_count, 2);
	assert_addr(&www->addresses[1], "2001:db8::10");
	assert_int_equal(www->ports_count, 3);
	assert_int_equal(www->ports[2].protocol, IPPROTO_UDP);
	assert_int_equal(www->ports[2].first, 443);
	assert_int_equal(downloads->ports[0].first, 8000);
	assert_int_equal(downloads->ports[0].last, 8099);
	assert_int_equal(downloads->ports[1].protocol, IPPROTO_ICMP);
	assert_int_equal(downloads->ports[1].first, 0);
	assert_int_equal(downloads->pools_count, 2);
	assert_int_equal(downloads->pools[0], 1);
	assert_int_equal(downloads->pools[1], 0);
	assert_int_equal(downloads->affinity, WEIR_AFFINITY_SOURCE);
}

static void config_example_has_every_key_and_is_accepted(void **state)
{
	struct config *config = NULL;
	struct config_errors errors = {};

	(void)state;
	if (config_load("docs/weir.yaml.example", &config, &errors))
		fail_msg("%s", errors.text);
	config_errors_free(&errors);
	check_example_edge(config);
	check_example_filter(config);
	check_example_pools(config);
	check_example_services(config);
	assert_string_equal(config->otlp.endpoint, "http://127.0.0.1:4318");
	assert_string_equal(config->prometheus_address, "127.0.0.1");
	assert_int_equal(config->prometheus_port, 9180);
	assert_string_equal(config->host_name, "edge1.example.net");
	assert_string_equal(config->control_group, "weir");
	config_free(config);
}

static void config_listen_takes_both_families(void **state)
{
	struct config *config = parse("telemetry:\n  prometheus: {listen: \"[::1]:9180\"}\n"
				      "  otlp: {endpoint: \"https://otlp.example.net/base///\"}\n");

	(void)state;
	assert_string_equal(config->prometheus_address, "::1");
	assert_string_equal(config->otlp.endpoint, "https://otlp.example.net/base");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_errors_come_in_order_of_place_with_line_and_caret),
		cmocka_unit_test(config_errors_count_characters_not_bytes_and_hide_controls),
		cmocka_unit_test(config_errors_stop_at_fifty_and_say_so),
		cmocka_unit_test(config_file_that_is_not_there_is_named),
		cmocka_unit_test(config_defaults_work),
		cmocka_unit_test(config_unnamed_parts_get_names_from_their_content),
		cmocka_unit_test(config_units_come_to_numbers),
		cmocka_unit_test(config_any_and_named_ports_of_one_vip_may_meet),
		cmocka_unit_test(config_yaml_styles_that_editors_write_are_read),
		cmocka_unit_test(config_example_has_every_key_and_is_accepted),
		cmocka_unit_test(config_listen_takes_both_families),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
