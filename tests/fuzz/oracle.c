/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreter behind oracle.h: one function a header, every read through get(), which knows the frame's end. */
#include "oracle.h"
#include <stdbool.h>
#include <string.h>

struct view {
	const uint8_t *frame;
	size_t size;   /* of the frame */
	size_t at;     /* where the present header begins */
	size_t ip;     /* where the IP header begins */
	size_t ip_end; /* where the IP packet ends by its own word */
	uint8_t source[16], destination[16];
	uint8_t ttl, icmp_type;
	bool quote;
	struct oracle_outcome *out;
};

static const uint8_t vip4[4] = {198, 51, 100, 10};
static const uint8_t vip6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};

static bool has(const struct view *v, size_t offset, size_t bytes)
{
	return v->at + offset + bytes <= v->size;
}

static uint32_t get(const struct view *v, size_t offset, size_t bytes)
{
	uint32_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | v->frame[v->at + offset + i];
	return value;
}

/* Returns true so that a caller can `return say(...)`: the packet is decided. */
static bool say(struct view *v, enum weir_verdict verdict, enum weir_reason reason)
{
	v->out->verdict = verdict;
	v->out->reason = reason;
	return true;
}

static bool malformed(struct view *v)
{
	return say(v, WEIR_DROP, WEIR_REASON_MALFORMED);
}

static bool read_link(struct view *v, uint16_t *type)
{
	int tags = 0;

	v->at = 12;
	*type = get(v, 0, 2);
	while (*type == 0x8100 || *type == 0x88a8) {
		if (++tags > 2)
			return say(v, WEIR_DROP, WEIR_REASON_VLAN_DEPTH);
		if (!has(v, 2, 4))
			return malformed(v);
		*type = get(v, 4, 2);
		v->at += 4;
	}
	v->at += 2;
	return false;
}

static bool read_ipv4(struct view *v)
{
	size_t header, total;
	uint32_t fragment;

	if (!has(v, 0, 20) || get(v, 0, 1) >> 4 != 4)
		return malformed(v);
	header = (get(v, 0, 1) & 15) * 4;
	total = get(v, 2, 2);
	if (header < 20 || total < header || !has(v, 0, total))
		return malformed(v);
	fragment = get(v, 6, 2);
	v->out->fragment = fragment & 0x1fff ? 2 : fragment & 0x2000 ? 1 : 0;
	v->out->family = 4;
	v->out->protocol = get(v, 9, 1);
	v->ttl = get(v, 8, 1);
	memcpy(v->source, v->frame + v->at + 12, 4);
	memcpy(v->destination, v->frame + v->at + 16, 4);
	v->ip_end = v->at + total;
	v->at += header;
	return false;
}

static bool is_extension(uint8_t next)
{
	static const uint8_t known[] = {0, 43, 44, 51, 60, 135, 139, 140};

	return memchr(known, next, sizeof(known)) != NULL;
}

static bool read_extension(struct view *v)
{
	uint8_t next = v->out->protocol;
	size_t length;

	if (!has(v, 0, 8))
		return malformed(v);
	if (next == 43 && get(v, 2, 1) == 0)
		return say(v, WEIR_DROP, WEIR_REASON_ROUTING_HEADER);
	length = next == 44 ? 8 : next == 51 ? (get(v, 1, 1) + 2) * 4 : (get(v, 1, 1) + 1) * 8;
	if (next == 44) {
		if (get(v, 2, 2) >> 3)
			v->out->fragment = 2;
		else if (get(v, 2, 2) & 1)
			v->out->fragment = 1;
	}
	v->out->protocol = get(v, 0, 1);
	v->at += length;
	if (v->at > v->ip_end)
		return say(v, WEIR_DROP, v->out->fragment == 1 ? WEIR_REASON_TINY_FRAGMENT : WEIR_REASON_MALFORMED);
	return false;
}

static bool read_ipv6(struct view *v)
{
	size_t total;

	if (!has(v, 0, 40) || get(v, 0, 1) >> 4 != 6)
		return malformed(v);
	total = 40 + get(v, 4, 2);
	if (!has(v, 0, total))
		return malformed(v);
	v->out->family = 6;
	v->out->protocol = get(v, 6, 1);
	v->ttl = get(v, 7, 1);
	memcpy(v->source, v->frame + v->at + 8, 16);
	memcpy(v->destination, v->frame + v->at + 24, 16);
	v->ip_end = v->at + total;
	v->at += 40;
	for (int i = 0; is_extension(v->out->protocol) && v->out->fragment != 2; i++) {
		if (i == 6)
			return say(v, WEIR_DROP, WEIR_REASON_IPV6_CHAIN);
		if (read_extension(v))
			return true;
	}
	return false;
}

