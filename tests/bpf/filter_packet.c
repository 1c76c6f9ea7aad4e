/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets by chance, close to what some rule asks for, and their frames. */
#include "filter_world.h"
#include <string.h>

#define EXTENSIONS_MAX 4

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
}

static const struct world_address *any_address(const struct world *world, struct chance *chance, uint8_t family)
{
	if (family == WEIR_IPV4)
		return &world->addresses[chance_below(chance, world->v4_count)];
	return &world->addresses[world->v4_count + chance_below(chance, WORLD_ADDRESSES - world->v4_count)];
}

/* Addresses of one family; those that the rule wants when a few tries find some. */
static void choose_sides(const struct world *world, struct chance *chance, size_t rule, struct world_packet *packet)
{
	uint64_t bit = 1ull << rule % 64;
	size_t word = rule / 64;
	int tries = chance_one_in(chance, 3) ? 0 : 8;

	packet->source = &world->addresses[chance_below(chance, WORLD_ADDRESSES)];
	if (packet->source->is_martian) /* they come to no rule */
		packet->source = &world->addresses[chance_below(chance, WORLD_ADDRESSES)];
	for (int i = 0; i < tries && !(packet->source->from[word] & bit); i++)
		packet->source = &world->addresses[chance_below(chance, WORLD_ADDRESSES)];
	packet->destination = any_address(world, chance, packet->source->addr.family);
	for (int i = 0; i < tries && !(packet->destination->to[word] & bit); i++)
		packet->destination = any_address(world, chance, packet->source->addr.family);
	packet->packet.source = packet->source->addr;
	packet->packet.destination = packet->destination->addr;
}

static uint16_t end_of(struct chance *chance, const struct config_ranges *ranges, uint16_t otherwise)
{
	const struct config_range *range;

	if (!ranges->count)
		return otherwise;
	range = &ranges->ranges[chance_below(chance, ranges->count)];
	return chance_one_in(chance, 2) ? range->first : range->last;
}

/* Every field as the rule wants it. */
static void aim(struct chance *chance, const struct world *world, const struct config_rule *rule,
		struct oracle_packet *packet)
{
	bool is_v6 = packet->source.family == WEIR_IPV6;

	if (rule->has_tcp_flags)
		packet->protocol = IPPROTO_TCP;
	else if (rule->sports.count || rule->dports.count)
		packet->protocol = chance_one_in(chance, 2) ? IPPROTO_TCP : IPPROTO_UDP;
	else if (rule->icmp.count)
		packet->protocol = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	else
		packet->protocol = end_of(chance, &rule->protocols, packet->protocol);
	packet->sport = end_of(chance, &rule->sports, packet->sport);
	packet->dport = end_of(chance, &rule->dports, packet->dport);
	if (rule->has_tcp_flags)
		packet->tcp_flags = rule->tcp_flags_set | (packet->tcp_flags & ~rule->tcp_flags_mask);
	if (rule->icmp.count) {
		uint16_t icmp = end_of(chance, &rule->icmp, 0);

		packet->icmp_type = icmp >> 8;
		packet->icmp_code = icmp & 0xff;
	}
	packet->length = end_of(chance, &rule->length, packet->length);
	packet->ttl = end_of(chance, &rule->ttl, packet->ttl);
	packet->dscp = end_of(chance, &rule->dscp, packet->dscp);
	packet->vlan = end_of(chance, &rule->vlan, packet->vlan);
	packet->fragment = rule->fragments ? __builtin_ctz(rule->fragments) : 0;
	packet->extensions = rule->extensions > 0;
	if (rule->interfaces_count)
		packet->ifindex =
			world->rules.ifindexes[rule->interfaces[chance_below(chance, rule->interfaces_count)]];
}

/* One field as something else has it. */
static void miss(struct chance *chance, const struct oracle_packet *other, struct oracle_packet *packet)
{
	switch (chance_below(chance, 12)) {
	case 0:
		packet->sport = other->sport;
		break;
	case 1:
		packet->dport = other->dport;
		break;
	case 2:
		packet->tcp_flags ^= 1 << chance_below(chance, 8);
		break;
	case 3:
		packet->icmp_type = other->icmp_type;
		packet->icmp_code = other->icmp_code;
		break;
	case 4:
		packet->length = other->length;
		break;
	case 5:
		packet->ttl = other->ttl;
		break;
	case 6:
		packet->dscp = other->dscp;
		break;
	case 7:
		packet->vlan = other->vlan;
		break;
	case 8:
		packet->fragment = other->fragment;
		break;
	case 9:
		packet->extensions = other->extensions;
		break;
	case 10:
		packet->ifindex = other->ifindex;
		break;
	default:
		packet->protocol = other->protocol;
	}
}

