/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts and ends a controller of our own in the edge's namespace. */
#include "controller.h"
#include "user/base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

char *place_configuration(const struct place *place, const char *sections)
{
	AUTO_FREE char *policy = edge_configuration(sections);
	char *text = NULL;

	if (asprintf(&text,
		     "%sinterfaces: [edge0]\ncontrol: {socket: %s/control.sock}\ndataplane: {pins: %s}\n"
		     "state: {directory: %s/state}\n",
		     policy, place->directory, place->pins, place->directory) < 0)
		bench_fail("out of memory");
	return text;
}

struct place place_make(const char *sections)
{
	struct place place;
	AUTO_FREE char *text = NULL;

	snprintf(place.directory, sizeof(place.directory), "/tmp/weir-bench-%d", getpid());
	snprintf(place.pins, sizeof(place.pins), "/sys/fs/bpf/weir-bench-%d", getpid());
	snprintf(place.configuration, sizeof(place.configuration), "%s/weir.yaml", place.directory);
	if (mkdir(place.directory, 0700) && errno != EEXIST)
		bench_fail("%s: %s", place.directory, strerror(errno));
	AUTO_FCLOSE FILE *file = fopen(place.configuration, "we");

	if (!file)
		bench_fail("%s: %s", place.configuration, strerror(errno));
	text = place_configuration(&place, sections);
	fputs(text, file);
	return place;
}

void place_clear(const struct place *place, bool whole)
{
	struct problem problem = {0};

	kernel_detach(place->pins, "edge0", &problem);
	kernel_unpin(place->pins, &problem);
	network_run("rm -rf %s/state", place->directory);
	if (whole)
		network_run("rm -rf %s", place->directory);
}

pid_t controller_start(const struct bench_options *options, const struct place *place)
{
	pid_t pid = fork();
	int null;

	if (pid < 0)
		bench_fail("fork: %s", strerror(errno));
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failure of the benchmark ends it too */
	null = open("/dev/null", O_WRONLY);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execl(options->weir, options->weir, "run", "-c", place->configuration, (char *)NULL);
	_exit(127);
}

void controller_stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

double process_kib(pid_t pid, const char *what)
{
	char path[64], line[256];
	double kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	AUTO_FCLOSE FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, what, strlen(what)) && sscanf(line + strlen(what), ": %lf", &kib) == 1)
			break;
	}
	return kib;
}