static size_t address_size(const struct view *v)
{
	return v->out->family == 4 ? 4 : 16;
}

/* The flow that an ICMP error quotes, when it is one from the error's destination. */
static void read_quote(struct view *v)
{
	size_t start = v->at, header = 40, from = 8;
	uint8_t protocol;

	v->at += 8;
	if (v->out->family == 4) {
		if (has(v, 0, 20) && get(v, 0, 1) >> 4 == 4 && (get(v, 0, 1) & 15) >= 5 && !(get(v, 6, 2) & 0x1fff)) {
			header = (get(v, 0, 1) & 15) * 4;
			from = 12;
			protocol = get(v, 9, 1);
		} else {
			header = 0;
		}
	} else if (has(v, 0, 40) && get(v, 0, 1) >> 4 == 6) {
		protocol = get(v, 6, 1);
	} else {
		header = 0;
	}
	if (header && (protocol == 6 || protocol == 17) && has(v, header, 4) && v->at + header + 4 <= v->ip_end &&
	    !memcmp(v->frame + v->at + from, v->destination, address_size(v))) {
		v->quote = true;
		v->out->protocol = protocol;
		v->out->dport = get(v, header, 2);
		v->out->sport = get(v, header + 2, 2);
	}
	v->at = start;
}

static bool is_icmp_error(const struct view *v)
{
	if (v->out->family == 4)
		return v->icmp_type == 3 || v->icmp_type == 11 || v->icmp_type == 12;
	return v->icmp_type >= 1 && v->icmp_type <= 4;
}

static bool read_ports(struct view *v, size_t room)
{
	if (v->out->protocol == 6) {
		size_t header = (get(v, 12, 1) >> 4) * 4;

		if (header < 20 || (!v->out->fragment && header > room))
			return malformed(v);

	} else if (get(v, 4, 2) < 8 || (!v->out->fragment && get(v, 4, 2) > room)) {
		return malformed(v);
	}
	v->out->sport = get(v, 0, 2);
	v->out->dport = get(v, 2, 2);
	return false;
}

