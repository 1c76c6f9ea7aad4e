# SPDX-License-Identifier: BSD-2-Clause
"""One lab for all tests of the edge: every test starts from the same policy, no bans, and three healthy caches."""

import contextlib
import copy
import ctypes
import json
import os
import pathlib
import re
import socket
import struct
import threading
import unittest

import services
from lab import LAN4, LAN6, VIP4, VIP6, Lab, LabError, await_true

__all__ = ["SharedEdgeTest", "LabError", "VIP4", "VIP6", "Background", "await_true", "services"]

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
STUB_PORT = 8081
TYPES = {4: {"echo": 8, "reply": 0}, 6: {"echo": 128, "reply": 129}}


class Shared:
    """The lab, brought up at the first test that asks for it and taken away at exit."""

    instance = None

    @classmethod
    def get(cls):
        if cls.instance is None:
            cls.instance = cls()
        return cls.instance

    def __init__(self):
        self.lab = Lab(os.environ.get("WEIR_LAB", "weiredge"))
        self.lab.up()
        try:
            services.start_origin(self.lab)
            services.start_caches(self.lab)
            services.backend_hosts_up(self.lab)
            self.collector = services.Collector(self.lab)
            self.edge = services.Edge(self.lab, json.dumps(self.policy()))
        except BaseException:
            self.lab.down()
            raise
        self.applied = self.policy()

    def policy(self):
        """The policy that every test starts from; JSON is YAML."""
        lab = self.lab
        return {
            "interfaces": ["eth0"],
            "protect": [{"from": [f"{LAN4}0/24", f"{LAN6}/64"]}],
            "pools": {"local": {
                "forward": "ipip",
                "backends": [{"name": name, "address": lab.ip4(name)} for name in lab.cache_names()],
                "health": {"type": "http", "port": 80, "path": "/healthz", "interval": "200ms", "timeout": "150ms",
                           "rise": 2, "fall": 3}}},
            "services": [{"name": "www", "address": [VIP4, VIP6], "ports": ["tcp/80", "udp/80"], "pools": ["local"]}],
            "telemetry": {"host": "edge", "prometheus": {"listen": "127.0.0.1:9180"},
                          "otlp": {"endpoint": f"http://{lab.ip4('collector')}:{services.COLLECTOR_PORT}",
                                   "metrics_path": self.collector.path, "interval": "1s"}},
            "control": {"socket": f"{lab.dir}/control.sock"},
            "dataplane": {"pins": f"{lab.pins}/edge"},
            "state": {"directory": f"{lab.dir}/state"},
        }


@contextlib.contextmanager
def inside(lab, node):
    """Sockets that this thread makes in the block are in the node's network, and stay there."""
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{lab.ns(node)}") as there:
        enter(there)
        try:
            yield
        finally:
            enter(home)


