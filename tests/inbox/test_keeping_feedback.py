"""How long feedback items are kept, and that a file of the version before keeps its reports."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.inbox.content.feedback_item import read_feedback
from flask_sentry_kit.inbox.storage.store import Store
from tests.support.inbox import EVENT_ID, feedback_item

OTHER = "f" * 32


def add(store: Store, number: int) -> str:
    event_id = f"{number:032x}"
    body = {"message": "m"}
    store.add_event(event_id, json.dumps(body).encode(), body)
    return event_id


def feedback(store: Store, number: int, words: str, about: object) -> None:
    found = read_feedback(feedback_item(number, words, about), None)
    assert found is not None
    store.add_feedback(found)


def test_items_go_with_their_event(tmp_path: Path) -> None:
    """Whether it is no longer kept, or its crash is deleted."""
    store = Store(tmp_path / "inbox.sqlite", keep_events=3)
    first = add(store, 1)
    feedback(store, 91, "a", first)
    feedback(store, 92, "b", first)
    assert len(store.reports_on_event(first)) == 2
    for number in (2, 3, 4):
        add(store, number)
    assert store.reports() == []
    feedback(store, 93, "c", f"{4:032x}")
    store.delete([store.crashes(1)[0].key])
    assert store.reports() == []


@pytest.mark.parametrize("about", [None, OTHER, f"{1:032x}"])
def test_the_number_of_items_is_bounded(tmp_path: Path, about: str | None) -> None:
    """Whoever sends words on one event, on none, or on those that never come fills no disk: as
    many are kept as events may be, the latest arrivals, whatever the time that they claim."""
    store = Store(tmp_path / "inbox.sqlite", keep_events=5)
    add(store, 1)
    for number in range(10):
        found = read_feedback(
            feedback_item(100 + number, f"w{number}", about, timestamp=99 - number), None
        )
        assert found is not None
        store.add_feedback(found)
    assert sorted(report.comments for report in store.reports()) == ["w5", "w6", "w7", "w8", "w9"]
    assert store.event(f"{1:032x}") is not None


OLDER = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('changes', 7);
INSERT INTO facts VALUES ('public_key', 'kkkk');
CREATE TABLE crashes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL, value TEXT NOT NULL, place TEXT NOT NULL, level TEXT NOT NULL,
    count INTEGER NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL,
    touched REAL NOT NULL, unread INTEGER NOT NULL
);
CREATE INDEX crashes_touched ON crashes (touched);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    crash INTEGER NOT NULL REFERENCES crashes (id),
    at REAL NOT NULL, received REAL NOT NULL, size INTEGER NOT NULL, person TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX events_crash ON events (crash, seq);
CREATE INDEX events_size ON events (size);
CREATE TABLE reports (
    event_id TEXT PRIMARY KEY,
    crash INTEGER,
    name TEXT NOT NULL, email TEXT NOT NULL, comments TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX reports_crash ON reports (crash, at);
INSERT INTO crashes VALUES (1, 'abcd', 'KeyError', 'sum', 'shop', 'error', 1, 5.0, 5.0, 5.0, 0);
INSERT INTO reports VALUES ('e1', 1, 'Ann', 'a@b.example', 'beside', 6.0);
INSERT INTO reports VALUES ('e2', NULL, 'Bob', 'b@b.example', 'waiting', 7.0);
PRAGMA application_id = 1581756613;
"""


def test_a_file_of_the_version_before_keeps_its_reports(
    tmp_path: Path, serve_inbox: Callable[..., Any]
) -> None:
    """They are where they were, the form still overwrites them, and items come beside them."""
    path = tmp_path / "inbox-0.sqlite"
    db = sqlite3.connect(path)
    db.executescript(OLDER.replace("'e1'", f"'{EVENT_ID}'").replace("'e2'", f"'{OTHER}'"))
    db.execute(
        "INSERT INTO events VALUES (1, ?, 1, 5.0, 5.0, 2, 'ada', ?)",
        (EVENT_ID, zlib.compress(b"{}")),
    )
    db.commit()
    db.close()
    path.chmod(0o600)
    served = serve_inbox()
    assert served.key == "kkkk"
    kept = served.api(f"events/{EVENT_ID}")
    assert [(one["name"], one["comments"], one["at"]) for one in kept["words"]] == [
        ("Ann", "beside", "1970-01-01T00:00:06.000Z")
    ]
    assert b"waiting" in served.request("GET", "/words/").data
    served.report("beside, again")
    served.report("waiting, again", event_id=OTHER)
    served.envelope(feedback_item(1, "an item"))
    words = [report["comments"] for report in served.api("words")["words"]]
    assert sorted(words) == ["an item", "beside, again", "waiting, again"]
    again = Store(path)
    assert len(again.reports()) == 3
    again.close()
