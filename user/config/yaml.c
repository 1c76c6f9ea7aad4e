/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML events to a tree.
 *
 * Only the library's event parser is used: what a configuration has no need of (anchors, aliases, tags, several
 * documents, deep nesting) is refused at the event, before anything is expanded or recursed into.
 */
#include "yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <string.h>

#include "../base/scope.h"
#include "locate.h"

#define DEPTH_MAX  16
#define NODES_MAX  1000000
#define ARENA_STEP 65536

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	char data[];
};

struct yaml_tree {
	struct arena_block *blocks;
	struct yaml_node *root;
};

struct builder {
	struct yaml_tree *tree;
	struct error_list *errors;
	struct locator at;
	struct yaml_node *open[DEPTH_MAX]; /* the lists and maps around the next event */
	size_t depth;
	struct yaml_node *key; /* a key that waits for its value */
	size_t nodes, documents;
};

static void *arena_take(struct yaml_tree *tree, size_t size)
{
	struct arena_block *block = tree->blocks;

	size = (size + 15) & ~(size_t)15;
	if (!block || block->size - block->used < size) {
		size_t room = size > ARENA_STEP ? size : ARENA_STEP;

		block = calloc(1, sizeof(*block) + room);
		if (!block)
			return NULL;
		block->size = room;
		block->next = tree->blocks;
		tree->blocks = block;
	}
	block->used += size;
	return block->data + block->used - size;
}

void yaml_free(struct yaml_tree *tree)
{
	if (!tree)
		return;
	while (tree->blocks) {
		struct arena_block *next = tree->blocks->next;

		free(tree->blocks);
		tree->blocks = next;
	}
	free(tree);
}

const struct yaml_node *yaml_root(const struct yaml_tree *tree)
{
	return tree->root;
}

static struct config_place token_place(struct builder *builder, struct fy_token *token, size_t before)
{
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	/* What is implied by the text (an empty value) has no mark: it lies where the last thing was. */
	if (mark && mark->input_pos <= builder->errors->size)
		locator_move(&builder->at, mark->input_pos >= before ? mark->input_pos - before : 0);
	return builder->at.place;
}

static int refuse(struct builder *builder, struct fy_token *token, const char *sentence)
{
	errors_add(builder->errors, token_place(builder, token, 0), "%s", sentence);
	return -EINVAL;
}

/* Puts a node where it belongs: as the root, a list's item, a map's key, or the value of the waiting key. */
static int attach(struct builder *builder, struct yaml_node *node)
{
	struct yaml_node *parent = builder->depth ? builder->open[builder->depth - 1] : NULL;

	node->parent = parent;
	if (!parent) {
		builder->tree->root = node;
		return 0;
	}
	if (parent->kind == YAML_MAP && !builder->key) {
		if (node->kind != YAML_SCALAR) {
			errors_add(builder->errors, node->place, "a key must be a single word");
			return -EINVAL;
		}
		builder->key = node;
		return 0;
	}
	node->key = builder->key;
	builder->key = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return 0;
}

static int add_node(struct builder *builder, enum yaml_kind kind, struct config_place place, struct yaml_node **out)
{
	struct yaml_node *node;

	if (builder->nodes++ == NODES_MAX) {
		errors_add(builder->errors, place, "more than %d values in one file", NODES_MAX);
		return -EINVAL;
	}
	node = arena_take(builder->tree, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->place = place;
	*out = node;
	return 0;
}

static bool says_nothing(const char *text, size_t length)
{
	return !length || (length == 1 && *text == '~') || (length == 4 && !memcmp(text, "null", 4));
}

static int add_scalar(struct builder *builder, struct fy_token *token)
{
	size_t length = 0;
	const char *text = token ? fy_token_get_text(token, &length) : "";
	enum fy_scalar_style style = token ? fy_token_scalar_style(token) : FYSS_PLAIN;
	bool quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
	struct config_place place = token_place(builder, token, quoted ? 1 : 0);
	struct yaml_node *node;
	char *copy;
	int error;

	if (!text)
		return -ENOMEM;
	if (memchr(text, 0, length)) {
		errors_add(builder->errors, place, "a value holds a NUL byte");
		return -EINVAL;
	}
	error = add_node(builder, YAML_SCALAR, place, &node);
	if (error)
		return error;
	copy = arena_take(builder->tree, length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, length);
	node->text = copy;
	node->null = style == FYSS_PLAIN && says_nothing(text, length);
	return attach(builder, node);
}

static int open_node(struct builder *builder, enum yaml_kind kind, struct fy_token *token)
{
	struct yaml_node *node;
	int error;

	if (builder->depth == DEPTH_MAX)
		return refuse(builder, token, "nested too deep: no section of a configuration goes this far down");
	error = add_node(builder, kind, token_place(builder, token, 0), &node);
	if (!error)
		error = attach(builder, node);
	if (!error)
		builder->open[builder->depth++] = node;
	return error;
}

/* The word at a place, as it would be written in quotes. */
static const char *word_at(const char *at, const char *end, char out[SHOWN_MAX])
{
	char word[SHOWN_MAX];
	size_t length = 0;

	while (at + length < end && length < sizeof(word) - 1 && !strchr(" ,]}#\"\t\r\n", at[length]))
		length++;
	memcpy(word, at, length);
	word[length] = 0;
	return errors_show(word, out);
}

/* Negations and comparisons look like something else to YAML until they are quoted. */
static int refuse_tag(struct builder *builder, struct fy_token *tag)
{
	const struct error_list *errors = builder->errors;
	struct config_place place = token_place(builder, tag, 0);
	const char *at = locate_text(errors->text, errors->size, place);
	char word[SHOWN_MAX];

	errors_add(builder->errors, place,
		   "tags (!name) are refused: values need none here; \"not\" is written in quotes, as in \"%s\"",
		   word_at(at, errors->text + errors->size, word));
	return -EINVAL;
}

static int refuse_decorations(struct builder *builder, struct fy_token *anchor, struct fy_token *tag)
{
	if (anchor)
		return refuse(builder, anchor, "anchors (&name) are refused: write the value out where it is used");
	if (tag)
		return refuse_tag(builder, tag);
	return 0;
}

static int take_event(struct builder *builder, struct fy_event *event)
{
	int error;

	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (builder->documents++)
			return refuse(builder, event->document_start.document_start,
				      "a second document: a configuration is one, put it all into the first");
		return 0;
	case FYET_ALIAS:
		return refuse(builder, event->alias.anchor,
			      "aliases (*name) are refused: write the value out where it is used");
	case FYET_SCALAR:
		error = refuse_decorations(builder, event->scalar.anchor, event->scalar.tag);
		return error ? error : add_scalar(builder, event->scalar.value);
	case FYET_MAPPING_START:
		error = refuse_decorations(builder, event->mapping_start.anchor, event->mapping_start.tag);
		return error ? error : open_node(builder, YAML_MAP, event->mapping_start.mapping_start);
	case FYET_SEQUENCE_START:
		error = refuse_decorations(builder, event->sequence_start.anchor, event->sequence_start.tag);
		return error ? error : open_node(builder, YAML_LIST, event->sequence_start.sequence_start);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		builder->depth--;
		return 0;
	default:
		return 0;
	}
}

