/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened, told to others: a snapshot of the counters, an OTLP exporter, and a Prometheus endpoint.
 *
 * One vocabulary: telemetry_collect turns the sources into metric points, and OTLP and Prometheus print the same
 * points. An unreachable collector costs bounded memory and never blocks; what is lost is counted and told.
 */
#ifndef WEIR_TELEMETRY_H
#define WEIR_TELEMETRY_H

#include "../base/loop.h"
#include "../base/problem.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum telemetry_type { TELEMETRY_SUM = 0 /* monotonic, cumulative */, TELEMETRY_GAUGE };

#define TELEMETRY_ATTRIBUTES_MAX 4

struct telemetry_point {
	const char *name; /* "weir.backend.packets": static */
	const char *unit; /* UCUM: "{packet}", "By", "1", "s": static */
	const char *help; /* static */
	enum telemetry_type type;
	bool is_double;
	uint64_t value;
	double value_double;
	size_t attributes_count;
	struct {
		const char *key; /* static */
		char value[96];
	} attributes[TELEMETRY_ATTRIBUTES_MAX];
};

struct telemetry_points {
	struct telemetry_point *points; /* points of one metric are adjacent */
	size_t count, capacity;
	uint64_t start_ns; /* CLOCK_REALTIME since when the sums count */
	uint64_t time_ns;  /* CLOCK_REALTIME of this snapshot */
};

/* Appends a zeroed point to fill in; NULL without memory. */
struct telemetry_point *telemetry_points_add(struct telemetry_points *points);
void telemetry_point_attribute(struct telemetry_point *point, const char *key, const char *value);
void telemetry_points_free(struct telemetry_points *points);

/* The source of points: fills *points (given empty). Called on the loop. */
typedef int telemetry_source(void *arg, struct telemetry_points *points);

/* The bytes of an OTLP ExportMetricsServiceRequest (opentelemetry-proto 1.x); the caller frees *bytes. */
struct telemetry_resource {
	const char *service_name; /* "weir" */
	const char *service_version;
	const char *host_name;
};
int telemetry_encode_otlp(const struct telemetry_points *points, const struct telemetry_resource *resource,
			  uint8_t **bytes, size_t *size);
/* Prometheus text exposition 0.0.4; the caller frees *text. Dots become underscores, sums end in _total, By
 * becomes _bytes as the specification for OTLP-to-Prometheus says. */
int telemetry_encode_prometheus(const struct telemetry_points *points, char **text, size_t *size);

struct telemetry_otlp_options {
	char url[768];
	uint32_t interval_ms, timeout_ms;
	struct telemetry_resource resource;
	size_t queue_max; /* snapshots kept while the collector is away, besides one being sent; 0: 32. The oldest
			   * goes first */
};
struct telemetry_otlp_stats {
	uint64_t sent, failed_attempts, dropped; /* snapshots */
	uint64_t rejected_points;		 /* told by the collector about snapshots that it took */
	size_t queued;				 /* with the one being sent */
	char last_error[160];
};
struct telemetry_otlp;
/* Both exporters copy their options. After close the loop must run once more before it is closed itself, and before
 * *http is. */
int telemetry_otlp_open(uv_loop_t *loop, struct loop_http *http, const struct telemetry_otlp_options *options,
			telemetry_source *source, void *arg, struct telemetry_otlp **out, struct problem *problem);
void telemetry_otlp_close(struct telemetry_otlp *otlp);
/* Where the snapshots go, for messages: without what the URL may hold of user, password and query. */
const char *telemetry_otlp_where(const struct telemetry_otlp *otlp);
void telemetry_otlp_stats(const struct telemetry_otlp *otlp, struct telemetry_otlp_stats *out);

/* HTTP on loopback: /metrics and /healthz. -EADDRINUSE, -EPERM (not a loopback address) and others are told in
 * *problem. */
struct telemetry_http;
int telemetry_http_open(uv_loop_t *loop, const char *address, uint16_t port, telemetry_source *source, void *arg,
			struct telemetry_http **out, struct problem *problem);
void telemetry_http_close(struct telemetry_http *http);

#endif
