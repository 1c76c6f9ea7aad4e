# SPDX-License-Identifier: BSD-2-Clause
"""Who may command the controller, and what it refuses: files with errors leave everything as it was."""

import json
import os
import socket
import stat
import struct
import unittest

from shared import VIP4, SharedEdgeTest, await_true

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


class EdgeControl(SharedEdgeTest):
    def setUp(self):
        super().setUp()
        self.socket = self.lab.dir / "control.sock"

    def as_nobody(self, *argv):
        # A copy that anybody may run: the tree may be in a directory that is root's own.
        weir = self.lab.dir / "weir"
        if not weir.exists():
            weir.write_bytes((self.lab.build / "weir").read_bytes())
            weir.chmod(0o755)
        return self.lab.run("edge", [*NOBODY, weir, *argv, "--socket", self.socket], check=False)

    def test_edge_control_socket_is_for_owner_and_group_alone(self):
        status = os.stat(self.socket)
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid), (0o660, 0, 0))

    def test_edge_control_unprivileged_user_is_refused(self):
        for argv in (["status"], ["deny", "add", "203.0.113.66"], ["backend", "drain", "cache1"]):
            with self.subTest(argv=argv):
                done = self.as_nobody(*argv)
                self.assertEqual(done.returncode, 1)
                self.assertIn("weir:", done.stderr)
        self.assertEqual(self.edge.json("deny", "list")["entries"], [])

    def test_edge_control_unprivileged_user_is_refused_by_credentials_too(self):
        self.socket.chmod(0o666)
        self.addCleanup(self.socket.chmod, 0o660)
        done = self.as_nobody("deny", "add", "203.0.113.66")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.edge.json("deny", "list")["entries"], [])

    def test_edge_control_garbage_and_silent_clients_leave_it_responsive(self):
        clients = []
        for data in (b"", b"\0\0", struct.pack("!I", 0xffffffff), b"GET / HTTP/1.1\r\n\r\n", struct.pack("!I", 5) + b"{nope",
                     struct.pack("!I", 2) + b"[]", struct.pack("!I", 1000) + b"{"):
            for _ in range(4):
                sock = socket.socket(socket.AF_UNIX)
                self.addCleanup(sock.close)
                sock.connect(str(self.socket))
                sock.sendall(data)
                clients.append(sock)
        self.assertTrue(self.edge.json("status")["controller"]["running"])
        self.page()

    # --- applies ---------------------------------------------------------------------------------------------
    def assert_refused(self, text, place, word):
        path = self.lab.dir / "broken.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        done = self.edge.weir("apply", path, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, rf"broken\.yaml:{place}: ")
        self.assertIn(word, done.stderr)

    def test_edge_apply_of_a_broken_file_is_refused_and_changes_nothing(self):
        good = json.dumps(self.policy(), indent=1)
        backend = f'"address": "{self.lab.ip4("cache1")}"'
        line = next(n for n, text in enumerate(good.splitlines(), 1) if backend in text)
        generation, backends = self.generation(), self.backends()
        for what, text, place, word in (
                ("empty", "", r"\d+:\d+", ""),
                ("NUL", good.encode()[:60] + b"\0" + good.encode()[60:], r"\d+:\d+", ""),
                ("truncated", good[:len(good) // 2], r"\d+:\d+", ""),
                ("unknown key", good.replace('"forward"', '"forwards"'), r"\d+:\d+", "forwards"),
                ("wrong unit", good.replace('"200ms"', '"200 parsecs"'), r"\d+:\d+", "parsecs"),
                ("bad address", good.replace(backend, '"address": "192.0.2.256"'), rf"{line}:\d+", "192.0.2.256"),
                ("duplicate key", good.replace('"forward": "ipip",', '"forward": "ipip", "forward": "l2",'), r"\d+:\d+",
                 "forward"),
                ("duplicate VIP", good.replace(f'"{VIP4}",', f'"{VIP4}", "{VIP4}",'), r"\d+:\d+", VIP4),
                ("absurd", good.replace('"rise": 2', '"rise": 999999999999'), r"\d+:\d+", "rise")):
            with self.subTest(what=what):
                self.assert_refused(text, place, word)
        self.assertEqual(self.generation(), generation)
        self.assertEqual({name: row["address"] for name, row in self.backends().items()},
                         {name: row["address"] for name, row in backends.items()})
        self.page()

    def test_edge_apply_on_another_generation_is_refused_as_stale(self):
        generation = self.generation()
        self.apply(self.policy())
        done = self.edge.weir("apply", self.edge.path, "--base", generation, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(generation), done.stderr)
        self.edge.weir("apply", self.edge.path, "--base", self.generation())

    def test_edge_apply_dry_run_tells_the_changes_and_makes_none(self):
        policy = self.policy()
        policy["pools"]["local"]["backends"].pop()
        generation = self.generation()
        self.edge.write(json.dumps(policy))
        done = self.edge.weir("apply", "--dry-run", self.edge.path)
        self.assertIn("cache3", done.stdout)
        self.assertEqual(self.generation(), generation)
        self.assertIn("cache3", self.backends())

    def test_edge_reload_by_signal_reads_the_file_again(self):
        generation = self.generation()
        self.edge.service.popen.send_signal(1)
        await_true("another generation", lambda: self.generation() > generation, 5)
        self.edge.path.write_text("nonsense: [")
        self.edge.service.popen.send_signal(1)
        self.await_log("reload failed")
        self.assertTrue(self.edge.service.alive())
        self.edge.write(json.dumps(self.policy()))
        self.page()


if __name__ == "__main__":
    unittest.main()
