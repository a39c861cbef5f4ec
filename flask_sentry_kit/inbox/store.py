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
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .database import Database
from .reading import Event
from .records import CrashGroup, KeptEvent, Report, crash_of, json_of, moment_of, report_of

KEEP_EVENTS: Final = 1_000
KEEP_BYTES: Final = 256 * 2**20

# Marks the file as an inbox's, so that no other program's database is written to.
_APPLICATION_ID: Final = 0x5E47B0C5
_SHOWN: Final = 300

# Characters of visitors' words that one call reads.
_WORDS: Final = 2**20

_SCHEMA: Final = """
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
CREATE TABLE reports (
    event_id TEXT PRIMARY KEY,
    crash INTEGER,
    name TEXT NOT NULL, email TEXT NOT NULL, comments TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX reports_crash ON reports (crash, at);
"""


class Store(Database):
    """The inbox's file.

    :param path: of the SQLite file; if it is missing, it is made, readable by its owner only.
    :param keep_events: how many events are kept, the newest. A report is deleted with its event; of
        reports whose event never arrived, as many are kept.
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
            db.execute("UPDATE reports SET crash = ? WHERE event_id = ?", (crash, event_id))
            self._prune(db)
            _changed(db)
        return True

    def put_report(self, event_id: str, name: str, email: str, comments: str) -> None:
        """Keep a visitor's words. A second report on the same event replaces the first.

        The event may arrive later; the report is linked to it then.
        """
        now = time.time()
        with self._write() as db:
            row = db.execute("SELECT crash FROM events WHERE event_id = ?", (event_id,)).fetchone()
            crash = row[0] if row else None
            db.execute(
                "INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?, ?, ?)",
                (event_id, crash, name, email, comments, now),
            )
            db.execute("UPDATE crashes SET touched = ?, unread = 1 WHERE id = ?", (now, crash))
            db.execute(
                "DELETE FROM reports WHERE crash IS NULL AND event_id NOT IN (SELECT event_id"
                " FROM reports WHERE crash IS NULL ORDER BY at DESC LIMIT ?)",
                (self.keep_events,),
            )
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
            return [
                crash_of(row)
                for row in db.execute(
                    _CRASHES + " ORDER BY touched DESC, c.id DESC LIMIT ? OFFSET ?",
                    (limit, offset),
                )
            ]

    def counts(self) -> tuple[int, int]:
        """How many crashes there are, and how many of them are unread."""
        with self._open() as db:
            row = db.execute("SELECT count(*), coalesce(sum(unread), 0) FROM crashes").fetchone()
            return int(row[0]), int(row[1])

    def crash(self, key: str) -> CrashGroup | None:
        with self._open() as db:
            row = db.execute(_CRASHES + " WHERE c.key = ?", (key,)).fetchone()
            return crash_of(row) if row else None

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
        )

    def events(self, limit: int) -> list[Mapping[str, Any]]:
        """The newest events in short.

        In short: ids, times, person, the crash's key, type, value, place, and the report or None.
        """
        with self._open() as db:
            rows = db.execute(
                "SELECT e.event_id, e.at, e.received, e.person, c.key AS crash, c.type,"
                " c.value, c.place FROM events e JOIN crashes c ON c.id = e.crash"
                " ORDER BY e.seq DESC LIMIT ?",
                (limit,),
            ).fetchall()
            reports = _reports(db, [row["event_id"] for row in rows])
            found = {report.event_id: report for report in reports}
            return [{**dict(row), "report": found.get(row["event_id"])} for row in rows]

    def report(self, event_id: str) -> Report | None:
        with self._open() as db:
            return next(_reports(db, [event_id]), None)

    def reports(self, crash: CrashGroup | None = None, limit: int = 100) -> list[Report]:
        """The newest reports on one crash, or on all crashes, up to 1 MB of words."""
        if crash is None:
            return self._newest("", (limit,))
        return self._newest("WHERE crash = ?", (crash.id, limit))

    def waiting_reports(self, limit: int = 100) -> list[Report]:
        """Reports whose event has not arrived, up to 1 MB of words."""
        return self._newest("WHERE crash IS NULL", (limit,))

    def _newest(self, where: str, values: tuple[int, ...]) -> list[Report]:
        with self._open() as db:
            # SQLite sorts whole rows, so the words are read afterwards.
            found = db.execute(
                f"SELECT event_id FROM reports {where} ORDER BY at DESC LIMIT ?", values
            )
            return list(_reports(db, [row[0] for row in found]))

    # Changing

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


def _reports(db: sqlite3.Connection, event_ids: list[str]) -> Iterator[Report]:
    room = _WORDS
    for event_id in event_ids:
        row = db.execute(
            "SELECT event_id, name, email, comments, at FROM reports WHERE event_id = ?",
            (event_id,),
        ).fetchone()
        if row is not None:
            yield report_of(row)
            room -= len(str(row["comments"]))
            if room <= 0:
                return


# With the beginning of the latest words, for the list.
_CRASHES: Final = """
SELECT c.*, (SELECT count(*) FROM reports r WHERE r.crash = c.id) AS reports,
    w.event_id, w.name, w.email, substr(w.comments, 1, 400) AS comments, w.at
FROM crashes c LEFT JOIN reports w ON w.event_id =
    (SELECT event_id FROM reports r WHERE r.crash = c.id ORDER BY at DESC LIMIT 1)
"""


def _changed(db: sqlite3.Connection) -> None:
    db.execute("UPDATE facts SET value = value + 1 WHERE name = 'changes'")
