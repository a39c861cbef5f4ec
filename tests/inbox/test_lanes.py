"""Which threads answer which request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask

from flask_sentry_kit.inbox.server import lanes
from flask_sentry_kit.inbox.server.inbox_server import _lane_of
from flask_sentry_kit.inbox.server.lanes import OneEvent, PagesFirst
from tests.support.inbox import RunningInbox


@contextmanager
def held(app: Flask, path: str) -> Iterator[threading.Semaphore]:
    """Hold all requests to a path that arrive meanwhile; the semaphore counts those held."""
    arrived, go = threading.Semaphore(0), threading.Event()

    def hold() -> None:
        from flask import request

        if request.path.startswith(path):
            arrived.release()
            go.wait(20)

    app.before_request_funcs[None].insert(0, hold)
    try:
        yield arrived
    finally:
        go.set()


def ask(served: RunningInbox, path: str, times: int) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=served.request, args=("POST", path), kwargs={"body": b"{}"})
        for _ in range(times)
    ]
    for thread in threads:
        thread.start()
    return threads


def test_a_flood_of_events_keeps_no_page_waiting(served: RunningInbox) -> None:
    """Sentry's addresses have threads of their own."""
    with held(served.server.app, "/api/1/store/") as arrived:
        threads = ask(served, "/api/1/store/", 20)
        assert arrived.acquire(timeout=10)
        assert served.request("GET", "/").status == 200
    for thread in threads:
        thread.join(20)


@pytest.mark.parametrize(
    ("path", "lane"),
    [
        ("/api/v1/stream", "waits"),
        ("//api/v1/stream", "waits"),
        ("///api/v1/crashes?wait=5", "waits"),
        ("/api/v1/crashes?q=a&wait=5", "waits"),
        ("/api/v1/crashes", "pages"),
        ("//api/1/store/", "events"),
    ],
)
def test_the_lane_is_chosen_by_the_path_that_the_app_sees(path: str, lane: str) -> None:
    """However many slashes are sent at its beginning."""
    found, _, query = path.partition("?")
    assert _lane_of(found, query) == lane


def test_many_answers_that_wait_keep_no_page_and_no_event_waiting(served: RunningInbox) -> None:
    """An open stream holds a thread of its own for as long as its page is open."""
    with held(served.server.app, "/api/v1/stream") as arrived:
        threads = ask(served, "/api/v1/stream", 30)
        assert all(arrived.acquire(timeout=10) for _ in range(30))
        assert served.request("GET", "/").status == 200
        assert served.store().status == 200
    for thread in threads:
        thread.join(20)


def test_events_are_written_one_after_the_other_and_large_ones_let_them_go() -> None:
    """A large one waits in a line of its own, which is no matter of the others."""
    one_event, order = OneEvent(), list[str]()
    began, goes, ends = threading.Event(), threading.Event(), threading.Event()

    def large() -> None:
        with one_event.turn("events"):
            began.set()
            goes.wait(10)
            order.append("large lets go")
            one_event.leave()
            ends.wait(10)
            order.append("large ends")

    def small() -> None:
        with one_event.turn("events"):
            order.append("small")
        ends.set()

    one, other = threading.Thread(target=large), threading.Thread(target=small)
    one.start()
    assert began.wait(10)
    other.start()
    goes.set()
    one.join(10)
    other.join(10)
    assert order == ["large lets go", "small", "large ends"]
    with one_event.turn("events"):
        pass


def test_events_wait_while_a_page_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """All threads share one interpreter, and a person waits for a page; but no page, however slow,
    keeps an event waiting for long."""
    monkeypatch.setattr(lanes, "_PATIENCE", 10)
    order: list[str] = []
    pages_first = PagesFirst()
    page_ends = threading.Event()

    def event() -> None:
        with pages_first.turn("events"):
            order.append("event")

    def page() -> None:
        with pages_first.turn("pages"):
            order.append("page begins")
            began.set()
            page_ends.wait(10)
            order.append("page ends")

    began = threading.Event()
    one = threading.Thread(target=page)
    one.start()
    assert began.wait(10)
    other = threading.Thread(target=event)
    other.start()
    page_ends.set()
    one.join(10)
    other.join(10)
    assert order == ["page begins", "page ends", "event"]
    monkeypatch.undo()
    with pages_first.turn("pages"):
        other = threading.Thread(target=event)
        other.start()
        other.join(10)
        assert not other.is_alive()
