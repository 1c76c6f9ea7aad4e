/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two namespaces of our own and the veth pair between them: edge0 is where Weir is, far0 where the generator sends.
 *
 * Both ends have two queues, one a core; both hold a native XDP program, since only then a veth device takes frames
 * that were sent from XDP and has the receive queue that a test run's context names.
 */
#include "bench.h"
#include "user/base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>

static struct {
	int namespaces[2]; /* edge's, generator's */
	uint32_t ifindex[2];
} network;

static const char *const devices[2] = {"edge0", "far0"};

void network_run(const char *format, ...)
{
	AUTO_FREE char *command = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&command, format, arguments);
	va_end(arguments);
	if (length < 0 || system(command))
		bench_fail("this failed: %s", command);
}

static int network_make(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		bench_fail("no network namespace can be made: %s (root is needed)", strerror(errno));
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bench_fail("the namespace cannot be opened: %s", strerror(errno));
	network_run("ip link set lo up && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
	return fd;
}

void network_enter(bool far)
{
	if (setns(network.namespaces[far], CLONE_NEWNET))
		bench_fail("the namespace cannot be entered: %s", strerror(errno));
}

uint32_t network_ifindex(bool far)
{
	return network.ifindex[far];
}

void network_attach(bool far, int program)
{
	int error;

	network_enter(far);
	error = program < 0 ? bpf_xdp_detach((int)network.ifindex[far], XDP_FLAGS_DRV_MODE, NULL)
			    : bpf_xdp_attach((int)network.ifindex[far], program, XDP_FLAGS_DRV_MODE, NULL);
	network_enter(false);
	if (error)
		bench_fail("%s: the program cannot be attached: %s", devices[far], strerror(-error));
}

/* By /proc, which shows the namespace of the thread; /sys shows the one it was mounted in. */
uint64_t network_received(bool far)
{
	char line[512], *colon;
	unsigned long long packets = 0;

	network_enter(far);
	AUTO_FCLOSE FILE *file = fopen("/proc/thread-self/net/dev", "re");

	while (file && fgets(line, sizeof(line), file)) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = '\0';
		if (!strcmp(line + strspn(line, " "), devices[far]))
			sscanf(colon + 1, "%*u %llu", &packets);
	}
	network_enter(false);
	return packets;
}

static void network_quiet(const char *device)
{
	network_run("ethtool -K %s gro off gso off tso off tx off >/dev/null 2>&1", device);
	network_run("ip link set %s addrgenmode none && ip link set %s up", device, device);
}

void network_open(void)
{
	network.namespaces[1] = network_make();
	network.namespaces[0] = network_make();
	network_run("ip link add edge0 numtxqueues 2 numrxqueues 2 address 02:00:00:00:ee:00 type veth "
		    "peer name far0 numtxqueues 2 numrxqueues 2 address 02:00:00:00:fa:00");
	network_run("ip link set far0 netns /proc/%d/fd/%d", getpid(), network.namespaces[1]);
	network_quiet("edge0");
	network.ifindex[0] = if_nametoindex("edge0");
	network_run("ip address add 10.0.0.1/24 dev edge0 && ip address add 2001:db8:b::1/64 dev edge0 nodad");
	for (int host = 11; host < 19; host++)
		network_run("ip neighbour add 10.0.0.%d lladdr 02:00:00:00:00:%02x dev edge0 nud permanent", host,
			    host);
	network_enter(true);
	network_quiet("far0");
	network.ifindex[1] = if_nametoindex("far0");
	network_enter(false);
	network_attach(false, verdict_program(VERDICT_PASS));
	network_attach(true, verdict_program(VERDICT_DROP));
}
