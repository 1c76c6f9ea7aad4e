/* SPDX-License-Identifier: BSD-2-Clause */
/* The network that the program's FIB look-ups meet: a namespace of our own, so that answers are the same anywhere. */
#include "harness.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

const uint8_t harness_assumed_macs[2][6] = {{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01}, {0x00, 0x00, 0x5e, 0x00, 0x53, 0x02}};

static const char *const neighbours[][2] = {
	{"10.0.0.11", "edge0"},	     {"10.0.0.12", "edge0"},	   {"10.0.0.13", "edge0"},
	{"10.0.0.14", "edge0"},	     {"10.0.0.15", "edge0"},	   {"10.0.0.21", "edge0"},
	{"10.0.1.41", "edge1"},	     {"2001:db8:b::11", "edge0"},  {"2001:db8:b::12", "edge0"},
	{"2001:db8:b::21", "edge0"}, {"2001:db8:b1::41", "edge1"},
};

/* 02:00:00:00:SUBNET:HOST of an IPv4 address, 02:00:00:00:06:HOST of an IPv6 one. */
void harness_backend_mac(const struct weir_addr *address, uint8_t family, uint8_t mac[6])
{
	const uint8_t *bytes = (const uint8_t *)address;

	memset(mac, 0, 6);
	mac[0] = 0x02;
	mac[4] = family == WEIR_IPV4 ? bytes[2] : 0x06;
	mac[5] = family == WEIR_IPV4 ? bytes[3] : bytes[15];
}

static int network_set(const char *path, const char *value)
{
	AUTO_FCLOSE FILE *file = fopen(path, "we");

	return file && fputs(value, file) >= 0 && !fflush(file) ? 0 : -errno;
}

static int network_links(void)
{
	FILE *ip = popen("ip -batch -", "w");

	if (!ip)
		return -errno;
	fputs("link set lo up\n"
	      "link add edge0 address 02:00:00:00:ee:00 type veth peer name far0\n"
	      "link add edge1 mtu 1400 address 02:00:00:00:ee:01 type veth peer name far1 mtu 1400\n"
	      "link set far0 up\nlink set far1 up\nlink set edge0 up\nlink set edge1 up\n"
	      "address add 10.0.0.1/24 dev edge0\naddress add 10.0.1.1/24 dev edge1\n"
	      "address add 2001:db8:b::1/64 dev edge0 nodad\naddress add 2001:db8:b1::1/64 dev edge1 nodad\n",
	      ip);
	for (size_t i = 0; i < ARRAY_SIZE(neighbours); i++) {
		struct addr addr = packet_addr(neighbours[i][0]);
		uint8_t mac[6];

		harness_backend_mac(&addr.bytes, addr.family, mac);
		fprintf(ip, "neighbour add %s lladdr %02x:%02x:%02x:%02x:%02x:%02x dev %s nud permanent\n",
			neighbours[i][0], mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], neighbours[i][1]);
	}
	return pclose(ip) ? -EIO : 0;
}

int harness_network(void)
{
	int error;

	if (unshare(CLONE_NEWNET))
		return -errno;
	error = network_set("/proc/sys/net/ipv4/ip_forward", "1");
	if (!error)
		error = network_set("/proc/sys/net/ipv6/conf/all/forwarding", "1");
	return error ? error : network_links();
}
