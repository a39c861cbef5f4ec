"""A Sentry on loopback that writes down what truly arrived.

It judges nothing: scenarios read ``arrived``, ``hits`` and ``connections``.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

PUBLIC = "bee5f00d"
SECRET = "5ec4e7c0ffee"  # what an event's own scrubbing can never be blamed for: the DSN's half


@dataclass
class Hit:
    """One HTTP request as it came in, an event or not."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    number: int = 0
    """Counted from 0, as they arrive."""
    event: dict[str, Any] | None = None
    """The event, for a POST to a project's ``/store/``."""
    size: int = 0
    """Bytes of the event's JSON, decompressed."""
    project: str = ""
    status: int = 0
    """What it was answered with; 0 until then."""


@dataclass
class Answer:
    """What the server says. ``drip``: seconds between two bytes of it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0


Script = Callable[[Hit], Answer]
"""The answer to a request."""


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news: scenarios judge by what arrived."""


class Wire:
    """A recording Sentry. Listens as soon as it is made; ``close`` lets go of everything.

    :param script: the answer to each request; 200 when there is none.
    :param tls: serves HTTPS with this context.
    :param hold: takes requests, but answers only once ``release`` is called.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        hold: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self.hits: list[Hit] = []
        self.connections = 0
        self.closed = 0
        self.refused_handshakes = 0
        self._changed = threading.Condition()
        self._script = script
        self._free = threading.Event()
        if not hold:
            self._free.set()
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # A response is two small writes: without this each waits for the other's ACK.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                if tls is not None:
                    try:
                        self.request = tls.wrap_socket(self.request, server_side=True)
                    except (OSError, ssl.SSLError):
                        with wire._changed:
                            wire.refused_handshakes += 1
                            wire._changed.notify_all()
                        raise
                with wire._changed:
                    wire.connections += 1
                    wire._changed.notify_all()
                super().setup()

            def finish(self) -> None:
                super().finish()
                with wire._changed:
                    wire.closed += 1
                    wire._changed.notify_all()

            def do_POST(self) -> None:
                wire._take(self)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(_Server):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = Server((host, 0), Handler)
        self.port: int = self._server.server_address[1]
        self.host = f"[{host}]" if ":" in host else host
        self.scheme = "https" if tls else "http"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def dsn(self, project: int = 1, host: str | None = None, tail: str = "") -> str:
        return f"{self.scheme}://{PUBLIC}:{SECRET}@{host or self.host}:{self.port}/{project}{tail}"

    @property
    def events(self) -> list[dict[str, Any]]:
        with self._changed:
            return [hit.event for hit in self.hits if hit.event is not None]

    def wait(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Wait until the condition holds, looked at whenever something arrives."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.05))
        return True

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        return self.wait(lambda: len(self.events) >= count, timeout)

    def release(self) -> None:
        self._free.set()

    def close(self) -> None:
        self._free.set()
        self._server.shutdown()
        self._server.server_close()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        hit = Hit(
            method=handler.command,
            path=handler.path,
            headers={name.lower(): value for name, value in handler.headers.items()},
            body=handler.rfile.read(length),
        )
        store = re.fullmatch(r"(?:/\w+)*/api/(\w+)/store/", hit.path)
        if store and hit.method == "POST":
            text = _decoded(hit)
            hit.event, hit.size, hit.project = json.loads(text), len(text), store[1]
        with self._changed:
            hit.number = len(self.hits)
            self.hits.append(hit)
            self._changed.notify_all()
        self._free.wait()
        answer = self._script(hit) if self._script else Answer()
        hit.status = answer.status
        event_id = (hit.event or {}).get("event_id", "")
        body = json.dumps({"id": event_id}).encode() if answer.status == 200 else b""
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if not answer.drip:
            handler.end_headers()
            handler.wfile.write(body)
            return
        # A header that grows by one byte at a time: no single read ever waits for long.
        handler.flush_headers()
        try:
            handler.wfile.write(b"X-Slow: ")
            for _ in range(60):
                handler.wfile.write(b".")
                time.sleep(answer.drip)
            handler.wfile.write(b"\r\n\r\n" + body)
        except OSError:
            handler.close_connection = True


def _decoded(hit: Hit) -> bytes:
    encoding = hit.headers.get("content-encoding", "")
    if encoding == "deflate":
        return zlib.decompress(hit.body)
    return gzip.decompress(hit.body) if encoding == "gzip" else hit.body
