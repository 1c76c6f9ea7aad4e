/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flood's command line, and the bounds that keep it inside a lab: veth or a guest's virtio in a namespace, a
 * count and a time.
 */
#include "flood.h"
#include <argp.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <math.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPTION_SOURCES = 256, OPTION_SPORT, OPTION_SECONDS, OPTION_JSON };

static const struct argp_option options[] = {
	{"interface", 'i', "IF", 0, "send out of this interface of the current namespace", 0},
	{"dst", 'd', "ADDRESS", 0, "destination address, IPv4 or IPv6", 0},
	{"mac", 'm', "MAC", 0, "destination link address", 0},
	{"src-prefix", 's', "PREFIX", 0, "send from addresses of this prefix", 0},
	{"sources", OPTION_SOURCES, "N", 0, "number of source addresses (default 1)", 0},
	{"proto", 'p', "PROTO", 0, "udp, tcp-syn or tcp-ack (default udp)", 0},
	{"dport", 'D', "PORT", 0, "destination port (default 80)", 0},
	{"sport", OPTION_SPORT, "PORT", 0, "source port (default: varies)", 0},
	{"size", 'S', "BYTES", 0, "frame size without FCS (default 60)", 0},
	{"count", 'n', "N", 0, "packets at most (default 1000000)", 0},
	{"rate", 'r', "PPS", 0, "packets a second (default: as fast as it goes)", 0},
	{"seconds", OPTION_SECONDS, "S", 0, "seconds at most (default 10)", 0},
	{"json", OPTION_JSON, 0, 0, "print the result as JSON", 0},
	{0},
};

static double parse_number(struct argp_state *state, const char *what, const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value) || value < least || value > most)
		argp_error(state, "%s \"%s\" is not between %.0f and %.0f", what, text, least, most);
	return value;
}

static bool parse_address(const char *text, uint8_t out[16], bool *is_ipv6)
{
	memset(out, 0, 16);
	*is_ipv6 = strchr(text, ':') != NULL;
	return inet_pton(*is_ipv6 ? AF_INET6 : AF_INET, text, out + (*is_ipv6 ? 0 : 12)) == 1;
}

/* The prefix's bits below its length become zero: the program fills them in. */
static void parse_prefix(struct argp_state *state, const char *text, struct flood_order *order, bool *is_ipv6)
{
	char address[64];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	unsigned int bits, length;

	if (size >= sizeof(address))
		argp_error(state, "\"%s\" is not a prefix", text);
	memcpy(address, text, size);
	address[size] = '\0';
	if (!parse_address(address, order->source, is_ipv6))
		argp_error(state, "\"%s\" is not a prefix", text);
	bits = *is_ipv6 ? 128 : 32;
	length = slash ? parse_number(state, "the prefix length", slash + 1, 0, bits) : bits;
	order->host_bits = bits - length > 32 ? 32 : bits - length;
	for (unsigned int bit = 0; bit < order->host_bits; bit++)
		order->source[15 - bit / 8] &= ~(1u << (bit % 8));
}

static void parse_mac(struct argp_state *state, const char *text, uint8_t out[6])
{
	unsigned int byte[6];
	char rest;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5],
		   &rest) != 6)
		argp_error(state, "\"%s\" is not a link address", text);
	for (int i = 0; i < 6; i++)
		out[i] = byte[i];
}

static void parse_protocol(struct argp_state *state, const char *text, struct flood_order *order)
{
	static const struct {
		const char *name;
		uint8_t protocol, flags;
	} protocols[] = {{"udp", IPPROTO_UDP, 0}, {"tcp-syn", IPPROTO_TCP, 0x02}, {"tcp-ack", IPPROTO_TCP, 0x10}};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (strcmp(text, protocols[i].name))
			continue;
		order->protocol = protocols[i].protocol;
		order->tcp_flags = protocols[i].flags;
		return;
	}
	argp_error(state, "\"%s\" is not udp, tcp-syn or tcp-ack", text);
}

/* The machine's own namespace never has a name below /run/netns. */
static bool in_named_namespace(void)
{
	struct stat mine, named;
	struct dirent *entry;
	bool found = false;
	DIR *directory = opendir("/run/netns");

	if (!directory || stat("/proc/self/ns/net", &mine)) {
		if (directory)
			closedir(directory);
		return false;
	}
	while (!found && (entry = readdir(directory)))
		found = !fstatat(dirfd(directory), entry->d_name, &named, 0) && named.st_ino == mine.st_ino &&
			named.st_dev == mine.st_dev;
	closedir(directory);
	return found;
}

