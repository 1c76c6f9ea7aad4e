/* SPDX-License-Identifier: BSD-2-Clause */
/* One entry of a list: what it says, what it means where these differ, and what is wrong where it means nothing. */
#include "reading.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/scope.h"

#define BLANKS	    " \t\r\v\f"
#define EXAMPLES    "write 192.0.2.7, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or 2001:db8::/32"
#define MAPPED_BITS 96 /* of ::ffff:0:0/96 (RFC 4291, section 2.5.5.2) */

/* A line without its newline may be the first half of one. */
static int refuse_entry(struct reading *reading, const char *sentence, const char *hint)
{
	int error = reading_refuse(reading, -EINVAL, "%s", sentence);

	problem_hint(reading->problem, "%s%s", hint,
		     reading->unfinished ? "; if the file is cut off here, fetch it again" : "");
	return error;
}

static bool is_binary(const char *text)
{
	for (; *text; text++) {
		if (((unsigned char)*text < ' ' && !strchr(BLANKS, *text)) || *text == 0x7f)
			return true;
	}
	return false;
}

/* "192.0.2.0/33": the address is right, so it is the length that is not. 0 when that is not so. */
static int refuse_length(struct reading *reading, const char *text)
{
	char address[ADDR_TEXT_MAX], sentence[160], hint[160], quote[READING_QUOTE_MAX];
	const char *slash = strchr(text, '/');
	struct addr addr;

	if (!slash || strchr(text, '-') || (size_t)(slash - text) >= sizeof(address))
		return 0;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (addr_parse(address, &addr))
		return 0;
	snprintf(sentence, sizeof(sentence), "\"%s\": the length of an IPv%d prefix is a number from 0 to %d",
		 reading_quote(text, quote), addr.family, addr.family == WEIR_IPV4 ? 32 : 128);
	snprintf(hint, sizeof(hint), "write the bits after \"/\", as in %s",
		 addr.family == WEIR_IPV4 ? "192.0.2.0/24" : "2001:db8::/32");
	return refuse_entry(reading, sentence, hint);
}

static int refuse_nonsense(struct reading *reading, const char *text)
{
	char sentence[160], quote[READING_QUOTE_MAX];
	int error = refuse_length(reading, text);

	if (error)
		return error;
	reading_quote(text, quote);
	if (is_binary(text))
		return refuse_entry(reading, "this is binary data",
				    "a list is text, an entry a line; is it compressed?");
	if (!strchr(text, '-') && text[strcspn(text, BLANKS)]) {
		snprintf(sentence, sizeof(sentence), "\"%s\" is more than one entry", quote);
		return refuse_entry(reading, sentence, "write an entry a line, and comments behind \"#\" or \";\"");
	}
	snprintf(sentence, sizeof(sentence), "\"%s\" is no address, prefix or range", quote);
	return refuse_entry(reading, sentence, EXAMPLES);
}

/* The entry says one thing and means another: counted, or refused where there must be no doubt. */
static int repair(struct reading *reading, enum feeds_repair repair, const char *written, const char *taken)
{
	struct feeds_report *report = &reading->report;
	struct feeds_place place = {.line = report->lines, .repair = repair};
	char sentence[FEEDS_SENTENCE_MAX], hint[3 * ADDR_TEXT_MAX];

	snprintf(place.taken, sizeof(place.taken), "%s", taken);
	reading_quote(written, place.written);
	/* "198.51.100.0/2", cut off before its 4, would become a quarter of the Internet. */
	if (reading->options.strict || (reading->unfinished && repair == FEEDS_MASKED)) {
		snprintf(sentence, sizeof(sentence), "%s %s", place.written,
			 repair == FEEDS_MASKED ? "has bits set beyond its length" : "is an IPv4 address within IPv6");
		snprintf(hint, sizeof(hint), "was %s meant?", taken);
		return refuse_entry(reading, sentence, hint);
	}
	*(repair == FEEDS_MASKED ? &report->masked : &report->mapped) += 1;
	if (report->places_count < FEEDS_PLACES)
		report->places[report->places_count++] = place;
	return 0;
}

char *feeds_place_sentence(const struct feeds_place *place, char *out)
{
	snprintf(out, FEEDS_SENTENCE_MAX, "line %llu: %s %s; taken as %s", (unsigned long long)place->line,
		 place->written,
		 place->repair == FEEDS_MASKED ? "has bits set beyond its length" : "is an IPv4 address within IPv6",
		 place->taken);
	return out;
}

