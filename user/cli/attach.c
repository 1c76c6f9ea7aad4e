/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir attach`: the program onto an interface by hand, over the tables that are pinned. */
#include "cli.h"
#include "../kernel/kernel.h"
#include <errno.h>
#include <string.h>

struct options {
	struct cli_common common;
	const char *interface;
	enum kernel_attach_mode mode;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'm':
		if (!strcmp(value, "auto"))
			options->mode = KERNEL_ATTACH_AUTO;
		else if (!strcmp(value, "native"))
			options->mode = KERNEL_ATTACH_NATIVE;
		else if (!strcmp(value, "generic"))
			options->mode = KERNEL_ATTACH_GENERIC;
		else
			argp_error(state, "--mode is one of auto, native, generic");
		return 0;
	case ARGP_KEY_ARG:
		if (options->interface)
			argp_error(state, "one INTERFACE at a time");
		options->interface = value;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which INTERFACE?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_attach(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"mode", 'm', "MODE", 0, "auto (default: native where the driver can, else generic), native, generic",
		 0},
		{"pins", 'p', "DIR", 0, "The pinned dataplane (default " CLI_DEFAULT_PINS ")", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "INTERFACE",
		.doc = "Attach the program to an interface by hand, over the tables that a controller has pinned, "
		       "without "
		       "one running. A link that is there already is updated in place and loses no packet. Needs root."
		       "\vThe lasting way is interfaces: in the configuration: what it does not name is detached when "
		       "a "
		       "controller starts.\n\nExample:\n  weir attach eth1 --mode native",
	};
	struct kernel_options kernel_options = {.must_exist = true};
	struct options options = {0};
	struct problem problem = {0}, reason = {0};
	struct kernel *kernel = NULL;
	bool generic = false;
	int err;

	cli_parse(&argp, argc, argv, &options);
	kernel_options.pin_directory = cli_pins(options.common.pins);
	err = kernel_load(&kernel_options, &kernel, &problem);
	if (err) {
		if (!*problem.hint)
			problem_hint(&problem, "as root, with a dataplane that `weir run` has made");
		return cli_fail(&problem);
	}
	err = kernel_attach(kernel, options.interface, options.mode, &generic, &reason);
	kernel_free(kernel);
	if (err)
		return cli_fail(&reason);
	printf("%s: attached in %s mode\n", options.interface, generic ? "generic" : "native");
	if (generic && options.mode == KERNEL_ATTACH_AUTO)
		fprintf(stderr, "weir: no native mode (%s): generic costs several times the CPU\n",
			*reason.text ? reason.text : "the driver has none");
	return CLI_DONE;
}
