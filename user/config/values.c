/* SPDX-License-Identifier: BSD-2-Clause */
/* Single values: text, names, numbers, durations, addresses, ports, choices. */
#include "form.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"
#include "units.h"

const char *form_text(struct form *form, const struct yaml_node *node)
{
	const char *label = form_label(node);

	if (node->kind != YAML_SCALAR)
		errors_add(form->errors, node->place, "\"%s\" takes a single value, not a %s", SHOWN(label),
			   node->kind == YAML_LIST ? "list" : "map");
	else if (node->null)
		errors_add(form->errors, node->place, "\"%s\" has no value", SHOWN(label));
	else
		return node->text;
	return NULL;
}

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

bool form_string(struct form *form, const struct yaml_node *node, char *out, size_t size)
{
	const char *text = form_text(form, node);

	if (!text)
		return false;
	if (!*text)
		errors_add(form->errors, node->place, "\"%s\" is empty", SHOWN(form_label(node)));
	else if (strlen(text) >= size)
		errors_add(form->errors, node->place, "\"%s\" is too long: %zu bytes, at most %zu",
			   SHOWN(form_label(node)), strlen(text), size - 1);
	else if (!is_printable(text))
		errors_add(form->errors, node->place, "\"%s\" holds a line break or another control character",
			   SHOWN(form_label(node)));
	else {
		strcpy(out, text);
		return true;
	}
	return false;
}

bool form_name(struct form *form, const struct yaml_node *node, char out[WEIR_NAME_MAX])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	const char *text = form_text(form, node);

	if (!text)
		return false;
	if (!*text)
		errors_add(form->errors, node->place, "a name is empty");
	else if (strspn(text, allowed) != strlen(text))
		errors_add(form->errors, node->place, "\"%s\" is no name: letters, digits, \"_\", \".\" and \"-\" only",
			   SHOWN(text));
	else if (strlen(text) >= WEIR_NAME_MAX)
		errors_add(form->errors, node->place, "the name is too long: %zu bytes, at most %d", strlen(text),
			   WEIR_NAME_MAX - 1);
	else {
		strcpy(out, text);
		return true;
	}
	return false;
}

bool form_path(struct form *form, const struct yaml_node *node, char *out, size_t size)
{
	const char *text = form_text(form, node);

	if (text && *text && *text != '/') {
		errors_add(form->errors, node->place, "\"%s\" must be an absolute path, one that begins with \"/\"",
			   SHOWN(form_label(node)));
		return false;
	}
	return text && form_string(form, node, out, size);
}

bool form_units(struct form *form, const struct yaml_node *node, const char *sentence)
{
	if (sentence)
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": %s", SHOWN(node->text),
			   SHOWN(form_label(node)), sentence);
	return !sentence;
}

bool form_integer(struct form *form, const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *text = form_text(form, node);
	uint64_t value;

	if (!text || !form_units(form, node, units_integer(text, &value)))
		return false;
	if (value < min || value > max) {
		errors_add(form->errors, node->place, "\"%s\" must be %" PRIu64 " to %" PRIu64 ", not %" PRIu64,
			   SHOWN(form_label(node)), min, max, value);
		return false;
	}
	*out = value;
	return true;
}

