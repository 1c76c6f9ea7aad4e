/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules within rules, dimension by dimension. What is not certain is not so. */
#include "cover.h"

#include <errno.h>
#include <string.h>

#include "../base/scope.h"

#define WORK_MAX 50000000

int cover_begin(struct cover *cover, const struct config *config)
{
	size_t count = 0;

	*cover = (struct cover){.config = config, .work = WORK_MAX};
	for (size_t i = 0; i < config->services_count; i++)
		count += config->services[i].addresses_count;
	if (!count)
		return 0;
	cover->vips = calloc(count, sizeof(*cover->vips));
	if (!cover->vips)
		return -ENOMEM;
	for (size_t i = 0; i < config->services_count; i++) {
		for (size_t j = 0; j < config->services[i].addresses_count; j++) {
			const struct addr *addr = &config->services[i].addresses[j];

			cover->vips[cover->vips_count++] = (struct prefix){*addr, addr->family == WEIR_IPV4 ? 32 : 128};
		}
	}
	return 0;
}

void cover_end(struct cover *cover)
{
	free(cover->vips);
	cover->vips = NULL;
}

/* The prefixes that a term stands for; 0 of them when they are not known here. */
static size_t prefixes_of(const struct cover *cover, const struct config_term *term, const struct prefix **out)
{
	if (term->set == CONFIG_TERM_PREFIX) {
		*out = &term->prefix;
		return 1;
	}
	if (term->set == CONFIG_TERM_VIPS) {
		*out = cover->vips;
		return cover->vips_count;
	}
	*out = cover->config->sets[term->set].prefixes;
	return cover->config->sets[term->set].prefixes_count;
}

/* Whether those are all that the term stands for: a file may hold more, and so may what was refused. */
static bool is_known(const struct cover *cover, const struct config_term *term)
{
	if (term->set == CONFIG_TERM_VIPS)
		return !cover->config->services_unread;
	return term->set == CONFIG_TERM_PREFIX ||
	       (cover->config->sets[term->set].kind == CONFIG_SET_INLINE && !cover->config->sets[term->set].unread);
}

static bool is_within(const struct prefix *inner, const struct prefix *outer)
{
	return outer->length <= inner->length && prefix_covers(outer, &inner->addr);
}

/* Pays for comparing two lists. */
static bool can_afford(struct cover *cover, size_t a, size_t b)
{
	size_t cost;

	if (__builtin_mul_overflow(a, b, &cost) || cost > cover->work)
		return false;
	cover->work -= cost;
	return true;
}

static bool terms_are_disjoint(struct cover *cover, const struct config_term *a, const struct config_term *b)
{
	const struct prefix *as, *bs;
	size_t as_count = prefixes_of(cover, a, &as), bs_count = prefixes_of(cover, b, &bs);

	if (!as_count || !bs_count || !is_known(cover, a) || !is_known(cover, b) ||
	    !can_afford(cover, as_count, bs_count))
		return false;
	for (size_t i = 0; i < as_count; i++) {
		for (size_t j = 0; j < bs_count; j++) {
			if (is_within(&as[i], &bs[j]) || is_within(&bs[j], &as[i]))
				return false;
		}
	}
	return true;
}

struct side {
	const struct config_term *terms;
	size_t count;
};

/* Whether the side says which addresses it takes: something, and not all of both families. */
static bool has_positive(const struct side *side)
{
	uint8_t whole = 0;
	bool found = false;

	for (size_t i = 0; i < side->count; i++) {
		const struct config_term *term = &side->terms[i];

		if (term->negated)
			continue;
		found = true;
		if (term->set == CONFIG_TERM_PREFIX && !term->prefix.length)
			whole |= term->prefix.addr.family == WEIR_IPV4 ? FAMILY_BIT_IPV4 : FAMILY_BIT_IPV6;
	}
	return found && whole != FAMILY_BITS;
}

/* Whether one of the side's terms, of those that are negated or of those that are not, holds the prefix. */
static bool side_holds_prefix(struct cover *cover, const struct side *side, bool negated, const struct prefix *prefix)
{
	for (size_t i = 0; i < side->count; i++) {
		const struct prefix *prefixes;
		size_t count = prefixes_of(cover, &side->terms[i], &prefixes);

		if (side->terms[i].negated != negated)
			continue;
		if (!can_afford(cover, count, 1))
			return false;
		for (size_t j = 0; j < count; j++) {
			if (is_within(prefix, &prefixes[j]))
				return true;
		}
	}
	return false;
}

/* Whether such terms together hold all that a term of another side stands for. */
static bool side_covers(struct cover *cover, const struct side *side, bool negated, const struct config_term *term)
{
	const struct prefix *prefixes;
	size_t count = prefixes_of(cover, term, &prefixes);

	for (size_t i = 0; i < side->count && term->set != CONFIG_TERM_PREFIX; i++) {
		if (side->terms[i].negated == negated && side->terms[i].set == term->set)
			return true;
	}
	if (!is_known(cover, term))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!side_holds_prefix(cover, side, negated, &prefixes[i]))
			return false;
	}
	return true;
}

