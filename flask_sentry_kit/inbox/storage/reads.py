"""What is read from the inbox's file: lists, one crash, one event, visitors' words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import DamagedEventError
from . import attachment_table, event_table, report_table, word_index
from .attachment_table import Attachment, AttachmentFacts
from .database import Database
from .records import CrashGroup, KeptEvent, Report, crash_of, json_of, moment_of
from .search import Search
from .search_sql import Scope, conditions, event_conditions, report_conditions

LONG_WORDS: Final = 5_000
"""Characters of each one's words where many are shown."""

READ_UP_TO: Final = "SELECT value FROM facts WHERE name = 'read_report'"

# Characters of a visitor's words that the list of crashes holds of each.
_BEGINNING: Final = 400

_NO_CRASH: Final = "crash IS NULL"

_CRASHES: Final = """
SELECT c.*, (SELECT count(*) FROM reports r WHERE r.crash = c.id) AS reports FROM crashes c
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many crashes there are."""

    crashes: int
    unread: int
    resolved: int
    kept: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds."""

    crashes: list[CrashGroup]
    """As many as were asked for."""
    total: int
    """How many there are in all."""


class Reads(Database):
    """Reads the file. Each call reads one state of it."""

    def changes(self) -> int:
        """A number that grows with every change, so that an open page knows when to look again."""
        with self._read() as db:
            row = db.execute("SELECT value FROM facts WHERE name = 'changes'").fetchone()
            return row[0] if row and isinstance(row[0], int) else 0

    def crashes(self, limit: int, offset: int = 0) -> list[CrashGroup]:
        """The crashes, the one with the latest event or report first."""
        with self._read() as db:
            rows = db.execute(
                _CRASHES + " ORDER BY touched DESC, c.id DESC LIMIT ? OFFSET ?", (limit, offset)
            )
            return [_crash(db, row) for row in rows.fetchall()]

    def _prepare(self, search: Search) -> None:
        """Called before a search: what it looks at has to be in the file."""

    def find(self, search: Search, limit: int, offset: int = 0) -> Found:
        """The crashes that a search finds, the one with the latest event or report first."""
        self._prepare(search)
        with self._read() as db:
            where, values = conditions(search, _scope(db))
            # Counted in the same statement, since a search may look at every event.
            found = db.execute(
                f"SELECT c.id, count(*) OVER () FROM crashes c WHERE {where}"
                " ORDER BY touched DESC, c.id DESC LIMIT ? OFFSET ?",
                (*values, limit, offset),
            ).fetchall()
            one = f"{_CRASHES} WHERE c.id = ?"
            rows = [db.execute(one, (row[0],)).fetchone() for row in found]
            total = found[0][1] if found else _count(db, where, values) if offset else 0
            return Found([_crash(db, row) for row in rows], total)

    def count(self, search: Search) -> int:
        """How many crashes a search finds."""
        self._prepare(search)
        with self._read() as db:
            where, values = conditions(search, _scope(db))
            return _count(db, where, values)

    def keys(self, search: Search) -> list[str]:
        """The keys of all crashes that a search finds."""
        self._prepare(search)
        with self._read() as db:
            where, values = conditions(search, _scope(db))
            return [
                key for (key,) in db.execute(f"SELECT key FROM crashes c WHERE {where}", values)
            ]

    def find_events(self, search: Search, limit: int, offset: int = 0) -> list[Mapping[str, Any]]:
        """The newest events that a search finds, in short as by `events`."""
        self._prepare(search)
        with self._read() as db:
            where, values = event_conditions(search, _scope(db))
            return _events(db, f"WHERE {where}", values, limit, offset)

    def find_words(self, search: Search, limit: int, offset: int = 0) -> list[Report]:
        """The newest words of visitors that a search finds, up to 1 MB."""
        self._prepare(search)
        with self._read() as db:
            where, values = report_conditions(search, _scope(db))
            return list(report_table.newest(db, where, *values, limit=limit, offset=offset))

    def counts(self) -> Counts:
        with self._read() as db:
            row = db.execute(
                "SELECT count(*), sum(unread <> 0), sum(resolved <> 0), sum(kept <> 0) FROM crashes"
            ).fetchone()
            return Counts(*(int(value or 0) for value in row))

    def totals(self) -> tuple[int, int]:
        """How many events there are that are not marked to keep, and how many bytes they take."""
        with self._read() as db:
            return event_table.totals(db)

    def crash(self, key: str) -> CrashGroup | None:
        with self._read() as db:
            row = db.execute(_CRASHES + " WHERE c.key = ?", (key,)).fetchone()
            return _crash(db, row) if row else None

    def neighbours(self, crash: CrashGroup) -> tuple[str | None, str | None]:
        """The keys of the crashes above and below this one in the list."""
        with self._read() as db:
            found = []
            for sign, order in ((">", "ASC"), ("<", "DESC")):
                row = db.execute(
                    f"SELECT key FROM crashes WHERE (touched, id) {sign} (SELECT touched, id FROM"
                    f" crashes WHERE id = ?) ORDER BY touched {order}, id {order} LIMIT 1",
                    (crash.id,),
                ).fetchone()
                found.append(row[0] if row else None)
            return found[0], found[1]

    def latest_event_id(self, crash: CrashGroup) -> str | None:
        with self._read() as db:
            row = db.execute(
                "SELECT event_id FROM events WHERE crash = ? ORDER BY seq DESC LIMIT 1",
                (crash.id,),
            ).fetchone()
            return row[0] if row else None

    def times(self, crash: CrashGroup, limit: int) -> list[float]:
        """When the newest events of a crash happened, in seconds since 1970."""
        with self._read() as db:
            rows = db.execute(
                "SELECT at FROM events WHERE crash = ? ORDER BY seq DESC LIMIT ?", (crash.id, limit)
            )
            return [moment_of(row[0]) for row in rows.fetchall()]

    def has_event(self, event_id: str) -> bool:
        with self._read() as db:
            return event_table.has(db, event_id)

    def event(self, event_id: str) -> KeptEvent | None:
        """
        :raises DamagedEventError: the file holds it and it cannot be read.
        """
        with self._read() as db:
            row = db.execute(
                "SELECT e.*, b.body, c.key FROM events e JOIN crashes c ON c.id = e.crash"
                " LEFT JOIN bodies b ON b.seq = e.seq WHERE event_id = ?",
                (event_id,),
            ).fetchone()
            if row is None:
                return None
            crash, seq = row["crash"], row["seq"]
            number, kept, older, newer = db.execute(
                "SELECT (SELECT count(*) FROM events WHERE crash = ?1 AND seq <= ?2),"
                " (SELECT count(*) FROM events WHERE crash = ?1),"
                " (SELECT event_id FROM events WHERE crash = ?1 AND seq < ?2"
                " ORDER BY seq DESC LIMIT 1),"
                " (SELECT event_id FROM events WHERE crash = ?1 AND seq > ?2"
                " ORDER BY seq LIMIT 1)",
                (crash, seq),
            ).fetchone()
            listed = db.execute(
                "SELECT 1 FROM events INDEXED BY events_crash WHERE crash = ? AND seq = ?",
                (crash, seq),
            ).fetchone()
            written = report_table.count(db, "event_id = ?", event_id)
        if listed is None:
            # In a damaged file a row and the index that lists it may differ.
            raise DamagedEventError(event_id)
        return KeptEvent(
            event_id=event_id,
            crash_key=str(row["key"]),
            project=str(row["project"]),
            at=moment_of(row["at"]),
            received=moment_of(row["received"]),
            person=str(row["person"]),
            json=json_of(event_id, row["body"]),
            older=older,
            newer=newer,
            number=number,
            kept=kept,
            reports=written,
        )

    def events(self, limit: int) -> list[Mapping[str, Any]]:
        """The newest events in short.

        In short: ids, times, person, the crash's key, type, value, place, and the latest report or
        None.
        """
        with self._read() as db:
            return _events(db, "", (), limit)

    def attachments(self, event_id: str) -> list[AttachmentFacts]:
        """The files that came with an event, in the order of their arrival."""
        with self._read() as db:
            return attachment_table.facts(db, event_id)

    def attachment(self, event_id: str, number: int) -> Attachment | None:
        """One file of an event, by its id.

        :raises DamagedEventError: the file holds it and it cannot be read.
        """
        with self._read() as db:
            return attachment_table.read(db, event_id, number)

    def report(self, event_id: str) -> Report | None:
        """The latest report on an event."""
        return next(iter(self.reports_on_event(event_id, 1)), None)

    def report_of_reference(self, reference: str) -> Report | None:
        """A report on an event of this id, or the feedback item of this id."""
        with self._read() as db:
            where = "event_id = ?1 OR feedback_id = ?1"
            return next(report_table.newest(db, where, reference, limit=1), None)

    def reports(self, limit: int = 100) -> list[Report]:
        """The newest reports, up to 1 MB of words."""
        with self._read() as db:
            return list(report_table.newest(db, limit=limit))

    def reports_on_event(self, event_id: str, limit: int = 100) -> list[Report]:
        """The newest reports on one event, up to 1 MB of words."""
        with self._read() as db:
            return list(report_table.newest(db, "event_id = ?", event_id, limit=limit))

    def reports_on_others(self, crash: CrashGroup, event_id: str, limit: int) -> list[Report]:
        """The newest reports on the crash's other events, up to 1 MB of words."""
        with self._read() as db:
            where = "crash = ? AND event_id <> ?"
            return list(report_table.newest(db, where, crash.id, event_id, limit=limit))

    def reports_without_crash(self, limit: int, offset: int = 0) -> list[Report]:
        """The newest reports about no crash, or about one that is not here; 5,000 characters of
        each one's words."""
        with self._read() as db:
            found = report_table.newest(db, _NO_CRASH, limit=limit, offset=offset, most=LONG_WORDS)
            return list(found)

    def counts_without_crash(self) -> tuple[int, int]:
        """How many reports are about no crash that is here, and how many of them are unread."""
        with self._read() as db:
            unread = f"{_NO_CRASH} AND id > coalesce(({READ_UP_TO}), 0)"
            return report_table.count(db, _NO_CRASH), report_table.count(db, unread)


