/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands share in asking: arguments, the controller, errors. */
#include "cli.h"
#include "../control/control.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

/* An apply of the largest policy takes seconds; a controller that needs longer is stuck. */
#define CALL_TIMEOUT_MS 60000

error_t cli_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	argp_err_exit_status = CLI_USAGE;
	return argp_parse(argp, argc, argv, 0, NULL, input);
}

bool cli_common_option(struct cli_common *common, int key, char *value)
{
	switch (key) {
	case 'j':
		common->json = true;
		return true;
	case 's':
		common->socket = value;
		return true;
	case 'p':
		common->pins = value;
		return true;
	default:
		return false;
	}
}

int cli_fail(const struct problem *problem)
{
	fprintf(stderr, "weir: %s\n", problem->text);
	if (*problem->hint)
		fprintf(stderr, "  %s\n", problem->hint);
	return CLI_FAILED;
}

int cli_call(const char *socket, const char *command, json_t *arguments, json_t **result, struct problem *problem)
{
	const char *path = socket ? socket : getenv("WEIR_SOCKET");

	return control_call(path && *path ? path : CLI_DEFAULT_SOCKET, command, arguments, CALL_TIMEOUT_MS, result,
			    problem);
}

int cli_ask(const char *socket, const char *command, json_t *arguments, json_t **result)
{
	struct problem problem = {0};
	int err = cli_call(socket, command, arguments, result, &problem);

	json_decref(arguments);
	return err ? cli_fail(&problem) : CLI_DONE;
}

const char *cli_pins(const char *pins)
{
	const char *path = pins ? pins : getenv("WEIR_PINS");

	return path && *path ? path : CLI_DEFAULT_PINS;
}

int cli_parse_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	long long value;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

int cli_parse_duration(const char *text, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	size_t length = strlen(text);
	char digits[16];
	int64_t value;

	if (length < 2 || length > sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length - 1);
	digits[length - 1] = '\0';
	if (cli_parse_number(digits, 1, INT_MAX, &value))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].unit == text[length - 1]) {
			*seconds = value * units[i].seconds;
			return 0;
		}
	}
	return -EINVAL;
}
