/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files: read with a limit, replaced whole or not at all. */
#ifndef WEIR_BASE_FILE_H
#define WEIR_BASE_FILE_H

#include <stddef.h>

/* Reads at most limit bytes into a fresh NUL-terminated buffer that the caller frees. 0, -EFBIG, or -errno. */
int file_read(const char *path, size_t limit, char **data, size_t *size);

/* Writes a temporary file beside path, syncs it and renames it over path: a reader sees the old or the new content.
 * mode is of the new file. 0 or -errno; on failure the old file is untouched and no temporary one is left. */
int file_replace(const char *path, const void *data, size_t size, unsigned int mode);

/* mkdir -p. 0 or -errno. */
int file_make_directories(const char *path, unsigned int mode);

#endif
