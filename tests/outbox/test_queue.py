"""The queue in memory: bounded, in order, never in the way, and gone when nobody needs it."""

from __future__ import annotations

import gc
import logging
import threading
import time
import tracemalloc
from typing import Any

import pytest

from flask_sentry_kit.outbox import Item, Outbox, Request, backoff, delivery, delivery_log
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, Until, Workers


def test_nothing_starts_before_the_first_put(
    new_outbox: NewOutbox, server: RecordingSentry, event: MakeEvent, until: Until, workers: Workers
) -> None:
    """An app that never crashes has no thread; the first item starts one, all share it."""
    outbox = new_outbox()
    assert outbox.counters == (0, 0, 0, 0)
    assert outbox.flush(1)
    assert workers() == []
    for id in "abc":
        outbox.put(event(server, id))
    assert outbox.flush(5)
    assert len(workers()) == 1
    assert workers()[0].daemon


def test_items_of_one_server_arrive_in_the_order_they_were_put(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """First in, first out; feedback put after its event arrives after it."""
    for index in range(50):
        outbox.put(event(server, str(index)))
    assert outbox.flush(5)
    assert server.ids == [str(index) for index in range(50)]


def test_one_servers_trouble_does_not_hold_up_another(
    server: RecordingSentry, dead_port: int, outbox: Outbox, event: MakeEvent
) -> None:
    """Order is kept for each server; a dead one makes nobody else wait."""
    stuck = outbox.put(event(f"http://127.0.0.1:{dead_port}", "stuck"))
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert stuck.state == "waiting"
    assert "refused" in str(stuck.reason)


def test_d5_the_queue_is_bounded_by_count_and_keeps_the_oldest(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent, until: Until
) -> None:
    """When it is full the newest is refused with None: its id is never shown."""
    outbox = new_outbox(max_items=3)
    tickets = [outbox.put(event(hung, str(index))) for index in range(5)]
    assert [ticket is not None for ticket in tickets] == [True, True, True, False, False]
    assert outbox.counters == (3, 0, 0, 2)


def test_d5_the_queue_is_bounded_by_bytes(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Large crashes do not add up to more than the bound."""
    outbox = new_outbox(max_bytes=1_000_000)
    accepted = [outbox.put(event(hung, str(i), size=200_000)) is not None for i in range(60)]
    assert accepted == [True] * 4 + [False] * 56
    assert outbox.put(event(hung, "small")) is not None


def test_d5_a_storm_against_a_silent_server_costs_bounded_memory(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """5,000 crashes while the server never answers: memory grows by less than 10 MB."""
    outbox = new_outbox()
    outbox.put(event(hung, "warm"))
    hung.wait_for_requests(1)
    tracemalloc.start()
    for index in range(5000):
        outbox.put(event(hung, str(index), size=20_000))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 10_000_000
    assert outbox.counters.queued + outbox.counters.dropped == 5001


def test_what_waits_is_packed_and_so_makes_room(
    dead_port: int, new_outbox: NewOutbox, event: MakeEvent, until: Until
) -> None:
    """While a server is away, waiting events shrink and more of them fit."""
    outbox = new_outbox(max_bytes=200_000)
    item = event(f"http://127.0.0.1:{dead_port}", "a", size=50_000)
    while outbox.put(item) is not None:
        pass
    until(lambda: outbox.put(item) is not None)
    assert outbox.counters.queued > 3


def test_room_comes_back_when_items_have_gone(
    server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """The bounds hold for what waits, not for what ever was."""
    outbox = new_outbox(max_items=2, max_bytes=20_000)
    for index in range(30):
        assert outbox.put(event(server, str(index), size=5000)).wait(5) == "sent"
    assert outbox.counters == (0, 30, 0, 0)


def test_put_never_waits_for_the_network(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """While the worker hangs in a request, putting takes no notice."""
    outbox = new_outbox(timeout=30)
    outbox.put(event(hung, "first"))
    hung.wait_for_requests(1)
    item = event(hung, "x")
    began = time.perf_counter()
    for _ in range(500):
        outbox.put(item)
    assert time.perf_counter() - began < 0.5


def test_put_never_raises(server: RecordingSentry, outbox: Outbox, event: MakeEvent) -> None:
    """Whatever is wrong with an item is the outbox's trouble, not the crash page's."""
    assert outbox.put(None) is None  # type: ignore[arg-type]  # what is wrong
    broken = Request(None, None, b"x")  # type: ignore[arg-type]  # likewise
    assert outbox.put(Item("event", "a", broken)) is None
    assert outbox.put(event(server, "b")).wait(5) == "sent"


def test_what_the_worker_logs_never_comes_back_as_an_event(
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """A handler that turns records into events cannot start a flood (raven: 752 in 3 s)."""
    refused = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith(("flask_sentry_kit", "urllib3")):
                refused.append(outbox.put(event(server, "again")))

    server.answer = lambda request: (403, {}, b"")
    root = logging.getLogger()
    handler = Capture()
    root.addHandler(handler)
    level, root.level = root.level, logging.DEBUG
    try:
        outbox.put(event(server, "a"))
        outbox.flush(5)
        until(lambda: "refused by" in caplog.text)
        assert outbox.flush(5)
    finally:
        root.removeHandler(handler)
        root.level = level
    assert refused and set(refused) == {None}
    assert server.ids == ["a"]


def test_what_is_dropped_is_logged_once_a_minute(
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """A hundred refusals are two lines: the first at once, the others counted together."""
    server.answer = lambda request: (403, {"X-Sentry-Error": "no"}, b"")
    outbox.put(event(server, "first")).wait(5)
    until(lambda: len(caplog.records) == 1)
    for _ in range(99):
        outbox.put(event(server, "x"))
    assert outbox.flush(10)
    assert len(caplog.records) == 1
    monkeypatch.setattr(delivery_log, "LOG_EVERY", 0.0)
    outbox.put(event(server, "last")).wait(5)
    until(lambda: len(caplog.records) == 2)
    host = f"127.0.0.1:{server.port}"
    assert caplog.messages == [
        f"Not delivered: 1 × event refused by {host}: 403 no",
        f"Not delivered: 100 × event refused by {host}: 403 no",
    ]


def test_a_full_queue_is_logged_though_nothing_moves(
    hung: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """Refusals of a full queue are logged while the server still hangs."""
    outbox = new_outbox(max_items=1, timeout=0.2)
    for id in "abc":
        outbox.put(event(hung, id))
    until(lambda: "Not delivered: 2 × the queue is full" in caplog.text)


def test_flush_does_not_wait_out_a_back_off(
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """A server that is back is found at once when somebody waits."""
    monkeypatch.setattr(backoff, "BACKOFF_BASE", 1e6)
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 1e6)
    tries = iter([500])
    server.answer = lambda request: (next(tries, 200), {}, b"")
    outbox = new_outbox()
    ticket = outbox.put(event(server, "a"))
    until(lambda: outbox.counters.retried)
    assert outbox.flush(3)
    assert ticket.state == "sent"


def test_flush_waits_no_longer_than_it_may(
    hung: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """It gives up at its time-out and says so."""
    outbox = new_outbox(timeout=30)
    outbox.put(event(hung, "a"))
    began = time.monotonic()
    assert outbox.flush(0.3) is False
    assert 0.25 < time.monotonic() - began < 0.8


def test_flush_does_not_wait_for_what_the_server_put_off(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, until: Until
) -> None:
    """When all that waits was asked to wait longer, there is nothing to wait for."""
    server.answer = lambda request: (429, {"Retry-After": "500"}, b"")
    outbox.put(event(server, "a"))
    until(lambda: outbox.counters.retried)
    began = time.monotonic()
    assert outbox.flush(20) is False
    assert time.monotonic() - began < 2


def test_a_closed_outbox_accepts_nothing_and_has_no_thread(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent, until: Until, workers: Workers
) -> None:
    """close() sends what waits, ends the thread, and refuses what comes later."""
    outbox.put(event(server, "a"))
    assert outbox.close(5)
    until(lambda: workers() == [])
    assert outbox.put(event(server, "b")) is None
    assert server.ids == ["a"]


def test_an_outbox_nobody_holds_sends_what_it_has_and_ends(
    server: RecordingSentry, event: MakeEvent, until: Until, workers: Workers
) -> None:
    """Many short-lived apps in one process leave no threads behind."""
    from flask_sentry_kit.outbox import Outbox

    for index in range(20):
        Outbox().put(event(server, str(index)))
    gc.collect()
    until(lambda: workers() == [])
    assert sorted(server.ids, key=int) == [str(index) for index in range(20)]


def test_a_ticket_tells_what_became_of_its_item(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """waiting, then sent or refused with the reason; wait() returns as soon as it is known."""
    gate = threading.Event()
    server.answer = lambda request: gate.wait(10) and (200, {}, b"")
    ticket = outbox.put(event(server, "a"))
    assert (ticket.state, ticket.wait(0.05), ticket.reason) == ("waiting", "waiting", None)
    gate.set()
    assert ticket.wait(5) == "sent"
    server.answer = lambda request: (400, {}, b"")
    ticket = outbox.put(event(server, "b"))
    assert (ticket.wait(5), ticket.reason) == ("refused", "400 Bad Request")


def test_many_threads_put_at_once_and_each_item_is_sent_once(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Requests of many threads share one outbox."""

    def put(name: str) -> None:
        for index in range(25):
            outbox.put(event(server, f"{name}-{index}"))

    putters = [threading.Thread(target=put, args=(name,)) for name in "abcdefgh"]
    for thread in putters:
        thread.start()
    for thread in putters:
        thread.join()
    assert outbox.flush(10)
    assert len(server.ids) == len(set(server.ids)) == 200
    for name in "abcdefgh":
        assert [id for id in server.ids if id[0] == name] == [f"{name}-{i}" for i in range(25)]


def test_the_worker_outlives_an_error_of_its_own(
    server: RecordingSentry,
    outbox: Outbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A fault in our code is logged and does not stop delivery for good."""
    original = delivery.Delivery._deliver
    faults = iter([RuntimeError("a fault of ours")])

    def deliver(self: Any, spool: Any, entry: Any) -> None:
        for fault in faults:
            raise fault
        original(self, spool, entry)

    monkeypatch.setattr(delivery.Delivery, "_deliver", deliver)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert "a fault of ours" in caplog.text


def test_a_new_thread_lets_the_answer_go_first(
    server: RecordingSentry,
    outbox: Outbox,
    event: Any,
    until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The thread that delivers begins a moment after the crash that starts it, or when somebody
    waits for it: its imports would hold up the visitor's page."""
    monkeypatch.setattr(delivery, "ANSWER_FIRST", 60)
    begun: list[bool] = []
    run = delivery.Delivery._run
    monkeypatch.setattr(
        delivery.Delivery, "_run", lambda self, *until: (begun.append(True), run(self, *until))[1]
    )
    outbox.put(event(server, "a"))
    changed: Any = outbox._worker.changed
    until(lambda: changed._waiters)
    assert not begun
    assert outbox.flush(10)
    assert server.ids == ["a"]
