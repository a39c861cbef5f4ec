"""The table of visitors' words: by form, of which an event has one report, and by feedback item, of
which it has any number.

Every function works in a transaction of the caller's. Events and crashes are in ``store.py``.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from ..content.feedback_item import Feedback
from .records import Report, report_of

# Characters of words and of what is said about them that one call reads.
_WORDS: Final = 2**20

_ALL: Final = 2**30

# A form's report has no digest, and its event's next one replaces it. A feedback item that is
# delivered again has the same digest. `event_id` is empty in words about no crash.
SCHEMA: Final = """
CREATE TABLE reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    digest TEXT UNIQUE,
    feedback_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    crash INTEGER,
    name TEXT NOT NULL, email TEXT NOT NULL, comments TEXT NOT NULL, at REAL NOT NULL,
    url TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE UNIQUE INDEX reports_form ON reports (event_id) WHERE digest IS NULL;
CREATE INDEX reports_event ON reports (event_id);
CREATE INDEX reports_crash ON reports (crash, at);
CREATE VIRTUAL TABLE report_text USING fts5 (
    name, email, comments, url, facts, content='reports', content_rowid='id'
);
CREATE TRIGGER reports_added AFTER INSERT ON reports BEGIN \
INSERT INTO report_text (rowid, name, email, comments, url, facts) \
VALUES (new.id, new.name, new.email, new.comments, new.url, new.facts); END;
CREATE TRIGGER reports_deleted AFTER DELETE ON reports BEGIN \
INSERT INTO report_text (report_text, rowid, name, email, comments, url, facts) \
VALUES ('delete', old.id, old.name, old.email, old.comments, old.url, old.facts); END;
"""

_PUT: Final = (
    "INTO reports (digest, feedback_id, event_id, crash, name, email, comments, at, url, facts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def put_form(
    db: sqlite3.Connection, event_id: str, name: str, email: str, comments: str, now: float
) -> int | None:
    """Keep a form's words in place of the event's earlier ones. Returns the crash's id, or None."""
    crash = _crash_of(db, event_id)
    values = (None, "", event_id, crash, name, email, comments, now, "", "[]")
    db.execute("DELETE FROM reports WHERE event_id = ? AND digest IS NULL", (event_id,))
    db.execute(f"INSERT {_PUT}", values)
    return crash


def add_feedback(db: sqlite3.Connection, item: Feedback, now: float) -> tuple[bool, int | None]:
    """Keep a feedback item. Returns whether it is new, and the crash's id or None."""
    crash = _crash_of(db, item.event_id)
    # The time is the client's, unless its clock is ahead of ours.
    at = min(item.at or now, now)
    done = db.execute(
        f"INSERT OR IGNORE {_PUT}",
        (
            item.digest,
            item.id,
            item.event_id,
            crash,
            item.name,
            item.email,
            item.words,
            at,
            item.url,
            json.dumps(item.facts),
        ),
    )
    return done.rowcount > 0, crash


def _crash_of(db: sqlite3.Connection, event_id: str) -> int | None:
    row = db.execute("SELECT crash FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return row[0] if row else None


def link(db: sqlite3.Connection, event_id: str, crash: int) -> None:
    """Tie the words that came before their event to its crash."""
    db.execute("UPDATE reports SET crash = ? WHERE event_id = ?", (crash, event_id))


def prune(db: sqlite3.Connection, most: int) -> None:
    """Keep the latest arrivals: so many on crashes that are here, and as many without one. Those on
    crashes that are marked to keep are left."""
    kept = "crash IN (SELECT id FROM crashes WHERE kept = 1)"
    for which in ("crash IS NULL", f"crash IS NOT NULL AND NOT {kept}"):
        db.execute(
            f"DELETE FROM reports WHERE {which} AND id <= (SELECT id FROM reports WHERE {which}"
            " ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (most,),
        )


def count(db: sqlite3.Connection, where: str, *values: Any) -> int:
    return int(db.execute(f"SELECT count(*) FROM reports WHERE {where}", values).fetchone()[0])


def newest(
    db: sqlite3.Connection,
    where: str = "1",
    *values: Any,
    limit: int,
    offset: int = 0,
    most: int = _ALL,
) -> Iterator[Report]:
    """The latest reports first, up to 1 MB of words; `most` characters of each one's words."""
    # SQLite sorts whole rows, so the words are read afterwards.
    found = db.execute(
        f"SELECT id FROM reports r WHERE {where} ORDER BY at DESC, id DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    )
    return _read(db, [row[0] for row in found], most)


def latest_on(db: sqlite3.Connection, event_ids: list[str]) -> Iterator[Report]:
    """The latest report on each event that has one, up to 1 MB of words."""
    latest = "SELECT id FROM reports WHERE event_id = ? ORDER BY at DESC, id DESC LIMIT 1"
    found = [db.execute(latest, (event_id,)).fetchone() for event_id in event_ids]
    return _read(db, [row[0] for row in found if row])


def _read(db: sqlite3.Connection, ids: list[int], most: int = _ALL) -> Iterator[Report]:
    room = _WORDS
    for number in ids:
        row = db.execute(
            "SELECT id, feedback_id, event_id, name, email, substr(comments, 1, ?) AS comments,"
            " at, url, facts FROM reports WHERE id = ?",
            (most, number),
        ).fetchone()
        if row is None:
            continue
        yield report_of(row)
        room -= len(str(row["comments"])) + len(str(row["url"])) + len(str(row["facts"]))
        if room <= 0:
            return
