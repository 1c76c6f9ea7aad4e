/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens, loads and pins the program: pinned maps are reused after a check, missing ones made. */
#include "load.h"
#include "pins.h"
#include "../base/log.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

/* The end of what libbpf and the verifier said; the cause stands in the last lines. */
struct load_messages {
	char text[4096];
	size_t length;
};

/* libbpf's print hook takes no argument, so the load under way is known per thread. */
static _Thread_local struct load_messages *load_messages;

static int load_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	struct load_messages *messages = load_messages;
	AUTO_FREE char *line = NULL;
	size_t keep, length;
	int written;

	if (!messages || level == LIBBPF_DEBUG)
		return 0;
	written = vasprintf(&line, format, arguments);
	if (written < 0) {
		line = NULL;
		return 0;
	}
	length = (size_t)written < sizeof(messages->text) ? (size_t)written : sizeof(messages->text) - 1;
	keep = messages->length + length < sizeof(messages->text) ? messages->length
								  : sizeof(messages->text) - 1 - length;
	memmove(messages->text, messages->text + messages->length - keep, keep);
	memcpy(messages->text + keep, line + written - length, length + 1);
	messages->length = keep + length;
	return written;
}

static int load_fail(int error, const struct load_messages *messages, struct problem *problem)
{
	const char *tail = messages->text;

	if (messages->length)
		log_debug("libbpf, while the program did not load:\n%s", messages->text);
	problem_set(problem, error, "the kernel refused the program: %s", strerror(-error));
	if (problem && messages->length >= sizeof(problem->text) / 2)
		tail += messages->length - sizeof(problem->text) / 2;
	if (messages->length)
		problem_set(problem, error, "the kernel refused the program: %s; its last words:\n%s", strerror(-error),
			    tail);
	if (error == -EPERM)
		problem_hint(problem, "root is needed (CAP_BPF and CAP_NET_ADMIN)");
	else
		problem_hint(problem, "what was attached before is untouched; Linux 5.15 or newer is needed");
	return error;
}

static struct bpf_map *load_find(const struct kernel *kernel, enum kernel_map map)
{
	return bpf_object__find_map_by_name(kernel->skeleton->obj, kernel_maps[map].name);
}

static int load_open(struct kernel *kernel, const struct kernel_options *options)
{
	kernel->skeleton = weir_bpf__open();
	if (!kernel->skeleton)
		return -errno;
	kernel->skeleton->rodata->cfg_trace = options->trace;
	kernel->skeleton->rodata->cfg_read_only = options->read_only;
	kernel->skeleton->rodata->cfg_assume_next_hop = options->assume_next_hop;
	return 0;
}

/* libbpf raises RLIMIT_MEMLOCK by itself where the kernel still counts maps against it (before 5.11). */
static int load_load(struct kernel *kernel, const struct pins *pins, struct problem *problem)
{
	struct load_messages messages = {};
	int error = 0;

	load_messages = &messages;
	for (int map = 0; map < KERNEL_MAPS && !error; map++) {
		if (pins && pins->fds[map] >= 0)
			error = bpf_map__reuse_fd(load_find(kernel, map), pins->fds[map]);
	}
	if (!error)
		error = weir_bpf__load(kernel->skeleton);
	load_messages = NULL;
	if (error)
		return load_fail(error, &messages, problem);
	for (int map = 0; map < KERNEL_MAPS; map++)
		kernel->fds[map] = bpf_map__fd(load_find(kernel, map));
	return 0;
}

/* The layout and the seed are there before any pin is. */
static int load_set_live(const struct kernel *kernel, struct problem *problem)
{
	struct weir_live live = {.layout = WEIR_LAYOUT};
	const __u32 zero = 0;
	int error = 0;

	if (getrandom(&live.sketch_seed, sizeof(live.sketch_seed), 0) != sizeof(live.sketch_seed))
		error = -errno;
	if (!error)
		error = kernel_map_put(kernel->fds[KERNEL_MAP_live], &zero, &live);
	return error ? problem_set(problem, error, "the fresh map live could not be set up: %s", strerror(-error)) : 0;
}

