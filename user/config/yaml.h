/* SPDX-License-Identifier: BSD-2-Clause */
/* A YAML document as a tree of values with their places. */
#ifndef WEIR_CONFIG_YAML_H
#define WEIR_CONFIG_YAML_H

#include "errors.h"

enum yaml_kind { YAML_SCALAR = 0, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	bool null;		     /* a scalar that says nothing: empty, ~ or null, unquoted */
	const char *text;	     /* of a scalar, no NUL within */
	const struct yaml_node *key; /* of a value in a map: a scalar */
	const struct yaml_node *parent;
	struct yaml_node *first, *last, *next; /* children: items, or values with their keys */
	size_t count;
	struct config_place place;
};

struct yaml_tree;

/* Reads list->text. 0 with *out, or -EINVAL with an error in the list, or -ENOMEM. The tree of an empty file has
 * no root. */
int yaml_read(struct error_list *list, struct yaml_tree **out);
const struct yaml_node *yaml_root(const struct yaml_tree *tree);
void yaml_free(struct yaml_tree *tree);

#endif
