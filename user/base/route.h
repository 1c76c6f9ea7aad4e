/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's routes, neighbours and devices, asked by rtnetlink(7). */
#ifndef WEIR_BASE_ROUTE_H
#define WEIR_BASE_ROUTE_H

#include "addr.h"
#include <stdbool.h>

/* A conversation with the kernel of this network namespace; blocking, but the kernel answers at once. */
struct route_socket;
int route_open(struct route_socket **out); /* 0 or -errno */
void route_close(struct route_socket *socket);

struct route {
	unsigned int ifindex; /* by which it leaves */
	struct addr next_hop; /* the gateway, or the destination itself; IPv4 may go by an IPv6 one */
	bool is_local;	      /* the destination is this host */
};
/* The route of a packet of this host to an address. 0, or -errno: -ENETUNREACH, -EHOSTUNREACH and others without
 * one. */
int route_find(struct route_socket *socket, const struct addr *to, struct route *out);

/* As if a packet were sent to the next hop: an unknown neighbour is asked for, an old entry is confirmed, a fresh one
 * is left alone (NTF_USE). Does not wait for the neighbour. Needs CAP_NET_ADMIN. 0 or -errno. */
int route_use_neighbour(struct route_socket *socket, const struct route *route);

struct route_device {
	char name[16];
	char kind[16];	 /* "vlan", "bridge"...; "" for hardware and what does not say */
	char parent[16]; /* of a VLAN: the device below it, "" when there is none here */
};
int route_device_find(struct route_socket *socket, unsigned int ifindex, struct route_device *out);

#endif
