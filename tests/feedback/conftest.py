"""A crashing app and a Sentry, both real servers on loopback, and what a browser without
JavaScript does between them."""

from __future__ import annotations

import html
import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask
from werkzeug.serving import make_server

from flask_sentry_kit import SentryKit
from flask_sentry_kit.feedback import relay
from flask_sentry_kit.outbox import backoff
from tests.support.sentry import RecordingSentry
from tests.support.types import NewSentry


@pytest.fixture
def sentry(new_sentry: NewSentry) -> RecordingSentry:
    """A Sentry on loopback that records what reaches it."""
    return new_sentry(project="7")


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
def crashing_app() -> Iterator[Callable[..., Flask]]:
    """Makes an app that crashes at /boom; keywords are its config. Its outbox is closed after the
    test, or it would go on trying while other tests run."""
    made: list[Flask] = []

    def make(kit: SentryKit | None = None, /, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update({"SECRET_KEY": "not secret in a test", **config})

        @app.get("/boom")
        def boom() -> str:
            raise ZeroDivisionError("the engine room is on fire")

        app.register_blueprint(kit or SentryKit())
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(0)


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
def shop(crashing_app: Any, visit: Open, sentry: RecordingSentry) -> Visitor:
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
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor waits for a server that is down for hundredths of a second, and it is soon tried
    again."""
    monkeypatch.setattr(relay, "WAIT", 0.1)
    monkeypatch.setattr(backoff, "BACKOFF_BASE", 0.01)
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 0.05)


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
