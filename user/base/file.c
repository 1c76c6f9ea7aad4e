/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files: bounded reading, atomic replacement, directories. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "scope.h"

#define READ_STEP 65536u

/* Reads to the end or to size bytes. Returns the number of bytes or -errno. */
static ssize_t read_full(int fd, char *data, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, data + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

int file_read(const char *path, size_t limit, char **data, size_t *size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *buffer = NULL;
	size_t room = 0, used = 0;

	if (fd < 0)
		return -errno;
	/* Grown as it is read: the size that stat gives is 0 for /proc, and a pipe has none. */
	for (;;) {
		size_t step = used < READ_STEP ? READ_STEP : used;
		char *grown;
		ssize_t got;

		room = used + step > limit ? limit + 1 : used + step;
		grown = realloc(buffer, room + 1);
		if (!grown)
			return -ENOMEM;
		buffer = grown;
		got = read_full(fd, buffer + used, room - used);
		if (got < 0)
			return (int)got;
		used += (size_t)got;
		if (used > limit)
			return -EFBIG;
		if (used < room)
			break;
	}
	buffer[used] = 0;
	*data = TAKE_PTR(buffer);
	*size = used;
	return 0;
}

static int write_full(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t put = write(fd, data, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		size -= (size_t)put;
	}
	return 0;
}

/* Makes the rename itself durable; a file system that cannot sync a directory is no reason to fail. */
static void sync_directory_of(const char *path)
{
	AUTO_CLOSE int fd = -1;
	char copy[PATH_MAX], *slash;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = 0;
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

int file_replace(const char *path, const void *data, size_t size, unsigned int mode)
{
	AUTO_CLOSE int fd = -1;
	char temporary[PATH_MAX];
	int length, error;

	length = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	if (length < 0 || (size_t)length >= sizeof(temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = write_full(fd, data, size);
	if (!error && fchmod(fd, (mode_t)mode))
		error = -errno;
	if (!error && fsync(fd))
		error = -errno;
	if (!error && rename(temporary, path))
		error = -errno;
	if (error) {
		unlink(temporary);
		return error;
	}
	sync_directory_of(path);
	return 0;
}

static int make_directory(const char *path, unsigned int mode)
{
	struct stat status;

	if (!mkdir(path, (mode_t)mode))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &status))
		return -errno;
	return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

int file_make_directories(const char *path, unsigned int mode)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = copy; (slash = strchr(slash + 1, '/'));) {
		int error;

		*slash = 0;
		error = make_directory(copy, mode);
		if (error)
			return error;
		*slash = '/';
	}
	return make_directory(copy, mode);
}