def enter(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Background(threading.Thread):
    """Calls once() over and over in a node's network until stop(), which returns [(what, error or None), ...]."""

    def __init__(self, lab, node, once):
        super().__init__(daemon=True)
        self.lab, self.node, self.once = lab, node, once
        self.results, self.over = [], threading.Event()
        self.start()
        await_true("the background traffic's start", lambda: self.results or not self.is_alive(), 5)

    def run(self):
        with inside(self.lab, self.node):
            while not self.over.is_set():
                try:
                    self.results.append((self.once(), None))
                except (OSError, EOFError) as error:
                    self.results.append((None, repr(error)))

    def stop(self):
        self.over.set()
        self.join()
        return self.results

    def failures(self):
        return [error for _, error in self.results if error]


def get(address, path="/1k", source=("", 0), timeout=3.0, receive_buffer=None):
    """An HTTP/1.0 request: (socket, headers, body so far), the rest of the body still to be read."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout)
        sock.bind(source)
        sock.connect((address, 80))
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: www\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            received = sock.recv(2048)
            if not received:
                raise EOFError("the answer ended in its headers")
            data += received
    except BaseException:
        sock.close()
        raise
    head, body = data.split(b"\r\n\r\n", 1)
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
    headers["status"] = int(status.split()[1])
    return sock, headers, body


def read_rest(sock, body):
    """The size of the whole body."""
    size = len(body)
    with sock:
        while received := sock.recv(65536):
            size += len(received)
    return size


def get_page(address, path="/1k", **options):
    """A whole request; returns the cache that served it, fails unless all of the page came."""
    sock, headers, body = get(address, path, **options)
    size = read_rest(sock, body)
    wanted = services.SIZES[path.rsplit("/", 1)[-1]]
    if headers["status"] != 200 or size != wanted:
        raise EOFError(f"status {headers['status']}, {size} of {wanted} bytes")
    return headers["x-served-by"]


class Pinger:
    """One echo request at a time, each awaited: what is lost is known exactly."""

    def __init__(self, address, payload=32, timeout=0.5):
        self.address, self.timeout, self.payload = address, timeout, payload
        self.family, self.number, self.sock = (6 if ":" in address else 4), 0, None

    def __call__(self):
        if self.sock is None:
            self.sock = socket.socket(socket.AF_INET6 if self.family == 6 else socket.AF_INET, socket.SOCK_RAW,
                                      socket.IPPROTO_ICMPV6 if self.family == 6 else socket.IPPROTO_ICMP)
            self.sock.settimeout(self.timeout)
        self.number = (self.number + 1) & 0xffff
        head = struct.pack("!BBHHH", TYPES[self.family]["echo"], 0, 0, os.getpid() & 0xffff, self.number)
        data = bytes(i & 0xff for i in range(self.payload))
        checksum = internet_checksum(head + data) if self.family == 4 else 0 # of IPv6 the kernel fills it in
        self.sock.sendto(head[:2] + struct.pack("!H", checksum) + head[4:] + data, (self.address, 0))
        while True:
            answer = self.sock.recv(4096)
            answer = answer[(answer[0] & 15) * 4:] if self.family == 4 else answer
            if answer[0] == TYPES[self.family]["reply"] and answer[4:8] == head[4:8]:
                if answer[8:] != data:
                    raise OSError("an echo reply with other data")
                return self.number


def internet_checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


class SharedEdgeTest(unittest.TestCase):
    """A test that changes the policy, the bans or a backend need not put them back: the next one's setUp does."""

    @classmethod
    def setUpClass(cls):
        shared = Shared.get()
        cls.shared, cls.lab, cls.edge, cls.collector = shared, shared.lab, shared.edge, shared.collector

    def setUp(self):
        if not self.edge.service.alive():
            self.edge.start()
        for list_ in ("deny", "allow"):
            prefixes = [row["prefix"] for row in self.edge.json(list_, "list")["entries"]]
            if prefixes:
                self.edge.weir(list_, "del", *prefixes)
        if self.shared.applied != self.shared.policy():
            self.apply(self.shared.policy())
        for name, row in self.backends().items():
            if row["admin"] != "enabled":
                self.edge.weir("backend", "enable", name)
        self.edge.await_healthy(len(self.lab.cache_names()))

    # --- policy ----------------------------------------------------------------------------------------------
    def policy(self):
        return copy.deepcopy(self.shared.policy())

    def apply(self, policy):
        self.shared.applied = None
        done = self.edge.apply(json.dumps(policy))
        self.shared.applied = policy
        return done

    def backends(self):
        return {row["name"]: row for row in self.edge.json("backend", "list")["backends"]}

    def generation(self):
        return self.edge.json("status")["generation"]

    # --- counters --------------------------------------------------------------------------------------------
    def ring_slots(self):
        """{state: slots} of the service."""
        text = self.lab.run("edge", ["curl", "-sf", "http://127.0.0.1:9180/metrics"]).stdout
        return {m[1]: int(m[2]) for m in re.finditer(r'^weir_ring_slots\{service="www",state="(\w+)"\} (\d+)$', text, re.M)}

    def counts(self):
        """{reason: packets} since the tables were made."""
        counts = {}
        for row in self.edge.json("stats")["verdicts"]:
            counts[row["reason"]] = counts.get(row["reason"], 0) + row["packets"]
        return counts

    def per_backend(self, what="packets"):
        # The counters of what a policy no longer names stay: of pools that other tests had.
        return {row["backend"]: row[what] for row in self.edge.json("stats")["backends"] if row["pool"] == "local"}

    @contextlib.contextmanager
    def counting(self, **expected):
        """The block makes exactly these packets be counted, by reason (with _ for -)."""
        before = self.counts()

        def grown():
            now = self.counts()
            return {reason: now.get(reason.replace("_", "-"), 0) - before.get(reason.replace("_", "-"), 0)
                    for reason in expected}
        yield
        with contextlib.suppress(LabError): # what is missing is told by the comparison
            await_true("the packets counted", lambda: all(grown()[r] >= expected[r] for r in expected), 3)
        self.assertEqual(grown(), expected)

    # --- traffic ---------------------------------------------------------------------------------------------
    def inside(self, node):
        return inside(self.lab, node)

    def page(self, address=VIP4, path="/1k", node="client", **options):
        """Fetches a page; returns the cache that served it."""
        with inside(self.lab, node):
            return get_page(address, path, **options)

    def assert_no_page(self, address=VIP4, node="client", timeout=0.4):
        with self.assertRaises(OSError, msg=f"{node} got a page from {address}"):
            self.page(address, node=node, timeout=timeout)

    def wire(self, *frames):
        """Puts frames on the wire to the edge's NIC, as the fabric's port would."""
        with inside(self.lab, "fabric"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("edge", 0))
            for frame in frames:
                sock.send(bytes(frame))

    def datagrams(self, node, count, address=VIP4, port=80):
        with inside(self.lab, node), socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                                                   socket.SOCK_DGRAM) as sock:
            for _ in range(count):
                sock.sendto(b"datagram", (address, port))

    def net_counter(self, node, name):
        """A counter of the node's stack, as nstat names it."""
        rows = [line.split() for line in self.lab.run(node, ["nstat", "-asz", name]).stdout.splitlines()]
        values = [int(row[1]) for row in rows if row[0] == name]
        self.assertTrue(values or name.startswith("IcmpMsg"), name) # those appear with their first message
        return sum(values)

    def log(self):
        return self.edge.service.log.read_text(errors="replace")

    def await_log(self, text, seconds=10):
        await_true(f"\"{text}\" in the controller's log", lambda: text in self.log(), seconds)

    # --- stubs -----------------------------------------------------------------------------------------------
    def start_stubs(self):
        """What answers health checks as told, on each cache's port STUB_PORT, until the end of the test."""
        stubs = {}
        for name in self.lab.cache_names():
            stubs[name] = self.start_stub(name)
        for name, service in stubs.items():
            self.lab.await_port(name, STUB_PORT, service)
        return stubs

    def start_stub(self, name):
        service = self.lab.start(name, f"stub-{name}", ["/usr/bin/python3", pathlib.Path(__file__).with_name("stub.py"),
                                                        STUB_PORT], env={"PYTHONDONTWRITEBYTECODE": "1"})
        self.addCleanup(service.stop)
        return service

    def tell_stub(self, name, mode):
        self.lab.run(name, ["curl", "-sf", "--max-time", "3", "-X", "PUT", "-d", mode, f"http://127.0.0.1:{STUB_PORT}/mode"])

    def stub_policy(self):
        policy = self.policy()
        policy["pools"]["local"]["health"].update(port=STUB_PORT, expect_body="ok")
        return policy