static const char *duration_text(uint32_t ms, char out[16])
{
	static const struct {
		uint32_t ms;
		const char *unit;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (i < ARRAY_SIZE(units) - 1 && (ms < units[i].ms || ms % units[i].ms))
		i++;
	snprintf(out, 16, "%u%s", ms / units[i].ms, units[i].unit);
	return out;
}

bool form_duration(struct form *form, const struct yaml_node *node, uint32_t min_ms, uint32_t max_ms, uint32_t *out)
{
	const char *text = form_text(form, node);
	char least[16], most[16];
	uint64_t ms;

	if (!text || !form_units(form, node, units_duration(text, &ms)))
		return false;
	if (ms < min_ms || ms > max_ms) {
		errors_add(form->errors, node->place, "\"%s\" must be %s to %s, not %s", SHOWN(form_label(node)),
			   duration_text(min_ms, least), duration_text(max_ms, most), SHOWN(text));
		return false;
	}
	*out = (uint32_t)ms;
	return true;
}

/* Why no host can be reached by an address, NULL if one can. */
static const char *unusable(const struct addr *addr)
{
	uint32_t first = ntohl(addr->bytes.word[0]);
	struct in6_addr v6;

	if (addr->family == WEIR_IPV4) {
		if (first >> 24 == 0)
			return "it means \"this network\", no host";
		if (first >> 28 == 0xe)
			return "it is a multicast address";
		return first >> 28 == 0xf ? "it is a reserved or broadcast address" : NULL;
	}
	memcpy(&v6, &addr->bytes, sizeof(v6));
	if (IN6_IS_ADDR_UNSPECIFIED(&v6))
		return "it means \"no address\"";
	if (IN6_IS_ADDR_MULTICAST(&v6))
		return "it is a multicast address";
	return IN6_IS_ADDR_V4MAPPED(&v6) ? "it is an IPv4 address in IPv6 clothes: write it as IPv4" : NULL;
}

bool form_address(struct form *form, const struct yaml_node *node, struct addr *out)
{
	const char *text = form_text(form, node), *why;
	struct addr addr;

	if (!text)
		return false;
	if (addr_parse(text, &addr)) {
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": not an IPv4 or IPv6 address%s", SHOWN(text),
			   SHOWN(form_label(node)), strchr(text, '/') ? "; an address has no prefix length here" : "");
		return false;
	}
	why = unusable(&addr);
	if (why) {
		errors_add(form->errors, node->place, "%s cannot be used for \"%s\": %s", SHOWN(text),
			   SHOWN(form_label(node)), why);
		return false;
	}
	*out = addr;
	return true;
}

bool form_prefix_of(struct form *form, const struct yaml_node *node, const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	char meant[ADDR_TEXT_MAX];
	struct prefix prefix;
	int error = prefix_parse(text, &prefix);

	if (!error) {
		*out = prefix;
		return true;
	}
	if (error == -ERANGE)
		errors_add(form->errors, node->place,
			   "%s has bits set behind its prefix length: write %s, or the address without a length",
			   SHOWN(text), prefix_format(&prefix, meant));
	else
		errors_add(form->errors, node->place, "\"%s\" for \"%s\": not an address or prefix%s", SHOWN(text),
			   SHOWN(form_label(node)),
			   slash ? "; a prefix length is 0 to 32 for IPv4 and 0 to 128 for IPv6" : "");
	return false;
}

bool form_prefix(struct form *form, const struct yaml_node *node, struct prefix *out)
{
	const char *text = form_text(form, node);

	return text && form_prefix_of(form, node, text, out);
}

bool form_ports(struct form *form, const struct yaml_node *node, struct config_ports *out)
{
	const char *text = form_text(form, node);
	struct config_ports ports = {.place = node->place};

	if (!text || !form_units(form, node, units_ports(text, &ports)))
		return false;
	*out = ports;
	return true;
}

bool form_choose(struct form *form, const struct yaml_node *node, const struct form_choice *choices, size_t count,
		 int *out)
{
	const char *text = form_text(form, node);
	char words[128] = "";
	struct nearest nearest = {.word = text};

	if (!text)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(words);

		if (!strcmp(choices[i].word, text) && choices[i].value >= 0) {
			*out = choices[i].value;
			return true;
		}
		if (!strcmp(choices[i].word, text)) {
			errors_add(form->errors, node->place, "this version does not have \"%s: %s\" yet",
				   SHOWN(form_label(node)), text);
			return false;
		}
		if (choices[i].value < 0)
			continue;
		snprintf(words + used, sizeof(words) - used, "%s%s", used ? ", " : "", choices[i].word);
		nearest_try(&nearest, choices[i].word);
	}
	errors_add(form->errors, node->place, "\"%s\" for \"%s\": must be one of %s%s", SHOWN(text),
		   SHOWN(form_label(node)), words, MEANT(&nearest));
	return false;
}

void form_name_of(const struct addr *address, char out[WEIR_NAME_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_format(address, text);
	for (char *colon = text; (colon = strchr(colon, ':'));)
		*colon = '_';
	snprintf(out, WEIR_NAME_MAX, "%.*s", WEIR_NAME_MAX - 1, text);
}
