/* SPDX-License-Identifier: BSD-2-Clause */
/* `weir doctor`: what is wrong on this host for Weir, and the command that mends it. */
#include "cli.h"
#include "../base/scope.h"
#include "../config/config.h"
#include "../doctor/doctor.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#define TARGETS_MAX	64
#define SEVERITY_WIDTH	7
#define WRAP_ROOM_LEAST 30 /* a narrower column is worse than none */

struct options {
	struct cli_common common;
	const char *config; /* NULL: the default one, if it is there */
	struct doctor_target targets[TARGETS_MAX];
	size_t targets_count;
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct options *options = state->input;

	if (cli_common_option(&options->common, key, value))
		return 0;
	switch (key) {
	case 'c':
		options->config = value;
		return 0;
	case ARGP_KEY_ARG:
		if (!*value || strlen(value) >= IF_NAMESIZE || strchr(value, '/'))
			argp_error(state, "\"%s\" is not a name of an interface", value);
		if (options->targets_count == TARGETS_MAX)
			argp_error(state, "at most %d interfaces", TARGETS_MAX);
		strcpy(options->targets[options->targets_count++].name, value);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static enum doctor_mode mode_of(enum config_xdp_mode mode)
{
	static const enum doctor_mode modes[] = {[CONFIG_XDP_AUTO] = DOCTOR_MODE_AUTO,
						 [CONFIG_XDP_NATIVE] = DOCTOR_MODE_NATIVE,
						 [CONFIG_XDP_GENERIC] = DOCTOR_MODE_GENERIC};

	return modes[mode];
}

/* The configuration's interfaces are looked at where none is named; of one that is named it tells the mode. */
static void take_interfaces(struct options *options, const struct config *config)
{
	bool none_named = !options->targets_count;

	for (size_t i = 0; none_named && i < config->interfaces_count && i < TARGETS_MAX; i++)
		strcpy(options->targets[options->targets_count++].name, config->interfaces[i].name);
	for (size_t i = 0; i < options->targets_count; i++)
		for (size_t k = 0; k < config->interfaces_count; k++)
			if (!strcmp(options->targets[i].name, config->interfaces[k].name))
				options->targets[i].mode = mode_of(config->interfaces[k].mode);
}

static void take_backends(struct doctor_options *wanted, const struct config *config)
{
	wanted->has_policy = true;
	for (size_t i = 0; i < config->pools_count; i++) {
		for (size_t k = 0; k < config->pools[i].backends_count; k++) {
			bool is_ipv4 = config->pools[i].backends[k].address.family == WEIR_IPV4;

			wanted->has_backends4 = wanted->has_backends4 || is_ipv4;
			wanted->has_backends6 = wanted->has_backends6 || !is_ipv4;
		}
	}
}

static void report_config(const char *path, int err, const struct config_errors *errors, struct doctor_report *report)
{
	const char *text = errors->text && *errors->text ? errors->text : strerror(-err);
	bool is_hidden = err == -EACCES || err == -EPERM;

	doctor_find(report, is_hidden ? DOCTOR_WARNING : DOCTOR_ERROR, "configuration", "file", "%.*s",
		    (int)strcspn(text, "\n"), text);
	if (is_hidden)
		doctor_fix(report, "sudo weir doctor");
	else if (err == -ENOENT)
		doctor_fix(report, "name the file that is there with -c");
	else
		doctor_fix(report, "weir check %s", path);
}

/* What is to run here, as far as a configuration tells. The pins' directory is left in pins. */
static void read_config(struct options *options, struct doctor_options *wanted, char pins[256],
			struct doctor_report *report)
{
	const char *path = options->config ? options->config : CLI_DEFAULT_CONFIG;
	struct config_errors errors = {0};
	struct config *config = NULL;
	int err;

	if (!options->config && access(path, F_OK))
		return;
	err = config_load(path, &config, &errors);
	if (err) {
		report_config(path, err, &errors, report);
	} else {
		doctor_find(report, DOCTOR_OK, "configuration", "file", "%s is valid", path);
		take_interfaces(options, config);
		take_backends(wanted, config);
		if (!options->common.pins && !getenv("WEIR_PINS"))
			snprintf(pins, 256, "%s", config->pin_directory);
	}
	config_errors_free(&errors);
	config_free(config);
}

/* Columns of the terminal; without one a finding is one line, for grep. */
static int count_columns(void)
{
	struct winsize size = {0};

	return isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

/* Prints the text in lines of at most room bytes that begin below each other. */
static void print_wrapped(const char *text, int room, int indent)
{
	while (room >= WRAP_ROOM_LEAST && (int)strlen(text) > room) {
		int end = room;

		while (end > 0 && text[end] != ' ')
			end--;
		if (!end)
			break;
		printf("%.*s\n%*s", end, text, indent, "");
		text += end + 1;
	}
	puts(text);
}

static void print_finding(const struct doctor_finding *finding, int width, int columns)
{
	static const char *const colours[DOCTOR_SEVERITIES] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
	const char *name = doctor_severity_names[finding->severity];
	int indent = SEVERITY_WIDTH + width + 6;
	bool colour = cli_colour();

	printf("  %s%-*s%s  %-*s  ", colour ? colours[finding->severity] : "", SEVERITY_WIDTH, name,
	       colour ? "\033[0m" : "", width, finding->subject);
	print_wrapped(finding->text, columns - indent, indent);
	if (*finding->fix) /* in one piece, to be copied */
		printf("  %*s  fix: %s\n", SEVERITY_WIDTH, "", finding->fix);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_report(const struct doctor_report *report)
{
	size_t errors = doctor_report_count(report, DOCTOR_ERROR);
	size_t warnings = doctor_report_count(report, DOCTOR_WARNING);
	size_t notes = doctor_report_count(report, DOCTOR_NOTE);
	int width = 0, columns = count_columns();

	for (size_t i = 0; i < report->count; i++)
		if ((int)strlen(report->findings[i].subject) > width)
			width = (int)strlen(report->findings[i].subject);
	for (size_t i = 0; i < report->count; i++) {
		if (!i || strcmp(report->findings[i].group, report->findings[i - 1].group) != 0)
			printf("%s%s\n", i ? "\n" : "", report->findings[i].group);
		print_finding(&report->findings[i], width, columns);
	}
	printf("\n%zu error%s, %zu warning%s, %zu note%s, %zu ok\n", errors, plural(errors), warnings, plural(warnings),
	       notes, plural(notes), doctor_report_count(report, DOCTOR_OK));
}

static int print(const struct doctor_report *report, bool json)
{
	bool is_ill = report->is_cut || doctor_report_count(report, DOCTOR_ERROR);

	if (!json)
		print_report(report);
	else if (cli_print_json(doctor_report_json(report)))
		return CLI_FAILED;
	if (report->is_cut)
		fputs("weir: out of memory: findings are missing\n", stderr);
	return is_ill ? CLI_FAILED : CLI_DONE;
}

int cli_doctor(int argc, char **argv)
{
	static const struct argp_option list[] = {
		CLI_OPTION_JSON("findings"),
		{"config", 'c', "FILE", 0, "What is to run here (default " CLI_DEFAULT_CONFIG ", if it is there)", 0},
		{"pins", 'p', "DIR", 0, "The pinned dataplane (default " CLI_DEFAULT_PINS ")", 0},
		{0},
	};
	static const struct argp argp = {
		.options = list,
		.parser = parse_option,
		.args_doc = "[INTERFACE...]",
		.doc = "Say what is wrong on this host for Weir and what mends it: the kernel and its features, limits "
		       "and "
		       "sysctls, the interfaces with their drivers. Nothing is changed, and no controller is needed. "
		       "Without root it says what it could not look at."
		       "\vWithout INTERFACE those of the configuration are looked at, else those that Weir is attached "
		       "to, else the NICs that are up. Exit status 1 when there is an error; warnings and notes do not "
		       "count.\n\nExample:\n"
		       "  weir doctor eth0\n"
		       "  weir doctor --json | jq -r '.findings[] | select(.severity == \"error\").fix'",
	};
	struct doctor_options wanted = {.root = ""};
	struct doctor_report report = {0};
	struct options options = {0};
	char pins[256] = "";
	int status;

	cli_parse(&argp, argc, argv, &options);
	read_config(&options, &wanted, pins, &report);
	wanted.pins = *pins ? pins : cli_pins(options.common.pins);
	wanted.targets = options.targets;
	wanted.targets_count = options.targets_count;
	doctor_examine(&wanted, &report);
	status = print(&report, options.common.json);
	doctor_report_clear(&report);
	return status;
}
