"""What tests of every room share: a Sentry on loopback that records, real servers, a browser."""

from __future__ import annotations

import faulthandler
import gzip
import json
import re
import signal
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from scripts import browser

pytest_plugins = ["tests.support.apps"]

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Received:
    """One request as it arrived, its body unpacked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Wire:
    """A server that records what is sent to it and answers as Sentry does, or as it is told."""

    port: int = 0
    project: str = "1"
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Answer] | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://public:hidden-secret@{self.host}/{self.project}"

    @property
    def public_dsn(self) -> str:
        return f"http://public@{self.host}/{self.project}"

    @property
    def stored(self) -> list[Received]:
        return [one for one in self.received if one.path.endswith("/store/")]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [one.json() for one in self.stored]

    @property
    def reports(self) -> list[Received]:
        return [
            one
            for one in self.received
            if one.path.endswith("/api/embed/error-page/") and one.method == "POST"
        ]

    def wait_for(self, count: int = 1, timeout: float = 10) -> list[dict[str, Any]]:
        """The events, as soon as there are so many."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.stored) >= count, timeout):
                raise AssertionError(f"{len(self.stored)} of {count} events arrived")
        return self.events

    def one_event(self, *apps: Flask) -> dict[str, Any]:
        """The one event there is, once everything the apps queued has been sent."""
        for app in apps:
            assert app.extensions["sentry"].flush(10)
        events = self.wait_for(1)
        assert len(events) == 1, [event["message"] for event in events]
        return events[0]

    def default_answer(self, one: Received) -> Answer:
        if one.path.endswith("/store/"):
            body = json.dumps({"id": one.json()["event_id"]}).encode()
            return 200, {"Content-Type": "application/json"}, body
        return 200, {"Content-Type": "application/json"}, b"{}"


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    return body


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A recording Sentry on loopback."""
    state = Wire()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms an answer otherwise

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            url = urlsplit(self.path)
            one = Received(
                self.command,
                url.path,
                parse_qs(url.query, keep_blank_values=True),
                dict(self.headers.items()),
                _unpacked(self.rfile.read(length), self.headers.get("Content-Encoding", "")),
            )
            with state.changed:
                state.received.append(one)
                state.changed.notify_all()
            status, headers, body = (state.answer or state.default_answer)(one)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = do_HEAD = answer

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a WSGI app from real threads on loopback; returns its address without a slash."""
    running = []

    def start(app: Any, host: str = "127.0.0.1", **options: Any) -> str:
        server = make_server(host, 0, app, threaded=True, **options)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        scheme = "https" if options.get("ssl_context") else "http"
        return f"{scheme}://{host}:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start hear Ctrl-C also where it is ignored here, as after `make test &`: an
    ignored signal stays ignored in a child, a handled one does not (execve(2))."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: None)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the process, with every thread's stack, where a thread that a test left running would
    keep it from ending. The limits of pyproject.toml hold until the last test alone."""
    limit = float(config.getini("faulthandler_timeout"))
    faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that drive the browser come last: from the first of them on Playwright keeps
    an event loop running in this thread, where async views could not run theirs."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all tests."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=browser.find(), args=browser.arguments()
        )
        yield running
        running.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser page, with no cookies or storage of another test."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def snippet_options(html: str) -> dict[str, Any]:
    """What a page gives to Raven.showReportDialog, as the browser's parser would read it."""
    found = re.search(r"Raven\.showReportDialog\((\{.*?\})\);", html, re.S)
    assert found is not None, html
    options: dict[str, Any] = json.loads(found[1])
    return options


@pytest.fixture(name="snippet_options")
def _snippet_options() -> Callable[[str], dict[str, Any]]:
    return snippet_options


@pytest.fixture(autouse=True)
def _no_dsn_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENTRY_DSN", "SENTRY_RELEASE", "SENTRY_ENVIRONMENT", "SENTRY_NAME"):
        monkeypatch.delenv(name, raising=False)
