/* SPDX-License-Identifier: BSD-2-Clause */
/* The health check of a pool. */
#include "form.h"

#include <string.h>

#include "../base/scope.h"

#define INTERVAL_MS 2000u
#define TIMEOUT_MS  1000u

struct health_draft {
	struct config_health *health;
	const struct yaml_node *timeout;
	const struct yaml_node *http_only; /* the first key that only HTTP knows */
};

static void read_type(struct form *form, const struct yaml_node *node, void *object)
{
	static const struct form_choice choices[] = {{"tcp", CONFIG_HEALTH_TCP}, {"http", CONFIG_HEALTH_HTTP}};
	struct health_draft *draft = object;
	int type;

	if (form_choose(form, node, choices, ARRAY_SIZE(choices), &type))
		draft->health->type = (enum config_health_type)type;
}

static void read_port(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;
	uint64_t port;

	if (form_integer(form, node, 1, 65535, &port))
		draft->health->port = (uint16_t)port;
}

static void note_http(struct health_draft *draft, const struct yaml_node *node)
{
	if (!draft->http_only)
		draft->http_only = node->key;
}

/* What goes into a request line or header must stay one word there. */
static bool read_word(struct form *form, const struct yaml_node *node, char *out, size_t size)
{
	const char *text = form_text(form, node);

	if (!text)
		return false;
	for (const char *c = text; *c; c++) {
		if (*c <= 0x20 || *c >= 0x7f) {
			errors_add(form->errors, node->place,
				   "\"%s\" holds a blank or a character outside ASCII: write it encoded",
				   form_label(node));
			return false;
		}
	}
	return form_string(form, node, out, size);
}

static void read_path(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;
	struct config_health *health = draft->health;

	note_http(draft, node);
	if (read_word(form, node, health->path, sizeof(health->path)) && *health->path != '/')
		errors_add(form->errors, node->place, "\"path\" must begin with \"/\"");
}

static void read_host(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;

	note_http(draft, node);
	read_word(form, node, draft->health->host, sizeof(draft->health->host));
}

static void read_expect_body(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;

	note_http(draft, node);
	form_string(form, node, draft->health->expect_body, sizeof(draft->health->expect_body));
}

static void read_expect_status(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;
	uint64_t status;

	note_http(draft, node);
	if (form_integer(form, node, 100, 599, &status))
		draft->health->expect_status = (uint16_t)status;
}

static void read_interval(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;

	form_duration(form, node, 50, 3600000, &draft->health->interval_ms);
}

static void read_timeout(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;

	if (form_duration(form, node, 10, 3600000, &draft->health->timeout_ms))
		draft->timeout = node;
}

static void read_rise(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;
	uint64_t rise;

	if (form_integer(form, node, 1, 100, &rise))
		draft->health->rise = (uint32_t)rise;
}

static void read_fall(struct form *form, const struct yaml_node *node, void *object)
{
	struct health_draft *draft = object;
	uint64_t fall;

	if (form_integer(form, node, 1, 100, &fall))
		draft->health->fall = (uint32_t)fall;
}

static void check_health(struct form *form, const struct health_draft *draft)
{
	struct config_health *health = draft->health;

	if (health->type == CONFIG_HEALTH_TCP && draft->http_only)
		errors_add(form->errors, draft->http_only->place, "\"%s\" belongs to \"type: http\"",
			   draft->http_only->text);
	if (draft->timeout && health->timeout_ms > health->interval_ms)
		errors_add(form->errors, draft->timeout->place,
			   "the timeout (%ums) is longer than the interval (%ums): checks would pile up",
			   health->timeout_ms, health->interval_ms);
	if (!draft->timeout && health->timeout_ms > health->interval_ms)
		health->timeout_ms = health->interval_ms;
}

bool form_health(struct form *form, const struct yaml_node *node, struct config_health *health)
{
	static const struct form_key keys[] = {
		{"type", read_type, true},
		{"port", read_port, true},
		{"path", read_path, false},
		{"host", read_host, false},
		{"expect_body", read_expect_body, false},
		{"expect_status", read_expect_status, false},
		{"interval", read_interval, false},
		{"timeout", read_timeout, false},
		{"rise", read_rise, false},
		{"fall", read_fall, false},
	};
	static const struct form_map map = {"a health check", keys, ARRAY_SIZE(keys), NULL};
	struct config_health fresh = {.path = "/",
				      .interval_ms = INTERVAL_MS,
				      .timeout_ms = TIMEOUT_MS,
				      .rise = 2,
				      .fall = 3,
				      .place = node->place};
	struct health_draft draft = {.health = &fresh};

	if (!form_read_map(form, node, &map, &draft))
		return false;
	check_health(form, &draft);
	*health = fresh;
	return true;
}
