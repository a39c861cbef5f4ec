"""A crashing app and a Sentry, both real servers on loopback, and what a browser without
JavaScript does between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from flask_sentry_kit import SentryKit
from flask_sentry_kit.feedback import relay
from flask_sentry_kit.outbox import Item, Ticket, backoff
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, NewSentry, Visit
from tests.support.visitor import Visitor


@pytest.fixture
def sentry(new_sentry: NewSentry) -> RecordingSentry:
    """A Sentry on loopback that records what reaches it."""
    return new_sentry(project="7")


@pytest.fixture
def crashing_app() -> Iterator[MakeApp]:
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
def visit() -> Iterator[Visit]:
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
def shop(crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry) -> Visitor:
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
def may_not_keep_words() -> Callable[[Flask], None]:
    """Has an app take every server for one that takes words and may not keep them."""

    def doubt(app: Flask) -> None:
        outbox = app.extensions["sentry_kit"].outbox
        put = outbox.put

        def put_in_doubt(item: Item) -> Ticket | None:
            if item.kind == "feedback":
                item = replace(item, request=replace(item.request, keeps=False))
            ticket: Ticket | None = put(item)
            return ticket

        outbox.put = put_in_doubt

    return doubt


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
