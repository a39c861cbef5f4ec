"""How one item is delivered: TLS, redirects, time-outs, and what each answer means."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest

from flask_sentry_kit.outbox import Connection, Item, Outbox, Request
from flask_sentry_kit.outbox.send import Sender
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Until


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_d3_a_redirect_is_refused_and_no_secret_goes_to_its_target(
    status: int, server: RecordingSentry, new_sentry: NewSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A 3xx drops the item: it is neither followed nor counted as sent."""
    target = new_sentry()
    server.answer = lambda request: (status, {"Location": f"{target.url}/elsewhere"}, b"")
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert str(status) in str(ticket.reason)
    assert target.received == []
    assert len(server.received) == 1
    assert outbox.counters == (0, 0, 0, 1)


def test_d5_one_connection_carries_many_events(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A connection is kept and used again."""
    for index in range(20):
        outbox.put(event(server, str(index)))
    assert outbox.flush(5)
    assert len(server.received) == 20
    assert server.connections == 1


def test_a_connection_the_server_closed_meanwhile_costs_no_retry(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A kept connection that has gone stale is replaced, and that is no failure."""
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    server.answer = lambda request: (200, {"Connection": "close"}, b"{}")
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert outbox.put(event(server, "c")).wait(5) == "sent"
    assert server.ids == ["a", "b", "c"]
    assert outbox.counters.retried == 0


def test_a_kept_connection_that_breaks_under_the_next_request_is_tried_anew(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A server that hangs up on a kept connection without an answer gets the event again."""
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    dropped: list[object] = []

    def answer(request: Received) -> Answer | None:
        if not dropped:
            dropped.append(request.client)
            return None
        return 200, {}, b"{}"

    server.answer = answer
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert server.ids == ["a", "b", "b"]
    assert outbox.counters.retried == 0


@pytest.mark.parametrize("part", ["headers", "status"])
def test_d7_a_server_that_drips_holds_the_worker_no_longer_than_the_timeout(
    part: str, server: RecordingSentry, event: MakeEvent
) -> None:
    """The time-out is one deadline for the whole request, however many bytes trickle in."""
    over = threading.Event()

    def drip(request: Received) -> None:
        out = request.handler.wfile
        out.write(b"HTTP/1.1 200 OK\r\nX-Drip: " if part == "headers" else b"HTTP")
        try:
            while not over.wait(0.05):
                out.write(b"x")
                out.flush()
        except OSError:
            pass

    server.answer = drip
    sender = Sender(Connection(timeout=0.4))
    began = time.monotonic()
    answer = sender.post(event(server, "a").request)
    took = time.monotonic() - began
    over.set()
    sender.close()
    assert answer.status == 0
    assert "Timeout" in answer.reason
    assert 0.3 < took < 1.0


def test_d7_a_dripping_body_takes_no_longer_and_the_status_still_counts(
    server: RecordingSentry, event: MakeEvent
) -> None:
    """What the server has taken is not sent again because its answer never ends."""
    over = threading.Event()

    def drip(request: Received) -> None:
        out = request.handler.wfile
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while not over.wait(0.05):
                out.write(b"x")
                out.flush()
        except OSError:
            pass

    server.answer = drip
    sender = Sender(Connection(timeout=0.4))
    began = time.monotonic()
    answer = sender.post(event(server, "a").request)
    took = time.monotonic() - began
    over.set()
    sender.close()
    assert answer.status == 200
    assert took < 1.0


def test_d7_a_server_that_reads_nothing_is_left_at_the_timeout(dead_port: int) -> None:
    """Sending has the same deadline as reading: a full socket does not hold the worker."""
    import socket

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", dead_port))
        listener.listen()
        sender = Sender(Connection(timeout=0.3))
        body = b"x" * 30_000_000
        began = time.monotonic()
        answer = sender.post(Request(f"http://127.0.0.1:{dead_port}/", {}, body))
        took = time.monotonic() - began
        sender.close()
    assert answer.status == 0
    assert took < 1.0


def test_large_events_are_gzipped_and_forms_are_not(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """No Sentry unpacks a form's body, so a long report must stay as it is."""
    outbox.put(event(server, "large", size=5000))
    outbox.put(event(server, "small"))
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    form = Request(f"{server.url}/form", urlencoded, b"comments=" + b"x" * 5000)
    outbox.put(Item("feedback", "f", form))
    packed = Request(f"{server.url}/packed", {"content-encoding": "deflate"}, b"x" * 5000)
    outbox.put(Item("event", "e", packed))
    assert outbox.flush(5)
    large, small, form_, packed_ = server.received
    assert (large.headers["content-encoding"], large.id) == ("gzip", "large")
    assert len(large.raw) < 500
    assert "content-encoding" not in small.headers
    assert (form_.raw, form_.headers.get("content-encoding")) == (form.body, None)
    assert (packed_.raw, packed_.headers["content-encoding"]) == (packed.body, "deflate")


@pytest.mark.parametrize(
    "request_",
    [
        Request("ftp://127.0.0.1/", {}, b""),
        Request("http://[broken/", {}, b""),
        Request("http://127.0.0.1:99999/", {}, b""),
        Request("http:///nowhere", {}, b""),
        Request("http://127.0.0.1:9/ a b", {}, b""),
        Request("http://127.0.0.1:9/", {"X-A": "b\r\nX-C: d"}, b""),
    ],
)
def test_what_can_never_be_sent_is_dropped(
    request_: Request, server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """A request that is none is refused; it does not wait for the network to mend."""
    server.answer = lambda request: (200, {}, b"")
    if request_.headers:
        request_ = Request(f"{server.url}/", request_.headers, b"")
    elif request_.url.endswith(" a b"):
        request_ = Request(f"{server.url}/ a b", {}, b"")
    ticket = outbox.put(Item("event", "a", request_))
    assert ticket.wait(5) == "refused"
    assert outbox.put(event(server, "b")).wait(5) == "sent"


@pytest.mark.parametrize(
    ("option", "value"),
    [("proxy", "ftp://x"), ("proxy", "nonsense"), ("proxy", "http://exa mple:80"),
     ("proxy", "http://ho%st"), ("proxy", "http://b\xfccher.example"), ("proxy", "http://h\n:80"),
     ("proxy", "http://h:0"), ("ca_certs", "/no/such/file"),
     ("timeout", 0), ("timeout", float("nan"))],
)  # fmt: skip
def test_an_option_that_cannot_work_is_an_error_at_once(
    option: str, value: Any, new_outbox: NewOutbox
) -> None:
    """A wrong path or proxy is an error when the outbox is made, with the option's name."""
    with pytest.raises(ValueError, match=option):
        new_outbox(**{option: value})


def test_trouble_is_logged_once_a_minute_and_not_at_a_hiccup(
    dead_port: int,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """One line says that nothing is delivered; a single failure says nothing."""
    caplog.set_level(logging.INFO)
    outbox = new_outbox()
    outbox.put(event(f"http://127.0.0.1:{dead_port}", "a"))
    until(lambda: outbox.counters.retried == 2)
    until(lambda: outbox.counters.retried > 20)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"Nothing can be delivered to http://127.0.0.1:{dead_port}" in caplog.text
