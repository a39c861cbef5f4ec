"""What each answer of a server means: sent, refused, tried again, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from flask_sentry_kit.outbox import (
    Alternative,
    Connection,
    Item,
    Outbox,
    Request,
    backoff,
    delivery,
)
from flask_sentry_kit.outbox.http_client import BODY_LIMIT, REASON_LIMIT
from flask_sentry_kit.outbox.send import Sender
from tests.support.outbox import SECRET
from tests.support.sentry import Received, RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Until


def test_d7_one_413_drops_that_event_alone(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """What is too large for the server is dropped; those behind it go on."""
    server.answer = lambda request: (413 if request.id == "big" else 200, {}, b"{}")
    tickets = [outbox.put(event(server, id)) for id in ("a", "big", "b")]
    assert outbox.flush(5)
    assert [ticket.state for ticket in tickets] == ["sent", "refused", "sent"]
    assert server.ids == ["a", "big", "b"]
    assert outbox.counters == (0, 2, 0, 1)


def test_an_answer_without_end_is_read_no_further_than_needed(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Of a body only what can hold a reason is read."""
    server.answer = lambda request: (200, {}, b"x" * (BODY_LIMIT * 50))
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"X-Sentry-Error": "unknown key"}, b"{}", "403 unknown key"),
        ({}, b'{"detail": "no such project"}', "403 no such project"),
        ({}, b'{"error": "bad event"}', "403 bad event"),
        ({}, b'{"errors": {"email": ["Enter an address."]}}', "403 email: Enter an address."),
        ({}, b'{"eventId": "Missing."}', "403 eventId: Missing."),
        ({}, b"<html>", "403 Forbidden"),
        ({}, b"[" * 9000, "403 Forbidden"),
    ],
)
def test_a_refusal_says_why(
    headers: dict[str, str],
    body: bytes,
    reason: str,
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
) -> None:
    """The reason is the server's own: its header, its JSON, else the status."""
    server.answer = lambda request: (403, headers, body)
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert ticket.reason == reason


