"""The table of what events have in common: type, place, release, tags and the like.

Most events say the same as others did. A search looks at each such combination once, and not at all
the events that have it. Every function works in a transaction of the caller's.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Final

from ..content.summary import Summary

COLUMNS: Final = (
    "type",
    "place",
    "level",
    "url",
    "method",
    "server",
    "app",
    "release",
    "environment",
    "tags",
)

SCHEMA: Final = """
CREATE TABLE facets (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    crash INTEGER NOT NULL,
    events INTEGER NOT NULL,
    type TEXT NOT NULL, place TEXT NOT NULL, level TEXT NOT NULL,
    url TEXT NOT NULL, method TEXT NOT NULL, server TEXT NOT NULL, app TEXT NOT NULL,
    release TEXT NOT NULL, environment TEXT NOT NULL, tags TEXT NOT NULL
);
"""

_PUT: Final = (
    f"INSERT INTO facets (digest, crash, events, {', '.join(COLUMNS)})"
    f" VALUES (?, ?, 1, {', '.join('?' * len(COLUMNS))})"
    " ON CONFLICT (digest) DO UPDATE SET events = events + 1 RETURNING id"
)


def add(db: sqlite3.Connection, crash: int, summary: Summary) -> int:
    """Count one more event of a crash that says this. Returns the row's id."""
    values = (
        summary.type,
        summary.where,
        summary.level,
        summary.url,
        summary.method,
        summary.server,
        summary.app,
        summary.release,
        summary.environment,
        summary.tags,
    )
    whole = "\0".join((str(crash), *values)).encode()
    digest = hashlib.blake2b(whole, digest_size=16).digest()
    return int(db.execute(_PUT, (digest, crash, *values)).fetchone()[0])


def remove(db: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Count events less; each by the id of its row, as often as it has events that are gone."""
    counted = [(count, number) for number, count in Counter(ids).items()]
    db.executemany("UPDATE facets SET events = events - ? WHERE id = ?", counted)
    numbers = [(number,) for _, number in counted]
    db.executemany("DELETE FROM facets WHERE id = ? AND events <= 0", numbers)
