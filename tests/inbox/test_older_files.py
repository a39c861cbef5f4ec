"""Files that earlier versions of the inbox wrote."""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path

import pytest

from flask_sentry_kit.inbox.errors import InboxError
from flask_sentry_kit.inbox.storage.schema import APPLICATION_ID
from flask_sentry_kit.inbox.storage.store import Store

CRASHES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('changes', 7), ('public_key', 'abc');
CREATE TABLE crashes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL, value TEXT NOT NULL, place TEXT NOT NULL, level TEXT NOT NULL,
    count INTEGER NOT NULL, first_at REAL NOT NULL, last_at REAL NOT NULL,
    touched REAL NOT NULL, unread INTEGER NOT NULL
);
CREATE INDEX crashes_touched ON crashes (touched);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE,
    crash INTEGER NOT NULL REFERENCES crashes (id),
    at REAL NOT NULL, received REAL NOT NULL, size INTEGER NOT NULL, {person} TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX events_crash ON events (crash, seq);
CREATE INDEX events_size ON events (size);
"""
REPORTS = """
CREATE TABLE reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT UNIQUE, feedback_id TEXT NOT NULL,
    event_id TEXT NOT NULL, crash INTEGER,
    name TEXT NOT NULL, email TEXT NOT NULL, comments TEXT NOT NULL, at REAL NOT NULL,
    url TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE UNIQUE INDEX reports_form ON reports (event_id) WHERE digest IS NULL;
CREATE INDEX reports_event ON reports (event_id);
CREATE INDEX reports_crash ON reports (crash, at);
INSERT INTO reports (feedback_id, event_id, crash, name, email, comments, at, url, facts)
    VALUES ('', '{event_id}', 1, 'Ann', 'ann@shop.example', 'I pressed pay', 12.0, '', '[]');
"""
EARLIEST_REPORTS = """
CREATE TABLE reports (
    event_id TEXT PRIMARY KEY, crash INTEGER, name TEXT NOT NULL, email TEXT NOT NULL,
    comments TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX reports_crash ON reports (crash, at);
INSERT INTO reports VALUES ('{event_id}', 1, 'Ann', 'ann@shop.example', 'I pressed pay', 12.0);
"""
EVENT_ID = "e" * 32
EVENT = {"event_id": EVENT_ID, "message": "late", "user": {"username": "ada"}}
KEY = "1234567890abcdef"


def older_file(path: Path, person: str, reports: str) -> Path:
    path.touch(0o600)
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(CRASHES.format(person=person) + reports.format(event_id=EVENT_ID))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(
        "INSERT INTO crashes VALUES (1, ?, 'Message', 'late', '', 'error', 9, 1.0, 10.0, 12.0, 0)",
        (KEY,),
    )
    body = zlib.compress(json.dumps(EVENT).encode())
    db.execute(
        "INSERT INTO events VALUES (1, ?, 1, 10.0, 10.0, ?, 'ada', ?)", (EVENT_ID, len(body), body)
    )
    db.close()
    return path


@pytest.mark.parametrize(
    "person, reports", [("whom", EARLIEST_REPORTS), ("whom", REPORTS), ("person", REPORTS)]
)
def test_everything_of_an_older_file_is_still_there(
    tmp_path: Path, person: str, reports: str
) -> None:
    """Events, words, how often, what was read, and the DSN's key."""
    store = Store(older_file(tmp_path / "inbox.sqlite", person, reports))
    assert store.public_key() == "abc"
    kept = store.event(EVENT_ID)
    assert kept is not None and kept.body == EVENT and kept.person == "ada"
    (crash,) = store.crashes(10)
    assert crash.people == 1 and crash.reports == 1
    assert store.reports()[0].comments == "I pressed pay"
    assert store.totals()[0] == 1
    store.close()
    again = Store(tmp_path / "inbox.sqlite")
    assert again.event(EVENT_ID) == kept
    again.close()


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Its tables may mean something else."""
    path = tmp_path / "inbox.sqlite"
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(InboxError, match="newer version"):
        Store(path)
    assert path.read_bytes() == before
