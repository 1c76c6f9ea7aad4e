/* SPDX-License-Identifier: BSD-2-Clause */
/* The sections about the controller itself: steering, telemetry, control, dataplane, state. */
#include "form.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"
#include "units.h"

static void read_seed(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_integer(form, node, 0, UINT64_MAX, &config->steer_seed);
}

static void read_settle(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_duration(form, node, 100, 4 * 3600 * 1000, &config->settle_ms);
}

static void read_idle(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	/* The program tells the ages of flows from 16 bits of seconds: see COMPILE_AGE_MAX_S in user/compile. */
	form_duration(form, node, 1000, 8 * 3600 * 1000, &config->idle_ms);
}

void form_steering(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {
		{"seed", read_seed, false}, {"settle", read_settle, false}, {"idle", read_idle, false}};
	static const struct form_map map = {"steering", keys, ARRAY_SIZE(keys), NULL};

	form_read_map(form, node, &map, form->config);
}

static void read_endpoint(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_otlp *otlp = object;
	const char *text = form_text(form, node), *rest;
	size_t length;

	if (!text)
		return;
	rest = !strncmp(text, "http://", 7) ? text + 7 : !strncmp(text, "https://", 8) ? text + 8 : "";
	if (!*rest || *rest == '/' || strpbrk(text, " \t?#\"<>")) {
		errors_add(form->errors, node->place,
			   "\"%s\" for \"endpoint\": a base URL is written http://127.0.0.1:4318, and /v1/metrics is "
			   "added",
			   SHOWN(text));
		return;
	}
	if (!form_string(form, node, otlp->endpoint, sizeof(otlp->endpoint)))
		return;
	for (length = strlen(otlp->endpoint); length && otlp->endpoint[length - 1] == '/'; length--)
		otlp->endpoint[length - 1] = 0;
}

static void read_metrics_path(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_otlp *otlp = object;

	form_path(form, node, otlp->metrics_path, sizeof(otlp->metrics_path));
}

static void read_interval(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_otlp *otlp = object;

	form_duration(form, node, 100, 3600000, &otlp->interval_ms);
}

static void read_timeout(struct form *form, const struct yaml_node *node, void *object)
{
	struct config_otlp *otlp = object;

	form_duration(form, node, 10, 600000, &otlp->timeout_ms);
}

static void read_otlp(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_key keys[] = {
		{"endpoint", read_endpoint, true},
		{"metrics_path", read_metrics_path, false},
		{"interval", read_interval, false},
		{"timeout", read_timeout, false},
	};
	static const struct form_map map = {"otlp", keys, ARRAY_SIZE(keys), NULL};
	struct config *config = object;

	form_read_map(form, node, &map, &config->otlp);
}

static bool is_loopback(const struct addr *addr)
{
	const struct addr loopback6 = {.bytes.word[3] = htonl(1), .family = WEIR_IPV6};

	if (addr->family == WEIR_IPV4)
		return ntohl(addr->bytes.word[0]) >> 24 == 127;
	return addr_equal(addr, &loopback6);
}

/* "127.0.0.1:9180" or "[::1]:9180" into its two parts. */
static bool split_listen(const char *text, char address[ADDR_TEXT_MAX], uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *begin = text, *end = colon;
	struct addr addr;
	uint64_t number;

	if (!colon || units_integer(colon + 1, &number) || number < 1 || number > UINT16_MAX)
		return false;
	if (*begin == '[') {
		if (end == begin || end[-1] != ']')
			return false;
		begin++;
		end--;
	}
	if ((size_t)(end - begin) >= ADDR_TEXT_MAX)
		return false;
	memcpy(address, begin, (size_t)(end - begin));
	address[end - begin] = 0;
	if (addr_parse(address, &addr) || (addr.family == WEIR_IPV6) != (*text == '['))
		return false;
	*port = (uint16_t)number;
	return true;
}

static void read_listen(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;
	const char *text = form_text(form, node);
	char address[ADDR_TEXT_MAX];
	struct addr addr;
	uint16_t port;

	if (!text)
		return;
	if (!split_listen(text, address, &port) || addr_parse(address, &addr)) {
		errors_add(form->errors, node->place,
			   "\"%s\" for \"listen\": an address and a port are written 127.0.0.1:9180 or \"[::1]:9180\"",
			   SHOWN(text));
		return;
	}
	if (!is_loopback(&addr)) {
		errors_add(form->errors, node->place,
			   "\"listen\" on %s: this version serves metrics on loopback only (127.0.0.1 or [::1])",
			   address);
		return;
	}
	strcpy(config->prometheus_address, address);
	config->prometheus_port = port;
}

static void read_prometheus(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_key keys[] = {{"listen", read_listen, true}};
	static const struct form_map map = {"prometheus", keys, ARRAY_SIZE(keys), NULL};

	form_read_map(form, node, &map, object);
}

static void read_host(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_string(form, node, config->host_name, sizeof(config->host_name));
}

void form_telemetry(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {
		{"host", read_host, false}, {"otlp", read_otlp, false}, {"prometheus", read_prometheus, false}};
	static const char *const later[] = {"sample", NULL};
	static const struct form_map map = {"telemetry", keys, ARRAY_SIZE(keys), later};

	form_read_map(form, node, &map, form->config);
}

static void read_socket(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_path(form, node, config->control_socket, sizeof(config->control_socket));
}

static void read_group(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_string(form, node, config->control_group, sizeof(config->control_group));
}

void form_control(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {{"socket", read_socket, false}, {"group", read_group, false}};
	static const struct form_map map = {"control", keys, ARRAY_SIZE(keys), NULL};

	form_read_map(form, node, &map, form->config);
}

static void read_pins(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_path(form, node, config->pin_directory, sizeof(config->pin_directory));
}

void form_dataplane(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {{"pins", read_pins, false}};
	static const struct form_map map = {"dataplane", keys, ARRAY_SIZE(keys), NULL};

	form_read_map(form, node, &map, form->config);
}

static void read_directory(struct form *form, const struct yaml_node *node, void *object)
{
	struct config *config = object;

	form_path(form, node, config->state_directory, sizeof(config->state_directory));
}

void form_state(struct form *form, const struct yaml_node *node)
{
	static const struct form_key keys[] = {{"directory", read_directory, false}};
	static const struct form_map map = {"state", keys, ARRAY_SIZE(keys), NULL};

	form_read_map(form, node, &map, form->config);
}
