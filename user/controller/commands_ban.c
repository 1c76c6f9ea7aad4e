/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands on the live deny and allow lists: many prefixes at once, all or nothing. */
#include "composition.h"
#include "../base/json.h"
#include "../base/scope.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define FOR_MAX_S (10LL * 365 * 86400)
/* Entries of a page: with the longest prefixes and notes it still fits into a frame. */
#define PAGE_ENTRIES 32768

static json_t *find_prefixes(json_t *arguments, struct problem *problem)
{
	json_t *list = json_object_get(arguments, "prefixes");

	if (json_array_size(list))
		return list;
	problem_set(problem, -EINVAL, "no prefix was given");
	problem_hint(problem, "an empty list never means any");
	return NULL;
}

/* A note is shown on terminals: what could steer one is refused. */
static int read_note(json_t *arguments, char *note, size_t size, struct problem *problem)
{
	const char *text = json_string_value(json_object_get(arguments, "note"));

	if (!text)
		return 0;
	if (strlen(text) >= size)
		return problem_set(problem, -EINVAL, "the note is longer than %zu bytes", size - 1);
	for (size_t i = 0; text[i]; i++)
		if (iscntrl((unsigned char)text[i]))
			return problem_set(problem, -EINVAL, "the note has control characters in it");
	memcpy(note, text, strlen(text) + 1);
	return 0;
}

static int read_end(json_t *arguments, int64_t now, int64_t *until, struct problem *problem)
{
	const json_t *value = json_object_get(arguments, "for_s");

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) <= 0 || json_integer_value(value) > FOR_MAX_S)
		return problem_set(problem, -EINVAL, "for_s must be from 1 to %lld seconds", FOR_MAX_S);
	*until = now + json_integer_value(value);
	return 0;
}

static int read_prefix(const json_t *element, struct prefix *prefix, struct problem *problem)
{
	const char *text = json_string_value(element);

	return prefix_read(text ? text : "", prefix, problem);
}

json_t *command_ban_add(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem)
{
	bool force = json_is_true(json_object_get(arguments, "force"));
	json_t *prefixes = find_prefixes(arguments, problem), *element;
	AUTO_FREE struct reconcile_ban *bans = NULL;
	struct reconcile_ban common = {.list = list, .added_s = time(NULL)};
	size_t i;

	if (!prefixes || read_note(arguments, common.note, sizeof(common.note), problem) ||
	    read_end(arguments, common.added_s, &common.until_s, problem))
		return NULL;
	bans = calloc(json_array_size(prefixes), sizeof(*bans));
	if (!bans)
		return NULL;
	json_array_foreach(prefixes, i, element) {
		bans[i] = common;
		if (read_prefix(element, &bans[i].prefix, problem))
			return NULL;
	}
	if (list == WEIR_BAN_DENY && !force && lockout_refuse(controller, bans, json_array_size(prefixes), problem))
		return NULL;
	if (reconcile_ban_add(controller->reconcile, bans, json_array_size(prefixes), problem))
		return NULL;
	return json_pack("{s:I}", "added", (json_int_t)json_array_size(prefixes));
}

json_t *command_ban_delete(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem)
{
	json_t *prefixes = find_prefixes(arguments, problem), *element;
	AUTO_FREE struct prefix *parsed = NULL;
	size_t i;

	if (!prefixes)
		return NULL;
	parsed = calloc(json_array_size(prefixes), sizeof(*parsed));
	if (!parsed)
		return NULL;
	json_array_foreach(prefixes, i, element)
		if (read_prefix(element, &parsed[i], problem))
			return NULL;
	if (reconcile_ban_delete(controller->reconcile, list, parsed, json_array_size(prefixes), problem))
		return NULL;
	return json_pack("{s:I}", "deleted", (json_int_t)json_array_size(prefixes));
}

struct page {
	json_t *entries;
	struct prefix after; /* family 0: from the start */
	bool more;
};

static void append_ban(void *arg, const struct reconcile_ban *ban)
{
	struct page *page = arg;
	char text[ADDR_TEXT_MAX];

	if (page->more || (page->after.addr.family && prefix_compare(&ban->prefix, &page->after) <= 0))
		return;
	if (json_array_size(page->entries) == PAGE_ENTRIES) {
		page->more = true;
		return;
	}
	json_array_append_new(page->entries,
			      json_pack("{s:s, s:I, s:o, s:o}", "prefix", prefix_format(&ban->prefix, text), "added",
					(json_int_t)ban->added_s, "until",
					ban->until_s ? json_integer(ban->until_s) : json_null(), "note",
					json_text(ban->note)));
}

json_t *command_ban_list(struct controller *controller, uint32_t list, json_t *arguments, struct problem *problem)
{
	const json_t *after = json_object_get(arguments, "after");
	struct page page = {0};

	if (after && read_prefix(after, &page.after, problem))
		return NULL;
	page.entries = json_array();
	reconcile_ban_each(controller->reconcile, list, append_ban, &page);
	return json_pack("{s:o, s:b}", "entries", page.entries, "more", page.more);
}
