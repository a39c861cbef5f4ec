"""An inbox as it really runs: waitress on a free loopback port, spoken to over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from flask_sentry_kit.inbox import InboxServer, create_inbox
from tests.support.inbox import RunningInbox


@contextmanager
def running(folder: Path) -> Iterator[Callable[..., RunningInbox]]:
    started: list[tuple[InboxServer, threading.Thread]] = []
    http = urllib3.PoolManager(timeout=10, retries=False)

    def start(**options: Any) -> RunningInbox:
        app = create_inbox(folder / f"inbox-{len(started)}.sqlite", **options)
        server = InboxServer(app)
        thread = threading.Thread(target=server.run)
        thread.start()
        started.append((server, thread))
        return RunningInbox(server, http)

    yield start
    http.clear()
    for server, thread in started:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def serve_inbox(tmp_path: Path) -> Iterator[Callable[..., RunningInbox]]:
    """Start an inbox; keywords are `create_inbox`'s."""
    with running(tmp_path) as start:
        yield start


@pytest.fixture
def served(serve_inbox: Callable[..., RunningInbox]) -> RunningInbox:
    """An inbox of the test's own."""
    return serve_inbox()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """One inbox for the tests of a file that look at answers only, not at what is kept."""
    with running(tmp_path_factory.mktemp("shared")) as start:
        yield start()


@pytest.fixture(scope="module")
def choosy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """As `shared`, for one shop's pages only; `tools.example` is a name to read it under."""
    with running(tmp_path_factory.mktemp("choosy")) as start:
        yield start(
            allowed_origins=("https://shop.example", "*.shop.test"), hosts=["tools.example"]
        )
