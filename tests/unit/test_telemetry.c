/* SPDX-License-Identifier: BSD-2-Clause */
/* What a snapshot looks like on the wire: OTLP bytes and Prometheus text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <user/telemetry/telemetry.h>
#include "user/telemetry/otlp.pb-c.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct telemetry_point *add(struct telemetry_points *points, const char *name, const char *unit,
				   const char *help, enum telemetry_type type)
{
	struct telemetry_point *point = telemetry_points_add(points);

	assert_non_null(point);
	point->name = name;
	point->unit = unit;
	point->help = help;
	point->type = type;
	return point;
}

/* Worked out by hand from the field numbers of opentelemetry-proto and the protobuf encoding. */
static void otlp_tiny_request_byte_for_byte(void **state)
{
	static const uint8_t expected[] = {
		0x0a, 83, /* resource_metrics */
		0x0a, 21, /* resource */
		0x0a, 19, /* attributes: key, value */
		0x0a, 12,  's', 'e',  'r', 'v',	 'i', 'c', 'e',	 '.', 'n',
		'a',  'm', 'e', 0x12, 3,   0x0a, 1,   'w', 0x12, 58, /* scope_metrics */
		0x0a, 6,					     /* scope */
		0x0a, 4,   'w', 'e',  'i', 'r',			     /* name */
		0x12, 48,					     /* metrics */
		0x0a, 1,   'a',					     /* name */
		0x3a, 43,					     /* sum */
		0x0a, 37,					     /* data_points */
		0x11, 1,   0,	0,    0,   0,	 0,   0,   0,	     /* start_time_unix_nano, fixed64 */
		0x19, 2,   0,	0,    0,   0,	 0,   0,   0,	     /* time_unix_nano, fixed64 */
		0x31, 3,   0,	0,    0,   0,	 0,   0,   0,	     /* as_int, sfixed64 */
		0x3a, 8,					     /* attributes */
		0x0a, 1,   'k', 0x12, 3,   0x0a, 1,   'v',	     /* key, value.string_value */
		0x10, 2,					     /* aggregation_temporality: cumulative */
		0x18, 1,					     /* is_monotonic */
	};
	struct telemetry_points points = {.start_ns = 1, .time_ns = 2};
	struct telemetry_resource resource = {.service_name = "w"};
	struct telemetry_point *point = add(&points, "a", NULL, NULL, TELEMETRY_SUM);
	uint8_t *bytes = NULL;
	size_t size = 0;

	(void)state;
	point->value = 3;
	telemetry_point_attribute(point, "k", "v");
	assert_int_equal(telemetry_encode_otlp(&points, &resource, &bytes, &size), 0);
	assert_int_equal(size, sizeof(expected));
	assert_memory_equal(bytes, expected, size);
	free(bytes);
	telemetry_points_free(&points);
}

static Weir__Otlp__ExportMetricsServiceRequest *round_trip(const struct telemetry_points *points)
{
	struct telemetry_resource resource = {"weir", "1.2.3", "edge1"};
	Weir__Otlp__ExportMetricsServiceRequest *request;
	uint8_t *bytes = NULL;
	size_t size = 0;

	assert_int_equal(telemetry_encode_otlp(points, &resource, &bytes, &size), 0);
	request = weir__otlp__export_metrics_service_request__unpack(NULL, size, bytes);
	assert_non_null(request);
	free(bytes);
	return request;
}

