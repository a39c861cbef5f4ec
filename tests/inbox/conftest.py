"""An inbox as it really runs: waitress on a free loopback port, spoken to over HTTP."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.dialog_shop import DialogShop, Pages, serving_pages
from tests.support.inbox import RunningInbox, running


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
    """As `shared`, for one project, and pages of one shop; `tools.example` is a name to read it."""
    with running(tmp_path_factory.mktemp("choosy")) as start:
        yield start(
            projects=["1"],
            allowed_origins=("https://shop.example", "*.shop.test"),
            hosts=["tools.example"],
        )


@pytest.fixture(scope="module")
def dialog_pages() -> Iterator[Pages]:
    with serving_pages() as pages:
        yield pages


@pytest.fixture
def shop(dialog_pages: Pages, shared: RunningInbox, page: Page) -> DialogShop:
    """A shop whose pages open the inbox's dialog."""
    page.set_default_timeout(10_000)
    return DialogShop(dialog_pages, shared, page)


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Move this machine to another zone, by its POSIX name."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system sets no zone")

    def move(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    before = os.environ.get("TZ")
    yield move
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.fixture
def console(page: Page) -> list[str]:
    """What the browser complains of."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def filled(served: RunningInbox) -> RunningInbox:
    """An inbox with AError, BError, CError and DError, the last being the latest."""
    for number, kind in enumerate(("AError", "BError", "CError", "DError"), 1):
        served.store(served.event(f"{number:032x}", kind=kind))
    return served
