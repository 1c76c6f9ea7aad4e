#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Answers health checks as it was told: PUT /mode with good, error, slow or wrong."""

import http.server
import socket
import sys
import threading

SLOW_S = 5


class Handler(http.server.BaseHTTPRequestHandler):
    mode = "good"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        mode = Handler.mode
        if mode == "slow":
            threading.Event().wait(SLOW_S)
        self.answer(500 if mode == "error" else 200, b"sick" if mode == "wrong" else b"ok")

    def do_PUT(self):
        Handler.mode = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(200, b"")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        # Not http.server's own: that asks the DNS for its name.
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Handler).serve_forever()
