"""A server on loopback that events are sent to: it takes them, or never answers.

A process of its own, so that its work takes nothing from what is measured. No inbox: it forgets.
"""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    silent = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.silent:
            threading.Event().wait()
        body = b'{"id": "0"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
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
        pass  # a client that is ended while it sends


@contextmanager
def sink(silent: bool = False) -> Iterator[str]:
    """Run a server; gives the DSN that leads to it."""
    arguments = ["--silent"] if silent else []
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink", *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        yield f"http://public:secret@127.0.0.1:{int(process.stdout.readline())}/1"
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    _Handler.silent = "--silent" in sys.argv
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
