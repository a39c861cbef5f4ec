"""What the inbox keeps, for how long, and that several may write at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.inbox.errors import InboxError
from flask_sentry_kit.inbox.storage.store import Store

BODY = {"exception": {"values": [{"type": "ValueError", "value": "no sum"}]}}


def add(store: Store, number: int, kind: str = "ValueError", **more: Any) -> str:
    event_id = f"{number:032x}"
    body = {"exception": {"values": [{"type": kind, "value": "no sum"}]}, **more}
    store.add_event(event_id, json.dumps(body).encode(), body)
    return event_id


def test_the_newest_events_are_kept(tmp_path: Path) -> None:
    """The oldest go first, with their reports and, when none is left, their crash."""
    store = Store(tmp_path / "inbox.sqlite", keep_events=3)
    first = add(store, 1, kind="KeyError")
    store.put_report(first, "Ann", "a@b.example", "words")
    for number in range(2, 6):
        add(store, number)
    assert [row["event_id"] for row in store.events(10)] == [f"{n:032x}" for n in (5, 4, 3)]
    assert store.report(first) is None
    assert [(crash.type, crash.count) for crash in store.crashes(10)] == [("ValueError", 4)]


def test_the_room_is_bounded_and_the_newest_event_always_fits(tmp_path: Path) -> None:
    """Over so many bytes the oldest go, whatever their number."""
    store = Store(tmp_path / "inbox.sqlite", keep_bytes=36_000)
    for number in range(1, 6):
        add(store, number, extra={"noise": os.urandom(8_000).hex()})
    assert len(store.events(10)) == 3
    add(store, 6, extra={"noise": os.urandom(40_000).hex()})
    assert [row["event_id"] for row in store.events(10)] == [f"{6:032x}"]


def test_words_without_an_event_are_bounded_too(tmp_path: Path) -> None:
    """Whoever posts reports on events that never come fills no disk."""
    store = Store(tmp_path / "inbox.sqlite", keep_events=2)
    for number in range(1, 5):
        store.put_report(f"{number:032x}", "Ann", "a@b.example", str(number))
    assert [report.comments for report in store.reports_without_crash(10)] == ["4", "3"]


def _write(path: str, base: int) -> None:
    store = Store(path)
    for number in range(base, base + 25):
        add(store, number)
        store.put_report(f"{number:032x}", "Ann", "a@b.example", "words")


def test_processes_and_threads_write_together(tmp_path: Path) -> None:
    """Nothing is lost and nothing fails when several write at once."""
    path = str(tmp_path / "inbox.sqlite")
    Store(path)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(path, base)) for base in (1_000, 2_000)]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda base: _write(path, base), (3_000, 4_000, 5_000, 6_000)))
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    store = Store(path)
    assert store.crashes(1)[0].count == 150
    assert store.crashes(1)[0].reports == 150


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """The DSN's key too, so that apps need no new DSN."""
    path = tmp_path / "inbox.sqlite"
    store = Store(path)
    key, event_id = store.public_key(), add(store, 1)
    again = Store(path)
    assert again.public_key() == key
    kept = again.event(event_id)
    assert kept is not None and kept.body == BODY
    assert again.public_key("given") == "given" == Store(path).public_key()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """Visitors' words and addresses are in it."""
    path = tmp_path / "inbox.sqlite"
    store = Store(path)
    add(store, 1)
    files = list(tmp_path.iterdir())
    assert path in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    """No directory, a directory, no database, another program's: each says which file and why."""
    (tmp_path / "text").write_text("not a database, but long enough to be looked at" * 100)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    for name, why in [
        ("missing/inbox.sqlite", "No such file"),
        (".", "no regular file"),
        ("text", "not a database"),
        ("other", "another program's"),
    ]:
        with pytest.raises(InboxError, match=why) as caught:
            Store(tmp_path / name)
        assert str((tmp_path / name).absolute()) in str(caught.value)
    untouched = sqlite3.connect(tmp_path / "other")
    assert untouched.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    untouched.close()
