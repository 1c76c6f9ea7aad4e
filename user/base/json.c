/* SPDX-License-Identifier: BSD-2-Clause */
/* A JSON string from whatever bytes there are. */
#include "json.h"
#include "scope.h"
#include "text.h"

#include <string.h>

json_t *json_text(const char *text)
{
	AUTO_FREE char *copy = strdup(text);

	return copy ? json_string(text_repair(copy)) : NULL;
}