/* In the inventory's order, "live" first: pins_open counts on it. */
static int load_pin(const struct kernel *kernel, const struct pins *pins, struct problem *problem)
{
	char path[PATH_MAX];
	int error;

	for (int map = 0; map < KERNEL_MAPS; map++) {
		if (!kernel_maps[map].pinned || pins->fds[map] >= 0)
			continue;
		error = pins_path(kernel->pin_directory, kernel_maps[map].name, path, sizeof(path));
		if (!error)
			error = bpf_obj_pin(kernel->fds[map], path);
		if (error)
			return problem_set(problem, error, "%s/%s: the map cannot be pinned: %s", kernel->pin_directory,
					   kernel_maps[map].name, strerror(-error));
	}
	return 0;
}

/* Whether what is pinned may be used with what is missing made anew. */
static int load_judge_pins(const char *directory, bool must_exist, const struct pins *pins, struct problem *problem)
{
	int error;

	if (!pins->missing)
		return 0;
	if (must_exist) {
		error = problem_set(problem, -ENOENT, "%s: no dataplane is pinned there (%u maps of %u)", directory,
				    pins->found, pins->found + pins->missing);
		problem_hint(problem, "start one with `weir run`, or name the right directory");
		return error;
	}
	if (!pins->live.generation)
		return 0;
	error = problem_set(problem, -EPROTO, "%s: generation %u is live, but %u pinned maps are missing", directory,
			    pins->live.generation, pins->missing);
	problem_hint(problem,
		     "what is attached goes on as it is; to replace it run `weir detach IFACE` for each "
		     "interface, remove the pins (rm -r %s) and start again",
		     directory);
	return error;
}

static int load_with_pins(struct kernel *kernel, const struct kernel_options *options, struct problem *problem)
{
	struct pins pins;
	int error = options->must_exist ? 0 : pins_make_directory(options->pin_directory, problem);

	if (error)
		return error;
	error = pins_open(options->pin_directory, &pins, problem);
	if (error)
		return error;
	kernel->fresh = pins.fds[KERNEL_MAP_live] < 0;
	error = load_judge_pins(options->pin_directory, options->must_exist, &pins, problem);
	if (!error)
		error = load_load(kernel, &pins, problem);
	if (!error && kernel->fresh)
		error = load_set_live(kernel, problem);
	if (!error && !options->must_exist)
		error = load_pin(kernel, &pins, problem);
	pins_close(&pins);
	return error;
}

static int load_alone(struct kernel *kernel, struct problem *problem)
{
	int error = load_load(kernel, NULL, problem);

	kernel->fresh = true;
	return error ? error : load_set_live(kernel, problem);
}

int kernel_load(const struct kernel_options *options, struct kernel **out, struct problem *problem)
{
	const char *directory = options->pin_directory;
	struct kernel *kernel;
	int error;

	if (directory && strlen(directory) >= sizeof(kernel->pin_directory))
		return problem_set(problem, -ENAMETOOLONG, "%s: the path is too long", directory);
	kernel = calloc(1, sizeof(*kernel));
	if (!kernel)
		return problem_set(problem, -ENOMEM, "out of memory");
	libbpf_set_print(load_print);
	snprintf(kernel->pin_directory, sizeof(kernel->pin_directory), "%s", directory ?: "");
	error = load_open(kernel, options);
	if (error)
		problem_set(problem, error, "the program could not be opened: %s", strerror(-error));
	else
		error = directory ? load_with_pins(kernel, options, problem) : load_alone(kernel, problem);
	if (!error && options->trace)
		error = kernel_map_trace(kernel, problem);
	if (error) {
		kernel_free(kernel);
		return error;
	}
	*out = kernel;
	return 0;
}

void kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	kernel_map_munmap(kernel->trace, sizeof(*kernel->trace));
	weir_bpf__destroy(kernel->skeleton);
	free(kernel);
}

bool kernel_is_fresh(const struct kernel *kernel)
{
	return kernel->fresh;
}

int kernel_map_fd(const struct kernel *kernel, enum kernel_map map)
{
	return kernel->fds[map];
}

int kernel_program_fd(const struct kernel *kernel)
{
	return bpf_program__fd(kernel->skeleton->progs.weir);
}
