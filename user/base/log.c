/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines: one write to standard error each, with what the listener there understands in front. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

/* The one piece of state that every module shares: what is worth saying is a property of the process. */
static atomic_int threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

/* systemd names the device and inode of the stream that it reads (systemd.exec(5), JOURNAL_STREAM). */
static int is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &status) &&
	       status.st_dev == device && status.st_ino == inode;
}

static const char *level_word(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_DEBUG:
		return "debug: ";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

static const char *level_colour(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "\033[1;31m";
	case LOG_LEVEL_WARNING:
		return "\033[33m";
	case LOG_LEVEL_DEBUG:
		return "\033[2m";
	case LOG_LEVEL_INFO:
		break;
	}
	return "";
}

/* What comes from outside (a name, an answer) must not start a line of its own or drive the terminal. */
static void make_harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			*c = *c == '\t' ? ' ' : '?';
	}
}

void log_line(enum log_level level, const char *format, ...)
{
	char message[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64];
	int length;
	va_list arguments;

	if ((int)level > atomic_load(&threshold))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	make_harmless(message);
	if (is_journal(STDERR_FILENO))
		length = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, message);
	else if (isatty(STDERR_FILENO) && !getenv("NO_COLOR") && *level_colour(level))
		length = snprintf(line, sizeof(line), "%s%s\033[0m%s\n", level_colour(level), level_word(level),
				  message);
	else
		length = snprintf(line, sizeof(line), "%s%s\n", level_word(level), message);
	/* There is nobody left to tell that standard error is gone. */
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;
}
