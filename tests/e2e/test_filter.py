# SPDX-License-Identifier: BSD-2-Clause
"""Rules of the filter on real traffic: which of them decides, what it does, what it counts, and who may change it."""

import contextlib
import datetime
import json
import os
import socket
import time

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from filtering import OUTSIDE, FilterTest
from lab import EDGE_MAC, LAN_MAC
from shared import VIP4, VIP6, await_true

VIPS = (VIP4, VIP6)
LINK = Ether(src=LAN_MAC, dst=EDGE_MAC)


def in_seconds(seconds):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


class FilterRules(FilterTest):
    def test_filter_allow_before_drop_the_first_match_decides(self):
        allow = {"name": "order-allow", "from": self.addresses("client"), "action": "allow"}
        drop = {"name": "order-drop", "from": OUTSIDE, "action": "drop"}
        self.apply(self.filtered(allow, drop))
        for vip in VIPS:
            with self.counting(steered=5, rule=7):
                self.datagrams("client", 5, vip)
                self.datagrams("attacker", 7, vip)
        self.assertEqual((self.hits("order-allow"), self.hits("order-drop")), (10, 14))
        self.apply(self.filtered(drop, allow))
        for vip in VIPS:
            with self.counting(steered=0, rule=5):
                self.datagrams("client", 5, vip)
        self.assertEqual((self.hits("order-allow"), self.hits("order-drop")), (10, 24))

    def test_filter_rule_of_protocol_and_ports_leaves_others_alone(self):
        self.apply(self.filtered({"name": "ports", "to": "@vips", "proto": "udp", "dport": "79-80,443", "action": "drop"}))
        for vip in VIPS:
            with self.subTest(vip=vip):
                with self.counting(rule=6, no_service=4):
                    self.datagrams("client", 3, vip, 80)
                    self.datagrams("client", 3, vip, 443)
                    self.datagrams("client", 4, vip, 81)
                self.page(vip)

    def test_filter_reject_of_tcp_the_client_is_refused_at_once(self):
        self.apply(self.filtered({"name": "reset", "from": self.addresses("client"), "proto": "tcp", "dport": 80,
                                  "action": "reject"}))
        for vip in VIPS:
            with self.subTest(vip=vip):
                with self.assertRaises(ConnectionRefusedError):
                    self.page(vip, timeout=10)
                self.page(vip, node="greedy")

    def test_filter_reject_of_udp_the_client_learns_that_the_port_is_unreachable(self):
        self.apply(self.filtered({"name": "unreachable", "from": self.addresses("client"), "proto": "udp", "action": "reject"}))
        for vip in VIPS:
            with self.subTest(vip=vip), self.inside("client"), \
                    socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(10)
                sock.connect((vip, 80))
                with self.counting(rule_reject=1, steered=0):
                    sock.send(b"datagram")
                    with self.assertRaises(ConnectionRefusedError):
                        sock.recv(100)

    def test_filter_shadow_counts_and_does_not_act(self):
        self.apply(self.filtered(
            {"name": "shadow-before", "from": OUTSIDE, "proto": "udp", "action": "drop", "mode": "shadow"},
            {"name": "shadow-decides", "from": self.addresses("client"), "proto": "udp", "action": "pass"},
            {"name": "shadow-behind", "from": OUTSIDE, "proto": "udp", "action": "drop", "mode": "shadow"}))
        for vip in VIPS:
            with self.counting(steered=11, rule=0):
                self.datagrams("client", 5, vip)
                self.datagrams("greedy", 6, vip)
        self.assertEqual([self.hits(f"shadow-{which}") for which in ("before", "decides", "behind")], [22, 10, 12])

    def test_filter_rule_of_an_empty_set_matches_nobody(self):
        self.apply(self.filtered({"name": "of-nobody", "from": "@nobody", "action": "drop"}, sets={"nobody": []}))
        for vip in VIPS:
            with self.counting(steered=5, rule=0):
                self.datagrams("client", 5, vip)

    def test_filter_limit_of_a_rule_limits_only_what_the_rule_matches(self):
        self.apply(self.filtered({"name": "charged", "from": self.addresses("greedy"), "proto": "udp", "limit": "few"},
                                 limits=[{"name": "few", "key": "source", "rate": "1/s", "burst": 5}]))
        for vip in VIPS:
            with self.subTest(vip=vip):
                before, start = self.counts().get("limited", 0), time.monotonic()
                self.datagrams("greedy", 100, vip)
                spent = time.monotonic() - start

                def limited(before=before):
                    return self.counts().get("limited", 0) - before
                await_true("the limit's drops", lambda: limited() >= 95 - spent - 1, 5)
                self.assertLessEqual(limited(), 95)
                with self.counting(limited=0, steered=100):
                    self.datagrams("client", 100, vip)
                for _ in range(10):
                    self.page(vip, node="greedy")

    def test_filter_later_fragment_meets_no_rule_of_ports(self):
        self.apply(self.filtered({"name": "fragmented", "proto": "udp", "dport": 5353, "action": "drop"}))
        packet = IP(src="203.0.113.66", dst=self.lab.ip4("edge"), id=7)
        first = LINK / packet.copy() / UDP(sport=40000, dport=5353, len=40) / (b"x" * 16)
        first[IP].flags = "MF"
        later = LINK / packet.copy() / (b"\x9c\x40\x14\xe9" + b"y" * 12) # what would be those ports
        later[IP].frag, later[IP].proto = 3, 17
        with self.counting(rule=1, not_vip=0):
            self.wire(first)
        with self.counting(rule=0, not_vip=1):
            self.wire(later)

    def fragments(self, six, number, *parts):
        """Frames of one packet's fragments to the edge: (offset, whether more follow, bytes of its payload)."""
        family = self.lab.ip6 if six else self.lab.ip4
        for offset, more, data in parts:
            if six:
                yield (LINK / IPv6(src=family("attacker"), dst=family("edge"), nh=44) /
                       IPv6ExtHdrFragment(nh=17, offset=offset // 8, m=more, id=number) / data)
            else:
                yield LINK / IP(src=family("attacker"), dst=family("edge"), proto=17, id=number, frag=offset // 8,
                                flags="MF" if more else 0) / data

    def datagram_bytes(self, six, port, text):
        """A UDP header with a right checksum, and 64 bytes that it carries."""
        family = self.lab.ip6 if six else self.lab.ip4
        whole = (IPv6 if six else IP)(src=family("attacker"), dst=family("edge")) / UDP(sport=40000, dport=port) / (text * 16)
        return bytes(whole)[-72:]

    @contextlib.contextmanager
    def receiver(self, six, port):
        with self.inside("edge"), socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.bind(("", port))
            yield sock

    def test_filter_fragments_that_overlap_or_lie_get_nothing_past_a_rule_of_ports(self):
        self.apply(self.filtered({"name": "by-port", "proto": "udp", "dport": 5353, "action": "drop"}))
        for six in (False, True):
            good, bad, last = (self.datagram_bytes(six, port, text) for port, text in
                               ((8053, b"good"), (5353, b"bad "), (8053, b"last")))
            cases = (
                # what is sent, what the rule drops, how many datagrams arrive
                ("the port that is open", [(0, 1, good[:40]), (40, 0, good[40:])], 0, 1),
                ("the port of the rule", [(0, 1, bad[:40]), (40, 0, bad[40:])], 1, 0),
                ("its later fragment first", [(40, 0, bad[40:]), (0, 1, bad[:40])], 1, 0),
                ("another beginning over the first", [(0, 1, good[:40]), (0, 1, bad[:40]), (40, 0, bad[40:])], 1, 0),
                ("a later one over the header", [(0, 1, good[:16]), (8, 1, bad[8:40]), (40, 0, bad[40:])], 0, 0),
                ("a first one without ports", [(0, 1, bad[:4]), (8, 0, bad[8:])], 0, 0),
            )
            for number, (what, parts, dropped, arrive) in enumerate(cases, 1000):
                with self.subTest(what=what, six=six), self.receiver(six, 8053) as opened, self.receiver(six, 5353) as shut:
                    with self.counting(rule=dropped):
                        self.wire(*self.fragments(six, number, *parts), *self.fragments(six, number, (0, 0, last)))
                        got = list(iter(lambda sock=opened: sock.recv(2000), last[8:])) # they arrive in order
                    shut.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        got.append((shut.recv(2000), "of the rule's port"))
                    self.assertEqual(got, [good[8:]] * arrive)

    def test_filter_extension_headers_do_not_hide_a_port(self):
        self.apply(self.filtered({"name": "extended", "proto": "udp", "dport": 5353, "action": "drop"}))
        for headers, expected in ((0, {"rule": 1}), (1, {"rule": 1}), (6, {"rule": 1}), (7, {"rule": 0, "ipv6_chain": 1})):
            packet = LINK / IPv6(src=self.lab.ip6("attacker"), dst=self.lab.ip6("edge"))
            for _ in range(headers):
                packet /= IPv6ExtHdrDestOpt()
            with self.subTest(headers=headers), self.counting(not_vip=0, **expected):
                self.wire(packet / UDP(sport=40000, dport=5353) / b"datagram")


class FilterCommands(FilterTest):
    def test_filter_rule_disabled_and_enabled_by_command_acts_at_once(self):
        self.apply(self.filtered({"name": "switched", "from": self.addresses("attacker"), "action": "drop"}))
        for action, reason, mode in (("disable", "steered", "off"), ("enable", "rule", "enforce"),
                                     ("shadow", "steered", "shadow"), ("reset", "rule", "enforce")):
            with self.subTest(action=action):
                self.edge.weir("rule", action, "switched")
                self.assertEqual(self.fate("attacker"), reason)
                self.assertEqual(self.rules()["switched"]["mode"], mode)

    def test_filter_rule_disabled_by_command_stays_so_over_restart_and_apply(self):
        rule = {"name": "kept-off", "from": self.addresses("attacker"), "action": "drop"}
        self.apply(self.filtered(rule))
        self.addCleanup(self.edge.weir, "rule", "reset", "kept-off")
        self.edge.weir("rule", "disable", "kept-off")
        self.restart()
        self.assertEqual(self.fate("attacker"), "steered")
        self.apply(self.filtered({"name": "beside", "from": "192.0.2.250", "action": "drop"}, rule))
        self.assertEqual(self.fate("attacker"), "steered")
        self.assertEqual(self.rules()["kept-off"]["mode"], "off")
        self.edge.weir("rule", "reset", "kept-off")
        self.assertEqual(self.fate("attacker"), "rule")

    def test_filter_command_for_a_rule_that_is_not_there_is_refused(self):
        self.apply(self.filtered({"name": "only-one", "from": self.addresses("attacker"), "action": "drop"}))
        generation = self.generation()
        done = self.edge.weir("rule", "disable", "only-won", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("only-one", done.stderr)
        self.assertEqual(self.generation(), generation)

    def test_filter_rule_that_has_expired_does_nothing(self):
        self.apply(self.filtered({"name": "long-ago", "from": OUTSIDE, "action": "drop", "expires": "2020-01-01"}))
        for vip in VIPS:
            with self.counting(steered=5, rule=0):
                self.datagrams("client", 5, vip)
        self.assertEqual(self.hits("long-ago"), 0)

    def test_filter_rule_that_expires_stops_to_act_by_itself(self):
        self.apply(self.filtered({"name": "until-soon", "from": self.addresses("attacker"), "action": "drop",
                                  "expires": in_seconds(8)}))
        self.assertEqual(self.fate("attacker"), "rule")
        self.edge.service.kill() # nobody needs to take it out
        self.edge.service.popen.wait()
        self.await_fate("attacker", "steered", 30)

    def test_filter_counters_outlive_apply_reorder_and_restart(self):
        counted = {"name": "counted", "from": self.addresses("attacker"), "action": "drop"}
        others = [{"name": f"other-{n}", "from": f"192.0.2.{100 + n}", "action": "drop"} for n in range(3)]
        self.apply(self.filtered(counted, *others))
        with self.counting(rule=9):
            self.datagrams("attacker", 9)
        row = self.rules()["counted"]
        self.assertGreaterEqual(row["bytes"], 9 * 50)
        for change in (lambda: self.apply(self.filtered(*others, counted)), lambda: self.apply(self.filtered(others[2], counted)),
                       self.restart):
            change()
            again = self.rules()["counted"]
            self.assertEqual((again["packets"], again["bytes"]), (row["packets"], row["bytes"]))
            self.assertEqual(self.hits("other-2"), 0)
        with self.counting(rule=1):
            self.datagrams("attacker", 1)
        self.assertEqual(self.hits("counted"), row["packets"] + 1)


class FilterExplained(FilterTest):
    def policy_that_names(self):
        return self.filtered({"name": "named", "from": self.addresses("attacker"), "action": "drop"},
                             {"name": "named-reset", "proto": "tcp", "dport": 80, "from": self.addresses("greedy"),
                              "action": "reject"})

    def test_filter_explain_names_the_rule_and_counts_nothing(self):
        self.apply(self.policy_that_names())
        for vip, family in ((VIP4, self.lab.ip4), (VIP6, self.lab.ip6)):
            for node, rule, verdict, reason in (("attacker", "named", "drop", "rule"),
                                                ("greedy", "named-reset", "tx", "rule-reject")):
                with self.subTest(vip=vip, node=node):
                    said = self.edge.json("explain", "--src", family(node), "--dst", vip, "--dport", 80, "--syn")
                    self.assertEqual((said["verdict"], said["reason"]), (verdict, reason))
                    self.assertEqual(said["rule"].split()[-1], rule)
        self.assertEqual((self.hits("named"), self.hits("named-reset")), (0, 0))

    def test_filter_replay_names_the_rule_of_live_tables_and_of_a_candidate(self):
        policy, capture = self.policy_that_names(), self.lab.dir / "filter.pcap"
        candidate = self.lab.dir / "filter-candidate.yaml"
        candidate.write_text(json.dumps(policy))
        wrpcap(str(capture), [LINK / IP(src=self.lab.ip4(node), dst=VIP4) / UDP(sport=40000, dport=80) / b"datagram"
                              for node in ("client", "attacker")])
        for argv in (["-c", candidate], []):
            with self.subTest(argv=argv):
                if not argv:
                    self.apply(policy)
                done = self.lab.run("edge", [self.lab.build / "weir", "replay", "--pcap", capture, "--json", *argv],
                                    env=dict(os.environ, WEIR_PINS=str(self.lab.pins / "edge")))
                client, attacker = (json.loads(line) for line in done.stdout.splitlines())
                self.assertEqual((client["reason"], attacker["reason"]), ("steered", "rule"))
                self.assertNotIn("rule", client)
                self.assertEqual(attacker["rule"].split()[-1], "named")
