"""The queue on disk: a SQLite file (WAL) that several processes share. Sends nothing itself.

No library does this: of those looked at in November 2026, persist-queue does not support several
processes, huey deletes a task before it runs (gone after ``kill -9``), litequeue needs Python
3.12, and localqueue hands items to several takers at once, so that order is lost; none is bounded
in bytes.

What a commit guarantees: ``synchronous=NORMAL`` in WAL mode, so an item is safe from ``kill -9``
of any process when ``put`` returns. The last ones may be lost when the machine loses power. A
process killed between the server's answer and the deletion sends that one item again; its event
id makes the repeat harmless. While a full disk keeps it from deleting, it remembers what it sent.

Rows are checked when they are read (``spool_rows``), a damaged file is set aside (``damage``), and
a file that somebody else could have prepared is refused (``files``).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from . import spool_rows
from .damage import DamagedError, is_damage, readable, set_aside
from .item import Entry, Item, Outcome, Place
from .lease import Lease
from .spool_errors import SpoolBusy, SpoolFull, SpoolLost, SpoolReplaced
from .spool_file import (
    FAULTS_OF_AN_ITEM,
    connect,
    identity,
    items_in,
    prepare,
    total,
    trouble_of,
)

# Seconds until a full disk is tried again, to write down what is only known in memory.
FULL_WAIT = 1.0
# How many outcomes are kept, for tickets that ask for theirs later.
OUTCOMES_KEPT = 1000

# The outcome that needs no row: of an item whose requests have no names.
SENT = Outcome("sent")


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
        # False: the file is closed after each transaction. A worker keeps it open, and closes it.
        self._keep = False
        self._file: tuple[int, int] | None = None
        self._lease = Lease(path)
        # Items that were answered and are not deleted yet, so that they are not sent again.
        self._settled: dict[int, Outcome] = {}
        # ``tries`` and ``at`` of items for which they could not be written yet, by id.
        self._progress: dict[int, tuple[int, int]] = {}
        self._full_until = 0.0
        # The new places of items that were saved from a damaged file, by their old ones.
        self._saved: dict[Place, Place] = {}
        # What became of items that were answered and were still in a damaged file.
        self._answered: dict[Place, Outcome] = {}
        self.on_damage: Callable[[str, str, int, int], None] = lambda *facts: None
        """Called with the path of a damaged spool, where it is now, how many items were saved, and
        how many are known to be lost."""
        self._seen = 0  # how many items were in it at the last look

    def add(self, item: Item) -> Place | None:
        """Store an item and return its place, or None when the spool is full.

        :raises SpoolBusy, SpoolLost: as all methods here do.
        """
        self._keep = True
        size = item.size
        row = spool_rows.values(Entry(0, item, item.request.origin))
        with self._transaction(write=True) as db:
            items, taken = total(db)
            if items >= self.max_items or taken + size > self.max_bytes:
                return None
            self._seen = items + 1
            return Place(spool_rows.insert(db, row), self._file)

    def head(self, skip: Collection[str], on_drop: Callable[[str], None]) -> Entry | None:
        """The oldest entry that this process is to send and whose origin is not in ``skip``.

        :param on_drop: called with the reason when a row is no item and is removed.
        """
        while True:
            self.catch_up()
            origins = sorted(spool_rows.destinations().difference(skip))
            with self._transaction() as db:
                found = db.execute(
                    "SELECT id, length(event_id), length(request), length(body),"
                    f" length(alternatives) FROM items WHERE origin IN ({_marks(origins)})"
                    " ORDER BY id",
                    origins,
                )
                file = self._file
                row = next((one for one in found if one[0] not in self._settled), None)
                found.close()
                if row is None:
                    return None
                id, *lengths = row
                # A giant row is not read: no item of that size was ever put.
                # The alternatives are JSON, which may be twice as long as what is in it.
                *others, alternatives = lengths
                giant = sum(length or 0 for length in others) > self.max_bytes
                giant = giant or (alternatives or 0) > 2 * self.max_bytes
                if not giant:
                    row = db.execute(
                        f"SELECT {spool_rows.COLUMNS} FROM items WHERE id = ?", (id,)
                    ).fetchone()
                    if row is None:
                        # It would be found again and again.
                        raise DamagedError("an item is not where its id leads")
            try:
                if giant:
                    raise spool_rows.InvalidRow("it is larger than the spool may be")
                entry = spool_rows.load(row)
            except spool_rows.InvalidRow as error:
                # The row is damaged, or somebody edited it: it goes, and the others stay.
                reason = f"a row of the spool was no item: {error}"
                self._remove(id, Outcome("refused", reason=reason))
                on_drop(reason)
                continue
            entry.file = file
            if id in self._progress:
                entry.tries, entry.at = self._progress[id]
            return entry

    def counts_for_other_servers(self) -> dict[str, int]:
        """How many items are for servers that no app of this process sends to, by origin."""
        known = sorted(spool_rows.destinations())
        with self._transaction() as db:
            found = db.execute(
                "SELECT CAST(origin AS TEXT), count(*) FROM items"
                f" WHERE origin NOT IN ({_marks(known)}) GROUP BY 1 LIMIT 20",
                known,
            )
            return {str(origin): int(count) for origin, count in found}

    def update(self, entry: Entry) -> None:
        """Note an attempt: at once in memory, and in the file now or later."""
        with self._lock:
            place = self._place(entry)
            if place.file == self._file:
                self._progress[place.id] = entry.tries, entry.at
                self.catch_up(always=True)

    def remove(self, entry: Entry, outcome: Outcome) -> None:
        """Take out an item that was answered for good.

        It is noted in memory at once, so that it is not sent again, and deleted from the file now
        or later.
        """
        with self._lock:
            # In a file that was made anew since, the id belongs to another item.
            place = self._place(entry)
            if place.file == self._file:
                self._remove(place.id, outcome)

    def _place(self, entry: Entry) -> Place:
        """Where an entry is now: it may have been saved from a damaged file."""
        place = Place(entry.id, entry.file)
        return self._saved.get(place, place)

    def _remove(self, id: int, outcome: Outcome) -> None:
        # Under one lock with the deletion, so that no ticket sees one without the other.
        with self._lock:
            self._settled[id] = outcome
            self._progress.pop(id, None)
            self.catch_up(always=True)

    def catch_up(self, always: bool = False) -> None:
        """Write to the file what is only known in memory, if that is possible.

        :param always: also if the disk was full a moment ago.
        """
        if not self._settled and not self._progress:
            return
        if not always and time.monotonic() < self._full_until:
            return
        try:
            with self._transaction(write=True) as db:
                # Copied here, because opening a file that was made anew empties them.
                settled, progress = dict(self._settled), dict(self._progress)
                for id, outcome in settled.items():
                    deleted = db.execute("DELETE FROM items WHERE id = ?", (id,)).rowcount
                    if not deleted and (id,) in db.execute("SELECT id FROM items"):
                        # It would be sent again and again.
                        raise DamagedError("an item is not where its id leads")
                    if outcome != SENT:
                        db.execute(
                            "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)", (id, *outcome)
                        )
                        db.execute(
                            "DELETE FROM settled WHERE id <= (SELECT id FROM settled"
                            f" ORDER BY id DESC LIMIT 1 OFFSET {OUTCOMES_KEPT})"
                        )
                for id, (tries, at) in progress.items():
                    db.execute("UPDATE items SET tries = ?, at = ? WHERE id = ?", (tries, at, id))
        except SpoolBusy:
            self._full_until = time.monotonic() + FULL_WAIT
            return
        for id in settled:
            self._settled.pop(id, None)
        for id, was in progress.items():
            if self._progress.get(id) == was:
                del self._progress[id]

    def outcome(self, place: Place, without_row: Outcome = SENT) -> Outcome:
        """What became of an item.

        :param without_row: the outcome of an item that was answered and has no row that says how.
        """
        try:
            with self._transaction() as db:
                if place in self._answered:
                    return self._answered[place]
                place = self._saved.get(place, place)
                id = place.id
                if place.file != self._file:
                    return Outcome("refused", reason="the spool was damaged or removed")
                if id in self._settled:
                    return self._settled[id]
                waits, *found = db.execute(
                    "SELECT items.id, state, taken, reason FROM (SELECT ? AS id) AS asked"
                    " LEFT JOIN items USING (id) LEFT JOIN settled ON settled.id = asked.id",
                    (id,),
                ).fetchone()
        except (SpoolBusy, SpoolLost):
            return Outcome("waiting")
        if waits is not None:
            return Outcome("waiting")
        return without_row if found[0] is None else spool_rows.load_outcome(found)

    def count(self) -> int:
        with self._transaction() as db:
            self._seen = total(db)[0]
            return max(0, self._seen - len(self._settled))

    def holds_settled(self) -> bool:
        """Whether items that were answered are still in the file."""
        return bool(self._settled)

    def last_id(self) -> int:
        with self._transaction() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM items").fetchone()[0])

    def any_up_to(self, id: int) -> bool:
        with self._transaction() as db:
            found = db.execute("SELECT id FROM items WHERE id <= ?", (id,))
            return any(one not in self._settled for (one,) in found)

    def any_of_ours_up_to(self, id: int) -> bool:
        """Whether any item up to this id is for this process to send."""
        known = sorted(spool_rows.destinations())
        with self._transaction() as db:
            found = db.execute(
                f"SELECT id FROM items WHERE origin IN ({_marks(known)}) AND id <= ?",
                (*known, id),
            )
            return any(one not in self._settled for (one,) in found)

    def _save(self, aside: str, damaged: tuple[int, int], settled: Collection[int]) -> int:
        """Copy what can still be read of a damaged spool into the new one; return how many."""
        saved: dict[Place, Place] = {}
        with self._transaction(write=True) as db:
            for row in readable(aside, spool_rows.COLUMNS, self.max_bytes):
                if row[0] in settled or len(saved) >= self.max_items:
                    continue
                with suppress(spool_rows.InvalidRow):
                    id = spool_rows.insert(db, spool_rows.values(spool_rows.load(row)))
                    saved[Place(row[0], damaged)] = Place(id, self._file)
        self._saved = saved
        return len(saved)

    def lease(self) -> bool:
        """Become the one process that delivers. False: another one is."""
        with self._lock:
            if not self._lease.take():
                return False
            self._keep = True
            return True

    def release(self) -> None:
        """Let another process deliver."""
        with self._lock:
            self._lease.release()

    def close(self) -> None:
        with self._lock:
            with suppress(SpoolLost):
                self.catch_up(always=True)
            self._keep = False
            self._lease.release()
            self._close()

    def freeze(self) -> None:
        """Before a fork: close the file and keep it closed until ``thaw``.

        SQLite's locks belong to the process, but its notes about them are inherited: a child that
        opens the file while the parent has it open believes that it holds those locks.
        """
        self._lock.acquire()
        self._close()

    def thaw(self) -> None:
        self._lock.release()

    def abandon(self) -> None:
        """Let go of the lease, in a forked child: it stays the parent's."""
        self._lease.abandon()
        if self._db is not None:
            _inherited.append(self._db)

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
            except (SpoolBusy, SpoolLost):
                self._close()
                raise
            except FAULTS_OF_AN_ITEM:
                raise
            except (sqlite3.Error, OSError, UnicodeDecodeError, DamagedError) as error:
                if is_damage(error):
                    self._close()
                    raise self._set_aside(error) from error
                trouble = trouble_of(error)
                if isinstance(trouble, SpoolFull | SpoolLost):
                    self._close()
                raise trouble from error
            finally:
                if not self._keep:
                    self._close()

    def _open(self) -> sqlite3.Connection:
        if self._db is not None:
            if identity(self.path) == self._file:
                return self._db
            # The file was moved or deleted. What is written to the open one would be lost.
            self._close()
        db = connect(self.path)
        file = identity(self.path)
        if file != self._file:
            self._file = file
            self._settled.clear()
            self._progress.clear()
        try:
            prepare(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    def _set_aside(self, damage: Exception) -> SpoolBusy | SpoolLost:
        """Move the damaged file away and return the exception to raise."""
        damaged = self._file
        if damaged is None:
            return SpoolLost(str(damage))
        settled, seen = dict(self._settled), self._seen
        try:
            aside = set_aside(self.path, damaged)
        except OSError as error:
            return SpoolLost(f"{damage}; and it cannot be moved away: {error}")
        self._answered = {Place(id, damaged): outcome for id, outcome in settled.items()}
        if aside is not None:
            try:
                saved = self._save(aside, damaged, settled)
            except (sqlite3.Error, OSError, ValueError, SpoolBusy, SpoolLost):
                saved = 0
            held = min(items_in(aside, seen), self.max_items)
            self.on_damage(self.path, aside, saved, max(0, held - len(settled) - saved))
        elif identity(self.path) == damaged:
            return SpoolLost(f"{damage}; it does not look like a spool, so it is left alone")
        return SpoolReplaced("it was damaged, and a new one begins")


def _marks(values: Collection[str]) -> str:
    return ",".join("?" * len(values))
