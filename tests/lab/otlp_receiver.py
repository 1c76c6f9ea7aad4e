#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An OTLP/HTTP metrics receiver that parses by the official schema and keeps the last point of each series.

POST /v1/metrics takes protobuf; GET /points returns the points as JSON, GET /stats the requests and the errors found.
"""

import argparse
import gzip
import http.server
import json
import math
import socket
import sys

sys.path.append("/var/cache/weir/tools/otlp/usr/lib/python3/dist-packages")
try:
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    from opentelemetry.proto.metrics.v1 import metrics_pb2
except ImportError:
    sys.exit("otlp_receiver: the OTLP schema is missing: run sudo scripts/setup")

UNITS = {"By": "_bytes", "s": "_seconds", "ms": "_milliseconds"}


def prometheus_name(metric):
    name = metric.name.replace(".", "_")
    unit = UNITS.get(metric.unit, "")
    name += unit if not name.endswith(unit) else ""
    is_counter = metric.HasField("sum") and metric.sum.is_monotonic
    return name + ("_total" if is_counter and not name.endswith("_total") else "")


def attributes_of(message):
    return {a.key: getattr(a.value, a.value.WhichOneof("value") or "string_value") for a in message}


class Store:
    def __init__(self):
        self.points, self.errors, self.requests = {}, [], 0

    def complain(self, text):
        if len(self.errors) < 100:
            self.errors.append(text)

    def take(self, body):
        request = metrics_service_pb2.ExportMetricsServiceRequest()
        request.ParseFromString(body)
        self.requests += 1
        for resource_metrics in request.resource_metrics:
            resource = attributes_of(resource_metrics.resource.attributes)
            if "service.name" not in resource:
                self.complain("a resource without service.name")
            for metric in (m for scope in resource_metrics.scope_metrics for m in scope.metrics):
                self.take_metric(metric, resource)

    def take_metric(self, metric, resource):
        kind = metric.WhichOneof("data")
        if kind not in ("sum", "gauge"):
            self.complain(f"{metric.name}: no sum and no gauge")
            return
        if kind == "sum" and metric.sum.aggregation_temporality != metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE:
            self.complain(f"{metric.name}: a sum that is not cumulative")
        for point in getattr(metric, kind).data_points:
            attributes = attributes_of(point.attributes)
            field = point.WhichOneof("value")
            value = getattr(point, field) if field else math.nan
            if len(attributes) != len(point.attributes):
                self.complain(f"{metric.name}: an attribute is there twice")
            if not field or not point.time_unix_nano:
                self.complain(f"{metric.name}: a point without a value or a time")
            if kind == "sum" and not 0 < point.start_time_unix_nano <= point.time_unix_nano:
                self.complain(f"{metric.name}: a sum without a start time before its time")
            key = (metric.name, tuple(sorted(attributes.items())))
            before = self.points.get(key)
            if before and kind == "sum" and before["start"] == point.start_time_unix_nano and value < before["value"]:
                self.complain(f"{metric.name}: a monotonic sum went from {before['value']} to {value}")
            self.points[key] = {"name": metric.name, "prometheus": prometheus_name(metric), "unit": metric.unit, "kind": kind,
                                "attributes": attributes, "resource": resource, "value": value,
                                "start": point.start_time_unix_nano, "time": point.time_unix_nano}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store = Store()

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/v1/metrics":
            return self.answer(404, b"{}")
        if self.headers.get("Content-Type") != "application/x-protobuf":
            return self.answer(415, b"{}")
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        try:
            self.store.take(body)
        except Exception as error: # what the schema refuses is the sender's fault
            self.store.complain(f"refused: {error}")
            return self.answer(400, b"{}")
        empty = metrics_service_pb2.ExportMetricsServiceResponse().SerializeToString()
        return self.answer(200, empty, "application/x-protobuf")

    def do_GET(self):
        if self.path == "/points":
            return self.answer(200, json.dumps(list(self.store.points.values())).encode())
        if self.path == "/stats":
            return self.answer(200, json.dumps({"requests": self.store.requests, "errors": self.store.errors}).encode())
        return self.answer(404, b"{}")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=4318)
    Server(("::", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