static void otlp_points_grouped_into_metrics(void **state)
{
	struct telemetry_points points = {.start_ns = 1700000000000000000ull, .time_ns = 1700000010000000000ull};
	Weir__Otlp__ExportMetricsServiceRequest *request;
	Weir__Otlp__ScopeMetrics *scope;
	Weir__Otlp__Resource *resource;
	struct telemetry_point *point;

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		point = add(&points, "weir.backend.packets", "{packet}", "Packets.", TELEMETRY_SUM);
		point->value = i ? (1ull << 62) + i : 0;
		telemetry_point_attribute(point, "pool", "local");
		telemetry_point_attribute(point, "backend", "cache1");
	}
	point = add(&points, "weir.ring.share", "1", "Share.", TELEMETRY_GAUGE);
	point->is_double = true;
	point->value_double = 0.25;

	request = round_trip(&points);
	assert_int_equal(request->n_resource_metrics, 1);
	resource = request->resource_metrics[0]->resource;
	assert_int_equal(resource->n_attributes, 3);
	assert_string_equal(resource->attributes[2]->key, "host.name");
	assert_string_equal(resource->attributes[2]->value->string_value, "edge1");
	scope = request->resource_metrics[0]->scope_metrics[0];
	assert_string_equal(scope->scope->version, "1.2.3");
	assert_int_equal(scope->n_metrics, 2);
	assert_string_equal(scope->metrics[0]->name, "weir.backend.packets");
	assert_string_equal(scope->metrics[0]->unit, "{packet}");
	assert_string_equal(scope->metrics[0]->description, "Packets.");
	assert_int_equal(scope->metrics[0]->data_case, WEIR__OTLP__METRIC__DATA_SUM);
	assert_int_equal(scope->metrics[0]->sum->n_data_points, 3);
	/* A zero is a value too and must not vanish. */
	assert_int_equal(scope->metrics[0]->sum->data_points[0]->value_case,
			 WEIR__OTLP__NUMBER_DATA_POINT__VALUE_AS_INT);
	assert_int_equal(scope->metrics[0]->sum->data_points[2]->as_int, (1ll << 62) + 2);
	assert_int_equal(scope->metrics[0]->sum->data_points[2]->n_attributes, 2);
	assert_string_equal(scope->metrics[0]->sum->data_points[2]->attributes[1]->value->string_value, "cache1");
	assert_int_equal(scope->metrics[0]->sum->data_points[0]->start_time_unix_nano, points.start_ns);
	assert_int_equal(scope->metrics[1]->data_case, WEIR__OTLP__METRIC__DATA_GAUGE);
	assert_true(scope->metrics[1]->gauge->data_points[0]->as_double == 0.25);
	assert_int_equal(scope->metrics[1]->gauge->data_points[0]->start_time_unix_nano, 0);
	assert_int_equal(scope->metrics[1]->gauge->data_points[0]->time_unix_nano, points.time_ns);
	weir__otlp__export_metrics_service_request__free_unpacked(request, NULL);
	telemetry_points_free(&points);
}

static void otlp_counter_reset_carries_new_start_time(void **state)
{
	static const uint64_t starts_ns[] = {100, 900};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct telemetry_points points = {.start_ns = starts_ns[i], .time_ns = 1000};
		Weir__Otlp__ExportMetricsServiceRequest *request;
		Weir__Otlp__Sum *sum;

		add(&points, "a", "1", "A.", TELEMETRY_SUM);
		request = round_trip(&points);
		sum = request->resource_metrics[0]->scope_metrics[0]->metrics[0]->sum;
		assert_int_equal(sum->data_points[0]->start_time_unix_nano, starts_ns[i]);
		weir__otlp__export_metrics_service_request__free_unpacked(request, NULL);
		telemetry_points_free(&points);
	}
}

static void otlp_no_points_is_a_valid_request(void **state)
{
	struct telemetry_points points = {0};
	Weir__Otlp__ExportMetricsServiceRequest *request = round_trip(&points);

	(void)state;
	assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, 0);
	weir__otlp__export_metrics_service_request__free_unpacked(request, NULL);
}

static void attribute_value_kept_short_and_well_formed(void **state)
{
	static const struct {
		const char *sentence, *value, *expected;
	} rows[] = {
		{"plain", "cache1", "cache1"},
		{"two, three and four bytes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f",
		 "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f"},
		{"Latin-1", "caf\xe9!", "caf?!"},
		{"cut within a character", "a\xe2\x82", "a??"},
		{"overlong", "\xc0\xaf", "??"},
		{"a surrogate", "\xed\xa0\x80", "???"},
		{"beyond the last character", "\xf4\x90\x80\x80", "????"},
	};
	struct telemetry_point point = {0};
	char longest[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].sentence);
		memset(&point, 0, sizeof(point));
		telemetry_point_attribute(&point, "k", rows[i].value);
		assert_string_equal(point.attributes[0].value, rows[i].expected);
	}
	/* 94 bytes and a two-byte character do not fit in 95: it goes whole. */
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest + 94, "\xc3\xa9", 2);
	telemetry_point_attribute(&point, "k", longest);
	assert_int_equal(strlen(point.attributes[1].value), 94);
	for (size_t i = 0; i < 9; i++)
		telemetry_point_attribute(&point, "k", "v");
	assert_int_equal(point.attributes_count, TELEMETRY_ATTRIBUTES_MAX);
}

