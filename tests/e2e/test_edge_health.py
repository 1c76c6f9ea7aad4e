# SPDX-License-Identifier: BSD-2-Clause
"""Backends that fail and come back: taken out, their load served by others, taken in again; drains; reloads."""

import signal
import unittest

from shared import STUB_PORT, VIP4, VIP6, Background, SharedEdgeTest, await_true, get, get_page, read_rest, services

VICTIM = "cache2"
OUT_WITHIN_S = 10 # fall x interval + timeout is 0.75 s; the rest is for a busy machine


class EdgeHealth(SharedEdgeTest):
    def health(self, name=VICTIM):
        return self.backends()[name]["health"]

    def await_health(self, wanted, name=VICTIM):
        await_true(f"{name} {wanted}", lambda: self.health(name) == wanted, OUT_WITHIN_S)

    def served_by(self, requests=24):
        return {self.page((VIP4, VIP6)[n % 2]) for n in range(requests)}

    def assert_out(self, error=None):
        """The victim is out, every request is served, by others."""
        self.await_health("down")
        if error:
            self.assertRegex(self.backends()[VICTIM]["check"]["error"], error)
        self.assertEqual(self.served_by(), {"cache1", "cache3"})
        self.assertEqual(self.edge.json("status")["services"][0]["healthy"], 2)
        self.assertEqual({name for name, row in self.backends().items() if row["health"] == "up"}, {"cache1", "cache3"})

    def assert_back(self, name=VICTIM):
        self.await_health("up", name)
        await_true(f"a page served by {name}", lambda: self.page() == name, 10, 0)

    # --- answers that a check refuses ------------------------------------------------------------------------
    def test_edge_backend_whose_check_fails_is_out_until_it_recovers(self):
        stubs = self.start_stubs()
        self.apply(self.stub_policy())
        self.edge.await_healthy(3)
        for mode, error in (("error", "500"), ("slow", "time"), ("wrong", "body")):
            with self.subTest(mode=mode):
                self.tell_stub(VICTIM, mode)
                self.assert_out(error)
                self.tell_stub(VICTIM, "good")
                self.assert_back()
        with self.subTest(mode="frozen"):
            stubs[VICTIM].kill(signal.SIGSTOP)
            self.assert_out("time")
            stubs[VICTIM].kill(signal.SIGCONT)
            self.assert_back()
        with self.subTest(mode="refuses"):
            stubs[VICTIM].stop()
            self.assert_out("refused")
            self.lab.await_port(VICTIM, STUB_PORT, self.start_stub(VICTIM))
            self.assert_back()

    def test_edge_tcp_check_of_a_closed_port_takes_the_backend_out(self):
        stubs = self.start_stubs()
        policy = self.policy()
        policy["pools"]["local"]["health"] = {"type": "tcp", "port": STUB_PORT, "interval": "200ms", "timeout": "150ms",
                                              "rise": 2, "fall": 3}
        self.apply(policy)
        self.edge.await_healthy(3)
        stubs[VICTIM].stop()
        self.assert_out("refused")
        self.lab.await_port(VICTIM, STUB_PORT, self.start_stub(VICTIM))
        self.assert_back()

    def test_edge_backend_unplugged_is_out_until_it_is_back(self):
        port = ["ip", "link", "set", VICTIM]
        self.lab.run("fabric", [*port, "down"])
        self.addCleanup(self.lab.run, "fabric", [*port, "up"])
        self.assert_out()
        self.lab.run("fabric", [*port, "up"])
        self.assert_back()

    # --- a cache itself --------------------------------------------------------------------------------------
    def test_edge_cache_frozen_is_out_until_it_thaws(self):
        self.signal_cache(signal.SIGSTOP)
        try:
            self.assert_out("time")
        finally:
            self.signal_cache(signal.SIGCONT)
        self.assert_back()

    def signal_cache(self, number):
        """To varnish's processes, manager and worker."""
        self.lab.run(VICTIM, ["sh", "-c", f"kill -{int(number)} $(ip netns pids {self.lab.ns(VICTIM)} | grep -vx $$)"],
                     check=False)

    def test_edge_cache_killed_is_out_until_it_is_started_again(self):
        services.kill_cache(self.lab, VICTIM)
        try:
            self.assert_out("refused")
        finally:
            services.start_cache(self.lab, VICTIM)
        self.assert_back()

    def test_edge_every_backend_down_answers_with_a_reset_at_once(self):
        stubs = self.start_stubs()
        policy = self.stub_policy()
        policy["pools"]["local"].update(min_healthy=1, panic_below="0%")
        policy["services"][0]["fallback"] = "reject"
        self.apply(policy)
        self.edge.await_healthy(3)
        for stub in stubs.values():
            stub.kill(signal.SIGSTOP)
        self.edge.await_healthy(0)
        for vip in (VIP4, VIP6):
            with self.subTest(vip=vip), self.assertRaises(ConnectionRefusedError):
                self.page(vip)
        self.assertGreater(self.counts().get("fallback-reject", 0), 0)
        for stub in stubs.values():
            stub.kill(signal.SIGCONT)
        self.edge.await_healthy(3)
        self.page()

    # --- applies meanwhile -----------------------------------------------------------------------------------
    def test_edge_reload_while_a_backend_is_down_keeps_it_down_and_it_returns_later(self):
        self.start_stubs()
        policy = self.stub_policy()
        self.apply(policy)
        self.edge.await_healthy(3)
        self.tell_stub(VICTIM, "error")
        self.await_health("down")
        policy["limits"] = [{"name": "roomy", "key": "source", "rate": "100000/s", "burst": 100000}]
        self.apply(policy)
        self.assertEqual(self.health(), "down")
        self.assert_out()
        # Its check is another one now: what was known about it still holds until that says otherwise.
        policy["pools"]["local"]["health"]["interval"] = "250ms"
        self.apply(policy)
        self.assertEqual(self.health(), "down")
        self.assert_out()
        self.tell_stub(VICTIM, "good")
        self.assert_back()

    def test_edge_reload_under_traffic_loses_nothing(self):
        pages = Background(self.lab, "client", lambda: get_page(VIP4))
        for rate in (100000, 200000, 300000):
            policy = self.policy()
            policy["limits"] = [{"name": "roomy", "key": "source", "rate": f"{rate}/s", "burst": rate}]
            self.apply(policy)
            had = len(pages.results)
            await_true("ten more pages", lambda: len(pages.results) > had + 10, 10)
        pages.stop()
        self.assertEqual(pages.failures(), [])


