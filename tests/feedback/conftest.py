"""A crashing app and a Sentry, both real servers on loopback, and what a browser without
JavaScript does between them."""

from __future__ import annotations

import html
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask
from werkzeug.serving import make_server

from flask_sentry_kit import SentryKit


@dataclass
class Seen:
    """One request that reached Sentry."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass
class Sentry:
    """Answers 200 to everything, or what ``answers`` says by method and last part of the path."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    answers: dict[tuple[str, str], tuple[int, str, bytes]] = field(default_factory=dict)
    held: threading.Event = field(default_factory=threading.Event)
    """Cleared, requests with the method ``holds`` are not answered: the dialog's script."""
    holds: str = "GET"
    _news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def dsn(self) -> str:
        return f"http://public:topsecret@127.0.0.1:{self.port}/7"

    @property
    def public_dsn(self) -> str:
        return self.dsn.replace(":topsecret", "")

    def record(self, seen: Seen) -> None:
        with self._news:
            self.seen.append(seen)
            self._news.notify_all()

    @property
    def reports(self) -> list[Seen]:
        """The visitors' words that arrived, by either door."""
        return [
            seen
            for seen in self.seen
            if seen.method == "POST" and seen.path.endswith(("/error-page/", "/envelope/"))
        ]

    def wait_for_report(self, timeout: float = 20.0) -> Seen:
        with self._news:
            assert self._news.wait_for(lambda: self.reports, timeout), "no words arrived"
        return self.reports[0]

    @contextmanager
    def running(self, port: int = 0) -> Iterator[Sentry]:
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                sentry.record(Seen(self.command, url.path, query, dict(self.headers), body))
                last = url.path.rstrip("/").rpartition("/")[2]
                status, kind, content = sentry.answers.get(
                    (self.command, last), (200, "application/json", b"{}")
                )
                if self.command == sentry.holds:
                    sentry.held.wait(30)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                # A browser that gave up on a script closes its connection.
                pass

        self.held.set()
        server = Server(("127.0.0.1", port), Handler)
        self.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.held.set()
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    """A Sentry on loopback that records what reaches it."""
    with Sentry().running() as running:
        yield running


@dataclass
class Answer:
    """One answer of the app."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def typed(self) -> dict[str, str]:
        """What stands in the form of the page."""
        words = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", self.text, re.S)
        found = {"comments": html.unescape(words[1])} if words else {}
        for name in ("name", "email", "token"):
            field = re.search(rf'<input[^>]*\bname="{name}"[^>]*>', self.text)
            value = re.search(r'value="([^"]*)"', field[0]) if field else None
            found[name] = html.unescape(value[1]) if value else ""
        return found


@dataclass
class Visitor:
    """A visitor of one app, with no JavaScript and no cookies."""

    base: str

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        where = urlsplit(self.base)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            headers = {"Accept": "text/html", **(headers or {})}
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def crash(self, path: str = "/boom") -> Answer:
        return self.request("GET", path)

    def form_of(self, page: Answer) -> tuple[str, dict[str, str]]:
        """Where the page's form goes, and the fields it has."""
        action = re.search(r'<form id="sentry-kit-feedback"[^>]* action="([^"]+)"', page.text)
        assert action, "the page has no form"
        return html.unescape(action[1]), page.typed

    def send(
        self,
        page: Answer,
        json: bool = False,
        headers: dict[str, str] | None = None,
        **fields: str,
    ) -> Answer:
        """Fill in the page's form and press Send."""
        action, typed = self.form_of(page)
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        if json:
            headers["Accept"] = "application/json"
        body = urlencode({**typed, "website": "", **fields}).encode()
        return self.request("POST", action, body, headers)

    def follow(self, answer: Answer) -> Answer:
        assert answer.status == 303, answer
        return self.request("GET", urlsplit(answer.headers["Location"]).path)


Open = Callable[..., Visitor]


@pytest.fixture
def crashing_app() -> Callable[..., Flask]:
    """Makes an app that crashes at /boom; keywords are its config."""

    def make(kit: SentryKit | None = None, /, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update({"SECRET_KEY": "not secret in a test", **config})

        @app.get("/boom")
        def boom() -> str:
            raise ZeroDivisionError("the engine room is on fire")

        app.register_blueprint(kit or SentryKit())
        return app

    return make


@pytest.fixture
def visit() -> Iterator[Open]:
    """Serves a WSGI app on loopback and returns a visitor of it."""
    with ExitStack() as stack:

        def open_(app: Any) -> Visitor:
            server = make_server("127.0.0.1", 0, app, threaded=True)
            server.daemon_threads = True  # type: ignore[attr-defined]  # the threaded one's
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return Visitor(f"http://127.0.0.1:{server.server_port}")

        yield open_


@pytest.fixture
def visitor_of() -> Callable[[str], Visitor]:
    """A visitor of an app that is served already."""
    return Visitor


@pytest.fixture
def shop(crashing_app: Any, visit: Open, sentry: Sentry) -> Visitor:
    """A visitor of a crashing app that reports to ``sentry``."""
    return visit(crashing_app(SENTRY_DSN=sentry.dsn))


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock ahead by some seconds."""

    def move(seconds: float) -> None:
        now = time.time
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now() + seconds)

    return move


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
