/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot as the bytes of an OTLP ExportMetricsServiceRequest. */
#include "telemetry.h"
#include "user/telemetry/otlp.pb-c.h"
#include "../base/scope.h"

#include <errno.h>
#include <string.h>

/* Short names for what protoc-c generates. */
typedef Weir__Otlp__KeyValue otlp_key_value;
typedef Weir__Otlp__AnyValue otlp_any_value;
typedef Weir__Otlp__NumberDataPoint otlp_data_point;
typedef Weir__Otlp__Metric otlp_metric;

#define RESOURCE_ATTRIBUTES 3

/* The message tree's nodes and the pointer lists that protobuf-c wants to them, one allocation a kind. */
struct tree {
	otlp_key_value *pairs, **pair_list;
	otlp_any_value *values;
	otlp_data_point *points, **point_list;
	otlp_metric *metrics, **metric_list;
	Weir__Otlp__Sum *sums;
	Weir__Otlp__Gauge *gauges;
	size_t pairs_used, metrics_used;
};

static void tree_free(struct tree *tree)
{
	free(tree->pairs);
	free(tree->pair_list);
	free(tree->values);
	free(tree->points);
	free(tree->point_list);
	free(tree->metrics);
	free(tree->metric_list);
	free(tree->sums);
	free(tree->gauges);
}

static int tree_allocate(struct tree *tree, size_t pairs, size_t points)
{
	size_t at_least = points ? points : 1;

	tree->pairs = calloc(pairs, sizeof(*tree->pairs));
	tree->pair_list = calloc(pairs, sizeof(*tree->pair_list));
	tree->values = calloc(pairs, sizeof(*tree->values));
	tree->points = calloc(at_least, sizeof(*tree->points));
	tree->point_list = calloc(at_least, sizeof(*tree->point_list));
	tree->metrics = calloc(at_least, sizeof(*tree->metrics));
	tree->metric_list = calloc(at_least, sizeof(*tree->metric_list));
	tree->sums = calloc(at_least, sizeof(*tree->sums));
	tree->gauges = calloc(at_least, sizeof(*tree->gauges));
	if (tree->pairs && tree->pair_list && tree->values && tree->points && tree->point_list && tree->metrics &&
	    tree->metric_list && tree->sums && tree->gauges)
		return 0;
	return -ENOMEM;
}

static void add_pair(struct tree *tree, const char *key, const char *text)
{
	size_t i = tree->pairs_used++;

	weir__otlp__any_value__init(&tree->values[i]);
	tree->values[i].value_case = WEIR__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	tree->values[i].string_value = (char *)text;
	weir__otlp__key_value__init(&tree->pairs[i]);
	tree->pairs[i].key = (char *)key;
	tree->pairs[i].value = &tree->values[i];
	tree->pair_list[i] = &tree->pairs[i];
}

static void add_point(struct tree *tree, const struct telemetry_points *points, size_t i)
{
	const struct telemetry_point *from = &points->points[i];
	otlp_data_point *to = &tree->points[i];

	weir__otlp__number_data_point__init(to);
	/* A gauge's value has no beginning. */
	to->start_time_unix_nano = from->type == TELEMETRY_SUM ? points->start_ns : 0;
	to->time_unix_nano = points->time_ns;
	if (from->is_double) {
		to->value_case = WEIR__OTLP__NUMBER_DATA_POINT__VALUE_AS_DOUBLE;
		to->as_double = from->value_double;
	} else {
		to->value_case = WEIR__OTLP__NUMBER_DATA_POINT__VALUE_AS_INT;
		to->as_int = (int64_t)from->value;
	}
	to->attributes = &tree->pair_list[tree->pairs_used];
	to->n_attributes = from->attributes_count;
	for (size_t k = 0; k < from->attributes_count; k++)
		add_pair(tree, from->attributes[k].key, from->attributes[k].value);
	tree->point_list[i] = to;
}

