"""The queue on disk: a SQLite file (WAL) that several processes share. Sends nothing itself.

No library does this: of those looked at in November 2026, persist-queue does not support several
processes, huey deletes a task before it runs (gone after ``kill -9``), litequeue needs Python
3.12, and localqueue hands items to several takers at once, so that order is lost; none is bounded
in bytes.

What a commit guarantees: ``synchronous=NORMAL`` in WAL mode, so an item is safe from ``kill -9``
of any process when ``put`` returns. The last ones may be lost when the machine loses power. A
process killed between the server's answer and the deletion sends that one item again; its event
id makes the repeat harmless.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from .item import Entry, Item, Request, State

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# "sKit": a file that is another program's database is never written to.
APPLICATION_ID = 0x734B6974
VERSION = 1

# How long one transaction may wait for another process's, which takes well under 1 ms.
BUSY_TIMEOUT = 0.25
# Why items were refused, for tickets that still ask.
REFUSALS_KEPT = 1000

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
    otherwise TEXT,
    otherwise_body BLOB,
    use_otherwise INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL
);
CREATE TABLE refused (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE total (items INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0, 0);
CREATE TRIGGER item_in AFTER INSERT ON items BEGIN
    UPDATE total SET items = items + 1, bytes = bytes + NEW.size;
END;
CREATE TRIGGER item_out AFTER DELETE ON items BEGIN
    UPDATE total SET items = items - 1, bytes = bytes - OLD.size;
END;
"""


class SpoolBusy(Exception):
    """This once it could not be done: another process holds the file, or the disk is full."""


class SpoolLost(Exception):
    """The file cannot be used (any more): damaged, read-only, not ours."""


# Connections a process inherited through a fork that ran no hooks. Closing one would touch the
# parent's files, and so would its deletion by the garbage collector.
_inherited: list[object] = []


