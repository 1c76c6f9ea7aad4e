/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir run`: the controller. */
#include "cli.h"
#include "../base/log.h"
#include "../controller/controller.h"
#include <errno.h>
#include <string.h>

struct options {
	const char *config;
};

static int parse_level(const char *text)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {{"error", LOG_LEVEL_ERROR},
		      {"warning", LOG_LEVEL_WARNING},
		      {"info", LOG_LEVEL_INFO},
		      {"debug", LOG_LEVEL_DEBUG}};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (!strcmp(levels[i].name, text)) {
			log_set_level(levels[i].level);
			return 0;
		}
	}
	return -EINVAL;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->config = value;
		return 0;
	case 'l':
		if (parse_level(value))
			argp_error(state, "--log-level is one of error, warning, info, debug");
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument \"%s\"; the configuration is given with -c", value);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cli_run(int argc, char **argv)
{
	static const struct argp_option list[] = {
		{"config", 'c', "FILE", 0, "The configuration (default " CLI_DEFAULT_CONFIG ")", 0},
		{"log-level", 'l', "LEVEL", 0, "error, warning, info (default) or debug", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.doc = "Run the controller in the foreground: load and attach the program, make the configuration "
		       "the live policy, check backends, export metrics, answer commands."
		       "\vA dataplane that is there already goes on without losing a packet while the controller "
		       "starts, and after it ends or dies. SIGHUP reads the configuration again; SIGTERM and SIGINT "
		       "end the controller and leave the dataplane attached (`weir detach --all` takes it off).\n\n"
		       "Example:\n  weir check lab.yaml && weir run -c lab.yaml --log-level debug",
	};
	struct options options = {.config = CLI_DEFAULT_CONFIG};
	struct config_errors errors = {0};
	struct problem problem = {0};
	struct config *config = NULL;
	int err;

	cli_parse(&argp, argc, argv, &options);
	err = config_load(options.config, &config, &errors);
	if (err) {
		fputs(errors.text ? errors.text : strerror(-err), stderr);
		fprintf(stderr, "weir: the controller was not started; what is loaded goes on as it was\n");
	}
	config_errors_free(&errors);
	if (err)
		return CLI_FAILED;
	return controller_run(options.config, config, &problem) ? cli_fail(&problem) : CLI_DONE;
}
