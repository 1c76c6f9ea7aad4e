# SPDX-License-Identifier: BSD-2-Clause
"""What runs in the lab: an origin (nginx), caches (varnish), the edge (weir), and a metrics collector."""

import json
import pathlib
import shutil
import signal
import subprocess
import textwrap
import time

import lab as lab_module
from lab import LabError, VIP4, VIP6, await_true

TOOLS = pathlib.Path("/var/cache/weir/tools")
SIZES = {"1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20}
COLLECTOR_PORT, ORIGIN_PORT = 4318, 8080


def need_program(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise LabError(f"{name} is not installed: run sudo scripts/setup")
    return path


# --- origin and caches ---------------------------------------------------------------------------------------
def start_origin(lab):
    root = lab.dir / "origin"
    (root / "www").mkdir(parents=True)
    for name, size in SIZES.items():
        (root / "www" / name).write_bytes((f"{name} page of the origin\n".encode() * (size // 16 + 1))[:size])
    (root / "nginx.conf").write_text(textwrap.dedent(f"""\
        user root;
        worker_processes 1;
        daemon off;
        pid {root}/nginx.pid;
        error_log stderr warn;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            default_type text/plain;
            client_body_temp_path {root}/body;
            proxy_temp_path {root}/proxy;
            fastcgi_temp_path {root}/fastcgi;
            uwsgi_temp_path {root}/uwsgi;
            scgi_temp_path {root}/scgi;
            server {{
                listen 0.0.0.0:{ORIGIN_PORT};
                listen [::]:{ORIGIN_PORT};
                root {root}/www;
                add_header Cache-Control "public, max-age=600";
                # Any path below has the page of its last part: /a/1k, /b/1k are pages of their own to a cache.
                location / {{ rewrite ^/.*/([^/]+)$ /$1; }}
                location /upload/ {{ dav_methods PUT; create_full_put_path on; client_max_body_size 64m; }}
            }}
        }}
        """))
    service = lab.start("origin", "origin", [need_program("nginx"), "-e", "stderr", "-p", root, "-c", root / "nginx.conf"])
    lab.await_port("origin", ORIGIN_PORT, service)
    return service


def start_cache(lab, name):
    """Caches serve the VIPs and their own addresses on port 80; /healthz answers by itself."""
    root = lab.dir / name
    root.mkdir(exist_ok=True)
    vcl = root / "cache.vcl"
    vcl.write_text(textwrap.dedent(f"""\
        vcl 4.1;
        backend origin {{ .host = "{lab.ip4('origin')}"; .port = "{ORIGIN_PORT}"; }}
        sub vcl_recv {{
            if (req.url == "/healthz") {{ return (synth(200, "OK")); }}
            unset req.http.Cookie;
        }}
        sub vcl_deliver {{
            set resp.http.X-Served-By = "{name}";
            set resp.http.X-Cache = "MISS";
            if (obj.hits > 0) {{ set resp.http.X-Cache = "HIT"; }}
        }}
        sub vcl_synth {{
            set resp.http.X-Served-By = "{name}";
            synthetic("ok " + resp.reason);
            return (deliver);
        }}
        """))
    service = lab.start(name, name, [
        need_program("varnishd"), "-F", "-j", "none", "-n", root / "work", "-f", vcl, "-a", "0.0.0.0:80", "-a", "[::]:80",
        "-s", "malloc,32m", "-T", "none", "-t", "600", "-p", "thread_pools=1", "-p", "thread_pool_min=10",
        "-p", "thread_pool_max=200", "-p", "vsl_space=4M"])
    return service


def start_caches(lab):
    started = [(name, start_cache(lab, name)) for name in lab.cache_names()]
    for name, service in started: # varnish compiles its configuration: all do so at once
        lab.await_port(name, 80, service, 60)
    return [service for _, service in started]


def kill_cache(lab, name):
    """SIGKILL to the cache's processes: the worker is in a process group of its own."""
    lab.services[name].kill()
    lab.services[name].popen.wait()
    lab.kill_in(name, [signal.SIGKILL])


# --- collector -----------------------------------------------------------------------------------------------
class Collector:
    """The receiver of the edge's metrics: VictoriaMetrics where it is there, else the lab's own."""

    def __init__(self, lab, own=False):
        self.lab = lab
        self.program = None if own else self._find_program()
        self.name = "VictoriaMetrics" if self.program else "the lab's own OTLP receiver"
        if self.program:
            self.path = "/opentelemetry/v1/metrics"
            argv = [self.program, f"-httpListenAddr=:{COLLECTOR_PORT}", f"-storageDataPath={lab.dir}/collector",
                    "-opentelemetry.usePrometheusNaming", "-retentionPeriod=1d", "-search.latencyOffset=0s"]
        else:
            self.path = "/v1/metrics"
            argv = ["/usr/bin/python3", lab_module.REPO / "tests/lab/otlp_receiver.py", "--port", COLLECTOR_PORT]
        self.service = lab.start("collector", "collector", argv, env={"PYTHONDONTWRITEBYTECODE": "1"})
        lab.await_port("collector", COLLECTOR_PORT, self.service)

    @staticmethod
    def _find_program():
        unpacked = TOOLS / "collector/usr/bin/victoria-metrics"
        if unpacked.exists():
            return unpacked
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "victoria-metrics"], text=True,
                                 capture_output=True).stdout
        recent = version and subprocess.run(["dpkg", "--compare-versions", version, "ge", "1.93"]).returncode == 0
        return shutil.which("victoria-metrics") if recent else None

    def _get(self, path):
        url = f"http://127.0.0.1:{COLLECTOR_PORT}{path}"
        return self.lab.run("collector", ["curl", "-sfg", "--max-time", "5", url]).stdout

    def latest(self, metric):
        """The last value of each series of a metric (Prometheus name): [({label: value}, value), ...]."""
        if not self.program:
            return [(point["attributes"], point["value"]) for point in json.loads(self._get("/points"))
                    if point["prometheus"] == metric]
        self._get("/internal/force_flush")
        rows = [json.loads(line) for line in self._get(f'/api/v1/export?match[]={{__name__="{metric}"}}').splitlines()]
        return [({k: v for k, v in row["metric"].items() if k != "__name__"}, row["values"][-1]) for row in rows]


# --- edge ----------------------------------------------------------------------------------------------------
def weir_config(lab, limits="", forward="ipip", extra="", health=True, interval="200ms", otlp_path=None):
    """The edge's configuration as text; a test changes what it is about."""
    backends = "\n".join(f"      - {{name: {name}, address: {lab.ip4(name)}}}" for name in lab.cache_names())
    check = (f"    health: {{type: http, port: 80, path: /healthz, interval: {interval}, timeout: 150ms, rise: 2, fall: 3}}"
             if health else "")
    otlp = (f'  otlp: {{endpoint: "http://{lab.ip4("collector")}:{COLLECTOR_PORT}", metrics_path: "{otlp_path}", interval: 1s}}'
            if otlp_path else "")
    return f"""\
interfaces: [eth0]
protect:
  - {{from: [{lab_module.LAN4}0/24, "{lab_module.LAN6}/64"]}}
{f"limits:{chr(10)}{limits}" if limits else ""}
pools:
  local:
    forward: {forward}
    backends:
{backends}
{check}
services:
  - name: www
    address: [{VIP4}, "{VIP6}"]
    ports: [tcp/80, udp/80]
    pools: [local]
telemetry:
  host: edge
  prometheus: {{listen: "127.0.0.1:9180"}}
{otlp}
control: {{socket: {lab.dir}/control.sock}}
dataplane: {{pins: {lab.pins}/edge}}
state: {{directory: {lab.dir}/state}}
{extra}"""


class Edge:
    """The controller on the edge, and its commands."""

    def __init__(self, lab, config):
        self.lab, self.path, self.service, self.starts = lab, lab.dir / "weir.yaml", None, 0
        self.write(config)
        self.start()

    def write(self, config):
        self.path.write_text("\n".join(line for line in config.splitlines() if line.strip()) + "\n")

    def start(self, seconds=20):
        self.starts += 1
        self.service = self.lab.start("edge", f"weir-{self.starts}", [self.lab.build / "weir", "run", "-c", self.path])

        def answers():
            if not self.service.alive():
                raise LabError(f"weir run ended:\n{self.service.tail()}")
            done = self.weir("status", "--json", check=False)
            return done.returncode == 0 and json.loads(done.stdout)["controller"]["running"]
        await_true("the controller answering", answers, seconds)

    def weir(self, *argv, check=True, timeout=30, environment=None):
        return self.lab.run("edge", [self.lab.build / "weir", *argv], check=check, timeout=timeout,
                            env=dict(lab_module.os.environ, WEIR_SOCKET=str(self.lab.dir / "control.sock"),
                                     WEIR_PINS=str(self.lab.pins / "edge"), **(environment or {})))

    def json(self, *argv):
        return json.loads(self.weir(*argv, "--json").stdout)

    def await_healthy(self, count, seconds=20):
        """Waits until exactly so many backends are healthy; returns how long it took."""
        start = time.monotonic()
        await_true(f"{count} healthy backends", lambda: self.healthy() == count, seconds)
        return time.monotonic() - start

    def healthy(self):
        return sum(backend["health"] == "up" for backend in self.json("backend", "list")["backends"])

    def apply(self, config):
        self.write(config)
        return self.weir("apply", self.path)


def backend_hosts_up(lab):
    for name in lab.cache_names():
        backend_host(lab, name, "up")


def start_everything(lab, own_collector=False, **options):
    """Origin, caches, tunnels, collector and edge: (collector, edge). Options are weir_config's."""
    start_origin(lab)
    start_caches(lab)
    backend_hosts_up(lab)
    collector = Collector(lab, own=own_collector)
    edge = Edge(lab, weir_config(lab, otlp_path=collector.path, **options))
    edge.await_healthy(len(lab.cache_names()))
    return collector, edge


def backend_host(lab, name, action):
    """weir backend-host on a cache: each namespace of the machine has its own pins and state."""
    vips = ["--vip", VIP4, "--vip", VIP6, "--edge", lab.ip4("edge"), "--edge", lab.ip6("edge")] if action == "up" else []
    own = ["--pins", lab.pins / name, "--state", lab.dir / name / "backend-host"]
    return lab.run(name, [lab.build / "weir", "backend-host", action, "eth0", *own, *vips])


# --- traffic -------------------------------------------------------------------------------------------------
def fetch(lab, node, path="/1k", address=VIP4, timeout=3):
    """One request by curl: (status or 0, headers in lower case, body's size)."""
    host = f"[{address}]" if ":" in address else address
    done = lab.run(node, ["curl", "-sg", "--max-time", timeout, "-D", "-", "-o", "/dev/null", "-w", "%{http_code} %{size_download}",
                          f"http://{host}{path}"], check=False)
    *head, last = done.stdout.splitlines() or ["000 0"]
    headers = dict(line.split(": ", 1) for line in (h.strip() for h in head) if ": " in line)
    status, size = last.split()
    return int(status), {k.lower(): v for k, v in headers.items()}, int(size)


def load(lab, node, seconds, rate, address=VIP4, path="/1k", timeout=1.0, name="load"):
    """Starts a load of so many new connections a second; load_result waits for it."""
    return lab.start(node, name, ["/usr/bin/python3", lab_module.REPO / "tests/lab/load.py", "--address", address, "--path", path,
                                  "--seconds", seconds, "--rate", rate, "--timeout", timeout])


def load_result(service):
    if service.popen.wait(180):
        raise LabError(f"the load ended with an error:\n{service.tail()}")
    return json.loads(service.tail(1))
