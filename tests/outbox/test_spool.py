"""The queue on disk: it survives what kills a process, and several processes share it."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest

from flask_sentry_kit.outbox import Alternative, Item, Request, backoff, delivery
from flask_sentry_kit.outbox.spool import Spool
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Until, Workers


def ask(child: Popen[str], line: str = "") -> str:
    """Say a line to a child and read its answer."""
    assert child.stdin and child.stdout
    child.stdin.write(f"{line}\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


# Puts one event for each line it reads, named after it, and answers "ok" or "full".
PUTTER = """
backoff.BACKOFF_CAP = 0.1
outbox = Outbox(spool=sys.argv[1], timeout=2.0)
for line in sys.stdin:
    ticket = outbox.put(event(sys.argv[2], line.strip()))
    print("full" if ticket is None else "ok", flush=True)
"""


def test_an_item_is_on_disk_before_put_returns_and_survives_kill_9(
    path: str,
    server: RecordingSentry,
    dead_port: int,
    new_sentry: NewSentry,
    spawn: Spawn,
    new_outbox: NewOutbox,
    until: Until,
) -> None:
    """What was accepted while Sentry was down arrives, in order, once, after kill -9."""
    child = spawn(PUTTER, path, f"http://127.0.0.1:{dead_port}")
    for index in range(10):
        assert ask(child, str(index)) == "ok"
    child.send_signal(signal.SIGKILL)
    child.wait()
    server = new_sentry(port=dead_port)
    outbox = new_outbox(spool=path, destination=server.url)
    assert outbox.counters.queued == 10
    outbox.resume()
    server.wait_for_requests(10)
    until(lambda: outbox.counters.queued == 0)
    assert server.ids == [str(index) for index in range(10)]


def test_resume_starts_nothing_where_nothing_waits(
    path: str, new_outbox: NewOutbox, server: RecordingSentry, event: MakeEvent, workers: Workers
) -> None:
    """No file, or an empty one: no thread, and no file is made."""
    new_outbox(spool=path).resume()
    assert not os.path.exists(path)
    outbox = new_outbox(spool=path)
    outbox.put(event(server, "a"))
    assert outbox.close(5)
    new_outbox(spool=path).resume()
    assert not workers()


def test_an_outage_loses_nothing_while_workers_are_killed(
    path: str, dead_port: int, new_sentry: NewSentry, spawn: Spawn, until: Until
) -> None:
    """Several processes put, some are killed at random; afterwards each item arrives once."""
    url = f"http://127.0.0.1:{dead_port}"
    children = [spawn(PUTTER, path, url) for _ in range(3)]
    accepted = []
    for index in range(60):
        number = index % 3
        if index in (17, 31, 44):
            children[number].kill()
            children[number].wait()
            children[number] = spawn(PUTTER, path, url)
        assert ask(children[number], f"{number}-{index}") == "ok"
        accepted.append(f"{number}-{index}")
    server = new_sentry(port=dead_port)
    server.wait_for_requests(60)
    until(lambda: Spool(path, 1, 1).count() == 0)
    assert server.ids == accepted


def test_one_process_delivers_at_a_time_and_the_next_takes_over_when_it_is_killed(
    path: str, server: RecordingSentry, spawn: Spawn, until: Until
) -> None:
    """Order holds across processes, and a dead deliverer is replaced at once."""
    gate = threading.Event()
    server.answer = lambda request: gate.wait(20) and (200, {}, b"")
    first, second = spawn(PUTTER, path, server.url), spawn(PUTTER, path, server.url)
    assert ask(first, "a") == "ok"
    server.wait_for_requests(1)
    for id in "bcd":
        assert ask(second, id) == "ok"
    # Only the first may send, and it hangs in "a".
    assert server.ids == ["a"]
    first.kill()
    first.wait()
    server.wait_for_requests(2)
    gate.set()
    server.wait_for_requests(5)
    # "a" was not answered when its sender died: it is sent again, its id makes that harmless.
    assert server.ids == ["a", "a", "b", "c", "d"]


def test_a_ticket_knows_what_another_process_delivered(
    path: str, server: RecordingSentry, spawn: Spawn, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """The visitor reads "sent" although another worker of the app sent it."""
    gate = threading.Event()
    server.answer = lambda request: (
        gate.wait(20) and (403 if request.id == "bad" else 200, {"X-Sentry-Error": "no"}, b"")
    )
    child = spawn(PUTTER, path, server.url)
    assert ask(child, "first") == "ok"
    server.wait_for_requests(1)
    outbox = new_outbox(spool=path)
    good, bad = outbox.put(event(server, "good")), outbox.put(event(server, "bad"))
    assert (good.state, bad.state) == ("waiting", "waiting")
    gate.set()
    assert (good.wait(5), bad.wait(5)) == ("sent", "refused")
    assert bad.reason == "403 no"
    assert outbox.counters.sent == 0
    assert server.ids == ["first", "good", "bad"]


def test_feedback_stays_behind_its_event_across_a_restart(
    path: str,
    dead_port: int,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """The words are delivered after the event they belong to, in whichever process."""
    url = f"http://127.0.0.1:{dead_port}"
    before = new_outbox(spool=path)
    before.put(event(url, "e"))
    feedback = Request(f"{url}/api/embed/error-page/?eventId=e", {"Referer": "b"}, b"comments=oh")
    envelope = Request(f"{url}/api/1/envelope/", {"X-Sentry-Auth": "d"}, b"{}")
    before.put(Item("feedback", "e", feedback, (Alternative(envelope, frozenset((404,))),)))
    assert before.close(0.1) is False
    server = new_sentry(port=dead_port)
    codes = {"/api/embed/error-page/?eventId=e": 404}
    server.answer = lambda request: (codes.get(request.target, 200), {}, b"")
    after = new_outbox(spool=path, destination=server.url)
    after.resume()
    assert after.flush(5)
    assert [(request.target, request.raw) for request in server.received[1:]] == [
        ("/api/embed/error-page/?eventId=e", b"comments=oh"),
        ("/api/1/envelope/", b"{}"),
    ]
    assert server.received[0].path == "/api/1/store/"
    assert server.received[1].headers["referer"] == "b"
    assert server.received[2].headers["x-sentry-auth"] == "d"


def test_two_apps_share_a_spool_and_each_item_goes_where_it_belongs(
    path: str, new_sentry: NewSentry, dead_port: int, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Every item has its own address; one app's dead server does not hold up the other."""
    servers = [new_sentry(), new_sentry()]
    apps = [new_outbox(spool=path), new_outbox(spool=path)]
    stuck = apps[0].put(event(f"http://127.0.0.1:{dead_port}", "stuck"))
    tickets = [apps[i % 2].put(event(servers[i % 2], str(i))) for i in range(10)]
    assert [ticket.wait(5) for ticket in tickets] == ["sent"] * 10
    assert servers[0].ids == ["0", "2", "4", "6", "8"]
    assert servers[1].ids == ["1", "3", "5", "7", "9"]
    assert stuck.state == "waiting"


