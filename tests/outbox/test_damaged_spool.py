"""A spool whose file was damaged: set aside, and what can be read of it is sent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flask_sentry_kit.outbox import spool_rows
from flask_sentry_kit.outbox.item import Outcome
from flask_sentry_kit.outbox.spool import Spool
from flask_sentry_kit.outbox.spool_errors import SpoolReplaced
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, Spawn, Until, Workers

# Damage


@pytest.fixture
def filled(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
    workers: Workers,
) -> None:
    """A spool with items that a process left, which has closed it."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    for index in range(30):
        assert outbox.put(event(server, f"old-{index}", size=20_000)) is not None
    outbox.close(0)
    # Its thread closes the file, and what is in the log is written into it then.
    until(lambda: not workers())
    server.answer = lambda request: (200, {}, b"{}")
    server.received.clear()


def zero(path: str) -> None:
    size = os.path.getsize(path)
    with open(path, "wb") as file:
        file.write(bytes(size))


def garbage(path: str) -> None:
    with open(path, "wb") as file:
        file.write(bytes(range(256)) * 100)


def text_of_sqlite(path: str) -> None:
    """The name of a table becomes bytes that are no text, which SQLite repeats in its errors."""
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(0)
        file.write(data.replace(b"items", b"\xff\xfe\xfd\xfc\xfb"))


def middle(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(20 * 4096))


def short(path: str) -> None:
    os.truncate(path, 5 * 4096 + 17)


def header(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(os.urandom(100))


def trigger(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TRIGGER t AFTER DELETE ON items BEGIN INSERT INTO refused VALUES (1,'');"
                   " END")  # fmt: skip


def no_total(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM total")


def last_id(path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")


@pytest.mark.parametrize(
    "damage",
    [zero, garbage, text_of_sqlite, middle, short, header, trigger, no_total, last_id],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_spool_is_set_aside_and_a_new_one_begins(
    damage: Callable[[str], None],
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing raises, it is said once, the old one is kept, and what comes now is on disk again."""
    damage(path)
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    outbox.flush(5)
    tickets = [outbox.put(event(server, id)) for id in "ab"]
    assert [ticket.wait(5) for ticket in tickets] == ["sent", "sent"]
    assert outbox.flush(5) is True
    assert server.ids[-2:] == ["a", "b"]
    assert caplog.text.count("was damaged") == 1
    assert "cannot be used" not in caplog.text
    assert os.path.getsize(f"{path}.damaged") > 0
    assert Spool(path, 10, 10).count() == 0


@pytest.mark.parametrize("damage", [trigger, no_total, last_id], ids=lambda one: one.__name__)
def test_what_can_still_be_read_of_a_damaged_spool_is_sent(
    damage: Callable[[str], None],
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In order, once, and before what came later."""
    damage(path)
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    assert outbox.put(event(server, "new")).wait(5) == "sent"
    assert outbox.flush(5)
    assert server.ids == [*(f"old-{index}" for index in range(30)), "new"]
    assert "30 items could be saved" in caplog.text


def test_a_ticket_of_an_item_that_was_saved_tells_what_became_of_it(
    path: str, server: RecordingSentry, event: MakeEvent
) -> None:
    """The item has another id in another file; and so has one that is under way meanwhile."""
    spool_rows.add_destination(server.url)
    spool = Spool(path, 10, 10**6)
    places = [spool.add(event(server, id)) for id in "abcd"]
    first = spool.head((), pytest.fail)
    assert first
    spool.remove(first, Outcome("sent"))
    under_way = spool.head((), pytest.fail)
    assert under_way
    no_total(path)
    with pytest.raises(SpoolReplaced):
        spool.count()
    assert spool.count() == 3
    spool.remove(under_way, Outcome("refused", reason="no"))
    third = spool.head((), pytest.fail)
    assert third
    spool.remove(third, Outcome("passed", "form"))
    assert [spool.outcome(place) for place in places[1:] if place] == [
        Outcome("refused", reason="no"),
        Outcome("passed", "form"),
        Outcome("waiting"),
    ]
    assert spool.count() == 1
    spool.close()


def test_no_damage_of_a_page_stops_the_delivery_or_repeats_it(
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    tmp_path: Path,
) -> None:
    """Any page in place of its neighbour: SQLite may find rows that it cannot delete."""
    data = Path(path).read_bytes()
    # Two at a time: each of the first 40 pages is once in the place of its neighbour.
    for at in range(0, min(len(data), 40 * 4096) - 4096, 2 * 4096):
        swapped = tmp_path / f"swapped-{at}"
        with open(swapped, "wb") as file:
            pages = data[:at], data[at + 4096 : at + 8192], data[at : at + 4096]
            file.write(b"".join((*pages, data[at + 8192 :])))
        server.received.clear()
        outbox = new_outbox(spool=str(swapped), destination=server.url)
        outbox.resume()
        assert [outbox.put(event(server, id)).wait(5) for id in "ab"] == ["sent", "sent"]
        assert outbox.flush(5)
        bodies = [request.body for request in server.received]
        assert (
            sum(body.startswith((b'{"event_id": "a"', b'{"event_id": "b"')) for body in bodies) == 2
        )
        # SQLite keeps no checksum of a body, so that half of one may be another's.
        assert len(bodies) == len(set(bodies))
        outbox.close(1)


def test_a_rubbish_wal_beside_a_good_spool_is_no_damage(
    filled: None,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SQLite reads no frame without a good checksum."""
    for suffix in ("-wal", "-shm"):
        with open(path + suffix, "wb") as file:
            os.chmod(path + suffix, 0o600)
            file.write(os.urandom(100_000))
    outbox = new_outbox(spool=path, destination=server.url)
    outbox.resume()
    assert outbox.flush(5)
    assert server.ids == [f"old-{index}" for index in range(30)]
    assert "damaged" not in caplog.text


def test_a_ticket_of_a_spool_that_was_set_aside_claims_nothing(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
    workers: Workers,
) -> None:
    """Its id is another item's in the new file, which was sent."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    lost = outbox.put(event(server, "lost"))
    outbox.close(0)
    until(lambda: not workers())
    zero(path)
    server.answer = lambda request: (200, {}, b"{}")
    after = new_outbox(spool=path)
    assert after.put(event(server, "new")).wait(5) == "sent"
    assert lost.state != "sent"


def test_several_processes_set_a_damaged_spool_aside_once(
    path: str, server: RecordingSentry, spawn: Spawn, event: MakeEvent
) -> None:
    """The second must not move the new one."""
    Spool(path, 1, 1).count()
    garbage(path)
    script = """
sys.stdin.readline()
outbox = Outbox(spool=sys.argv[1])
print([outbox.put(event(sys.argv[2], sys.argv[3] + str(i))).wait(10) for i in range(5)], flush=True)
"""
    children = [spawn(script, path, server.url, name) for name in "abc"]
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.stdout.readline() for child in children] == [f"{['sent'] * 5}\n"] * 3
    assert len(server.ids) == len(set(server.ids)) == 15
    with open(f"{path}.damaged", "rb") as file:
        assert file.read(256) == bytes(range(256))
