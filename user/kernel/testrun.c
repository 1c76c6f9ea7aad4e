/* SPDX-License-Identifier: BSD-2-Clause */
/* One packet through the program without a NIC (BPF_PROG_TEST_RUN), with the traced variant's account of it. */
#include "load.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define TEST_RUN_MIN 14 /* the kernel's own check: an Ethernet header */

int kernel_map_trace(struct kernel *kernel, struct problem *problem)
{
	kernel->trace = kernel_map_mmap(kernel->fds[KERNEL_MAP_trace], sizeof(*kernel->trace), true);
	if (!kernel->trace)
		return problem_set(problem, -errno, "the trace map cannot be mapped: %s", strerror(errno));
	return 0;
}

int kernel_test_run(struct kernel *kernel, const void *data_in, size_t size, void *data_out, size_t *data_size,
		    unsigned int *action, struct weir_trace *trace)
{
	struct bpf_test_run_opts run = {.sz = sizeof(run),
					.data_in = data_in,
					.data_out = data_out,
					.data_size_in = (__u32)size,
					.data_size_out = (__u32)*data_size,
					.repeat = 1};
	int error;

	if (size < TEST_RUN_MIN || (trace && !kernel->trace))
		return -EINVAL;
	if (trace)
		*kernel->trace = (struct weir_trace){
			.now_ns = trace->now_ns, .ifindex = trace->ifindex, .generation = trace->generation};
	do {
		error = bpf_prog_test_run_opts(kernel_program_fd(kernel), &run);
	} while (error == -EINTR);
	if (error)
		return error;
	*data_size = run.data_size_out;
	*action = run.retval;
	if (trace)
		*trace = *kernel->trace;
	return 0;
}
