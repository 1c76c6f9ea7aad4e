/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens the exporters that the configuration asks for and replaces them when it changes. */
#include "composition.h"
#include "../base/json.h"
#include "../base/log.h"
#include <string.h>

static void set_otlp(struct controller *controller, const struct config *config, json_t *warnings)
{
	const struct config_otlp *wanted = &config->otlp;
	struct telemetry_otlp_options options = {
		.interval_ms = wanted->interval_ms,
		.timeout_ms = wanted->timeout_ms,
		.resource = {.service_name = "weir",
			     .service_version = WEIR_VERSION,
			     .host_name = controller->host_name},
	};
	struct problem problem = {0};

	if (controller->otlp)
		telemetry_otlp_close(controller->otlp);
	controller->otlp = NULL;
	controller->otlp_config = *wanted;
	if (!*wanted->endpoint)
		return;
	snprintf(options.url, sizeof(options.url), "%s%s", wanted->endpoint, wanted->metrics_path);
	if (telemetry_otlp_open(&controller->loop, controller->http, &options, points_collect, controller,
				&controller->otlp, &problem))
		controller_warn(warnings, "no metrics are sent: %s", problem.text);
	else
		log_info("metrics go to %s every %.1f s", telemetry_otlp_where(controller->otlp),
			 options.interval_ms / 1000.0);
}

static void set_prometheus(struct controller *controller, const struct config *config, json_t *warnings)
{
	struct problem problem = {0};

	if (controller->prometheus)
		telemetry_http_close(controller->prometheus);
	controller->prometheus = NULL;
	memcpy(controller->prometheus_address, config->prometheus_address, sizeof(controller->prometheus_address));
	controller->prometheus_port = config->prometheus_port;
	if (!*config->prometheus_address)
		return;
	if (telemetry_http_open(&controller->loop, config->prometheus_address, config->prometheus_port, points_collect,
				controller, &controller->prometheus, &problem))
		controller_warn(warnings, "no /metrics on %s port %u: %s", config->prometheus_address,
				config->prometheus_port, problem.text);
	else
		log_info("/metrics is on %s port %u", config->prometheus_address, config->prometheus_port);
}

static bool is_same_otlp(const struct config_otlp *a, const struct config_otlp *b)
{
	return !strcmp(a->endpoint, b->endpoint) && !strcmp(a->metrics_path, b->metrics_path) &&
	       a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms;
}

void exporters_set(struct controller *controller, const struct config *config, json_t *warnings)
{
	bool same_host = !strcmp(controller->host_name, config->host_name);
	bool failed = *config->otlp.endpoint && !controller->otlp;

	memcpy(controller->host_name, config->host_name, sizeof(controller->host_name));
	if (failed || !same_host || !is_same_otlp(&controller->otlp_config, &config->otlp))
		set_otlp(controller, config, warnings);
	failed = *config->prometheus_address && !controller->prometheus;
	if (failed || strcmp(controller->prometheus_address, config->prometheus_address) != 0 ||
	    controller->prometheus_port != config->prometheus_port)
		set_prometheus(controller, config, warnings);
}

void exporters_close(struct controller *controller)
{
	if (controller->otlp)
		telemetry_otlp_close(controller->otlp);
	if (controller->prometheus)
		telemetry_http_close(controller->prometheus);
	controller->otlp = NULL;
	controller->prometheus = NULL;
}

json_t *exporters_json(const struct controller *controller)
{
	struct telemetry_otlp_stats stats;

	if (!controller->otlp)
		return json_null();
	telemetry_otlp_stats(controller->otlp, &stats);
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "endpoint",
			 json_text(telemetry_otlp_where(controller->otlp)), "sent", (json_int_t)stats.sent,
			 "failed_attempts", (json_int_t)stats.failed_attempts, "dropped", (json_int_t)stats.dropped,
			 "queued", (json_int_t)stats.queued, "last_error", json_text(stats.last_error));
}
