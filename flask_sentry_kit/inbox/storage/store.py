"""Keeps what arrived in one SQLite file: bounded, and safe for several writers.

Knows nothing of HTTP. ``reading.py`` reads events, and ``database.py`` opens the file and sets it
aside if it is damaged.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sqlite3
import time
import zlib
from collections.abc import Mapping
from typing import Any, Final

from ..content.feedback_item import Feedback
from ..content.reading import Event
from ..errors import DamagedEventError
from . import report_table
from .database import Database
from .records import CrashGroup, KeptEvent, Report, crash_of, json_of, moment_of

KEEP_EVENTS: Final = 1_000
KEEP_BYTES: Final = 256 * 2**20

# Marks the file as an inbox's, so that no other program's database is written to.
_APPLICATION_ID: Final = 0x5E47B0C5
_SHOWN: Final = 300

# Characters of a visitor's words that the list of crashes holds of each.
_BEGINNING: Final = 400

LONG_WORDS: Final = 5_000
"""Characters of each one's words where many are shown."""

_NO_CRASH: Final = "crash IS NULL"
_READ_UP_TO: Final = "SELECT value FROM facts WHERE name = 'read_report'"

_EVENTS: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('changes', 0);
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
"""
_SCHEMA: Final = _EVENTS + report_table.SCHEMA


class Store(Database):
    """The inbox's file.

    :param path: of the SQLite file; if it is missing, it is made, readable by its owner only.
    :param keep_events: how many events are kept, the newest. A report is deleted with its event. As
        many reports are kept on all events, and as many without one, the newest.
    :param keep_bytes: how many bytes the kept events take at most, compressed.
    :raises InboxError: the file cannot be made or written, or is not an inbox's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_events: int = KEEP_EVENTS,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self.keep_events = max(1, keep_events)
        self.keep_bytes = keep_bytes
        self._key: str | None = None
        super().__init__(path, _SCHEMA, _APPLICATION_ID)

    def _upgrade(self, db: sqlite3.Connection) -> None:
        columns = {row["name"] for row in db.execute("PRAGMA table_info(events)")}
        if "whom" in columns:
            # Its name until November 2026.
            db.execute("ALTER TABLE events RENAME COLUMN whom TO person")
        report_table.upgrade(db)

    def _fill(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT OR IGNORE INTO facts VALUES ('changes', 0)")
        if self._key is not None:
            # In a new file: so that the DSN which apps have stays valid.
            db.execute("INSERT OR REPLACE INTO facts VALUES ('public_key', ?)", (self._key,))

    def _salvage(self, db: sqlite3.Connection) -> None:
        row = db.execute("SELECT value FROM facts WHERE name = 'public_key'").fetchone()
        if row and re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", str(row[0])):
            self._key = str(row[0])

    def public_key(self, given: str | None = None) -> str:
        """The key of the DSN: the given one, else the kept one, else a new one made at random."""
        with self._write() as db:
            row = db.execute("SELECT value FROM facts WHERE name = 'public_key'").fetchone()
            key = given or (str(row[0]) if row else secrets.token_hex(16))
            db.execute("INSERT OR REPLACE INTO facts VALUES ('public_key', ?)", (key,))
        self._key = key
        return key

    def changes(self) -> int:
        """A number that grows with every change, so that an open page knows when to look again."""
        with self._open() as db:
            row = db.execute("SELECT value FROM facts WHERE name = 'changes'").fetchone()
            return row[0] if row and isinstance(row[0], int) else 0

    # Writing

    def add_event(self, event_id: str, body: Mapping[str, Any], event: Event) -> bool:
        """Keep an event. False: one with this id is kept already."""
        # As UTF-8 and without spaces, it is not longer than it was when it arrived.
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        data = zlib.compress(text.encode())
        now = time.time()
        # The time is the client's, unless its clock is ahead of ours.
        at = min(event.at or now, now)
        with self._write() as db:
            if db.execute("SELECT 1 FROM events WHERE event_id = ?", (event_id,)).fetchone():
                return False
            crash = db.execute(
                "INSERT INTO crashes (key, type, value, place, level, count, first_at, last_at,"
                " touched, unread) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, 1)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value, level = excluded.level,"
                " count = count + 1, first_at = min(first_at, excluded.first_at),"
                " last_at = max(last_at, excluded.last_at), touched = excluded.touched, unread = 1"
                " RETURNING id",
                (
                    event.key,
                    event.type[:_SHOWN],
                    event.value[:_SHOWN],
                    event.where[:_SHOWN],
                    event.level,
                    at,
                    at,
                    now,
                ),
            ).fetchone()[0]
            db.execute(
                "INSERT INTO events (event_id, crash, at, received, size, person, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (event_id, crash, at, now, len(data), event.person[:_SHOWN], data),
            )
            report_table.link(db, event_id, crash)
            self._prune(db)
            _changed(db)
        return True

    def put_report(self, event_id: str, name: str, email: str, comments: str) -> None:
        """Keep a visitor's words by form. Those on the same event that came by form are replaced.

        The event may arrive later; the report is linked to it then.
        """
        now = time.time()
        with self._write() as db:
            self._has_report(
                db, report_table.put_form(db, event_id, name, email, comments, now), now
            )

    def add_feedback(self, item: Feedback) -> bool:
        """Keep a feedback item beside all others. False: it is a repeated delivery.

        Its event may arrive later, or never.
        """
        now = time.time()
        with self._write() as db:
            is_new, crash = report_table.add_feedback(db, item, now)
            if is_new:
                self._has_report(db, crash, now)
        return is_new

    def _has_report(self, db: sqlite3.Connection, crash: int | None, now: float) -> None:
        db.execute("UPDATE crashes SET touched = ?, unread = 1 WHERE id = ?", (now, crash))
        report_table.prune(db, self.keep_events)
        _changed(db)

    def _prune(self, db: sqlite3.Connection) -> None:
        while True:
            count, size = db.execute("SELECT count(*), sum(size) FROM events").fetchone()
            if count <= 1 or (count <= self.keep_events and size <= self.keep_bytes):
                return
            oldest, event_id, crash = db.execute(
                "SELECT seq, event_id, crash FROM events ORDER BY seq LIMIT 1"
            ).fetchone()
            db.execute("DELETE FROM events WHERE seq = ?", (oldest,))
            db.execute("DELETE FROM reports WHERE event_id = ?", (event_id,))
            if not db.execute("SELECT 1 FROM events WHERE crash = ?", (crash,)).fetchone():
                db.execute("DELETE FROM crashes WHERE id = ?", (crash,))

    # Reading

    def crashes(self, limit: int, offset: int = 0) -> list[CrashGroup]:
        """The crashes, the one with the latest event or report first."""
        with self._open() as db:
            rows = db.execute(
                _CRASHES + " ORDER BY touched DESC, c.id DESC LIMIT ? OFFSET ?", (limit, offset)
            )
            return [_crash(db, row) for row in rows.fetchall()]

    def counts(self) -> tuple[int, int]:
        """How many crashes there are, and how many of them are unread."""
        with self._open() as db:
            row = db.execute("SELECT count(*), coalesce(sum(unread), 0) FROM crashes").fetchone()
            return int(row[0]), int(row[1])

    def crash(self, key: str) -> CrashGroup | None:
        with self._open() as db:
            row = db.execute(_CRASHES + " WHERE c.key = ?", (key,)).fetchone()
            return _crash(db, row) if row else None

    def neighbours(self, crash: CrashGroup) -> tuple[str | None, str | None]:
        """The keys of the crashes above and below this one in the list."""
        with self._open() as db:
            keys = [
                row[0]
                for row in db.execute("SELECT key FROM crashes ORDER BY touched DESC, id DESC")
            ]
        if crash.key not in keys:
            return None, None
        index = keys.index(crash.key)
        return keys[index - 1] if index else None, next(iter(keys[index + 1 : index + 2]), None)

    def latest_event_id(self, crash: CrashGroup) -> str | None:
        with self._open() as db:
            row = db.execute(
                "SELECT event_id FROM events WHERE crash = ? ORDER BY seq DESC LIMIT 1",
                (crash.id,),
            ).fetchone()
            return row[0] if row else None

    def has_event(self, event_id: str) -> bool:
        with self._open() as db:
            found = db.execute("SELECT 1 FROM events WHERE event_id = ?", (event_id,)).fetchone()
            return found is not None

    def event(self, event_id: str) -> KeptEvent | None:
        """
        :raises DamagedEventError: the file holds it and it cannot be read.
        """
        with self._open() as db:
            row = db.execute(
                "SELECT e.*, c.key FROM events e JOIN crashes c ON c.id = e.crash"
                " WHERE event_id = ?",
                (event_id,),
            ).fetchone()
            if row is None:
                return None
            same = [
                found[0]
                for found in db.execute(
                    "SELECT event_id FROM events WHERE crash = ? ORDER BY seq", (row["crash"],)
                )
            ]
            written = report_table.count(db, "event_id = ?", event_id)
        if event_id not in same:
            # In a damaged file a row and the index that lists it may differ.
            raise DamagedEventError(event_id)
        index = same.index(event_id)
        return KeptEvent(
            event_id=event_id,
            crash_key=row["key"],
            at=moment_of(row["at"]),
            received=moment_of(row["received"]),
            person=str(row["person"]),
            json=json_of(event_id, row["body"]),
            older=same[index - 1] if index else None,
            newer=next(iter(same[index + 1 : index + 2]), None),
            number=index + 1,
            kept=len(same),
            reports=written,
        )

    def events(self, limit: int) -> list[Mapping[str, Any]]:
        """The newest events in short.

        In short: ids, times, person, the crash's key, type, value, place, and the latest report or
        None.
        """
        with self._open() as db:
            rows = db.execute(
                "SELECT e.event_id, e.at, e.received, e.person, c.key AS crash, c.type,"
                " c.value, c.place FROM events e JOIN crashes c ON c.id = e.crash"
                " ORDER BY e.seq DESC LIMIT ?",
                (limit,),
            ).fetchall()
            latest = report_table.latest_on(db, [row["event_id"] for row in rows])
            found = {report.event_id: report for report in latest}
            return [{**dict(row), "report": found.get(row["event_id"])} for row in rows]

    def report(self, event_id: str) -> Report | None:
        """The latest report on an event."""
        return next(iter(self.reports_on_event(event_id, 1)), None)

    def report_of_reference(self, reference: str) -> Report | None:
        """A report on an event of this id, or the feedback item of this id."""
        with self._open() as db:
            where = "event_id = ?1 OR feedback_id = ?1"
            return next(report_table.newest(db, where, reference, limit=1), None)

    def reports(self, limit: int = 100) -> list[Report]:
        """The newest reports, up to 1 MB of words."""
        with self._open() as db:
            return list(report_table.newest(db, limit=limit))

    def reports_on_event(self, event_id: str, limit: int = 100) -> list[Report]:
        """The newest reports on one event, up to 1 MB of words."""
        with self._open() as db:
            return list(report_table.newest(db, "event_id = ?", event_id, limit=limit))

    def reports_on_others(self, crash: CrashGroup, event_id: str, limit: int) -> list[Report]:
        """The newest reports on the crash's other events, up to 1 MB of words."""
        with self._open() as db:
            where = "crash = ? AND event_id <> ?"
            return list(report_table.newest(db, where, crash.id, event_id, limit=limit))

    def reports_without_crash(self, limit: int, offset: int = 0) -> list[Report]:
        """The newest reports about no crash, or about one that is not here; 5,000 characters of
        each one's words."""
        with self._open() as db:
            found = report_table.newest(db, _NO_CRASH, limit=limit, offset=offset, most=LONG_WORDS)
            return list(found)

    def counts_without_crash(self) -> tuple[int, int]:
        """How many reports are about no crash that is here, and how many of them are unread."""
        with self._open() as db:
            unread = f"{_NO_CRASH} AND id > coalesce(({_READ_UP_TO}), 0)"
            return report_table.count(db, _NO_CRASH), report_table.count(db, unread)

    # Changing

    def mark_reports_read(self, up_to: int) -> None:
        """Mark the reports without a crash as read.

        :param up_to: the id of the newest one that was shown.
        """
        with self._write() as db:
            row = db.execute(_READ_UP_TO).fetchone()
            if row is None or not isinstance(row[0], int) or row[0] < up_to:
                db.execute("INSERT OR REPLACE INTO facts VALUES ('read_report', ?)", (up_to,))
                _changed(db)

    def delete_report(self, number: int) -> None:
        """Forget one report without a crash."""
        with self._write() as db:
            if db.execute(f"DELETE FROM reports WHERE id = ? AND {_NO_CRASH}", (number,)).rowcount:
                _changed(db)

    def mark(self, key: str, *, unread: bool) -> None:
        with self._write() as db:
            done = db.execute(
                "UPDATE crashes SET unread = ?1 WHERE key = ?2 AND unread <> ?1", (unread, key)
            )
            if done.rowcount:
                _changed(db)

    def delete(self, key: str) -> None:
        """Forget a crash, with its events and reports."""
        with self._write() as db:
            row = db.execute("SELECT id FROM crashes WHERE key = ?", (key,)).fetchone()
            if row:
                db.execute("DELETE FROM events WHERE crash = ?", (row[0],))
                db.execute("DELETE FROM reports WHERE crash = ?", (row[0],))
                db.execute("DELETE FROM crashes WHERE id = ?", (row[0],))
                _changed(db)


_CRASHES: Final = """
SELECT c.*, (SELECT count(*) FROM reports r WHERE r.crash = c.id) AS reports FROM crashes c
"""


def _crash(db: sqlite3.Connection, row: sqlite3.Row) -> CrashGroup:
    """With the beginning of the latest words, for the list."""
    words = report_table.newest(db, "crash = ?", row["id"], limit=1, most=_BEGINNING)
    return crash_of(row, next(words, None))


def _changed(db: sqlite3.Connection) -> None:
    db.execute("UPDATE facts SET value = value + 1 WHERE name = 'changes'")
