/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays that grow. */
#ifndef WEIR_BASE_ARRAY_H
#define WEIR_BASE_ARRAY_H

#include <stdlib.h>
#include <string.h>

/* The array with room for count items of that size at least, half as many again when it has to grow; what is new is
 * zero. NULL, and the array as it was, when there is no memory. */
static inline void *array_grow(void *array, size_t *room, size_t count, size_t size)
{
	size_t grown_room = count + count / 2 + 16;
	char *grown;

	if (count <= *room)
		return array;
	grown = realloc(array, grown_room * size);
	if (!grown)
		return NULL;
	memset(grown + *room * size, 0, (grown_room - *room) * size);
	*room = grown_room;
	return grown;
}

#endif
