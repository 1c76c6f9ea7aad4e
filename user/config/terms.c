/* SPDX-License-Identifier: BSD-2-Clause */
/* `from` and `to` of a rule: prefixes, sets and the VIPs, each perhaps negated. */
#include "rule.h"

#include <string.h>

#include "../base/scope.h"

static bool find_set(const struct config *config, const char *name, int *out)
{
	if (!strcmp(name, "vips")) {
		*out = CONFIG_TERM_VIPS;
		return true;
	}
	for (size_t i = 0; i < config->sets_count; i++) {
		if (!strcmp(config->sets[i].name, name)) {
			*out = (int)i;
			return true;
		}
	}
	return false;
}

static bool read_set(struct form *form, const struct yaml_node *node, const char *name, struct config_term *term)
{
	struct nearest nearest = {.word = name};

	if (find_set(form->config, name, &term->set))
		return true;
	nearest_try(&nearest, "vips");
	for (size_t i = 0; i < form->config->sets_count; i++)
		nearest_try(&nearest, form->config->sets[i].name);
	errors_add(form->errors, node->place, "there is no set \"%s\"%s", SHOWN(name),
		   strchr(name, ',') ? "; several are written as a list: [\"@a\", \"@b\"]" : MEANT(&nearest));
	return false;
}

/* Words that a person writes where a prefix belongs. */
static bool refuse_word(struct form *form, const struct yaml_node *node, const char *word)
{
	const char *label = form_label(node);
	int set;

	if (!strcmp(word, "any") || !strcmp(word, "all") || !strcmp(word, "*"))
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": leave \"%s\" out to match every address",
			   SHOWN(word), label, label);
	else if (*word == '!')
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": one \"!\" is enough", SHOWN(node->text),
			   label);
	else if (find_set(form->config, word, &set))
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": not an address or prefix; the set is written \"@%s\", in quotes",
			   SHOWN(word), label, SHOWN(word));
	else if (strchr(word, ','))
		errors_add(form->errors, node->place,
			   "\"%s\" for \"%s\": several are written as a list: [192.0.2.0/24, \"@name\"]", SHOWN(word),
			   label);
	else
		return false;
	return true;
}

static bool read_term(struct form *form, const struct yaml_node *node, void *item)
{
	struct config_term *term = item;
	const char *text = form_text(form, node);

	if (!text)
		return false;
	term->place = node->place;
	term->set = CONFIG_TERM_PREFIX;
	term->negated = *text == '!';
	text += term->negated;
	if (*text == '@')
		return read_set(form, node, text + 1, term);
	return !refuse_word(form, node, text) && form_prefix_of(form, node, text, &term->prefix);
}

static const struct form_list term_list = {sizeof(struct config_term), read_term, true, false};

void rule_read_from(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	draft->from = node;
	form_read_list(form, node, &term_list, &draft->rule->from, &draft->rule->from_count);
}

void rule_read_to(struct form *form, const struct yaml_node *node, void *object)
{
	struct rule_draft *draft = object;

	draft->to = node;
	form_read_list(form, node, &term_list, &draft->rule->to, &draft->rule->to_count);
}

static uint8_t family_bit(const struct addr *addr)
{
	return addr->family == WEIR_IPV4 ? FAMILY_BIT_IPV4 : FAMILY_BIT_IPV6;
}

static uint8_t families_of_term(const struct config *config, const struct config_term *term)
{
	uint8_t found = 0;

	if (term->set == CONFIG_TERM_PREFIX)
		return family_bit(&term->prefix.addr);
	if (term->set == CONFIG_TERM_VIPS) {
		for (size_t i = 0; i < config->services_count && !config->services_unread; i++) {
			for (size_t j = 0; j < config->services[i].addresses_count; j++)
				found |= family_bit(&config->services[i].addresses[j]);
		}
	} else if (config->sets[term->set].kind == CONFIG_SET_INLINE && !config->sets[term->set].unread) {
		const struct config_set *set = &config->sets[term->set];

		for (size_t i = 0; i < set->prefixes_count && found != FAMILY_BITS; i++)
			found |= family_bit(&set->prefixes[i].addr);
	}
	/* What is empty or unknown today is no contradiction. */
	return found ? found : FAMILY_BITS;
}

uint8_t rule_families_of_terms(const struct config *config, const struct config_term *terms, size_t count)
{
	uint8_t found = 0, excluded = 0;
	bool any = true;

	for (size_t i = 0; i < count; i++) {
		if (!terms[i].negated) {
			any = false;
			found |= families_of_term(config, &terms[i]);
		} else if (terms[i].set == CONFIG_TERM_PREFIX && !terms[i].prefix.length) {
			excluded |= family_bit(&terms[i].prefix.addr);
		}
	}
	return (any ? FAMILY_BITS : found) & (uint8_t)~excluded;
}
