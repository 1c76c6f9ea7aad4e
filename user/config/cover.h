/* SPDX-License-Identifier: BSD-2-Clause */
/* Within the module: whether one rule matches all that another does. */
#ifndef WEIR_CONFIG_COVER_H
#define WEIR_CONFIG_COVER_H

#include "rule.h"

/* What is known of the sets, and how many more prefixes may be compared: when work is used up, nothing is claimed. */
struct cover {
	const struct config *config;
	struct prefix *vips;
	size_t vips_count;
	size_t work;
};

/* 0 or -ENOMEM. */
int cover_begin(struct cover *cover, const struct config *config);
void cover_end(struct cover *cover);

/* True when it is certain that outer matches every packet that inner matches, and that inner may match some. */
bool cover_holds(struct cover *cover, const struct config_rule *outer, const struct config_rule *inner);

#endif
