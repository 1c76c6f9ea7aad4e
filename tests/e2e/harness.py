# SPDX-License-Identifier: BSD-2-Clause
"""What end-to-end tests share: a lab a class, with or without everything running, and short names for looking at it."""

import contextlib
import json
import unittest

import services
from lab import VIP4, VIP6, Lab, await_true

__all__ = ["BareLabTest", "EdgeTest", "VIP4", "VIP6", "Lab", "await_true", "json", "services"]


class BareLabTest(unittest.TestCase):
    """The network alone."""

    LAB = {} # options of Lab
    lab = None

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab("weire2e", **cls.LAB)
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up()


class EdgeTest(BareLabTest):
    """Origin, caches, collector and edge. A test that changes something puts it back, or uses self.addCleanup."""

    OWN_COLLECTOR = True
    CONFIG = {} # options of services.weir_config
    collector = edge = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.collector, cls.edge = services.start_everything(cls.lab, own_collector=cls.OWN_COLLECTOR, **cls.CONFIG)

    def config(self, **options):
        return services.weir_config(self.lab, otlp_path=self.collector.path, **{**self.CONFIG, **options})

    def apply(self, **options):
        """Applies a configuration for the rest of this test."""
        self.addCleanup(self.edge.apply, self.config())
        return self.edge.apply(self.config(**options))

    def fetch(self, path="/1k", node="client", address=VIP4, **options):
        return services.fetch(self.lab, node, path, address, **options)

    def assert_page(self, path="/1k", **options):
        status, headers, size = self.fetch(path, **options)
        self.assertEqual((status, size), (200, services.SIZES[path.rsplit("/", 1)[1]]))
        return headers

    def reasons(self):
        """{reason: packets} since the dataplane was made."""
        counts = {}
        for row in self.edge.json("stats")["verdicts"]:
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["packets"]
        return counts

    def backends(self):
        return {row["name"]: row for row in self.edge.json("backend", "list")["backends"]}

    @contextlib.contextmanager
    def load(self, seconds=4, rate=50, node="client", **options):
        """A load under way during the block; the yielded dict holds its result after it."""
        result = {}
        service = services.load(self.lab, node, seconds, rate, name=f"load-{node}", **options)
        yield result
        result.update(services.load_result(service))
