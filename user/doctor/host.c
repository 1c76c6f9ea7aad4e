/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads what files and limits tell of the host. */
#include "facts.h"
#include "../base/file.h"
#include "../base/scope.h"
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define FILE_MOST 65536

/* The text of a file below root; NULL when it cannot be read. The caller frees it. */
static char *read_text(const char *root, const char *path)
{
	char whole[PATH_MAX], *text = NULL;
	size_t size;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return file_read(whole, FILE_MOST, &text, &size) ? NULL : text;
}

int facts_read_number(const char *root, const char *path)
{
	AUTO_FREE char *text = read_text(root, path);
	char *end;
	long number;

	if (!text)
		return FACT_UNKNOWN;
	number = strtol(text, &end, 10);
	return end == text ? FACT_UNKNOWN : (int)number;
}

int facts_read_list(const char *root, const char *path, int *past_highest)
{
	AUTO_FREE char *text = read_text(root, path);
	int count = 0, highest = -1;

	for (char *at = text, *end; at && *at >= '0' && *at <= '9'; at = *end == ',' ? end + 1 : end) {
		long first = strtol(at, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		count += (int)(last - first + 1);
		highest = (int)last;
	}
	*past_highest = highest + 1;
	return count;
}

bool kernel_is_before(const struct kernel_facts *kernel, int major, int minor)
{
	return kernel->major < major || (kernel->major == major && kernel->minor < minor);
}

void facts_read_kernel(const char *root, struct kernel_facts *kernel)
{
	AUTO_FREE char *release = read_text(root, "/proc/sys/kernel/osrelease");
	char path[PATH_MAX];
	char *end;

	if (release) {
		snprintf(kernel->release, sizeof(kernel->release), "%.*s", (int)strcspn(release, "\n"), release);
		kernel->major = (int)strtol(release, &end, 10);
		kernel->minor = *end == '.' ? (int)strtol(end + 1, &end, 10) : 0;
	}
	snprintf(path, sizeof(path), "%s/sys/kernel/btf/vmlinux", root);
	kernel->has_btf = access(path, F_OK) == 0;
	kernel->program = FACT_UNKNOWN;
}

static bool has_capability(const char *root, int capability)
{
	AUTO_FREE char *status = read_text(root, "/proc/self/status");
	const char *line = status ? strstr(status, "\nCapEff:") : NULL;

	return line && strtoull(line + strlen("\nCapEff:"), NULL, 16) >> capability & 1;
}

void facts_read_memory(const char *root, struct memory_facts *memory)
{
	struct rlimit limit = {0};
	char path[PATH_MAX];
	struct statfs info;

	if (!getrlimit(RLIMIT_MEMLOCK, &limit))
		memory->memlock = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	memory->may_raise = has_capability(root, CAP_SYS_RESOURCE);
	snprintf(path, sizeof(path), "%s/sys/fs/bpf", root);
	memory->has_bpffs = !statfs(path, &info) && (unsigned long)info.f_type == BPF_FS_MAGIC;
}

void facts_read_sysctls(const char *root, struct host_facts *host)
{
	int past;

	host->sysctls.forward4 = facts_read_number(root, "/proc/sys/net/ipv4/ip_forward");
	host->sysctls.forward6 = facts_read_number(root, "/proc/sys/net/ipv6/conf/all/forwarding");
	host->sysctls.rp_filter_all = facts_read_number(root, "/proc/sys/net/ipv4/conf/all/rp_filter");
	host->cpus_online = facts_read_list(root, "/sys/devices/system/cpu/online", &past);
	facts_read_list(root, "/sys/devices/system/cpu/possible", &host->cpus_possible);
}
