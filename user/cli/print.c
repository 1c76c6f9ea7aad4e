/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands share in printing: JSON, tables, colour, ages. */
#include "cli.h"
#include "../base/scope.h"
#include <stdarg.h>
#include <string.h>

int cli_print_json(json_t *json)
{
	int err = json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	json_decref(json);
	putchar('\n');
	return err || fflush(stdout) ? CLI_FAILED : CLI_DONE;
}

bool cli_colour(void)
{
	const char *off = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(off && *off);
}

void cli_table_add(struct cli_table *table, const char *format, ...)
{
	va_list arguments;
	char *cell = NULL;

	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		char **cells = realloc(table->cells, capacity * sizeof(*cells));

		if (!cells)
			return;
		table->cells = cells;
		table->capacity = capacity;
	}
	va_start(arguments, format);
	if (vasprintf(&cell, format, arguments) < 0)
		cell = NULL;
	va_end(arguments);
	table->cells[table->count++] = cell;
}

void cli_table_headings(struct cli_table *table, const char *const *headings)
{
	for (size_t i = 0; table->align[i]; i++)
		cli_table_add(table, "%s", headings[i]);
}

/* Characters, not bytes, of UTF-8. */
static int count_characters(const char *text)
{
	int count = 0;

	for (; text && *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static void print_cell(const char *text, int width, char align, bool is_last)
{
	int padding = width - count_characters(text);

	if (align == 'r')
		printf("%*s%s", padding, "", text);
	else
		printf("%s%*s", text, is_last ? 0 : padding, "");
	fputs(is_last ? "\n" : "  ", stdout);
}

void cli_table_print(struct cli_table *table)
{
	size_t columns = strlen(table->align);
	AUTO_FREE int *widths = calloc(columns, sizeof(*widths));

	for (size_t i = 0; widths && i < table->count; i++) {
		int width = count_characters(table->cells[i]);

		if (width > widths[i % columns])
			widths[i % columns] = width;
	}
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % columns;

		if (widths && table->count > columns)
			print_cell(table->cells[i] ? table->cells[i] : "", widths[column], table->align[column],
				   column + 1 == columns);
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct cli_table){.align = table->align};
}

const char *cli_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

long long cli_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *cli_item(const json_t *array, size_t index, const char *otherwise)
{
	const char *text = json_string_value(json_array_get(array, index));

	return text ? text : otherwise;
}

char *cli_age(long long seconds, char *out)
{
	if (seconds < 120)
		snprintf(out, CLI_AGE_MAX, "%lld s", seconds);
	else if (seconds < 7200)
		snprintf(out, CLI_AGE_MAX, "%lld min", seconds / 60);
	else if (seconds < 172800)
		snprintf(out, CLI_AGE_MAX, "%lld h %lld min", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(out, CLI_AGE_MAX, "%lld d %lld h", seconds / 86400, seconds / 3600 % 24);
	return out;
}
