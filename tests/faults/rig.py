"""What a scenario builds with: an app behind a real server, a visitor, a recording Sentry.

The judge is what arrives at the recording server and what the visitor gets. ``expect`` is the
only thing that shows a fault; any other error is a broken scenario.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tests.support.sentry import RecordingSentry

ROOT = Path(__file__).parents[2]


class Fault(AssertionError):
    """The rule did not hold. Its text is what was seen."""


def expect(holds: object, seen: object) -> None:
    """The rule's condition; ``seen`` says what was there instead."""
    if not holds:
        raise Fault(str(seen))


@dataclass
class Visit:
    """What the visitor got. ``status`` 0: the connection was lost without an answer."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def page(self) -> bool:
        """The app's own error page was rendered."""
        return "<h1>Sorry</h1>" in self.text

    @property
    def id(self) -> str | None:
        """The event id on the page."""
        found = re.search(r"id=([0-9a-f]{32})", self.text)
        return found[1] if found else None


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class Room:
    """Holds what a scenario keeps from its view, so that no frame's locals have it."""

    def __init__(self) -> None:
        self.__dict__["_kept"] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_kept"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_kept"][name] = value


class Rig:
    """One scenario's world. Lives in a process of its own, so global state is its to spoil.

    :param shown_id: the event's id for the error page, as the reporter's documentation has it.
    """

    def __init__(self, stack: ExitStack, shown_id: Callable[[], object]) -> None:
        self._stack = stack
        self._shown_id = shown_id
        self._sites: dict[int, BaseWSGIServer] = {}
        self._wire: RecordingSentry | None = None
        self.kept = Room()

    @property
    def wire(self) -> RecordingSentry:
        """The Sentry most scenarios need: takes everything."""
        if self._wire is None:
            self._wire = self.new_wire()
        return self._wire

    def new_wire(self, *args: Any, **options: Any) -> RecordingSentry:
        wire = RecordingSentry(*args, **options)
        self._stack.callback(wire.close)
        return wire

    def flask(self, name: str = "shop", **config: Any) -> Flask:
        """An app with the error page of the reporter's documentation."""
        app = Flask(name)
        app.config.update(config)

        @app.errorhandler(500)
        def internal_server_error(error: object) -> tuple[str, int]:
            return f"<h1>Sorry</h1> id={self._shown_id()}", 500

        return app

    def app(
        self, sentry_class: Any, *, wire: RecordingSentry | None = None, **config: Any
    ) -> tuple[Flask, Any]:
        """An app and its Sentry, as the documentation makes them."""
        app = self.flask(**config)
        return app, sentry_class(app, dsn=(wire or self.wire).dsn)

    def crashing(
        self, sentry_class: Any, view: Callable[[], Any], **config: Any
    ) -> tuple[Flask, Any]:
        """An app whose ``/`` is the given view, and its Sentry."""
        app, sentry = self.app(sentry_class, **config)
        app.add_url_rule("/", "view", view, methods=["GET", "POST"])
        return app, sentry

    def visit(
        self,
        app: Flask,
        path: str = "/",
        *,
        method: str | None = None,
        body: bytes | None = None,
        form: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Visit:
        """A request over a real socket. Every request of an app runs in the same thread."""
        sent = dict(headers or {})
        if form is not None:
            body = urlencode(form).encode()
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        port = self._port(app)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method or ("POST" if body else "GET"), path, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            return Visit(answer.status, text, dict(answer.headers))
        except (http.client.HTTPException, ConnectionError):
            return Visit(0, "", {})
        finally:
            connection.close()

    def _port(self, app: Flask) -> int:
        site = self._sites.get(id(app))
        if site is None:
            site = make_server("127.0.0.1", 0, app, request_handler=_Quiet)
            self._sites[id(app)] = site
            threading.Thread(target=site.serve_forever, args=(0.01,), daemon=True).start()
            self._stack.callback(site.server_close)
        return site.server_port

    def settle(
        self, sentry: Any, app: Flask, wire: RecordingSentry | None = None
    ) -> list[dict[str, Any]]:
        """Every event that was on its way: a last message is sent, and delivery is in order."""
        wire = wire or self.wire
        marker = f"settle-{secrets.token_hex(8)}"
        deadline = time.monotonic() + 25
        while True:
            with app.app_context():
                sentry.captureMessage(marker, sample_rate=1)
            # More than one try: a reporter that is backing off throws messages away.
            if wire.wait(lambda: any(_has(event, marker) for event in wire.events), 0.5):
                break
            if time.monotonic() > deadline:
                raise RuntimeError("the last message never arrived")
        return [event for event in wire.events if not _has(event, "settle-")]

    def crash(self, sentry: Any, app: Flask, path: str = "/", **request: Any) -> dict[str, Any]:
        """A visit that must end with the page and one event, both with the same id."""
        visit = self.visit(app, path, **request)
        expect(visit.page, f"page lost: {visit.status} {visit.text[:80]!r}")
        events = self.settle(sentry, app)
        expect(len(events) == 1, f"{len(events)} events")
        expect(visit.id == events[0]["event_id"], f"the page shows {visit.id}")
        return events[0]

    def folder(self) -> Path:
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory()))

    @contextmanager
    def program(
        self, sentry_class: Any, source: str, *args: str, before: str = "", **options: Any
    ) -> Iterator[subprocess.Popen[str]]:
        """A Python program of its own, for what happens at exit. ``Sentry`` is the class."""
        found = f"from {sentry_class.__module__} import {sentry_class.__name__} as Sentry"
        process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{found}\n{source}", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            **options,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


def _has(event: Mapping[str, Any], text: str) -> bool:
    message = event.get("message") or event.get("sentry.interfaces.Message") or ""
    return text in json.dumps(message)


def flat(event: object) -> str:
    """The event as text, to look for what must or must not be anywhere in it."""
    return json.dumps(event, ensure_ascii=False)


def errors(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Type and value of each exception in an event."""
    values = (event.get("exception") or {}).get("values", [])
    return [(value.get("type", ""), value.get("value", "")) for value in values]


def frames(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The frames of all exceptions in an event."""
    return [
        frame
        for value in event["exception"]["values"]
        for frame in ((value.get("stacktrace") or {}).get("frames") or [])
    ]
