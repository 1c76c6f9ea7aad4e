/* SPDX-License-Identifier: BSD-2-Clause */
/* Units: durations, rates, counts, sizes, percents, ports and limit keys. */
#include "units.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include "../base/scope.h"

/* More digits than any sensible value has, few enough for a double to hold exactly. */
#define DIGITS_MAX 15

struct factor {
	const char *suffix;
	double factor;
};

const char *units_integer(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return "a whole number is needed, digits only";
	if (text[0] == '0' && text[1])
		return "a number has no leading zeros";
	for (; *text; text++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return "the number is too large";
	}
	*out = value;
	return NULL;
}

const char *units_mark(const char *text, uint32_t *out)
{
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = is_hex ? text + 2 : text, *allowed = is_hex ? "0123456789abcdefABCDEF" : "0123456789";
	unsigned long long value;

	if (!*digits || strspn(digits, allowed) != strlen(digits) || (!is_hex && text[0] == '0' && text[1]))
		return "a mark is a number from 1 to 4294967295, or from 0x1 to 0xffffffff; it takes no mask";
	errno = 0;
	value = strtoull(digits, NULL, is_hex ? 16 : 10);
	if (errno || value > UINT32_MAX)
		return "a mark has 32 bits: 0xffffffff is the highest";
	if (!value)
		return "0 is what packets without a mark have: leave the rule out, or write \"action: pass\"";
	*out = (uint32_t)value;
	return NULL;
}

/* Digits, perhaps a point and more digits. Returns what follows, NULL if no number is there or it is absurd. */
static const char *read_number(const char *text, double *out)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0;
	double value = 0, scale = 1;

	if (!whole || (whole > 1 && text[0] == '0'))
		return NULL;
	if (text[whole] == '.') {
		fraction = strspn(text + whole + 1, "0123456789");
		if (!fraction)
			return NULL;
	}
	if (whole + fraction > DIGITS_MAX)
		return NULL;
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (text[i] - '0');
	for (size_t i = 0; i < fraction; i++) {
		value = value * 10 + (text[whole + 1 + i] - '0');
		scale *= 10;
	}
	*out = value / scale;
	return text + whole + (fraction ? 1 + fraction : 0);
}

static const struct factor *find_factor(const struct factor *factors, size_t count, const char *suffix, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(factors[i].suffix) == length && !memcmp(factors[i].suffix, suffix, length))
			return &factors[i];
	}
	return NULL;
}

