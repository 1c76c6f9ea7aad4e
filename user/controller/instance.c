/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps a second controller away from the same state and tables, and remembers when the counters were made. */
#include "instance.h"
#include "../base/file.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

static int refuse_second(const char *what, int pid, struct problem *problem)
{
	if (pid > 0) {
		problem_set(problem, -EBUSY, "a controller (pid %d) already runs on %s", pid, what);
		problem_hint(problem, "stop that one first (`kill %d`); the dataplane goes on meanwhile", pid);
	} else {
		problem_set(problem, -EBUSY, "another controller already runs on %s", what);
		problem_hint(problem, "stop that one first; the dataplane goes on meanwhile");
	}
	return -EBUSY;
}

int instance_lock_state(const char *state_directory, struct problem *problem)
{
	AUTO_CLOSE int fd = -1;
	char path[PATH_MAX], pid[32] = "";
	int err = file_make_directories(state_directory, 0755);

	if (err) {
		problem_set(problem, err, "cannot make the state directory %s: %s", state_directory, strerror(-err));
		problem_hint(problem, "run as root, or name another directory in state: of the configuration");
		return err;
	}
	snprintf(path, sizeof(path), "%s/lock", state_directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		err = problem_set(problem, -errno, "cannot open %s: %s", path, strerror(errno));
		problem_hint(problem, "the controller needs root");
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK)
			return problem_set(problem, -errno, "cannot lock %s: %s", path, strerror(errno));
		if (read(fd, pid, sizeof(pid) - 1) < 0)
			pid[0] = '\0';
		return refuse_second(state_directory, atoi(pid), problem);
	}
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) || write(fd, pid, strlen(pid)) < 0)
		return problem_set(problem, -errno, "cannot write %s: %s", path, strerror(errno));
	return TAKE_FD(fd);
}

int instance_lock_pins(const char *pin_directory, struct problem *problem)
{
	AUTO_CLOSE int fd = open(pin_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return problem_set(problem, -errno, "cannot open %s: %s", pin_directory, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
			       ? refuse_second(pin_directory, 0, problem)
			       : problem_set(problem, -errno, "cannot lock %s: %s", pin_directory, strerror(errno));
	return TAKE_FD(fd);
}

uint64_t instance_counters_since(const char *state_directory, bool fresh)
{
	AUTO_FREE char *text = NULL;
	char path[PATH_MAX], line[32];
	struct timespec now;
	uint64_t since = 0;
	size_t size;
	int err;

	snprintf(path, sizeof(path), "%s/counters-since", state_directory);
	if (!fresh && !file_read(path, sizeof(line), &text, &size))
		since = strtoull(text, NULL, 10);
	if (since)
		return since;
	clock_gettime(CLOCK_REALTIME, &now);
	since = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	snprintf(line, sizeof(line), "%" PRIu64 "\n", since);
	err = file_replace(path, line, strlen(line), 0644);
	if (err)
		log_warning("%s cannot be written (%s): after a restart the counters' start time will be too late",
			    path, strerror(-err));
	return since;
}
