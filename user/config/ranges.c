/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of numbers and ranges: "80,443,8000-8099", [80, 443], ">1500", "af11". */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"
#include "units.h"

#define ITEM_MAX 64

static const struct keyword no_vlan[] = {{"none", 4096}};

const struct range_kind range_port = {UINT16_MAX, NULL, 0};
const struct range_kind range_length = {UINT16_MAX, NULL, 0};
const struct range_kind range_ttl = {UINT8_MAX, NULL, 0};
const struct range_kind range_dscp = {63, keywords_dscp, KEYWORDS_DSCPS};
const struct range_kind range_vlan = {4095, no_vlan, ARRAY_SIZE(no_vlan)};

static bool read_words(struct form *form, const struct yaml_node *node, item_reader *read, void *object)
{
	const char *at = form_text(form, node);
	bool good = at;

	while (at) {
		const char *comma = strchr(at, ',');
		size_t length = comma ? (size_t)(comma - at) : strlen(at);
		char item[ITEM_MAX];

		for (; length && *at == ' '; length--)
			at++;
		while (length && at[length - 1] == ' ')
			length--;
		if (!length || length >= sizeof(item) || form->errors->more) {
			errors_add(form->errors, node->place, "\"%s\" for \"%s\": %s", SHOWN(node->text),
				   SHOWN(form_label(node)),
				   length ? "an item is too long"
				   : comma || at > node->text
					   ? "an item is missing between the commas"
					   : "it is empty; a comparison as \">10\" is written in quotes");
			return false;
		}
		memcpy(item, at, length);
		item[length] = 0;
		good = read(form, node, item, object) && good;
		at = comma ? comma + 1 : NULL;
	}
	return good;
}

bool items_read(struct form *form, const struct yaml_node *node, item_reader *read, void *object)
{
	bool good = true;

	if (node->kind != YAML_LIST)
		return read_words(form, node, read, object);
	if (!node->count) {
		errors_add(form->errors, node->place,
			   "\"%s\" is an empty list: that never means \"any\"; name something or leave the key out",
			   SHOWN(form_label(node)));
		return false;
	}
	for (const struct yaml_node *item = node->first; item && !form->errors->more; item = item->next)
		good = read_words(form, item, read, object) && good;
	return good;
}

bool ranges_add(struct form *form, struct config_ranges *ranges, unsigned int first, unsigned int last)
{
	struct config_range *grown = ranges->ranges;

	/* Room for powers of two. */
	if (!(ranges->count & (ranges->count - 1)))
		grown = reallocarray(ranges->ranges, ranges->count ? 2 * ranges->count : 1, sizeof(*grown));
	if (!grown) {
		form->errors->no_memory = true;
		return false;
	}
	ranges->ranges = grown;
	grown[ranges->count++] = (struct config_range){(uint16_t)first, (uint16_t)last};
	return true;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct config_range *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return a->last < b->last ? -1 : a->last > b->last;
}

void ranges_join(struct config_ranges *ranges)
{
	size_t used = 0;

	if (!ranges->count)
		return;
	qsort(ranges->ranges, ranges->count, sizeof(*ranges->ranges), compare_ranges);
	for (size_t i = 1; i < ranges->count; i++) {
		struct config_range *last = &ranges->ranges[used], next = ranges->ranges[i];

		if (next.first > last->last + 1u)
			ranges->ranges[++used] = next;
		else if (next.last > last->last)
			last->last = next.last;
	}
	ranges->count = used + 1;
}

bool ranges_hold(const struct config_ranges *ranges, unsigned int value)
{
	for (size_t i = 0; i < ranges->count; i++) {
		if (value >= ranges->ranges[i].first && value <= ranges->ranges[i].last)
			return true;
	}
	return !ranges->count;
}

bool ranges_cover(const struct config_ranges *outer, const struct config_ranges *inner)
{
	size_t o = 0;

	if (!outer->count)
		return true;
	for (size_t i = 0; i < inner->count; i++) {
		while (o < outer->count && outer->ranges[o].last < inner->ranges[i].last)
			o++;
		if (o == outer->count || outer->ranges[o].first > inner->ranges[i].first)
			return false;
	}
	return inner->count;
}

bool ranges_equal(const struct config_ranges *a, const struct config_ranges *b)
{
	return a->count == b->count && (!a->count || !memcmp(a->ranges, b->ranges, a->count * sizeof(*a->ranges)));
}

