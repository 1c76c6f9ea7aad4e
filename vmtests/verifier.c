/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads every program in every variant that Weir uses, and prints what the verifier made of each:
 *
 *	PROGRAM VARIANT INSTRUCTIONS STACK SIZE LOAD_MS
 *
 * INSTRUCTIONS were processed by the verifier; STACK is bytes of all functions together (from 7.3 on of the deepest
 *chain of calls, which must not exceed 512); SIZE is bytes after translation. One that does not load gives a line
 *"PROGRAM VARIANT refused: CAUSE" and the verifier's last words on stderr.
 */
#include "user/base/scope.h"
#include <backend.skel.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir.skel.h>

#define LOG_STATISTICS 4 /* BPF_LOG_STATS: the figures alone, without the walk */
#define LOG_ROOM       (1 << 20)
#define LAST_WORDS     2000

struct verifier_figures {
	unsigned long processed, microseconds;
	unsigned int stack, size;
};

/* The end of what libbpf and the verifier said about the object being loaded. */
static char messages[LOG_ROOM];

static int keep_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	const size_t used = strlen(messages);

	return level == LIBBPF_DEBUG ? 0 : vsnprintf(messages + used, sizeof(messages) - used, format, arguments);
}

/* "verification time 5 usec\nstack depth 32+8\nprocessed 7 insns (limit 1000000) ...", on 7.3 "stack depth max 40" */
static int parse_log(const char *log, struct verifier_figures *figures)
{
	const char *time = strstr(log, "verification time "), *stack = strstr(log, "stack depth ");
	const char *processed = strstr(log, "processed ");
	char *rest;

	if (!time || !stack || !processed)
		return -EBADMSG;
	figures->microseconds = strtoul(time + strlen("verification time "), NULL, 10);
	figures->processed = strtoul(processed + strlen("processed "), NULL, 10);
	stack += strlen("stack depth ");
	stack += strncmp(stack, "max ", strlen("max ")) == 0 ? strlen("max ") : 0;
	figures->stack = 0;
	do {
		figures->stack += strtoul(stack, &rest, 10);
		stack = rest + 1;
	} while (*rest == '+');
	return 0;
}

static int load_measured(struct bpf_object *object, const char *program_name, struct verifier_figures *figures)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, program_name);
	AUTO_FREE char *log = calloc(1, LOG_ROOM);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int error;

	if (!program || !log)
		return -ENOMEM;
	bpf_program__set_log_level(program, LOG_STATISTICS);
	bpf_program__set_log_buf(program, log, LOG_ROOM);
	*messages = '\0';
	error = bpf_object__load(object);
	if (error) {
		const char *said = *log ? log : messages;
		const size_t length = strlen(said);

		fprintf(stderr, "%s\n", said + (length > LAST_WORDS ? length - LAST_WORDS : 0));
		return error;
	}
	error = parse_log(log, figures);
	if (!error)
		error = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
	figures->size = info.xlated_prog_len;
	return error;
}

static int report(struct bpf_object *object, const char *program, const char *variant)
{
	struct verifier_figures figures = {};
	int error = load_measured(object, program, &figures);

	if (error)
		printf("%s %s refused: %s\n", program, variant, strerror(-error));
	else
		printf("%s %s %lu %u %u %lu\n", program, variant, figures.processed, figures.stack, figures.size,
		       figures.microseconds / 1000);
	fflush(stdout);
	return error;
}

static int report_weir(void)
{
	static const struct {
		const char *name;
		bool trace, read_only, assume_next_hop;
	} variants[] = {
		{"plain", false, false, false},	   /* what is attached */
		{"traced", true, true, false},	   /* weir explain */
		{"assuming", true, true, true},	   /* weir replay, weir explain -c */
		{"stateful", true, false, true},   /* weir replay --stateful */
		{"read-only", false, true, false}, /* tables opened for reading */
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct weir_bpf *weir = weir_bpf__open();

		if (!weir)
			return -errno;
		weir->rodata->cfg_trace = variants[i].trace;
		weir->rodata->cfg_read_only = variants[i].read_only;
		weir->rodata->cfg_assume_next_hop = variants[i].assume_next_hop;
		failed |= report(weir->obj, "weir", variants[i].name);
		weir_bpf__destroy(weir);
	}
	return failed;
}

static int report_backend(void)
{
	struct backend_bpf *backend = backend_bpf__open();
	int error;

	if (!backend)
		return -errno;
	error = report(backend->obj, "weir_backend", "plain");
	backend_bpf__destroy(backend);
	return error;
}

int main(void)
{
	int failed;

	libbpf_set_print(keep_message);
	failed = report_backend();
	failed |= report_weir();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
