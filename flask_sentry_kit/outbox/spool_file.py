"""The spool's file as a SQLite database: opened, made, checked, and its errors sorted."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache

from .. import files
from .damage import APPLICATION_ID, WHAT, DamagedError
from .spool_errors import SpoolBusy, SpoolFull, SpoolLost
from .spool_upgrade import OLD_VERSION, upgrade

VERSION = 3


# Seconds that one transaction may wait for another process's, which takes well under 1 ms.
BUSY_TIMEOUT = 0.25

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    event_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    request TEXT NOT NULL,
    body BLOB NOT NULL,
    alternatives TEXT,
    at INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL
);
CREATE TABLE settled (id INTEGER PRIMARY KEY, state TEXT NOT NULL, taken TEXT, reason TEXT);
CREATE TABLE total (items INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER item_in AFTER INSERT ON items BEGIN
    UPDATE total SET items = items + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER item_out AFTER DELETE ON items BEGIN
    UPDATE total SET items = items - 1, bytes = bytes - OLD.size;
END;
"""


def connect(path: str) -> sqlite3.Connection:
    """A connection to the spool's file, which is made if it is not there; ``prepare`` comes next.

    :raises sqlite3.Error, OSError, DamagedError: ``trouble_of`` says what that means.
    :raises SpoolLost: it is not ours, or somebody else could have prepared it.
    """
    try:
        return files.connect(path, WHAT, timeout=BUSY_TIMEOUT, check_same_thread=False)
    except files.UnsafeFileError as error:
        raise SpoolLost(str(error)) from error


# The item cannot be stored; the file is in order.
FAULTS_OF_AN_ITEM = (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError)


def total(db: sqlite3.Connection) -> tuple[int, int]:
    found = db.execute("SELECT items, bytes FROM total").fetchall()
    if len(found) != 1 or not all(isinstance(value, int) for value in found[0]):
        raise DamagedError("it does not say how much is in it")
    items, size = found[0]
    return items, size


def items_in(path: str, otherwise: int) -> int:
    """How many items a damaged spool says that it held; if it cannot say so, ``otherwise``."""
    try:
        with closing(files.connect(path, WHAT, read_only=True)) as db:
            return total(db)[0]
    except (sqlite3.Error, OSError, ValueError, files.UnsafeFileError):
        return otherwise


def trouble_of(error: Exception) -> SpoolBusy | SpoolLost:
    """Whether what went wrong may pass: a lock, a full disk, no descriptor left."""
    said = str(error)
    # Python 3.10 does not tell SQLite's code.
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in said:
            return SpoolBusy(said)
        # A full disk is "full", or "disk I/O error" where shared memory is to grow; no
        # descriptor left is "unable to open database file".
        if "full" in said or "disk I/O" in said or "unable to open" in said:
            return SpoolFull(said)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return SpoolBusy(said)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SpoolFull(said)
    return SpoolLost(said)


def identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables in an empty file, and see that those in any other are ours.

    :raises sqlite3.Error, DamagedError, SpoolLost: as ``connect`` does.
    """
    if _is_new(db):
        # The file shrinks again after an outage. Only an empty database takes this.
        db.execute("PRAGMA auto_vacuum = FULL")
    give_up = time.monotonic() + 4 * BUSY_TIMEOUT
    while True:
        # SQLite does not wait its time-out where two processes turn WAL on at once.
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    db.execute("PRAGMA synchronous = NORMAL")
    if _is_new(db):
        db.execute("BEGIN IMMEDIATE")
        # Another process may have been first.
        if _is_new(db):
            for statement in _statements(_SCHEMA):
                db.execute(statement)
        db.execute("COMMIT")
    elif _version(db) == OLD_VERSION:
        db.execute("BEGIN IMMEDIATE")
        if _version(db) == OLD_VERSION:
            upgrade(db, _statements(_SCHEMA))
        db.execute("COMMIT")
    if _schema(db) != _expected_schema():
        raise DamagedError("its tables are not those of a spool")
    last = db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0] or 0
    # SQLite gives no id beyond 2**63, and calls that a full disk.
    if not isinstance(last, int) or last > 2**62:
        raise DamagedError("its ids are used up")


def _is_new(db: sqlite3.Connection) -> bool:
    owner, version = db.execute("PRAGMA application_id").fetchone()[0], _version(db)
    if owner == APPLICATION_ID and version in (OLD_VERSION, VERSION):
        return False
    if (owner, version) == (0, 0):
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return True
    elif owner == APPLICATION_ID:
        raise SpoolLost(f"a spool of version {version}, and this is for {VERSION}")
    raise SpoolLost("it is another program's database")


def _version(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def _schema(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """All tables, indexes and triggers: one that was added could undo what is written."""
    found = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^'"
        " ORDER BY name"
    )
    return [(str(name), str(sql)) for name, sql in found]


@lru_cache(maxsize=1)
def _expected_schema() -> list[tuple[str, str]]:
    with closing(files.connect_in_memory()) as db:
        db.executescript(_SCHEMA)
        return _schema(db)


def _statements(script: str) -> Iterator[str]:
    # executescript() would commit first, and so end the transaction it must run in.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
