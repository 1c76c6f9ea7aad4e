/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From nodes to values: readers that check one value and report it with its place, and the sections made of them.
 *
 * A reader returns false after it reported; what it should have written is untouched then. Reading goes on, so that
 * one pass tells all.
 */
#ifndef WEIR_CONFIG_FORM_H
#define WEIR_CONFIG_FORM_H

#include "yaml.h"

struct form {
	struct config *config;
	struct error_list *errors;
};

/* Reads one value of a map into the object that the map describes. */
typedef void form_reader(struct form *form, const struct yaml_node *node, void *object);

struct form_key {
	const char *name;
	form_reader *read;
	bool required;
};

struct form_map {
	const char *what; /* "a backend" */
	const struct form_key *keys;
	size_t keys_count;	  /* at most 64 */
	const char *const *later; /* NULL, or keys that a later version has; ends with NULL */
};

bool form_read_map(struct form *form, const struct yaml_node *node, const struct form_map *map, void *object);

/* The key that a value belongs to, for messages. */
const char *form_label(const struct yaml_node *node);

/* Items of a list (a single value counts as a list of one where allow_one) into a fresh array of item_size each,
 * zeroed before read. An empty list is refused. An item that read refuses stays out. */
struct form_list {
	size_t item_size;
	bool (*read)(struct form *form, const struct yaml_node *node, void *item);
	bool allow_one;
	bool allow_empty;
};
bool form_read_list(struct form *form, const struct yaml_node *node, const struct form_list *list, void *items,
		    size_t *count);

/* The text of a single value that says something. NULL after reporting. */
const char *form_text(struct form *form, const struct yaml_node *node);
/* Printable text of at most size - 1 bytes. */
bool form_string(struct form *form, const struct yaml_node *node, char *out, size_t size);
bool form_name(struct form *form, const struct yaml_node *node, char out[WEIR_NAME_MAX]);
bool form_path(struct form *form, const struct yaml_node *node, char *out, size_t size);
bool form_integer(struct form *form, const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *out);
bool form_duration(struct form *form, const struct yaml_node *node, uint32_t min_ms, uint32_t max_ms, uint32_t *out);
/* An address that one host can have. */
bool form_address(struct form *form, const struct yaml_node *node, struct addr *out);
bool form_prefix(struct form *form, const struct yaml_node *node, struct prefix *out);
/* The same of a part of the value's text. */
bool form_prefix_of(struct form *form, const struct yaml_node *node, const char *text, struct prefix *out);
bool form_ports(struct form *form, const struct yaml_node *node, struct config_ports *out);

struct form_choice {
	const char *word;
	int value; /* -1: a later version has it */
};
bool form_choose(struct form *form, const struct yaml_node *node, const struct form_choice *choices, size_t count,
		 int *out);

/* Reports what a units_ function said. Returns whether it said nothing. */
bool form_units(struct form *form, const struct yaml_node *node, const char *sentence);

/* A name from an address, for what has none: colons are no part of names. */
void form_name_of(const struct addr *address, char out[WEIR_NAME_MAX]);

/* Names that must differ. True if the name is new; else the duplicate is reported at place. */
struct form_names {
	void *tree; /* starts NULL */
};
bool form_names_add(struct form *form, struct form_names *names, const char *kind, const char *name,
		    struct config_place place);
void form_names_clear(struct form_names *names);
#define AUTO_NAMES __attribute__((cleanup(form_names_clear)))

/* The sections. */
void form_interfaces(struct form *form, const struct yaml_node *node);
void form_protect(struct form *form, const struct yaml_node *node);
void form_sets(struct form *form, const struct yaml_node *node);
/* What is relative belongs to the directory of the configuration, not to the one that somebody happens to be in. */
bool form_set_path(struct form *form, const struct yaml_node *node, struct config_set *set);
void form_geoip(struct form *form, const struct yaml_node *node, struct config_set *set);
void form_limits(struct form *form, const struct yaml_node *node);
void form_pools(struct form *form, const struct yaml_node *node);
bool form_health(struct form *form, const struct yaml_node *node, struct config_health *health);
void form_services(struct form *form, const struct yaml_node *node);
void form_filter(struct form *form, const struct yaml_node *node);
void form_steering(struct form *form, const struct yaml_node *node);
void form_telemetry(struct form *form, const struct yaml_node *node);
void form_control(struct form *form, const struct yaml_node *node);
void form_dataplane(struct form *form, const struct yaml_node *node);
void form_state(struct form *form, const struct yaml_node *node);

/* What holds between the sections: VIPs used once, capacities, backends that are no VIPs. */
void form_check_relations(struct form *form);

#endif
