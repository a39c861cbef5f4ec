"""Whether a server takes events, as far as is known (outbox/acceptance.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.outbox import Item, Outbox
from flask_sentry_kit.outbox.acceptance import PENDING_MAX
from tests.support.sentry import RecordingSentry

MakeEvent = Callable[..., Item]


@pytest.fixture(params=["memory", "spool"])
def box(request: Any, new_outbox: Callable[..., Outbox], tmp_path: Path) -> Outbox:
    spool = str(tmp_path / "spool.sqlite") if request.param == "spool" else None
    return new_outbox(spool=spool)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410])
def test_a_refused_key_is_known_until_an_event_is_taken(
    server: RecordingSentry, box: Outbox, event: MakeEvent, status: int
) -> None:
    """From the answer to an event on, and no longer than until one is taken."""
    first = event(server, "a")
    url = first.request.url
    assert not box.is_refused(url)
    server.answer = lambda request: (status, {}, b"")
    assert box.put(first).wait(5) == "refused"
    assert box.is_refused(url)
    server.answer = None
    ticket = box.put(event(server, "b"))
    assert ticket.wait(5) == "sent"
    assert not box.is_refused(url)


@pytest.mark.parametrize("status", [400, 413])
def test_a_refusal_of_one_event_says_nothing_of_the_next(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, status: int
) -> None:
    """An event that is too large is that event's trouble, whatever was known before."""
    url = event(server, "a").request.url
    answers = iter([status, 401, status])
    server.answer = lambda request: (next(answers), {}, b"")
    for known in (False, True, True):
        assert outbox.put(event(server, "a")).wait(5) == "refused"
        assert outbox.is_refused(url) is known


def test_an_event_that_waits_says_nothing(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """While the server is away what was known before stays."""
    url = event(server, "a").request.url
    server.answer = lambda request: (401, {}, b"")
    assert outbox.put(event(server, "a")).wait(5) == "refused"
    server.hold()
    outbox.put(event(server, "b"))
    assert outbox.is_refused(url)
    server.release()


def test_a_project_is_not_another(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """One project's key may be wrong while another's is right; words that are taken are no
    event."""
    server.answer = lambda request: (401 if "/2/" in request.path else 200, {}, b"")
    other = event(server, "a", path="/api/2/store/")
    outbox.put(event(server, "b"))
    assert outbox.put(other).wait(5) == "refused"
    words = Item("feedback", "a", event(server, "c").request)
    assert outbox.put(words).wait(5) == "sent"
    assert outbox.is_refused(other.request.url)
    assert not outbox.is_refused(words.request.url)


def test_another_process_that_delivers_is_heard(
    server: RecordingSentry, new_outbox: Callable[..., Outbox], event: MakeEvent, tmp_path: Path
) -> None:
    """With a spool the answer is known to whoever put the event, whoever sends it."""
    spool = str(tmp_path / "spool.sqlite")
    delivers, puts = new_outbox(spool=spool), new_outbox(spool=spool)
    server.answer = lambda request: (401, {}, b"")
    assert delivers.put(event(server, "a")).wait(5) == "refused"
    assert puts.put(event(server, "b")).wait(5) == "refused"
    assert puts.is_refused(event(server, "a").request.url)


def test_a_storm_is_bounded(server: RecordingSentry, outbox: Outbox, event: MakeEvent) -> None:
    """However many events wait for an answer, so many tickets are kept, and all are let go."""
    server.hold()
    url = event(server, "a").request.url
    for _ in range(2 * PENDING_MAX):
        outbox.put(event(server, "a"))
    pending = outbox._current_worker().acceptance._pending
    assert [len(kept) for kept in pending.values()] == [PENDING_MAX]
    server.release()
    assert outbox.flush(10)
    assert not outbox.is_refused(url)
    assert [len(kept) for kept in pending.values()] == [0]
