/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of subcommands, and the help that says where to begin. */
#include "cli.h"
#include "../base/scope.h"
#include <stdio.h>
#include <string.h>

const struct cli_command cli_commands[] = {
	{"run", "the controller, in the foreground", cli_run},
	{"check", "is this configuration valid, how big is it, what would it change", cli_check},
	{"apply", "make a configuration the live policy", cli_apply},
	{"status", "what is running, which backends are up", cli_status},
	{"stats", "counters by verdict and reason, rule, service, backend, limit", cli_stats},
	{"deny", "drop sources from now on: add, del, list, import", cli_deny},
	{"allow", "exceptions to the deny list: add, del, list, import", cli_allow},
	{"rule", "rules of the filter: list with hits, enable, shadow, disable, reset", cli_rule},
	{"set", "sets of addresses: list, show, lookup, refresh", cli_set},
	{"backend", "backends: list, drain, disable, enable, weight", cli_backend},
	{"explain", "walk one packet through the program and say what decides", cli_explain},
	{"replay", "a capture through the live or a candidate policy", cli_replay},
	{"doctor", "what is wrong on this host for Weir, and what mends it", cli_doctor},
	{"maps", "the kernel tables: what they hold, their memory", cli_maps},
	{"attach", "attach to an interface by hand", cli_attach},
	{"detach", "detach from an interface: the way out when the controller is gone", cli_detach},
	{"backend-host", "on a cache host: take the tunnel off", cli_backend_host},
	{NULL, NULL, NULL},
};

static void print_help(FILE *file)
{
	fputs("Usage: weir COMMAND [OPTION...]\n"
	      "Weir: an XDP firewall and layer-4 router for the edge hosts of a CDN.\n\n",
	      file);
	for (const struct cli_command *command = cli_commands; command->name; command++)
		fprintf(file, "  %-13s %s\n", command->name, command->summary);
	fputs("\nA first session, as root:\n"
	      "  weir doctor                           what is wrong on this host for Weir, and what mends it\n"
	      "  weir check /etc/weir/weir.yaml        the configuration, before it does anything\n"
	      "  weir run -c /etc/weir/weir.yaml       load, attach, check backends; Ctrl-C leaves the dataplane on\n"
	      "  weir status                           in another terminal\n"
	      "  weir deny add 203.0.113.7 --for 1h    an attacker, dropped at once\n"
	      "  weir rule list                        the rules, and what each of them hits\n"
	      "  weir explain --src 203.0.113.7 --dst 198.51.100.10 --proto tcp --dport 443 --syn\n"
	      "  weir detach --all --unpin             off, and nothing left in the kernel\n"
	      "\n`weir COMMAND --help` tells more, weir(8) all of it; weir.yaml(5) is about the configuration.\n"
	      "Exit status: 0 done, 1 failed, 2 usage.\n",
	      file);
}

/* Edits between two short words (Levenshtein, one row). */
static size_t count_edits(const char *a, const char *b)
{
	size_t row[32], length = strlen(b);

	if (length >= ARRAY_SIZE(row))
		return length;
	for (size_t i = 0; i <= length; i++)
		row[i] = i;
	for (; *a; a++) {
		size_t diagonal = row[0]++;

		for (size_t i = 1; i <= length; i++) {
			size_t change = diagonal + (*a != b[i - 1]);
			size_t shorter = row[i] < row[i - 1] ? row[i] + 1 : row[i - 1] + 1;

			diagonal = row[i];
			row[i] = change < shorter ? change : shorter;
		}
	}
	return row[length];
}

static int refuse_command(const char *name)
{
	const struct cli_command *near = NULL;
	size_t best = 3; /* edits and more are another word */

	for (const struct cli_command *command = cli_commands; command->name; command++) {
		size_t edits = strncmp(name, command->name, strlen(name)) != 0 ? count_edits(command->name, name) : 0;

		if (edits < best) {
			best = edits;
			near = command;
		}
	}
	fprintf(stderr, "weir: there is no command \"%s\"", name);
	if (near)
		fprintf(stderr, "; did you mean `weir %s`?", near->name);
	fputs("\n  `weir --help` lists the commands\n", stderr);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "-?") ||
	    !strcmp(argv[1], "help")) {
		print_help(stdout);
		return CLI_DONE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("weir %s\n", WEIR_VERSION);
		return CLI_DONE;
	}
	for (const struct cli_command *command = cli_commands; command->name; command++) {
		if (strcmp(argv[1], command->name) != 0)
			continue;
		snprintf(name, sizeof(name), "weir %s", command->name);
		argv[1] = name;
		return command->run(argc - 1, argv + 1);
	}
	return refuse_command(argv[1]);
}
