# SPDX-License-Identifier: BSD-2-Clause
"""The mark of a rule in the kernel behind the edge: who gets it, what it survives, and that it goes with its rule."""

import json
import subprocess
import unittest

from filtering import FilterTest
from shared import await_true

MARK = 0xbeef
TABLE = """
table inet marks {{
    counter marked {{}}
    counter other {{}}
    chain input {{
        type filter hook prerouting priority raw
        udp dport 7777 meta mark {mark:#x} counter name marked
        udp dport 7777 meta mark != {mark:#x} counter name other
    }}
}}
"""


class FilterMark(FilterTest):
    def setUp(self):
        super().setUp()
        self.nft("-f", "-", input=TABLE.format(mark=MARK))
        self.addCleanup(self.nft, "delete", "table", "inet", "marks")

    def nft(self, *argv, **options):
        return subprocess.run(self.lab.argv("edge", ["nft", *argv]), check=True, text=True, capture_output=True, timeout=30,
                              **options).stdout

    def marked_and_other(self):
        rows = json.loads(self.nft("-j", "list", "counters", "table", "inet", "marks"))["nftables"]
        found = {row["counter"]["name"]: row["counter"]["packets"] for row in rows if "counter" in row}
        return found["marked"], found["other"]

    def marking(self, *nodes, **options):
        return self.filtered({"name": "marked", "from": self.addresses(*nodes), "proto": "udp", "mark": MARK, **options})

    def assert_marks(self, node, marked, other):
        """Of two datagrams of the node, by either family one, so many come with the mark and without it."""
        before = self.marked_and_other()
        for address in (self.lab.ip4("edge"), self.lab.ip6("edge")):
            self.datagrams(node, 1, address, 7777)

        def grown():
            now = self.marked_and_other()
            return now[0] - before[0], now[1] - before[1]
        await_true("both datagrams", lambda: sum(grown()) == 2, 5)
        self.assertEqual(grown(), (marked, other), node)

    def pins(self):
        """Of the program that sets marks."""
        return sorted(path.name for path in (self.lab.pins / "edge").iterdir()
                      if path.name.startswith(("mark-", "tc-", "clsact-")))

    def test_filter_mark_is_on_the_packets_of_its_rule_alone(self):
        self.apply(self.marking("client"))
        before = self.hits("marked")
        with self.counting(unmarked=0):
            self.assert_marks("client", 2, 0)
            self.assert_marks("greedy", 0, 2)
        self.assertEqual(self.hits("marked") - before, 2)
        self.page(node="client") # a rule that marks passes

    def test_filter_mark_of_a_shadow_or_a_rule_that_is_off_is_on_nothing(self):
        for mode in ("shadow", "off"):
            self.apply(self.marking("client", mode=mode))
            self.assert_marks("client", 0, 2)
        self.edge.weir("rule", "enable", "marked")
        self.assert_marks("client", 2, 0)
        self.edge.weir("rule", "disable", "marked")
        self.assert_marks("client", 0, 2)
        self.edge.weir("rule", "reset", "marked")

    def test_filter_mark_goes_with_the_last_rule_that_marks(self):
        self.assertEqual(self.pins(), [])
        self.apply(self.marking("client"))
        self.assertEqual(len(self.pins()), 1)
        self.apply(self.filtered({"name": "marked", "from": self.addresses("client"), "action": "pass"}))
        self.assertEqual(self.pins(), [])
        self.assert_marks("client", 0, 2)
        self.await_log("the program that sets the marks of rules is taken off")

    def test_filter_mark_outlives_the_controller_and_its_successor_keeps_it(self):
        self.apply(self.marking("client"))
        self.edge.service.kill()
        self.edge.service.popen.wait()
        self.assert_marks("client", 2, 0)
        self.edge.path.write_text(json.dumps(self.marking("client")))
        self.edge.start()
        self.assert_marks("client", 2, 0)
        self.assertEqual(len(self.pins()), 1)
        self.edge.service.stop()
        self.edge.path.write_text(json.dumps(self.policy()))
        self.edge.start()
        self.assertEqual(self.pins(), [])

    def test_filter_mark_comes_back_with_the_nic(self):
        self.apply(self.marking("client"))
        self.lab.unplug("edge")
        self.lab.plug("edge")
        await_true("the NIC attached", lambda: self.edge.json("status")["interfaces"][0]["mode"] == "native", 10)
        self.assert_marks("client", 2, 0)

    def test_filter_mark_leaves_the_filters_of_others_alone(self):
        def tc(*argv):
            return self.lab.run("edge", ["tc", *argv]).stdout

        tc("qdisc", "add", "dev", "eth0", "clsact")
        self.addCleanup(tc, "qdisc", "del", "dev", "eth0", "clsact")
        tc("filter", "add", "dev", "eth0", "ingress", "protocol", "ip", "prio", "1", "u32", "match", "ip", "dport", "7778",
           "0xffff", "flowid", "1:1")
        self.apply(self.marking("client"))
        self.assert_marks("client", 2, 0)
        self.apply(self.policy())
        self.assertIn("u32", tc("filter", "show", "dev", "eth0", "ingress"))
        self.assertNotIn("bpf", tc("filter", "show", "dev", "eth0", "ingress"))

    def test_filter_mark_is_taken_off_by_detach(self):
        self.apply(self.marking("client"))
        self.edge.service.stop()
        self.edge.weir("detach", "eth0")
        self.assertEqual(self.pins(), [])

    def test_filter_mark_is_in_what_explain_says(self):
        self.apply(self.marking("client"))
        done = self.edge.weir("explain", "--src", self.lab.ip4("client"), "--dst", self.lab.ip4("edge"), "--proto", "udp",
                              "--dport", "7777")
        self.assertIn(f"rule marked (mark {MARK:#x})", done.stdout)


if __name__ == "__main__":
    unittest.main()
