/* SPDX-License-Identifier: BSD-2-Clause */
/* From facts of the kernel, its memory limits and its sysctls to findings. */
#include "facts.h"
#include "../base/scope.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define KERNEL	"kernel"
#define MEMORY	"memory"
#define SYSCTLS "sysctls"

/* How much of Weir is gone without a feature. */
enum need {
	NEED_ALL,  /* nothing works */
	NEED_PART, /* a command or a tool does not */
	NEED_NONE, /* nothing in this version uses it */
};

static const struct {
	const char *subject;
	enum need need;
	int major, minor; /* the first Linux that has it; 0: not a matter of its age alone */
	const char *with, *without;
} features[FEATURES] = {
	[FEATURE_XDP] = {"XDP programs", NEED_ALL, 4, 8, "there", "Weir is one: nothing of it can run"},
	[FEATURE_BANKS] = {"maps of varying size", NEED_ALL, 5, 10,
			   "there: a policy's tables are as large as the policy",
			   "the tables of a policy cannot be made: the program does not load"},
	[FEATURE_MMAP] = {"mapped arrays", NEED_ALL, 5, 5, "there: a new policy goes live by one word",
			  "no policy can be made live"},
	[FEATURE_LINK] = {"XDP links", NEED_ALL, 5, 9, "there: filtering goes on when the controller dies",
			  "Weir cannot attach: it does so by a pinned link alone"},
	[FEATURE_FIB] = {"bpf_fib_lookup", NEED_ALL, 4, 18, "there: next hops come from the kernel's routes",
			 "no packet can be steered to a backend"},
	[FEATURE_TEST_RUN] = {"test runs", NEED_PART, 4, 12, "there: `weir explain` and `weir replay` work",
			      "there is no `weir explain` and no `weir replay`"},
	[FEATURE_CONTEXT] =
		{"test runs with an interface", NEED_PART, 5, 15, "there",
		 "the traffic generator of scripts/demo and scripts/bench does not run; an edge needs none"},
	[FEATURE_LIVE] = {"live frames", NEED_PART, 5, 18, "there",
			  "the traffic generator of scripts/demo and scripts/bench does not run; an edge needs none"},
	[FEATURE_FRAGS] = {"frames of several buffers", NEED_NONE, 5, 18,
			   "there, but this version's program takes frames of one buffer: in native mode there are no "
			   "jumbo frames",
			   "in native mode there are no jumbo frames"},
	[FEATURE_ATOMICS] = {"fetching atomics", NEED_NONE, 5, 12, "there; this version uses none",
			     "this version uses none"},
	[FEATURE_BATCH] = {"hash batches", NEED_NONE, 5, 6, "there; this version uses none", "this version uses none"},
	[FEATURE_FREPLACE] = {"libxdp's dispatcher", NEED_NONE, 0, 0, "", ""},
};

static void judge_release(const struct kernel_facts *kernel, struct doctor_report *report)
{
	if (!kernel->major) {
		doctor_find(report, DOCTOR_WARNING, KERNEL, "release", "its release cannot be read");
		doctor_fix(report, "mount /proc");
	} else if (kernel_is_before(kernel, 5, 10)) {
		doctor_find(report, DOCTOR_ERROR, KERNEL, "release", "Linux %s is older than Weir can use",
			    kernel->release);
		doctor_fix(report, "boot Linux 5.15 or newer");
	} else if (kernel_is_before(kernel, 5, 15)) {
		doctor_find(report, DOCTOR_WARNING, KERNEL, "release",
			    "Linux %s is not supported: from 5.10 on the program loads, and more is not promised",
			    kernel->release);
		doctor_fix(report, "boot Linux 5.15 or newer");
	} else {
		doctor_find(report, DOCTOR_OK, KERNEL, "release", "Linux %s is supported", kernel->release);
	}
}

static void judge_dispatcher(const struct kernel_facts *kernel, struct doctor_report *report)
{
	const char *subject = features[FEATURE_FREPLACE].subject;

	if (!kernel->has[FEATURE_FREPLACE])
		doctor_find(report, DOCTOR_NOTE, KERNEL, subject,
			    "this kernel replaces no function of a program (freplace), which the dispatcher is made "
			    "of: Weir cannot share an interface with another XDP program");
	else if (!kernel_is_before(kernel, 6, 12))
		doctor_find(report, DOCTOR_NOTE, KERNEL, subject,
			    "takes programs here, but none that changes packets (Linux 6.12 and newer refuse that): "
			    "Weir cannot share an interface with another XDP program");
	else
		doctor_find(report, DOCTOR_OK, KERNEL, subject,
			    "takes programs here, but this version attaches by a link of its own: Weir cannot share "
			    "an interface with another XDP program");
}