static bool is_mapped(const struct addr *addr)
{
	const struct weir_addr *bytes = &addr->bytes;

	return addr->family == WEIR_IPV6 && !bytes->word[0] && !bytes->word[1] && bytes->word[2] == htonl(0xffff);
}

static struct addr unmapped(const struct addr *addr)
{
	return (struct addr){.family = WEIR_IPV4, .bytes.word[0] = addr->bytes.word[3]};
}

static int keep(struct reading *reading, int error, bool is_everything)
{
	const struct prefixes_builder *builder = &reading->builder;

	if (error)
		return problem_set(reading->problem, error, "%s: out of memory", reading->path);
	if (is_everything && !reading->report.everything_line)
		reading->report.everything_line = reading->report.lines;
	if (builder->v4_count + builder->v6_count <= reading->options.max_entries)
		return 0;
	reading_refuse(reading, -E2BIG, "more than %zu prefixes%s", reading->options.max_entries,
		       reading->options.max_entries == WEIR_MAX_PREFIXES ? " (WEIR_MAX_PREFIXES)" : "");
	problem_hint(reading->problem, "all sets together hold as many: take a shorter list, or join its prefixes");
	return -E2BIG;
}

static int add_prefix(struct reading *reading, const char *text)
{
	struct prefix prefix;
	char taken[ADDR_TEXT_MAX];
	int error = prefix_parse(text, &prefix);

	if (error && error != -ERANGE)
		return refuse_nonsense(reading, text);
	if (error == -ERANGE && (error = repair(reading, FEEDS_MASKED, text, prefix_format(&prefix, taken))))
		return error;
	if (is_mapped(&prefix.addr) && prefix.length >= MAPPED_BITS) {
		prefix.addr = unmapped(&prefix.addr);
		prefix.length -= MAPPED_BITS;
		error = repair(reading, FEEDS_MAPPED, text, prefix_format(&prefix, taken));
		if (error)
			return error;
	}
	return keep(reading, prefixes_add(&reading->builder, &prefix), !prefix.length);
}

static int refuse_range(struct reading *reading, const struct addr *first, const struct addr *last)
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX], sentence[3 * ADDR_TEXT_MAX], hint[3 * ADDR_TEXT_MAX];

	addr_format(first, from);
	addr_format(last, to);
	if (first->family != last->family || is_mapped(first) != is_mapped(last)) {
		snprintf(sentence, sizeof(sentence), "the range from %s to %s is of two families", from, to);
		return refuse_entry(reading, sentence, "write a range for each");
	}
	snprintf(sentence, sizeof(sentence), "the range from %s to %s runs backwards", from, to);
	snprintf(hint, sizeof(hint), "was %s-%s meant?", to, from);
	return refuse_entry(reading, sentence, hint);
}

static bool spans_family(const struct addr *first, const struct addr *last)
{
	struct weir_addr mask = prefix_mask(first->family, first->family == WEIR_IPV4 ? 32 : 128);

	return !memcmp(&last->bytes, &mask, sizeof(mask)) &&
	       !memcmp(&first->bytes, &(struct weir_addr){}, sizeof(mask));
}

/* text is whole again afterwards. False when it is no range. */
static bool parse_range(char *text, struct addr *first, struct addr *last)
{
	char *dash = strchr(text, '-'), *end = dash, held;
	bool ok;

	while (end > text && strchr(BLANKS, end[-1]))
		end--;
	held = *end;
	*end = '\0';
	ok = !addr_parse(text, first);
	*end = held;
	return ok && !addr_parse(dash + 1 + strspn(dash + 1, BLANKS), last);
}

static int add_range(struct reading *reading, char *text)
{
	char taken[2 * ADDR_TEXT_MAX], from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	struct addr first, last;
	int error;

	if (!parse_range(text, &first, &last))
		return refuse_nonsense(reading, text);
	if (is_mapped(&first) && is_mapped(&last)) {
		first = unmapped(&first);
		last = unmapped(&last);
		snprintf(taken, sizeof(taken), "%s-%s", addr_format(&first, from), addr_format(&last, to));
		error = repair(reading, FEEDS_MAPPED, text, taken);
		if (error)
			return error;
	}
	if (first.family != last.family || is_mapped(&first) != is_mapped(&last) || addr_compare(&first, &last) > 0)
		return refuse_range(reading, &first, &last);
	return keep(reading, prefixes_add_range(&reading->builder, &first, &last), spans_family(&first, &last));
}

int reading_add(struct reading *reading, char *text)
{
	return strchr(text, '-') ? add_range(reading, text) : add_prefix(reading, text);
}
