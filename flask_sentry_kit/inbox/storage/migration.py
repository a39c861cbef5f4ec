"""Brings the tables of an inbox's older versions up to date."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from ..content.reading import clean
from ..content.summary import summarize
from ..errors import DamagedEventError, InboxError
from . import event_table, report_table, word_index
from .database import execute_all
from .records import json_of
from .schema import EVENTS

_TABLES: Final = ("facts", "crashes", "events", "reports")
_INDEXES: Final = (
    "crashes_touched",
    "events_crash",
    "events_size",
    "reports_crash",
    "reports_event",
    "reports_form",
)
_COLUMNS: Final = {
    "events": {"seq", "event_id", "crash", "at", "received", "size", "body"},
    "crashes": {"id", "key", "count", "first_at", "last_at", "touched", "unread"},
    "reports": {"event_id", "crash", "name", "email", "comments", "at"},
}


def upgrade(db: sqlite3.Connection, part: int) -> None:
    """Read everything that a file of version 1 holds into the tables of version 2.

    Version 1 had no ``user_version``, and grew: its column `person` was called `whom`, and an event
    had one report. An event that cannot be read is left out.

    :param part: how many events a part of the index of words holds.
    :raises InboxError: the file has other tables than any version had.
    """
    for table, columns in _COLUMNS.items():
        if not columns <= _columns(db, table):
            raise InboxError(
                "The inbox's file is one of another version: it has other tables. Move it away, or"
                " name another file."
            )
    for table in _TABLES:
        db.execute(f"ALTER TABLE {table} RENAME TO older_{table}")
    for index in _INDEXES:
        db.execute(f"DROP INDEX IF EXISTS {index}")
    execute_all(db, EVENTS + report_table.SCHEMA)
    db.execute("INSERT OR REPLACE INTO facts SELECT name, value FROM older_facts")
    _copy_events(db, part)
    _copy_crashes(db)
    _copy_reports(db)
    for table in _TABLES:
        db.execute(f"DROP TABLE older_{table}")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}


def _copy_events(db: sqlite3.Connection, part: int) -> None:
    words: list[tuple[int, str]] = []
    for row in db.execute("SELECT event_id, received, body FROM older_events ORDER BY seq"):
        event_id = str(row["event_id"])
        try:
            body = clean(json.loads(json_of(event_id, row["body"])))
        except (DamagedEventError, ValueError, RecursionError):
            continue
        if isinstance(body, dict):
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            event = event_table.NewEvent(
                event_id, "1", summarize(body), event_table.pack(data), row["received"]
            )
            words.append((event_table.add(db, event)[0], event.summary.words))
            if len(words) == part:
                word_index.add(db, words, part)
                words.clear()
    word_index.add(db, words, part)


def _copy_crashes(db: sqlite3.Connection) -> None:
    """What a crash has beside its events: how often it happened, and whether it was read."""
    db.execute(
        "UPDATE crashes SET (count, first_at, last_at, touched, unread) = (SELECT max(o.count,"
        " crashes.count), o.first_at, o.last_at, o.touched, o.unread FROM older_crashes o"
        " WHERE o.key = crashes.key) WHERE key IN (SELECT key FROM older_crashes)"
    )


def _copy_reports(db: sqlite3.Connection) -> None:
    values = "NULL, '', event_id, name, email, comments, at, '', '[]'"
    if "digest" in _columns(db, "older_reports"):
        values = "digest, feedback_id, event_id, name, email, comments, at, url, facts"
    db.execute(
        "INSERT INTO reports (digest, feedback_id, event_id, name, email, comments, at, url, facts)"
        f" SELECT {values} FROM older_reports ORDER BY at"
    )
    db.execute(
        "UPDATE reports SET crash ="
        " (SELECT crash FROM events e WHERE e.event_id = reports.event_id)"
    )
