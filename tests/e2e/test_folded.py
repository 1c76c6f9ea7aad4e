# SPDX-License-Identifier: BSD-2-Clause
"""Live entries without an end move into the address tables by themselves, and nobody notices but by what packets cost."""

import contextlib

import services
from filtering import FilterTest
from shared import VIP4, VIP6, await_true

MANY = 10_000


class Folded(FilterTest):
    def tearDown(self):
        for list_ in ("deny", "allow"):
            prefixes = [row["prefix"] for row in self.edge.json(list_, "list")["entries"]]
            if prefixes:
                self.edge.weir(list_, "del", *prefixes)
        self.apply(self.shared.policy()) # without the tombstones

    def bans(self):
        return self.edge.json("status")["bans"]

    def import_many(self, list_="deny", *also):
        """MANY hosts and nets that nobody in the lab has, and others."""
        path = self.lab.dir / "many.txt"
        many = [f"100.64.{n >> 7}.{(n & 127) * 2}{'' if n % 3 else '/31'}" for n in range(MANY)]
        path.write_text("".join(f"{word}\n" for word in [*many, *also]))
        self.edge.weir(list_, "import", path, "--note", "one of many")

    def await_folded(self, folded):
        def now():
            bans = self.bans()
            return bans["folded"] == folded and bans["waiting"] == 0 and bans["tombstones"] == 0
        await_true(f"{folded} entries folded", now, 60, every=0.1)

    def expect(self, node, reason, *addresses):
        for vip in addresses or (VIP4, VIP6):
            with self.counting(**{reason: 3}):
                self.datagrams(node, 3, vip)

    @contextlib.contextmanager
    def load(self):
        """Requests by both families during the block: none of them may be lost."""
        loads = [services.load(self.lab, "client", 12, 12, address=vip, timeout=10, name=f"load-{number}")
                 for number, vip in enumerate((VIP4, VIP6))]
        yield
        for service in loads:
            result = services.load_result(service)
            self.assertGreater(result["requests"], 50)
            self.assertEqual(result["failed"], 0, result)

    def test_folded_import_of_10000_acts_at_once_and_from_the_tables(self):
        with self.load():
            self.import_many("deny", *self.addresses("attacker"))
            self.expect("attacker", "denied")
            self.await_folded(MANY + 2)
            self.assertEqual(self.bans()["overlay"], 0)
            self.expect("attacker", "denied")
        self.expect("greedy", "steered")

    def test_folded_entry_that_leaves_or_comes_acts_at_once(self):
        self.import_many("deny", *self.addresses("attacker"))
        self.await_folded(MANY + 2)
        self.edge.weir("deny", "del", self.lab.ip4("attacker"))
        self.expect("attacker", "steered", VIP4)
        self.expect("attacker", "denied", VIP6)
        self.assertEqual((self.bans()["tombstones"], self.bans()["deny"]), (1, MANY + 1))
        self.edge.weir("deny", "add", self.lab.ip4("greedy"))
        self.expect("greedy", "denied", VIP4)
        listed = {row["prefix"]: row["note"] for row in self.edge.json("deny", "list")["entries"]}
        self.assertEqual(len(listed), MANY + 2)
        self.assertEqual(listed["100.64.0.2"], "one of many")
        self.assertNotIn(self.lab.ip4("attacker"), listed)
        # An apply for any reason takes the few along.
        self.apply(self.filtered(default="pass"))
        self.await_folded(MANY + 2)
        self.expect("attacker", "steered", VIP4)
        self.expect("attacker", "denied", VIP6)
        self.expect("greedy", "denied", VIP4)

    def test_folded_entries_are_kept_over_a_restart_a_kill_and_the_loss_of_the_pins(self):
        self.import_many("deny", *self.addresses("attacker", "greedy"))
        self.await_folded(MANY + 4)
        self.edge.weir("deny", "del", *self.addresses("greedy"))
        before = self.edge.json("deny", "list")
        for what in ("stopped", "killed", "without pins"):
            with self.subTest(what=what):
                if what == "killed":
                    self.edge.service.kill()
                else:
                    self.edge.service.stop()
                if what == "without pins":
                    self.edge.weir("detach", "--all", "--pins", f"{self.lab.pins}/edge")
                self.edge.start()
                self.assertEqual(self.edge.json("deny", "list"), before)
                self.expect("attacker", "denied")
                self.expect("greedy", "steered")

    def test_folded_entry_that_gets_an_end_ends(self):
        address = self.lab.ip4("attacker")
        self.import_many("deny", *self.addresses("attacker"))
        self.await_folded(MANY + 2)
        self.edge.weir("deny", "add", address, "--for", "3s")
        self.expect("attacker", "denied")
        await_true("the end of the entry", lambda: address not in
                   [row["prefix"] for row in self.edge.json("deny", "list")["entries"]], 8, every=0.2)
        self.expect("attacker", "steered", VIP4)
        self.expect("attacker", "denied", VIP6)

    def test_folded_deny_is_beaten_by_any_allow_and_an_allow_stays_one(self):
        self.import_many("deny", *self.addresses("attacker"))
        self.await_folded(MANY + 2)
        self.edge.weir("allow", "add", f"{self.lab.ip4('attacker')}", "2001:db8::/32")
        self.expect("attacker", "steered")
        self.edge.weir("allow", "del", f"{self.lab.ip4('attacker')}", "2001:db8::/32")
        self.expect("attacker", "denied")
        # The other way round: allows that are folded, and a deny that comes.
        self.edge.weir("allow", "add", *self.addresses("greedy"))
        self.apply(self.filtered(default="pass"))
        self.await_folded(MANY + 4)
        self.edge.weir("deny", "add", *self.addresses("greedy"))
        self.expect("greedy", "steered")
        self.edge.weir("allow", "del", *self.addresses("greedy"))
        self.expect("greedy", "denied")

    def test_folded_entry_is_named_by_explain(self):
        address = self.lab.ip4("attacker")
        net = address.rsplit(".", 1)[0] + ".64/26"
        self.import_many("deny", address)
        self.await_folded(MANY + 1)
        said = self.edge.json("explain", "--src", address, "--dst", VIP4, "--proto", "udp", "--dport", "80")
        self.assertEqual((said["reason"], said["rule"]), ("denied", f"deny {address}"))
        self.edge.weir("deny", "add", net)
        said = self.edge.json("explain", "--src", address, "--dst", VIP4, "--proto", "udp", "--dport", "80")
        self.assertEqual(said["rule"], f"deny {net}")