static void prometheus_text_exact(void **state)
{
	static const char expected[] =
		"# HELP weir_packets_total Packets by \\\\ and \\n \"verdict\".\n"
		"# TYPE weir_packets_total counter\n"
		"weir_packets_total{verdict=\"pass\",service_name=\"a\\\\b\\\"c\\nd\"} 18446744073709551615\n"
		"weir_packets_total{verdict=\"drop\"} 0\n"
		"# HELP weir_backend_health Health.\n"
		"# TYPE weir_backend_health gauge\n"
		"weir_backend_health 1\n"
		"# TYPE weir_lag_seconds gauge\n"
		"weir_lag_seconds 0.1\n"
		"weir_lag_seconds +Inf\n"
		"weir_lag_seconds NaN\n"
		"weir_lag_seconds 0.30000000000000004\n";
	static const double lags[] = {0.1, INFINITY, NAN, 0.1 + 0.2};
	struct telemetry_points points = {0};
	struct telemetry_point *point;
	char *text = NULL;
	size_t size = 0;

	(void)state;
	point = add(&points, "weir.packets", "{packet}", "Packets by \\ and \n \"verdict\".", TELEMETRY_SUM);
	point->value = UINT64_MAX;
	telemetry_point_attribute(point, "verdict", "pass");
	telemetry_point_attribute(point, "service.name", "a\\b\"c\nd");
	point = add(&points, "weir.packets", "{packet}", "Packets by \\ and \n \"verdict\".", TELEMETRY_SUM);
	telemetry_point_attribute(point, "verdict", "drop");
	add(&points, "weir.backend.health", "{state}", "Health.", TELEMETRY_GAUGE)->value = 1;
	for (size_t i = 0; i < 4; i++) {
		point = add(&points, "weir.lag", "s", NULL, TELEMETRY_GAUGE);
		point->is_double = true;
		point->value_double = lags[i];
	}
	assert_int_equal(telemetry_encode_prometheus(&points, &text, &size), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(text, expected);
	free(text);
	telemetry_points_free(&points);
}

static void prometheus_names_follow_otlp_rules(void **state)
{
	static const struct {
		const char *name, *unit;
		enum telemetry_type type;
		const char *expected;
	} rows[] = {
		{"weir.traffic", "By", TELEMETRY_SUM, "weir_traffic_bytes_total"},
		{"weir.bytes", "By", TELEMETRY_SUM, "weir_bytes_total"},
		{"weir.backend.bytes", "By", TELEMETRY_SUM, "weir_backend_bytes_total"},
		{"weir.seconds_left", "s", TELEMETRY_GAUGE, "weir_seconds_left"},
		{"weir.secondsleft", "s", TELEMETRY_GAUGE, "weir_secondsleft_seconds"},
		{"weir.check.time", "ms", TELEMETRY_GAUGE, "weir_check_time_milliseconds"},
		{"weir.share", "1", TELEMETRY_GAUGE, "weir_share_ratio"},
		{"weir.applies", "1", TELEMETRY_SUM, "weir_applies_total"},
		{"weir.total.things", "{thing}", TELEMETRY_SUM, "weir_things_total"},
		{"weir.bytes.total", "By", TELEMETRY_SUM, "weir_bytes_total"},
		{"weir.rate", "By/s", TELEMETRY_GAUGE, "weir_rate_bytes_per_second"},
		{"weir.pace", "{packet}/s", TELEMETRY_GAUGE, "weir_pace_per_second"},
		{"weir.odd-name", "", TELEMETRY_GAUGE, "weir_odd_name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct telemetry_points points = {0};
		char *text = NULL, *line;
		size_t size = 0;

		add(&points, rows[i].name, rows[i].unit, NULL, rows[i].type);
		assert_int_equal(telemetry_encode_prometheus(&points, &text, &size), 0);
		line = strchr(text, '\n') + 1;
		line[strcspn(line, " ")] = '\0';
		assert_string_equal(line, rows[i].expected);
		free(text);
		telemetry_points_free(&points);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(otlp_tiny_request_byte_for_byte),
		cmocka_unit_test(otlp_points_grouped_into_metrics),
		cmocka_unit_test(otlp_counter_reset_carries_new_start_time),
		cmocka_unit_test(otlp_no_points_is_a_valid_request),
		cmocka_unit_test(attribute_value_kept_short_and_well_formed),
		cmocka_unit_test(prometheus_text_exact),
		cmocka_unit_test(prometheus_names_follow_otlp_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
