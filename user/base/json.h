/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON values in scopes, and from text that nobody has checked. */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include <jansson.h>

static inline void json_release(json_t **json)
{
	json_decref(*json);
}

#define AUTO_JSON __attribute__((cleanup(json_release)))

/* A string of any bytes, with '?' for what is not UTF-8. NULL without memory alone. */
json_t *json_text(const char *text);

#endif
