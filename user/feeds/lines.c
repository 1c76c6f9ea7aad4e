/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists that hold an entry a line: where lines end, what of them is comment, and what the comments tell. */
#include "reading.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\r\v\f"

/* A list names itself in a comment at its head. */
static void read_comment(struct reading *reading, const char *comment)
{
	if (reading->has_format)
		return;
	if (strcasestr(comment, "spamhaus") && strcasestr(comment, "drop"))
		reading_set_format(reading, FEEDS_DROP_TEXT);
	else if (strcasestr(comment, "firehol"))
		reading_set_format(reading, FEEDS_FIREHOL);
}

static void trim_end(char *text, size_t length)
{
	while (length && strchr(BLANKS, text[length - 1]))
		length--;
	text[length] = '\0';
}

static int read_line(struct reading *reading, char *line, size_t length)
{
	size_t indent = strspn(line, BLANKS), used;

	line += indent;
	length -= indent;
	if (*line == '{')
		return reading_add_json_line(reading, line, length);
	used = strcspn(line, "#;");
	if (line[used])
		read_comment(reading, line + used);
	trim_end(line, used);
	if (!*line)
		return 0;
	reading_set_format(reading, FEEDS_PLAIN);
	return reading_add(reading, line);
}

static int refuse_long(struct reading *reading)
{
	reading_refuse(reading, -EINVAL, "a line of more than %u bytes", READING_LINE_MAX);
	problem_hint(reading->problem, "a list is text, an entry a line; is this one?");
	return -EINVAL;
}

int reading_refuse_nul(struct reading *reading)
{
	reading_refuse(reading, -EINVAL, "a NUL byte: this is binary data");
	problem_hint(reading->problem, "a list is text, an entry a line; fetch it again, or restore it");
	return -EINVAL;
}

/* Takes the next line off the buffer; its newline becomes a NUL. */
static int take_line(struct reading *reading, char **line, size_t *length)
{
	char *start = reading->buffer + reading->at;
	size_t left = reading->end - reading->at;
	size_t seen = left > READING_LINE_MAX + 1 ? READING_LINE_MAX + 1 : left;
	const char *newline = memchr(start, '\n', seen);

	reading->report.lines++;
	if (!newline && left > READING_LINE_MAX)
		return refuse_long(reading);
	reading->unfinished = !newline;
	*length = newline ? (size_t)(newline - start) : left;
	reading->at += *length + !!newline;
	start[*length] = '\0';
	*line = start;
	return memchr(start, '\0', *length) ? reading_refuse_nul(reading) : 0;
}

int reading_take_lines(struct reading *reading)
{
	for (;;) {
		char *line;
		size_t length;
		int error = reading_fill(reading);

		if (error || reading->at == reading->end)
			return error;
		error = take_line(reading, &line, &length);
		if (!error)
			error = read_line(reading, line, length);
		if (error)
			return error;
	}
}
