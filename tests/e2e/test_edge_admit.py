# SPDX-License-Identifier: BSD-2-Clause
"""Who gets in: live deny and allow entries, rate limits, and what is let through when everything is denied."""

import shutil
import socket
import threading
import time
import unittest

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lab import EDGE_MAC, LAN_MAC
from shared import VIP4, VIP6, SharedEdgeTest, await_true


class EdgeDeny(SharedEdgeTest):
    def deny(self, *argv):
        return self.edge.weir("deny", "add", *argv)

    def test_edge_deny_add_acts_at_once(self):
        for vip, address in ((VIP4, self.lab.ip4("attacker")), (VIP6, self.lab.ip6("attacker"))):
            with self.subTest(vip=vip):
                with self.counting(steered=10, denied=0):
                    self.datagrams("attacker", 10, vip)
                self.deny(address)
                with self.counting(steered=0, denied=10):
                    self.datagrams("attacker", 10, vip)
                self.page(vip)
                self.edge.weir("deny", "del", address)
                with self.counting(steered=10, denied=0):
                    self.datagrams("attacker", 10, vip)

    def test_edge_deny_prefix_covers_all_in_it_and_no_other(self):
        # greedy is .11 and ::11, attacker .66 and ::66, client .10 and ::10
        for prefix, vip in (("203.0.113.64/26", VIP4), ("2001:db8:1::60/124", VIP6)):
            with self.subTest(prefix=prefix):
                self.deny(prefix)
                with self.counting(steered=5, denied=10):
                    self.datagrams("attacker", 10, vip)
                    self.datagrams("greedy", 5, vip)

    def test_edge_deny_with_an_end_ends_by_itself(self):
        self.deny(self.lab.ip4("attacker"), "--for", "3s")
        with self.counting(denied=5):
            self.datagrams("attacker", 5)
        await_true("the end of the entry", lambda: not self.edge.json("deny", "list")["entries"], 5)
        with self.counting(denied=0, steered=5):
            self.datagrams("attacker", 5)

    def test_edge_deny_with_an_end_ends_without_a_controller(self):
        self.deny(self.lab.ip4("attacker"), "--for", "3s")
        self.edge.service.kill()
        self.edge.service.popen.wait()
        with self.counting(denied=5):
            self.datagrams("attacker", 5)

        def gets_through():
            before = self.counts().get("steered", 0)
            self.datagrams("attacker", 1)
            return self.counts().get("steered", 0) > before
        await_true("the end of the entry", gets_through, 5)

    def test_edge_allow_beats_deny(self):
        for vip, node_address, prefix in ((VIP4, self.lab.ip4("greedy"), "203.0.113.0/24"),
                                          (VIP6, self.lab.ip6("greedy"), "2001:db8:1::/64")):
            with self.subTest(vip=vip):
                self.deny(prefix)
                self.edge.weir("allow", "add", node_address)
                with self.counting(steered=5, denied=5):
                    self.datagrams("greedy", 5, vip)
                    self.datagrams("attacker", 5, vip)
                self.edge.weir("allow", "del", node_address)
                with self.counting(steered=0, denied=5):
                    self.datagrams("greedy", 5, vip)

    def test_edge_deny_survives_a_restart_with_its_note_and_end(self):
        self.deny(self.lab.ip4("attacker"), "--note", "ticket 42", "--for", "1h")
        self.edge.weir("allow", "add", "2001:db8:77::/48", "--note", "monitoring")
        before = self.edge.json("deny", "list"), self.edge.json("allow", "list")
        self.edge.service.stop()
        self.edge.start()
        self.assertEqual((self.edge.json("deny", "list"), self.edge.json("allow", "list")), before)
        with self.counting(denied=5):
            self.datagrams("attacker", 5)

    def test_edge_deny_survives_the_loss_of_the_pins(self):
        self.deny(self.lab.ip4("attacker"), "2001:db8:1::66", "--note", "ticket 43")
        before = self.edge.json("deny", "list")
        self.edge.service.stop()
        shutil.rmtree(self.lab.pins / "edge")
        self.edge.start()
        self.assertEqual(self.edge.json("deny", "list"), before)
        for vip in (VIP4, VIP6):
            with self.counting(denied=5):
                self.datagrams("attacker", 5, vip)

    def test_edge_deny_of_nonsense_is_refused_and_changes_nothing(self):
        for words in (["203.0.113.300"], ["203.0.113.7/24"], ["2001:db8::/129"], ["203.0.113.66", "nonsense"]):
            with self.subTest(words=words):
                done = self.edge.weir("deny", "add", *words, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(self.edge.json("deny", "list")["entries"], [])

    def test_edge_deny_everything_with_nothing_protected_is_refused(self):
        policy = self.policy()
        del policy["protect"]
        self.apply(policy)
        for everything in ("0.0.0.0/0", "::/0"):
            done = self.edge.weir("deny", "add", everything, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--force", done.stderr)


class EdgeLimit(SharedEdgeTest):
    def limits(self):
        return {row["limit"]: row for row in self.edge.json("stats")["limits"]}

    def test_edge_limit_greedy_client_is_limited_and_another_is_not(self):
        policy = self.policy()
        policy["limits"] = [{"name": "per-client", "key": "source", "rate": "10/s", "burst": 50}]
        self.apply(policy)
        for vip in (VIP4, VIP6):
            with self.subTest(vip=vip):
                before, start = self.counts(), time.monotonic()
                self.datagrams("greedy", 1000, vip)
                spent = time.monotonic() - start

                def dropped(before=before):
                    return self.counts().get("limited", 0) - before.get("limited", 0)
                await_true("the greedy client's drops", lambda: dropped() >= 950 - 10 * spent - 10, 3)
                self.assertLessEqual(dropped(), 950)
                with self.counting(steered=30, limited=0):
                    self.datagrams("client", 30, vip)
        row = self.limits()["per-client"]
        self.assertEqual(row["dropped"], self.counts()["limited"])
        self.assertGreaterEqual(row["passed"], 160)

    def test_edge_limit_source_prefix_takes_its_addresses_together(self):
        policy = self.policy()
        policy["limits"] = [{"name": "per-net", "key": "source/24,/64", "rate": "1/s", "burst": 20}]
        self.apply(policy)
        before = self.counts()
        for node in ("greedy", "attacker"): # both in 203.0.113.0/24
            self.datagrams(node, 20)
        await_true("the second's drops", lambda: self.counts().get("limited", 0) - before.get("limited", 0) >= 17, 3)

    def test_edge_limit_does_not_touch_what_is_not_for_a_vip(self):
        policy = self.policy()
        policy["limits"] = [{"name": "per-client", "key": "source", "rate": "1/s", "burst": 1}]
        self.apply(policy)
        with self.counting(limited=0, not_vip=30):
            self.datagrams("client", 30, self.lab.ip4("edge"), 5353)


class Listener:
    """Accepts TCP on a port of the edge, by both families, until closed."""

    def __init__(self, test, port):
        with test.inside("edge"):
            self.sock = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        test.addCleanup(self.close)

    def serve(self):
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            peer.sendall(b"hello")
            peer.close()

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.sock.close()


class EdgeDenyAll(SharedEdgeTest):
    """Everything is denied: what protect: names, and what a host cannot live without, still reaches the kernel."""

    REASON = "denied"

    def deny_everything(self, policy):
        self.apply(policy)
        self.edge.weir("deny", "add", "0.0.0.0/0", "::/0")

    def setUp(self):
        super().setUp()
        policy = self.policy()
        policy["protect"] += [
            {"from": [self.lab.ip4("client"), self.lab.ip6("client")], "ports": ["tcp/22"]},
            {"from": [self.lab.ip4("greedy"), self.lab.ip6("greedy")], "ports": ["tcp/179"]}]
        self.deny_everything(policy)
        for port in (22, 179, 8080):
            Listener(self, port)

    def connects(self, node, port, six):
        address = self.lab.ip6("edge") if six else self.lab.ip4("edge")
        with self.inside(node), socket.socket(socket.AF_INET6 if six else socket.AF_INET) as sock:
            sock.settimeout(0.3)
            try:
                sock.connect((address, port))
                return sock.recv(5) == b"hello"
            except TimeoutError:
                return False

    def test_edge_all_denied_management_and_routing_peers_pass_and_nothing_else(self):
        for six in (False, True):
            for node, port, passes in (("client", 22, True), ("greedy", 179, True), ("client", 179, False),
                                       ("greedy", 22, False), ("attacker", 22, False), ("client", 8080, False)):
                with self.subTest(six=six, node=node, port=port):
                    self.assertEqual(self.connects(node, port, six), passes)

    def test_edge_all_denied_vips_answer_nobody(self):
        for vip in (VIP4, VIP6):
            self.assert_no_page(vip)
            self.assertNotEqual(self.lab.run("client", ["ping", "-c1", "-W1", vip], check=False).returncode, 0)

    def test_edge_all_denied_health_checks_of_protected_caches_go_on(self):
        before = {name: row["check"]["checks"] for name, row in self.backends().items()}
        await_true("three more checks of each", lambda: all(
            row["check"]["checks"] >= before[name] + 3 for name, row in self.backends().items()), 5)
        self.assertEqual(self.edge.healthy(), 3)

    def test_edge_all_denied_arp_and_neighbour_discovery_pass(self):
        for node, address, reason in (("fabric", self.lab.ip4("edge"), "arp"),
                                      ("fabric", self.lab.ip6("edge"), "neighbour-discovery")):
            with self.subTest(reason=reason):
                before = self.counts().get(reason, 0)
                self.lab.run(node, ["ip", "neigh", "flush", "dev", "lan", "to", address])
                self.lab.run(node, ["ping", "-c1", "-W2", address])
                self.assertGreater(self.counts().get(reason, 0), before)

    def test_edge_all_denied_dhcp_reaches_a_socket_of_the_host(self):
        link = Ether(src=LAN_MAC, dst=EDGE_MAC)
        offer = (link / IP(src="203.0.113.250", dst=self.lab.ip4("edge")) / UDP(sport=67, dport=68) /
                 BOOTP(op=2, yiaddr=self.lab.ip4("edge")) / DHCP(options=[("message-type", "offer"), "end"]))
        # From and to the link-local addresses that the MACs make.
        offer6 = (link / IPv6(src="fe80::ff:fe00:1", dst="fe80::ff:fe00:a") / UDP(sport=547, dport=546) /
                  DHCP6_Advertise())
        for frame, family, port in ((offer, socket.AF_INET, 68), (offer6, socket.AF_INET6, 546)):
            with self.subTest(port=port), self.inside("edge"), socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.bind(("", port))
                sock.settimeout(3)
                with self.counting(dhcp=1):
                    self.wire(frame)
                self.assertEqual(sock.recv(2048), bytes(frame[UDP].payload))

    def test_edge_all_denied_everything_else_is_dropped(self):
        with self.counting(steered=0, not_vip=0, **{self.REASON: 40}):
            for node in ("client", "attacker"):
                for address in (self.lab.ip4("edge"), self.lab.ip6("edge")):
                    self.datagrams(node, 10, address, 5353)


class EdgeDenyAllByRule(EdgeDenyAll):
    """The same by a rule that matches everything."""

    REASON = "rule"

    def deny_everything(self, policy):
        self.apply({**policy, "filter": {"rules": [{"name": "everything", "action": "drop"}]}})


class EdgeDenyAllByList(EdgeDenyAll):
    """The same by a list that somebody publishes with everything in it."""

    REASON = "rule"

    def deny_everything(self, policy):
        path = self.lab.dir / "everything.netset"
        path.write_text("# a mistake of somebody else's\n192.0.2.1\n0.0.0.0/0\n::/0\n")
        done = self.apply({**policy, "sets": {"all": {"file": str(path)}},
                           "filter": {"rules": [{"name": "listed", "from": "@all", "action": "drop"}]}})
        self.assertIn(f"{path}:3: an entry of length 0 covers every address", done.stderr)


class EdgeDenyAllByDefault(EdgeDenyAll):
    """The same by a default of drop."""

    REASON = "default"

    def deny_everything(self, policy):
        self.apply({**policy, "filter": {"default": "drop"}})


if __name__ == "__main__":
    unittest.main()
