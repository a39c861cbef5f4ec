"""The Sentry of all tests: a server on loopback that records what arrives and answers as Sentry
does, or as a test has it answer. It judges nothing."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from flask import Flask

PUBLIC_KEY = "public"
SECRET_KEY = "hidden-secret"
JSON = {"Content-Type": "application/json"}

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    target: str
    """As it stands in the request line: a path with its query, or what a proxy is asked for."""
    headers: Headers
    raw: bytes
    client: tuple[str, int]
    handler: BaseHTTPRequestHandler = field(repr=False)
    number: int = 0
    """Counted from 0, as they arrive."""
    status: int = 0
    """What it was answered with; 0 before that, and where the test wrote the answer."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @cached_property
    def body(self) -> bytes:
        """Unpacked."""
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "gzip":
            return gzip.decompress(self.raw)
        if encoding == "br":
            # sentry-sdk packs so where brotli is installed, as it is with the inbox.
            import brotli

            return bytes(brotli.decompress(self.raw))
        return zlib.decompress(self.raw) if encoding == "deflate" else self.raw

    @property
    def fields(self) -> dict[str, str]:
        """Of a form."""
        return dict(parse_qsl(self.body.decode()))

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def project(self) -> str:
        """Of a POST to a project's ``/store/`` or ``/envelope/``; empty for any other request."""
        sent = re.fullmatch(r"(?:/\w+)*/api/(\w+)/(?:store|envelope)/", self.path)
        return sent[1] if sent and self.method == "POST" else ""

    @cached_property
    def event(self) -> dict[str, Any] | None:
        """Of a POST to ``/store/`` its body, of an envelope its item of the type "event"; None
        where there is no such event, and for any other request."""
        if not self.project:
            return None
        try:
            found = dict(self.items).get("event") if self._is_envelope else self.json()
        except (AssertionError, ValueError, OSError, zlib.error):
            return None
        return found if isinstance(found, dict) else None

    @cached_property
    def items(self) -> list[tuple[str, Any]]:
        """Of an envelope: the type of each item, and its JSON, or its bytes if they are none."""
        line, _, rest = self.body.partition(b"\n")
        assert isinstance(json.loads(line), dict)
        found = []
        while rest.strip():
            line, _, rest = rest.partition(b"\n")
            head = json.loads(line)
            length = head.get("length", len(rest.partition(b"\n")[0]))
            payload, end = rest[:length], rest[length : length + 1]
            assert len(payload) == length and end in (b"", b"\n"), "the length is wrong"
            rest = rest[length + 1 :]
            try:
                found.append((head["type"], json.loads(payload)))
            except ValueError:
                found.append((head["type"], payload))
        return found

    @cached_property
    def is_report(self) -> bool:
        """Whether it carries a visitor's words."""
        if self.method != "POST" or not self._is_envelope:
            return self.method == "POST" and self.path.endswith("/error-page/")
        try:
            return not {"feedback", "user_report"}.isdisjoint(kind for kind, _ in self.items)
        except (AssertionError, ValueError, OSError, zlib.error):
            return False

    @property
    def _is_envelope(self) -> bool:
        return self.path.endswith("/envelope/")

    @property
    def id(self) -> str:
        """The event's."""
        return str(self.json()["event_id"])


