#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A cache host between real stacks: tunnels of every pair of families come off, and down leaves the host as it was.

    edge namespace: clients' addresses, a TUN device as the edge --eth0-- host namespace: VIPs on lo
                                                   \\--eth1 (answers)--/

The host's route to the clients leads out of eth1, so that strict reverse path filtering on eth0 would drop all that
comes out of a tunnel there.
"""

import contextlib
import ctypes
import fcntl
import http.server
import json
import os
import pathlib
import shutil
import socket
import socketserver
import struct
import subprocess
import tempfile
import threading
import unittest

from lab import await_true

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD") or REPO / "build").resolve()
WEIR = BUILD / "weir"
BPFFS = pathlib.Path("/sys/fs/bpf")

VIP4, VIP6, OTHER_VIP4 = "198.51.100.10", "2001:db8:10::10", "198.51.100.20"
CLIENT4, CLIENT6 = "203.0.113.7", "2001:db8:1::7"
EDGE4, HOST4, EDGE6, HOST6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
PAGE = bytes(range(256)) * 800
LEAVES = ("arp_ignore", "arp_announce", "rp_filter")

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000
LIBC = ctypes.CDLL(None, use_errno=True)


def sh(*argv, check=True):
    return subprocess.run([str(a) for a in argv], check=check, capture_output=True, text=True, timeout=30)


class Namespace:
    """A network namespace; sockets made inside it stay in it."""

    def __init__(self, name):
        self.name, self.path = name, f"/run/netns/{name}"
        sh("ip", "netns", "add", name)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *argv, check=True):
        return sh("nsenter", f"--net={self.path}", *argv, check=check)

    @contextlib.contextmanager
    def inside(self):
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            self._enter(there.fileno())
            try:
                yield
            finally:
                self._enter(home.fileno())

    @staticmethod
    def _enter(fd):
        if LIBC.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def sysctl(self, name, value=None):
        with self.inside(), open(f"/proc/sys/net/{name}", "r" if value is None else "w") as file:
            return file.read().strip() if value is None else file.write(str(value))

    def netstat(self, counter):
        with self.inside(), open("/proc/thread-self/net/netstat") as file:
            lines = [line.split() for line in file]
        return {k: int(v) for names, values in zip(lines[::2], lines[1::2])
                for k, v in zip(names[1:], values[1:])}[counter]

    def delete(self):
        sh("ip", "netns", "del", self.name, check=False)


class Edge:
    """Takes what the clients' stack sends to the VIPs from a TUN device and tunnels it to the host, in the family
    that `outer` says; answers come back to the clients directly."""

    def __init__(self, namespace):
        self.outer = 4
        with namespace.inside():
            self.tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self.tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
            self.sockets = {(outer, inner): socket.socket(family, socket.SOCK_RAW, protocol)
                            for outer, family in ((4, socket.AF_INET), (6, socket.AF_INET6))
                            for inner, protocol in ((4, socket.IPPROTO_IPIP), (6, socket.IPPROTO_IPV6))}
        namespace.run("ip", "link", "set", "tun0", "mtu", "1400", "up")
        for vip in (VIP4, OTHER_VIP4):
            namespace.run("ip", "route", "add", vip, "dev", "tun0", "src", CLIENT4)
        namespace.run("ip", "-6", "route", "add", VIP6, "dev", "tun0", "src", CLIENT6)
        self.thread = threading.Thread(target=self._forward, daemon=True)
        self.thread.start()

    def send(self, packet):
        self.sockets[self.outer, packet[0] >> 4].sendto(packet, (HOST4 if self.outer == 4 else HOST6, 0))

    def _forward(self):
        while True:
            try:
                packet = os.read(self.tun, 65536)
                if packet[0] >> 4 in (4, 6):
                    self.send(packet)
            except OSError as error:
                if error.errno == 77 or error.errno == 9:  # the device is gone
                    return


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


class Server4(socketserver.ThreadingTCPServer):
    """Unlike http.server's own, it does not ask the DNS for its name."""
    allow_reuse_address = daemon_threads = True


class Server6(Server4):
    address_family = socket.AF_INET6


