# SPDX-License-Identifier: BSD-2-Clause
"""The controller dies, restarts, or finds what it must not touch: the dataplane goes on, and nothing is lost."""

import contextlib
import json
import os
import signal
import unittest

from shared import VIP4, VIP6, Background, Pinger, SharedEdgeTest, await_true, get_page

VICTIM = "cache2"


class EdgeRestart(SharedEdgeTest):
    def kill_controller(self):
        self.edge.service.kill()
        self.edge.service.popen.wait()

    @contextlib.contextmanager
    def traffic(self):
        """Pages and pings by both families all through the block: none may be lost."""
        kinds = {"pages": lambda: get_page(VIP4), "pages6": lambda: get_page(VIP6), "pings": Pinger(VIP4),
                 "pings6": Pinger(VIP6)}
        running = {name: Background(self.lab, "client", once) for name, once in kinds.items()}
        try:
            yield
            had = {name: len(one.results) for name, one in running.items()}
            await_true("traffic after the last event",
                       lambda: all(len(one.results) > had[name] + 20 for name, one in running.items()), 10)
        finally:
            for one in running.values():
                one.stop()
        for name, one in running.items():
            self.assertEqual(one.failures(), [], name)

    def objects(self):
        """All counters that outlive restarts, as {(kind, name): packets}."""
        stats = self.edge.json("stats")
        found = {("verdict", row["verdict"], row["reason"]): row["packets"] for row in stats["verdicts"]}
        found.update({("service", row["service"]): row["packets"] for row in stats["services"]})
        found.update({("backend", row["backend"]): row["packets"] for row in stats["backends"]})
        found.update({("limit", row["limit"]): row["dropped"] for row in stats["limits"]})
        return found

    def test_edge_controller_killed_traffic_is_still_filtered_and_steered(self):
        self.edge.weir("deny", "add", self.lab.ip4("attacker"))
        with self.traffic():
            self.kill_controller()
            with self.counting(denied=20):
                self.datagrams("attacker", 20)
        self.assertEqual(self.edge.json("status")["controller"]["running"], False)

    def test_edge_controller_killed_status_shows_how_long_it_is_gone(self):
        self.kill_controller()
        controller = self.edge.json("status")["controller"]
        self.assertFalse(controller["running"])
        self.assertEqual(controller["pid"], self.edge.service.pid)
        age = controller["heartbeat_age_s"]
        await_true("an older heartbeat", lambda: self.edge.json("status")["controller"]["heartbeat_age_s"] > age + 0.5, 5)
        self.assertIn("NOT RUNNING", self.edge.weir("status").stdout)
        done = self.edge.weir("deny", "add", self.lab.ip4("attacker"), check=False)
        self.assertEqual(done.returncode, 1)
        self.edge.start()
        self.assertLess(self.edge.json("status")["controller"]["heartbeat_age_s"], 3)

    def test_edge_restart_after_sigkill_keeps_everything_and_loses_no_packet(self):
        stubs = self.start_stubs()
        policy = self.stub_policy()
        policy["limits"] = [{"name": "per-client", "key": "source", "rate": "100000/s", "burst": 100000}]
        self.apply(policy)
        self.edge.await_healthy(3)
        self.edge.weir("deny", "add", self.lab.ip4("attacker"), "--note", "ticket 7")
        stubs[VICTIM].stop()
        self.edge.await_healthy(2)
        bans, counters, generation = self.edge.json("deny", "list"), self.objects(), self.generation()
        with self.traffic():
            self.kill_controller()
            self.edge.start()
            self.assertEqual(self.backends()[VICTIM]["health"], "down")
            self.assertEqual({self.page() for _ in range(24)}, {"cache1", "cache3"})
        self.assertGreaterEqual(self.generation(), generation)
        self.assertEqual(self.edge.json("deny", "list"), bans)
        now = self.objects()
        self.assertEqual({key: count for key, count in counters.items() if now.get(key, -1) < count}, {})
        with self.counting(denied=10):
            self.datagrams("attacker", 10)
        self.assertEqual(self.backends()[VICTIM]["health"], "down")
        self.start_stub(VICTIM)
        self.edge.await_healthy(3)

    def test_edge_restart_keeps_downloads_that_a_drain_keeps(self):
        self.edge.weir("backend", "drain", VICTIM)
        self.edge.weir("backend", "enable", VICTIM)
        with self.traffic():
            self.edge.service.stop()
            self.edge.start()

    def test_edge_second_controller_is_refused_and_the_first_goes_on(self):
        done = self.edge.weir("run", "-c", self.edge.path, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertNotEqual(done.stderr, "")
        self.assertEqual(self.edge.json("status")["controller"]["pid"], self.edge.service.pid)
        self.page()

    # --- what must not be touched ----------------------------------------------------------------------------
    def bpftool(self, *argv):
        return self.lab.run("edge", ["bpftool", *argv]).stdout

    def refused_start(self, *words, environment=None):
        """A start is refused, says why with these words, and traffic went on all the time."""
        with self.traffic():
            done = self.edge.weir("run", "-c", self.edge.path, check=False, environment=environment)
            self.assertEqual(done.returncode, 1)
            for word in words:
                self.assertIn(word, done.stderr)
            self.assert_no_page(node="attacker")

    def test_edge_pins_of_another_layout_start_is_refused_and_the_old_dataplane_goes_on(self):
        self.edge.weir("deny", "add", self.lab.ip4("attacker"))
        self.kill_controller()
        pin = str(self.lab.pins / "edge/live")
        entry = json.loads(self.bpftool("-j", "map", "dump", "pinned", pin))[0]
        value = [byte.removeprefix("0x") for byte in entry["value"]]

        def write(value):
            self.bpftool("map", "update", "pinned", pin, "key", "hex", *"00 00 00 00".split(), "value", "hex", *value)
        write(["63", "00", "00", "00", *value[4:]])
        try:
            self.refused_start("layout", "live")
        finally:
            write(value)
        self.edge.start()
        self.page()

    def test_edge_pinned_map_of_another_shape_start_is_refused_and_names_it(self):
        self.edge.weir("deny", "add", self.lab.ip4("attacker"))
        self.kill_controller()
        pin, saved = self.lab.pins / "edge/count_service", self.lab.pins / "saved"
        os.rename(pin, saved)
        try:
            self.bpftool("map", "create", pin, "type", "array", "key", "4", "value", "8", "entries", "16", "name", "other")
            self.refused_start("count_service")
        finally:
            pin.unlink(missing_ok=True)
            os.rename(saved, pin)
        self.edge.start()
        self.page()

    def test_edge_library_broken_start_is_refused_and_names_it(self):
        libraries = self.lab.dir / "libraries"
        libraries.mkdir()
        for name in ("libcurl-gnutls.so.4", "libcurl.so.4"):
            (libraries / name).touch()
        self.edge.weir("deny", "add", self.lab.ip4("attacker"))
        self.kill_controller()
        self.refused_start("libcurl", "scripts/setup", environment={"LD_LIBRARY_PATH": str(libraries)})
        self.edge.start()
        self.page()

    def test_edge_terminated_leaves_the_dataplane_and_says_so(self):
        with self.traffic():
            self.edge.service.popen.send_signal(signal.SIGTERM)
            self.assertEqual(self.edge.service.popen.wait(10), 0)
        self.assertIn("stays attached", self.log())


if __name__ == "__main__":
    unittest.main()
