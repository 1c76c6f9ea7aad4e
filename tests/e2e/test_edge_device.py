# SPDX-License-Identifier: BSD-2-Clause
"""The edge's NIC goes away, comes back, or gets another name: an alarm, then the program is on it again."""

import unittest

from lab import LAN4, LAN6
from shared import VIP4, VIP6, SharedEdgeTest, await_true


class EdgeDevice(SharedEdgeTest):
    def interface(self):
        return self.edge.json("status")["interfaces"][0]

    def await_mode(self, mode):
        return await_true(f"interface {mode}", lambda: (row := self.interface())["mode"] == mode and row, 10)

    def serves(self, vip):
        try:
            return self.page(vip)
        except OSError:
            return None

    def assert_serves(self):
        """What was checked while the NIC was away may be found unhealthy only after the NIC is back, and then healthy."""
        self.edge.await_healthy(3)
        for vip in (VIP4, VIP6):
            await_true(f"a page from {vip}", lambda vip=vip: self.serves(vip), 10)
        self.edge.await_healthy(3)

    def rename(self, old, new):
        """As a kernel that does not rename what is up wants it; addresses and routes that this loses come back."""
        for argv in (["link", "set", old, "down"], ["link", "set", old, "name", new], ["link", "set", new, "up"],
                     ["addr", "replace", f"{self.lab.ip6('edge')}/64", "dev", new, "nodad"],
                     ["route", "replace", "default", "via", LAN4 + "1"], ["-6", "route", "replace", "default", "via", LAN6 + "1"]):
            self.lab.run("edge", ["ip", *argv])

    def test_edge_nic_deleted_is_an_alarm_and_recreated_is_attached_again(self):
        before = self.interface()
        self.lab.unplug("edge")
        try:
            row = self.await_mode("detached")
            self.assertIn("no such device", row["why"])
            self.await_log("eth0 is not filtered")
        finally:
            self.lab.plug("edge")
        row = self.await_mode(before["mode"])
        self.assertEqual(row["why"], "")
        self.await_log("interface eth0: attached")
        self.assert_serves()
        self.edge.weir("deny", "add", self.lab.ip4("attacker"))
        with self.counting(denied=5):
            self.datagrams("attacker", 5)

    def test_edge_nic_deleted_while_no_controller_runs_is_attached_at_the_start(self):
        self.edge.service.stop()
        self.lab.unplug("edge")
        self.lab.plug("edge")
        self.edge.start()
        self.assertEqual(self.interface()["why"], "")
        self.assert_serves()

    def test_edge_start_without_the_nic_waits_for_it(self):
        self.edge.service.stop()
        self.lab.unplug("edge")
        try:
            self.edge.start()
            self.assertEqual(self.interface()["mode"], "detached")
        finally:
            self.lab.plug("edge")
        self.await_mode("native")
        self.assert_serves()

    def test_edge_nic_renamed_is_an_alarm_and_named_back_is_well_again(self):
        self.rename("eth0", "eth9")
        try:
            await_true("the alarm", lambda: "eth9" in self.interface()["why"], 10)
            self.await_log("now called eth9")
            self.edge.weir("deny", "add", self.lab.ip4("attacker"))
            with self.counting(denied=5): # under its new name it is filtered as before
                self.datagrams("attacker", 5)
        finally:
            self.rename("eth9", "eth0")
        await_true("the end of the alarm", lambda: not self.interface()["why"], 10)
        self.assert_serves()

    def test_edge_nic_renamed_for_good_is_attached_by_its_new_name(self):
        policy = self.policy()
        policy["interfaces"] = ["eth9"]
        self.rename("eth0", "eth9")
        try:
            self.apply(policy)
            row = self.await_mode("native")
            self.assertEqual((row["name"], row["why"]), ("eth9", ""))
            self.lab.run("edge", ["sysctl", "-qw", "net.ipv6.conf.eth9.forwarding=1"])
            self.assert_serves()
        finally:
            self.rename("eth9", "eth0")
            self.apply(self.shared.policy())
        self.await_mode("native")
        self.lab.run("edge", ["sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=1"])
        self.assert_serves()

    def test_edge_nic_that_does_not_forward_is_named_with_the_remedy(self):
        setting = "net.ipv4.conf.eth0.forwarding"
        self.edge.service.stop()
        self.lab.run("edge", ["sysctl", "-qw", f"{setting}=0"])
        try:
            self.edge.start()
            self.assertIn("net/ipv4/conf/eth0/forwarding=1", self.log())
        finally:
            self.lab.run("edge", ["sysctl", "-qw", f"{setting}=1"])
        self.assert_serves()

    def test_edge_detach_is_the_way_out_and_attach_the_way_back(self):
        self.edge.service.stop()
        self.edge.weir("detach", "eth0")
        with self.counting(steered=0):
            self.datagrams("client", 5)
        self.edge.weir("attach", "eth0")
        with self.counting(steered=5):
            self.datagrams("client", 5)


if __name__ == "__main__":
    unittest.main()
