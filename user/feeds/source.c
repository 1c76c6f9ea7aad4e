/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of a list: opened, read in blocks (never mapped: it may shrink meanwhile), recognised when it changes. */
#include "reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/scope.h"
#include "../base/text.h"

#define BLOCK_BYTES 262144u
/* The most prefixes, each with a long comment or in JSON. */
#define FILE_BYTES_MAX (512ull << 20)

static int64_t ns_of(const struct timespec *time)
{
	return time->tv_sec * 1000000000ll + time->tv_nsec;
}

static struct feeds_fingerprint fingerprint_of(const struct stat *status)
{
	return (struct feeds_fingerprint){.device = status->st_dev,
					  .inode = status->st_ino,
					  .size = (uint64_t)status->st_size,
					  .modified_ns = ns_of(&status->st_mtim),
					  .changed_ns = ns_of(&status->st_ctim)};
}

int feeds_changed(const char *path, const struct feeds_fingerprint *fingerprint)
{
	struct feeds_fingerprint now;
	struct stat status;

	if (stat(path, &status))
		return -errno;
	now = fingerprint_of(&status);
	return now.device != fingerprint->device || now.inode != fingerprint->inode || now.size != fingerprint->size ||
	       now.modified_ns != fingerprint->modified_ns || now.changed_ns != fingerprint->changed_ns;
}

static int refuse_file(struct reading *reading, int error, const char *sentence, const char *hint)
{
	problem_set(reading->problem, error, "%s %s", reading->path, sentence);
	problem_hint(reading->problem, "%s", hint);
	return error;
}

static int refuse_open(struct reading *reading, int error)
{
	if (error == -ENOENT)
		return refuse_file(reading, error, "is not there", "check the path, or fetch the list first");
	if (error == -EACCES)
		return refuse_file(reading, error, "may not be read",
				   "the user that weir runs as needs to read it and to enter its directories");
	return problem_set(reading->problem, error, "%s cannot be read: %s", reading->path, strerror(-error));
}

static int check_kind(struct reading *reading, const struct stat *status)
{
	if (S_ISDIR(status->st_mode))
		return refuse_file(reading, -EISDIR, "is a directory", "name one file in it");
	if (!S_ISREG(status->st_mode))
		return refuse_file(reading, -EINVAL, "is no regular file",
				   "a list is read again and again: put it in a file");
	if ((uint64_t)status->st_size > FILE_BYTES_MAX)
		return refuse_file(reading, -EFBIG, "is larger than 512 MiB", "is this the list?");
	return 0;
}

int reading_open(struct reading *reading)
{
	struct stat status;
	int error;

	/* Not blocking: a FIFO without a writer would hold the caller for ever. */
	reading->fd = open(reading->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (reading->fd < 0)
		return refuse_open(reading, -errno);
	if (fstat(reading->fd, &status))
		return refuse_open(reading, -errno);
	error = check_kind(reading, &status);
	if (error)
		return error;
	reading->report.fingerprint = fingerprint_of(&status);
	reading->buffer = malloc(BLOCK_BYTES + 1);
	if (!reading->buffer)
		return problem_set(reading->problem, -ENOMEM, "out of memory");
	return 0;
}

void reading_close(struct reading *reading)
{
	if (reading->fd >= 0)
		close(reading->fd);
	free(reading->buffer);
	prefixes_builder_free(&reading->builder);
}

/* Reads until the buffer is full or the file ends. */
static int fill_up(struct reading *reading)
{
	while (reading->end < BLOCK_BYTES) {
		ssize_t got = read(reading->fd, reading->buffer + reading->end, BLOCK_BYTES - reading->end);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return refuse_open(reading, -errno);
		reading->end += (size_t)got;
		reading->report.bytes += (uint64_t)got;
		if (!got) {
			reading->ended = true;
			return 0;
		}
	}
	return 0;
}

int reading_fill(struct reading *reading)
{
	const struct feeds_options *options = &reading->options;
	int error;

	if (reading->ended || reading->end - reading->at > READING_LINE_MAX)
		return 0;
	memmove(reading->buffer, reading->buffer + reading->at, reading->end - reading->at);
	reading->end -= reading->at;
	reading->at = 0;
	error = fill_up(reading);
	if (!error && reading->report.bytes > FILE_BYTES_MAX)
		error = refuse_file(reading, -EFBIG, "grew beyond 512 MiB as it was read", "is this the list?");
	if (!error && options->progress)
		options->progress(options->arg, reading->report.bytes, reading->report.fingerprint.size);
	return error;
}

/* A rename over the file leaves the opened one as it was; writing into it does not. */
int reading_check_whole(struct reading *reading)
{
	const struct feeds_fingerprint *opened = &reading->report.fingerprint;
	struct feeds_fingerprint now;
	struct stat status;

	if (fstat(reading->fd, &status))
		return refuse_open(reading, -errno);
	now = fingerprint_of(&status);
	if (now.size == opened->size && now.modified_ns == opened->modified_ns &&
	    (!reading->ended || reading->report.bytes == opened->size))
		return 0;
	return refuse_file(reading, -EAGAIN, "was written to while it was read",
			   "write the new list beside it and rename it over");
}

void reading_set_format(struct reading *reading, enum feeds_format format)
{
	if (reading->has_format)
		return;
	reading->has_format = true;
	reading->report.format = format;
}

int reading_refuse(struct reading *reading, int error, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	text_trim(sentence);
	return problem_set(reading->problem, error, "%s:%llu: %s", reading->path,
			   (unsigned long long)reading->report.lines, sentence);
}

char *reading_quote(const char *text, char *out)
{
	size_t length = strnlen(text, READING_QUOTE_MAX);

	if (length == READING_QUOTE_MAX)
		length = READING_QUOTE_MAX - 1;
	memcpy(out, text, length);
	out[length] = '\0';
	text_trim(out);
	text_repair(out);
	for (char *at = out; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return out;
}
