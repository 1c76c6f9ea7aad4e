# SPDX-License-Identifier: BSD-2-Clause
"""What weir doctor says of an edge that is well and of one that is not; the fixes are run as they are printed."""

import json
import pathlib
import unittest

from shared import SharedEdgeTest


class Doctor(SharedEdgeTest):
    def doctor(self, *argv, status=0):
        """The findings by (group, subject)."""
        done = self.edge.weir("doctor", "-c", self.edge.path, "--json", *argv, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        rows = {(row["group"], row["subject"]): row for row in report["findings"]}
        self.assertEqual(len(rows), len(report["findings"]), "a subject has two findings")
        for key in ("error", "warning"):
            self.assertEqual(report[f"{key}s"], sum(row["severity"] == key for row in rows.values()))
        return rows

    def errors(self, rows):
        return [row for row in rows.values() if row["severity"] == "error"]

    def run_fix(self, row):
        self.lab.run("edge", row["fix"].split())

    def bpftool(self, *argv):
        found = sorted(pathlib.Path("/usr/lib/linux-tools").glob("*/bpftool"))
        self.lab.run("edge", [found[0] if found else "/usr/sbin/bpftool", *argv])

    def test_doctor_edge_that_is_well_has_no_errors(self):
        rows = self.doctor()
        self.assertEqual(self.errors(rows), [])
        self.assertEqual(rows["kernel", "release"]["severity"], "ok")
        self.assertEqual(rows["configuration", "file"]["severity"], "ok")
        self.assertRegex(rows["interface eth0", "XDP"]["finding"], r"^Weir, in native mode \(program \d+\)$")
        self.assertIn("driver veth", rows["interface eth0", "link"]["finding"])
        self.assertEqual(rows["interface eth0", "IPv4 forwarding"]["finding"], "on")

    def test_doctor_text_is_grouped_and_ends_in_counts(self):
        lines = self.edge.weir("doctor", "-c", self.edge.path, "eth0").stdout.splitlines()
        groups = [line for line in lines if line and not line.startswith(" ")]
        self.assertEqual(groups[:-1], ["configuration", "kernel", "memory", "sysctls", "interface eth0"])
        self.assertRegex(groups[-1], r"^0 errors, \d+ warnings?, \d+ notes?, \d+ ok$")
        self.assertNotIn("\033", "".join(lines))

    def test_doctor_interface_that_does_not_forward_is_mended_by_the_fix(self):
        self.lab.run("edge", ["sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0"])
        self.addCleanup(self.lab.run, "edge", ["sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=1"])
        error, = self.errors(self.doctor(status=1))
        self.assertEqual((error["group"], error["subject"]), ("interface eth0", "IPv4 forwarding"))
        self.assertEqual(error["fix"], "sysctl -w net/ipv4/conf/eth0/forwarding=1")
        self.run_fix(error)
        self.assertEqual(self.errors(self.doctor()), [])

    def test_doctor_foreign_program_is_named_and_taken_off_by_the_fix(self):
        self.edge.service.stop()
        self.addCleanup(self.edge.start)
        self.edge.weir("detach", "eth0")
        self.bpftool("net", "attach", "xdpdrv", "pinned", self.lab.pins / "fabric/pass", "dev", "eth0")
        error, = self.errors(self.doctor(status=1))
        self.assertEqual((error["group"], error["subject"]), ("interface eth0", "XDP"))
        self.assertRegex(error["finding"], r"another program is attached \(pass, id \d+, in native mode\)")
        self.assertEqual(error["fix"], "ip link set eth0 xdpdrv off")
        self.run_fix(error)
        rows = self.doctor()
        self.assertIn("free", rows["interface eth0", "XDP"]["finding"])
        self.assertEqual(rows["kernel", "Weir's program"]["severity"], "ok") # tried, as none is attached

    def test_doctor_weir_with_other_pins_is_told_from_our_own(self):
        error, = self.errors(self.doctor("--pins", self.lab.pins / "elsewhere", status=1))
        self.assertIn("a Weir whose pins are elsewhere", error["finding"])
        self.assertRegex(error["fix"], r"^bpftool link detach id \d+$") # as a link holds it

    def test_doctor_interface_and_configuration_that_are_not_there_are_errors(self):
        errors = self.errors(self.doctor("eth0", "eth7", status=1))
        self.assertEqual([(row["group"], row["subject"]) for row in errors], [("interface eth7", "link")])
        broken = self.lab.dir / "broken.yaml"
        broken.write_text("interfaces: [eth0\n")
        for path, fix in ((broken, f"weir check {broken}"), ("/nowhere.yaml", "name the file that is there with -c")):
            done = self.edge.weir("doctor", "-c", path, "eth0", "--json", check=False)
            self.assertEqual(done.returncode, 1)
            first = json.loads(done.stdout)["findings"][0]
            self.assertEqual((first["group"], first["severity"], first["fix"]), ("configuration", "error", fix))
        self.assertEqual(self.edge.weir("doctor", "--nonsense", check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