class BackendHost(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("namespaces need root")
        if not os.path.ismount(BPFFS):
            sh("mount", "-t", "bpf", "bpf", BPFFS)

    def setUp(self):
        self.tag = f"wbh{os.getpid()}"
        self.pins = BPFFS / self.tag
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="wbh-"))
        self.addCleanup(shutil.rmtree, self.state)
        self.addCleanup(self.remove_pins)
        self.edge, self.host = Namespace(f"{self.tag}-edge"), Namespace(f"{self.tag}-host")
        self.addCleanup(self.edge.delete)
        self.addCleanup(self.host.delete)
        self.wire()
        for leaf in ("all/rp_filter", "eth0/rp_filter", "eth1/rp_filter", "default/rp_filter"):
            self.edge.sysctl(f"ipv4/conf/{leaf}", 0)
        self.before = self.snapshot()
        self.relay = Edge(self.edge)

    def wire(self):
        for name in ("eth0", "eth1"):
            sh("ip", "link", "add", name, "netns", self.edge.name, "type", "veth", "peer", "name", name, "netns",
               self.host.name)
        for namespace, number in ((self.edge, 1), (self.host, 2)):
            for name, net in (("eth0", 77), ("eth1", 78)):
                namespace.run("ip", "link", "set", name, "up")
                namespace.run("ip", "addr", "add", f"10.{net}.0.{number}/24", "dev", name)
                namespace.run("ip", "-6", "addr", "add", f"fd{net}::{number}/64", "dev", name, "nodad")
        for address in (CLIENT4 + "/32", CLIENT6 + "/128"):
            self.edge.run("ip", "addr", "add", address, "dev", "lo")
        self.host.run("ip", "route", "add", "default", "via", "10.78.0.1")
        self.host.run("ip", "-6", "route", "add", "default", "via", "fd78::1")
        await_true("links come up", lambda: all(
            "LOWER_UP" in self.host.run("ip", "link", "show", name).stdout for name in ("eth0", "eth1")))

    def remove_pins(self):
        for path in sorted(self.pins.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        with contextlib.suppress(FileNotFoundError):
            self.pins.rmdir()

    def snapshot(self, scopes=("all", "default", "lo", "eth0", "eth1")):
        sysctls = {f"{scope}/{leaf}": self.host.sysctl(f"ipv4/conf/{scope}/{leaf}")
                   for scope in scopes for leaf in LEAVES}
        addresses = json.loads(self.host.run("ip", "-j", "addr", "show").stdout)
        return sysctls, {(link["ifname"], a["local"], a["prefixlen"], a["scope"])
                         for link in addresses for a in link["addr_info"]}

    def xdp(self):
        link = json.loads(self.host.run("ip", "-j", "link", "show", "eth0").stdout)[0]
        return link.get("xdp", {}).get("prog", {}).get("id", 0)

    def weir(self, *argv, code=0, namespace=None):
        done = (namespace or self.host).run(WEIR, "backend-host", *argv, "--pins", self.pins, "--state", self.state,
                                            check=False)
        self.assertEqual(done.returncode, code, f"{argv}: {done.stdout}{done.stderr}")
        return done

    def up(self, *argv, vips=(VIP4, VIP6), **options):
        return self.weir("up", "eth0", *(part for vip in vips for part in ("--vip", vip)), *argv, **options)

    def status(self):
        return json.loads(self.weir("status", "eth0", "--json").stdout)["interfaces"][0]

    def counter(self, name):
        return {c["name"]: c["packets"] for c in self.status()["counters"]}[name]

    def assert_as_before(self):
        self.assertEqual(self.snapshot(), self.before)
        self.assertEqual(self.xdp(), 0)
        self.assertFalse((self.pins / "eth0").exists())
        self.assertEqual(list(self.state.iterdir()), [])

    def serve(self, vip):
        with self.host.inside():
            server = (Server6 if ":" in vip else Server4)((vip, 80), Page)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def fetch(self, vip):
        with self.edge.inside():
            with socket.create_connection((vip, 80), timeout=5) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.partition(b"\r\n\r\n")[2]

    def udp_pair(self, vip, client):
        family = socket.AF_INET6 if ":" in vip else socket.AF_INET
        with self.host.inside():
            server = socket.socket(family, socket.SOCK_DGRAM)
        with self.edge.inside():
            sender = socket.socket(family, socket.SOCK_DGRAM)
        for one, address in ((server, (vip, 5300)), (sender, (client, 5301))):
            self.addCleanup(one.close)
            one.settimeout(5)
            one.bind(address)
        sender.connect((vip, 5300))
        return server, sender

    def test_backend_host_up_serves_udp_and_tcp_in_every_pair_of_families(self):
        self.up()
        for vip, client in ((VIP4, CLIENT4), (VIP6, CLIENT6)):
            self.serve(vip)
            server, sender = self.udp_pair(vip, client)
            for outer in (4, 6):
                with self.subTest(vip=vip, outer=outer):
                    self.relay.outer = outer
                    sender.send(b"ping")
                    data, source = server.recvfrom(100)
                    self.assertEqual((data, source[:2]), (b"ping", (client, 5301)))
                    server.sendto(b"pong", source)
                    self.assertEqual(sender.recv(100), b"pong")
                    self.assertEqual(self.fetch(vip), PAGE)
        status = self.status()
        self.assertEqual(status["mode"], "native")
        self.assertGreater(self.counter("decapsulated-ipv4"), 20)
        self.assertGreater(self.counter("decapsulated-ipv6"), 20)
        for name in ("malformed", "ecn", "not-edge", "bug"):
            self.assertEqual(self.counter(name), 0)

    def test_backend_host_generic_mode_serves_too(self):
        self.host.run("ip", "link", "set", "eth0", "mtu", "9000")
        self.edge.run("ip", "link", "set", "eth0", "mtu", "9000")
        self.assertIn("generic", self.up().stderr)
        self.assertEqual(self.status()["mode"], "generic")
        self.serve(VIP4)
        for self.relay.outer in (4, 6):
            self.assertEqual(self.fetch(VIP4), PAGE)

    def test_backend_host_down_leaves_addresses_and_sysctls_as_before(self):
        self.up()
        self.assertEqual({a["address"] for a in self.status()["vips"]}, {VIP4, VIP6})
        self.assertEqual([self.host.sysctl(f"ipv4/conf/{scope}/{leaf}") for scope in ("all", "eth0")
                          for leaf in LEAVES[:2]], ["1", "2", "1", "2"])
        self.assertNotEqual(self.xdp(), 0)
        self.weir("down", "eth0")
        self.assert_as_before()
        self.assertIn("nothing is up on eth0", self.weir("down", "eth0", code=1).stderr)
        self.assertIn("nothing is up on eth0", self.weir("status", "eth0", code=1).stderr)

    def test_backend_host_strict_rp_filter_is_made_loose_and_restored(self):
        for scope in ("all", "eth0"):
            self.host.sysctl(f"ipv4/conf/{scope}/rp_filter", 1)
        self.before = self.snapshot()
        self.up()
        self.assertEqual(self.host.sysctl("ipv4/conf/eth0/rp_filter"), "2")
        self.assertEqual(self.host.sysctl("ipv4/conf/all/rp_filter"), "1")
        self.serve(VIP4)
        self.assertEqual(self.fetch(VIP4), PAGE)
        # The contrast: strict, the kernel drops what comes out of the tunnel.
        self.host.sysctl("ipv4/conf/eth0/rp_filter", 1)
        _, sender = self.udp_pair(VIP4, CLIENT4)
        dropped = self.host.netstat("IPReversePathFilter")
        sender.send(b"ping")
        await_true("strict filtering drops", lambda: self.host.netstat("IPReversePathFilter") > dropped)
        self.host.sysctl("ipv4/conf/eth0/rp_filter", 2)
        self.weir("down", "eth0")
        self.assert_as_before()

    def arp(self, address):
        """The link address that the host answers with, asked by a ping from the edge; None once asking has failed."""
        self.edge.run("ip", "neigh", "flush", "dev", "eth0")
        self.edge.run("ping", "-c", "1", "-W", "1", "-I", "eth0", address, check=False)

        def answer():
            words = self.edge.run("ip", "neigh", "show", address, "dev", "eth0").stdout.split()
            return words[1:2] == ["lladdr"] and words[2] or words[-1:] == ["FAILED"] and "none"
        return await_true(f"{address} is resolved or not", answer)

    def test_backend_host_arp_for_the_vip_is_not_answered(self):
        self.host.run("ip", "addr", "add", VIP4 + "/32", "dev", "lo")
        self.edge.sysctl("ipv4/neigh/eth0/retrans_time_ms", 100)
        self.edge.run("ip", "route", "replace", VIP4, "dev", "eth0")
        self.assertNotEqual(self.arp(VIP4), "none")  # the contrast: as a host comes, it answers
        self.up()
        self.assertEqual(self.arp(VIP4), "none")
        self.assertNotEqual(self.arp(HOST4), "none")

    def test_backend_host_vip_that_was_there_stays(self):
        self.host.run("ip", "addr", "add", VIP4 + "/32", "dev", "lo")
        self.before = self.snapshot()
        self.up()
        self.assertEqual({v["address"]: v["added"] for v in self.status()["vips"]}, {VIP4: False, VIP6: True})
        self.weir("down", "eth0")
        self.assert_as_before()

    def test_backend_host_sysctl_that_somebody_changed_stays(self):
        self.up()
        self.host.sysctl("ipv4/conf/all/arp_ignore", 8)
        self.assertIn("net/ipv4/conf/all/arp_ignore is 8 now", self.weir("down", "eth0").stderr)
        self.before[0]["all/arp_ignore"] = "8"
        self.assert_as_before()

    def test_backend_host_up_again_changes_the_vips_and_keeps_counters(self):
        self.up()
        self.serve(VIP4)
        self.assertEqual(self.fetch(VIP4), PAGE)
        counted = self.counter("decapsulated-ipv4")
        self.up(vips=(VIP4, OTHER_VIP4))
        self.assertEqual({v["address"] for v in self.status()["vips"]}, {VIP4, OTHER_VIP4})
        self.assertEqual({a[1] for a in self.snapshot()[1] - self.before[1]}, {VIP4, OTHER_VIP4})
        self.serve(OTHER_VIP4)
        self.assertEqual(self.fetch(OTHER_VIP4), PAGE)
        self.assertGreater(self.counter("decapsulated-ipv4"), counted)
        self.weir("down", "eth0")
        self.assert_as_before()

    def test_backend_host_edges_given_strangers_are_dropped_and_counted(self):
        self.up("--edge", "10.77.0.9", "--edge", "fd77::/64")
        server, sender = self.udp_pair(VIP4, CLIENT4)
        sender.send(b"stranger")
        await_true("the stranger is counted", lambda: self.counter("not-edge") == 1)
        self.relay.outer = 6
        sender.send(b"edge")
        self.assertEqual(server.recv(100), b"edge")
        self.up("--edge", "10.77.0.0/24")
        self.relay.outer = 4
        sender.send(b"edge again")
        self.assertEqual(server.recv(100), b"edge again")
        self.assertEqual(self.status()["edges"], ["10.77.0.0/24"])

    def test_backend_host_failed_up_is_rolled_back(self):
        foreign = BPFFS / f"{self.tag}-foreign"
        sh("bpftool", "prog", "load", BUILD / "backend.bpf.o", foreign)
        self.addCleanup(foreign.unlink)
        self.host.run("ip", "link", "set", "dev", "eth0", "xdpgeneric", "pinned", foreign)
        self.assertIn("foreign XDP program", self.up(code=1).stderr)
        self.host.run("ip", "link", "set", "dev", "eth0", "xdpgeneric", "off")
        self.assert_as_before()

    def test_backend_host_failed_change_keeps_what_was_up(self):
        self.up(vips=(VIP4,))
        self.serve(VIP4)
        during = self.snapshot()
        (self.pins / "eth0" / "host_vips").unlink()
        sh("bpftool", "map", "create", self.pins / "eth0" / "host_vips", "type", "hash", "key", "4", "value", "4",
           "entries", "1", "name", "other")
        self.assertIn("another layout", self.up(vips=(VIP6,), code=1).stderr)
        self.assertEqual(self.snapshot(), during)
        self.assertEqual(self.fetch(VIP4), PAGE)
        self.weir("down", "eth0")
        self.assert_as_before()

    def test_backend_host_down_works_with_half_of_the_pins(self):
        for gone in ("link", "host_vips", "host_count"):
            with self.subTest(gone=gone):
                self.up()
                (self.pins / "eth0" / gone).unlink()
                self.weir("status", "eth0")
                self.weir("down", "eth0")
                await_true("the program is off", lambda: self.xdp() == 0)
                self.assert_as_before()

    def test_backend_host_down_works_when_the_interface_is_gone(self):
        self.up()
        self.host.run("ip", "link", "del", "eth0")
        self.assertEqual(self.status()["mode"], "detached")
        self.weir("down", "eth0")
        self.assertFalse((self.pins / "eth0").exists())
        self.assertEqual(list(self.state.iterdir()), [])
        self.assertEqual(self.host.sysctl("ipv4/conf/all/arp_ignore"), self.before[0]["all/arp_ignore"])

    def test_backend_host_interface_recreated_is_attached_again(self):
        self.up()
        self.host.run("ip", "link", "del", "eth0")
        self.wire_again()
        self.up()
        self.serve(VIP4)
        self.assertEqual(self.fetch(VIP4), PAGE)

    def wire_again(self):
        sh("ip", "link", "add", "eth0", "netns", self.edge.name, "type", "veth", "peer", "name", "eth0", "netns",
           self.host.name)
        for namespace, number in ((self.edge, 1), (self.host, 2)):
            namespace.run("ip", "link", "set", "eth0", "up")
            namespace.run("ip", "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        self.edge.sysctl("ipv4/conf/eth0/rp_filter", 0)

    def test_backend_host_pins_of_another_namespace_are_refused(self):
        self.up()
        during = self.snapshot()
        for action in (("up", "eth0", "--vip", VIP4), ("down", "eth0")):
            self.assertIn("another network namespace",
                          self.weir(*action, code=1, namespace=self.edge).stderr)
        self.assertEqual(self.snapshot(), during)

    def test_backend_host_state_of_a_namespace_that_is_gone_is_ignored(self):
        self.up()
        self.host.delete()
        await_true("the link loses its device", lambda: not self.link_device())
        await_true("the device's peer goes", lambda: self.edge.run("ip", "link", "show", "eth0", check=False).returncode)
        self.host = Namespace(f"{self.tag}-host")
        self.wire_again()
        scopes = ("all", "default", "lo", "eth0")
        before = self.snapshot(scopes)
        self.assertIn("gone: ignored", self.up().stderr)
        self.assertEqual(self.status()["mode"], "native")
        self.weir("down", "eth0")
        self.assertEqual(self.snapshot(scopes), before)
        self.assertEqual(list(self.state.iterdir()), [])

    def link_device(self):
        shown = sh("bpftool", "-j", "link", "show", "pinned", self.pins / "eth0" / "link", check=False)
        if shown.returncode:  # bpftool 7.5 fails on a link without a device, 7.1 shows none
            return 0
        link = json.loads(shown.stdout)
        return link.get("ifindex") or link.get("devname")

    def test_backend_host_pins_that_would_not_last_are_refused(self):
        done = sh("ip", "netns", "exec", self.host.name, WEIR, "backend-host", "up", "eth0", "--vip", VIP4, "--pins",
                  self.pins, "--state", self.state, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nsenter", done.stderr)
        self.assert_as_before()

    def test_backend_host_usage_errors_exit_2(self):
        for argv, said in ((("up", "eth0"), "--vip"), (("up",), "interface"), (("sideways", "eth0"), "sideways"),
                           (("up", "eth0", "--vip", "198.51.100.300"), "198.51.100.300"),
                           (("up", "eth0", "--vip", VIP4, "--edge", "10.0.0.1/8"), "10.0.0.0/8"), ((), "status")):
            with self.subTest(argv=argv):
                self.assertIn(said, self.weir(*argv, code=2).stderr)
        self.assertIn("no interface", self.weir("up", "wbhnone", "--vip", VIP4, code=1).stderr)
        self.assert_as_before()


if __name__ == "__main__":
    unittest.main(verbosity=2)
