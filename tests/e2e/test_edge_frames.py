# SPDX-License-Identifier: BSD-2-Clause
"""Frames put on the wire by hand: tags make no difference, and what no honest host sends is dropped with its reason."""

import collections
import unittest

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrRouting
from scapy.layers.l2 import Dot1Q, Ether

from lab import EDGE_MAC, LAN_MAC
from shared import VIP4, VIP6, SharedEdgeTest

LINK = Ether(src=LAN_MAC, dst=EDGE_MAC)
# Nobody has these addresses: no answer of theirs adds to what is counted.
CLIENT4, CLIENT6 = "198.18.0.10", "2001:db8:99::10"
DENIED4, DENIED6 = "203.0.113.99", "2001:db8:1::99"


class EdgeFrames(SharedEdgeTest):
    def frames(self):
        """(frame without tags, reason): one of each kind of verdict."""
        return [
            (IP(src=CLIENT4, dst=VIP4) / TCP(sport=50000, dport=80, flags="S"), "steered"),
            (IPv6(src=CLIENT6, dst=VIP6) / TCP(sport=50000, dport=80, flags="S"), "steered"),
            (IP(src=CLIENT4, dst=VIP4) / UDP(sport=50000, dport=80) / b"data", "steered"),
            (IP(src=CLIENT4, dst=VIP4) / ICMP(type=8) / b"ping", "vip_echo"),
            (IPv6(src=CLIENT6, dst=VIP6) / ICMPv6EchoRequest(data=b"ping"), "vip_echo"),
            (IP(src=DENIED4, dst=VIP4) / TCP(sport=50000, dport=80, flags="S"), "denied"),
            (IPv6(src=DENIED6, dst=VIP6) / UDP(sport=50000, dport=80), "denied"),
            (IP(src=CLIENT4, dst=VIP4) / TCP(sport=50000, dport=81, flags="S"), "no_service"),
            (IP(src=CLIENT4, dst="192.0.2.10") / UDP(sport=50000, dport=9), "not_vip"),
        ]

    def test_edge_vlan_tags_get_the_verdict_of_the_untagged_frame(self):
        self.edge.weir("deny", "add", DENIED4, DENIED6)
        tags = {"none": LINK, "one": LINK / Dot1Q(vlan=42), "priority": LINK / Dot1Q(vlan=0, prio=5),
                "two": LINK / Dot1Q(vlan=42) / Dot1Q(vlan=7),
                "service": Ether(src=LAN_MAC, dst=EDGE_MAC, type=0x88a8) / Dot1Q(vlan=42, type=0x8100) / Dot1Q(vlan=7)}
        self.addCleanup(self.offload_tags, "on")
        for offload in ("on", "off"):
            self.offload_tags(offload)
            for name, link in tags.items():
                wanted = collections.Counter(reason for _, reason in self.frames())
                with self.subTest(offload=offload, tags=name), self.counting(**wanted):
                    self.wire(*[link / packet for packet, _ in self.frames()])

    def offload_tags(self, value):
        self.lab.run("fabric", ["ethtool", "-K", "edge", "txvlan", value])
        self.lab.run("edge", ["ethtool", "-K", "eth0", "rxvlan", value])

    def test_edge_three_vlan_tags_are_dropped(self):
        with self.counting(vlan_depth=2):
            self.wire(*[LINK / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / IP(src=CLIENT4, dst=VIP4) / UDP(dport=80)] * 2)

    def test_edge_frames_of_no_honest_host_are_dropped_with_their_reason(self):
        syn = TCP(sport=50000, dport=80, flags="S")
        for packet, reason in (
                (IP(src=CLIENT4, dst=VIP4, ttl=1) / syn, "ttl_expired"),
                (IPv6(src=CLIENT6, dst=VIP6, hlim=1) / syn, "ttl_expired"),
                (IP(src="127.0.0.1", dst=VIP4) / syn, "martian"),
                (IP(src="0.0.0.0", dst=VIP4) / syn, "martian"),
                (IP(src="224.0.0.9", dst=VIP4) / syn, "martian"),
                (IP(src="255.255.255.255", dst=VIP4) / syn, "martian"),
                (IPv6(src="::1", dst=VIP6) / syn, "martian"),
                (IPv6(src="ff02::1", dst=VIP6) / syn, "martian"),
                (IPv6(src="::ffff:198.18.0.10", dst=VIP6) / syn, "martian"),
                (IP(src=VIP4, dst=VIP4) / syn, "land"),
                (IPv6(src=VIP6, dst=VIP6) / syn, "land"),
                (IPv6(src=CLIENT6, dst=VIP6) / IPv6ExtHdrRouting(type=0, addresses=[VIP6]) / syn, "routing_header"),
                (IP(src=CLIENT4, dst=VIP4, flags="MF") / UDP(sport=50000, dport=80) / bytes(24), "vip_fragment"),
                (IP(src=CLIENT4, dst=VIP4, frag=3) / bytes(24), "vip_fragment"),
                (IP(src=CLIENT4, dst=VIP4, ihl=15) / syn, "malformed"),
                (IP(src=CLIENT4, dst=VIP4, len=9000) / syn, "malformed")):
            with self.subTest(packet=packet.summary()), self.counting(**{reason: 2, "steered": 0}):
                self.wire(*[LINK / packet] * 2)


if __name__ == "__main__":
    unittest.main()
