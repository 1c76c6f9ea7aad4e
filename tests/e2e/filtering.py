# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of the filter share: policies with rules and sets, list files, and questions about both."""

import os

from lab import WAN4, WAN6
from shared import VIP4, SharedEdgeTest, await_true

OUTSIDE = [f"{WAN4}0/24", f"{WAN6}/64"]


class FilterTest(SharedEdgeTest):
    def addresses(self, *nodes):
        return [address for node in nodes for address in (self.lab.ip4(node), self.lab.ip6(node))]

    def filtered(self, *rules, default="pass", **sections):
        """The policy with these rules; sections of the policy are added or replaced."""
        policy = self.policy()
        policy["filter"] = {"default": default, **({"rules": list(rules)} if rules else {})}
        policy.update(sections)
        return policy

    # --- questions -------------------------------------------------------------------------------------------
    def rules(self):
        return {row["rule"]: row for row in self.edge.json("rule", "list")["rules"]}

    def hits(self, rule):
        return self.rules()[rule]["packets"]

    def set(self, name):
        return next(row for row in self.edge.json("set", "list")["sets"] if row["set"] == name)

    def refresh(self, name, *argv):
        """(whether it was taken, what was said)"""
        done = self.edge.weir("set", "refresh", name, *argv, check=False)
        return done.returncode == 0, done.stderr

    def restart(self):
        self.edge.service.stop()
        self.edge.start()

    # --- list files ------------------------------------------------------------------------------------------
    def list_path(self, name):
        directory = self.lab.dir / "lists"
        directory.mkdir(exist_ok=True)
        return directory / f"{name}.netset"

    def write_list(self, name, lines):
        """As those who publish lists should: a new file is renamed over the old one."""
        path = self.list_path(name)
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(f"{line}\n" for line in lines))
        os.replace(fresh, path)
        return str(path)

    # --- traffic ---------------------------------------------------------------------------------------------
    def fate(self, node, address=VIP4):
        """The reason that one datagram of the node to a service is counted under: "rule" or "steered"."""
        before = self.counts()
        self.datagrams(node, 1, address)

        def reason():
            now = self.counts()
            return next((r for r in ("rule", "steered") if now.get(r, 0) > before.get(r, 0)), None)
        return await_true("the datagram counted", reason, 5)

    def await_fate(self, node, reason, seconds=15):
        await_true(f"{node} met by \"{reason}\"", lambda: self.fate(node) == reason, seconds, every=0.1)