def _scope(db: sqlite3.Connection) -> Scope:
    return Scope(tuple(word_index.tables(db)), time.time())


def _count(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> int:
    found = db.execute(f"SELECT count(*) FROM crashes c WHERE {where}", values).fetchone()
    return int(found[0])


def _crash(db: sqlite3.Connection, row: sqlite3.Row) -> CrashGroup:
    """With the beginning of the latest words, for the list."""
    words = report_table.newest(db, "crash = ?", row["id"], limit=1, most=_BEGINNING)
    return crash_of(row, next(words, None))


def _events(
    db: sqlite3.Connection, where: str, values: Sequence[Any], limit: int, offset: int = 0
) -> list[Mapping[str, Any]]:
    rows = db.execute(
        "SELECT e.event_id, e.at, e.received, e.person, e.project, f.release, f.environment, f.app,"
        " c.key AS crash, f.type, e.value, f.place, e.attachments FROM events e"
        " JOIN facets f ON f.id = e.facet"
        f" JOIN crashes c ON c.id = e.crash {where} ORDER BY e.seq DESC LIMIT ? OFFSET ?",
        (*values, limit, offset),
    ).fetchall()
    latest = report_table.latest_on(db, [row["event_id"] for row in rows])
    found = {report.event_id: report for report in latest}
    return [{**dict(row), "report": found.get(row["event_id"])} for row in rows]
