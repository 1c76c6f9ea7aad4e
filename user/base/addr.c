/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses and prefixes: text to bytes and back, masks, order, and the kernel's choice of a source. */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "scope.h"

static uint8_t family_bits(uint8_t family)
{
	return family == WEIR_IPV4 ? 32 : 128;
}

int addr_parse(const char *text, struct addr *out)
{
	struct addr addr = {};

	if (inet_pton(AF_INET, text, &addr.bytes) == 1)
		addr.family = WEIR_IPV4;
	else if (inet_pton(AF_INET6, text, &addr.bytes) == 1)
		addr.family = WEIR_IPV6;
	else
		return -EINVAL;
	*out = addr;
	return 0;
}

/* Decimal without sign, blanks or leading zeros, at most max. */
static int length_parse(const char *text, uint8_t max, uint8_t *out)
{
	unsigned int value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*out = (uint8_t)value;
	return 0;
}

/* One byte of an IPv4 address, as inet_pton takes it: one to three digits without leading zeros. NULL: it is none. */
static const char *byte_parse(const char *text, uint32_t *value)
{
	uint32_t number = (unsigned char)*text - '0';

	if (number > 9)
		return NULL;
	for (text++; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (unsigned char)*text - '0';
		if (number > 255 || number < 10)
			return NULL;
	}
	*value = *value << 8 | number;
	return text;
}

/* What nearly every entry of a list is, in a tenth of the time: false when it is anything but an IPv4 prefix. */
static bool prefix_parse4(const char *text, struct prefix *out, bool *host_bits)
{
	uint32_t address = 0, mask;
	uint8_t length = 32;

	for (int i = 0; i < 4; i++) {
		text = byte_parse(text, &address);
		if (!text || (i < 3 && *text++ != '.'))
			return false;
	}
	if (*text && (*text != '/' || length_parse(text + 1, length, &length)))
		return false;
	mask = (uint32_t)(0xffffffff00000000ull >> length);
	*host_bits = address & ~mask;
	*out = (struct prefix){.addr = {.family = WEIR_IPV4, .bytes.word[0] = htonl(address & mask)}, .length = length};
	return true;
}

int prefix_parse(const char *text, struct prefix *out)
{
	char copy[ADDR_TEXT_MAX];
	struct prefix prefix = {};
	bool host_bits = false;
	char *slash;

	if (prefix_parse4(text, out, &host_bits))
		return host_bits ? -ERANGE : 0;
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	slash = strchr(copy, '/');
	if (slash)
		*slash = 0;
	if (addr_parse(copy, &prefix.addr))
		return -EINVAL;
	prefix.length = family_bits(prefix.addr.family);
	if (slash && length_parse(slash + 1, prefix.length, &prefix.length))
		return -EINVAL;

	struct weir_addr mask = prefix_mask(prefix.addr.family, prefix.length);

	for (int i = 0; i < 4; i++) {
		if (prefix.addr.bytes.word[i] & ~mask.word[i])
			host_bits = true;
		prefix.addr.bytes.word[i] &= mask.word[i];
	}
	*out = prefix;
	return host_bits ? -ERANGE : 0;
}

int prefix_read(const char *text, struct prefix *out, struct problem *problem)
{
	struct prefix prefix = {};
	char meant[ADDR_TEXT_MAX];
	int error = prefix_parse(text, &prefix);

	if (error == -ERANGE) {
		problem_set(problem, -EINVAL, "%.60s has bits set beyond its length", text);
		problem_hint(problem, "was %s meant?", prefix_format(&prefix, meant));
		return -EINVAL;
	}
	if (error) {
		problem_set(problem, error, "\"%.60s\" is not an address or a prefix", text);
		problem_hint(problem, "write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32");
		return error;
	}
	*out = prefix;
	return 0;
}

char *addr_format(const struct addr *addr, char *out)
{
	int family = addr->family == WEIR_IPV4 ? AF_INET : AF_INET6;

	if (!addr->family || !inet_ntop(family, &addr->bytes, out, ADDR_TEXT_MAX))
		strcpy(out, "none");
	return out;
}

char *prefix_format(const struct prefix *prefix, char *out)
{
	addr_format(&prefix->addr, out);
	if (prefix->addr.family && prefix->length != family_bits(prefix->addr.family)) {
		size_t used = strlen(out);

		snprintf(out + used, ADDR_TEXT_MAX - used, "/%u", prefix->length);
	}
	return out;
}

struct weir_addr prefix_mask(uint8_t family, uint8_t length)
{
	struct weir_addr mask = {};
	int words = family == WEIR_IPV4 ? 1 : 4;

	for (int i = 0; i < words; i++) {
		int bits = length - i * 32;

		if (bits >= 32)
			mask.word[i] = htonl(UINT32_MAX);
		else if (bits > 0)
			mask.word[i] = htonl(UINT32_MAX << (32 - bits));
	}
	return mask;
}

bool prefix_covers(const struct prefix *prefix, const struct addr *addr)
{
	struct weir_addr mask = prefix_mask(prefix->addr.family, prefix->length);

	if (prefix->addr.family != addr->family)
		return false;
	for (int i = 0; i < 4; i++) {
		if ((addr->bytes.word[i] & mask.word[i]) != prefix->addr.bytes.word[i])
			return false;
	}
	return true;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(&a->bytes, &b->bytes, sizeof(a->bytes));
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = addr_compare(&a->addr, &b->addr);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* The discard port: connecting a datagram socket sends nothing, any port would do. */
#define ANY_PORT 9

int addr_source_towards(const struct addr *to, struct addr *source)
{
	struct sockaddr_in6 peer6 = {.sin6_family = AF_INET6, .sin6_port = htons(ANY_PORT)};
	struct sockaddr_in peer4 = {.sin_family = AF_INET, .sin_port = htons(ANY_PORT)};
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} own = {};
	socklen_t size = sizeof(own);
	bool is_v4 = to->family == WEIR_IPV4;
	AUTO_CLOSE int fd = -1;

	if (!to->family)
		return -EINVAL;
	memcpy(&peer4.sin_addr, &to->bytes, sizeof(peer4.sin_addr));
	memcpy(&peer6.sin6_addr, &to->bytes, sizeof(peer6.sin6_addr));
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	if (is_v4 ? connect(fd, (struct sockaddr *)&peer4, sizeof(peer4))
		  : connect(fd, (struct sockaddr *)&peer6, sizeof(peer6)))
		return -errno;
	if (getsockname(fd, &own.any, &size))
		return -errno;

	struct addr found = {.family = to->family};

	if (is_v4)
		memcpy(&found.bytes, &own.v4.sin_addr, sizeof(own.v4.sin_addr));
	else
		memcpy(&found.bytes, &own.v6.sin6_addr, sizeof(own.v6.sin6_addr));
	*source = found;
	return 0;
}
