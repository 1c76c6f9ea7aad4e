# SPDX-License-Identifier: BSD-2-Clause
"""Real traffic through the VIPs to the caches: every tunnel, both families, checksums, path MTUs, echo, ICMP errors."""

import hashlib
import os
import socket
import struct
import unittest

from shared import VIP4, VIP6, SharedEdgeTest, await_true, get, internet_checksum, inside, Pinger, read_rest

VIPS = (VIP4, VIP6)
# What a receiver counts when a checksum is wrong, of each protocol that the edge rewrites or writes.
CHECKSUM_ERRORS = ("TcpInCsumErrors", "UdpInCsumErrors", "IcmpInCsumErrors", "Udp6InCsumErrors", "Icmp6InCsumErrors",
                   "IpExtInCsumErrors")
UPLOAD_SIZE = 3 << 20


class EdgeForward(SharedEdgeTest):
    def forward_policy(self, forward, family):
        policy = self.policy()
        pool = policy["pools"]["local"]
        pool["forward"] = forward
        for backend in pool["backends"]:
            backend["address"] = self.lab.ip4(backend["name"]) if family == 4 else self.lab.ip6(backend["name"])
        return policy

    def assert_served_by_all(self, address, path="/1k", node="client"):
        left = set(self.lab.cache_names())

        def served():
            left.discard(self.page(address, path, node))
            return not left
        await_true(f"pages from {address} served by each cache", served, 10, 0)

    def checksum_errors(self):
        return {(node, name): self.net_counter(node, name)
                for node in ("client", *self.lab.cache_names()) for name in CHECKSUM_ERRORS}

    # --- tunnels ---------------------------------------------------------------------------------------------
    def test_edge_http_by_each_tunnel_is_served_by_every_cache(self):
        for outer in (4, 6):
            self.apply(self.forward_policy("ipip", outer))
            self.edge.await_healthy(3)
            for vip in VIPS:
                with self.subTest(outer=outer, vip=vip):
                    self.assert_served_by_all(vip, "/64k")

    def test_edge_http_by_l2_is_served_by_every_cache(self):
        policy = self.policy()
        policy["pools"]["local"]["forward"] = "l2"
        policy["services"][0]["address"] = [VIP4]
        six = self.forward_policy("l2", 6)["pools"]["local"]
        policy["pools"]["local6"] = six
        policy["services"].append({"name": "www6", "address": [VIP6], "ports": ["tcp/80"], "pools": ["local6"]})
        self.apply(policy)
        self.edge.await_healthy(6)
        for vip in VIPS:
            with self.subTest(vip=vip):
                self.assert_served_by_all(vip, "/64k")

    def test_edge_datagrams_reach_the_caches(self):
        for vip in VIPS:
            with self.subTest(vip=vip), self.counting(steered=40):
                self.datagrams("client", 40, vip)

    def test_edge_reverse_path_filter_is_strict_and_traffic_flows(self):
        # On the caches backend-host relaxes what is strict, because what leaves a tunnel came in by another way.
        for node in ("edge", "client"):
            self.assertEqual(self.lab.run(node, ["sysctl", "-n", "net.ipv4.conf.eth0.rp_filter"]).stdout.strip(), "1")
        for vip in VIPS:
            self.assert_served_by_all(vip)
        for name in self.lab.cache_names():
            self.assertEqual(self.net_counter(name, "TcpExtIPReversePathFilter"), 0)

    # --- checksums -------------------------------------------------------------------------------------------
    def test_edge_checksum_offload_on_and_off_receivers_accept_every_packet(self):
        """With offload on the senders' stacks leave checksums to their device; the fabric's port fills them in, as a
        NIC does, so the edge sees whole ones. What is shown: the edge's rewriting (tunnels, answers) leaves every
        inner checksum right, to receivers that check each in software because the packet came out of a tunnel."""
        nodes = ("client", "edge", *self.lab.cache_names())
        self.addCleanup(lambda: [self.lab.set_offload(node, False) for node in nodes])
        for offload in (True, False):
            for node in nodes:
                self.lab.set_offload(node, offload)
            before = self.checksum_errors()
            for vip in VIPS:
                with self.subTest(offload=offload, vip=vip):
                    self.assert_served_by_all(vip, "/64k")
                    self.datagrams("client", 20, vip)
                    with self.inside("client"):
                        Pinger(vip, payload=333)()
            self.assertEqual(self.checksum_errors(), before)

    # --- echo ------------------------------------------------------------------------------------------------
    def test_edge_echo_request_to_vip_is_answered_by_the_edge(self):
        for vip in VIPS:
            for payload in (0, 1, 56, 1400):
                with self.subTest(vip=vip, payload=payload), self.counting(vip_echo=3), self.inside("client"):
                    ping = Pinger(vip, payload)
                    for _ in range(3):
                        ping()

    # --- path MTU --------------------------------------------------------------------------------------------
    def upload(self, vip, name):
        body = os.urandom(UPLOAD_SIZE)
        path = self.lab.dir / "upload"
        path.write_bytes(body)
        host = f"[{vip}]" if ":" in vip else vip
        done = self.lab.run("client", ["curl", "-sgf", "--max-time", "15", "-T", path, "-o", "/dev/null", "-w", "%{http_code}",
                                       f"http://{host}/upload/{name}"])
        self.assertIn(done.stdout, ("201", "204"))
        stored = (self.lab.dir / "origin/www/upload" / name).read_bytes()
        self.assertEqual(hashlib.sha256(stored).digest(), hashlib.sha256(body).digest())

    def forget_path_mtu(self):
        self.lab.run("client", ["ip", "route", "flush", "cache"])
        self.lab.run("client", ["ip", "-6", "route", "flush", "cache"])

    def path_mtu(self, vip):
        words = self.lab.run("client", ["ip", "route", "get", vip]).stdout.split()
        return int(words[words.index("mtu") + 1]) if "mtu" in words else None

    def check_path_mtu(self, wanted):
        self.addCleanup(self.forget_path_mtu)
        for vip in VIPS:
            with self.subTest(vip=vip):
                self.forget_path_mtu()
                before = self.counts().get("too-big", 0)
                self.upload(vip, f"mtu-{wanted}-{vip}")
                self.assertGreater(self.counts().get("too-big", 0), before)
                self.assertEqual(self.path_mtu(vip), wanted)
                self.page(vip, "/1m")

    def test_edge_tunnelled_packet_beyond_the_mtu_client_learns_it_and_upload_completes(self):
        self.check_path_mtu(1500 - 20)

    def test_edge_cache_path_of_mtu_1400_client_learns_it_and_upload_completes(self):
        self.lab.run("edge", ["ip", "route", "change", "192.0.2.0/24", "dev", "eth0", "proto", "kernel", "scope", "link",
                              "src", self.lab.ip4("edge"), "mtu", "lock", "1400"])
        self.addCleanup(self.lab.run, "edge", ["ip", "route", "change", "192.0.2.0/24", "dev", "eth0", "proto", "kernel",
                                               "scope", "link", "src", self.lab.ip4("edge")])
        self.check_path_mtu(1400 - 20)

    def test_edge_too_big_flood_is_throttled(self):
        before = self.counts()
        with inside(self.lab, "client"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.IPPROTO_IP, 10, 3) # IP_MTU_DISCOVER: IP_PMTUDISC_PROBE, to go on beyond the path MTU
            for _ in range(200):
                sock.sendto(bytes(1472), (VIP4, 80))
        await_true("200 packets too big", lambda: sum(self.counts().get(r, 0) - before.get(r, 0)
                                                      for r in ("too-big", "too-big-throttled")) == 200, 3)
        self.assertLess(self.counts()["too-big"] - before.get("too-big", 0), 30)

    # --- ICMP errors about a flow ----------------------------------------------------------------------------
    def quoting(self, vip, port, kind, code, word):
        """An ICMP error to the VIP, as a router would send it, about a segment of VIP:80 -> client:port."""
        six = ":" in vip
        client = self.lab.ip6("client") if six else self.lab.ip4("client")
        pack = (lambda a: socket.inet_pton(socket.AF_INET6, a)) if six else socket.inet_aton
        tcp = struct.pack("!HHIIHHHH", 80, port, 1, 1, 0x5010, 1000, 0, 0)
        if six:
            quoted = struct.pack("!IHBB", 6 << 28, len(tcp), 6, 60) + pack(vip) + pack(client) + tcp
        else:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 7, 0x4000, 60, 6, 0) + pack(vip) + pack(client)
            quoted = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:] + tcp
        icmp = struct.pack("!BBHI", kind, code, 0, word) + quoted
        return icmp if six else icmp[:2] + struct.pack("!H", internet_checksum(icmp)) + icmp[4:]

    def send_icmp(self, vip, message):
        """From the fabric: a router on the way back."""
        six = ":" in vip
        with self.inside("fabric"), socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW,
                                                  socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP) as sock:
            sock.bind(("2001:db8:1::1" if six else "203.0.113.1", 0))
            sock.sendto(message, (vip, 0))

    def test_edge_icmp_error_goes_to_the_backend_of_the_flow_that_it_quotes(self):
        for vip, kind, code, word, counter in (
                (VIP4, 3, 4, 1300, "IcmpMsgInType3"), (VIP4, 3, 1, 0, "IcmpMsgInType3"),
                (VIP6, 2, 0, 1290, "Icmp6InPktTooBigs"), (VIP6, 1, 4, 0, "Icmp6InDestUnreachs")):
            served = set()
            for port in range(42000, 42006):
                with self.subTest(vip=vip, type=kind, code=code, port=port):
                    with self.inside("client"):
                        sock, headers, body = get(vip, "/1k", source=("", port))
                        read_rest(sock, body)
                    served.add(headers["x-served-by"])
                    self.check_error_arrives(headers["x-served-by"], vip, self.quoting(vip, port, kind, code, word), counter)
            self.assertGreater(len(served), 1)

    def check_error_arrives(self, name, vip, message, counter):
        before = {cache: self.net_counter(cache, counter) for cache in self.lab.cache_names()}
        with self.counting(steered=1):
            self.send_icmp(vip, message)
        wanted = dict(before, **{name: before[name] + 1})
        await_true(f"the error at {name}", lambda: self.net_counter(name, counter) == wanted[name], 3)
        self.assertEqual({cache: self.net_counter(cache, counter) for cache in before}, wanted)

    def test_edge_icmp_error_about_no_flow_of_a_vip_is_dropped(self):
        message = self.quoting(VIP4, 42000, 3, 1, 0)
        stranger = message[:8 + 20] + struct.pack("!H", 8443) + message[8 + 22:]
        stranger = stranger[:2] + b"\0\0" + stranger[4:]
        with self.counting(steered=0, no_service=1):
            self.send_icmp(VIP4, stranger[:2] + struct.pack("!H", internet_checksum(stranger)) + stranger[4:])


if __name__ == "__main__":
    unittest.main()
