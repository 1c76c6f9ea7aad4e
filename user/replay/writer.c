/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes captures: classic pcap with nanoseconds, Ethernet, in the host's byte order. */
#include "replay.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

#define WRITER_MAX_PACKET (256u << 10)
#define NS_PER_S	  1000000000ull

struct replay_writer {
	FILE *file;
};

int replay_writer_open(const char *path, struct replay_writer **out, struct problem *problem)
{
	static const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snap_length, link_type;
	} header = {0xa1b23c4d, 2, 4, 0, 0, WRITER_MAX_PACKET, 1};
	AUTO_FREE struct replay_writer *writer = calloc(1, sizeof(*writer));
	AUTO_FCLOSE FILE *file = NULL;
	int error;

	if (!writer)
		return problem_set(problem, -ENOMEM, "%s: out of memory", path);
	file = fopen(path, "we");
	if (!file || fwrite(&header, sizeof(header), 1, file) != 1) {
		error = errno ? -errno : -EIO;
		return problem_set(problem, error, "%s: cannot write the capture: %s", path, strerror(-error));
	}
	writer->file = TAKE_PTR(file);
	*out = TAKE_PTR(writer);
	return 0;
}

int replay_writer_put(struct replay_writer *writer, const void *data, size_t size, uint64_t time_ns)
{
	uint32_t record[4] = {time_ns / NS_PER_S, time_ns % NS_PER_S, size, size};

	if (size > WRITER_MAX_PACKET)
		return -EMSGSIZE;
	if (fwrite(record, sizeof(record), 1, writer->file) != 1 || (size && fwrite(data, size, 1, writer->file) != 1))
		return errno ? -errno : -EIO;
	return 0;
}

int replay_writer_close(struct replay_writer *writer)
{
	int error = 0;

	if (!writer)
		return 0;
	errno = 0;
	if (fflush(writer->file) || ferror(writer->file))
		error = errno ? -errno : -EIO;
	/* A pipe or a device cannot be synced, and need not be. */
	else if (fsync(fileno(writer->file)) && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		error = -errno;
	if (fclose(writer->file) && !error)
		error = -errno;
	free(writer);
	return error;
}