/* Whether what a term takes out of outer is nothing that inner has. */
static bool takes_nothing(struct cover *cover, const struct config_term *term, const struct side *inner)
{
	if (side_covers(cover, inner, true, term))
		return true;
	if (!has_positive(inner))
		return false;
	for (size_t i = 0; i < inner->count; i++) {
		if (!inner->terms[i].negated && !terms_are_disjoint(cover, term, &inner->terms[i]))
			return false;
	}
	return true;
}

static bool side_holds(struct cover *cover, const struct side *outer, const struct side *inner)
{
	if (!can_afford(cover, outer->count + inner->count, 1))
		return false;
	if (has_positive(outer)) {
		if (!has_positive(inner))
			return false;
		for (size_t i = 0; i < inner->count; i++) {
			if (!inner->terms[i].negated && !side_covers(cover, outer, false, &inner->terms[i]))
				return false;
		}
	}
	for (size_t i = 0; i < outer->count; i++) {
		if (outer->terms[i].negated && !takes_nothing(cover, &outer->terms[i], inner))
			return false;
	}
	return true;
}

/* Whether the side takes no address today, as what it names is empty. Everything would cover that. */
static bool side_is_empty(const struct cover *cover, const struct side *side)
{
	const struct prefix *prefixes;
	size_t positive = 0;

	for (size_t i = 0; i < side->count; i++) {
		if (side->terms[i].negated)
			continue;
		positive++;
		if (prefixes_of(cover, &side->terms[i], &prefixes) || !is_known(cover, &side->terms[i]))
			return false;
	}
	return positive;
}

static bool has_header(const struct config_rule *rule)
{
	return rule->sports.count || rule->dports.count || rule->icmp.count || rule->has_tcp_flags;
}

/* What ports, flags and types say about the protocol where nothing else does. */
static struct config_ranges protocols_of(const struct config_rule *rule)
{
	static struct config_range tcp[] = {{6, 6}, {262, 262}}, icmp[] = {{1, 1}, {314, 314}};
	static struct config_range with_ports[] = {{6, 6}, {17, 17}, {262, 262}, {273, 273}};

	if (rule->protocols.count || !has_header(rule))
		return rule->protocols;
	if (rule->has_tcp_flags)
		return (struct config_ranges){tcp, ARRAY_SIZE(tcp)};
	if (rule->icmp.count)
		return (struct config_ranges){icmp, ARRAY_SIZE(icmp)};
	return (struct config_ranges){with_ports, ARRAY_SIZE(with_ports)};
}

static bool flags_hold(const struct config_rule *outer, const struct config_rule *inner)
{
	return !outer->has_tcp_flags || (inner->has_tcp_flags && !(outer->tcp_flags_mask & ~inner->tcp_flags_mask) &&
					 (inner->tcp_flags_set & outer->tcp_flags_mask) == outer->tcp_flags_set);
}

static bool states_hold(const struct config_rule *outer, const struct config_rule *inner)
{
	uint8_t states = inner->fragments ? inner->fragments : 7;

	if (has_header(inner))
		states &= 3;
	return (!outer->fragments || !(states & ~outer->fragments)) &&
	       (!outer->extensions || outer->extensions == inner->extensions);
}

static bool interfaces_hold(const struct config_rule *outer, const struct config_rule *inner)
{
	size_t o = 0;

	if (!outer->interfaces_count)
		return true;
	for (size_t i = 0; i < inner->interfaces_count; i++) {
		while (o < outer->interfaces_count && outer->interfaces[o] < inner->interfaces[i])
			o++;
		if (o == outer->interfaces_count || outer->interfaces[o] != inner->interfaces[i])
			return false;
	}
	return inner->interfaces_count;
}

bool cover_holds(struct cover *cover, const struct config_rule *outer, const struct config_rule *inner)
{
	const struct config_ranges protocols = protocols_of(inner);
	const struct side from = {inner->from, inner->from_count}, to = {inner->to, inner->to_count};

	return ranges_cover(&outer->protocols, &protocols) && ranges_cover(&outer->dports, &inner->dports) &&
	       ranges_cover(&outer->sports, &inner->sports) && flags_hold(outer, inner) && states_hold(outer, inner) &&
	       ranges_cover(&outer->icmp, &inner->icmp) && ranges_cover(&outer->length, &inner->length) &&
	       ranges_cover(&outer->ttl, &inner->ttl) && ranges_cover(&outer->dscp, &inner->dscp) &&
	       ranges_cover(&outer->vlan, &inner->vlan) && interfaces_hold(outer, inner) &&
	       !side_is_empty(cover, &from) && !side_is_empty(cover, &to) &&
	       side_holds(cover, &(struct side){outer->from, outer->from_count}, &from) &&
	       side_holds(cover, &(struct side){outer->to, outer->to_count}, &to);
}
