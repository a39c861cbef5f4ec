"""The tables of events, of the crashes they are grouped into, and of who met them.

Every function works in a transaction of the caller's.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..content.summary import Summary
from . import attachment_table, facet_table, word_index
from .attachment_table import Attachment

_LEVEL: Final = 1
"""Of zlib. A third of the time of the usual one, and a seventh more bytes."""

# Rows, indexes and the index of words take about so many bytes beside an event's body.
_OVERHEAD: Final = 2_000


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is ready to be written."""

    event_id: str
    project: str
    summary: Summary
    packed: bytes
    """Its JSON, in zlib's format."""
    received: float


def pack(data: bytes) -> bytes:
    """An event's JSON as it is written."""
    return zlib.compress(data, _LEVEL)


def has(db: sqlite3.Connection, event_id: str) -> bool:
    found = db.execute("SELECT 1 FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return found is not None


def add(db: sqlite3.Connection, event: NewEvent) -> tuple[int, int]:
    """Write an event that is not there yet, but for its words.

    :return: its number, and its crash's id.
    """
    summary, now = event.summary, event.received
    # The time is the client's, unless its clock is ahead of ours.
    at = min(summary.at or now, now)
    crash: int = db.execute(
        "INSERT INTO crashes (key, type, value, place, level, app, release, environment, count,"
        " people, first_at, last_at, touched, unread, resolved, kept)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0, ?, ?, ?, 1, 0, 0)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, level = excluded.level,"
        " app = excluded.app, release = excluded.release, environment = excluded.environment,"
        " count = count + 1, first_at = min(first_at, excluded.first_at),"
        " last_at = max(last_at, excluded.last_at), touched = excluded.touched, unread = 1,"
        " resolved = 0 RETURNING id",
        (
            summary.key,
            summary.type,
            summary.value,
            summary.where,
            summary.level,
            summary.app,
            summary.release,
            summary.environment,
            at,
            at,
            now,
        ),
    ).fetchone()[0]
    size = len(event.packed) + _OVERHEAD
    seq = db.execute(
        "INSERT INTO events (event_id, crash, project, at, received, size, kept, person, person_id,"
        " user, facet, value, attachments) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, 0)",
        (
            event.event_id,
            crash,
            event.project,
            at,
            now,
            size,
            summary.person,
            summary.person_id,
            summary.user,
            facet_table.add(db, crash, summary),
            summary.value,
        ),
    ).lastrowid
    db.execute("INSERT INTO bodies VALUES (?, ?)", (seq, event.packed))
    if summary.person_id:
        met = db.execute(
            "INSERT INTO people VALUES (?, ?, 1)"
            " ON CONFLICT DO UPDATE SET events = events + 1 RETURNING events",
            (crash, summary.person_id),
        ).fetchone()[0]
        if met == 1:
            db.execute("UPDATE crashes SET people = people + 1 WHERE id = ?", (crash,))
    add_totals(db, 1, size)
    return seq or 0, crash


def add_attachments(
    db: sqlite3.Connection, event_id: str, attachments: Sequence[Attachment]
) -> None:
    """Write the attachments of an event that is there."""
    if not attachments:
        return
    taken = attachment_table.add(db, event_id, attachments)
    kept = db.execute(
        "UPDATE events SET size = size + ?, attachments = (SELECT count(*) FROM attachments a"
        " WHERE a.event_id = events.event_id) WHERE event_id = ? RETURNING kept",
        (taken, event_id),
    ).fetchone()[0]
    if not kept:
        add_totals(db, 0, taken)


def totals(db: sqlite3.Connection) -> tuple[int, int]:
    """How many events there are that are not marked to keep, and how many bytes they take."""
    found = dict(db.execute("SELECT name, value FROM facts WHERE name IN ('events', 'bytes')"))
    return int(found.get("events") or 0), int(found.get("bytes") or 0)


def add_totals(db: sqlite3.Connection, events: int, size: int) -> None:
    db.execute("UPDATE facts SET value = value + ? WHERE name = 'events'", (events,))
    db.execute("UPDATE facts SET value = value + ? WHERE name = 'bytes'", (size,))


def count_totals(db: sqlite3.Connection) -> None:
    """Count again what is there."""
    count, size = db.execute("SELECT count(*), sum(size) FROM events WHERE kept = 0").fetchone()
    for name, value in (("events", count), ("bytes", size or 0)):
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


_COLUMNS: Final = (
    "SELECT seq, event_id, crash, size, kept, person_id, facet, attachments FROM events"
)


def prune(db: sqlite3.Connection, most: int, most_bytes: int) -> list[str]:
    """Forget the oldest events that are not marked to keep, but never the newest of all.

    :param most: how many events are kept. A thousandth more stays until it is forgotten at once:
        events that lie side by side cost a third of what they cost one after the other.
    :return: the keys of the crashes that have no events any more.
    """
    gone: list[str] = []
    has_pruned = False
    count, size = totals(db)
    if count <= most + most // 1_000 and size <= most_bytes:
        return gone
    while True:
        if count <= 1 or (count <= most and size <= most_bytes):
            break
        rows = db.execute(
            f"{_COLUMNS} WHERE kept = 0 ORDER BY seq LIMIT ?", (min(max(1, count - most), 500),)
        ).fetchall()
        if not rows:
            count_totals(db)
            break
        gone += delete(db, rows)
        has_pruned = True
        count, size = totals(db)
    if has_pruned:
        word_index.drop_old(db)
    return gone


def of_crash(db: sqlite3.Connection, crash: int) -> list[sqlite3.Row]:
    """The rows of a crash's events, for `delete`."""
    return db.execute(f"{_COLUMNS} WHERE crash = ?", (crash,)).fetchall()


def delete(db: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> list[str]:
    """Forget events, with their words and attachments, and crashes that have no events any more.

    :return: the keys of those crashes.
    """
    numbers = [(row["seq"],) for row in rows]
    ids = [(row["event_id"],) for row in rows]
    db.executemany("DELETE FROM bodies WHERE seq = ?", numbers)
    db.executemany("DELETE FROM events WHERE seq = ?", numbers)
    db.executemany("DELETE FROM reports WHERE event_id = ?", ids)
    facet_table.remove(db, (row["facet"] for row in rows))
    for row in rows:
        if row["attachments"]:
            db.execute("DELETE FROM attachments WHERE event_id = ?", (row["event_id"],))
        if row["person_id"]:
            _forget_person(db, row["crash"], row["person_id"])
    sizes = [row["size"] for row in rows if not row["kept"]]
    add_totals(db, -len(sizes), -sum(sizes))
    gone: list[str] = []
    for crash in dict.fromkeys(row["crash"] for row in rows):
        left = "SELECT 1 FROM events WHERE crash = ? LIMIT 1"
        if db.execute(left, (crash,)).fetchone() is None:
            found = db.execute("DELETE FROM crashes WHERE id = ? RETURNING key", (crash,))
            gone += [key for (key,) in found.fetchall()]
    return gone


def _forget_person(db: sqlite3.Connection, crash: int, person: str) -> None:
    left = db.execute(
        "UPDATE people SET events = events - 1 WHERE crash = ? AND person = ? RETURNING events",
        (crash, person),
    ).fetchone()
    if left is not None and left[0] <= 0:
        db.execute("DELETE FROM people WHERE crash = ? AND person = ?", (crash, person))
        db.execute("UPDATE crashes SET people = people - 1 WHERE id = ?", (crash,))


_KEPT: Final = 100
"""Events of one crash that are kept when it is marked to keep, the newest."""


def keep(db: sqlite3.Connection, crash: int, kept: bool) -> None:
    """Mark a crash's newest events so that they are never pruned, or take the mark away."""
    rows = db.execute(
        "SELECT seq, size FROM events WHERE crash = ? AND kept = ? ORDER BY seq DESC LIMIT ?",
        (crash, not kept, _KEPT if kept else -1),
    ).fetchall()
    db.executemany("UPDATE events SET kept = ? WHERE seq = ?", [(kept, row[0]) for row in rows])
    sign = -1 if kept else 1
    add_totals(db, sign * len(rows), sign * sum(row[1] for row in rows))


def kept_bytes(db: sqlite3.Connection) -> int:
    """Bytes of the events that are marked to keep."""
    row = db.execute("SELECT sum(size) FROM events WHERE kept = 1").fetchone()
    return int(row[0] or 0)
