"""One process's share of an outbox: its queues, its one thread, and what is done after an answer.

Does not know how a request is sent (``send``) or how items are stored (``memory``, ``spool``).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from .item import Counters, Entry, Item, Ticket
from .memory import Memory, packed
from .notes import FAILURES_TOLD, Notes
from .pauses import Pauses
from .send import Answer, Sender
from .spool import Spool, SpoolBusy, SpoolLost

# 5xx answers after which an item is given up, so that one the server chokes on does not hold up
# those behind it for ever. 502, 503 and 504 say that the server is away rather than that it
# disliked the item: a thousand waits are a good eight hours.
TRIES = 10
TRIES_AWAY = 1000
# The server has no such address, or does not take it from this origin (Sentry's allowed
# domains): where an item has another way, that is tried.
ELSEWHERE = (403, 404, 405, 410)
# Seconds between looks into a spool that others share: at items behind one that waits, at
# whether the process that delivers is still there, and at what a dead one left.
SPOOL_LOOKS_EVERY = 0.5
SPOOL_IDLE_LOOKS_EVERY = 5.0
FLUSH_LOOKS_EVERY = 0.05
# Seconds to hold still after a fault of our own.
FAULT_WAIT = 0.5

# Set in worker threads: what is logged from one must not come back as an event.
_here = threading.local()

# Workers with something to do: flushed at exit, and their file closed before a fork.
running: set[Worker] = set()


def in_worker() -> bool:
    return getattr(_here, "worker", False)


def _forks_unawares() -> bool:
    """Whether this is uWSGI's first process, which forks without Python's knowledge.

    A thread that runs in it at that moment would take the interpreter's lock along into every
    worker, where it is never released: not one request would be answered.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and uwsgi.worker_id() == 0