static void add_metric(struct tree *tree, const struct telemetry_point *from, size_t first, size_t count)
{
	size_t i = tree->metrics_used++;
	otlp_metric *to = &tree->metrics[i];

	weir__otlp__metric__init(to);
	to->name = (char *)from->name;
	if (from->help)
		to->description = (char *)from->help;
	if (from->unit)
		to->unit = (char *)from->unit;
	if (from->type == TELEMETRY_SUM) {
		weir__otlp__sum__init(&tree->sums[i]);
		tree->sums[i].data_points = &tree->point_list[first];
		tree->sums[i].n_data_points = count;
		tree->sums[i].aggregation_temporality =
			WEIR__OTLP__AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE;
		tree->sums[i].is_monotonic = true;
		to->data_case = WEIR__OTLP__METRIC__DATA_SUM;
		to->sum = &tree->sums[i];
	} else {
		weir__otlp__gauge__init(&tree->gauges[i]);
		tree->gauges[i].data_points = &tree->point_list[first];
		tree->gauges[i].n_data_points = count;
		to->data_case = WEIR__OTLP__METRIC__DATA_GAUGE;
		to->gauge = &tree->gauges[i];
	}
	tree->metric_list[i] = to;
}

static void tree_fill(struct tree *tree, const struct telemetry_points *points,
		      const struct telemetry_resource *resource, Weir__Otlp__Resource *out)
{
	size_t first = 0;

	out->attributes = tree->pair_list;
	if (resource->service_name)
		add_pair(tree, "service.name", resource->service_name);
	if (resource->service_version)
		add_pair(tree, "service.version", resource->service_version);
	if (resource->host_name)
		add_pair(tree, "host.name", resource->host_name);
	out->n_attributes = tree->pairs_used;
	for (size_t i = 0; i < points->count; i++) {
		add_point(tree, points, i);
		if (i + 1 < points->count && !strcmp(points->points[i + 1].name, points->points[first].name))
			continue;
		add_metric(tree, &points->points[first], first, i + 1 - first);
		first = i + 1;
	}
}

int telemetry_encode_otlp(const struct telemetry_points *points, const struct telemetry_resource *resource,
			  uint8_t **bytes, size_t *size)
{
	Weir__Otlp__ExportMetricsServiceRequest request = WEIR__OTLP__EXPORT_METRICS_SERVICE_REQUEST__INIT;
	Weir__Otlp__ResourceMetrics resource_metrics = WEIR__OTLP__RESOURCE_METRICS__INIT;
	Weir__Otlp__InstrumentationScope scope = WEIR__OTLP__INSTRUMENTATION_SCOPE__INIT;
	Weir__Otlp__ScopeMetrics scope_metrics = WEIR__OTLP__SCOPE_METRICS__INIT;
	Weir__Otlp__Resource otlp_resource = WEIR__OTLP__RESOURCE__INIT;
	Weir__Otlp__ResourceMetrics *resource_list = &resource_metrics;
	Weir__Otlp__ScopeMetrics *scope_list = &scope_metrics;
	__attribute__((cleanup(tree_free))) struct tree tree = {0};
	size_t pairs = RESOURCE_ATTRIBUTES, packed;
	uint8_t *fresh;

	for (size_t i = 0; i < points->count; i++)
		pairs += points->points[i].attributes_count;
	if (tree_allocate(&tree, pairs, points->count))
		return -ENOMEM;
	tree_fill(&tree, points, resource, &otlp_resource);
	scope.name = "weir";
	if (resource->service_version)
		scope.version = (char *)resource->service_version;
	scope_metrics.scope = &scope;
	scope_metrics.metrics = tree.metric_list;
	scope_metrics.n_metrics = tree.metrics_used;
	resource_metrics.resource = &otlp_resource;
	resource_metrics.scope_metrics = &scope_list;
	resource_metrics.n_scope_metrics = 1;
	request.resource_metrics = &resource_list;
	request.n_resource_metrics = 1;

	packed = weir__otlp__export_metrics_service_request__get_packed_size(&request);
	fresh = malloc(packed);
	if (!fresh)
		return -ENOMEM;
	weir__otlp__export_metrics_service_request__pack(&request, fresh);
	*bytes = fresh;
	*size = packed;
	return 0;
}
