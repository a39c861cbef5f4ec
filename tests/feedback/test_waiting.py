"""What one visitor can hold of a server: while Sentry hangs, and while a body drips."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page
from waitress import wasyncore
from waitress.server import create_server

from flask_sentry_kit.feedback import form, relay
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit


@pytest.fixture
def behind_waitress() -> Iterator[Callable[[Flask], str]]:
    """Serves an app with waitress and its four threads; returns the address."""
    stop = threading.Event()
    running = []

    def serve(app: Flask) -> str:
        sockets: dict[int, Any] = {}
        server: Any = create_server(app, map=sockets, host="127.0.0.1", port=0, threads=4)

        def loop() -> None:
            while not stop.is_set():
                wasyncore.loop(timeout=0.05, map=sockets, count=1)
            wasyncore.close_all(sockets, True)

        thread = threading.Thread(target=loop)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.effective_port}"

    yield serve
    stop.set()
    for server, thread in running:
        thread.join()
        server.task_dispatcher.shutdown()


@dataclass
class Shop:
    """A shop behind waitress, whose Sentry takes requests and does not answer."""

    visitor: Any
    sentry: RecordingSentry
    outcomes: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def send(self, *pages: Any) -> list[threading.Thread]:
        """Send a report from each page, all at the same moment."""

        def one(page: Page) -> None:
            answer = json.loads(self.visitor.send(page, json=True, comments="Words").text)
            with self.news:
                self.outcomes.append(answer["outcome"])
                self.news.notify_all()

        threads = [threading.Thread(target=one, args=(page,)) for page in pages]
        for thread in threads:
            thread.start()
        return threads

    def wait_for(self, count: int) -> list[str]:
        with self.news:
            assert self.news.wait_for(lambda: len(self.outcomes) >= count, 10), self.outcomes
            return list(self.outcomes)


@pytest.fixture
def shop(
    crashing_app: MakeApp,
    behind_waitress: Any,
    visitor_of: Any,
    sentry: RecordingSentry,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shop]:
    """With nobody answering, a request that waits for Sentry waits until the test's end."""
    monkeypatch.setattr(relay, "WAIT", 30.0)
    sentry.hold("POST")
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    app.add_url_rule("/fine", view_func=lambda: "fine")
    yield Shop(visitor_of(behind_waitress(app)), sentry)


def test_clicks_on_one_report_leave_the_threads_free(shop: Shop) -> None:
    """Of eight clicks at once one waits for Sentry; the others hear what is known by then, and
    everybody else is served."""
    page = shop.visitor.crash()
    threads = shop.send(*[page] * 8)
    assert shop.wait_for(7) == ["saved"] * 7
    assert shop.visitor.request("GET", "/fine").text == "fine"
    assert len(shop.outcomes) == 7, "the first click was to wait"
    shop.sentry.release()
    for thread in threads:
        thread.join()
    assert shop.outcomes == ["saved"] * 7 + ["sent"]
    assert len(shop.sentry.reports) == 1


def test_two_requests_wait_and_no_more(shop: Shop) -> None:
    """Of many reports at once two wait for Sentry; the others are saved and say so, and everybody
    else is served. When the two have left, others may wait."""
    pages = [shop.visitor.crash() for _ in range(6)]
    threads = shop.send(*pages)
    assert shop.wait_for(4) == ["saved"] * 4
    assert shop.visitor.request("GET", "/fine").text == "fine"
    assert len(shop.outcomes) == 4, "two were to wait"
    shop.sentry.release()
    for thread in threads:
        thread.join()
    assert sorted(shop.outcomes) == ["saved"] * 4 + ["sent"] * 2
    [last] = shop.send(shop.visitor.crash())
    last.join()
    assert shop.outcomes[-1] == "sent"


def test_who_waited_in_vain_gives_the_place_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the wait ends."""
    monkeypatch.setattr(relay, "WAIT", 0.01)
    for _ in range(2 * relay.WAITING_MAX):
        page = shop.visitor.crash()
        assert shop.visitor.send(page, comments="Words").status == 303
    assert len(relay._places) == relay.WAITING_MAX
    shop.sentry.release()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_drips_has_one_deadline(
    crashing_app: MakeApp,
    visit: Visit,
    sentry: RecordingSentry,
    monkeypatch: pytest.MonkeyPatch,
    chunked: bool,
) -> None:
    """However slowly the bytes come, the worker is free again at a time that they cannot move, and
    the visitor hears what is wrong."""
    monkeypatch.setattr(form, "PATIENCE", 0.3)
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn))
    action, _ = visitor.form_of(visitor.crash())
    where = urlsplit(visitor.base)
    kind = "Transfer-Encoding: chunked" if chunked else "Content-Length: 40"
    head = (
        f"POST {action} HTTP/1.1\r\nHost: shop\r\nAccept: text/html\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n{kind}\r\n\r\n"
    )
    drop = b"1\r\nw\r\n" if chunked else b"w"
    answered = threading.Event()
    answer = bytearray()
    with socket.create_connection((where.hostname or "", where.port or 0)) as connection:

        def listen() -> None:
            try:
                while data := connection.recv(65536):
                    answer.extend(data)
                    answered.set()
            except OSError:
                pass
            answered.set()

        listener = threading.Thread(target=listen)
        listener.start()
        connection.sendall(head.encode())
        drops = 0
        while drops < 40 and not answered.wait(0.1):
            connection.sendall(drop)
            drops += 1
        # Forty drops are four seconds; a time-out that each of them renews would wait for them.
        assert drops < 30
        listener.join(10)
    assert answer.split(b" ", 2)[1] == b"400"
    assert b"it did not arrive whole" in answer


def test_half_a_report_is_not_relayed(
    visit: Visit, crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """A connection that ends early leaves half a sentence; it does not reach Sentry as a whole."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn))
    action, typed = visitor.form_of(visitor.crash())
    body = f"token={typed['token']}&comments=I+did+not"
    where = urlsplit(visitor.base)
    head = (
        f"POST {action} HTTP/1.1\r\nHost: shop\r\nAccept: text/html\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body) + 20}\r\n\r\n"
    )
    with socket.create_connection((where.hostname or "", where.port or 0)) as connection:
        connection.sendall((head + body).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ", 2)[1] == b"400"
    assert b"it did not arrive whole" in answer and b"I did not" in answer
    assert sentry.reports == []
