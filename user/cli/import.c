/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads lists of prefixes and says at which line one is wrong. */
#include "import.h"
#include "../base/addr.h"
#include "../base/scope.h"
#include <errno.h>
#include <string.h>

int import_check(const json_t *words, json_t **prefixes, struct problem *problem)
{
	struct prefix prefix;
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word) {
		int err = prefix_read(json_string_value(word), &prefix, problem);

		if (err)
			return err;
	}
	*prefixes = json_deep_copy(words);
	return *prefixes ? 0 : problem_set(problem, -ENOMEM, "out of memory");
}

/* The word that a line holds, in place; empty when it is blank or a comment. */
static char *strip(char *line)
{
	line[strcspn(line, "#;\r\n")] = '\0';
	line += strspn(line, " \t");
	line[strcspn(line, " \t")] = '\0';
	return line;
}

static int read_lines(FILE *file, const char *name, json_t *list, struct problem *problem)
{
	AUTO_FREE char *line = NULL;
	struct problem reason = {0};
	struct prefix prefix;
	size_t room = 0;

	for (unsigned long number = 1; getline(&line, &room, file) >= 0; number++) {
		char *word = strip(line);
		int err = *word ? prefix_read(word, &prefix, &reason) : 0;

		if (err) {
			problem_set(problem, err, "%s:%lu: %s; nothing was changed", name, number, reason.text);
			problem_hint(problem, "%s", reason.hint);
			return err;
		}
		if (*word && json_array_append_new(list, json_string(word)))
			return problem_set(problem, -ENOMEM, "out of memory");
	}
	if (ferror(file))
		return problem_set(problem, -EIO, "%s cannot be read", name);
	if (!json_array_size(list)) {
		problem_set(problem, -ENODATA, "%s holds no prefix; nothing was changed", name);
		problem_hint(problem, "an empty list never means any");
		return -ENODATA;
	}
	return 0;
}

int import_read(const char *path, json_t **prefixes, struct problem *problem)
{
	bool is_stdin = !strcmp(path, "-");
	AUTO_FCLOSE FILE *opened = is_stdin ? NULL : fopen(path, "re");
	json_t *list;
	int err;

	if (!is_stdin && !opened)
		return problem_set(problem, -errno, "%s cannot be read: %s", path, strerror(errno));
	list = json_array();
	err = read_lines(is_stdin ? stdin : opened, is_stdin ? "standard input" : path, list, problem);
	if (err)
		json_decref(list);
	else
		*prefixes = list;
	return err;
}
