"""A file that cannot be used as a spool, or no longer: memory takes over, logged once."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from flask_sentry_kit.outbox import Outbox
from flask_sentry_kit.outbox.spool import Spool
from tests.support.outbox import SECRET
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, Spawn, Until, Workers


def assert_memory_took_over(
    outbox: Outbox, server: RecordingSentry, event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    for id in "ab":
        assert outbox.put(event(server, id)).wait(5) == "sent"
    assert outbox.flush(5)
    assert server.ids == ["a", "b"]
    lines = [record for record in caplog.records if "cannot be used" in record.message]
    assert len(lines) == 1
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "damage", ["no database", "another program's", "a newer version's", "a folder", "no folder"]
)
def test_a_file_that_cannot_be_a_spool_is_left_alone(
    damage: str,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One log line, memory takes over, and nothing is written to what is not ours."""
    if damage == "no database":
        with open(path, "wb") as file:
            file.write(b"not a database at all " * 1000)
    elif damage == "a folder":
        os.mkdir(path)
    elif damage == "no folder":
        path = os.path.join(path, "spool.db")
    else:
        db = sqlite3.connect(path)
        if damage == "another program's":
            db.execute("CREATE TABLE users (name TEXT)")
        else:
            Spool(path, 1, 1).count()
            db.execute("PRAGMA user_version = 99")
        db.close()
    kept = Path(path).read_bytes() if os.path.isfile(path) else None
    assert_memory_took_over(new_outbox(spool=path), server, event, caplog)
    assert kept is None or Path(path).read_bytes() == kept


def test_a_file_damaged_while_it_is_in_use_costs_one_line(
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
    workers: Workers,
) -> None:
    """Rubbish in the middle of a good file: it is set aside, a new one begins, nothing raises."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    for index in range(20):
        assert outbox.put(event(server, f"lost-{index}", size=20_000)) is not None
    outbox.close(0)
    until(lambda: not workers())
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    server.answer = lambda request: (200, {}, b"{}")
    server.received.clear()
    outbox = new_outbox(spool=path)
    for id in "ab":
        assert outbox.put(event(server, id)).wait(5) == "sent"
    assert outbox.flush(5)
    assert server.ids == ["a", "b"]
    assert [record.message for record in caplog.records if "was damaged" in record.message] == [
        f"The spool {path} was damaged: it is {path}.damaged now, and a new one begins."
        " 0 items could be saved from it; what else was queued there is lost."
    ]
    assert os.path.getsize(f"{path}.damaged") >= size
    assert Spool(path, 1, 1).count() == 0


def test_a_spool_that_may_not_be_written_costs_one_line(
    tmp_path: Path, server: RecordingSentry, spawn: Spawn
) -> None:
    """A read-only file, as anybody but root meets it: memory takes over."""
    path = tmp_path / "spool.db"
    Spool(str(path), 1, 1).count()
    path.chmod(0o444)
    child = spawn(
        """
import logging, urllib3.response, encodings.idna
import flask_sentry_kit.outbox.http_client, flask_sentry_kit.outbox.spool
logging.basicConfig(format="%(message)s", stream=sys.stdout)
if os.geteuid() == 0:
    os.chmod(os.path.dirname(sys.argv[1]), 0o755)
    os.chdir(os.path.dirname(sys.argv[1]))
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
outbox = Outbox(spool="spool.db")
for id in "ab":
    print(outbox.put(event(sys.argv[2], id)).wait(5))
outbox.close()
""",
        path,
        server.url,
    )
    out, err = child.communicate(timeout=20)
    lines = out.splitlines()
    assert (err, len(lines), lines[1:]) == ("", 3, ["sent", "sent"])
    assert "cannot be used" in lines[0]


def test_a_spool_that_is_locked_for_long_blocks_nobody(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Somebody's open transaction: put waits a moment at most, then memory takes the item."""
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    ticket = outbox.put(event(server, "b"))
    assert time.monotonic() - began < 1.5
    assert ticket.wait(5) == "sent"
    db.execute("ROLLBACK")
    db.close()
    assert outbox.put(event(server, "c")).wait(5) == "sent"
    assert server.ids == ["a", "b", "c"]
    assert outbox.counters.queued == 0


def test_a_spool_that_is_deleted_under_us_is_made_again(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """What is put later is on disk again, not in a file that has no name."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    outbox.put(event(server, "lost"))
    for suffix in ("", "-wal", "-shm"):
        os.unlink(path + suffix)
    server.answer = lambda request: (200, {}, b"{}")
    assert outbox.put(event(server, "b")) is not None
    assert os.path.exists(path)
    assert outbox.flush(5)
    assert server.ids[-1] == "b"


def test_a_row_that_cannot_be_read_back_is_dropped_alone(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Those behind it are none the worse."""
    server.answer = lambda request: (503, {}, b"")
    outbox = new_outbox(spool=path)
    outbox.put(event(server, "a"))
    outbox.put(event(server, "b"))
    outbox.close(0)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE items SET request = 'nonsense' WHERE event_id = 'a'")
    db.close()
    server.answer = lambda request: (200, {}, b"{}")
    server.received.clear()
    outbox = new_outbox(spool=path)
    outbox.resume()
    assert outbox.flush(5)
    assert server.ids == ["b"]
