"""Looks into a spool from outside: how much is queued, and why the last item was refused. Changes
nothing in it, and delivers nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import NamedTuple

from .. import files
from .damage import APPLICATION_ID, WHAT
from .spool_file import BUSY_TIMEOUT, VERSION


class SpoolState(NamedTuple):
    """What is in a spool."""

    queued: Counter[str]
    """Items by the server's origin."""
    refused: str | None
    """The reason of the last refused item, of the last thousand items; None if there is none."""


def read_spool(path: str) -> SpoolState:
    """Look into an existing spool, and see that it can be written.

    :raises UnsafeFileError: somebody else could have prepared the file.
    :raises OSError, sqlite3.Error: it cannot be opened, read or written.
    :raises ValueError: it is no spool.
    """
    db = files.connect(path, WHAT, make=False, timeout=BUSY_TIMEOUT)
    with closing(db):
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID:
            if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise ValueError("it is another program's database")
            return SpoolState(Counter(), None)
        _try_to_write(db)
        rows = db.execute("SELECT CAST(origin AS TEXT), count(*) FROM items GROUP BY 1 LIMIT 20")
        queued = Counter({str(origin): int(count) for origin, count in rows})
        last = None
        if db.execute("PRAGMA user_version").fetchone()[0] == VERSION:
            last = db.execute(
                "SELECT reason FROM settled WHERE state = 'refused' ORDER BY id DESC LIMIT 1"
            ).fetchone()
        return SpoolState(queued, None if last is None else str(last[0]))


def _try_to_write(db: sqlite3.Connection) -> None:
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        # Another process is writing at this moment, so it can be written.
