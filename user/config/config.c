/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file from its bytes to its form: the sections, in the order that they depend on each other. */
#include "rule.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../base/file.h"
#include "../base/scope.h"

#define SETTLE_MS 600000u
#define IDLE_MS	  (2 * 3600 * 1000)

/* In this order: services look pools up, rules look interfaces, sets, limits and VIPs up. */
static const struct {
	const char *name;
	void (*read)(struct form *form, const struct yaml_node *node);
} SECTIONS[] = {
	{"interfaces", form_interfaces}, {"protect", form_protect},	{"sets", form_sets},
	{"limits", form_limits},	 {"pools", form_pools},		{"services", form_services},
	{"filter", form_filter},	 {"steering", form_steering},	{"telemetry", form_telemetry},
	{"control", form_control},	 {"dataplane", form_dataplane}, {"state", form_state},
};

struct sections {
	const struct yaml_node *nodes[ARRAY_SIZE(SECTIONS)];
};

static void note_section(struct form *form, const struct yaml_node *node, void *object)
{
	struct sections *sections = object;

	(void)form;
	for (size_t i = 0; i < ARRAY_SIZE(SECTIONS); i++) {
		if (!strcmp(SECTIONS[i].name, node->key->text))
			sections->nodes[i] = node;
	}
}

static void read_sections(struct form *form, const struct yaml_node *root)
{
	static const char *const later[] = {"flood", "alerts", "console", NULL};
	struct form_key keys[ARRAY_SIZE(SECTIONS)];
	struct form_map map = {"the configuration", keys, ARRAY_SIZE(keys), later};
	struct sections sections = {};

	for (size_t i = 0; i < ARRAY_SIZE(SECTIONS); i++)
		keys[i] = (struct form_key){SECTIONS[i].name, note_section, false};
	if (!form_read_map(form, root, &map, &sections))
		return;
	form->config->services_unread = form->errors->count;
	for (size_t i = 0; i < ARRAY_SIZE(SECTIONS); i++) {
		size_t errors = form->errors->count;

		if (sections.nodes[i])
			SECTIONS[i].read(form, sections.nodes[i]);
		if (SECTIONS[i].read == form_services && form->errors->count != errors)
			form->config->services_unread = true;
	}
	form_check_relations(form);
}

static struct config *make_default(const char *path)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	snprintf(config->path, sizeof(config->path), "%s", path);
	config->settle_ms = SETTLE_MS;
	config->idle_ms = IDLE_MS;
	strcpy(config->otlp.metrics_path, "/v1/metrics");
	config->otlp.interval_ms = 10000;
	config->otlp.timeout_ms = 5000;
	strcpy(config->control_socket, "/run/weir/control.sock");
	strcpy(config->pin_directory, "/sys/fs/bpf/weir");
	strcpy(config->state_directory, "/var/lib/weir");
	if (gethostname(config->host_name, sizeof(config->host_name) - 1))
		strcpy(config->host_name, "localhost");
	return config;
}

static void free_tree(struct yaml_tree **tree)
{
	yaml_free(*tree);
}

/* *out is there after a failure too, when some of it could be read. */
static int read_text(struct error_list *list, struct config **out)
{
	static const struct config_place start = {1, 1};
	__attribute__((cleanup(free_tree))) struct yaml_tree *tree = NULL;
	const struct yaml_node *root;
	struct config *config;
	int error;

	if (list->size > CONFIG_MAX_BYTES) {
		errors_add(list, start, "the file has %zu bytes, at most %u (CONFIG_MAX_BYTES)", list->size,
			   CONFIG_MAX_BYTES);
		return -EFBIG;
	}
	error = yaml_read(list, &tree);
	if (error)
		return error;
	root = yaml_root(tree);
	if (!root || root->null || (root->kind != YAML_SCALAR && !root->count)) {
		errors_add(list, start,
			   "nothing is configured here; an edge needs at least interfaces, pools and services");
		return -EINVAL;
	}
	config = make_default(list->path);
	if (!config)
		return -ENOMEM;
	*out = config;
	read_sections(&(struct form){config, list}, root);
	config->refused = list->no_memory || list->count;
	if (list->no_memory)
		return -ENOMEM;
	return list->count ? -EINVAL : 0;
}

