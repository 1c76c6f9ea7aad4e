# SPDX-License-Identifier: BSD-2-Clause
"""A filter whose default is drop: what this host asks is answered, what nobody asked for stays out."""

import contextlib
import socket
import threading

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from filtering import FilterTest
from lab import EDGE_MAC, LAN_MAC
from shared import VIP4, VIP6, Pinger, await_true

DNS_PORT, NTP_PORT, SERVED_PORT = 53, 123, 5353
VIPS = (VIP4, VIP6)
NAMED = "198.51.100.77"


def answer_names(server):
    """Says that whatever name is asked for has the address NAMED, until an empty datagram comes."""
    while True:
        try:
            question, peer = server.recvfrom(512)
        except TimeoutError:
            continue
        if not question:
            return
        end = question.index(b"\0", 12) + 5 # the name, its type and class
        server.sendto(question[:2] + b"\x81\x80" + question[4:6] + b"\0\1\0\0\0\0" + question[12:end] +
                      b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(NAMED), peer)


class FilterDefaultDrop(FilterTest):
    def setUp(self):
        super().setUp()
        self.rely_on()

    def rely_on(self, *rules, protect=()):
        """Default drop, and nothing protected but what the test says: not the caches, nor the collector."""
        policy = self.filtered(*rules, default="drop")
        del policy["protect"]
        if protect:
            policy["protect"] = list(protect)
        self.apply(policy)

    def reach(self, *nodes, **options):
        return {"from": self.addresses(*nodes), **options}

    @contextlib.contextmanager
    def datagram_socket(self, node, six, port=0):
        with self.inside(node), socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.bind(("", port))
            yield sock

    def address(self, node, six):
        return self.lab.ip6(node) if six else self.lab.ip4(node)

    def listen(self, port):
        """Takes TCP connections on a port of the edge until the end of the test."""
        with self.inside("edge"):
            sock = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        self.addCleanup(sock.close)

    def connects(self, node, port, six):
        with self.inside(node), socket.socket(socket.AF_INET6 if six else socket.AF_INET) as sock:
            sock.settimeout(0.5)
            try:
                sock.connect((self.address("edge", six), port))
                return True
            except TimeoutError:
                return False

    def page_from(self, address, six, **options):
        return self.page(self.address(address, six), **options)

    # --- what this host asks ---------------------------------------------------------------------------------
    def test_filter_default_drop_a_download_of_this_host_arrives(self):
        for six in (False, True):
            with self.subTest(six=six):
                self.assertEqual(self.page_from("cache1", six, path="/1m", node="edge", timeout=20), "cache1")

    def test_filter_default_drop_an_answer_over_udp_arrives_at_a_connected_socket(self):
        for six in (False, True):
            # As a resolver does, and from a low port, as some clients of NTP do.
            for port in (0, 123):
                with self.subTest(six=six, port=port), self.datagram_socket("origin", six, DNS_PORT) as server, \
                        self.datagram_socket("edge", six, port) as client:
                    client.connect((self.address("origin", six), DNS_PORT))
                    client.send(b"question")
                    question, peer = server.recvfrom(100)
                    server.sendto(b"answer to " + question, peer)
                    self.assertEqual(client.recv(100), b"answer to question")

    def test_filter_default_drop_an_answer_arrives_at_an_unconnected_socket_on_an_ephemeral_port(self):
        for six in (False, True):
            with self.subTest(six=six), self.datagram_socket("origin", six, DNS_PORT) as server, \
                    self.datagram_socket("edge", six) as client:
                client.sendto(b"question", (self.address("origin", six), DNS_PORT))
                question, peer = server.recvfrom(100)
                server.sendto(b"answer to " + question, peer)
                self.assertEqual(client.recv(100), b"answer to question")

    def test_filter_default_drop_an_answer_to_an_unconnected_socket_on_a_low_port_needs_a_rule(self):
        for six in (False, True):
            with self.subTest(six=six), self.datagram_socket("origin", six, NTP_PORT) as server, \
                    self.datagram_socket("edge", six, NTP_PORT) as client:
                def ask(server=server, client=client, six=six):
                    client.sendto(b"time?", (self.address("origin", six), NTP_PORT))
                    question, peer = server.recvfrom(100)
                    server.sendto(b"answer to " + question, peer)
                self.rely_on()
                with self.counting(default=1):
                    ask()
                # As weir.yaml(5) says it.
                self.rely_on({"name": "ntp", "from": self.address("origin", six), "proto": "udp", "sport": NTP_PORT,
                              "dport": NTP_PORT, "action": "pass"})
                ask()
                self.assertEqual(client.recv(100), b"answer to time?")

    def test_filter_default_drop_a_fragmented_answer_needs_a_rule_for_its_later_fragments(self):
        large = {"name": "large", "proto": "udp", "fragment": "later", "action": "pass"}
        for six in (False, True):
            with self.subTest(six=six), self.datagram_socket("origin", six, DNS_PORT) as server, \
                    self.datagram_socket("edge", six) as client:
                client.connect((self.address("origin", six), DNS_PORT))
                client.send(b"question")
                _, peer = server.recvfrom(100)
                self.rely_on()
                with self.counting(default=1):
                    server.sendto(b"x" * 2000, peer)
                self.rely_on({**large, "from": self.address("origin", six)})
                server.sendto(b"x" * 2000, peer)
                self.assertEqual(len(client.recv(4000)), 2000)

    def test_filter_default_drop_a_name_is_resolved_by_the_hosts_own_resolver(self):
        for six in (False, True):
            with self.subTest(six=six), self.datagram_socket("origin", six, DNS_PORT) as server:
                answers = threading.Thread(target=answer_names, args=(server,), daemon=True)
                answers.start()
                # A file of its own takes the place of /etc/resolv.conf in the process's view.
                conf = self.lab.dir / "resolv.conf"
                conf.write_text(f"nameserver {self.address('origin', six)}\noptions timeout:5 attempts:2\n")
                done = self.lab.run("edge", ["unshare", "-m", "sh", "-c", f"mount --bind {conf} /etc/resolv.conf && "
                                             "getent -s dns ahostsv4 cache.example"], timeout=30)
                self.assertEqual(done.stdout.split()[0], NAMED)
                server.sendto(b"", server.getsockname()[:2]) # ends the thread
                answers.join(10)

    def test_filter_default_drop_pings_and_refusals_are_answered(self):
        before = self.counts().get("reply", 0)
        for six in (False, True):
            with self.subTest(six=six), self.inside("edge"):
                ping = Pinger(self.address("origin", six), timeout=10)
                for _ in range(3):
                    ping()
                with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.settimeout(10)
                    sock.connect((self.address("origin", six), 9)) # nobody there: an ICMP error says so
                    sock.send(b"datagram")
                    with self.assertRaises(ConnectionRefusedError):
                        sock.recv(100)
        self.assertGreaterEqual(self.counts()["reply"], before + 8)

    def test_filter_default_drop_health_checks_go_on_and_backends_stay_up(self):
        before = {name: row["check"]["checks"] for name, row in self.backends().items()}
        await_true("five more checks of each", lambda: all(
            row["check"]["checks"] >= before[name] + 5 for name, row in self.backends().items()), 20)
        self.assertEqual(self.edge.healthy(), 3)

    # --- what nobody asked for -------------------------------------------------------------------------------
    def test_filter_default_drop_connections_to_this_host_need_a_rule(self):
        self.listen(SERVED_PORT)
        for six in (False, True):
            with self.subTest(six=six):
                before = self.counts().get("default", 0)
                self.assertFalse(self.connects("client", SERVED_PORT, six))
                self.assertGreater(self.counts().get("default", 0), before)
        self.rely_on({"name": "served", "to": self.addresses("edge"), "proto": "tcp", "dport": SERVED_PORT, "action": "pass"})
        for six in (False, True):
            with self.subTest(six=six):
                self.assertTrue(self.connects("client", SERVED_PORT, six))

    def test_filter_default_drop_datagrams_to_this_host_need_a_rule(self):
        for six in (False, True):
            with self.subTest(six=six), self.datagram_socket("edge", six, SERVED_PORT) as server:
                self.rely_on()
                before = self.counts().get("default", 0)
                self.datagrams("client", 5, self.address("edge", six), SERVED_PORT)
                await_true("the drops counted", lambda before=before: self.counts().get("default", 0) >= before + 5, 5)
                server.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    server.recv(100)
                server.settimeout(10)
                self.rely_on({"name": "served-udp", "proto": "udp", "dport": SERVED_PORT, "action": "pass"})
                self.datagrams("client", 1, self.address("edge", six), SERVED_PORT)
                self.assertEqual(server.recv(100), b"datagram")

    def test_filter_default_drop_a_segment_of_no_connection_is_no_reply(self):
        link = Ether(src=LAN_MAC, dst=EDGE_MAC)
        for flags in ("A", "SA", "FA", "R", "PA"):
            for six in (False, True):
                ip = (IPv6 if six else IP)(src=self.address("attacker", six), dst=self.address("edge", six))
                with self.subTest(flags=flags, six=six):
                    before = self.counts().get("default", 0)
                    self.wire(*[link / ip / TCP(sport=80, dport=45678, flags=flags)] * 3)
                    await_true("the drops counted", lambda before=before: self.counts().get("default", 0) >= before + 3, 5)

    def test_filter_default_drop_pings_to_this_host_are_dropped(self):
        for six in (False, True):
            with self.subTest(six=six), self.inside("client"), self.assertRaises(TimeoutError):
                Pinger(self.address("edge", six), timeout=0.5)()

    def test_filter_default_drop_vips_need_a_rule(self):
        for vip in VIPS:
            self.assert_no_page(vip)
        self.rely_on({"name": "web", "to": "@vips", "proto": "tcp", "dport": 80, "action": "pass"})
        for vip in VIPS:
            self.page(vip, "/64k", timeout=20)
            with self.counting(steered=0):
                self.datagrams("client", 5, vip)

    def test_filter_default_drop_what_is_protected_still_reaches(self):
        self.rely_on(protect=[self.reach("client", ports=[f"tcp/{SERVED_PORT}"])])
        self.listen(SERVED_PORT)
        self.listen(SERVED_PORT + 1)
        for six in (False, True):
            with self.subTest(six=six):
                self.assertTrue(self.connects("client", SERVED_PORT, six))
                self.assertFalse(self.connects("client", SERVED_PORT + 1, six))
                self.assertFalse(self.connects("greedy", SERVED_PORT, six))

    def test_filter_default_drop_live_allow_passes(self):
        self.edge.weir("allow", "add", *self.addresses("client"))
        for vip in VIPS:
            self.page(vip)
            self.assert_no_page(vip, node="greedy")

    def test_filter_default_drop_arp_and_neighbour_discovery_pass(self):
        for six in (False, True):
            with self.subTest(six=six):
                self.lab.run("edge", ["ip", "neigh", "flush", "dev", "eth0"])
                self.lab.run("cache1", ["ip", "neigh", "flush", "dev", "eth0"])
                self.assertEqual(self.page_from("cache1", six, node="edge", timeout=20), "cache1")
