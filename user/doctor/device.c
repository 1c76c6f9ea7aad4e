/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces of this network namespace, as rtnetlink(7) lists them. Not /sys: that may show another namespace's. */
#include "facts.h"
#include "../base/scope.h"
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define PATIENCE_S    1
#define ANSWER_SIZE   32768
#define DEVICES_ROUND 64

struct list {
	struct device_link *links;
	size_t count;
	bool is_cut;
};

static uint32_t number_of(const struct nlattr *attribute)
{
	return mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) ? mnl_attr_get_u32(attribute) : 0;
}

static int on_info(const struct nlattr *attribute, void *arg)
{
	struct device_link *link = arg;

	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		snprintf(link->facts.kind, sizeof(link->facts.kind), "%.*s", (int)mnl_attr_get_payload_len(attribute),
			 mnl_attr_get_str(attribute));
	return MNL_CB_OK;
}

static int on_xdp(const struct nlattr *attribute, void *arg)
{
	static const enum xdp_mode modes[] = {
		[XDP_ATTACHED_NONE] = XDP_MODE_NONE,	 [XDP_ATTACHED_DRV] = XDP_MODE_NATIVE,
		[XDP_ATTACHED_SKB] = XDP_MODE_GENERIC,	 [XDP_ATTACHED_HW] = XDP_MODE_OFFLOADED,
		[XDP_ATTACHED_MULTI] = XDP_MODE_SEVERAL,
	};
	struct device_facts *facts = &((struct device_link *)arg)->facts;
	uint8_t mode;

	switch (mnl_attr_get_type(attribute)) {
	case IFLA_XDP_ATTACHED:
		mode = mnl_attr_get_u8(attribute);
		facts->xdp = mode < ARRAY_SIZE(modes) ? modes[mode] : XDP_MODE_SEVERAL;
		break;
	case IFLA_XDP_PROG_ID: /* not told of several */
	case IFLA_XDP_DRV_PROG_ID:
		facts->program_id = number_of(attribute);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static void read_attribute(struct device_link *link, const struct nlattr *attribute, bool *is_elsewhere)
{
	switch (mnl_attr_get_type(attribute)) {
	case IFLA_IFNAME:
		snprintf(link->facts.name, sizeof(link->facts.name), "%.*s", (int)mnl_attr_get_payload_len(attribute),
			 mnl_attr_get_str(attribute));
		break;
	case IFLA_MTU:
		link->facts.mtu = number_of(attribute);
		break;
	case IFLA_LINK:
		link->below = number_of(attribute);
		break;
	case IFLA_LINK_NETNSID:
		*is_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attribute, on_info, link);
		break;
	case IFLA_XDP:
		mnl_attr_parse_nested(attribute, on_xdp, link);
		break;
	default:
		break;
	}
}

static int on_link(const struct nlmsghdr *header, void *arg)
{
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	const struct nlattr *attribute;
	struct device_link *link, *grown;
	struct list *list = arg;
	bool is_elsewhere = false;

	if (header->nlmsg_type != RTM_NEWLINK || message->ifi_index <= 0)
		return MNL_CB_OK;
	if (list->count % DEVICES_ROUND == 0) {
		grown = realloc(list->links, (list->count + DEVICES_ROUND) * sizeof(*grown));
		if (!grown) {
			list->is_cut = true;
			return MNL_CB_STOP;
		}
		list->links = grown;
	}
	link = &list->links[list->count++];
	*link = (struct device_link){.facts.ifindex = (unsigned int)message->ifi_index};
	link->facts.is_up = message->ifi_flags & IFF_UP;
	link->facts.has_carrier = message->ifi_flags & IFF_LOWER_UP;
	link->facts.is_ethernet = message->ifi_type == ARPHRD_ETHER;
	link->is_loopback = message->ifi_flags & IFF_LOOPBACK;
	mnl_attr_for_each(attribute, header, sizeof(*message))
	{
		read_attribute(link, attribute, &is_elsewhere);
	}
	if (is_elsewhere)
		link->below = 0;
	return MNL_CB_OK;
}

static int receive(struct mnl_socket *socket, unsigned int sequence, struct list *list)
{
	AUTO_FREE char *answer = malloc(ANSWER_SIZE);
	int result = answer ? 1 : -1;

	while (result > 0) {
		ssize_t size = mnl_socket_recvfrom(socket, answer, ANSWER_SIZE);

		if (size < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)size, sequence, mnl_socket_get_portid(socket), on_link, list);
	}
	if (result < 0)
		return answer ? -errno : -ENOMEM;
	return list->is_cut ? -ENOMEM : 0;
}

int device_list(struct device_link **out, size_t *count)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	unsigned int sequence = (unsigned int)time(NULL);
	struct list list = {0};
	struct nlmsghdr *request;
	char buffer[128];
	int err = 0;

	if (!socket)
		return -errno;
	request = mnl_nlmsg_put_header(buffer);
	request->nlmsg_type = RTM_GETLINK;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = sequence;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		err = -errno;
	if (!err)
		err = receive(socket, sequence, &list);
	mnl_socket_close(socket);
	if (err) {
		free(list.links);
		return err;
	}
	*out = list.links;
	*count = list.count;
	return 0;
}

static void read_neighbour(const struct device_link *below, struct device_facts *device)
{
	if (strcmp(device->kind, "veth") != 0) {
		snprintf(device->lower, sizeof(device->lower), "%s", below->facts.name);
		return;
	}
	snprintf(device->peer, sizeof(device->peer), "%s", below->facts.name);
	device->peer_mtu = below->facts.mtu;
	device->peer_tx_checksum = ethtool_tx_checksum(device->peer);
}

static int read_setting(const char *root, const char *family, const char *name, const char *leaf)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, leaf);
	return facts_read_number(root, path);
}

void device_read(const char *root, const struct device_link *links, size_t count, struct device_facts *device)
{
	unsigned int below = 0;

	device->peer_tx_checksum = FACT_UNKNOWN;
	for (size_t i = 0; i < count; i++)
		if (links[i].facts.ifindex == device->ifindex)
			below = links[i].below;
	for (size_t i = 0; below && i < count; i++)
		if (links[i].facts.ifindex == below && below != device->ifindex)
			read_neighbour(&links[i], device);
	device->forward4 = read_setting(root, "ipv4", device->name, "forwarding");
	device->forward6 = read_setting(root, "ipv6", device->name, "forwarding");
	device->rp_filter = read_setting(root, "ipv4", device->name, "rp_filter");
	ethtool_read(root, device);
	netdev_read(device);
}