def test_tries_are_counted_across_processes(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """An item that kills its senders one after the other is given up all the same."""
    monkeypatch.setattr(delivery, "TRIES", 3)
    # One try a process: the next would come hours later.
    monkeypatch.setattr(backoff, "BACKOFF_BASE", 1e6)
    monkeypatch.setattr(backoff, "BACKOFF_CAP", 1e6)
    server.answer = lambda request: (500, {}, b"")
    for number in range(3):
        outbox = new_outbox(spool=path)
        if number == 0:
            ticket = outbox.put(event(server, "a"))
        outbox.resume()
        until(lambda outbox=outbox: outbox.counters.retried or outbox.counters.dropped)
        outbox.close(0)
    assert len(server.received) == 3
    assert ticket.state == "refused"
    assert "given up after 3 tries" in str(ticket.reason)


def test_the_spool_is_bounded_and_keeps_the_oldest(
    path: str, dead_port: int, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """A full spool refuses the newest; it does not spill into memory."""
    url = f"http://127.0.0.1:{dead_port}"
    outbox = new_outbox(spool=path, max_items=3)
    assert [outbox.put(event(url, str(i))) is not None for i in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert outbox.counters.queued == 3
    other = new_outbox(spool=path, max_bytes=10_000)
    assert other.put(event(url, "large", size=20_000)) is None


def test_the_file_is_its_owners_alone_and_shrinks_again(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent, spawn: Spawn
) -> None:
    """Mode 0600 for all that holds visitors' words, and no disk is kept after an outage."""
    gate = threading.Event()
    server.answer = lambda request: gate.wait(20) and (200, {}, b"")
    outbox = new_outbox(spool=path)
    for index in range(30):
        outbox.put(event(server, str(index), size=100_000))
    modes = {
        name: stat.S_IMODE(os.stat(os.path.join(os.path.dirname(path), name)).st_mode)
        for name in os.listdir(os.path.dirname(path))
    }
    assert modes == {name: 0o600 for name in ("spool.db", "spool.db-wal", "spool.db-shm",
                                              "spool.db.lock")}  # fmt: skip
    gate.set()
    assert outbox.close(10)
    assert sum(entry.stat().st_size for entry in os.scandir(os.path.dirname(path))) < 100_000


def test_what_a_dead_process_left_is_delivered_by_one_that_is_idle(
    path: str,
    server: RecordingSentry,
    new_sentry: NewSentry,
    spawn: Spawn,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """A surviving worker looks now and then, and nobody needs to crash first."""
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    child = spawn("Outbox(spool=sys.argv[1]).put(event(sys.argv[2], 'b')); os._exit(1)",
                  path, server.url)  # fmt: skip
    child.wait()
    server.wait_for_requests(2)
    until(lambda: outbox.counters.queued == 0)
    assert set(server.ids) == {"a", "b"}


def test_processes_that_open_a_new_spool_at_once_share_it(
    path: str, server: RecordingSentry, spawn: Spawn
) -> None:
    """The first crash often comes to all workers together."""
    script = """
sys.stdin.readline()
print(Outbox(spool=sys.argv[1]).put(event(sys.argv[2], sys.argv[3])).wait(10), flush=True)
"""
    children = [spawn(script, path, server.url, index) for index in range(4)]
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.stdout.readline() for child in children] == ["sent\n"] * 4
    assert sorted(server.ids) == ["0", "1", "2", "3"]
    assert Spool(path, 1, 1).count() == 0


def test_a_ticket_knows_which_request_was_taken_in_another_process(
    path: str, server: RecordingSentry, spawn: Spawn, new_outbox: NewOutbox
) -> None:
    """Also that its server may not keep it, and later, when only few outcomes are remembered."""
    gate = threading.Event()
    codes = {"/form": 302}
    server.answer = lambda request: gate.wait(20) and (codes.get(request.path, 200), {}, b"")
    child = spawn(PUTTER, path, server.url)
    assert ask(child, "first") == "ok"
    server.wait_for_requests(1)
    outbox = new_outbox(spool=path)
    form = Request(f"{server.url}/form", {}, b"", "form")
    feedback = Request(f"{server.url}/feedback", {}, b"", "feedback", keeps=False)
    item = Item("feedback", "a", form, (Alternative(feedback, frozenset((302,))),))
    passed, forgotten = outbox.put(item), outbox.put(item)
    gate.set()
    assert (passed.wait(5), passed.taken) == ("passed", "feedback")
    assert outbox.flush(5)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM settled")
    assert (forgotten.state, forgotten.taken) == ("passed", None)


OLD_SPOOL = Path(__file__).parent / "spool_version_2.sql"


def test_what_an_earlier_version_queued_is_delivered(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """In order, with the second request of a report; new items are queued behind them."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD_SPOOL.read_text().replace("http://127.0.0.1:1", server.url))
    os.chmod(path, 0o600)
    server.answer = lambda request: (404 if "error-page" in request.path else 200, {}, b"")
    outbox = new_outbox(spool=path, destination=server.url)
    assert outbox.counters.queued == 3
    assert outbox.put(event(server, "new")).wait(5) == "sent"
    assert [(request.path, request.raw) for request in server.received[:-1]] == [
        ("/api/1/store/", b'{"event_id": "crash"}'),
        ("/api/embed/error-page/", b"comments=oh"),
        ("/api/1/envelope/", b"{}\n{}\n"),
        ("/api/1/envelope/", b"{}\n{}\n"),
    ]
    assert server.received[-1].id == "new"
    assert outbox.counters[:2] == (0, 4)
