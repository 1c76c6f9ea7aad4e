/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir backend-host`: a cache host takes the edges' tunnels off. */
#include "../backendhost/backendhost.h"
#include "../base/scope.h"
#include "cli.h"
#include <errno.h>
#include <string.h>

enum { OPTION_VIP = 'v', OPTION_EDGE = 'e', OPTION_PINS = 'p', OPTION_STATE = 's', OPTION_JSON = 'j' };

struct arguments {
	const char *action, *interface;
	struct addr *vips;
	struct prefix *edges;
	size_t vip_count, edge_count;
	const char *pins, *state;
	bool json;
};

static const struct argp_option options[] = {
	{"vip", OPTION_VIP, "ADDRESS", 0, "a VIP that this host serves, IPv4 or IPv6; once for each", 0},
	{"edge", OPTION_EDGE, "PREFIX", 0,
	 "take tunnels from these addresses alone; once for each (default: from anywhere)", 0},
	{"pins", OPTION_PINS, "DIR", 0, "where the program is pinned (default: " BACKENDHOST_DEFAULT_PINS ")", 0},
	{"state", OPTION_STATE, "DIR", 0,
	 "where it is kept what `down` has to undo (default: " BACKENDHOST_DEFAULT_STATE ")", 0},
	{"json", OPTION_JSON, NULL, 0, "status as one JSON document", 0},
	{}};

static const char documentation[] =
	"Lets a cache host take the edges' packets: off comes the tunnel (IPv4 or IPv6 within either), up the stack "
	"goes "
	"what the client sent, and the answer leaves for the client directly.\v"
	"`up` attaches an XDP program to IFACE, adds the VIPs to lo, and sets what they need: arp_ignore and "
	"arp_announce so that this host never claims a VIP on the wire, rp_filter loose where it is strict. Run it "
	"again with other VIPs or edges to change them; no packet is lost. `down` undoes what `up` did, and nothing "
	"else. `status` says what is attached and what became of the packets.\n\n"
	"  weir backend-host up eth0 --vip 198.51.100.10 --edge 10.0.0.0/24\n"
	"  weir backend-host status eth0\n"
	"  weir backend-host down eth0\n\n"
	"Without --edge anybody who reaches this host can tunnel to it, past the edge's filter. Network namespaces "
	"of one machine need a --pins and a --state each.\n\n"
	"Exit status: 0 done, 1 failed, 2 usage.";

static void add_vip(struct arguments *arguments, struct argp_state *state, const char *text)
{
	struct addr vip, *grown;

	if (addr_parse(text, &vip))
		argp_error(state, "--vip %s: not an IPv4 or IPv6 address", text);
	for (size_t i = 0; i < arguments->vip_count; i++)
		if (addr_equal(&arguments->vips[i], &vip))
			return;
	grown = reallocarray(arguments->vips, arguments->vip_count + 1, sizeof(*grown));
	if (!grown) {
		argp_failure(state, CLI_FAILED, ENOMEM, "--vip %s", text);
		return;
	}
	arguments->vips = grown;
	grown[arguments->vip_count++] = vip;
}

static void add_edge(struct arguments *arguments, struct argp_state *state, const char *text)
{
	struct prefix edge, *grown;
	char right[ADDR_TEXT_MAX];
	int error = prefix_parse(text, &edge);

	if (error == -ERANGE)
		argp_error(state, "--edge %s: has bits set behind its length; %s was probably meant", text,
			   prefix_format(&edge, right));
	if (error)
		argp_error(state, "--edge %s: not an address or a prefix such as 10.0.0.0/24", text);
	grown = reallocarray(arguments->edges, arguments->edge_count + 1, sizeof(*grown));
	if (!grown) {
		argp_failure(state, CLI_FAILED, ENOMEM, "--edge %s", text);
		return;
	}
	arguments->edges = grown;
	grown[arguments->edge_count++] = edge;
}

static void check_arguments(const struct arguments *arguments, struct argp_state *state)
{
	if (!arguments->action) {
		argp_error(state, "say up, down or status");
	} else if (strcmp(arguments->action, "up") == 0) {
		if (arguments->interface && !arguments->vip_count)
			argp_error(state, "up needs at least one --vip");
	} else if (strcmp(arguments->action, "down") != 0 && strcmp(arguments->action, "status") != 0) {
		argp_error(state, "unknown action \"%s\": say up, down or status", arguments->action);
	} else if (arguments->vip_count || arguments->edge_count) {
		argp_error(state, "--vip and --edge go with up");
	}
	if (arguments->action && !arguments->interface && strcmp(arguments->action, "status") != 0)
		argp_error(state, "%s needs an interface", arguments->action);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case OPTION_VIP:
		add_vip(arguments, state, value);
		return 0;
	case OPTION_EDGE:
		add_edge(arguments, state, value);
		return 0;
	case OPTION_PINS:
		arguments->pins = value;
		return 0;
	case OPTION_STATE:
		arguments->state = value;
		return 0;
	case OPTION_JSON:
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			return ARGP_ERR_UNKNOWN;
		*(state->arg_num == 0 ? &arguments->action : &arguments->interface) = value;
		return 0;
	case ARGP_KEY_END:
		check_arguments(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run_up(const struct backendhost_options *host)
{
	struct problem problem = {};
	bool generic = false;

	if (backendhost_up(host, &generic, &problem))
		return cli_fail(&problem);
	if (generic)
		fprintf(stderr,
			"weir: warning: the driver of %s takes no XDP program: attached in generic mode, which is "
			"slower\n",
			host->interface);
	printf("%s is up: %zu VIP%s, tunnels from %s\n", host->interface, host->vip_count,
	       host->vip_count == 1 ? "" : "s", host->edge_count ? "the edges alone" : "anywhere");
	return CLI_DONE;
}

static int run_down(const struct backendhost_options *host)
{
	struct problem problem = {};

	if (backendhost_down(host, &problem))
		return cli_fail(&problem);
	printf("%s is down\n", host->interface);
	return CLI_DONE;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static void print_status(const json_t *status)
{
	const json_t *item;
	size_t i;

	printf("%s: %s", text_of(status, "interface"), text_of(status, "mode"));
	if (json_integer_value(json_object_get(status, "program")))
		printf(", program %lld", json_integer_value(json_object_get(status, "program")));
	printf("\n\nVIP                                      on lo\n");
	json_array_foreach(json_object_get(status, "vips"), i, item) {
		const bool on_lo = json_is_true(json_object_get(item, "on_lo"));
		const bool added = json_is_true(json_object_get(item, "added"));

		printf("%-40s %s\n", text_of(item, "address"),
		       !on_lo	? "MISSING: run up again"
		       : !added ? "yes, and was before"
				: "yes");
	}
	printf("\nEdges:");
	json_array_foreach(json_object_get(status, "edges"), i, item) {
		printf(" %s", json_string_value(item));
	}
	printf("%s\n\n", json_is_true(json_object_get(status, "check_edges")) ? "" : " any address");
	printf("%-18s %-5s %14s %18s  %s\n", "outcome", "", "packets", "bytes", "meaning");
	json_array_foreach(json_object_get(status, "counters"), i, item) {
		printf("%-18s %-5s %14lld %18lld  %s\n", text_of(item, "name"), text_of(item, "verdict"),
		       json_integer_value(json_object_get(item, "packets")),
		       json_integer_value(json_object_get(item, "bytes")), text_of(item, "meaning"));
	}
}

struct interfaces {
	struct backendhost_options host;
	json_t *list;
	struct problem problem;
	int error;
};

static void add_status(void *arg, const char *interface)
{
	struct interfaces *interfaces = arg;
	json_t *status;
	int error;

	interfaces->host.interface = interface;
	error = backendhost_status(&interfaces->host, &status, &interfaces->problem);
	if (error)
		interfaces->error = error;
	else
		json_array_append_new(interfaces->list, status);
}

static int run_status(const struct backendhost_options *host, bool json)
{
	struct interfaces interfaces = {.host = *host, .list = json_array()};
	const json_t *item;
	size_t i;
	int error = 0;

	if (host->interface)
		add_status(&interfaces, host->interface);
	else
		error = backendhost_interfaces(host->pins, host->state, add_status, &interfaces);
	if (error)
		interfaces.error =
			problem_set(&interfaces.problem, error, "cannot list %s: %s", host->pins, strerror(-error));
	if (interfaces.error) {
		json_decref(interfaces.list);
		return cli_fail(&interfaces.problem);
	}
	if (json)
		return cli_print_json(json_pack("{s:o}", "interfaces", interfaces.list));
	if (json_array_size(interfaces.list) == 0)
		printf("no interface is up\n");
	json_array_foreach(interfaces.list, i, item) {
		if (i)
			printf("\n");
		print_status(item);
	}
	json_decref(interfaces.list);
	return CLI_DONE;
}

int cli_backend_host(int argc, char **argv)
{
	static const struct argp argp = {options,	parse, "up IFACE --vip ADDRESS...\ndown IFACE\nstatus [IFACE]",
					 documentation, NULL,  NULL,
					 NULL};
	struct arguments arguments = {.pins = BACKENDHOST_DEFAULT_PINS, .state = BACKENDHOST_DEFAULT_STATE};
	struct backendhost_options host;
	int status;

	if (cli_parse(&argp, argc, argv, &arguments))
		return CLI_USAGE;
	host = (struct backendhost_options){
		.interface = arguments.interface,
		.pins = arguments.pins,
		.state = arguments.state,
		.vips = arguments.vips,
		.vip_count = arguments.vip_count,
		.edges = arguments.edges,
		.edge_count = arguments.edge_count,
	};
	if (strcmp(arguments.action, "up") == 0)
		status = run_up(&host);
	else if (strcmp(arguments.action, "down") == 0)
		status = run_down(&host);
	else
		status = run_status(&host, arguments.json);
	free(arguments.vips);
	free(arguments.edges);
	return status;
}
