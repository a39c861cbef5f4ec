"""Reading, resolving and keeping crashes; who met them; their files; what waits for changes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.inbox.errors import TooMuchKeptError
from flask_sentry_kit.inbox.storage import word_index
from flask_sentry_kit.inbox.storage.attachment_table import MOST, Attachment
from flask_sentry_kit.inbox.storage.changes import LiveChanges
from flask_sentry_kit.inbox.storage.search import parse
from flask_sentry_kit.inbox.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "inbox.sqlite", keep_events=4)
    yield made
    made.close()


def add(store: Store, number: int, message: str = "m", **more: Any) -> str:
    event_id = f"{number:032x}"
    body = {"event_id": event_id, "message": message, **more}
    files = body.pop("files", ())
    store.add_event(event_id, json.dumps(body).encode(), body, attachments=files)
    return event_id


def test_a_resolved_crash_is_read_and_comes_back_unread(store: Store) -> None:
    """Until it happens again it is out of the way."""
    add(store, 1)
    (crash,) = store.crashes(10)
    assert store.mark([crash.key], resolved=True) == 2
    (crash,) = store.crashes(10)
    assert crash.resolved and not crash.unread
    assert store.counts().resolved == 1
    add(store, 2)
    (crash,) = store.crashes(10)
    assert not crash.resolved and crash.unread


def test_all_crashes_can_be_marked_at_once(store: Store) -> None:
    for number in range(3):
        add(store, number, f"m{number}")
    assert store.mark(None, unread=False) == 3
    assert store.mark(None, unread=False) == 0
    assert store.counts().unread == 0


def test_what_is_marked_to_keep_is_never_pruned(store: Store) -> None:
    """Its events stay with their words, and do not count among the newest that are kept."""
    kept = add(store, 1, "kept")
    store.put_report(kept, "Ann", "a@b.example", "words")
    (crash,) = store.crashes(1)
    store.mark([crash.key], kept=True)
    for number in range(10, 30):
        store.put_report(add(store, number, "others"), "Bob", "b@b.example", "others")
    assert store.event(kept) is not None
    assert [report.name for report in store.reports_on_event(kept)] == ["Ann"]
    assert len(store.events(100)) == 5
    store.mark([crash.key], kept=False)
    assert store.event(kept) is None
    assert len(store.events(100)) == 4


def test_what_is_kept_has_a_bound(tmp_path: Path) -> None:
    """Half of the room; beyond it the mark is refused, and nothing changes."""
    store = Store(tmp_path / "inbox.sqlite", keep_bytes=60_000)
    for number in range(3):
        add(store, number, f"m{number}", extra={"noise": os.urandom(9_000).hex()})
    keys = [crash.key for crash in store.crashes(10)]
    store.mark(keys[:2], kept=True)
    with pytest.raises(TooMuchKeptError, match="half"):
        store.mark(keys, kept=True)
    assert store.counts().kept == 2
    store.close()


def test_people_are_counted_once_each(store: Store) -> None:
    """By id, else by name, else by address, among the events that are kept."""
    for number, user in enumerate(
        [{"id": 1, "username": "ada"}, {"id": 1}, {"username": "bob"}, {}]
    ):
        add(store, number, user=user)
    assert store.crashes(1)[0].people == 2
    for number in range(10, 13):
        add(store, number, user={"ip_address": "::1"})
    assert store.crashes(1)[0].people == 1


def test_files_come_and_go_with_their_event(store: Store) -> None:
    """Each once, a bounded number; further ones may follow in an envelope of their own."""
    note = Attachment("note.txt", "text/plain", b"hello")
    event_id = add(store, 1, files=[note, note])
    assert [(item.name, item.size) for item in store.attachments(event_id)] == [("note.txt", 5)]
    more = [Attachment(f"{number}.bin", "", os.urandom(10)) for number in range(MOST + 5)]
    assert store.add_attachments(event_id, more)
    found = store.attachments(event_id)
    assert len(found) == MOST
    assert store.attachment(event_id, found[0].id) == note
    assert store.attachment("f" * 32, found[0].id) is None
    assert not store.add_attachments("f" * 32, more)
    store.delete(None)
    assert store.attachments(event_id) == [] and store.totals() == (0, 0)


def test_totals_are_what_is_there(store: Store) -> None:
    """They decide what is pruned, so that nothing drifts: also after marks and deletions."""
    for number in range(6):
        add(store, number, f"m{number % 3}", files=[Attachment("a", "", os.urandom(50))])
    first, second = (crash.key for crash in store.crashes(2))
    store.mark([first], kept=True)
    store.delete([second])
    store.mark([first], kept=False)
    with store._read() as db:
        counted = db.execute("SELECT count(*), sum(size) FROM events WHERE kept = 0").fetchone()
    assert store.totals() == tuple(counted)


def test_changes_are_numbered_and_waited_for(store: Store) -> None:
    """Who knows a number gets what came after it, in order."""
    before = store.changes()
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(store.live.wait(before, 20)))
    waiting.start()
    event_id = add(store, 1)
    waiting.join(20)
    ((change,),) = found
    (crash,) = store.crashes(1)
    assert (change.number, change.kind) == (before + 1, "event")
    assert (change.crash, change.event_id) == (crash.key, event_id)
    store.mark([crash.key], resolved=True)
    kinds = [change.kind for change in store.live.wait(before + 1, 0) or ()]
    assert kinds == ["resolved", "read"]
    assert store.live.wait(store.changes(), 0) == []


def test_changes_resume_after_a_restart(tmp_path: Path) -> None:
    """Who saw all goes on from there, and who missed some reads everything again."""
    store = Store(tmp_path / "inbox.sqlite")
    add(store, 1)
    seen = store.changes()
    store.close()
    again = Store(tmp_path / "inbox.sqlite")
    assert again.live.wait(seen, 0) == []
    assert again.live.wait(seen - 1, 0) is None
    assert again.live.wait(seen + 5, 0) is None
    again.close()


def test_nobody_waits_for_a_store_that_is_closed() -> None:
    live = LiveChanges()
    waiting = threading.Thread(target=live.wait, args=(0, 60))
    waiting.start()
    live.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_crash_is_still_found_by_its_words_when_the_index_drops_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is marked to keep outlives the part of the index that it was in."""
    monkeypatch.setattr(word_index, "WAITING", 1)
    store = Store(tmp_path / "inbox.sqlite", keep_events=3)
    store._part = 5
    add(store, 1, "unforgettable")
    store.mark(None, kept=True)
    for number in range(2, 40):
        add(store, number, "others")
    with store._read() as db:
        parts = [row[0] for row in db.execute("SELECT id FROM parts")]
        tables = db.execute(
            "SELECT count(*) FROM sqlite_master WHERE sql LIKE '%fts5 (words%'"
        ).fetchone()[0]
        found = [
            row[0]
            for part in parts
            for row in db.execute(
                f"SELECT rowid FROM event_text_{part} WHERE event_text_{part} MATCH 'unforgettable'"
            )
        ]
    assert len(parts) == tables <= 2
    assert found == [1]
    store.close()


def test_words_are_found_at_once_however_late_they_are_indexed(store: Store) -> None:
    """Many events are indexed together; a search for words does not wait for so many."""
    event_id = add(store, 1, "unforgettable")
    assert store.find(parse("unforgettable"), 1).total == 1
    assert [event["event_id"] for event in store.find_events(parse(event_id), 1)] == [event_id]
    for number in range(2, 3 + word_index.WAITING):
        add(store, number, "others")
    with store._read() as db:
        assert word_index.waiting(db) < word_index.WAITING
    assert store.find(parse("others"), 1).total == 1


def test_what_events_have_in_common_is_there_once_and_goes_with_the_last(store: Store) -> None:
    """A search looks at it instead of at each event."""
    for number in range(12):
        add(store, number, "m", release=f"1.{number // 6}")
    assert store.find(parse("release:1.1"), 1).total == 1
    assert store.find(parse("release:1.0"), 1).total == 0
    with store._read() as db:
        rows = db.execute("SELECT release, events FROM facets").fetchall()
        assert [tuple(row) for row in rows] == [("1.1", 4)]
    store.delete(None)
    with store._read() as db:
        assert db.execute("SELECT count(*) FROM facets").fetchone()[0] == 0
