/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists in JSON: an object a line, or an array that is decoded element by element, so that its size costs nothing. */
#include "../base/json.h"
#include "reading.h"

#include <errno.h>
#include <string.h>

static int refuse_json(struct reading *reading, const char *sentence)
{
	reading_refuse(reading, -EINVAL, "%s", sentence);
	problem_hint(reading->problem, "entries are strings, or objects with the address in \"cidr\"");
	return -EINVAL;
}

static int refuse_cut(struct reading *reading)
{
	reading_refuse(reading, -EINVAL, "the file ends in the middle of its JSON");
	problem_hint(reading->problem, "it seems to be cut off: fetch it again");
	return -EINVAL;
}

static int refuse_syntax(struct reading *reading, const json_error_t *json_error)
{
	char quote[READING_QUOTE_MAX];

	reading_refuse(reading, -EINVAL, "no JSON: %s", reading_quote(json_error->text, quote));
	problem_hint(reading->problem, "fetch the list again, or correct it");
	return -EINVAL;
}

static int add_text(struct reading *reading, const json_t *string)
{
	char text[2 * ADDR_TEXT_MAX];

	if (json_string_length(string) >= sizeof(text))
		return refuse_json(reading, "a string that is no address, prefix or range");
	strcpy(text, json_string_value(string));
	reading->unfinished = false; /* its closing quote is there */
	return reading_add(reading, text);
}

static int add_element(struct reading *reading, const json_t *element)
{
	const json_t *cidr = json_object_get(element, "cidr");
	const char *type = json_string_value(json_object_get(element, "type"));

	if (json_is_string(element))
		return add_text(reading, element);
	if (json_is_string(cidr))
		return add_text(reading, cidr);
	if (!json_is_object(element))
		return refuse_json(reading, "an entry that is neither a string nor an object");
	if (cidr)
		return refuse_json(reading, "\"cidr\" is no string");
	if (!type || strcmp(type, "metadata") != 0)
		return refuse_json(reading, "an object without \"cidr\"");
	return 0;
}

int reading_add_json_line(struct reading *reading, const char *line, size_t length)
{
	json_error_t json_error;
	AUTO_JSON json_t *element = json_loadb(line, length, 0, &json_error);

	reading_set_format(reading, FEEDS_JSON_LINES);
	if (element)
		return add_element(reading, element);
	if (json_error_code(&json_error) != json_error_premature_end_of_input)
		return refuse_syntax(reading, &json_error);
	return reading->unfinished ? refuse_cut(reading)
				   : refuse_json(reading, "an object that goes on in the next line");
}

static void step_over(struct reading *reading, size_t bytes)
{
	const char *end = reading->buffer + reading->at + bytes;

	for (const char *at = reading->buffer + reading->at; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		reading->report.lines++;
	reading->at += bytes;
}

/* The next byte that is no blank, which stays where it is; 0 at the end of the file, and in place of a NUL. */
static int next_byte(struct reading *reading, char *byte)
{
	for (;;) {
		int error = reading_fill(reading);

		if (error)
			return error;
		*byte = '\0';
		if (reading->at == reading->end)
			return 0;
		*byte = reading->buffer[reading->at];
		if (!*byte || !strchr(" \t\r\n", *byte))
			return 0;
		step_over(reading, 1);
	}
}

/* `seen` bytes from at on make no element. */
static int refuse_element(struct reading *reading, size_t seen, const json_error_t *json_error)
{
	bool is_rest = seen == reading->end - reading->at;

	if (json_error->line > 1)
		reading->report.lines += (uint64_t)json_error->line - 1;
	if (json_error_code(json_error) != json_error_premature_end_of_input)
		return refuse_syntax(reading, json_error);
	if (memchr(reading->buffer + reading->at, '\0', seen))
		return reading_refuse_nul(reading);
	return is_rest ? refuse_cut(reading) : refuse_json(reading, "an entry that is far too long");
}

static int read_element(struct reading *reading)
{
	size_t left = reading->end - reading->at, seen = left > READING_LINE_MAX ? READING_LINE_MAX : left;
	json_error_t json_error;
	AUTO_JSON json_t *element =
		json_loadb(reading->buffer + reading->at, seen, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &json_error);
	int error;

	if (!element)
		return refuse_element(reading, seen, &json_error);
	error = add_element(reading, element);
	if (!error)
		step_over(reading, (size_t)json_error.position);
	return error;
}

/* Up to and with "]"; at stands behind "[". */
static int read_elements(struct reading *reading)
{
	char byte;

	for (bool is_first = true;; is_first = false) {
		int error = next_byte(reading, &byte);

		if (error)
			return error;
		if (byte == ']')
			break;
		if (!is_first && byte == ',') {
			step_over(reading, 1);
			error = next_byte(reading, &byte);
		} else if (!is_first && byte) {
			return refuse_json(reading, "neither \",\" nor \"]\" follows an entry");
		}
		if (!error && !byte && reading->at == reading->end)
			error = refuse_cut(reading);
		if (!error)
			error = read_element(reading);
		if (error)
			return error;
	}
	step_over(reading, 1);
	return 0;
}

int reading_take_json_array(struct reading *reading)
{
	char byte;
	int error;

	reading_set_format(reading, FEEDS_JSON_ARRAY);
	reading->report.lines = 1;
	error = next_byte(reading, &byte); /* the "[", which the caller saw */
	if (error)
		return error;
	step_over(reading, 1);
	error = read_elements(reading);
	if (!error)
		error = next_byte(reading, &byte);
	if (!error && reading->at != reading->end)
		error = refuse_json(reading, "something follows the array's \"]\"");
	return error;
}
