"""Real servers on loopback for the outbox to speak to, and outboxes that are closed again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import flask_sentry_kit
from flask_sentry_kit.outbox import Item, Outbox, Request, backoff, delivery, spool_rows
from tests.support.certificates import Certificates
from tests.support.outbox import SECRET
from tests.support.proxy import RecordingProxy
from tests.support.sentry import RecordingSentry
from tests.support.types import NewOutbox, NewSentry


@pytest.fixture
def server(new_sentry: NewSentry) -> RecordingSentry:
    return new_sentry()


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where a test's spool is."""
    return str(tmp_path / "spool.db")


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test knows the servers of another."""
    monkeypatch.setattr(spool_rows, "_destinations", set())


@pytest.fixture
def hung(server: RecordingSentry, new_outbox: NewOutbox) -> Iterator[RecordingSentry]:
    """A server that never answers, until the test is over."""
    server.hold()
    yield server
    server.release()


@pytest.fixture
def dead_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def workers() -> Callable[[], list[threading.Thread]]:
    """The workers that this test started and that still run. Tests of other rooms leave apps
    whose last event waits for a server that is gone."""
    others = set(threading.enumerate())

    def running() -> list[threading.Thread]:
        return [
            thread
            for thread in threading.enumerate()
            if thread.name == "sentry-kit-outbox" and thread not in others
        ]

    return running


@pytest.fixture
def new_outbox(workers: Callable[[], list[threading.Thread]]) -> Iterator[Callable[..., Outbox]]:
    """Make an outbox that the test need not close."""
    made: list[Outbox] = []

    def make(**options: Any) -> Outbox:
        made.append(Outbox(**options))
        return made[-1]

    yield make
    for outbox in made:
        outbox.close(0)
    wait_until(lambda: not workers())


@pytest.fixture
def new_proxy() -> Iterator[Callable[..., RecordingProxy]]:
    """Make a recording proxy on loopback; arguments are ``RecordingProxy``'s."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(RecordingProxy(*args, **options))


@pytest.fixture
def outbox(new_outbox: Callable[..., Outbox]) -> Outbox:
    return new_outbox(timeout=10.0)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are minutes in earnest are hundredths of a second here."""
    monkeypatch.setattr(backoff, "BACKOFF_BASE", 0.01)
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 0.05)
    monkeypatch.setattr(delivery, "SPOOL_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(delivery, "SPOOL_IDLE_LOOKS_EVERY", 0.1)


def make_event(
    server: RecordingSentry | str, id: str, size: int = 0, path: str = "/api/1/store/"
) -> Item:
    url = server if isinstance(server, str) else server.url
    headers = {
        "Content-Type": "application/json",
        "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_key=public, sentry_secret={SECRET}",
    }
    body = json.dumps({"event_id": id, "padding": "x" * size}).encode()
    return Item("event", id, Request(f"{url}{path}", headers, body))


@pytest.fixture
def event() -> Callable[..., Item]:
    """Make an event: ``event(server, id, size=0, path=…)``."""
    return make_event


def wait_until(holds: Callable[[], Any], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.005)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until a condition holds: ``until(lambda: …)``."""
    return wait_until


# The room needs nothing of Flask or raven, whose import would take each child a second: a package
# that is only a path stands in for ours.
BARE = f"""
import sys, types
bare = sys.modules["flask_sentry_kit"] = types.ModuleType("flask_sentry_kit")
bare.__path__ = {list(flask_sentry_kit.__path__)!r}
"""

_PRELUDE = f"""{BARE}
import json, os, signal, sys, threading, time
from flask_sentry_kit.outbox import Item, Outbox, Request, backoff, delivery
def event(url, id, size=0):
    body = json.dumps({{"event_id": id, "padding": "x" * size}}).encode()
    auth = "Sentry sentry_version=7, sentry_key=public, sentry_secret={SECRET}"
    return Item("event", id, Request(url + "/api/1/store/", {{"X-Sentry-Auth": auth}}, body))
delivery.SPOOL_LOOKS_EVERY, delivery.SPOOL_IDLE_LOOKS_EVERY = 0.02, 0.1
"""


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run a script in a Python of its own: ``spawn(script, *argv, prelude="", env={})``.

    ``prelude`` runs before our package is imported.
    """
    children: list[subprocess.Popen[str]] = []

    def start(
        script: str, *argv: object, prelude: str = "", env: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore:This process:DeprecationWarning",
                "-c",
                prelude + _PRELUDE + script,
                *map(str, argv),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def bare() -> str:
    """Python code with which a child imports this room alone."""
    return BARE


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def home_made_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("home-made"), home_made=True)