class EdgeDrain(SharedEdgeTest):
    def downloads(self, count, path="/1m"):
        """Downloads that have begun and are not read on: [(cache, socket, body so far)]."""
        begun = []
        with self.inside("client"):
            for n in range(count):
                sock, headers, body = get((VIP4, VIP6)[n % 2], path, receive_buffer=4096)
                self.addCleanup(sock.close)
                begun.append((headers["x-served-by"], sock, body))
        return begun

    def downloads_of_each(self, each=2):
        begun = []
        await_true("downloads from every cache", lambda: begun.extend(self.downloads(2)) or all(
            sum(cache == name for cache, _, _ in begun) >= each for name in self.lab.cache_names()), 10, 0)
        return begun

    def assert_complete(self, begun):
        for cache, sock, body in begun:
            with self.subTest(cache=cache):
                self.assertEqual(read_rest(sock, body), services.SIZES["1m"])

    def test_edge_drain_lets_downloads_end_while_new_connections_go_elsewhere(self):
        begun = self.downloads_of_each()
        answer = self.edge.json("backend", "drain", VICTIM)
        self.assertEqual(answer["backends"][0]["admin"], "drain")
        self.assertEqual({self.page() for _ in range(24)}, {"cache1", "cache3"})
        flows = self.per_backend("flows")[VICTIM]
        self.assert_complete(begun)
        self.assertEqual(self.per_backend("flows")[VICTIM], flows)
        self.edge.weir("backend", "enable", VICTIM)
        await_true(f"a page served by {VICTIM}", lambda: self.page() == VICTIM, 10, 0)

    def test_edge_drain_is_survived_by_downloads_that_outlive_the_transition(self):
        policy = self.policy()
        policy["steering"] = {"settle": "500ms"}
        self.apply(policy)
        begun = {sock: body for cache, sock, body in self.downloads_of_each() if cache == VICTIM}
        self.edge.weir("backend", "drain", VICTIM)
        rounds, slots = 0, {}
        while all(len(body) < services.SIZES["1m"] // 2 for body in begun.values()):
            for sock in begun:
                more = sock.recv(4096)
                self.assertTrue(more, "the download ended")
                begun[sock] += more
            slots, rounds = self.ring_slots(), rounds + (slots.get("transition") == 0)
        self.assertGreater(rounds, 20) # without a transition, and some of them seconds after it
        self.assertEqual(slots["transition"], 0)
        self.assertGreater(slots["exceptions"], 0)
        self.assert_complete([(VICTIM, sock, body) for sock, body in begun.items()])

    def test_edge_drain_survives_a_restart(self):
        self.edge.weir("backend", "drain", VICTIM)
        self.edge.service.stop()
        self.edge.start()
        self.assertEqual(self.backends()[VICTIM]["admin"], "drain")
        self.edge.await_healthy(3)
        self.assertEqual({self.page() for _ in range(24)}, {"cache1", "cache3"})

    def test_edge_return_of_a_backend_leaves_downloads_of_the_others_alone(self):
        self.edge.weir("backend", "drain", VICTIM)
        begun = self.downloads(24)
        self.assertNotIn(VICTIM, {cache for cache, _, _ in begun})
        self.edge.weir("backend", "enable", VICTIM)
        await_true(f"a page served by {VICTIM}", lambda: self.page() == VICTIM, 10, 0)
        self.assert_complete(begun)

    def test_edge_port_reused_after_changes_is_one_flow_to_one_backend(self):
        """What was recorded about a client's port while rings changed says nothing about its next connection."""
        ports = range(43000, 43024)

        def pages():
            with self.inside("client"):
                return [get_page(VIP4, source=("", port), timeout=2) for port in ports]
        self.edge.weir("backend", "drain", VICTIM)
        self.assertNotIn(VICTIM, pages()) # recorded: each with one of the others
        self.edge.weir("backend", "enable", VICTIM)
        for name in ("cache1", "cache3"): # whose flows are over: what they left to the victim looks back no more
            self.edge.weir("backend", "disable", name)
        for name in ("cache1", "cache3"):
            self.edge.weir("backend", "enable", name)
        self.assertIn(VICTIM, pages())

    def test_edge_disable_stops_what_goes_to_the_backend(self):
        self.edge.weir("backend", "disable", VICTIM)
        packets = self.per_backend()[VICTIM]
        self.assertEqual({self.page() for _ in range(24)}, {"cache1", "cache3"})
        self.assertEqual(self.per_backend()[VICTIM], packets)

    def test_edge_weight_gives_a_backend_its_share(self):
        self.edge.weir("backend", "weight", VICTIM, "10")
        flows = self.per_backend("flows")
        for _ in range(120):
            self.page()
        grown = {name: count - flows[name] for name, count in self.per_backend("flows").items()}
        self.edge.weir("backend", "weight", VICTIM, "default")
        self.assertEqual(sum(grown.values()), 120)
        self.assertGreater(grown[VICTIM], 75) # 100 expected of weights 1, 10, 1

    def test_edge_unknown_backend_is_refused_with_what_there_is(self):
        done = self.edge.weir("backend", "drain", "cache9", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("cache9", done.stderr)
        self.assertIn("cache1", done.stderr)


if __name__ == "__main__":
    unittest.main()
