# SPDX-License-Identifier: BSD-2-Clause
"""The program explains itself: explain and replay agree with what really happened to the same packets."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import unittest

from shared import VIP4, VIP6, Pinger, SharedEdgeTest, await_true

# Reasons of packets that the tests send; health checks and the collector's answers pass beside them all the time.
DATAGRAMS = 2 * (10 + 7 + 5) + 3
SENT = ("steered", "denied", "no-service", "vip-echo", "not-vip")


class EdgeExplain(SharedEdgeTest):
    def explain(self, source, destination, *argv):
        return self.edge.json("explain", "--src", source, "--dst", destination, *argv)

    def test_edge_explain_names_the_cache_that_serves(self):
        for vip, source in ((VIP4, self.lab.ip4("client")), (VIP6, self.lab.ip6("client"))):
            for port in range(44000, 44004):
                with self.subTest(vip=vip, port=port):
                    said = self.explain(source, vip, "--sport", port, "--dport", 80, "--syn")
                    self.assertEqual((said["verdict"], said["reason"], said["service"]), ("tx", "steered", "www"))
                    self.assertEqual(said["backend"], "local/" + self.page(vip, source=("", port)))

    def test_edge_explain_writes_nothing(self):
        before = self.edge.json("stats")["backends"], self.counts().get("denied", 0)
        self.edge.weir("deny", "add", "203.0.113.66")
        for _ in range(2):
            self.explain(self.lab.ip4("client"), VIP4, "--dport", 80, "--syn")
            self.explain("203.0.113.66", VIP4, "--dport", 80, "--syn")
        self.assertEqual((self.edge.json("stats")["backends"], self.counts().get("denied", 0)), before)

    def test_edge_explain_says_why_a_packet_is_dropped(self):
        self.edge.weir("deny", "add", "203.0.113.64/26")
        said = self.explain("203.0.113.66", VIP4, "--dport", 80, "--syn")
        self.assertEqual((said["verdict"], said["reason"]), ("drop", "denied"))
        text = self.edge.weir("explain", "--src", "203.0.113.66", "--dst", VIP4, "--dport", 80).stdout
        self.assertIn("/26", text)
        for argv, reason in ((["--dport", "81"], "no-service"), (["--dport", "80", "--ttl", "1"], "ttl-expired"),
                             (["--proto", "icmp"], "vip-echo"), (["--dport", "80", "--length", "1490"], "too-big")):
            with self.subTest(argv=argv):
                self.assertEqual(self.explain(self.lab.ip4("client"), VIP4, *argv)["reason"], reason)

    def test_edge_explain_without_a_controller_reads_the_tables(self):
        self.edge.service.kill()
        self.edge.service.popen.wait()
        self.assertEqual(self.explain(self.lab.ip4("client"), VIP4, "--dport", 80, "--syn")["reason"], "steered")


class EdgeReplay(SharedEdgeTest):
    @contextlib.contextmanager
    def capture(self, name):
        """What goes to the edge during the block, as tcpdump takes it from the fabric's port; yields the file's path."""
        path = self.lab.dir / f"{name}.pcap"
        dump = self.lab.start("fabric", "tcpdump", ["tcpdump", "-Unni", "edge", "-Q", "out", "-s", "0",
                                                    "--immediate-mode", "-w", path,
                                                    "net 203.0.113.0/24 or net 2001:db8:1::/64"])
        self.addCleanup(dump.stop)
        await_true("tcpdump listening", lambda: "listening on" in dump.tail(), 10)
        yield path
        await_true("the last datagram captured", lambda: path.read_bytes().count(b"datagram") == DATAGRAMS, 5)
        dump.popen.send_signal(signal.SIGINT)
        dump.popen.wait(10)

    def traffic(self):
        """Some of every verdict; returns {reason: packets} as counted, and {backend: packets}."""
        counts, backends = self.counts(), self.per_backend()
        for vip in (VIP4, VIP6):
            for _ in range(6):
                self.page(vip, "/64k")
            self.datagrams("client", 10, vip)
            self.datagrams("greedy", 7, vip) # the attacker's wire to the edge passes tcpdump by
            self.datagrams("client", 5, vip, 4321)
            with self.inside("client"):
                ping = Pinger(vip)
                for _ in range(4):
                    ping()
        self.datagrams("client", 3, self.lab.ip4("edge"), 9)
        await_true("the last packets counted", lambda: self.counts().get("not-vip", 0) >= counts.get("not-vip", 0) + 3, 3)
        return ({reason: self.counts().get(reason, 0) - counts.get(reason, 0) for reason in SENT},
                {f"local/{name}": count - backends[name] for name, count in self.per_backend().items()})

    def replay(self, path, *argv, node="edge"):
        done = self.lab.run(node, [self.lab.build / "weir", "replay", "--pcap", path, "--json", *argv],
                            env=dict(os.environ, WEIR_PINS=str(self.lab.pins / "edge")))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_agree(self, lines, counted, backends):
        self.assertEqual([line["n"] for line in lines], list(range(1, len(lines) + 1)))
        reasons = collections.Counter(line["reason"] for line in lines)
        self.assertEqual({reason: reasons[reason] for reason in SENT}, counted)
        for line in lines:
            self.assertIn(line["verdict"], ("pass", "drop", "tx", "redirect"))
        steered = [line for line in lines if line["reason"] == "steered"]
        self.assertEqual({line["service"] for line in steered}, {"www"})
        self.assertTrue(all(isinstance(line["slot"], int) for line in steered))
        self.assertEqual(dict(collections.Counter(line["backend"] for line in steered)), backends)

    def captured(self, name):
        self.edge.weir("deny", "add", self.lab.ip4("greedy"), self.lab.ip6("greedy"))
        with self.capture(name) as path:
            counted, backends = self.traffic()
        self.assertTrue(all(counted.values()), counted)
        return path, counted, backends

    def test_edge_replay_of_a_capture_over_the_live_tables_agrees_with_the_counters(self):
        path, counted, backends = self.captured("live")
        before = self.edge.json("stats")["backends"]
        self.assert_agree(self.replay(path), counted, backends)
        self.assertEqual(self.edge.json("stats")["backends"], before)

    def test_edge_replay_of_a_capture_with_a_candidate_agrees_without_controller_or_routes(self):
        path, counted, backends = self.captured("candidate")
        policy = self.policy()
        policy["interfaces"] = []
        candidate = self.lab.dir / "candidate.yaml"
        for stateful in ([], ["--stateful"]):
            with self.subTest(stateful=stateful):
                candidate.write_text(json.dumps(policy))
                # In a network of its own there is no NIC, no route and no controller.
                done = subprocess.run(["unshare", "--net", self.lab.build / "weir", "replay", "--pcap", path, "-c", candidate,
                                       "--json", *stateful], text=True, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                lines = [json.loads(line) for line in done.stdout.splitlines()]
                # A candidate has no live bans: what they dropped is steered.
                denied = sum(1 for line in lines if line["reason"] == "denied")
                self.assertEqual(denied, 0)
                self.assertEqual({line["next_hop"] for line in lines if line["reason"] == "steered"}, {"assumed"})
                steered = sum(1 for line in lines if line["reason"] == "steered")
                self.assertEqual(steered, counted["steered"] + counted["denied"])
                for reason in ("no-service", "vip-echo", "not-vip"):
                    self.assertEqual(sum(1 for line in lines if line["reason"] == reason), counted[reason], reason)

    def test_edge_replay_with_a_limit_shows_what_it_would_drop(self):
        path, counted, _ = self.captured("limited")
        policy = self.policy()
        policy["limits"] = [{"name": "tight", "key": "source", "rate": "1/s", "burst": 5}]
        candidate = self.lab.dir / "limited.yaml"
        candidate.write_text(json.dumps(policy))
        lines = self.replay(path, "-c", candidate, "--stateful")
        limited = [line for line in lines if line["reason"] == "limited"]
        self.assertGreater(len(limited), counted["steered"] // 2)
        self.assertEqual({line["limit"] for line in limited}, {"tight"})

    def test_edge_replay_out_file_holds_what_would_leave(self):
        path, counted, _ = self.captured("out")
        out = self.lab.dir / "left.pcap"
        lines = self.replay(path, "--out", out)
        kept = sum(1 for line in lines if line["verdict"] != "drop")
        text = subprocess.run(["tcpdump", "-nnr", out], text=True, capture_output=True, check=True).stdout
        self.assertEqual(len(text.splitlines()), kept)
        tunnelled = [line for line in text.splitlines() if f"{self.lab.ip4('edge')} > 192.0.2.1" in line]
        self.assertEqual(len(tunnelled), counted["steered"])


if __name__ == "__main__":
    unittest.main()
