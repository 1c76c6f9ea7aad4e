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
	for (size_t i = 0; i < ARRAY_SIZE(SECTIONS); i++) {
		if (sections.nodes[i])
			SECTIONS[i].read(form, sections.nodes[i]);
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

static void free_config(struct config **config)
{
	config_free(*config);
}

static int parse(struct error_list *list, struct config **out)
{
	static const struct config_place start = {1, 1};
	__attribute__((cleanup(free_tree))) struct yaml_tree *tree = NULL;
	__attribute__((cleanup(free_config))) struct config *config = NULL;
	const struct yaml_node *root;
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
	read_sections(&(struct form){config, list}, root);
	if (list->no_memory)
		return -ENOMEM;
	if (list->count)
		return -EINVAL;
	*out = TAKE_PTR(config);
	return 0;
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
	int error = finish(&list, parse(&list, &config), errors);

	if (error)
		config_free(config);
	else
		*out = config;
	return error;
}

int config_load(const char *path, struct config **out, struct config_errors *errors)
{
	struct error_list list = {.path = path};
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	int error = file_read(path, CONFIG_MAX_BYTES, &text, &size);

	if (!error)
		return config_parse(path, text, size, out, errors);
	if (error == -EFBIG)
		errors_add(&list, (struct config_place){1, 1},
			   "the file is too large, at most %u bytes (CONFIG_MAX_BYTES)", CONFIG_MAX_BYTES);
	else
		errors_add(&list, (struct config_place){}, "cannot be read: %s", strerror(-error));
	return finish(&list, error, errors);
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
	for (size_t i = 0; i < config->sets_count; i++)
		free(config->sets[i].prefixes);
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
}