void ranges_clear(struct config_ranges *ranges)
{
	free(ranges->ranges);
	ranges->ranges = NULL;
	ranges->count = 0;
}

struct ranges_draft {
	const struct range_kind *kind;
	struct config_ranges ranges;
};

static bool refuse(struct form *form, const struct yaml_node *node, const char *item, const char *sentence)
{
	errors_add(form->errors, node->place, "\"%s\" for \"%s\": %s", SHOWN(item), SHOWN(form_label(node)), sentence);
	return false;
}

/* A number up to length, or a word. */
static bool read_value(const struct range_kind *kind, const char *text, size_t length, uint64_t *out)
{
	char word[ITEM_MAX];

	memcpy(word, text, length);
	word[length] = 0;
	for (size_t i = 0; i < kind->words_count; i++) {
		if (!strcmp(kind->words[i].word, word)) {
			*out = kind->words[i].value;
			return true;
		}
	}
	return !units_integer(word, out);
}

static bool refuse_number(struct form *form, const struct yaml_node *node, const char *item,
			  const struct range_kind *kind)
{
	struct nearest nearest = {.word = item};

	for (size_t i = 0; i < kind->words_count; i++)
		nearest_try(&nearest, kind->words[i].word);
	if (!strncmp(item, "tcp/", 4) || !strncmp(item, "udp/", 4))
		return refuse(form, node, item, "the protocol belongs to \"proto\": write the number alone here");
	errors_add(form->errors, node->place,
		   "\"%s\" for \"%s\": a number%s, a range as 10-20 or a comparison as \">10\" (in quotes) is needed%s",
		   SHOWN(item), SHOWN(form_label(node)),
		   kind == &range_dscp	 ? ", a name as af11"
		   : kind == &range_vlan ? ", the word none"
					 : "",
		   MEANT(&nearest));
	return false;
}

/* ">10", ">=10", "<10", "<=10" */
static bool read_comparison(struct form *form, const struct yaml_node *node, const char *item,
			    struct ranges_draft *draft)
{
	bool above = *item == '>', equal = item[1] == '=';
	const char *number = item + 1 + equal;
	uint64_t value;

	while (*number == ' ')
		number++;
	if (units_integer(number, &value))
		return refuse_number(form, node, item, draft->kind);
	if (value > draft->kind->max || (!equal && value == (above ? draft->kind->max : 0u))) {
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": values are 0 to %u, so none is meant",
			   SHOWN(item), SHOWN(form_label(node)), draft->kind->max);
		return false;
	}
	if (above)
		return ranges_add(form, &draft->ranges, (unsigned int)value + !equal, draft->kind->max);
	return ranges_add(form, &draft->ranges, 0, (unsigned int)value - !equal);
}

static bool read_range(struct form *form, const struct yaml_node *node, const char *item, void *object)
{
	struct ranges_draft *draft = object;
	const struct range_kind *kind = draft->kind;
	const char *dash = strchr(item, '-');
	uint64_t first, last;

	if (*item == '>' || *item == '<')
		return read_comparison(form, node, item, draft);
	if (read_value(kind, item, strlen(item), &first))
		last = first;
	else if (!dash || !read_value(kind, item, (size_t)(dash - item), &first) ||
		 !read_value(kind, dash + 1, strlen(dash + 1), &last))
		return refuse_number(form, node, item, kind);
	if (first == last && kind == &range_vlan && !strcmp(item, "none"))
		return ranges_add(form, &draft->ranges, (unsigned int)first, (unsigned int)last);
	if (first > kind->max || last > kind->max) {
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": values are 0 to %u", SHOWN(item),
			   SHOWN(form_label(node)), kind->max);
		return false;
	}
	if (first > last) {
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": a range goes from the lower to the higher: write %u-%u", SHOWN(item),
			   SHOWN(form_label(node)), (unsigned int)last, (unsigned int)first);
		return false;
	}
	return ranges_add(form, &draft->ranges, (unsigned int)first, (unsigned int)last);
}

static void clear_draft(struct ranges_draft *draft)
{
	ranges_clear(&draft->ranges);
}

void ranges_read(struct form *form, const struct yaml_node *node, const struct range_kind *kind,
		 struct config_ranges *out)
{
	__attribute__((cleanup(clear_draft))) struct ranges_draft draft = {.kind = kind};

	if (!items_read(form, node, read_range, &draft))
		return;
	ranges_join(&draft.ranges);
	*out = draft.ranges;
	draft.ranges = (struct config_ranges){};
}
