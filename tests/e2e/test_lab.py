# SPDX-License-Identifier: BSD-2-Clause
"""The lab itself: it routes, it cleans up what a killed one left, and its generator keeps its bounds."""

import ipaddress
import json
import os
import signal
import subprocess
import sys
import unittest

import lab as lab_module
from harness import VIP4, BareLabTest, Lab, await_true

ABANDON = "import sys, time; sys.path.insert(0, {path!r}); from lab import Lab; l = Lab('weirlost', caches=1).up(); " \
          "l.start('client', 'sleeper', ['sleep', '1000']); print('up', flush=True); time.sleep(1000)"


def namespaces():
    return subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=True).stdout


class LabNetwork(BareLabTest):
    def flood(self, *argv, check=True, node="attacker"):
        mac = self.lab.run("fabric", ["ip", "-br", "link", "show", "wan"]).stdout.split()[2]
        done = self.lab.run(node, [self.lab.build / "flood", "-i", "eth0", "-m", mac, "--json", *argv], check=check)
        return json.loads(done.stdout) if check else done

    def test_lab_every_node_reaches_every_other_by_both_families(self):
        for node in ("client", "attacker", "cache1", "origin"):
            for other in ("edge", "greedy", "collector"):
                for address in (self.lab.ip4(other), self.lab.ip6(other)):
                    self.lab.run(node, ["ping", "-c1", "-W2", address])

    def test_flood_count_given_sends_exactly_that_many(self):
        sent = self.flood("-d", self.lab.ip4("client"), "-s", "198.18.0.0/15", "--sources", "1000", "-n", "5000")
        self.assertEqual(sent["offered"], 5000)
        # The device counts what the host sends by itself too: a neighbour solicitation now and then.
        self.assertGreaterEqual(sent["sent"], 5000)
        self.assertLess(sent["sent"], 5020)

    def test_flood_rate_given_is_not_exceeded(self):
        sent = self.flood("-d", self.lab.ip4("client"), "-s", "198.18.0.0/15", "-n", "100000", "-r", "50000")
        self.assertGreaterEqual(sent["seconds"], 1.9)

    def test_flood_packets_have_right_checksums_and_distinct_sources(self):
        for family, destination, prefix in (("ip", self.lab.ip4("client"), "198.18.0.0/15"),
                                            ("ip6", self.lab.ip6("client"), "2001:db8:99::/64")):
            for protocol in ("udp", "tcp-syn", "tcp-ack"):
                with self.subTest(family=family, protocol=protocol):
                    self.check_capture(family, destination, prefix, protocol)

    def check_capture(self, family, destination, prefix, protocol):
        self.flood("-d", destination, "-s", prefix, "-n", "1") # neighbours are known before the capture
        path = self.lab.dir / f"{family}-{protocol}.pcap"
        dump = self.lab.start("client", "tcpdump", ["tcpdump", "-Unni", "eth0", "-c", "50", "-w", path,
                                                    f"{family} and dst port 4242"])
        await_true("tcpdump listening", lambda: "listening on" in dump.tail(), 10)
        self.flood("-d", destination, "-s", prefix, "--sources", "64", "-n", "50", "-p", protocol, "--dport", "4242")
        dump.popen.wait(10)
        text = subprocess.run(["tcpdump", "-nnvvr", path], text=True, capture_output=True, check=True).stdout
        right = text.count("(correct)") + text.count("udp sum ok")
        self.assertEqual(right, 50, text[:400])
        sources = {line.split(" > ")[0].split()[-1].rsplit(".", 1)[0] for line in text.splitlines() if " > " in line}
        self.assertEqual(len(sources), 50)

    def test_flood_outside_of_a_namespace_refuses(self):
        done = subprocess.run([self.lab.build / "flood", "-i", "lo", "-d", VIP4, "-m", "02:00:00:00:00:01", "-s", "198.18.0.1/32"],
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 1)

    def test_flood_impossible_order_refuses_with_usage(self):
        for argv in (["-s", "198.18.0.1/32", "--sources", "2"], ["-s", "198.18.0.0/40"], ["-s", "2001:db8::/64"],
                     ["-s", "198.18.0.0/15", "-p", "sctp"], ["-s", "198.18.0.0/15", "--seconds", "1e9"]):
            with self.subTest(argv=argv):
                self.assertEqual(self.flood("-d", VIP4, *argv, check=False).returncode, 2)


class LabLists(unittest.TestCase):
    def make(self, *argv):
        done = subprocess.run([lab_module.REPO / "tests/lab/make-list", "--count", "2000", *argv], text=True, capture_output=True,
                              check=True, timeout=60)
        return [ipaddress.ip_network(line) for line in done.stdout.splitlines() if not line.startswith("#")]

    def test_list_of_the_same_arguments_is_the_same_and_a_change_changes_so_much(self):
        self.assertEqual(self.make(), self.make())
        self.assertEqual(len(set(self.make()) - set(self.make("--change", "5"))), 100)

    def test_list_has_the_labs_own_addresses_only_when_told_and_in_their_place(self):
        flood = ipaddress.ip_network("198.18.0.0/15")
        plain, more = self.make(), self.make("--with", str(flood))
        self.assertFalse([network for network in plain if network.overlaps(flood)])
        self.assertEqual(more, sorted([*plain, flood]))


class LabLifetime(unittest.TestCase):
    def abandoned(self):
        """The process of a lab that is up, with a service in it."""
        path = os.path.dirname(lab_module.__file__)
        process = subprocess.Popen([sys.executable, "-B", "-c", ABANDON.format(path=path)], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), "up\n")
        self.assertIn("weirlost-client", namespaces())
        return process

    def test_lab_terminated_takes_itself_away(self):
        process = self.abandoned()
        process.terminate()
        process.wait(20)
        self.assertNotIn("weirlost-", namespaces())

    def test_lab_killed_is_cleared_by_the_next_one(self):
        process = self.abandoned()
        sleepers = subprocess.run(["ip", "netns", "pids", "weirlost-client"], text=True, capture_output=True).stdout.split()
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        self.assertEqual(len(sleepers), 1)
        with Lab("weirlost", caches=1):
            self.assertFalse(os.path.exists(f"/proc/{sleepers[0]}/ns/net") and
                             open(f"/proc/{sleepers[0]}/cmdline").read().startswith("sleep"))
        self.assertNotIn("weirlost-", namespaces())

    def test_lab_name_in_use_refuses_and_leaves_it_alone(self):
        process = self.abandoned()
        with self.assertRaisesRegex(lab_module.LabError, "in use"):
            Lab("weirlost").up()
        self.assertIn("weirlost-client", namespaces())
        process.terminate()
        process.wait(20)
