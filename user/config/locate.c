/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines and columns (in characters), and the bytes that no text has. */
#include "locate.h"

#include <string.h>

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static int column_of(const char *text, size_t offset)
{
	int column = 1;

	for (; offset && text[offset - 1] != '\n'; offset--)
		column += !is_continuation(text[offset - 1]);
	return column;
}

void locator_move(struct locator *at, size_t offset)
{
	while (at->offset < offset) {
		char c = at->text[at->offset++];

		if (c == '\n') {
			at->place.line++;
			at->place.column = 1;
		} else if (!is_continuation(c)) {
			at->place.column++;
		}
	}
	while (at->offset > offset) {
		char c = at->text[--at->offset];

		if (c == '\n') {
			at->place.line--;
			at->place.column = column_of(at->text, at->offset);
		} else if (!is_continuation(c)) {
			at->place.column--;
		}
	}
}

struct config_place locator_clamp(const char *text, size_t size, struct config_place place)
{
	struct locator end = {.text = text, .place = {1, 1}};

	/* The end of the last line that has something: a final newline opens none. */
	while (size && (text[size - 1] == '\n' || text[size - 1] == '\r'))
		size--;
	locator_move(&end, size);
	if (place.line > end.place.line || (place.line == end.place.line && place.column > end.place.column))
		return end.place;
	return place;
}

const char *locate_text(const char *text, size_t size, struct config_place place)
{
	struct locator at = {.text = text, .place = {1, 1}};

	while (at.offset < size &&
	       (at.place.line < place.line || (at.place.line == place.line && at.place.column < place.column)))
		locator_move(&at, at.offset + 1);
	return text + at.offset;
}

/* The length of the well-formed sequence at text (RFC 3629, section 4), 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	unsigned char first = text[0], low = 0x80, high = 0xbf;
	size_t length;

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (first == 0xe0)
		low = 0xa0; /* overlong */
	else if (first == 0xed)
		high = 0x9f; /* surrogates */
	else if (first == 0xf0)
		low = 0x90; /* overlong */
	else if (first == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (left < length || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	}
	return length;
}

/* Brackets that wait for their end, however they are quoted: no file comes near this by chance, while the YAML
 * library takes memory for each of them before it says a word. */
#define BRACKETS_MAX 1000

static int brackets_after(int open, unsigned char byte)
{
	if (byte == '[' || byte == '{')
		return open + 1;
	return (byte == ']' || byte == '}') && open ? open - 1 : open;
}

bool locate_bad_text(struct error_list *list)
{
	struct locator at = {.text = list->text, .place = {1, 1}};
	int open = 0;

	for (size_t offset = 0; offset < list->size;) {
		unsigned char byte = (unsigned char)list->text[offset];
		size_t length = utf8_length((const unsigned char *)list->text + offset, list->size - offset);

		open = brackets_after(open, byte);
		if (byte && length && open <= BRACKETS_MAX) {
			offset += length;
			continue;
		}
		locator_move(&at, offset);
		if (!byte)
			errors_add(list, at.place, "a NUL byte: the file is damaged or not text");
		else if (!length)
			errors_add(list, at.place,
				   "byte 0x%02x is not UTF-8: the file is damaged or in another encoding", byte);
		else
			errors_add(list, at.place, "nested too deep: %d brackets wait for their end here", open);
		return true;
	}
	return false;
}
