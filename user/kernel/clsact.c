/* SPDX-License-Identifier: BSD-2-Clause */
/* A filter of ours among those of others, at the ingress of a clsact qdisc that others may use, too. */
#include "clsact.h"
#include "../base/scope.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define CLSACT_HANDLE 0x77656972 /* "weir" */
/* As early as possible: a filter ahead whose program ends the search would leave the packet without its mark. A
 * priority belongs to one protocol and one kind of filter, and the first may be somebody else's. */
#define CLSACT_PRIORITIES 16

static bool is_ours(unsigned int program_id)
{
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(program_id);
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, CLSACT_PROGRAM);
}

/* The priority of our filter; 0: there is none. */
static unsigned int find(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);

	for (unsigned int priority = 1; priority <= CLSACT_PRIORITIES; priority++) {
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = CLSACT_HANDLE, .priority = priority);

		if (!bpf_tc_query(&hook, &filter) && is_ours(filter.prog_id))
			return priority;
	}
	return 0;
}

int clsact_attach(unsigned int ifindex, int program, bool *made_qdisc)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	unsigned int there = find(ifindex);
	int error = there ? -EEXIST : bpf_tc_hook_create(&hook);
	bool is_made = !error;

	if (error && error != -EEXIST)
		return error;
	error = -ENOSPC;
	for (unsigned int priority = there ?: 1; error && priority <= (there ?: CLSACT_PRIORITIES); priority++) {
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = CLSACT_HANDLE, .priority = priority, .prog_fd = program,
			    .flags = there ? BPF_TC_F_REPLACE : 0);

		error = bpf_tc_attach(&hook, &filter);
		if (error != -EEXIST && error != -EINVAL)
			break;
	}
	if (error)
		return error;
	if (is_made)
		*made_qdisc = true;
	return 0;
}

bool clsact_is_attached(unsigned int ifindex)
{
	return find(ifindex);
}

static int count_filter(const struct nlmsghdr *message, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == RTM_NEWTFILTER && tc->tcm_handle)
		++*(unsigned int *)arg;
	return MNL_CB_OK;
}

/* Filters of one side of the qdisc; -errno when they cannot be listed. */
static int count_filters(unsigned int ifindex, unsigned int parent)
{
	char buffer[16384];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	unsigned int count = 0;
	ssize_t size = 0;
	int more = 1;

	if (!socket)
		return -errno;
	message->nlmsg_type = RTM_GETTFILTER;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	message->nlmsg_seq = 1;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		size = -1;
	while (size >= 0 && more > 0) {
		size = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (size >= 0)
			more = mnl_cb_run(buffer, (size_t)size, 1, mnl_socket_get_portid(socket), count_filter, &count);
	}
	if (size < 0 || more < 0)
		count = 0;
	mnl_socket_close(socket);
	return size < 0 || more < 0 ? -EIO : (int)count;
}

int clsact_detach(unsigned int ifindex, bool is_our_qdisc)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	unsigned int priority = find(ifindex);
	int error = 0;

	if (priority) {
		LIBBPF_OPTS(bpf_tc_opts, filter, .handle = CLSACT_HANDLE, .priority = priority);

		error = bpf_tc_detach(&hook, &filter);
	}
	if (error || !is_our_qdisc || count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) ||
	    count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)))
		return error;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	error = bpf_tc_hook_destroy(&hook);
	return error == -ENOENT || error == -EINVAL ? 0 : error; /* it went with what was on it */
}
