# SPDX-License-Identifier: BSD-2-Clause
"""What the collector and Prometheus get is what `weir stats` says."""

import json
import re
import unittest

from lab import REPO
from shared import VIP4, VIP6, SharedEdgeTest, await_true

METRICS = {"packets": "weir_backend_packets_total", "bytes": "weir_backend_bytes_total", "flows": "weir_backend_flows_total"}
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([0-9.e+-]+|NaN|[+-]Inf)(?: \d+)?$')
OWN_PORT = 4319


class EdgeTelemetry(SharedEdgeTest):
    def setUp(self):
        super().setUp()
        for _ in range(12):
            self.page(VIP4)
            self.page(VIP6)

    def own(self):
        return {row["backend"]: {kind: row[kind] for kind in METRICS}
                for row in self.edge.json("stats")["backends"] if row["pool"] == "local"}

    def collected(self, latest):
        rows = {}
        for kind, metric in METRICS.items():
            for labels, value in latest(metric):
                # A backend that had another address in another test was another series.
                if labels["pool"] == "local" and labels.get("address") == self.lab.ip4(labels["backend"]):
                    rows.setdefault(labels["backend"], {})[kind] = int(value)
        return rows

    def test_edge_metrics_in_the_collector_equal_the_counters_of_each_backend(self):
        await_true(f"{self.collector.name} having the edge's figures",
                   lambda: self.collected(self.collector.latest) == self.own(), 15, 0.2)
        for name in self.lab.cache_names():
            row = self.own()[name]
            self.assertTrue(row["packets"] > 0 and row["flows"] > 0, row)

    def test_edge_metrics_by_the_official_schema_are_without_fault(self):
        receiver = self.lab.start("collector", "schema", ["/usr/bin/python3", REPO / "tests/lab/otlp_receiver.py", "--port",
                                                          OWN_PORT], env={"PYTHONDONTWRITEBYTECODE": "1"})
        self.addCleanup(receiver.stop)
        self.lab.await_port("collector", OWN_PORT, receiver)
        policy = self.policy()
        policy["telemetry"]["otlp"].update(endpoint=f"http://{self.lab.ip4('collector')}:{OWN_PORT}", metrics_path="/v1/metrics")
        self.apply(policy)

        def ask(path):
            return json.loads(self.lab.run("collector", ["curl", "-sf", f"http://127.0.0.1:{OWN_PORT}{path}"]).stdout)

        def latest(metric):
            return [(point["attributes"], point["value"]) for point in ask("/points") if point["prometheus"] == metric]
        await_true("the receiver having the edge's figures", lambda: self.collected(latest) == self.own(), 15, 0.2)
        stats = ask("/stats")
        self.assertEqual(stats["errors"], [])
        self.assertGreater(stats["requests"], 0)
        self.assertEqual({point["resource"]["service.name"] for point in ask("/points")}, {"weir"})

    def test_edge_collector_away_is_told_and_traffic_goes_on(self):
        policy = self.policy()
        policy["telemetry"]["otlp"]["endpoint"] = f"http://{self.lab.ip4('collector')}:9"
        self.apply(policy)
        await_true("a failed attempt", lambda: self.edge.json("status")["collector"]["failed_attempts"] > 0, 10)
        self.assertNotEqual(self.edge.json("status")["collector"]["last_error"], "")
        self.page()

    # --- Prometheus ------------------------------------------------------------------------------------------
    def scrape(self):
        return self.lab.run("edge", ["curl", "-sf", "--max-time", "5", "http://127.0.0.1:9180/metrics"]).stdout

    def samples(self, text):
        """{(name, ((label, value), ...)): value}; every line must be a comment or a sample."""
        found = {}
        for line in text.splitlines():
            if line.startswith("# HELP ") or line.startswith("# TYPE "):
                continue
            match = SAMPLE.match(line)
            self.assertTrue(match, line)
            labels = tuple(sorted(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"', match[2] or "")))
            self.assertNotIn((match[1], labels), found)
            found[match[1], labels] = float(match[3])
        return found

    def test_edge_prometheus_page_equals_the_counters(self):
        def latest(metric):
            return [(dict(labels), value) for (name, labels), value in self.samples(self.scrape()).items() if name == metric]
        await_true("equal figures", lambda: self.collected(latest) == self.own(), 5)
        steered = dict((labels["reason"], value) for labels, value in latest("weir_packets_total"))
        self.assertEqual(steered["steered"], self.counts()["steered"])
        health = {labels["backend"]: value for labels, value in latest("weir_backend_health")}
        self.assertEqual(health, dict.fromkeys(self.lab.cache_names(), 1.0))

    def test_edge_prometheus_page_declares_each_metric_once(self):
        types = re.findall(r"^# TYPE (\S+) (\S+)$", self.scrape(), re.MULTILINE)
        names = [name for name, _ in types]
        self.assertEqual(len(names), len(set(names)))
        for (name, _) in self.samples(self.scrape()):
            self.assertIn(name, names)
        for name, kind in types:
            self.assertEqual(kind == "counter", name.endswith("_total"), name)

    def test_edge_prometheus_listens_on_loopback_alone(self):
        done = self.lab.run("origin", ["curl", "-s", "--max-time", "2", f"http://{self.lab.ip4('edge')}:9180/metrics"],
                            check=False)
        self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
