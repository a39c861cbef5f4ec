"""The open connections to one SQLite file that nobody uses at the moment."""

from __future__ import annotations

import sqlite3
import threading
from typing import Final

_READERS: Final = 4
"""How many that read are kept."""


class Connections:
    """One that writes, and some that read."""

    def __init__(self) -> None:
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = threading.Lock()

    def take(self) -> sqlite3.Connection | None:
        """One that reads; None: the caller has to open one."""
        with self._lock:
            return self._readers.pop() if self._readers else None

    def put_back(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._readers) < _READERS:
                self._readers.append(db)
                return
        db.close()

    def take_writer(self) -> sqlite3.Connection | None:
        """The one that writes; None: the caller has to open it."""
        with self._lock:
            db, self._writer = self._writer, None
            return db

    def put_back_writer(self, db: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._writer = db
                return
        db.close()

    def close(self) -> None:
        """Close the free ones now, and those in use when they are put back."""
        with self._lock:
            self._closed = True
            found = [*self._readers, self._writer]
            self._readers, self._writer = [], None
        for db in found:
            if db is not None:
                db.close()
