# SPDX-License-Identifier: BSD-2-Clause
"""A network in namespaces: clients, an edge, caches, an origin and a collector around one router.

    client, greedy, attacker --(wan)-- fabric --(lan)-- edge, cache1.., origin, collector

The fabric routes the VIPs to the edge; caches answer clients through the fabric, not through the edge. Its port to
the edge behaves as a wire does: no checksum is left to be filled in beyond it. Everything a lab makes carries its
name, so that the next lab of that name can clear away what a killed one left.
"""

import atexit
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

REPO = pathlib.Path(__file__).resolve().parents[2]
RUN = pathlib.Path("/run/weir-lab")
BPFFS = pathlib.Path("/sys/fs/bpf")

VIP4, VIP6 = "198.51.100.10", "2001:db8:10::10"
VIPS4, VIPS6 = "198.51.100.0/24", "2001:db8:10::/64"
WAN4, WAN6 = "203.0.113.", "2001:db8:1::"
LAN4, LAN6 = "192.0.2.", "2001:db8:2::"
OUTSIDE = {"client": 10, "greedy": 11, "attacker": 66}
EDGE_PORT = 100  # the index of the fabric's port to the edge, and the link addresses that bpf/fabric.bpf.c knows
EDGE_MAC, LAN_MAC = "02:00:00:00:00:0a", "02:00:00:00:00:01"
INSIDE = {"edge": 10, "origin": 20, "collector": 30}


class LabError(Exception):
    """Something a person should read: what failed and what to do."""


def await_true(what, condition, seconds=10.0, every=0.02):
    """Waits for condition() to be true and returns its value; fails with what did not happen in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"{what} did not happen within {seconds:g} s")
        time.sleep(every)


def interrupt(*_):
    """A termination ends a lab as an interrupt does: by unwinding."""
    raise KeyboardInterrupt


class Service:
    """A process of the lab, its log, and a stop that leaves nothing behind."""

    def __init__(self, name, popen, log):
        self.name, self.popen, self.log = name, popen, log

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def kill(self, number=signal.SIGKILL):
        """Signals the whole process group, which is the service's own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, seconds=5.0):
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                self.popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(seconds)
        self.kill()
        self.popen.wait()