/* Turns the list into text; a failure to do even that leaves the code to speak for itself. */
static int finish(struct error_list *list, int error, struct config_errors *errors)
{
	if (error == -ENOMEM && !list->count)
		errors_add(list, (struct config_place){}, "not enough memory to read it");
	if (errors_render(list, errors)) {
		errors->text = NULL;
		errors->count = list->count;
		error = error ? error : -ENOMEM;
	}
	errors_clear(list);
	return error;
}

int config_parse(const char *path, const char *text, size_t size, struct config **out, struct config_errors *errors)
{
	struct error_list list = {.path = path, .text = text, .size = size};
	struct config *config = NULL;
	int error = finish(&list, read_text(&list, &config), errors);

	if (error)
		config_free(config);
	else
		*out = config;
	return error;
}

int config_examine(const char *path, const char *text, size_t size, int64_t now_s, struct config_report *out)
{
	struct error_list list = {.path = path, .text = text, .size = size};
	int error;

	*out = (struct config_report){};
	error = read_text(&list, &out->config);
	/* After so many errors the rest was not read. */
	if (out->config && !list.no_memory && !list.more && config_findings_collect(out->config, now_s, &out->findings))
		error = -ENOMEM;
	return finish(&list, error, &out->errors);
}

void config_report_free(struct config_report *report)
{
	config_free(report->config);
	config_errors_free(&report->errors);
	config_findings_free(&report->findings);
	free(report->text);
	report->config = NULL;
	report->text = NULL;
}

/* Says why a file could not be read; returns the error. */
static int refuse_file(const char *path, int error, struct config_errors *errors)
{
	struct error_list list = {.path = path};

	if (error == -EFBIG)
		errors_add(&list, (struct config_place){1, 1},
			   "the file is too large, at most %u bytes (CONFIG_MAX_BYTES)", CONFIG_MAX_BYTES);
	else
		errors_add(&list, (struct config_place){}, "cannot be read: %s", strerror(-error));
	return finish(&list, error, errors);
}

int config_load(const char *path, struct config **out, struct config_errors *errors)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	int error = file_read(path, CONFIG_MAX_BYTES, &text, &size);

	return error ? refuse_file(path, error, errors) : config_parse(path, text, size, out, errors);
}

int config_examine_file(const char *path, int64_t now_s, struct config_report *out)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	int error = file_read(path, CONFIG_MAX_BYTES, &text, &size);

	if (error) {
		*out = (struct config_report){};
		return refuse_file(path, error, &out->errors);
	}
	error = config_examine(path, text, size, now_s, out);
	out->text = TAKE_PTR(text);
	out->size = size;
	return error;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->protects_count; i++) {
		free(config->protects[i].from);
		free(config->protects[i].ports);
	}
	for (size_t i = 0; i < config->pools_count; i++)
		free(config->pools[i].backends);
	for (size_t i = 0; i < config->services_count; i++) {
		free(config->services[i].addresses);
		free(config->services[i].ports);
		free(config->services[i].pools);
	}
	for (size_t i = 0; i < config->sets_count; i++) {
		free(config->sets[i].prefixes);
		free(config->sets[i].regions);
		free(config->sets[i].region_places);
	}
	for (size_t i = 0; i < config->filter.rules_count; i++)
		rule_clear(&config->filter.rules[i]);
	free(config->interfaces);
	free(config->protects);
	free(config->sets);
	free(config->filter.rules);
	free(config->limits);
	free(config->pools);
	free(config->services);
	free(config);
}

void config_errors_free(struct config_errors *errors)
{
	free(errors->text);
	errors->text = NULL;
	errors->count = 0;
	config_findings_free(&errors->entries);
}
