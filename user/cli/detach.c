/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir detach`: the way out, with or without a controller. */
#include "cli.h"
#include "../kernel/kernel.h"
#include <errno.h>
#include <string.h>

#define INTERFACES_MAX (2 * WEIR_MAX_INTERFACES)

struct options {
	struct cli_common common;
	const char *interface;
	bool all, unpin, force;
};

struct found {
	char names[INTERFACES_MAX][16];
	size_t count;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'a':
		options->all = true;
		return 0;
	case 'u':
		options->unpin = true;
		return 0;
	case 'F':
		options->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->interface)
			argp_error(state, "one INTERFACE at a time, or --all");
		options->interface = value;
		return 0;
	case ARGP_KEY_END:
		if (!options->interface == !options->all)
			argp_error(state, "an INTERFACE or --all");
		if (options->unpin && !options->all)
			argp_error(state, "--unpin goes with --all: it removes the tables too");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct leftovers {
	const char *pins;
	int status;
};

static void collect(void *arg, const struct kernel_link *link)
{
	struct found *found = arg;

	if (found->count < INTERFACES_MAX)
		memcpy(found->names[found->count++], link->interface, sizeof(found->names[0]));
}

/* What has lost its link by other means. */
static void detach_mark(void *arg, const char *interface)
{
	struct leftovers *leftovers = arg;
	struct problem problem = {0};
	int err = kernel_mark_detach(leftovers->pins, interface, &problem);

	if (err && err != -ENOENT)
		leftovers->status = cli_fail(&problem);
}

static int detach_all(const char *pins)
{
	struct leftovers leftovers = {.pins = pins};
	struct problem problem = {0};
	struct found found = {0};
	int status = CLI_DONE;

	kernel_links(pins, collect, &found);
	for (size_t i = 0; i < found.count; i++) {
		if (kernel_detach(pins, found.names[i], &problem))
			status = cli_fail(&problem);
		else
			printf("%s: detached\n", found.names[i]);
	}
	kernel_marks(pins, detach_mark, &leftovers);
	if (status == CLI_DONE)
		status = leftovers.status;
	if (!found.count)
		printf("nothing is attached by links below %s\n", pins);
	return status;
}

/* A live controller would attach again at once. */
static bool is_controller_in_the_way(const struct options *options, const char *pins)
{
	struct problem problem = {0};
	json_t *status = NULL;
	bool in_the_way;

	if (cli_call(options->common.socket, "status", NULL, &status, &problem))
		return false;
	in_the_way = !strcmp(cli_text(json_object_get(status, "controller"), "pins"), pins);
	if (in_the_way) {
		problem_set(&problem, -EBUSY, "a controller (pid %lld) is running and would attach again at once",
			    cli_number(json_object_get(status, "controller"), "pid"));
		problem_hint(&problem,
			     "stop it first, or take the interface out of its configuration and `weir apply`; "
			     "--force detaches nevertheless");
		cli_fail(&problem);
	}
	json_decref(status);
	return in_the_way;
}

int cli_detach(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"all", 'a', 0, 0, "From every interface", 0},
		{"unpin", 'u', 0, 0, "And remove the pinned tables: counters, bans, overrides, everything", 0},
		{"force", 'F', 0, 0, "Although a controller runs, which attaches again unless it is stuck", 0},
		{"pins", 'p', "DIR", 0, "The pinned dataplane (default " CLI_DEFAULT_PINS ")", 0},
		CLI_OPTION_SOCKET,
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "INTERFACE\n--all",
		.doc = "Take the program off an interface, or off all of them: from then on the kernel sees every "
		       "packet. "
		       "Works when the controller is gone. Needs root."
		       "\vExamples:\n  weir detach eth0\n  weir detach --all --unpin    nothing of Weir is left in the "
		       "kernel",
	};
	struct options options = {0};
	struct problem problem = {0};
	const char *pins;
	int status = CLI_DONE;

	cli_parse(&argp, argc, argv, &options);
	pins = cli_pins(options.common.pins);
	if (!options.force && is_controller_in_the_way(&options, pins))
		return CLI_FAILED;
	if (!options.all) {
		if (kernel_detach(pins, options.interface, &problem))
			return cli_fail(&problem);
		printf("%s: detached\n", options.interface);
		return CLI_DONE;
	}
	status = detach_all(pins);
	if (status == CLI_DONE && options.unpin) {
		if (kernel_unpin(pins, &problem))
			return cli_fail(&problem);
		printf("%s: removed\n", pins);
	}
	return status;
}