class Lab:
    """Use as a context manager, or up() and down()."""

    def __init__(self, name="weirlab", caches=3, mtu=1500, build=None, offload=False):
        self.name, self.caches, self.mtu, self.offload = name, caches, mtu, offload
        self.build = pathlib.Path(build or os.environ.get("WEIR_BUILD") or REPO / "build").resolve()
        self.dir = RUN / name
        self.pins = BPFFS / f"weir-lab-{name}"
        self.inside = dict(INSIDE, **{f"cache{n}": 10 + n for n in range(1, caches + 1)})
        self.nodes = ["fabric", *OUTSIDE, *self.inside]
        self.services = {}
        self._lock = None

    # --- names and addresses ---------------------------------------------------------------------------------
    def ns(self, node):
        return f"{self.name}-{node}"

    def ip4(self, node):
        return WAN4 + str(OUTSIDE[node]) if node in OUTSIDE else LAN4 + str(self.inside[node])

    def ip6(self, node):
        return WAN6 + str(OUTSIDE[node]) if node in OUTSIDE else LAN6 + str(self.inside[node])

    def cache_names(self):
        return [f"cache{n}" for n in range(1, self.caches + 1)]

    def mac(self, node, device="eth0"):
        # /sys shows the machine's own namespace, so the address comes from ip.
        return self.run(node, ["ip", "-br", "link", "show", device]).stdout.split()[2]

    # --- commands and services -------------------------------------------------------------------------------
    def argv(self, node, argv):
        # Not `ip netns exec`: it mounts a fresh /sys, and the BPF file system would be out of sight.
        return ["nsenter", f"--net=/run/netns/{self.ns(node)}", "--", *map(str, argv)]

    def run(self, node, argv, check=True, timeout=30, **kwargs):
        done = subprocess.run(self.argv(node, argv), text=True, capture_output=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, **kwargs)
        if check and done.returncode:
            raise LabError(f"{node}: {' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()}")
        return done

    def start(self, node, name, argv, env=None, cwd=None):
        """Starts a service, logging to its own file; it is stopped with the lab."""
        log = self.dir / f"{name}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(self.argv(node, argv), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                                     start_new_session=True, env=dict(os.environ, **(env or {})))
        self.services[name] = Service(name, popen, log)
        return self.services[name]

    def await_port(self, node, port, service, seconds=15.0, address=None):
        """Waits until something accepts TCP on the port in the node's namespace."""
        def listening():
            if not service.alive():
                raise LabError(f"{service.name} ended:\n{service.tail()}")
            return f":{port} " in self.run(node, ["ss", "-Hltn", f"sport = :{port}"]).stdout
        await_true(f"{service.name} listening on port {port}", listening, seconds)

    # --- up and down -----------------------------------------------------------------------------------------
    def __enter__(self):
        try:
            return self.up()
        except BaseException:
            self.down()
            raise

    def __exit__(self, *_):
        self.down()

    def _take_lock(self):
        RUN.mkdir(mode=0o755, exist_ok=True)
        self._lock = (RUN / f"{self.name}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise LabError(f"a lab named {self.name} is in use by another process; end it or use another name") from None

    def up(self):
        if os.geteuid():
            raise LabError("the lab makes network namespaces: run it as root")
        self._take_lock()
        atexit.register(self.down)
        signal.signal(signal.SIGTERM, interrupt)
        self._clear()
        self.dir.mkdir(mode=0o755)
        for node in self.nodes:
            self._ip("netns", "add", self.ns(node))
            self._ip("-n", self.ns(node), "link", "set", "lo", "up")
            self._sysctl(node, "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
                         "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0")
        self._build_fabric()
        for node in OUTSIDE:
            self._attach(node, "wan", f"{self.ip4(node)}/24", f"{self.ip6(node)}/64", WAN4 + "1", WAN6 + "1")
        for node in self.inside:
            self.plug(node)
        self._attach_xdp("attacker", "wire")
        return self

    def down(self):
        if self._lock is None:
            return
        for service in reversed(list(self.services.values())):
            service.stop()
        self.services.clear()
        self._clear()
        self._lock.close()
        self._lock = None

    def is_up(self):
        return self._lock is not None

    def take_over(self):
        """Of a lab that was released: down() takes it away."""
        self._take_lock()

    def release(self):
        """Leaves everything up, for `scripts/lab down` to take away."""
        self._lock.close()
        self._lock = None

    def _clear(self):
        """Takes away all that a lab of this name has made, whoever left it."""
        listed = subprocess.run(["ip", "netns", "list"], text=True, capture_output=True, check=True).stdout
        for namespace in [line.split()[0] for line in listed.splitlines() if line.startswith(self.name + "-")]:
            self._kill_in(namespace)
            self._ip("netns", "del", namespace)
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.pins, ignore_errors=True)

    @staticmethod
    def _kill_in(namespace, numbers=(signal.SIGTERM, signal.SIGKILL)):
        def pids():
            return subprocess.run(["ip", "netns", "pids", namespace], text=True, capture_output=True).stdout.split()
        for number in numbers:
            for pid in pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), number)
            with contextlib.suppress(LabError):
                await_true("the end of the lab's processes", lambda: not pids(), 3)

    def kill_in(self, node, numbers):
        """Signals every process in a node's namespace."""
        self._kill_in(self.ns(node), numbers)

    # --- the network -----------------------------------------------------------------------------------------
    @staticmethod
    def _ip(*argv):
        """ip; with -n NAMESPACE first, in that one. Its own -n remounts things, which a chroot does not let it do."""
        prefix = []
        if argv[0] == "-n":
            prefix, argv = ["nsenter", f"--net=/run/netns/{argv[1]}", "--"], argv[2:]
        done = subprocess.run([*prefix, "ip", *argv], text=True, capture_output=True)
        if done.returncode:
            raise LabError(f"ip {' '.join(argv)}: {done.stderr.strip()}")

    def _sysctl(self, node, *settings):
        self.run(node, ["sysctl", "-qw", *settings])

    def _build_fabric(self):
        fabric = self.ns("fabric")
        self._sysctl("fabric", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                     "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                     "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0")
        for bridge, address4, address6 in (("wan", WAN4, WAN6), ("lan", LAN4, LAN6)):
            mac = ["address", LAN_MAC] if bridge == "lan" else []
            self._ip("-n", fabric, "link", "add", bridge, *mac, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            self._ip("-n", fabric, "link", "set", bridge, "mtu", str(self.mtu), "up")
            self._ip("-n", fabric, "addr", "add", f"{address4}1/24", "dev", bridge)
            self._ip("-n", fabric, "addr", "add", f"{address6}1/64", "dev", bridge, "nodad")
        self._ip("-n", fabric, "route", "add", VIPS4, "via", self.ip4("edge"))
        self._ip("-n", fabric, "-6", "route", "add", VIPS6, "via", self.ip6("edge"))
        # The rest of the Internet: answers to made-up sources end here.
        self._ip("-n", fabric, "route", "add", "blackhole", "default")
        self._ip("-n", fabric, "-6", "route", "add", "blackhole", "default")

    def _attach(self, node, bridge, address4, address6, gateway4, gateway6):
        fabric, namespace = self.ns("fabric"), self.ns(node)
        mac, index = (["address", EDGE_MAC], ["index", str(EDGE_PORT)]) if node == "edge" else ([], [])
        self._ip("-n", fabric, "link", "add", node, *index, "mtu", str(self.mtu), "type", "veth",
                 "peer", "name", "eth0", *mac, "mtu", str(self.mtu), "netns", namespace)
        self._ip("-n", fabric, "link", "set", node, "master", bridge, "up")
        self._ip("-n", namespace, "link", "set", "eth0", "up")
        self._ip("-n", namespace, "addr", "add", address4, "dev", "eth0")
        self._ip("-n", namespace, "addr", "add", address6, "dev", "eth0", "nodad")
        self._ip("-n", namespace, "route", "add", "default", "via", gateway4)
        self._ip("-n", namespace, "-6", "route", "add", "default", "via", gateway6)
        self._sysctl(node, "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.eth0.rp_filter=1")
        self.set_offload(node, self.offload)

    def plug(self, node):
        """Gives a node inside its NIC, as at the start or after unplug()."""
        self._attach(node, "lan", f"{self.ip4(node)}/24", f"{self.ip6(node)}/64", LAN4 + "1", LAN6 + "1")
        if node != "edge":
            return
        # The kernel's FIB answers a program only for a device that forwards.
        self._sysctl("edge", "net.ipv4.conf.eth0.forwarding=1", "net.ipv6.conf.eth0.forwarding=1")
        # A veth device takes frames sent from XDP only while its own end has a program.
        self.run("fabric", ["ethtool", "-K", "edge", "tx", "off", "tso", "off", "gso", "off"])
        self._attach_xdp("edge", "pass")

    def unplug(self, node):
        """Takes the node's NIC and the fabric's port to it away."""
        self._ip("-n", self.ns("fabric"), "link", "del", node)

    def set_offload(self, node, on):
        """Transmit checksums left to the device (as a NIC's driver does), or filled in by the stack."""
        self.run(node, ["ethtool", "-K", "eth0", "tx", "on" if on else "off"])

    def _attach_xdp(self, port, program):
        """Not by ip: its loader sets up a part of the BPF file system of its own."""
        objects, pins = self.build / "fabric.bpf.o", self.pins / "fabric"
        bpftool = next(iter(sorted(pathlib.Path("/usr/lib/linux-tools").glob("*/bpftool"))), "/usr/sbin/bpftool")
        if not objects.exists():
            raise LabError(f"{objects} is missing: run make first")
        if not pins.exists():
            self.pins.mkdir(exist_ok=True)
            self.run("fabric", [bpftool, "prog", "loadall", objects, pins, "type", "xdp"])
        self.run("fabric", [bpftool, "net", "attach", "xdpdrv", "pinned", pins / program, "dev", port])

    def flood(self, seconds, rate=None, node="attacker", prefix="198.18.0.0/15", sources=1, proto="udp", dst=VIP4,
              dport=80, size=60, cpu=None, name="flood"):
        """Starts the generator, on one processor if told; flood_result waits for it."""
        argv = [self.build / "flood", "--interface", "eth0", "--dst", dst, "--src-prefix", prefix, "--sources", sources,
                "--proto", proto, "--dport", dport, "--size", size, "--count", 400000000, "--seconds", seconds, "--json",
                "--mac", self.run("fabric", ["ip", "-br", "link", "show", "wan"]).stdout.split()[2]]
        # What a NIC's interrupt does comes before all processes; so does the receive path that runs in the generator.
        pinned = ["nice", "-n", "-20"] + ([] if cpu is None else ["taskset", "-c", cpu])
        return self.start(node, name, pinned + argv + (["--rate", rate] if rate else []))

    def sent_packets(self, node):
        """Packets that left a node's eth0 and were taken by the far end."""
        line = next(li for li in self.run(node, ["cat", "/proc/self/net/dev"]).stdout.splitlines() if "eth0:" in li)
        return int(line.split(":")[1].split()[9])

    @staticmethod
    def flood_result(service, seconds=180):
        if service.popen.wait(seconds):
            raise LabError(f"the flood ended with an error:\n{service.tail()}")
        return json.loads(service.tail(1))