/* Live frames leave the machine where the interface does: only a lab's own devices are taken. */
static void check_interface(struct argp_state *state, struct flood_order *order)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&driver};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	memcpy(request.ifr_name, order->interface, sizeof(request.ifr_name));
	order->ifindex = if_nametoindex(order->interface);
	if (!order->ifindex || fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		argp_failure(state, 1, 0, "no interface \"%s\" with a driver in this namespace", order->interface);
	if (strcmp(driver.driver, "veth") && strcmp(driver.driver, "virtio_net"))
		argp_failure(state, 1, 0, "%s is a %s device: only veth and a guest's virtio_net are taken",
			     order->interface, driver.driver);
	if (!in_named_namespace())
		argp_failure(state, 1, 0, "refusing to send from anywhere but a namespace made by ip netns");
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		argp_failure(state, 1, 0, "%s has no link address", order->interface);
	memcpy(order->source_mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

struct parse {
	struct flood_order *order;
	bool has_source, has_destination, has_mac, source_is_ipv6, destination_is_ipv6;
};

static void check_order(struct argp_state *state, struct parse *parse)
{
	struct flood_order *order = parse->order;

	if (!order->interface[0] || !parse->has_source || !parse->has_destination || !parse->has_mac)
		argp_error(state, "--interface, --dst, --mac and --src-prefix are needed");
	if (parse->source_is_ipv6 != parse->destination_is_ipv6)
		argp_error(state, "source and destination are of different families");
	order->is_ipv6 = parse->source_is_ipv6;
	if (order->sources > 1ull << order->host_bits)
		argp_error(state, "the prefix has fewer than %u addresses", order->sources);
	check_interface(state, order);
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct flood_order *order = parse->order;

	switch (key) {
	case 'i':
		if (strlen(text) >= sizeof(order->interface))
			argp_error(state, "\"%s\" is too long for an interface", text);
		strcpy(order->interface, text);
		return 0;
	case 'd':
		parse->has_destination = true;
		if (!parse_address(text, order->destination, &parse->destination_is_ipv6))
			argp_error(state, "\"%s\" is not an address", text);
		return 0;
	case 'm':
		parse->has_mac = true;
		parse_mac(state, text, order->destination_mac);
		return 0;
	case 's':
		parse->has_source = true;
		parse_prefix(state, text, order, &parse->source_is_ipv6);
		return 0;
	case 'p':
		parse_protocol(state, text, order);
		return 0;
	case OPTION_SOURCES:
		order->sources = parse_number(state, "--sources", text, 1, UINT32_MAX);
		return 0;
	case 'D':
		order->dport = parse_number(state, "--dport", text, 0, 65535);
		return 0;
	case OPTION_SPORT:
		order->sport = parse_number(state, "--sport", text, 1, 65535);
		return 0;
	case 'S':
		order->frame_size = parse_number(state, "--size", text, FLOOD_FRAME_MIN, FLOOD_FRAME_MAX);
		return 0;
	case 'n':
		order->count = parse_number(state, "--count", text, 1, FLOOD_COUNT_MAX);
		return 0;
	case 'r':
		order->rate_pps = parse_number(state, "--rate", text, 1, 1e8);
		return 0;
	case OPTION_SECONDS:
		order->seconds = parse_number(state, "--seconds", text, 0, FLOOD_SECONDS_MAX);
		return 0;
	case OPTION_JSON:
		order->json = true;
		return 0;
	case ARGP_KEY_END:
		check_order(state, parse);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void flood_parse_order(int argc, char **argv, struct flood_order *order)
{
	static const struct argp argp = {
		options,
		parse_option,
		NULL,
		"Sends generated packets out of a lab's interface, bounded in count and time, and says how fast.",
		NULL,
		NULL,
		NULL};
	struct parse parse = {.order = order};

	*order = (struct flood_order){.sources = 1,
				      .protocol = IPPROTO_UDP,
				      .dport = 80,
				      .frame_size = FLOOD_FRAME_MIN,
				      .count = 1000000,
				      .seconds = 10};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &parse);
}