class Worker:
    """Made by an ``Outbox``, one for each process it is used in."""

    def __init__(
        self, sender: Sender, memory: Memory, spool: Spool | None, changed: threading.Condition
    ) -> None:
        self.pid = os.getpid()
        self.sender = sender
        self.memory = memory
        self.spool = spool
        # Guards everything here but the spool, which guards itself. Never held over I/O.
        self.changed = changed
        self.released = False
        self.closed = False
        self._thread: threading.Thread | None = None
        self._puts = 0
        self._sent = self._retried = self._dropped = 0
        self._failures = 0
        self._pauses = Pauses()
        self._notes = Notes()
        self._last_spooled = 0
        self._others_deliver = False

    # Called by any thread.

    def put(self, item: Item) -> Ticket | None:
        if self.closed:
            return None
        ticket = None
        id = self._put_on_disk(item)
        with self.changed:
            if isinstance(id, int):
                spool = self.spool
                ticket = Ticket(self.changed, partial(spool.outcome, id) if spool else None)
                self._last_spooled = max(self._last_spooled, id)
            elif id == "memory":
                ticket = Ticket(self.changed)
                if not self.memory.add(item, ticket):
                    ticket = None
            if ticket is None:
                self._drop("the queue is full")
            self._puts += 1
            started = self._start()
            self.changed.notify_all()
        if not started and self.spool is not None:
            # Not left open across a fork that we may not be told of.
            self.spool.close()
        return ticket

    def resume(self) -> None:
        spool = self.spool
        if spool is None or self._thread is not None or not os.path.exists(spool.path):
            return
        try:
            waiting = spool.count()
        except SpoolBusy:
            waiting = 1
        except SpoolLost as error:
            self._lose_spool(error)
            return
        if waiting:
            with self.changed:
                self._start()

    def hurry(self, until: float) -> None:
        """Try again at once what failed, and soon again, until this time of the clock."""
        with self.changed:
            self._pauses.hurry(until)
            self._puts += 1
            self.changed.notify_all()

    def flush(self, timeout: float, leaving: bool = False) -> bool:
        """Hurry, and wait until what is queued now has gone.

        :param leaving: the process ends. What is in the spool is safe there, so an attempt that
            fails, or another process that delivers, ends the waiting.
        """
        deadline = time.monotonic() + timeout
        failures = self._failures
        spool = self.spool
        with self.changed:
            last = self.memory.last_id
            if not len(self.memory) and (spool is None or not os.path.exists(spool.path)):
                return True
            started = self._start()
            self._others_deliver = False
        self.hurry(deadline)
        spooled = self._last_spooled
        if spool is not None and not leaving:
            with suppress(SpoolBusy, SpoolLost):
                spooled = spool.last_id()
        if not started:
            # Python 3.12.0 starts no thread any more once the process ends.
            self._run(deadline)
        while True:
            on_disk = self._spool_holds(spooled)
            with self.changed:
                left = deadline - time.monotonic()
                if not self.memory.any_up_to(last):
                    if not on_disk:
                        return True
                    if leaving and (
                        self._others_deliver
                        or self._failures > failures
                        or self._pauses.any_asked()
                    ):
                        return False
                if left <= 0 or self._hopeless(deadline):
                    return False
                if on_disk or self.memory.any_up_to(last):
                    self.changed.wait(min(left, FLUSH_LOOKS_EVERY) if on_disk else left)

    def close(self, timeout: float, leaving: bool = False) -> bool:
        deadline = time.monotonic() + timeout
        done = self.flush(timeout, leaving)
        with self.changed:
            self.closed = True
            thread = self._thread
            self.changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            # An idle one ends at once. One that waits for a server is a daemon, and left behind.
            thread.join(max(0.05, min(1.0, deadline - time.monotonic())))
        return done

    def release(self) -> None:
        """The outbox is gone: end when the queue is empty."""
        with self.changed:
            self.released = True
            self.changed.notify_all()

    def abandon(self) -> None:
        """In a forked child, on the parent's worker. Takes no lock: it may be held for ever."""
        self.sender.abandon()
        if self.spool is not None:
            self.spool.abandon()

    def counters(self) -> Counters:
        queued = len(self.memory)
        spool = self.spool
        if spool is not None and os.path.exists(spool.path):
            with suppress(SpoolBusy, SpoolLost):
                queued += spool.count()
        return Counters(queued, self._sent, self._retried, self._dropped)

    # Also called by any thread, from the methods above.

    def _put_on_disk(self, item: Item) -> int | Literal["memory"] | None:
        """The item's id in the spool, None where it is full, or "memory": that shall take it."""
        spool = self.spool
        if spool is None:
            return "memory"
        # Before the file is opened: a fork must find it.
        running.add(self)
        try:
            return spool.add(item)
        except SpoolBusy:
            return "memory"
        except SpoolLost as error:
            self._lose_spool(error)
            return "memory"

    def _start(self) -> bool:
        """With ``changed`` held. False: no thread can be started now."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # Whether or not it can be started: at exit the queue is emptied either way.
        running.add(self)
        if _forks_unawares():
            return False
        thread = threading.Thread(target=self._run, name="sentry-kit-outbox", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def _drop(self, reason: str) -> None:
        """With ``changed`` held."""
        self._dropped += 1
        self._notes.dropped(reason)

    def _lose_spool(self, error: SpoolLost) -> None:
        with self.changed:
            spool, self.spool = self.spool, None
        if spool is not None:
            spool.close()
            self._notes.spool_lost(spool.path, error)

    def _spool_holds(self, up_to: int) -> bool:
        if self.spool is None:
            return False
        try:
            return self.spool.any_up_to(up_to)
        except SpoolBusy:
            return True
        except SpoolLost:
            return False

    def _hopeless(self, deadline: float) -> bool:
        """All that waits in memory is for servers that asked to be left alone for longer."""
        origins = self.memory.origins()
        return bool(origins) and self._pauses.all_asked_beyond(deadline, origins)

    # The thread's.

    def _run(self, until: float | None = None) -> None:
        """Deliver until the outbox is closed, or gone and empty, or it is ``until``."""
        _here.worker = True
        try:
            while self._step_contained(until):
                pass
        finally:
            _here.worker = False
            self.sender.close()
            if self.spool is not None:
                self.spool.close()

    def _step_contained(self, until: float | None) -> bool:
        try:
            return self._step(until)
        except Exception:
            # None is known. The thread must outlive it, or everything would wait for ever.
            self._notes.trouble(
                "Delivery failed in a way it should not; it is tried again", exc_info=True
            )
            time.sleep(FAULT_WAIT)
            return not self.closed and (until is None or time.monotonic() < until)

    def _step(self, until: float | None) -> bool:
        """Deliver one item, or wait for one. False: there is nothing more to do here."""
        with self.changed:
            puts = self._puts
            skip, resume_at = self._pauses.now()
            entry = self.memory.head(skip)
        spool = None
        waiting = False
        if entry is None and self.spool is not None:
            try:
                entry, waiting = self._look_into_spool(self.spool, skip)
                spool = self.spool
            except SpoolBusy:
                waiting = True
            except SpoolLost as error:
                self._lose_spool(error)
        if entry is not None and not self.closed:
            try:
                self._deliver(spool, entry)
            except SpoolBusy:
                pass
            except SpoolLost as error:
                self._lose_spool(error)
            self._notes.tell_dropped()
            return True
        self._notes.tell_dropped()
        if resume_at is not None and self._pack_one():
            return True
        with self.changed:
            if self.closed or (until is not None and (until <= time.monotonic() or not skip)):
                return self._end()
            if self.released and not len(self.memory) and not waiting:
                return self._end()
            if self._puts == puts:
                self.changed.wait(self._idle_for(resume_at, waiting))
        return True

    def _end(self) -> bool:
        """With ``changed`` held, so that no ``put`` can believe this thread will see its item."""
        running.discard(self)
        self._thread = None
        return False

    def _idle_for(self, resume_at: float | None, waiting: bool) -> float | None:
        """How long to wait for a change: None is for ever."""
        now = time.monotonic()
        waits = []
        if resume_at is not None:
            waits.append(resume_at - now)
        if self.spool is not None:
            waits.append(SPOOL_LOOKS_EVERY if waiting else SPOOL_IDLE_LOOKS_EVERY)
        next_line = self._notes.next_line()
        if next_line is not None:
            waits.append(next_line - now)
        return max(0.01, min(waits)) if waits else None

    def _look_into_spool(self, spool: Spool, skip: set[str]) -> tuple[Entry | None, bool]:
        """The next item, if this process is to deliver it, and whether any waits at all."""
        if not spool.count():
            spool.release()
            return None, False
        self._others_deliver = not spool.lease()
        if self._others_deliver:
            return None, True
        return spool.head(skip), True

    def _pack_one(self) -> bool:
        """While nothing can be sent, make room for what may still come."""
        with self.changed:
            entry = self.memory.next_unpacked()
        if entry is None:
            return False
        item = packed(entry.item)
        with self.changed:
            self.memory.pack(entry, item)
        return True

    def _deliver(self, spool: Spool | None, entry: Entry) -> None:
        request = entry.request
        origin = entry.origin
        answer = self.sender.post(request.packed() if entry.item.kind == "event" else request)
        status = answer.status
        with self.changed:
            failures = self._pauses.failures(origin)
        if 200 <= status < 300:
            self._settle(spool, entry, None)
        elif status in ELSEWHERE and entry.item.otherwise and not entry.use_otherwise:
            entry.use_otherwise = True
            if spool is not None:
                spool.update(entry)
            return
        elif answer.unfit or 300 <= status < 500 and status != 429:
            self._settle(spool, entry, answer.reason)
        elif status >= 500 and self._spent(entry, status):
            self._settle(spool, entry, f"{answer.reason} (given up after {entry.tries} tries)")
        else:
            self._retry(spool, entry, answer, origin, failures + 1)
            return
        with self.changed:
            if answer.wait and status < 300:
                self._pauses.begin(origin, answer.wait, failures=0)
            else:
                self._pauses.end(origin)

    def _spent(self, entry: Entry, status: int) -> bool:
        entry.tries += 1
        return entry.tries >= (TRIES_AWAY if status in (502, 503, 504) else TRIES)

    def _retry(
        self, spool: Spool | None, entry: Entry, answer: Answer, origin: str, failures: int
    ) -> None:
        asked = answer.wait if answer.status in (429, 503) else None
        with self.changed:
            self._retried += 1
            self._failures += 1
            self._pauses.begin(origin, asked, failures)
            if entry.ticket is not None:
                entry.ticket.settle("waiting", answer.reason)
            self.changed.notify_all()
        if spool is not None and answer.status >= 500:
            spool.update(entry)
        if failures >= FAILURES_TOLD:
            rest = "and what is in the spool, wait" if self.spool else "which wait"
            self._notes.trouble(
                f"Nothing can be delivered to {origin} ({answer.reason}):"
                f" {len(self.memory)} in memory, {rest}. It is tried again."
            )

    def _settle(self, spool: Spool | None, entry: Entry, refused: str | None) -> None:
        if spool is not None:
            self._remove_from_spool(spool, entry.id, refused)
        with self.changed:
            if spool is None:
                self.memory.remove(entry)
            if entry.ticket is not None:
                entry.ticket.settle("sent" if refused is None else "refused", refused)
            if refused is None:
                self._sent += 1
            else:
                host = urlsplit(entry.origin).netloc or "an address that is none"
                self._drop(f"{entry.item.kind} refused by {host}: {refused}")
            self.changed.notify_all()

    def _remove_from_spool(self, spool: Spool, id: int, refused: str | None) -> None:
        """Once answered, an item must not be sent again: the deletion is worth some patience."""
        for _ in range(20):
            try:
                return spool.remove(id, refused)
            except SpoolBusy as error:
                busy = error
                time.sleep(0.05)
        raise SpoolLost(f"nothing can be deleted from it: {busy}")