def test_a_refusal_is_logged_without_secret_and_within_bounds(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that repeats the secret, or talks for ever, does not get that into the log."""
    said = f"no: {SECRET} \x1b[31m{'x' * 5000}"
    server.answer = lambda request: (401, {}, b'{"detail": "%s"}' % said.encode())
    server.answer = lambda request: (401, {"X-Sentry-Error": said.replace("\x1b", "?")}, b"")
    ticket = outbox.put(event(server, "a"))
    assert ticket.wait(5) == "refused"
    assert outbox.close(1)
    assert SECRET not in f"{ticket.reason}{caplog.text}{event(server, 'a')!r}"
    assert len(str(ticket.reason)) <= REASON_LIMIT
    assert len(caplog.records) == 1
    assert "401 no" in caplog.text


def test_5xx_waits_and_keeps_its_place(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """The head of the line is retried before anything behind it goes."""
    tries = iter([500, 503, 500])
    server.answer = lambda request: (next(tries, 200), {}, b"")
    for id in "abc":
        outbox.put(event(server, id))
    assert outbox.flush(5)
    assert server.ids == ["a", "a", "a", "a", "b", "c"]
    assert outbox.counters == (0, 3, 3, 0)


def test_an_event_the_server_chokes_on_is_given_up(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a number of 500s the item is dropped, so that those behind it are not held up."""
    monkeypatch.setattr(delivery, "TRIES", 4)
    server.answer = lambda request: (500 if request.id == "poison" else 200, {}, b"")
    poison = outbox.put(event(server, "poison"))
    good = outbox.put(event(server, "good"))
    assert good.wait(5) == "sent"
    assert poison.state == "refused"
    assert poison.reason == "500 Internal Server Error (given up after 4 tries)"
    assert server.ids == ["poison"] * 4 + ["good"]


def test_a_server_that_is_away_costs_no_event_its_tries(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """502, 503 and 504 come from what stands before Sentry: such an outage loses nothing."""
    monkeypatch.setattr(delivery, "TRIES", 2)
    tries = iter([502, 503, 504] * 3)
    server.answer = lambda request: (next(tries, 200), {}, b"")
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert len(server.received) == 10


def test_429_waits_as_long_as_it_is_asked_to(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Retry-After in seconds is kept to, and the item is not lost."""
    tries = iter([(429, {"Retry-After": "0.3"}, b"")])
    server.answer = lambda request: next(tries, (200, {}, b""))
    began = time.monotonic()
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert time.monotonic() - began >= 0.3


def test_429_that_asks_for_no_wait_is_not_hammered(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retry-After: 0 still leaves the server our own back-off."""
    asked: list[int] = []
    own = outbox._current_worker()

    def pause(failures: int) -> float:
        # An outbox of an earlier test may still be retrying in a thread of its own.
        if threading.current_thread() is own._thread:
            asked.append(failures)
        return 0.05

    monkeypatch.setattr(backoff, "backoff", pause)
    tries = iter([(429, {"Retry-After": "0"}, b"")] * 3)
    server.answer = lambda request: next(tries, (200, {}, b""))
    began = time.monotonic()
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert asked == [1, 2, 3]
    assert time.monotonic() - began >= 0.15


def test_a_rate_limit_on_a_good_answer_holds_the_next_event_back(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """X-Sentry-Rate-Limits for errors is kept to; limits for other categories are not ours."""
    limits = iter(["60:transaction:key, 1:error;default:organization", "60:transaction"])
    server.answer = lambda request: (200, {"X-Sentry-Rate-Limits": next(limits, "")}, b"")
    began = time.monotonic()
    for id in "abc":
        outbox.put(event(server, id))
    assert outbox.flush(5)
    assert 1.0 <= time.monotonic() - began < 4.0


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7", 7.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 5000, 600.0),
        ("315360000", 600.0),
        ("date +30", 30.0),
        ("date -30", 0.0),
        ("date +999999", 600.0),
        ("Thu, 99 Zzz 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_bounded(
    asked: str,
    seconds: float,
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """Seconds or an HTTP date; ten years are ten minutes, and nonsense is our own back-off."""
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 0.0)
    now = datetime(2031, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
    headers = {"Retry-After": asked}
    if asked.startswith("date"):
        then = now + timedelta(seconds=int(asked.split()[1]))
        # The server's clock need not be ours: it is its own Date that counts.
        headers = {"Retry-After": format_datetime(then, usegmt=True)}
        headers["Date"] = format_datetime(now, usegmt=True)
    sender = Sender(Connection(timeout=2.0))
    server.answer = raw_answer(429, headers)
    answer = sender.post(event(server, "a").request)
    sender.close()
    found = None if answer.wait is None else min(answer.wait, backoff.ASKED_CAP)
    assert found == seconds


def raw_answer(status: int, headers: dict[str, str]) -> Callable[[Received], None]:
    """Answer without the headers that the server adds of its own (Date)."""

    def answer(request: Received) -> None:
        lines = [f"HTTP/1.1 {status} No", *(f"{name}: {value}" for name, value in headers.items())]
        text = "\r\n".join([*lines, "Content-Length: 0", "", ""])
        request.handler.wfile.write(text.encode())

    return answer


def alternatives(server: RecordingSentry) -> tuple[Alternative, ...]:
    """After a redirect ``b``, whose server may not keep it; after a missing address ``c``."""
    return (
        Alternative(Request(f"{server.url}/b", {}, b"{}", "b", keeps=False), REDIRECTS),
        Alternative(Request(f"{server.url}/c", {}, b"{}", "c"), frozenset((403, 404)) | REDIRECTS),
    )


REDIRECTS = frozenset(range(300, 400))


@pytest.mark.parametrize(
    ("answers", "sent", "state", "taken"),
    [
        ((200,), "/a", "sent", "a"),
        ((302, 200), "/a /b", "passed", "b"),
        ((404, 200), "/a /c", "sent", "c"),
        ((307, 404, 200), "/a /b /c", "sent", "c"),
        ((302, 301, 202), "/a /b /c", "sent", "c"),
        ((404, 403), "/a /c", "refused", None),
        ((302, 400), "/a /b", "refused", None),
        ((400,), "/a", "refused", None),
        ((302, 302, 302), "/a /b /c", "refused", None),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "spool"])
def test_an_alternative_is_tried_after_the_answers_that_it_names(
    answers: tuple[int, ...],
    sent: str,
    state: str,
    taken: str | None,
    on_disk: bool,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    tmp_path: Path,
) -> None:
    """In order, each once; the ticket says which one was taken, and whether it is kept."""
    server.answer = lambda request: (answers[request.number], {}, b"")
    outbox = new_outbox(spool=str(tmp_path / "spool") if on_disk else None)
    first = Request(f"{server.url}/a", {}, b"{}", "a")
    ticket = outbox.put(Item("feedback", "f", first, alternatives(server)))
    assert ticket.wait(5) == state
    assert ticket.taken == taken
    assert " ".join(request.path for request in server.received) == sent
    assert outbox.flush(5)
    assert outbox.counters == (0, int(taken is not None), 0, int(taken is None))


def test_no_redirect_is_followed(
    server: RecordingSentry, new_sentry: NewSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """The host that an answer names in Location gets no request, and so no key of ours."""
    elsewhere = new_sentry()
    location = {"Location": f"{elsewhere.url}/api/1/store/"}
    for status in (301, 302, 303, 307, 308):
        server.answer = lambda request, status=status: (status, location, b"")
        assert outbox.put(event(server, str(status))).wait(5) == "refused"
    assert elsewhere.connections == 0
