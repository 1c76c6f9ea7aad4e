/* SPDX-License-Identifier: BSD-2-Clause */
/* Recognises and restores well-formed UTF-8. */
#include "text.h"

#include <stdbool.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
	return (byte & 0xc0) == 0x80;
}

static size_t length_told_by(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

size_t text_sequence(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	size_t length = length_told_by(byte[0]);
	unsigned char low = 0x80, high = 0xbf;

	if (length < 2)
		return length;
	if (byte[0] == 0xe0)
		low = 0xa0;
	else if (byte[0] == 0xed)
		high = 0x9f;
	else if (byte[0] == 0xf0)
		low = 0x90;
	else if (byte[0] == 0xf4)
		high = 0x8f;
	if (byte[1] < low || byte[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if (!is_continuation(byte[i]))
			return 0;
	}
	return length;
}

char *text_repair(char *text)
{
	for (char *at = text; *at;) {
		size_t length = text_sequence(at);

		if (!length)
			*at = '?';
		at += length ? length : 1;
	}
	return text;
}

void text_trim(char *text)
{
	size_t size = strlen(text), tail = 0;

	while (tail < size && tail < 3 && is_continuation((unsigned char)text[size - 1 - tail]))
		tail++;
	if (tail < size && length_told_by((unsigned char)text[size - 1 - tail]) > tail + 1)
		text[size - 1 - tail] = '\0';
}
