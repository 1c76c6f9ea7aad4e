# SPDX-License-Identifier: BSD-2-Clause
"""List files under live rules: what changes them acts by itself, what breaks them does not reach the policy."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import subprocess

import services
from filtering import FilterTest
from lab import REPO
from shared import VIP4, VIP6, await_true

# So that an entry more or less is a small change.
PADDING = [*(f"192.0.2.{n}" for n in range(100, 180, 2)), *(f"2001:db8:2::{n:x}" for n in range(0x100, 0x178, 3))]
MANY = 1_000_000
HURT = re.compile(r"soft lockup|hard LOCKUP|rcu.*stall|blocked for more than|hung task", re.IGNORECASE)


class FilterSets(FilterTest):
    def follow(self, name, **options):
        """A policy that drops what the list of this name holds, and looks at its file every second."""
        policy = self.listing(name, **{"refresh": "1s", **options})
        self.apply(policy)
        return policy

    def listing(self, name, **options):
        return self.filtered({"name": f"rule-{name}", "from": f"@{name}", "action": "drop"},
                             sets={name: {"file": str(self.list_path(name)), **options}})

    def denied(self, *nodes):
        return [*self.addresses(*nodes), *PADDING]

    def await_held(self, name):
        return await_true("the list held back", lambda: self.set(name).get("why"), 15, every=0.1)

    # --- changes ---------------------------------------------------------------------------------------------
    def test_filter_list_denies_its_sources_and_no_others(self):
        self.write_list("plain", ["# of the lab", *self.denied("attacker")])
        self.follow("plain")
        for vip in (VIP4, VIP6):
            with self.counting(rule=7, steered=5):
                self.datagrams("attacker", 7, vip)
                self.datagrams("client", 5, vip)
        row = self.set("plain")
        self.assertEqual((row["prefixes"], row["held"], row["rules"]), (len(PADDING) + 2, False, ["rule-plain"]))

    def test_filter_list_that_changes_acts_without_a_command(self):
        self.write_list("changing", self.denied("attacker"))
        self.follow("changing", max_change="50%")
        self.assertEqual(self.fate("greedy"), "steered")
        self.write_list("changing", self.denied("attacker", "greedy"))
        self.await_fate("greedy", "rule")
        self.assertEqual(self.fate("attacker"), "rule")
        self.write_list("changing", self.denied("greedy"))
        self.await_fate("attacker", "steered")
        for vip in (VIP4, VIP6):
            self.assertEqual(self.fate("greedy", vip), "rule")

    def test_filter_set_refresh_reads_the_list_at_once(self):
        self.write_list("hourly", self.denied("attacker"))
        self.follow("hourly", refresh="1h")
        self.write_list("hourly", self.denied("greedy"))
        self.assertTrue(self.refresh("hourly")[0])
        self.assertEqual((self.fate("attacker"), self.fate("greedy")), ("steered", "rule"))

    def test_filter_set_lookup_names_the_sets_and_the_entry_that_hold_an_address(self):
        self.write_list("looked-up", ["203.0.113.64/26", *PADDING])
        policy = self.listing("looked-up")
        policy["sets"]["office"] = ["203.0.113.66/32", "2001:db8:1::/64"]
        self.apply(policy)
        said = self.edge.json("set", "lookup", "203.0.113.66")["sets"]
        self.assertEqual({row["set"]: row["entry"] for row in said},
                         {"looked-up": "203.0.113.64/26", "office": "203.0.113.66"})
        self.assertEqual(self.edge.json("set", "lookup", "203.0.113.10")["sets"], [])

    # --- what breaks -----------------------------------------------------------------------------------------
    def breakages(self, path):
        """(what happens to the file, a word of why, whether it can be accepted)"""
        whole = path.read_text().splitlines() # the attacker's two addresses first
        more = [f"192.0.2.{n}" for n in range(1, 255)]
        return [
            ("garbage", lambda: self.write_list(path.stem, [*whole, "<html>502 Bad Gateway</html>"]),
             f"{path}:{len(whole) + 1}", False),
            ("gone", path.unlink, "is not there", False),
            ("halved", lambda: self.write_list(path.stem, whole[len(whole) // 2:]), "%", True),
            ("doubled", lambda: self.write_list(path.stem, whole[2:] + more), "%", True),
            ("emptied", lambda: self.write_list(path.stem, ["# nothing today"]), "to none", True),
        ]

    def test_filter_list_that_breaks_is_held_back_and_the_old_entries_go_on_denying(self):
        self.write_list("breaking", self.denied("attacker"))
        path, generation = self.list_path("breaking"), None
        self.follow("breaking", max_change="30%")
        for what, do, why, acceptable in self.breakages(path):
            with self.subTest(what=what):
                self.write_list("breaking", self.denied("attacker"))
                self.refresh("breaking", "--accept")
                await_true("the whole list in use", lambda: not self.set("breaking").get("why"), 15)
                generation = self.generation()
                do()
                self.assertIn(why, self.await_held("breaking"))
                self.assertEqual(self.set("breaking")["held"], acceptable)
                self.assertEqual(self.generation(), generation)
                for vip in (VIP4, VIP6):
                    self.assertEqual(self.fate("attacker", vip), "rule")
                self.assertIn("set \"breaking\"", self.log())
                taken, said = self.refresh("breaking")
                self.assertFalse(taken)
                self.assertEqual("--accept" in said, acceptable)
                self.assertEqual(self.refresh("breaking", "--accept")[0], acceptable)
                self.assertEqual(self.fate("attacker"), "steered" if acceptable else "rule")

    def test_filter_list_that_comes_back_whole_is_in_use_again(self):
        self.write_list("returning", self.denied("attacker"))
        self.follow("returning")
        path = self.list_path("returning")
        aside = path.with_suffix(".aside")
        path.rename(aside)
        self.await_held("returning")
        aside.rename(path)
        await_true("the list in use again", lambda: not self.set("returning").get("why"), 15)
        self.assertEqual(self.fate("attacker"), "rule")

    def test_filter_restart_while_the_list_is_broken_has_the_last_good_version(self):
        for what in ("garbage", "gone", "emptied"):
            name = f"restarted-{what}"
            with self.subTest(what=what):
                self.write_list(name, self.denied("attacker"))
                self.follow(name, max_change="30%")
                do = next(row[1] for row in self.breakages(self.list_path(name)) if row[0] == what)
                self.edge.service.stop()
                do()
                self.edge.start()
                for vip in (VIP4, VIP6):
                    self.assertEqual(self.fate("attacker", vip), "rule")
                row = self.set(name)
                self.assertEqual((row["prefixes"], row["restored"]), (len(PADDING) + 2, True))
                self.assertTrue(row["why"])

    def test_filter_list_that_is_empty_from_the_start_matches_nobody(self):
        for name, lines in (("void", []), ("comments", ["# nothing today", ";", ""]), ("array", ["[]"])):
            with self.subTest(name=name):
                self.write_list(name, lines)
                self.follow(name)
                for vip in (VIP4, VIP6):
                    self.assertEqual(self.fate("attacker", vip), "steered")
                self.assertEqual(self.set(name)["prefixes"], 0)
                self.write_list(name, ["203.0.113.66", "2001:db8:1::66"])
                self.refresh(name)
                self.assertEqual(self.fate("attacker"), "rule") # the rule was there all along

    # --- what is refused -------------------------------------------------------------------------------------
    def assert_refused(self, policy, *words):
        generation = self.generation()
        path = self.lab.dir / "refused.yaml"
        path.write_text(json.dumps(policy))
        done = self.edge.weir("apply", path, check=False)
        self.assertEqual(done.returncode, 1)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.generation(), generation)

    def test_filter_apply_of_a_list_that_does_not_parse_is_refused_with_its_line(self):
        self.write_list("parsed", self.denied("attacker"))
        self.follow("parsed")
        other = self.write_list("unparsed", ["192.0.2.1", "# two", "192.0.2.0/33"])
        self.assert_refused(self.listing("unparsed"), f"{other}:3")
        self.assert_refused(self.listing("missing"), "is not there")
        # The same set, of another file: what the one before said is no reason to take this one.
        policy = self.listing("parsed")
        policy["sets"]["parsed"]["file"] = other
        self.assert_refused(policy, f"{other}:3")
        self.assertEqual(self.fate("attacker"), "rule")

    def test_filter_apply_that_is_refused_leaves_the_lists_followed(self):
        self.write_list("followed", self.denied("attacker"))
        policy = self.follow("followed", refresh="1h")
        self.write_list("followed", self.denied("greedy"))
        policy["sets"]["broken"] = {"file": self.write_list("broken", ["nonsense"])}
        self.assert_refused(policy, "broken")
        self.await_fate("greedy", "rule") # it was read for that apply, so it acts
        self.assertEqual(self.fate("attacker"), "steered")
        self.assertEqual(self.set("followed")["prefixes"], len(PADDING) + 2)
        self.write_list("followed", self.denied("attacker"))
        self.assertTrue(self.refresh("followed")[0])
        self.assertEqual(self.fate("attacker"), "rule")

    def test_filter_apply_of_more_prefixes_than_fit_is_refused_with_the_limit(self):
        self.write_list("fitting", self.denied("attacker"))
        self.follow("fitting")
        path = self.write_list("wide", [f"{n >> 8}.{n & 255}.0.1-{n >> 8}.{n & 255}.255.254" for n in range(1 << 16)])
        policy = self.listing("wide") # each range is 30 prefixes
        policy["sets"].update({name: {"file": path} for name in ("wider", "widest")})
        self.assert_refused(policy, "WEIR_MAX_PREFIXES", "5898240 prefixes")
        self.assertEqual(self.fate("attacker"), "rule")

    def beyond_capacities(self):
        """(name of the limit, a policy that is one beyond it)"""
        rule = {"from": "@many", "action": "drop"}
        yield "WEIR_MAX_RULES", self.filtered(*({"proto": "udp", "dport": n, "action": "drop"} for n in range(4097)))
        yield "WEIR_MAX_SETS", self.filtered(rule, sets={"many": [], **{f"s{n}": [] for n in range(256)}})
        yield "WEIR_MAX_LIVE_LIMITS", self.filtered(limits=[{"rate": f"{n}/s"} for n in range(1, 10)])
        yield "WEIR_MAX_PROTECT", self.filtered(protect=[{"from": [f"192.0.2.{n}" for n in range(65)]}])
        yield "WEIR_MAX_INTERFACES", self.filtered(interfaces=["eth0", *(f"none{n}" for n in range(16))])
        backends = [{"address": f"10.{n >> 8}.{n & 255}.1"} for n in range(16384)]
        yield "WEIR_MAX_BACKENDS", self.filtered(pools={"local": {"backends": backends}})
        service = {"ports": "tcp/80", "pools": "local"}
        yield "WEIR_MAX_SERVICES", self.filtered(services=[{"address": f"10.{n >> 8}.{n & 255}.1", **service}
                                                           for n in range(4096)])
        yield "WEIR_MAX_VIPS", self.filtered(services=[{"address": [f"10.{n >> 8}.{n & 255}.1" for n in range(8193)], **service}])
        yield "WEIR_MAX_PORTS", self.filtered(services=[{"address": ["10.0.0.1", "10.0.0.2", "10.0.0.3"], "pools": "local",
                                                         "ports": "tcp/1-65535"}])
        yield "WEIR_MAX_PREFIXES", self.filtered(rule, sets={"many": {"file": self.write_list(
            "prefixes", (f"{n >> 16}.{n >> 8 & 255}.{n & 255}.1" for n in range(1 << 16, (1 << 16) + 4194305)))}})
        # One address in each combination of seventeen sets, of 2^16 + 1: none is the class of no set.
        sets = {f"bit{bit}": {"file": self.write_list(f"bit{bit}", (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(1, 65537)
                                                                     if n >> bit & 1))} for bit in range(17)}
        yield "WEIR_MAX_CLASSES", self.filtered({"from": [f"@{name}" for name in sets], "action": "drop"}, sets=sets)

    def test_filter_apply_beyond_each_capacity_is_refused_with_its_name_and_changes_nothing(self):
        self.write_list("within", self.denied("attacker"))
        self.follow("within")
        generation = self.generation()
        for limit, policy in self.beyond_capacities():
            with self.subTest(limit=limit):
                self.assert_refused(policy, limit)
                self.assertEqual(list(self.rules()), ["rule-within"])
                self.assertEqual(self.fate("attacker"), "rule")
        self.assertEqual(self.generation(), generation)

    # --- size ------------------------------------------------------------------------------------------------
    def make_lists(self, names):
        """MANY prefixes and the attacker; in each version but the first, another one of a hundred is missing."""
        first = self.list_path(names[0])
        subprocess.run([REPO / "tests/lab/make-list", "--count", str(MANY), "--output", first], check=True, timeout=300)
        lines = first.read_text().splitlines(keepends=True)
        for number, name in enumerate(names):
            kept = lines if not number else [line for n, line in enumerate(lines) if n % 100 != number]
            with self.list_path(name).open("w") as file:
                file.writelines([*kept, *(f"{address}\n" for address in self.addresses("attacker"))])

    @contextlib.contextmanager
    def load(self):
        """Requests by both families during the block: none of them may be lost."""
        loads = [services.load(self.lab, node, 12, 20, address=vip, timeout=10, name=f"load-{node}")
                 for node, vip in (("client", VIP4), ("greedy", VIP6))]
        yield
        for service in loads:
            result = services.load_result(service)
            self.assertGreater(result["requests"], 50)
            self.assertEqual(result["failed"], 0, result)

    @contextlib.contextmanager
    def kernel_unhurt(self):
        """The kernel's log gets no line during the block about a processor or a grace period that is held up."""
        with open("/dev/kmsg", "rb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as log:
            log.seek(0, os.SEEK_END)
            yield
            lines = []
            while True:
                try:
                    record = log.read(8192)
                except BrokenPipeError: # overwritten meanwhile: the next one is read
                    continue
                if not record: # EAGAIN: no more
                    break
                lines.append(record.decode(errors="replace"))
        self.assertEqual([line for line in lines if HURT.search(line)], [])

    def apply_beside_live_entries(self, policy):
        """Applies, and returns how many live entries were taken meanwhile."""
        taken = 0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            applied = pool.submit(self.apply, policy)
            while not applied.done():
                self.edge.weir("deny", "add", f"192.0.2.{200 + taken % 50}")
                taken += not applied.done()
        applied.result()
        self.edge.weir("deny", "del", *(f"192.0.2.{200 + n}" for n in range(min(taken, 50))))
        return taken

    def test_filter_list_of_a_million_prefixes_is_loaded_and_changed_without_a_lost_request(self):
        names = ["large", "next-1", "next-2"]
        self.make_lists(names)
        policy = self.listing("large", refresh="1s", max_change="30%")
        with self.kernel_unhurt(), self.load():
            self.assertGreater(self.apply_beside_live_entries(policy), 2)
            self.assertGreater(self.set("large")["prefixes"], MANY * 0.9)
            for said in ("reading its list", "read in"): # that large a list is told about
                self.assertIn(f'set "large": {said}', self.log())
            for change in (1, 2):
                before = self.generation()
                pathlib.Path(self.list_path(names[change])).rename(self.list_path("large"))
                await_true("the changed list live", lambda before=before: self.generation() > before, 60)
                policy["filter"]["rules"].append({"name": f"more-{change}", "from": f"192.0.2.{change}", "action": "drop"})
                self.apply(policy)
                self.await_fate("attacker", "rule")
            self.apply(self.shared.policy())
            self.apply(policy)
        for vip in (VIP4, VIP6):
            with self.counting(rule=5, steered=5):
                self.datagrams("attacker", 5, vip)
                self.datagrams("client", 5, vip)