static void judge_feature(const struct kernel_facts *kernel, enum feature feature, struct doctor_report *report)
{
	static const enum doctor_severity severities[] = {
		[NEED_ALL] = DOCTOR_ERROR, [NEED_PART] = DOCTOR_NOTE, [NEED_NONE] = DOCTOR_NOTE};
	int major = features[feature].major, minor = features[feature].minor;
	enum doctor_severity severity = severities[features[feature].need];

	if (kernel->has[feature]) {
		doctor_find(report, DOCTOR_OK, KERNEL, features[feature].subject, "%s", features[feature].with);
		return;
	}
	if (feature == FEATURE_TEST_RUN)
		severity = DOCTOR_WARNING;
	doctor_find(report, severity, KERNEL, features[feature].subject, "not in this kernel: %s",
		    features[feature].without);
	if (features[feature].need == NEED_NONE)
		return;
	if (kernel_is_before(kernel, major, minor))
		doctor_fix(report, "boot Linux %d.%d or newer", major, minor);
	else
		doctor_fix(report, "boot a kernel that is built with CONFIG_BPF_SYSCALL and CONFIG_NET, as the "
				   "distributions' are");
}

static void judge_jit(const struct kernel_facts *kernel, struct doctor_report *report)
{
	if (kernel->is_jited) {
		doctor_find(report, DOCTOR_OK, KERNEL, "JIT", "on");
		return;
	}
	doctor_find(report, DOCTOR_WARNING, KERNEL, "JIT",
		    "off: programs are interpreted, which costs several times the CPU; those loaded after a change "
		    "are not");
	doctor_fix(report, "sysctl -w net/core/bpf_jit_enable=1");
}

static void judge_program(const struct kernel_facts *kernel, struct doctor_report *report)
{
	if (kernel->program == FACT_UNKNOWN)
		return;
	if (kernel->program) {
		doctor_find(report, DOCTOR_OK, KERNEL, "Weir's program", "the kernel takes it (loaded for a try)");
		return;
	}
	doctor_find(report, DOCTOR_ERROR, KERNEL, "Weir's program", "%s", kernel->refusal);
	doctor_fix(report, "mend what is wrong above; `weir run --log-level debug` prints all that the kernel says");
}

void judge_kernel(const struct kernel_facts *kernel, struct doctor_report *report)
{
	judge_release(kernel, report);
	if (kernel->features_error) {
		doctor_find(report, DOCTOR_WARNING, KERNEL, "features",
			    "not looked at: this process may not load programs (%s); root may, in a container with "
			    "CAP_BPF and CAP_NET_ADMIN",
			    strerror(-kernel->features_error));
		doctor_fix(report, "sudo weir doctor");
		return;
	}
	for (enum feature feature = 0; feature < FEATURE_FREPLACE; feature++) {
		judge_feature(kernel, feature, report);
		if (!kernel->has[FEATURE_XDP])
			return;
	}
	judge_dispatcher(kernel, report);
	judge_jit(kernel, report);
	doctor_find(report, kernel->has_btf ? DOCTOR_OK : DOCTOR_NOTE, KERNEL, "BTF", "%s",
		    kernel->has_btf ? "there; this version needs none" : "not in this kernel: this version needs none");
	judge_program(kernel, report);
}

static void judge_memlock(const struct kernel_facts *kernel, const struct memory_facts *memory,
			  struct doctor_report *report)
{
	if (!kernel_is_before(kernel, 5, 11)) {
		doctor_find(report, DOCTOR_OK, MEMORY, "memlock limit", "does not count for tables on this kernel");
	} else if (memory->memlock == UINT64_MAX) {
		doctor_find(report, DOCTOR_OK, MEMORY, "memlock limit", "none");
	} else if (memory->may_raise) {
		doctor_find(report, DOCTOR_OK, MEMORY, "memlock limit", "%" PRIu64 " KiB; Weir raises it by itself",
			    memory->memlock / 1024);
	} else {
		doctor_find(report, DOCTOR_ERROR, MEMORY, "memlock limit",
			    "%" PRIu64 " KiB, which this kernel counts tables against: they do not fit (in a systemd "
			    "unit: LimitMEMLOCK=infinity)",
			    memory->memlock / 1024);
		doctor_fix(report, "ulimit -l unlimited");
	}
}

void judge_memory(const struct kernel_facts *kernel, const struct memory_facts *memory, struct doctor_report *report)
{
	judge_memlock(kernel, memory, report);
	if (memory->has_bpffs) {
		doctor_find(report, DOCTOR_OK, MEMORY, "BPF file system", "mounted at /sys/fs/bpf");
		return;
	}
	doctor_find(report, DOCTOR_NOTE, MEMORY, "BPF file system",
		    "not mounted at /sys/fs/bpf; `weir run` mounts it where it may");
	doctor_fix(report, "mount -t bpf bpf /sys/fs/bpf");
}

static const char *word_of(int setting)
{
	return setting == FACT_UNKNOWN ? "not there" : setting ? "on" : "off";
}

/* What counts for the program is the setting of each interface, judged there; this one is what new ones start from. */
void judge_sysctls(const struct host_facts *host, struct doctor_report *report)
{
	doctor_find(report, DOCTOR_OK, SYSCTLS, "IPv4 forwarding",
		    "%s for the host (net.ipv4.ip_forward); for Weir each interface's own setting counts, see there",
		    word_of(host->sysctls.forward4));
	doctor_find(report, DOCTOR_OK, SYSCTLS, "IPv6 forwarding", "%s for the host (net.ipv6.conf.all.forwarding)",
		    word_of(host->sysctls.forward6));
}