static bool read_transport(struct view *v)
{
	uint8_t own = v->out->family == 4 ? 1 : 58, others = v->out->family == 4 ? 58 : 1;
	size_t room = v->ip_end - v->at, least = 0;

	if (v->out->protocol == others)
		return malformed(v);
	if (v->out->protocol == own)
		v->out->protocol = 1;
	if (v->out->fragment == 2)
		return false;
	if (v->out->protocol == 6)
		least = 20;
	else if (v->out->protocol == 17 || v->out->protocol == 1)
		least = 8;
	if (room < least)
		return say(v, WEIR_DROP, v->out->fragment ? WEIR_REASON_TINY_FRAGMENT : WEIR_REASON_MALFORMED);
	if (v->out->protocol == 6 || v->out->protocol == 17)
		return read_ports(v, room);
	if (v->out->protocol == 1) {
		v->icmp_type = get(v, 0, 1);
		if (!v->out->fragment && is_icmp_error(v))
			read_quote(v);
	}
	return false;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool is_icmp(const struct view *v)
{
	return v->quote || v->out->protocol == 1;
}

static bool is_link_local(const struct view *v)
{
	return v->source[0] == 0xfe && (v->source[1] & 0xc0) == 0x80;
}

static bool is_neighbour_discovery(const struct view *v)
{
	if (v->out->family != 6 || !is_icmp(v) || v->out->fragment)
		return false;
	if (v->icmp_type >= 133 && v->icmp_type <= 137)
		return v->ttl == 255;
	if (v->icmp_type != 143 && (v->icmp_type < 130 || v->icmp_type > 132))
		return false;
	return v->ttl == 1 && (is_link_local(v) || all_zero(v->source, 16));
}

static bool judge_protect(struct view *v)
{
	const struct oracle_outcome *o = v->out;
	uint16_t low = o->family == 4 ? 67 : 546;
	bool dhcp = o->protocol == 17 && !v->quote && !o->fragment && (o->sport == low || o->sport == low + 1) &&
		    (o->dport == low || o->dport == low + 1) &&
		    (o->family == 4 ? memcmp(v->destination, vip4, 4) != 0 : is_link_local(v));
	bool ours = o->family == 4 ? !memcmp(v->source, "\xc0\x00\x02", 3)
				   : !memcmp(v->source, "\x20\x01\x0d\xb8\x00\x05", 6);

	if (is_neighbour_discovery(v))
		return say(v, WEIR_PASS, WEIR_REASON_NEIGHBOUR_DISCOVERY);
	if (dhcp)
		return say(v, WEIR_PASS, WEIR_REASON_DHCP);
	if (ours && o->protocol == 6 && !v->quote && o->fragment != 2 && (o->sport == 22 || o->dport == 22))
		return say(v, WEIR_PASS, WEIR_REASON_PROTECTED);
	return false;
}

static bool is_martian(const struct view *v)
{
	const uint8_t *a = v->source;

	if (v->out->family == 4) {
		if (all_zero(a, 4))
			return v->out->protocol != 2;
		return a[0] == 0 || a[0] == 127 || (a[0] >= 224 && a[0] <= 239) || !memcmp(a, "\xff\xff\xff\xff", 4);
	}
	if (a[0] == 0xff)
		return true;
	if (!all_zero(a, 8))
		return false;
	if (!memcmp(a + 8, "\x00\x00\xff\xff", 4))
		return true;
	return all_zero(a + 8, 7) && a[15] <= 1;
}

static bool is_denied(const struct view *v)
{
	const uint8_t *a = v->source;

	if (v->out->family == 4)
		return !memcmp(a, "\xcb\x00\x71", 3) && a[3] >= 128 && a[3] != 200;
	return !memcmp(a, "\x20\x01\x0d\xb8\x0b\xad", 6) && a[6] < 128;
}

static bool judge_admit(struct view *v)
{
	if (is_martian(v))
		return say(v, WEIR_DROP, WEIR_REASON_MARTIAN);
	if (!memcmp(v->source, v->destination, address_size(v)))
		return say(v, WEIR_DROP, WEIR_REASON_LAND);
	if (is_denied(v))
		return say(v, WEIR_DROP, WEIR_REASON_DENIED);
	return false;
}

static bool judge_steer(struct view *v)
{
	const struct oracle_outcome *o = v->out;
	bool vip = o->family == 4 ? !memcmp(v->destination, vip4, 4) : !memcmp(v->destination, vip6, 16);
	bool served = (o->protocol == 6 && o->dport == 80) || (o->protocol == 17 && o->dport == 443);

	if (!vip)
		return say(v, WEIR_PASS, WEIR_REASON_NOT_VIP);
	if (o->fragment)
		return say(v, WEIR_DROP, WEIR_REASON_VIP_FRAGMENT);
	if (served)
		return v->ttl <= 1 ? say(v, WEIR_DROP, WEIR_REASON_TTL_EXPIRED) : say(v, WEIR_TX, WEIR_REASON_STEERED);
	if (o->protocol == 1 && !v->quote)
		return v->icmp_type == (o->family == 4 ? 8 : 128) ? say(v, WEIR_TX, WEIR_REASON_VIP_ECHO)
								  : say(v, WEIR_DROP, WEIR_REASON_VIP_ICMP);
	return say(v, WEIR_DROP, WEIR_REASON_NO_SERVICE);
}

void oracle_judge(const uint8_t *frame, size_t size, struct oracle_outcome *outcome)
{
	struct view v = {.frame = frame, .size = size, .out = outcome};
	uint16_t type;

	memset(outcome, 0, sizeof(*outcome));
	if (read_link(&v, &type))
		return;
	if (type == 0x0806) {
		say(&v, WEIR_PASS, WEIR_REASON_ARP);
		return;
	}
	if (type != 0x0800 && type != 0x86dd) {
		say(&v, WEIR_PASS, WEIR_REASON_NOT_IP);
		return;
	}
	if ((type == 0x0800 ? read_ipv4(&v) : read_ipv6(&v)) || read_transport(&v))
		return;
	if (judge_protect(&v) || judge_admit(&v))
		return;
	judge_steer(&v);
}
