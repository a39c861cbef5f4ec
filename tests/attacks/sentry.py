"""A Sentry on loopback, in a process of its own: well, or ill in one of several ways.

``python -m tests.attacks.sentry MODE`` prints its port. It counts what it takes; ``GET /count``
tells.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    mode = "takes"
    count = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/store/"):
            with self.lock:
                type(self).count += 1
        getattr(self, self.mode)()

    def do_GET(self) -> None:
        self._answer(200, json.dumps(self.count).encode())

    def takes(self) -> None:
        self._answer(200, b'{"id": "0"}')

    def hangs(self) -> None:
        threading.Event().wait()

    def drips(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while True:
            self.wfile.write(b".")
            time.sleep(0.2)

    def redirects(self) -> None:
        self._answer(302, b"", Location=f"http://{self.headers['Host']}{self.path}")

    def floods(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            self.wfile.write(b"[" * 65536)

    def fails(self) -> None:
        self._answer(500, b"{" * 10_000)

    def stammers(self) -> None:
        self.wfile.write(b"\xff\r\n" * 10_000)
        self.close_connection = True

    def unpacks(self) -> None:
        # A gigabyte, in an encoding that nobody asked for.
        packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
        body = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
        self._answer(302, body, **{"Content-Encoding": "gzip", "Location": self.path})

    def counts(self) -> None:
        # A chunk whose size has no end.
        self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            self.wfile.write(b"1" * 65536)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that is ended while it sends, or that had enough of the flood


if __name__ == "__main__":
    _Handler.mode = sys.argv[1]
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
