"""What the outbox refuses is counted, and logged once."""

from __future__ import annotations

import pytest

from flask_sentry_kit.outbox import Item, Request
from flask_sentry_kit.outbox.item import Answer
from flask_sentry_kit.outbox.memory import MemoryQueue
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, Until

# Every refusal


def test_every_refusal_is_counted_and_said_once(
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """Full, too large, closed, a fault of ours: one line a minute with the number of each."""
    outbox = new_outbox(max_items=2, max_bytes=10_000)
    hold = Request(f"{server.url}/x", {}, b"")
    server.answer = lambda request: (503, {"Retry-After": "60"}, b"")
    for _ in range(4):
        outbox.put(Item("event", "e", hold))
    outbox.put(event(server, "large", size=20_000))
    assert outbox.counters.dropped == 3
    monkeypatch.setattr(MemoryQueue, "add", lambda *args: 1 / 0)
    assert outbox.put(Item("event", "e", hold)) is None
    assert outbox.counters.dropped == 4
    outbox.close(0)
    for _ in range(3):
        assert outbox.put(Item("event", "e", hold)) is None
    assert outbox.counters.dropped == 7
    # The worker says it.
    until(lambda: "Not delivered" in caplog.text)
    assert caplog.text.count("Not delivered") <= 2


def test_what_the_delivery_logs_is_counted_too(
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An event made while another is delivered is refused, since it would follow itself."""
    outbox = new_outbox()
    results = []

    def post(request: Request) -> Answer:
        results.append(outbox.put(event(server, "inner")))
        return Answer(200)

    monkeypatch.setattr(outbox._current_worker().sender, "post", post)
    assert outbox.put(event(server, "outer")).wait(5) == "sent"
    assert results == [None]
    assert outbox.counters.dropped == 1
