/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors as file:line:column with the line and a caret, in order of place, and guesses at what was meant. */
#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

/* What is shown of a long line: so many characters, the place among them. */
#define LINE_SHOWN  100
#define LINE_BEFORE 60

void errors_add(struct error_list *list, struct config_place place, const char *format, ...)
{
	char *sentence = NULL;
	va_list arguments;
	int length;

	if (list->count == ERRORS_MAX) {
		list->more = true;
		return;
	}
	va_start(arguments, format);
	length = vasprintf(&sentence, format, arguments);
	va_end(arguments);
	if (length < 0) {
		list->no_memory = true;
		return;
	}
	list->entries[list->count] = (struct error_entry){place, list->count, sentence};
	list->count++;
}

void errors_clear(struct error_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].sentence);
	list->count = 0;
}

static int compare_entries(const void *left, const void *right)
{
	const struct error_entry *a = left, *b = right;

	if (a->place.line != b->place.line)
		return a->place.line < b->place.line ? -1 : 1;
	if (a->place.column != b->place.column)
		return a->place.column < b->place.column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of the character at text, 1 for what is no whole character. */
static size_t character_size(const char *text, const char *end)
{
	size_t size = 1;

	if ((unsigned char)*text < 0xc0)
		return 1;
	while (text + size < end && size < 4 && is_continuation(text[size]))
		size++;
	return size;
}

/* C0, DEL, and C1 (U+0080..U+009F, which UTF-8 writes as C2 80..9F) drive terminals. */
static bool is_control(const char *text, size_t size)
{
	unsigned char first = (unsigned char)text[0];

	if (size == 1)
		return first < 0x20 || first >= 0x7f;
	return first == 0xc2 && (unsigned char)text[1] < 0xa0;
}

static void put_character(FILE *out, const char *text, size_t size)
{
	if (size == 1 && *text == '\t')
		fputc(' ', out);
	else if (is_control(text, size))
		fputc('?', out);
	else
		fwrite(text, 1, size, out);
}

void errors_render_line(FILE *out, const struct error_list *list, struct config_place place)
{
	const char *at = list->text, *end = list->text + list->size;
	int column = 1, first = place.column > LINE_SHOWN - 20 ? place.column - LINE_BEFORE : 1;
	int used;

	for (int line = 1; line < place.line && at < end; line++) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));

		at = feed ? feed + 1 : end;
	}
	used = fprintf(out, "%5d | %s", place.line, first > 1 ? "..." : "");
	if (used < 0)
		return;
	for (; at < end && *at != '\n' && *at != '\r' && column < first + LINE_SHOWN; column++) {
		size_t size = character_size(at, end);

		if (column >= first)
			put_character(out, at, size);
		at += size;
	}
	fprintf(out, "%s\n%5s | %*s^\n", column >= first + LINE_SHOWN ? "..." : "", "",
		place.column - first + (first > 1 ? 3 : 0), "");
}

int errors_render(struct error_list *list, struct config_errors *out)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return -ENOMEM;
	qsort(list->entries, list->count, sizeof(list->entries[0]), compare_entries);
	for (size_t i = 0; i < list->count; i++) {
		const struct error_entry *entry = &list->entries[i];

		if (!entry->place.line) {
			fprintf(stream, "%s: %s\n", list->path, entry->sentence);
			continue;
		}
		fprintf(stream, "%s:%d:%d: %s\n", list->path, entry->place.line, entry->place.column, entry->sentence);
		if (list->text)
			errors_render_line(stream, list, entry->place);
	}
	if (list->more)
		fprintf(stream, "%s: there are more errors; these are %d of them\n", list->path, ERRORS_MAX);
	if (fclose(stream))
		return -ENOMEM;
	out->text = TAKE_PTR(text);
	out->count = list->count;
	for (size_t i = 0; i < list->count; i++) {
		const struct error_entry *entry = &list->entries[i];

		if (config_findings_add(&out->entries, entry->place, (struct config_place){}, "", "%s",
					entry->sentence)) {
			config_findings_free(&out->entries);
			break;
		}
	}
	return 0;
}

const char *errors_show(const char *text, char out[SHOWN_MAX])
{
	const char *end = text + strlen(text);
	size_t used = 0;

	while (text < end) {
		size_t size = character_size(text, end);

		if (used + size + sizeof("...") > SHOWN_MAX) {
			strcpy(out + used, "...");
			return out;
		}
		if (is_control(text, size)) {
			out[used++] = '?';
		} else {
			memcpy(out + used, text, size);
			used += size;
		}
		text += size;
	}
	out[used] = 0;
	return out;
}

const char *nearest_text(const struct nearest *nearest, char out[MEANT_MAX])
{
	out[0] = 0;
	if (nearest->best)
		snprintf(out, MEANT_MAX, "; did you mean \"%s\"?", SHOWN(nearest->best));
	return out;
}
