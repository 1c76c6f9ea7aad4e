/* SPDX-License-Identifier: BSD-2-Clause */
/* Adds, deletes and lists addresses of lo. */
#include "address.h"
#include "../base/scope.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

static void close_netlink(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}
#define AUTO_NETLINK __attribute__((cleanup(close_netlink)))

static size_t address_bytes(const struct addr *address)
{
	return address->family == WEIR_IPV4 ? 4 : 16;
}

/* Sends the request and hands every answer to each, until the kernel says done. 0 or -errno. */
static int exchange(struct nlmsghdr *request, mnl_cb_t each, void *arg)
{
	AUTO_NETLINK struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[32768];
	unsigned int port;
	ssize_t size;
	int more = MNL_CB_OK;

	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	port = mnl_socket_get_portid(netlink);
	request->nlmsg_seq = time(NULL);
	if (mnl_socket_sendto(netlink, request, request->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		size = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
		if (size < 0)
			return -errno;
		more = mnl_cb_run(answer, size, request->nlmsg_seq, port, each, arg);
	}
	return more < 0 ? -errno : 0;
}

static int change_address(uint16_t type, uint16_t flags, const struct addr *address)
{
	char buffer[256] = {};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	const bool is_ipv4 = address->family == WEIR_IPV4;
	/* Deprecated and of host scope: sockets may bind to it, source address selection leaves it out. */
	const struct ifa_cacheinfo lifetime = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->ifa_family = is_ipv4 ? AF_INET : AF_INET6;
	message->ifa_prefixlen = is_ipv4 ? 32 : 128;
	message->ifa_scope = is_ipv4 ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	message->ifa_index = if_nametoindex("lo");
	mnl_attr_put(request, IFA_LOCAL, address_bytes(address), &address->bytes);
	mnl_attr_put(request, IFA_ADDRESS, address_bytes(address), &address->bytes);
	if (type == RTM_NEWADDR && !is_ipv4) {
		mnl_attr_put_u32(request, IFA_FLAGS, IFA_F_NODAD);
		mnl_attr_put(request, IFA_CACHEINFO, sizeof(lifetime), &lifetime);
	}
	return exchange(request, NULL, NULL);
}

int address_add(const struct addr *address)
{
	return change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address);
}

int address_delete(const struct addr *address)
{
	return change_address(RTM_DELADDR, 0, address);
}

struct list {
	struct addr *items;
	size_t count;
	unsigned int ifindex;
};

static int add_to_list(const struct nlmsghdr *answer, void *arg)
{
	const struct ifaddrmsg *message = mnl_nlmsg_get_payload(answer);
	const struct nlattr *attribute, *address = NULL;
	struct list *list = arg;
	struct addr *items;

	if (message->ifa_index != list->ifindex || (message->ifa_family != AF_INET && message->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, answer, sizeof(*message))
	{
		if (mnl_attr_get_type(attribute) == IFA_LOCAL ||
		    (mnl_attr_get_type(attribute) == IFA_ADDRESS && !address))
			address = attribute;
	}
	if (!address)
		return MNL_CB_OK;
	items = reallocarray(list->items, list->count + 1, sizeof(*items));
	if (!items)
		return MNL_CB_ERROR;
	list->items = items;
	items[list->count] = (struct addr){.family = message->ifa_family == AF_INET ? WEIR_IPV4 : WEIR_IPV6};
	if (mnl_attr_get_payload_len(address) != address_bytes(&items[list->count]))
		return MNL_CB_OK;
	memcpy(&items[list->count].bytes, mnl_attr_get_payload(address), mnl_attr_get_payload_len(address));
	list->count++;
	return MNL_CB_OK;
}

int address_list(struct addr **out, size_t *count)
{
	char buffer[256] = {};
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct list list = {.ifindex = if_nametoindex("lo")};
	int error;

	mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg));
	request->nlmsg_type = RTM_GETADDR;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	error = exchange(request, add_to_list, &list);
	if (error) {
		free(list.items);
		return error;
	}
	*out = list.items;
	*count = list.count;
	return 0;
}

bool address_lo_is_up(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	return fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP;
}
