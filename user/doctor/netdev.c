/* SPDX-License-Identifier: BSD-2-Clause */
/* What XDP a driver says that it has, by the generic netlink family "netdev" (Linux 6.3 and newer). */
#include "facts.h"
#include "../base/scope.h"
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#define PATIENCE_S  1
#define ANSWER_SIZE 16384

/* Of Documentation/netlink/specs/netdev.yaml, as <linux/netdev.h> is younger than many build hosts. */
enum { NETDEV_DEV_GET = 1 };
enum { NETDEV_IFINDEX = 1, NETDEV_XDP_FEATURES = 3 };

struct answer {
	uint16_t family;
	uint64_t features;
	bool has_features;
};

static int on_family(const struct nlmsghdr *header, void *arg)
{
	struct answer *answer = arg;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) == CTRL_ATTR_FAMILY_ID &&
		    mnl_attr_get_payload_len(attribute) == sizeof(answer->family))
			answer->family = mnl_attr_get_u16(attribute);
	}
	return MNL_CB_OK;
}

static int on_device(const struct nlmsghdr *header, void *arg)
{
	struct answer *answer = arg;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, header, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) != NETDEV_XDP_FEATURES ||
		    mnl_attr_get_payload_len(attribute) != sizeof(answer->features))
			continue;
		answer->features = mnl_attr_get_u64(attribute);
		answer->has_features = true;
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *put_request(char *buffer, uint16_t family, uint8_t command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(request, sizeof(*generic));

	request->nlmsg_type = family;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	generic->cmd = command;
	generic->version = 1;
	return request;
}

static bool ask(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t each, struct answer *answer)
{
	AUTO_FREE char *buffer = malloc(ANSWER_SIZE);
	int result = buffer && mnl_socket_sendto(socket, request, request->nlmsg_len) >= 0;

	while (result > 0) {
		ssize_t size = mnl_socket_recvfrom(socket, buffer, ANSWER_SIZE);

		result = size < 0 ? -1
				  : mnl_cb_run(buffer, (size_t)size, request->nlmsg_seq, mnl_socket_get_portid(socket),
					       each, answer);
		if (!result)
			return true;
	}
	return false;
}

static bool ask_both(struct mnl_socket *socket, unsigned int ifindex, struct answer *answer)
{
	struct nlmsghdr *request;
	char buffer[256];

	request = put_request(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	request->nlmsg_seq = 1;
	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, "netdev");
	if (!ask(socket, request, on_family, answer) || !answer->family)
		return false;
	request = put_request(buffer, answer->family, NETDEV_DEV_GET);
	request->nlmsg_seq = 2;
	mnl_attr_put_u32(request, NETDEV_IFINDEX, ifindex);
	return ask(socket, request, on_device, answer);
}

void netdev_read(struct device_facts *device)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	struct answer answer = {0};

	if (!socket)
		return;
	if (!mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    !setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    ask_both(socket, device->ifindex, &answer)) {
		device->has_abilities = answer.has_features;
		device->abilities = answer.features;
	}
	mnl_socket_close(socket);
}