class Spool:
    """The items in one file. Any thread may call it; every call is one short transaction."""

    def __init__(self, path: str, max_items: int, max_bytes: int) -> None:
        self.path = path
        self.max_items = max_items
        self.max_bytes = max_bytes
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        # Closed after each look, until there is a worker that will close it in the end.
        self._keep = False
        self._file: tuple[int, int] | None = None
        self._lease: int | None = None

    def add(self, item: Item) -> int | None:
        """Store an item and return its id, or None when the spool is full.

        :raises SpoolBusy, SpoolLost: as all methods here do.
        """
        self._keep = True
        size = item.size
        otherwise = item.otherwise
        row = (
            item.kind,
            item.event_id,
            item.request.origin,
            _head(item.request),
            item.request.body,
            _head(otherwise) if otherwise else None,
            otherwise.body if otherwise else None,
            size,
        )
        with self._transaction(write=True) as db:
            items, taken = db.execute("SELECT items, bytes FROM total").fetchone()
            if items >= self.max_items or taken + size > self.max_bytes:
                return None
            return db.execute(
                "INSERT INTO items (kind, event_id, origin, request, body, otherwise,"
                " otherwise_body, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid

    def head(self, skip: Collection[str]) -> Entry | None:
        """The oldest entry whose origin is not in ``skip``."""
        while True:
            with self._transaction() as db:
                row = db.execute(
                    "SELECT id, kind, event_id, origin, request, body, otherwise, otherwise_body,"
                    " use_otherwise, tries FROM items"
                    f" WHERE origin NOT IN ({','.join('?' * len(skip))}) ORDER BY id LIMIT 1",
                    tuple(skip),
                ).fetchone()
            if row is None:
                return None
            id, kind, event_id, origin, head, body, other, other_body, use_otherwise, tries = row
            try:
                otherwise = _request(other, other_body) if other is not None else None
                item = Item(kind, event_id, _request(head, body), otherwise)
            except (ValueError, TypeError, KeyError):
                # Somebody edited it: those behind it are none the worse.
                self.remove(id, "it could not be read back from the spool")
                continue
            return Entry(id, item, origin, tries, bool(use_otherwise))

    def update(self, entry: Entry) -> None:
        with self._transaction(write=True) as db:
            db.execute(
                "UPDATE items SET tries = ?, use_otherwise = ? WHERE id = ?",
                (entry.tries, entry.use_otherwise, entry.id),
            )

    def remove(self, id: int, refused: str | None) -> None:
        """Take an item out, which was sent, or refused for the reason given."""
        with self._transaction(write=True) as db:
            db.execute("DELETE FROM items WHERE id = ?", (id,))
            if refused is not None:
                db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?)", (id, refused))
                db.execute("DELETE FROM refused WHERE id <= ?", (id - REFUSALS_KEPT,))

    def outcome(self, id: int) -> tuple[State, str | None]:
        """What became of an item; one that is in neither table has been sent."""
        try:
            with self._transaction() as db:
                row = db.execute(
                    "SELECT (SELECT 1 FROM items WHERE id = ?),"
                    " (SELECT reason FROM refused WHERE id = ?)",
                    (id, id),
                ).fetchone()
        except (SpoolBusy, SpoolLost):
            return "waiting", None
        if row[0]:
            return "waiting", None
        return ("sent", None) if row[1] is None else ("refused", row[1])

    def count(self) -> int:
        with self._transaction() as db:
            return int(db.execute("SELECT items FROM total").fetchone()[0])

    def last_id(self) -> int:
        with self._transaction() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM items").fetchone()[0])

    def any_up_to(self, id: int) -> bool:
        with self._transaction() as db:
            found = db.execute("SELECT 1 FROM items WHERE id <= ? LIMIT 1", (id,)).fetchone()
        return found is not None

    def lease(self) -> bool:
        """Become the one process that delivers. False: another one is.

        The operating system's lock on a file beside the spool, so that it ends with the process,
        however that ends.
        """
        with self._lock:
            path = f"{self.path}.lock"
            if self._lease is not None:
                if _same_file(self._lease, path):
                    return True
                self._release()
            try:
                lease = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise _trouble(error) from error
            try:
                if sys.platform == "win32":
                    msvcrt.locking(lease, msvcrt.LK_NBLCK, 1)
                else:
                    fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lease)
                if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                    return False
                # A file system without locks: waiting for one would be for ever.
                raise SpoolLost(f"it cannot be locked: {error}") from error
            self._lease = lease
            self._keep = True
            return True

    def release(self) -> None:
        """Let another process deliver."""
        with self._lock:
            self._release()

    def close(self) -> None:
        with self._lock:
            self._keep = False
            self._release()
            self._close()

    def freeze(self) -> None:
        """Before a fork: close the file and keep it closed until ``thaw``.

        SQLite's locks are the process's, its notes about them are inherited: a child that opens
        the file while the parent has it open believes it holds locks that it does not.
        """
        self._lock.acquire()
        self._close()

    def thaw(self) -> None:
        self._lock.release()

    def abandon(self) -> None:
        """In a forked child: let go of the lease, which stays the parent's."""
        lease, self._lease = self._lease, None
        if lease is not None:
            with suppress(OSError):
                os.close(lease)
        if self._db is not None:
            _inherited.append(self._db)

    def _release(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            with suppress(OSError):
                if sys.platform != "win32":
                    # Explicitly: a child that has just been forked has the descriptor too.
                    fcntl.flock(lease, fcntl.LOCK_UN)
                os.close(lease)

    def _close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                db = self._open()
                if not write:
                    yield db
                    return
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    with suppress(sqlite3.Error):
                        db.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError) as error:
                trouble = _trouble(error)
                if isinstance(trouble, SpoolLost):
                    self._close()
                raise trouble from error
            finally:
                if not self._keep:
                    self._close()

    def _open(self) -> sqlite3.Connection:
        if self._db is not None:
            if _identity(self.path) == self._file:
                return self._db
            # Somebody moved or deleted the file: what is written to it now would be lost.
            self._close()
        # Created here, for its mode: it holds what visitors wrote. SQLite gives it to the
        # files it makes beside it.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        self._db, self._file = db, _identity(self.path)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        if self._is_new(db):
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
        if self._is_new(db):
            db.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            if self._is_new(db):
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
            db.execute("COMMIT")

    def _is_new(self, db: sqlite3.Connection) -> bool:
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if (owner, version) == (APPLICATION_ID, VERSION):
            return False
        if (owner, version) == (0, 0):
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return True
        elif owner == APPLICATION_ID:
            raise SpoolLost(f"a spool of version {version}, and this is for {VERSION}")
        raise SpoolLost("it is another program's database")


def _trouble(error: sqlite3.Error | OSError) -> SpoolBusy | SpoolLost:
    """Whether what went wrong may pass: a lock, a full disk, no descriptor left."""
    said = str(error)
    # Python 3.10 does not tell SQLite's code.
    if isinstance(error, sqlite3.OperationalError) and ("locked" in said or "full" in said):
        return SpoolBusy(said)
    passing = (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError) and error.errno in passing:
        return SpoolBusy(said)
    return SpoolLost(said)


def _head(request: Request) -> str:
    return json.dumps({"url": request.url, "headers": dict(request.headers)})


def _request(head: str, body: bytes) -> Request:
    data = json.loads(head)
    return Request(data["url"], data["headers"], body)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _same_file(descriptor: int, path: str) -> bool:
    found = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == _identity(path)


def _statements(script: str) -> Iterator[str]:
    # executescript() would commit first, and so end the transaction it shall run in.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