class RecordingSentry:
    """Listens as soon as it is made; ``close`` lets go of everything.

    :param tls: serve HTTPS with this context, as ``localhost``.
    :param answer: the answer to each request; None or False where the connection is to be closed,
        after what the function has written to the request's ``handler.wfile``. Without a function
        every event is taken.
    :param hold: take requests, but answer none before ``release``.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        answer: Callable[[Received], Answer | Literal[False] | None] | None = None,
        hold: bool = False,
        project: str = "1",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.project = project
        self.answer = answer
        self.answers: dict[tuple[str, str], Answer] = {}
        """Answers by method and last part of the path, which come before ``answer``."""
        self.received: list[Received] = []
        self.connections = 0
        self.closed_connections = 0
        self.refused_handshakes = 0
        self.server_names: list[str | None] = []
        """What TLS clients asked for (SNI)."""
        self._changed = threading.Condition()
        self._held: tuple[str, ...] | None = () if hold else None
        self._sockets: set[socket.socket] = set()
        if tls is not None:
            tls.sni_callback = lambda connection, name, context: self.server_names.append(name)
        self._server = _Server(self, host, port, tls)
        self.port: int = self._server.server_address[1]
        self.host = "localhost" if tls else f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{self.host}:{self.port}"
        # The end of almost every test waits until the server looks whether it is to end.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.002,), name="recording-sentry", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> RecordingSentry:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def dsn_of(self, project: str | int, options: str = "") -> str:
        """The DSN of a project, with its secret."""
        scheme, _, host = self.url.partition("://")
        return f"{scheme}://{PUBLIC_KEY}:{SECRET_KEY}@{host}/{project}{options}"

    @property
    def dsn(self) -> str:
        return self.dsn_of(self.project)

    @property
    def public_dsn(self) -> str:
        return self.dsn.replace(f":{SECRET_KEY}", "")

    @property
    def stored(self) -> list[Received]:
        """What was sent to a project's ``/store/``."""
        return [
            request
            for request in self._all()
            if request.project and request.path.endswith("/store/")
        ]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those that arrived, at either address."""
        return [request.event for request in self._all() if request.event is not None]

    @property
    def ids(self) -> list[str]:
        """The event id of each request."""
        return [request.id for request in self._all()]

    @property
    def reports(self) -> list[Received]:
        """The visitors' reports that arrived, at either address."""
        return [request for request in self._all() if request.is_report]

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

    def events_arrive(self, count: int, timeout: float = 10.0) -> bool:
        """Whether so many events arrive within some seconds."""
        return self.wait(lambda: len(self.events) >= count, timeout)

    def wait_for(self, count: int = 1, timeout: float = 10.0) -> list[dict[str, Any]]:
        """The events, as soon as there are so many."""
        assert self.events_arrive(count, timeout), f"{len(self.events)} of {count} events arrived"
        return self.events

    def wait_for_requests(self, count: int, timeout: float = 10.0) -> list[Received]:
        """The requests, events or not, as soon as there are so many."""
        arrived = self.wait(lambda: len(self.received) >= count, timeout)
        assert arrived, f"{len(self.received)} of {count} requests arrived"
        return self._all()

    def wait_for_report(self, timeout: float = 20.0) -> Received:
        """The first visitor's report."""
        assert self.wait(lambda: bool(self.reports), timeout), "no report arrived"
        return self.reports[0]

    def one_event(self, *apps: Flask) -> dict[str, Any]:
        """The one event there is, once everything the apps queued has been sent."""
        for app in apps:
            assert app.extensions["sentry"].flush(10)
        events = self.wait_for(1)
        assert len(events) == 1, events
        return events[0]

    def hold(self, *methods: str) -> None:
        """Answer no more requests with these methods, or none at all, before ``release``."""
        self._held = methods

    def release(self) -> None:
        with self._changed:
            self._held = None
            self._changed.notify_all()

    def close(self) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the client has closed it
            connection.close()

    def _all(self) -> list[Received]:
        with self._changed:
            return list(self.received)

    def _holds(self, request: Received) -> bool:
        return self._held is not None and (not self._held or request.method in self._held)

    def _answer_to(self, request: Received) -> Answer | Literal[False] | None:
        """Record a request, and decide its answer."""
        with self._changed:
            request.number = len(self.received)
            self.received.append(request)
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._holds(request))
        last = request.path.rstrip("/").rpartition("/")[2]
        if (request.method, last) in self.answers:
            return self.answers[request.method, last]
        if self.answer is not None:
            return self.answer(request)
        event = request.event or {}
        return (
            200,
            JSON,
            json.dumps({"id": event["event_id"]} if "event_id" in event else {}).encode(),
        )

    def _note(self, counter: str) -> None:
        with self._changed:
            setattr(self, counter, getattr(self, counter) + 1)
            self._changed.notify_all()


class _Server(ThreadingMixIn, TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, sentry: RecordingSentry, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        self.sentry = sentry
        self.tls = tls
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up, or does not like the certificate, is what is tested.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms an answer otherwise
    server: _Server

    def setup(self) -> None:
        sentry = self.server.sentry
        if self.server.tls is not None:
            try:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            except OSError:
                sentry._note("refused_handshakes")
                raise
        super().setup()
        sentry._sockets.add(self.request)
        sentry._note("connections")

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            pass
        self.request.close()
        self.server.sentry._sockets.discard(self.request)
        self.server.sentry._note("closed_connections")

    def record(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = Headers(self.headers.items())
        request = Received(self.command, self.path, headers, body, self.client_address, self)
        answer = self.server.sentry._answer_to(request)
        if not answer:
            self.close_connection = True
            return
        request.status, extra, content = answer
        self.send_response(request.status)
        # As Sentry does: pages of other origins send events and reports.
        allowed = {"Access-Control-Allow-Origin": self.headers.get("Origin", "*")}
        for name, value in {**allowed, **extra}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_OPTIONS = do_HEAD = record

    def log_message(self, format: str, *args: Any) -> None:
        pass
