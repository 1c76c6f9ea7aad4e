/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir explain`: one packet, described in words, walked through the program. */
#include "cli.h"
#include "../base/scope.h"
#include "../replay/replay.h"
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define PACKET_MAX (65535 + 64)

enum {
	OPTION_SRC = 256,
	OPTION_DST,
	OPTION_SPORT,
	OPTION_DPORT,
	OPTION_SYN,
	OPTION_FLAGS,
	OPTION_VLAN,
	OPTION_TTL,
	OPTION_LENGTH,
	OPTION_ICMP,
	OPTION_IFACE
};

struct options {
	struct cli_common common;
	struct replay_words words;
	const char *config, *iface;
	bool has_dport, has_icmp;
};

static const struct {
	const char *name;
	uint8_t bit;
} flag_names[] = {{"fin", 0x01}, {"syn", 0x02}, {"rst", 0x04}, {"psh", 0x08},
		  {"ack", 0x10}, {"urg", 0x20}, {"ece", 0x40}, {"cwr", 0x80}};

/* "syn,ack" */
static int parse_flags(char *text, uint8_t *flags)
{
	uint8_t found = 0;
	char *word;

	while ((word = strsep(&text, ","))) {
		size_t i = 0;

		while (i < ARRAY_SIZE(flag_names) && strcmp(flag_names[i].name, word) != 0)
			i++;
		if (i == ARRAY_SIZE(flag_names))
			return -EINVAL;
		found |= flag_names[i].bit;
	}
	*flags = found;
	return 0;
}

static int parse_protocol(const char *text, uint8_t *protocol)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}, {"icmp6", IPPROTO_ICMPV6}};
	int64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i].name, text)) {
			*protocol = names[i].number;
			return 0;
		}
	}
	if (cli_parse_number(text, 0, 255, &number))
		return -EINVAL;
	*protocol = (uint8_t)number;
	return 0;
}

static int64_t parse_number(const char *text, int64_t min, int64_t max, const char *option, struct argp_state *state)
{
	int64_t number = 0;

	if (cli_parse_number(text, min, max, &number))
		argp_error(state, "--%s takes a number from %lld to %lld", option, (long long)min, (long long)max);
	return number;
}

static void parse_address(const char *text, struct addr *address, struct argp_state *state)
{
	if (addr_parse(text, address))
		argp_error(state, "\"%s\" is not an address", text);
}

static void parse_icmp(char *text, struct replay_words *words, struct argp_state *state)
{
	char *code = strchr(text, '/');

	if (code)
		*code++ = '\0';
	words->icmp_type = (uint8_t)parse_number(text, 0, 255, "icmp", state);
	words->icmp_code = code ? (uint8_t)parse_number(code, 0, 255, "icmp", state) : 0;
}

static void check_words(const struct options *options, struct argp_state *state)
{
	uint8_t protocol = options->words.protocol;

	if (!options->words.source.family || !options->words.destination.family)
		argp_error(state, "--src and --dst are needed");
	if (options->words.source.family != options->words.destination.family)
		argp_error(state, "--src and --dst are of different families");
	if ((protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && !options->has_dport)
		argp_error(state, "--dport is needed for tcp and udp");
}

static error_t parse_word(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;
	struct replay_words *words = &options->words;

	switch (key) {
	case OPTION_SRC:
		parse_address(value, &words->source, state);
		return 0;
	case OPTION_DST:
		parse_address(value, &words->destination, state);
		return 0;
	case OPTION_SPORT:
		words->sport = (uint16_t)parse_number(value, 0, 65535, "sport", state);
		return 0;
	case OPTION_DPORT:
		words->dport = (uint16_t)parse_number(value, 0, 65535, "dport", state);
		options->has_dport = true;
		return 0;
	case OPTION_SYN:
		words->tcp_flags = 0x02;
		return 0;
	case OPTION_FLAGS:
		if (parse_flags(value, &words->tcp_flags))
			argp_error(state, "--flags takes fin, syn, rst, psh, ack, urg, ece, cwr, with commas");
		return 0;
	case OPTION_VLAN:
		words->vlan = (int)parse_number(value, 0, 4094, "vlan", state);
		return 0;
	case OPTION_TTL:
		words->ttl = (uint8_t)parse_number(value, 1, 255, "ttl", state);
		return 0;
	case OPTION_LENGTH:
		words->length = (uint16_t)parse_number(value, 20, 65535, "length", state);
		return 0;
	case OPTION_ICMP:
		parse_icmp(value, words, state);
		options->has_icmp = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'P':
		if (parse_protocol(value, &options->words.protocol))
			argp_error(state, "--proto takes tcp, udp, icmp or a number");
		return 0;
	case OPTION_IFACE:
		options->iface = value;
		return 0;
	case 'c':
		options->config = value;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"", value);
		return EINVAL;
	case ARGP_KEY_END:
		check_words(options, state);
		return 0;
	default:
		return parse_word(key, value, state);
	}
}

static const struct argp_option option_list[] = {
	{0, 0, 0, 0, "The packet:", 1},
	{"src", OPTION_SRC, "ADDRESS", 0, "Source", 1},
	{"dst", OPTION_DST, "ADDRESS", 0, "Destination", 1},
	{"proto", 'P', "PROTO", 0, "tcp (default), udp, icmp, or a number", 1},
	{"sport", OPTION_SPORT, "PORT", 0, "Source port (default 40000)", 1},
	{"dport", OPTION_DPORT, "PORT", 0, "Destination port", 1},
	{"syn", OPTION_SYN, 0, 0, "The first packet of a TCP connection (default: one with ACK)", 1},
	{"flags", OPTION_FLAGS, "LIST", 0, "TCP flags, such as syn,ack", 1},
	{"icmp", OPTION_ICMP, "TYPE[/CODE]", 0, "ICMP type and code (default: echo request)", 1},
	{"vlan", OPTION_VLAN, "ID", 0, "In a VLAN tag", 1},
	{"ttl", OPTION_TTL, "N", 0, "TTL or hop limit (default 64)", 1},
	{"length", OPTION_LENGTH, "BYTES", 0, "Of the IP packet (default: the smallest)", 1},
	{"iface", OPTION_IFACE, "NAME", 0, "That it comes in by (default: the first configured one)", 1},
	{0, 0, 0, 0, "The policy:", 2},
	{"config", 'c', "FILE", 0, "A candidate instead of the live policy", 2},
	{"pins", 'p', "DIR", 0, "The live tables (default " CLI_DEFAULT_PINS ")", 2},
	{"json", 'j', 0, 0, "Print the outcome as JSON", 3},
	{0},
};

static int walk(const struct options *options, struct replay_bench *bench, struct problem *problem)
{
	AUTO_FREE uint8_t *packet = malloc(PACKET_MAX), *out = malloc(PACKET_MAX + REPLAY_HEADERS_MAX);
	size_t out_size = PACKET_MAX + REPLAY_HEADERS_MAX;
	unsigned int ifindex = options->iface ? if_nametoindex(options->iface) : 0;
	struct replay_outcome outcome;
	ssize_t size;
	int err;

	if (!packet || !out)
		return problem_set(problem, -ENOMEM, "out of memory");
	if (options->iface && !ifindex)
		return problem_set(problem, -ENODEV, "there is no interface %s", options->iface);
	size = replay_build_packet(&options->words, packet, PACKET_MAX, problem);
	if (size < 0)
		return (int)size;
	err = replay_run(bench, packet, (size_t)size, 0, ifindex, out, &out_size, &outcome, problem);
	if (err)
		return err;
	if (options->common.json)
		return cli_print_json(replay_outcome_json(bench, &outcome, 0)) == CLI_DONE ? 0 : -EIO;
	replay_outcome_print(bench, &outcome, stdout, cli_colour());
	return 0;
}

int cli_explain(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse_option,
		.doc = "Walk one packet through the program itself, over the live tables or a candidate's, and say "
		       "which "
		       "stage decided and why. Nothing is counted, limited or sent. Needs root."
		       "\vExamples:\n  weir explain --src 203.0.113.7 --dst 198.51.100.10 --dport 443 --syn\n"
		       "  weir explain -c new.yaml --src 2001:db8::1 --dst 2001:db8::10 --proto udp --dport 443",
	};
	struct options options = {.words = {.protocol = IPPROTO_TCP, .sport = 40000, .tcp_flags = 0x10, .vlan = -1}};
	struct replay_options bench_options = {0};
	struct replay_bench *bench = NULL;
	struct problem problem = {0};
	int err;

	cli_parse(&argp, argc, argv, &options);
	if (!options.has_icmp)
		options.words.icmp_type = options.words.source.family == WEIR_IPV6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	bench_options.config_path = options.config;
	bench_options.pin_directory = cli_pins(options.common.pins);
	err = replay_bench_open(&bench_options, &bench, &problem);
	if (!err)
		err = walk(&options, bench, &problem);
	if (bench)
		replay_bench_close(bench);
	return err ? cli_fail(&problem) : CLI_DONE;
}
