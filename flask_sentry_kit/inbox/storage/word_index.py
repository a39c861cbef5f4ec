"""The index of the words of events, in parts of some thousand events each.

SQLite's full-text index must be given a text again to forget it, which costs three times as much as
to add it. So nothing is taken out: when no event of the oldest part is there any more, that part is
dropped as a whole. Until then it may name events that are gone.

Every function works in a transaction of the caller's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from ..content.reading import clean
from ..content.summary import summarize
from ..errors import DamagedEventError
from .records import json_of

TABLES: Final = "event_text_"
"""What the names of the parts begin with."""

_PARTS: Final = 8
_SMALLEST: Final = 500

# The text itself is not kept: an event's page is made of its body.
_MAKE: Final = "CREATE VIRTUAL TABLE {} USING fts5 (words, content='')"


WAITING: Final = 64
"""Events whose words are noted until they are indexed together, or until a search needs them. FTS5
writes a part of its index anew with each transaction, which costs more than the words of one."""


def part_size(keep_events: int) -> int:
    """How many events one part holds, where so many are kept."""
    return max(_SMALLEST, keep_events // _PARTS)


def add(db: sqlite3.Connection, events: Sequence[tuple[int, str]], size: int) -> None:
    """Make events be found by their words.

    All that a transaction adds is best given at once, at its end: FTS5 writes what it has gathered
    whenever a statement begins that may have to be undone alone, which takes longer than the rest.

    :param events: number and words of each, the oldest first.
    :param size: how many events a part holds.
    """
    row = db.execute("SELECT id, first_seq FROM parts ORDER BY id DESC LIMIT 1").fetchone()
    number, end = (int(row[0]), row[1] + size) if row else (0, 0)
    at = 0
    while at < len(events):
        first = events[at][0]
        if first >= end:
            number, end = number + 1, first + size
            db.execute("INSERT INTO parts VALUES (?, ?)", (number, first))
            db.execute(_MAKE.format(f"{TABLES}{number}"))
        next_at = at + sum(seq < end for seq, _ in events[at:])
        db.executemany(
            f"INSERT INTO {TABLES}{number} (rowid, words) VALUES (?, ?)", events[at:next_at]
        )
        at = next_at


def put(db: sqlite3.Connection, events: Sequence[tuple[int, str]]) -> None:
    """Note the words of events that `index` is to add."""
    db.executemany("INSERT INTO words_to_index VALUES (?, ?)", events)


def waiting(db: sqlite3.Connection) -> int:
    """How many events are not in the index yet."""
    return int(db.execute("SELECT count(*) FROM words_to_index").fetchone()[0])


def index(db: sqlite3.Connection, size: int) -> None:
    """Add all that is noted to the index.

    :param size: how many events a part holds.
    """
    rows = db.execute("SELECT seq, words FROM words_to_index ORDER BY seq").fetchall()
    if rows:
        add(db, [(row[0], row[1]) for row in rows], size)
        db.execute("DELETE FROM words_to_index")


def tables(db: sqlite3.Connection) -> list[str]:
    """The names of the parts, the newest first."""
    return [f"{TABLES}{int(row[0])}" for row in db.execute("SELECT id FROM parts ORDER BY id DESC")]


def drop_old(db: sqlite3.Connection) -> None:
    """Drop the parts before the one with the oldest event that is not marked to keep. The events in
    them that are marked move to the newest part."""
    rows = db.execute("SELECT id, first_seq FROM parts ORDER BY id LIMIT 2").fetchall()
    if len(rows) < 2:
        return
    end = rows[1]["first_seq"]
    oldest = db.execute("SELECT seq FROM events WHERE kept = 0 ORDER BY seq LIMIT 1").fetchone()
    if oldest is not None and oldest[0] < end:
        return
    newest = tables(db)[0]
    kept = "SELECT e.seq, e.event_id, b.body FROM events e JOIN bodies b ON b.seq = e.seq"
    for row in db.execute(f"{kept} WHERE e.kept = 1 AND e.seq < ?", (end,)).fetchall():
        words = _words_of(row)
        db.execute(f"INSERT INTO {newest} (rowid, words) VALUES (?, ?)", (row["seq"], words))
    db.execute(f"DROP TABLE {TABLES}{int(rows[0]['id'])}")
    db.execute("DELETE FROM parts WHERE id = ?", (rows[0]["id"],))
    drop_old(db)


def _words_of(row: sqlite3.Row) -> str:
    try:
        body = clean(json.loads(json_of(row["event_id"], row["body"])))
    except (DamagedEventError, ValueError, RecursionError):
        return ""
    return summarize(body).words if isinstance(body, dict) else ""