static const struct factor TIME_FACTORS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct factor COUNT_FACTORS[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
static const struct factor BIT_FACTORS[] = {{"bit", 1}, {"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}};
static const struct factor BYTE_FACTORS[] = {{"B", 8},
					     {"kB", 8e3},
					     {"MB", 8e6},
					     {"GB", 8e9},
					     {"KiB", 8 * 1024.0},
					     {"MiB", 8 * 1048576.0},
					     {"GiB", 8 * 1073741824.0}};
static const struct factor PERIOD_FACTORS[] = {{"s", 1}, {"m", 60}, {"h", 3600}};

#define FIND(factors, suffix, length) find_factor(factors, ARRAY_SIZE(factors), suffix, length)

const char *units_duration(const char *text, uint64_t *ms)
{
	double value;
	const char *suffix = read_number(text, &value);
	const struct factor *factor;

	if (!suffix)
		return "a duration is written 500ms, 2s, 10m, 1h or 1d";
	if (!*suffix)
		return "a duration needs a unit: 500ms, 2s, 10m, 1h or 1d";
	factor = FIND(TIME_FACTORS, suffix, strlen(suffix));
	if (!factor)
		return "not a unit of time: use ms, s, m, h or d";
	value *= factor->factor;
	if (value > 1e14)
		return "the duration is too long";
	if (value != floor(value))
		return "a duration is whole milliseconds";
	*ms = (uint64_t)value;
	return NULL;
}

const char *units_rate(const char *text, enum config_limit_unit *unit, double *per_s)
{
	enum config_limit_unit found = CONFIG_PER_PACKET;
	const struct factor *factor, *period;
	double value;
	const char *suffix = read_number(text, &value), *slash;

	if (!suffix)
		return "a rate is written 2000/s, 10k/s (packets) or 200Mbit/s, per s, m or h";
	slash = strchr(suffix, '/');
	if (!slash)
		return "a rate needs its time: 2000/s, 10k/s (packets) or 200Mbit/s, per s, m or h";
	factor = FIND(COUNT_FACTORS, suffix, (size_t)(slash - suffix));
	if (!factor) {
		factor = FIND(BIT_FACTORS, suffix, (size_t)(slash - suffix));
		found = CONFIG_PER_BIT;
	}
	if (!factor)
		return "not a unit of rate: nothing, k, M or G for packets, or bit, kbit, Mbit, Gbit";
	period = FIND(PERIOD_FACTORS, slash + 1, strlen(slash + 1));
	if (!period)
		return "a rate is per s, m or h";
	if (value == 0)
		return "a rate of 0 would let nothing through; to drop everything use a deny";
	*per_s = value * factor->factor / period->factor;
	*unit = found;
	return NULL;
}

const char *units_count(const char *text, double *out)
{
	double value;
	const char *suffix = read_number(text, &value);
	const struct factor *factor = suffix ? FIND(COUNT_FACTORS, suffix, strlen(suffix)) : NULL;

	if (!factor)
		return "a number of packets is written 4000, 4k or 1M";
	value *= factor->factor;
	if (value != floor(value) || value == 0)
		return "a number of packets is whole and not 0";
	*out = value;
	return NULL;
}

const char *units_size(const char *text, double *bits)
{
	double value;
	const char *suffix = read_number(text, &value);
	const struct factor *factor = NULL;

	if (suffix && !*suffix)
		return "a size needs a unit: B, kB, MB, GB, KiB, MiB, GiB, or bit, kbit, Mbit, Gbit";
	if (suffix)
		factor = FIND(BYTE_FACTORS, suffix, strlen(suffix));
	if (suffix && !factor)
		factor = FIND(BIT_FACTORS, suffix, strlen(suffix));
	if (!factor)
		return "a size is written 64kB, 1MiB or 10Mbit";
	if (value == 0)
		return "a size of 0 would let nothing through";
	*bits = value * factor->factor;
	return NULL;
}

const char *units_percent(const char *text, uint8_t *out)
{
	char digits[4] = "";
	size_t length = strlen(text);
	uint64_t value;

	if (length < 2 || text[length - 1] != '%')
		return "a share is written in percent: 50%";
	if (length > sizeof(digits))
		return "a share is 0% to 100%, whole";
	memcpy(digits, text, length - 1);
	if (units_integer(digits, &value) || value > 100)
		return "a share is 0% to 100%, whole";
	*out = (uint8_t)value;
	return NULL;
}

const char *units_change(const char *text, uint16_t *out)
{
	char digits[5] = "";
	size_t length = strlen(text);
	uint64_t value;

	if (length < 2 || text[length - 1] != '%')
		return "a change is written in percent: 30%";
	if (length > sizeof(digits))
		return "a change is 1% to 1000%, whole";
	memcpy(digits, text, length - 1);
	if (units_integer(digits, &value) || value > 1000)
		return "a change is 1% to 1000%, whole";
	if (!value)
		return "0% would hold every change back: leave it out to take any, or write 1%";
	*out = (uint16_t)value;
	return NULL;
}

static const char *read_port(const char *text, size_t length, uint16_t *out)
{
	char digits[8] = "";
	uint64_t value;

	if (length >= sizeof(digits))
		return "a port is 1 to 65535";
	memcpy(digits, text, length);
	if (units_integer(digits, &value))
		return "a port is a number (tcp/80), a range (tcp/8000-8099) or any (tcp/any)";
	if (value == 0 || value > UINT16_MAX)
		return "a port is 1 to 65535";
	*out = (uint16_t)value;
	return NULL;
}

static const char *read_port_range(const char *text, struct config_ports *out)
{
	const char *dash = strchr(text, '-');
	const char *problem;

	if (!strcmp(text, "any")) {
		out->first = out->last = 0;
		return NULL;
	}
	problem = read_port(text, dash ? (size_t)(dash - text) : strlen(text), &out->first);
	if (problem)
		return problem;
	out->last = out->first;
	if (dash)
		problem = read_port(dash + 1, strlen(dash + 1), &out->last);
	if (!problem && out->last < out->first)
		return "a port range goes from the lower to the higher";
	return problem;
}

const char *units_ports(const char *text, struct config_ports *out)
{
	struct config_ports ports = {.place = out->place};
	const char *slash = strchr(text, '/'), *problem;
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	if (length == 4 && !memcmp(text, "icmp", 4)) {
		if (slash)
			return "icmp has no ports: write icmp alone";
		ports.protocol = IPPROTO_ICMP;
		*out = ports;
		return NULL;
	}
	if (length == 3 && !memcmp(text, "tcp", 3))
		ports.protocol = IPPROTO_TCP;
	else if (length == 3 && !memcmp(text, "udp", 3))
		ports.protocol = IPPROTO_UDP;
	else if (!slash && *text && strspn(text, "0123456789-") == strlen(text))
		return "a port needs its protocol: tcp/80 or udp/443";
	else
		return "ports are written tcp/80, tcp/8000-8099, tcp/any, udp/443 or icmp";
	if (!slash)
		return "a protocol needs its port: tcp/80, tcp/8000-8099 or tcp/any";
	problem = read_port_range(slash + 1, &ports);
	if (!problem)
		*out = ports;
	return problem;
}

const char *units_limit_key(const char *text, uint8_t *prefix4, uint8_t *prefix6)
{
	static const char form[] = "a key is source, or source/24,/56 with the prefix lengths of IPv4 and IPv6";
	const char *comma = strchr(text, ',');
	char digits[4] = "";
	uint64_t length4, length6;
	size_t length;

	if (!strcmp(text, "source")) {
		*prefix4 = 32;
		*prefix6 = 128;
		return NULL;
	}
	if (strncmp(text, "source/", 7) || !comma || comma[1] != '/')
		return form;
	text += 7;
	length = (size_t)(comma - text);
	if (length >= sizeof(digits) || strlen(comma + 2) >= sizeof(digits))
		return "prefix lengths are 1 to 32 for IPv4 and 1 to 128 for IPv6";
	memcpy(digits, text, length);
	if (units_integer(digits, &length4) || units_integer(comma + 2, &length6))
		return form;
	if (length4 < 1 || length4 > 32 || length6 < 1 || length6 > 128)
		return "prefix lengths are 1 to 32 for IPv4 and 1 to 128 for IPv6";
	*prefix4 = (uint8_t)length4;
	*prefix6 = (uint8_t)length6;
	return NULL;
}

char *config_ports_format(const struct config_ports *ports, char *out)
{
	const char *protocol = ports->protocol == IPPROTO_TCP ? "tcp" : "udp";

	if (ports->protocol == IPPROTO_ICMP)
		snprintf(out, CONFIG_PORTS_TEXT_MAX, "icmp");
	else if (!ports->first)
		snprintf(out, CONFIG_PORTS_TEXT_MAX, "%s/any", protocol);
	else if (ports->first == ports->last)
		snprintf(out, CONFIG_PORTS_TEXT_MAX, "%s/%u", protocol, ports->first);
	else
		snprintf(out, CONFIG_PORTS_TEXT_MAX, "%s/%u-%u", protocol, ports->first, ports->last);
	return out;
}
