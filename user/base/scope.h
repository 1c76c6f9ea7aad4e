/* SPDX-License-Identifier: BSD-2-Clause */
/* Scope-bound cleanup: memory and descriptors are released where their variable ends. */
#ifndef WEIR_BASE_SCOPE_H
#define WEIR_BASE_SCOPE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void scope_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define AUTO_FREE   __attribute__((cleanup(scope_free)))
#define AUTO_CLOSE  __attribute__((cleanup(scope_close))) /* the variable starts at -1 */
#define AUTO_FCLOSE __attribute__((cleanup(scope_fclose)))

/* Takes ownership out of an automatic variable. */
#define TAKE_PTR(pointer)                                                                                              \
	({                                                                                                             \
		__typeof__(pointer) take_ = (pointer);                                                                 \
		(pointer) = NULL;                                                                                      \
		take_;                                                                                                 \
	})
#define TAKE_FD(fd)                                                                                                    \
	({                                                                                                             \
		int take_ = (fd);                                                                                      \
		(fd) = -1;                                                                                             \
		take_;                                                                                                 \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
