/* SPDX-License-Identifier: BSD-2-Clause */
/* One question and one answer at a time over a netlink socket. */
#include "route.h"
#include "scope.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define PATIENCE_S 1

struct route_socket {
	struct mnl_socket *netlink;
	unsigned int port, sequence;
	char answer[16384]; /* an interface with its statistics takes 2 to 3 KiB */
};

int route_open(struct route_socket **out)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	AUTO_FREE struct route_socket *socket = calloc(1, sizeof(*socket));
	int err = 0;

	if (!socket)
		return -ENOMEM;
	socket->netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket->netlink)
		return -errno;
	if (mnl_socket_bind(socket->netlink, 0, MNL_SOCKET_AUTOPID) ||
	    setsockopt(mnl_socket_get_fd(socket->netlink), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		err = -errno;
	if (err) {
		mnl_socket_close(socket->netlink);
		return err;
	}
	socket->port = mnl_socket_get_portid(socket->netlink);
	*out = TAKE_PTR(socket);
	return 0;
}

void route_close(struct route_socket *socket)
{
	if (!socket)
		return;
	mnl_socket_close(socket->netlink);
	free(socket);
}

/* Sends the request and hands the answers to it to each; an acknowledgement or an error ends it. An answer that came
 * too late for an earlier question is passed over. 0 or -errno. */
static int ask(struct route_socket *socket, struct nlmsghdr *request, mnl_cb_t each, void *arg)
{
	ssize_t size;
	int result;

	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++socket->sequence;
	if (mnl_socket_sendto(socket->netlink, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		size = mnl_socket_recvfrom(socket->netlink, socket->answer, sizeof(socket->answer));
		if (size < 0)
			return -errno;
		result = mnl_cb_run(socket->answer, (size_t)size, socket->sequence, socket->port, each, arg);
	} while (result > 0 || (result < 0 && (errno == EPROTO || errno == ESRCH) &&
				((struct nlmsghdr *)socket->answer)->nlmsg_seq != socket->sequence));
	return result < 0 ? -errno : 0;
}

static size_t addr_size(const struct addr *addr)
{
	return addr->family == WEIR_IPV4 ? 4 : 16;
}

static unsigned char family_of(const struct addr *addr)
{
	return addr->family == WEIR_IPV4 ? AF_INET : AF_INET6;
}

static void read_addr(struct addr *out, int family, const void *bytes, size_t size)
{
	struct addr addr = {.family = family == AF_INET ? WEIR_IPV4 : WEIR_IPV6};

	if (size < addr_size(&addr))
		return;
	memcpy(&addr.bytes, bytes, addr_size(&addr));
	*out = addr;
}

static int on_route(const struct nlmsghdr *header, void *arg)
{
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	struct route *route = arg;
	const struct nlattr *attribute;

	if (header->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	route->is_local = message->rtm_type == RTN_LOCAL;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		const void *payload = mnl_attr_get_payload(attribute);
		size_t size = mnl_attr_get_payload_len(attribute);

		switch (mnl_attr_get_type(attribute)) {
		case RTA_OIF:
			route->ifindex = size == sizeof(__u32) ? mnl_attr_get_u32(attribute) : 0;
			break;
		case RTA_GATEWAY:
			read_addr(&route->next_hop, message->rtm_family, payload, size);
			break;
		case RTA_VIA:
			if (size >= sizeof(struct rtvia))
				read_addr(&route->next_hop, ((const struct rtvia *)payload)->rtvia_family,
					  ((const struct rtvia *)payload)->rtvia_addr, size - sizeof(struct rtvia));
			break;
		default:
			break;
		}
	}
	return MNL_CB_OK;
}

int route_find(struct route_socket *socket, const struct addr *to, struct route *out)
{
	struct route route = {.next_hop = *to};
	struct nlmsghdr *request;
	struct rtmsg *message;
	char buffer[128];
	int err;

	if (!to->family)
		return -EINVAL;
	request = mnl_nlmsg_put_header(buffer);
	request->nlmsg_type = RTM_GETROUTE;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->rtm_family = family_of(to);
	message->rtm_dst_len = (unsigned char)(addr_size(to) * 8);
	mnl_attr_put(request, RTA_DST, addr_size(to), &to->bytes);
	err = ask(socket, request, on_route, &route);
	if (err)
		return err;
	if (!route.ifindex)
		return -ENETUNREACH;
	*out = route;
	return 0;
}

static struct nlmsghdr *neighbour_request(char *buffer, unsigned short type, const struct route *route)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *message;

	request->nlmsg_type = type;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ndm_family = family_of(&route->next_hop);
	message->ndm_ifindex = (int)route->ifindex;
	message->ndm_state = NUD_NONE;
	if (type == RTM_NEWNEIGH)
		message->ndm_flags = NTF_USE;
	mnl_attr_put(request, NDA_DST, addr_size(&route->next_hop), &route->next_hop.bytes);
	return request;
}

static int on_neighbour(const struct nlmsghdr *header, void *arg)
{
	const struct ndmsg *message = mnl_nlmsg_get_payload(header);
	uint16_t *state = arg;

	if (header->nlmsg_type == RTM_NEWNEIGH)
		*state = message->ndm_state;
	return MNL_CB_OK;
}

int route_use_neighbour(struct route_socket *socket, const struct route *route)
{
	uint16_t state = NUD_NONE;
	struct nlmsghdr *request;
	char buffer[128];

	/* An entry that needs no confirming is left alone: from 5.16 on the kernel would take NUD_PERMANENT off it. */
	request = neighbour_request(buffer, RTM_GETNEIGH, route);
	if (!ask(socket, request, on_neighbour, &state) && state & (NUD_PERMANENT | NUD_NOARP))
		return 0;
	request = neighbour_request(buffer, RTM_NEWNEIGH, route);
	request->nlmsg_flags |= NLM_F_CREATE;
	return ask(socket, request, NULL, NULL);
}

static void copy_name(const struct nlattr *attribute, char out[16])
{
	snprintf(out, 16, "%.*s", (int)mnl_attr_get_payload_len(attribute), mnl_attr_get_str(attribute));
}

static int on_kind(const struct nlattr *attribute, void *arg)
{
	struct route_device *device = arg;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		copy_name(attribute, device->kind);
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *header, void *arg)
{
	struct route_device *device = arg;
	const struct nlattr *attribute;
	unsigned int parent = 0;

	if (header->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(struct ifinfomsg))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			copy_name(attribute, device->name);
			break;
		case IFLA_LINK:
			parent = mnl_attr_get_payload_len(attribute) == sizeof(__u32) ? mnl_attr_get_u32(attribute) : 0;
			break;
		case IFLA_LINKINFO:
			mnl_attr_parse_nested(attribute, on_kind, device);
			break;
		default:
			break;
		}
	}
	if (strcmp(device->kind, "vlan") != 0 || !if_indextoname(parent, device->parent))
		device->parent[0] = '\0';
	return MNL_CB_OK;
}

int route_device_find(struct route_socket *socket, unsigned int ifindex, struct route_device *out)
{
	struct route_device device = {0};
	struct nlmsghdr *request;
	struct ifinfomsg *message;
	char buffer[128];
	int err;

	request = mnl_nlmsg_put_header(buffer);
	request->nlmsg_type = RTM_GETLINK;
	message = mnl_nlmsg_put_extra_header(request, sizeof(*message));
	message->ifi_family = AF_UNSPEC;
	message->ifi_index = (int)ifindex;
	err = ask(socket, request, on_link, &device);
	if (err)
		return err;
	if (!*device.name)
		return -ENODEV;
	*out = device;
	return 0;
}
