/* SPDX-License-Identifier: BSD-2-Clause */
/* A private pin directory and state directory for a test that loads the real program. */
#ifndef WEIR_TESTS_UNIT_PINNED_H
#define WEIR_TESTS_UNIT_PINNED_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/kernel/kernel.h"

struct pinned {
	char pins[64];
	char state[64];
	struct problem problem;
};

/* Why no program can be loaded here; NULL when one can. */
static inline const char *pinned_unavailable(void)
{
	static char reason[1200];
	const struct kernel_options options = {};
	struct problem problem = {};
	struct kernel *kernel;
	int error;

	if (geteuid() != 0)
		return "loading a BPF program needs root";
	error = kernel_load(&options, &kernel, &problem);
	if (!error) {
		kernel_free(kernel);
		return NULL;
	}
	if (error != -EPERM && error != -ENOSYS)
		return NULL; /* the tests will say it */
	snprintf(reason, sizeof(reason), "BPF is not available: %s", problem.text);
	return reason;
}

static inline int pinned_setup(void **state)
{
	struct pinned *pinned = calloc(1, sizeof(*pinned));

	if (!pinned)
		return -1;
	snprintf(pinned->state, sizeof(pinned->state), "/tmp/weir-unit-XXXXXX");
	if (!mkdtemp(pinned->state)) {
		free(pinned);
		return -1;
	}
	snprintf(pinned->pins, sizeof(pinned->pins), "/sys/fs/bpf/weir-unit-%s", strrchr(pinned->state, '-') + 1);
	*state = pinned;
	return 0;
}

static inline int pinned_teardown(void **state)
{
	struct pinned *pinned = *state;
	DIR *directory = opendir(pinned->state);
	struct dirent *entry;
	char path[512];

	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", pinned->state, entry->d_name);
		unlink(path);
	}
	if (directory)
		closedir(directory);
	rmdir(pinned->state);
	kernel_unpin(pinned->pins, NULL);
	free(pinned);
	return 0;
}

#define PINNED_TEST(test) cmocka_unit_test_setup_teardown(test, pinned_setup, pinned_teardown)

/* What cannot run is counted as skipped, with the reason. */
#define PINNED_RUN(tests)                                                                                              \
	({                                                                                                             \
		const char *reason_ = pinned_unavailable();                                                            \
		if (reason_) {                                                                                         \
			for (size_t i_ = 0; i_ < sizeof(tests) / sizeof((tests)[0]); i_++) {                           \
				(tests)[i_].test_func = pinned_skip;                                                   \
				(tests)[i_].setup_func = NULL;                                                         \
				(tests)[i_].teardown_func = NULL;                                                      \
			}                                                                                              \
			printf("skipped: %s\n", reason_);                                                              \
		}                                                                                                      \
		cmocka_run_group_tests(tests, NULL, NULL);                                                             \
	})

static inline void pinned_skip(void **state)
{
	(void)state;
	skip();
}

#endif
