# SPDX-License-Identifier: BSD-2-Clause
"""The way to the backends kept open: neighbours, routes, devices; and what the controller says when it is not."""

import json
import unittest

from shared import SharedEdgeTest, await_true, services

LIST_SIZE = 40000 # more than a page of the control protocol
VALID = {"REACHABLE", "STALE", "DELAY", "PROBE"}


class EdgePaths(SharedEdgeTest):
    def with_backend(self, address):
        policy = self.policy()
        policy["pools"]["other"] = {"forward": "ipip", "backends": [{"name": "far", "address": address}]}
        policy["services"][0]["pools"].append("other")
        return policy

    def warnings(self, policy):
        self.edge.path.with_name("checked.yaml").write_text(json.dumps(policy))
        return "\n".join(self.edge.json("check", self.edge.path.with_name("checked.yaml"))["warnings"])

    # --- neighbours ------------------------------------------------------------------------------------------
    def known_caches(self):
        rows = json.loads(self.lab.run("edge", ["ip", "-j", "neigh", "show", "dev", "eth0"]).stdout)
        known = {row["dst"] for row in rows if VALID & set(row["state"])}
        return {name for name in self.lab.cache_names() if self.lab.ip4(name) in known}

    def test_edge_pool_without_health_neighbours_are_found_again(self):
        policy = self.policy()
        del policy["pools"]["local"]["health"]
        self.apply(policy)
        caches = set(self.lab.cache_names())
        for _ in range(2): # nothing but the controller asks for them
            self.lab.run("edge", ["ip", "neigh", "flush", "dev", "eth0"])
            await_true("the caches' link addresses known again", lambda: self.known_caches() == caches, 12)
        served = set()
        await_true("pages from every cache", lambda: served.add(self.page()) or served == caches, 10, 0)

    # --- routes and devices ----------------------------------------------------------------------------------
    def test_edge_backend_without_route_is_named_by_check_and_apply(self):
        self.lab.run("edge", ["ip", "route", "add", "unreachable", "10.99.0.0/24"])
        self.addCleanup(self.lab.run, "edge", ["ip", "route", "del", "unreachable", "10.99.0.0/24"])
        policy = self.with_backend("10.99.0.1")
        self.assertRegex(self.warnings(policy), "other/far: this host has no route there")
        self.assertRegex(self.apply(policy).stderr, "other/far: this host has no route there")
        self.await_log("other/far: this host has no route there")

    def test_edge_route_after_the_apply_gives_the_tunnel_its_source(self):
        self.lab.run("edge", ["ip", "route", "add", "unreachable", "10.99.1.0/24"])
        self.apply(self.with_backend("10.99.1.1"))
        generation = self.generation()
        self.lab.run("edge", ["ip", "route", "del", "unreachable", "10.99.1.0/24"])
        await_true("a generation with the new source", lambda: self.generation() == generation + 1, 12)

    def test_edge_route_by_a_device_that_takes_no_packets_is_told(self):
        for argv in (["link", "add", "br9", "type", "bridge"], ["addr", "add", "10.98.0.1/24", "dev", "br9"],
                     ["link", "set", "br9", "up"]):
            self.lab.run("edge", ["ip", *argv])
        self.addCleanup(self.lab.run, "edge", ["ip", "link", "del", "br9"])
        policy = self.with_backend("10.98.0.5")
        self.assertRegex(self.warnings(policy), "other/far: the route leaves by br9, a bridge device")
        self.assertRegex(self.apply(policy).stderr, "other/far: the route leaves by br9, a bridge device")
        policy["interfaces"] = [{"name": "eth0", "mode": "generic"}]
        self.assertNotIn("br9", self.warnings(policy))

    def test_edge_interface_that_does_not_forward_is_told(self):
        self.assertNotIn("forward", self.warnings(self.policy()))
        self.lab.run("edge", ["sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0"])
        self.addCleanup(self.lab.run, "edge", ["sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1"])
        self.assertIn("sysctl -w net/ipv4/conf/eth0/forwarding=1", self.warnings(self.policy()))

    def interface(self):
        return self.edge.json("status")["interfaces"][0]

    def test_edge_mode_that_is_refused_leaves_the_former_one_and_is_told(self):
        policy = self.policy()
        policy["interfaces"] = [{"name": "eth0", "mode": "generic"}]
        self.apply(policy)
        self.addCleanup(self.lab.run, "fabric", ["ip", "link", "set", "edge", "mtu", "1500"])
        self.lab.run("fabric", ["ip", "link", "set", "edge", "mtu", "9000"]) # too large for a native program's peer
        policy["interfaces"] = [{"name": "eth0", "mode": "native"}]
        self.assertIn("interface eth0 stays in generic mode: ", self.apply(policy).stderr)
        lines = self.log().count("attached again")
        generation = self.generation()
        self.assertEqual((self.interface()["mode"], bool(self.interface()["why"])), ("generic", True))
        self.lab.run("fabric", ["ip", "link", "set", "edge", "mtu", "1500"])
        self.apply(policy)
        self.assertEqual((self.interface()["mode"], self.interface()["why"]), ("native", ""))
        self.assertEqual((self.log().count("attached again"), self.generation()), (lines, generation + 1))

    # --- denies of too much ----------------------------------------------------------------------------------
    def test_edge_deny_of_a_checked_backend_is_refused_unless_allowed_or_forced(self):
        policy = self.policy()
        policy["protect"] = [{"from": [self.lab.ip4("origin")]}]
        self.apply(policy)
        self.edge.await_healthy(3)
        for prefix in ("0.0.0.0/0", "192.0.2.0/24", self.lab.ip4("cache1")):
            done = self.edge.weir("deny", "add", prefix, check=False)
            self.assertEqual(done.returncode, 1, prefix)
            self.assertRegex(done.stderr, "backend local/cache1 .* answers to its health checks")
            self.assertIn("--force", done.stderr)
        self.edge.weir("deny", "add", "203.0.113.0/24")
        for name in self.lab.cache_names():
            self.edge.weir("allow", "add", self.lab.ip4(name))
        self.edge.weir("deny", "add", "0.0.0.0/0")
        self.edge.weir("deny", "del", "0.0.0.0/0")
        self.edge.weir("allow", "del", self.lab.ip4("cache1"))
        self.edge.weir("deny", "add", "--force", f"{self.lab.ip4('cache1')}/32")
        self.edge.await_healthy(2)
        self.await_log(f"backend local/cache1: the deny entry {self.lab.ip4('cache1')} drops its answers")

    # --- what is told ----------------------------------------------------------------------------------------
    def test_edge_deny_list_longer_than_a_page_is_whole(self):
        prefixes = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(LIST_SIZE)]
        path = self.lab.dir / "list.txt"
        path.write_text("\n".join(prefixes))
        self.edge.weir("deny", "import", path, "--note", "n" * 120)
        listed = [row["prefix"] for row in self.edge.json("deny", "list")["entries"]]
        self.assertEqual(len(listed), LIST_SIZE)
        self.assertEqual(set(listed), set(prefixes))

    def test_edge_password_of_the_collector_is_nowhere_shown(self):
        policy = self.policy()
        otlp = policy["telemetry"]["otlp"]
        otlp["endpoint"] = otlp["endpoint"].replace("://", "://edge:swordfish@")
        self.apply(policy)
        status = self.edge.weir("status", "--json").stdout
        self.assertNotIn("swordfish", status + self.edge.weir("status").stdout + self.log())
        self.assertEqual(json.loads(status)["collector"]["endpoint"],
                         f"http://{self.lab.ip4('collector')}:{services.COLLECTOR_PORT}{otlp['metrics_path']}")

    def test_edge_ring_slots_tell_a_transition(self):
        settled = self.ring_slots()
        self.assertEqual(set(settled), {"settled", "transition", "exceptions"})
        self.edge.weir("backend", "drain", "cache2")
        moved = self.ring_slots()
        self.assertEqual(sum(moved.values()), sum(settled.values()))
        # Of those that were in transition from where they go back to, none is now.
        self.assertGreater(moved["transition"] + moved["exceptions"], sum(moved.values()) / 5)


if __name__ == "__main__":
    unittest.main()