/* What at the place of an error, or before it in its line, wants to be in quotes; NULL if nothing does. */
static const char *find_unquoted(const struct error_list *list, struct config_place place)
{
	const char *at = locate_text(list->text, list->size, place), *end = list->text + list->size, *line = at;
	const char *sign = at;

	if (at < end && *at && strchr("@`%>|", *at))
		return at;
	/* The digit behind ">" was taken for the indentation of a text of several lines. */
	while (sign > list->text && sign[-1] >= '0' && sign[-1] <= '9')
		sign--;
	if (sign > list->text && (sign[-1] == '>' || sign[-1] == '|'))
		return sign - 1;
	while (line > list->text && line[-1] != '\n')
		line--;
	for (; at > line; at--) {
		if (at < end && *at == '!' && strchr(" ,[{", at[-1]))
			return at;
	}
	return NULL;
}

/* The first diagnostic says what is wrong; those after it are its consequences. */
static int report_syntax(struct builder *builder, struct fy_diag *diag)
{
	void *iterator = NULL;
	struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
	struct config_place place = builder->at.place;
	const struct error_list *list = builder->errors;
	const char *unquoted;
	char word[SHOWN_MAX];

	if (error && error->line > 0 && error->column > 0)
		place = locator_clamp(builder->errors->text, builder->errors->size,
				      (struct config_place){error->line, error->column});
	unquoted = find_unquoted(list, place);
	errors_add(builder->errors, place, "not valid YAML: %s%s%s%s",
		   error && error->msg ? SHOWN(error->msg) : "the text cannot be understood from here on",
		   unquoted ? "; put it in quotes: \"" : "",
		   unquoted ? word_at(unquoted, list->text + list->size, word) : "", unquoted ? "\"" : "");
	return -EINVAL;
}

/* The library prints what it cannot tie to a token; the collected list is all that is shown here. */
static void discard(struct fy_diag *diag, void *user, const char *text, size_t length)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)length;
}

static void destroy_parser(struct fy_parser **parser)
{
	fy_parser_destroy(*parser);
}

static void destroy_diag(struct fy_diag **diag)
{
	fy_diag_destroy(*diag);
}

static int build(struct builder *builder)
{
	struct fy_diag_cfg diag_cfg;
	__attribute__((cleanup(destroy_diag))) struct fy_diag *diag = NULL;
	__attribute__((cleanup(destroy_parser))) struct fy_parser *parser = NULL;
	struct fy_event *event;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = discard;
	diag_cfg.colorize = false;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(diag, true);
	parser = fy_parser_create(&(struct fy_parse_cfg){
		.search_path = "",
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE | FYPCF_SLOPPY_FLOW_INDENTATION,
		.diag = diag,
	});
	if (!parser || fy_parser_set_string(parser, builder->errors->text, builder->errors->size))
		return -ENOMEM;
	while ((event = fy_parser_parse(parser))) {
		int error = take_event(builder, event);

		fy_parser_event_free(parser, event);
		if (error)
			return error;
	}
	return fy_parser_get_stream_error(parser) ? report_syntax(builder, diag) : 0;
}

int yaml_read(struct error_list *list, struct yaml_tree **out)
{
	struct builder builder = {.errors = list, .at = {.text = list->text, .place = {1, 1}}};
	int error;

	if (locate_bad_text(list))
		return -EINVAL;
	builder.tree = calloc(1, sizeof(*builder.tree));
	if (!builder.tree)
		return -ENOMEM;
	error = build(&builder);
	if (error) {
		yaml_free(builder.tree);
		return error;
	}
	*out = builder.tree;
	return 0;
}
