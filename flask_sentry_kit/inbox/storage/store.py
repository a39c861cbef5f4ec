"""Keeps what arrived in one SQLite file: bounded, and safe for several writers.

Knows nothing of HTTP. What a call reads is in ``reads.py``; ``database.py`` opens the file and sets
it aside if it is damaged.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from ..content.feedback_item import Feedback
from ..content.summary import summarize
from ..errors import TooMuchKeptError
from . import event_table, migration, report_table, word_index
from .attachment_table import Attachment
from .batch import BatchWriter
from .changes import Change, Kind, LiveChanges
from .reads import READ_UP_TO, Reads
from .schema import APPLICATION_ID, EVENTS, VERSION
from .search import REFERENCE, Search

KEEP_EVENTS: Final = 1_000
KEEP_BYTES: Final = 256 * 2**20

_SCHEMA: Final = EVENTS + report_table.SCHEMA

T = TypeVar("T")


class Store(Reads):
    """The inbox's file.

    Each method that writes returns once it is committed: what it wrote survives ``kill -9``.

    :param path: of the SQLite file; if it is missing, it is made, readable by its owner only.
    :param keep_events: how many events are kept, the newest, and up to a thousandth more. A report
        is deleted with its event. As many reports are kept on all events, and as many without one,
        the newest. Crashes that are marked to keep come on top of that.
    :param keep_bytes: how many bytes the kept events take at most, compressed.
    :raises InboxError: the file cannot be made or written, or is not an inbox's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_events: int = KEEP_EVENTS,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self.keep_events = max(1, keep_events)
        self.keep_bytes = keep_bytes
        self.live = LiveChanges()
        """The latest changes, to wait for the next one."""
        self._key: str | None = None
        self._batch = BatchWriter(self._transaction)
        self._noted: list[tuple[Kind, str, str]] = []
        self._words: list[tuple[int, str]] = []
        self._has_grown = False
        self._part = word_index.part_size(self.keep_events)
        super().__init__(path, _SCHEMA, APPLICATION_ID, VERSION, passing=word_index.TABLES)

    def close(self) -> None:
        """Close the file, and wake all that wait for changes."""
        self.live.close()
        super().close()

    @property
    def waiting(self) -> int:
        """How many calls wait to be written."""
        return self._batch.waiting

    def _upgrade(self, db: sqlite3.Connection, version: int) -> None:
        migration.upgrade(db, self._part)

    def _fill(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT OR IGNORE INTO facts VALUES ('changes', 0)")
        if self._key is not None:
            # In a new file: so that the DSN which apps have stays valid.
            db.execute("INSERT OR REPLACE INTO facts VALUES ('public_key', ?)", (self._key,))
        event_table.count_totals(db)
        self.live.start(_changes(db))

    def _salvage(self, db: sqlite3.Connection) -> None:
        row = db.execute("SELECT value FROM facts WHERE name = 'public_key'").fetchone()
        if row and re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", str(row[0])):
            self._key = str(row[0])

    def public_key(self, given: str | None = None) -> str:
        """The key of the DSN: the given one, else the kept one, else a new one made at random."""

        def find(db: sqlite3.Connection) -> str:
            row = db.execute("SELECT value FROM facts WHERE name = 'public_key'").fetchone()
            key = given or (str(row[0]) if row else secrets.token_hex(16))
            db.execute("INSERT OR REPLACE INTO facts VALUES ('public_key', ?)", (key,))
            return key

        self._key = self._batch.run(find)
        return self._key

    def _prepare(self, search: Search) -> None:
        if any(term.field in ("", REFERENCE) for term in search.terms):
            with self._read() as db:
                is_behind = word_index.waiting(db) > 0
            if is_behind:
                self._batch.run(lambda db: word_index.index(db, self._part))

    # Writing

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """What a batch writes, what it pushes out, and the numbers of its changes."""
        self._noted, self._words, self._has_grown = [], [], False
        with self._write() as db:
            yield db
            if self._has_grown:
                for key in event_table.prune(db, self.keep_events, self.keep_bytes):
                    self._note("deleted", key)
            if self._words:
                word_index.put(db, self._words)
                if word_index.waiting(db) >= word_index.WAITING:
                    word_index.index(db, self._part)
            last = _changes(db) + len(self._noted)
            if self._noted:
                db.execute("UPDATE facts SET value = ? WHERE name = 'changes'", (last,))
        first = last - len(self._noted) + 1
        self.live.add(Change(first + index, *what) for index, what in enumerate(self._noted))

    def _note(self, kind: Kind, crash: str = "", event_id: str = "") -> None:
        self._noted.append((kind, crash, event_id))

    def add_event(
        self,
        event_id: str,
        data: bytes,
        body: Mapping[str, Any],
        *,
        packed: bytes | None = None,
        project: str = "1",
        attachments: Sequence[Attachment] = (),
    ) -> bool:
        """Keep an event. False: one with this id is kept already.

        :param data: the event's JSON in UTF-8, which the pages and the API show.
        :param body: the same, read and cleaned.
        :param packed: the same as `data` in zlib's format, where the client sent it so.
        """
        event = event_table.NewEvent(
            event_id, project, summarize(body), packed or event_table.pack(data), time.time()
        )

        def write(db: sqlite3.Connection) -> bool:
            if event_table.has(db, event_id):
                return False
            seq, crash = event_table.add(db, event)
            self._words.append((seq, event.summary.words))
            report_table.link(db, event_id, crash)
            event_table.add_attachments(db, event_id, attachments)
            self._has_grown = True
            self._note("event", event.summary.key, event_id)
            return True

        return self._batch.run(write)

    def add_attachments(self, event_id: str, attachments: Sequence[Attachment]) -> bool:
        """Keep further files of an event, up to 20. False: the event is not here."""

        def write(db: sqlite3.Connection) -> bool:
            if not event_table.has(db, event_id):
                return False
            event_table.add_attachments(db, event_id, attachments)
            self._has_grown = True
            return True

        return self._batch.run(write)

    def put_report(self, event_id: str, name: str, email: str, comments: str) -> None:
        """Keep a visitor's words by form. Those on the same event that came by form are replaced.

        The event may arrive later; the report is linked to it then.
        """
        now = time.time()

        def write(db: sqlite3.Connection) -> None:
            crash = report_table.put_form(db, event_id, name, email, comments, now)
            self._has_report(db, crash, event_id, now)

        self._batch.run(write)

    def add_feedback(self, item: Feedback) -> bool:
        """Keep a feedback item beside all others. False: it is a repeated delivery.

        Its event may arrive later, or never.
        """
        now = time.time()

        def write(db: sqlite3.Connection) -> bool:
            is_new, crash = report_table.add_feedback(db, item, now)
            if is_new:
                self._has_report(db, crash, item.event_id, now)
            return is_new

        return self._batch.run(write)

    def _has_report(
        self, db: sqlite3.Connection, crash: int | None, event_id: str, now: float
    ) -> None:
        found = db.execute(
            "UPDATE crashes SET touched = ?, unread = 1 WHERE id = ? RETURNING key", (now, crash)
        ).fetchall()
        report_table.prune(db, self.keep_events)
        self._note("words", found[0][0] if found else "", event_id)

    # Marking

    def mark(
        self,
        keys: Sequence[str] | None,
        *,
        unread: bool | None = None,
        resolved: bool | None = None,
        kept: bool | None = None,
    ) -> int:
        """Change the marks of crashes. Resolving one also marks it as read.

        :param keys: of the crashes; None for all.
        :return: how many marks were changed.
        :raises TooMuchKeptError: kept crashes would take more than half of the room.
        """
        wanted: list[tuple[str, bool, Kind]] = []
        if resolved is not None:
            wanted.append(("resolved", resolved, "resolved" if resolved else "reopened"))
            unread = False if resolved and unread is None else unread
        if unread is not None:
            wanted.append(("unread", unread, "unread" if unread else "read"))
        if kept is not None:
            wanted.append(("kept", kept, "kept" if kept else "unkept"))

        def write(db: sqlite3.Connection) -> int:
            changed = 0
            for column, value, kind in wanted:
                for number, key in _change_marks(db, column, value, keys):
                    if column == "kept":
                        event_table.keep(db, number, value)
                    self._note(kind, key)
                    changed += 1
            if kept and event_table.kept_bytes(db) > self.keep_bytes // 2:
                raise TooMuchKeptError(
                    "Crashes that are marked to keep may take half of the inbox's room,"
                    f" {self.keep_bytes // 2**21:,} MiB. Delete some, take the mark from some, or"
                    " start the inbox with a larger --keep-bytes."
                )
            self._has_grown = kept is False
            return changed

        return self._batch.run(write)

    def mark_reports_read(self, up_to: int) -> None:
        """Mark the reports without a crash as read.

        :param up_to: the id of the newest one that was shown.
        """

        def write(db: sqlite3.Connection) -> None:
            row = db.execute(READ_UP_TO).fetchone()
            if row is None or not isinstance(row[0], int) or row[0] < up_to:
                db.execute("INSERT OR REPLACE INTO facts VALUES ('read_report', ?)", (up_to,))
                self._note("read")

        self._batch.run(write)

    def delete_report(self, number: int) -> bool:
        """Forget one report without a crash. False: there is none."""

        def write(db: sqlite3.Connection) -> bool:
            done = db.execute("DELETE FROM reports WHERE id = ? AND crash IS NULL", (number,))
            if done.rowcount:
                self._note("deleted")
            return done.rowcount > 0

        return self._batch.run(write)

    def delete(self, keys: Sequence[str] | None) -> int:
        """Forget crashes, with their events, words and attachments, also those marked to keep.

        :param keys: of the crashes; None for all, and for words without a crash too.
        :return: how many crashes were deleted.
        """
        if keys is None:
            found = self._batch.run(_all_keys)
        else:
            found = list(keys)
        # One transaction for each, so that others are written in between.
        deleted = sum(self._batch.run(self._deleting(key)) for key in found)
        if keys is None:
            self._batch.run(lambda db: db.execute("DELETE FROM reports WHERE crash IS NULL"))
        return deleted

    def _deleting(self, key: str) -> Callable[[sqlite3.Connection], int]:
        def write(db: sqlite3.Connection) -> int:
            row = db.execute("SELECT id FROM crashes WHERE key = ?", (key,)).fetchone()
            if row is None:
                return 0
            event_table.delete(db, event_table.of_crash(db, row[0]))
            db.execute("DELETE FROM reports WHERE crash = ?", (row[0],))
            db.execute("DELETE FROM crashes WHERE id = ?", (row[0],))
            self._note("deleted", key)
            return 1

        return write


def _changes(db: sqlite3.Connection) -> int:
    row = db.execute("SELECT value FROM facts WHERE name = 'changes'").fetchone()
    return row[0] if row and isinstance(row[0], int) else 0


def _all_keys(db: sqlite3.Connection) -> list[str]:
    return [key for (key,) in db.execute("SELECT key FROM crashes")]


def _change_marks(
    db: sqlite3.Connection, column: str, value: bool, keys: Sequence[str] | None
) -> list[tuple[int, str]]:
    """Set a mark. Returns id and key of the crashes that it was changed of."""
    change = f"UPDATE crashes SET {column} = ?1 WHERE {column} <> ?1"
    if keys is None:
        return [(row[0], row[1]) for row in db.execute(f"{change} RETURNING id, key", (value,))]
    found: list[tuple[int, str]] = []
    for key in keys:
        rows = db.execute(f"{change} AND key = ?2 RETURNING id, key", (value, key))
        found += [(row[0], row[1]) for row in rows.fetchall()]
    return found
