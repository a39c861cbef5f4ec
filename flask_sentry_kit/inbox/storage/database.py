"""The inbox's SQLite file: private, made when it is missing, set aside when it is damaged.

One connection writes, for one thread at a time. Others read, each for one thread at a time, and are
kept for the next. Every call does one short transaction. Knows nothing of what is in the tables.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from ...files import UnsafeFileError, connect, connect_in_memory, make_private_file
from ..errors import InboxError
from .connection_pool import Connections

_WHAT: Final = "The inbox's file"
_MAGIC: Final = b"SQLite format 3\0"
_SMALLEST: Final = 512
_BESIDE: Final = ("-wal", "-shm", "-journal")

# Pages of 4 kB that each connection remembers.
_PAGES: Final = 4_000

# Pages of a file that is checked as a whole when it is opened, which takes 1 ms for each 4 MB.
# Damage in a larger one is noticed where it is read.
_CHECKED: Final = 8_000

_Identity = tuple[int, ...]

_log = logging.getLogger(__name__)


class Database:
    """One file with one schema.

    If the file is damaged, it is set aside under another name and a new one is begun. If it is
    deleted or replaced while the inbox runs, the inbox goes on with what is there, or with a new
    file. Both are logged.

    :param path: of the file; if it is missing, it is made, readable by its owner only.
    :param schema: statements that make the tables, each ended by ``;`` and a line break.
    :param application_id: marks the file as ours, so that another program's is not written to.
    :param version: of the schema; a file of a later one is refused.
    :param passing: what the names of tables begin with that come and go.
    :raises InboxError: the file cannot be made or written, was made by somebody else, is not ours,
        or has other tables.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        schema: str,
        application_id: int,
        version: int,
        passing: str = "",
    ) -> None:
        self.path = Path(path).absolute()
        self.timeout = 10.0
        """Seconds to wait for a writer of another process."""
        self._schema = schema
        self._application_id = application_id
        self._version = version
        self._passing = passing
        self._renewal = threading.RLock()
        self._identity: _Identity | None = None
        self._opened_inodes: tuple[object, object] = (None, None)
        self._connections = Connections()
        self._writing = threading.Lock()
        weakref.finalize(self, self._connections.close)
        self._begin()

    def close(self) -> None:
        """Close the file. The next call opens it again."""
        self._connections.close()

    def _upgrade(self, db: sqlite3.Connection, version: int) -> None:
        """Bring the tables of an older version up to date."""

    def _fill(self, db: sqlite3.Connection) -> None:
        """Write the rows that the file needs; called each time that it is opened anew."""

    def _salvage(self, db: sqlite3.Connection) -> None:
        """Read from a damaged file, as far as possible, what `_fill` writes into the new one."""

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        """A connection to read one state of the file with, for this thread alone."""
        with self._watched():
            made = self._connections
            db = made.take() or self._connect()
            try:
                db.execute("BEGIN")
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.close()
                raise
            made.put_back(db)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """The connection that writes, in a transaction."""
        with self._writing, self._watched():
            made = self._connections
            db = made.take_writer() or self._connect()
            try:
                with _transaction(db):
                    yield db
            finally:
                made.put_back_writer(db)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """See to it that the file is there, and set it aside where it turns out to be damaged."""
        if self._identity_now() != self._identity:
            self._renew()
        identity = self._identity
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if _is_damage(error):
                self._recover(error, identity)
            raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(self._connect()) as db:
            yield db

    def _connect(self, **pragmas: str) -> sqlite3.Connection:
        # With WAL, a crash of the machine may lose the last moment, never the file. `_watched` sees
        # to it that the file is there; nothing here makes another one.
        pragmas |= {
            "synchronous": "NORMAL",
            "cache_size": str(_PAGES),
            # Up to 16 MB in the log: pages that change often are written back a quarter as often.
            "wal_autocheckpoint": "4000",
            # Some systems have SQLite write zeros over all that is deleted, which for large events
            # costs as much as writing them.
            "secure_delete": "FAST",
        }
        with _clear_errors(self.path):
            db = connect(
                self.path,
                _WHAT,
                make=False,
                timeout=self.timeout,
                check_same_thread=False,
                pragmas=pragmas,
            )
        db.row_factory = sqlite3.Row
        return db

    # The file itself

    def _begin(self) -> None:
        """Open the file; make it if it is missing, and set it aside first if it is damaged."""
        try:
            self._make()
            try:
                self._set_up()
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not _is_damage(error) or not self._is_ours():
                    raise
                with suppress(sqlite3.Error, UnicodeDecodeError):
                    # So that SQLite also reads a file that is shorter than its header says.
                    with closing(self._connect(writable_schema="ON")) as db:
                        self._salvage(db)
                self._set_aside(error)
                self._make()
                self._set_up()
            self._keep_open()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise InboxError(
                f"Cannot use {self.path} as the inbox's database: {error}. Move it away, or name"
                " another file."
            ) from None

    def _make(self) -> None:
        # SQLite would write the log of the earlier file into the one that is here now.
        now, log = self._inode(), self._inode("-wal")
        of_another = (
            log is not None and log == self._opened_inodes[1] and now != self._opened_inodes[0]
        )
        if now is None or of_another:
            for suffix in _BESIDE:
                with suppress(OSError):
                    os.unlink(f"{self.path}{suffix}")
        with _clear_errors(self.path):
            make_private_file(self.path, _WHAT)

    def _set_up(self) -> None:
        if 0 < os.stat(self.path).st_size < _SMALLEST:
            # SQLite treats a file of a few bytes as an empty one.
            raise sqlite3.DatabaseError("file is not a database")
        with self._connection() as db:
            if db.execute("PRAGMA application_id").fetchone()[0] != self._application_id:
                if _columns(db):
                    raise InboxError(f"{self.path} is another program's database.")
            db.execute("PRAGMA journal_mode = WAL")
            with _transaction(db):
                # Another process may have made the tables in the meantime.
                if not _columns(db):
                    self._make_tables(db)
                    db.execute(f"PRAGMA application_id = {self._application_id}")
                    db.execute(f"PRAGMA user_version = {self._version}")
                if db.execute("PRAGMA page_count").fetchone()[0] <= _CHECKED:
                    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                    if found != "ok":
                        raise sqlite3.DatabaseError(" ".join(str(found).split()))
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > self._version:
                    raise InboxError(
                        f"{self.path} was written by a newer version of the inbox. Install that"
                        " one, move the file away, or name another file."
                    )
                if version < self._version:
                    self._upgrade(db, version)
                    db.execute(f"PRAGMA user_version = {self._version}")
                found_columns = {
                    (table, column)
                    for table, column in _columns(db)
                    if not (self._passing and table.startswith(self._passing))
                }
                if found_columns != self._expected_columns():
                    raise InboxError(
                        f"{self.path} is an inbox's database of another version: it has other"
                        " tables. Move it away, or name another file."
                    )
                self._fill(db)

    def _make_tables(self, db: sqlite3.Connection) -> None:
        execute_all(db, self._schema)

    def _expected_columns(self) -> set[tuple[str, str]]:
        with closing(connect_in_memory()) as db:
            self._make_tables(db)
            return _columns(db)

    def _keep_open(self) -> None:
        db = self._connect()
        db.execute("SELECT 1 FROM sqlite_master").fetchall()
        self._connections.put_back_writer(db)
        self._identity = self._identity_now()
        self._opened_inodes = self._inode(), self._inode("-wal")

    def _let_go(self) -> None:
        """Have every connection closed, and no more used, that was made so far."""
        self._connections.close()
        self._connections = Connections()
        weakref.finalize(self, self._connections.close)
        self._identity = None

    def _identity_now(self) -> _Identity | None:
        """What changes if the file is replaced or made less private; None if it is missing."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_nlink

    def _inode(self, suffix: str = "") -> object:
        """Device and inode of the file, or of one beside it; None if it is missing."""
        try:
            found = os.lstat(f"{self.path}{suffix}")
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _is_ours(self) -> bool:
        if self._identity is not None:
            # It was ours when it was opened.
            return self._identity == self._identity_now()
        head = self._head()
        # Its place in SQLite's file format ("Database File Format", section 1.3).
        mark = int.from_bytes(head[68:72], "big", signed=True)
        return head.startswith(_MAGIC) and mark == self._application_id

    def _head(self) -> bytes:
        # Closing the file would end the locks that another connection of this process has on it, so
        # this is only for a file that cannot be used anyway.
        with _clear_errors(self.path), open(self.path, "rb") as file:
            return file.read(72)

    def _renew(self) -> None:
        """Go on with the file that is at the path now, or with a new one."""
        with self._renewal:
            now = self._identity_now()
            if now == self._identity:
                return
            what = "was deleted: a new one is begun" if now is None else "was replaced or changed"
            self._let_go()
            self._begin()
            _log.warning("%s %s %s. The DSN stays the same.", _WHAT, self.path, what)

    def _recover(self, error: Exception, identity: _Identity | None) -> None:
        """Set the damaged file aside, unless another thread did, and begin a new one."""
        with self._renewal:
            if identity is None or identity != self._identity_now():
                return
            self._let_go()
            self._set_aside(error)
            self._begin()

    def _set_aside(self, error: Exception) -> None:
        name = f"{self.path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
        while os.path.lexists(name):
            name += "x"
        os.rename(self.path, name)
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                os.rename(f"{self.path}{suffix}", f"{name}{suffix}")
        _log.error(
            "%s %s is damaged (%s). It is set aside as %s, and a new one is begun. To get back"
            " what was in it, try the command sqlite3 with .recover.",
            _WHAT,
            self.path,
            error,
            name,
        )


def execute_all(db: sqlite3.Connection, statements: str) -> None:
    """Run statements that end with ``;`` and a line break each, in the caller's transaction."""
    for statement in statements.split(";\n"):
        db.execute(statement)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock now, and waits for it, so that no statement fails half-way.
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # SQLite may have rolled back already, or may be unable to because the file is damaged.
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UnsafeFileError as error:
        raise InboxError(f"{error}.") from None
    except OSError as error:
        raise InboxError(f"Cannot write {path}: {error.strerror}") from None


def _columns(db: sqlite3.Connection) -> set[tuple[str, str]]:
    found = db.execute(
        "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p"
        " WHERE m.type = 'table'"
    ).fetchall()
    return {(str(table), str(column)) for table, column in found}


def _is_damage(error: Exception) -> bool:
    """Whether the file is damaged, and not just unusable at the moment.

    SQLITE_CORRUPT and SQLITE_NOTADB are plain DatabaseErrors. Our statements break no constraint
    and name no table that is missing, unless the file is damaged. SQLite's own messages may quote
    bytes that Python cannot decode.
    """
    if isinstance(error, sqlite3.OperationalError):
        return str(error).startswith(("no such table", "no such column", "no such index"))
    return isinstance(error, sqlite3.IntegrityError | UnicodeDecodeError) or (
        type(error) is sqlite3.DatabaseError
    )