void world_packet_make(const struct world *world, struct chance *chance, struct world_packet *packet)
{
	size_t count = world->rules.config.filter.rules_count, rule = count ? chance_below(chance, count) : 0;
	struct oracle_packet other;
	uint8_t own;

	packet->packet = chance_packet(chance, &world->rules);
	other = packet->packet;
	choose_sides(world, chance, rule, packet);
	if (count && !chance_one_in(chance, 3)) {
		aim(chance, world, &world->rules.rules[rule], &packet->packet);
		if (chance_one_in(chance, 2))
			miss(chance, &other, &packet->packet);
	}
	own = packet->packet.source.family == WEIR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if ((packet->packet.protocol == IPPROTO_ICMP || packet->packet.protocol == IPPROTO_ICMPV6) &&
	    !chance_one_in(chance, 16))
		packet->packet.protocol = own;
}

/* --- frames ---------------------------------------------------------------------------------------------- */

static bool is_extension(uint8_t protocol)
{
	static const uint8_t known[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return memchr(known, protocol, sizeof(known)) != NULL;
}

static size_t least_of(const struct oracle_packet *packet)
{
	bool is_v6 = packet->source.family == WEIR_IPV6;

	if (packet->fragment == 2)
		return 0;
	if (packet->protocol == IPPROTO_TCP)
		return 20;
	return packet->protocol == IPPROTO_UDP || packet->protocol == (is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) ? 8 : 0;
}

static size_t put_link(struct chance *chance, const struct oracle_packet *packet, uint8_t *out)
{
	uint16_t type = packet->source.family == WEIR_IPV4 ? 0x0800 : 0x86dd;
	size_t at = 12;

	memcpy(out, packet_edge_mac, 6);
	memcpy(out + 6, packet_client_mac, 6);
	if (packet->vlan != WEIR_NO_VLAN) {
		put16(out + at, chance_one_in(chance, 4) ? 0x88a8 : 0x8100);
		put16(out + at + 2, (uint16_t)(packet->vlan | chance_below(chance, 16) << 12));
		at += 4;
		if (chance_one_in(chance, 4)) { /* an inner tag, which rules do not look at */
			put16(out + at, 0x8100);
			put16(out + at + 2, (uint16_t)chance_word(chance));
			at += 4;
		}
	}
	put16(out + at, type);
	return at + 2;
}

/* The network header without its length; returns its size. */
static size_t put_ipv4(struct chance *chance, struct world_packet *packet, uint8_t *out)
{
	struct oracle_packet *p = &packet->packet;
	size_t options = chance_one_in(chance, 8) ? chance_below(chance, 11) : 0;
	uint16_t fragment = p->fragment == 1 ? 0x2000 : 0;

	p->extensions = false;
	if (p->fragment == 2)
		fragment = 1 + chance_below(chance, 0x3fff); /* with more to come or without */
	if (p->fragment == 2 && !(fragment & 0x1fff))
		fragment |= 1;
	out[0] = (uint8_t)(0x45 + options);
	out[1] = (uint8_t)(p->dscp << 2 | chance_below(chance, 4));
	put16(out + 4, (uint16_t)chance_word(chance));
	put16(out + 6, fragment | (chance_one_in(chance, 2) ? 0x4000 : 0));
	out[8] = p->ttl;
	out[9] = p->protocol;
	memcpy(out + 12, &p->source.bytes, 4);
	memcpy(out + 16, &p->destination.bytes, 4);
	memset(out + 20, 1, options * 4);
	packet->is_plain = !options;
	return 20 + options * 4;
}

/* The types of the extension headers, at least one; returns how many. A fragment's header is the last. */
static size_t choose_extensions(struct chance *chance, uint8_t fragment, uint8_t types[EXTENSIONS_MAX])
{
	static const uint8_t kinds[] = {0, 43, 51, 60, 135, 139, 140};
	bool has_fragment = fragment || chance_one_in(chance, 4);
	size_t count = chance_below(chance, EXTENSIONS_MAX);

	if (!count && !has_fragment)
		count = 1;
	for (size_t i = 0; i < count; i++)
		types[i] = kinds[chance_below(chance, ARRAY_SIZE(kinds))];
	if (has_fragment)
		types[count++] = 44;
	return count;
}

static size_t put_extensions(struct chance *chance, const struct oracle_packet *packet, uint8_t *next, uint8_t *out)
{
	uint8_t types[EXTENSIONS_MAX + 1];
	size_t count = choose_extensions(chance, packet->fragment, types), at = 0;

	*next = types[0];
	for (size_t i = 0; i < count; i++) {
		uint8_t units = types[i] == 44 ? 0 : chance_below(chance, 3);

		memset(out + at, 0, 24);
		out[at] = i + 1 < count ? types[i + 1] : packet->protocol;
		out[at + 1] = types[i] == 51 ? 4 * units : units; /* an AH of 8, 24 or 40 bytes */
		out[at + 2] = types[i] == 43 ? 2 : 0;
		if (types[i] == 44)
			put16(out + at + 2, packet->fragment == 2   ? (chance_word(chance) & 0xfff9) | 8
					    : packet->fragment == 1 ? 1
								    : 0);
		at += types[i] == 51 ? 8 + 16u * units : 8 + 8u * units;
	}
	return at;
}

static size_t put_ipv6(struct chance *chance, struct world_packet *packet, uint8_t *out)
{
	struct oracle_packet *p = &packet->packet;
	uint8_t tos = (uint8_t)(p->dscp << 2 | chance_below(chance, 4)), next;
	size_t size = 40;

	p->extensions |= p->fragment != 0;
	if (is_extension(p->protocol))
		p->protocol = IPPROTO_NONE;
	next = p->protocol;
	if (p->extensions)
		size += put_extensions(chance, p, &next, out + 40);
	out[0] = 0x60 | tos >> 4;
	out[1] = (uint8_t)(tos << 4 | chance_below(chance, 16));
	put16(out + 2, (uint16_t)chance_word(chance));
	out[6] = next;
	out[7] = p->ttl;
	memcpy(out + 8, &p->source.bytes, 16);
	memcpy(out + 24, &p->destination.bytes, 16);
	packet->is_plain = !p->extensions;
	return size;
}

static bool is_icmp_error(const struct oracle_packet *packet)
{
	if (packet->source.family == WEIR_IPV4)
		return packet->protocol == IPPROTO_ICMP &&
		       (packet->icmp_type == 3 || packet->icmp_type == 11 || packet->icmp_type == 12);
	return packet->protocol == IPPROTO_ICMPV6 && packet->icmp_type >= 1 && packet->icmp_type <= 4;
}

/* What an ICMP error speaks of: a TCP segment from its destination. */
static void put_quote(struct chance *chance, struct world_packet *packet, uint8_t *out)
{
	const struct oracle_packet *p = &packet->packet;
	bool is_v6 = p->source.family == WEIR_IPV6;

	packet->quoted_port = chance_one_in(chance, 2) ? 443 : 1 + chance_below(chance, 65535);
	out[0] = is_v6 ? 0x60 : 0x45;
	out[is_v6 ? 6 : 9] = IPPROTO_TCP;
	memcpy(out + (is_v6 ? 8 : 12), &p->destination.bytes, is_v6 ? 16 : 4);
	put16(out + (is_v6 ? 40 : 20), packet->quoted_port);
	put16(out + (is_v6 ? 42 : 22), (uint16_t)chance_word(chance));
}

static void put_transport(struct chance *chance, struct world_packet *packet, uint8_t *out, size_t room)
{
	const struct oracle_packet *p = &packet->packet;

	if (p->fragment == 2) { /* what looks like a header is none */
		memset(out, 0x5a, room < 20 ? room : 20);
		return;
	}
	if (p->protocol == IPPROTO_TCP) {
		out[12] = 0x50;
		out[13] = p->tcp_flags;
	} else if (p->protocol == IPPROTO_UDP) {
		put16(out + 4, (uint16_t)room);
	} else if (least_of(p)) {
		out[0] = p->icmp_type;
		out[1] = p->icmp_code;
		if (!p->fragment && is_icmp_error(p) && room >= 8 + 44 && chance_one_in(chance, 2))
			put_quote(chance, packet, out + 8);
		return;
	}
	if (least_of(p)) {
		put16(out, p->sport);
		put16(out + 2, p->dport);
	}
}

void world_packet_build(struct chance *chance, struct world_packet *packet)
{
	struct oracle_packet *p = &packet->packet;
	uint8_t *ip, *out = packet->frame;
	size_t l3, header, least, room;

	memset(out, 0, 256);
	packet->quoted_port = 0;
	l3 = put_link(chance, p, out);
	ip = out + l3;
	header = p->source.family == WEIR_IPV4 ? put_ipv4(chance, packet, ip) : put_ipv6(chance, packet, ip);
	least = header + least_of(p);
	room = WORLD_FRAME_MAX - l3 - 32;
	if (p->length < least)
		p->length = least + chance_below(chance, 64);
	if (p->length > room)
		p->length = least + chance_below(chance, 1600);
	if (l3 + p->length > 256)
		memset(out + 256, 0, l3 + p->length + 32 - 256);
	put16(p->source.family == WEIR_IPV4 ? ip + 2 : ip + 4,
	      (uint16_t)(p->length - (p->source.family == WEIR_IPV4 ? 0 : 40)));
	put_transport(chance, packet, ip + header, p->length - header);
	packet->size = l3 + p->length + (chance_one_in(chance, 8) ? chance_below(chance, 32) : 0);
}
