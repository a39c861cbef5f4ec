"""One process's share of an outbox: its queues, its one thread, and what is done after an answer.

Does not know how a request is sent (``send``) or how items are stored (``memory``, ``spool``).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from ..threads import patch_state
from . import rows
from .backoff import Pauses
from .delivery_log import FAILURES_TOLD, Notes
from .errors import SpoolBusy, SpoolFull, SpoolLost, SpoolReplaced
from .item import Answer, Counters, Entry, Item, Place, Ticket
from .memory import Memory, packed
from .send import Sender

if TYPE_CHECKING:
    from .spool import Spool

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

# Set while a worker runs: what is logged from one must not come back as an event. Not a
# thread-local: one that was made before gevent patched would be set for every greenlet.
_delivering: ContextVar[bool] = ContextVar("flask_sentry_kit.delivering", default=False)

# Workers with something to do: flushed at exit, and their file closed before a fork.
running: set[Worker] = set()


def in_worker() -> bool:
    return _delivering.get()


def _forks_unawares() -> bool:
    """Whether this is uWSGI's first process, which forks without Python's knowledge.

    A thread that runs in it at that moment would take the interpreter's lock along into every
    worker, where it is never released: not one request would be answered.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and uwsgi.worker_id() == 0


class Worker:
    """Made by an ``Outbox``, one for each process it is used in.

    Its locks and connections are right for threads, or for greenlets: where gevent patches later
    another worker takes over.
    """

    def __init__(
        self, sender: Sender, memory: Memory, spool: Spool | None, changed: threading.Condition
    ) -> None:
        self.pid = os.getpid()
        self.home = self.pid, patch_state()
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
        # Items are in a file that cannot be used any more.
        self._left_behind = False
        self._strangers_at = 0.0
        if spool is not None:
            spool.on_damage = self._notes.spool_set_aside

    # Called by any thread.

    def put(self, item: Item) -> Ticket | None:
        if self.closed:
            self.refuse("the outbox is closed")
            return None
        ticket = None
        for request in (item.request, item.otherwise):
            if request is not None:
                rows.add_destination(request.origin)
        spool = self.spool
        place = self._put_on_disk(item)
        with self.changed:
            if isinstance(place, Place):
                ticket = Ticket(self.changed, partial(spool.outcome, place) if spool else None)
                self._last_spooled = max(self._last_spooled, place.id)
            elif place == "memory":
                ticket = Ticket(self.changed)
                if not self.memory.add(item, ticket):
                    ticket = None
            if ticket is None:
                large = item.size > self.memory.max_bytes and (
                    spool is None or item.size > spool.max_bytes
                )
                self._drop("larger than the whole queue" if large else "the queue is full")
            self._puts += 1
            started = self._start()
            self.changed.notify_all()
        if not started:
            self._notes.tell_dropped()
        if not started and self.spool is not None:
            # Not left open across a fork that we may not be told of.
            self.spool.close()
        return ticket

    def refuse(self, reason: str) -> None:
        """Count an item that is not accepted, and have it said."""
        with self.changed:
            self._drop(reason)
            self._puts += 1
            self.changed.notify_all()
            said_by_thread = self._thread is not None and self._thread.is_alive()
        if not said_by_thread:
            self._notes.tell_dropped()

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
                return not self._left_behind
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
                        return on_disk is False and not self._left_behind
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
        if self._is_from_before_a_patch():
            return done
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
        if self._is_from_before_a_patch():
            return
        with self.changed:
            self.released = True
            self.changed.notify_all()

    def was_used(self) -> bool:
        """Whether anything was put here, or refused."""
        return self._puts > 0

    def _is_from_before_a_patch(self) -> bool:
        """A thread that gevent made a stranger is left alone: its end would print an error.

        It is a daemon, so it holds up nothing.
        """
        return self.home[1] != patch_state()

    def abandon(self) -> None:
        """In a forked child, on the parent's worker. Takes no lock: it may be held for ever."""
        self.sender.abandon()
        if self.spool is not None:
            self.spool.abandon()

    def counters(self, with_spool: bool = True) -> Counters:
        queued = len(self.memory)
        spool = self.spool if with_spool else None
        if spool is not None and os.path.exists(spool.path):
            with suppress(SpoolBusy, SpoolLost):
                queued += spool.count()
        return Counters(queued, self._sent, self._retried, self._dropped)

    # Also called by any thread, from the methods above.

    def _put_on_disk(self, item: Item) -> Place | Literal["memory"] | None:
        """Where the item is in the spool, None where that is full, or "memory" if it must wait
        there."""
        spool = self.spool
        if spool is None:
            return "memory"
        # Before the file is opened: a fork must find it.
        running.add(self)
        try:
            try:
                return spool.add(item)
            except SpoolReplaced:
                return spool.add(item)
        except SpoolFull as error:
            self._spool_full(error)
            return "memory"
        except SpoolBusy:
            return "memory"
        except SpoolLost as error:
            self._lose_spool(error)
            return "memory"

    def _spool_full(self, error: SpoolFull) -> None:
        if self.spool is not None:
            self._notes.trouble(
                f"The spool {self.spool.path} cannot be written now ({error}): events and"
                " feedback wait in memory until it can."
            )

    def _start(self) -> bool:
        """With ``changed`` held. False: no thread can be started now."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # Whether or not it can be started: at exit the queue is emptied either way.
        running.add(self)
        if _forks_unawares() or self._is_from_before_a_patch():
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
            with self.changed:
                self._left_behind = self._last_spooled > 0
            spool.close()
            self._notes.spool_lost(spool.path, error)

    def _spool_holds(self, up_to: int) -> bool | None:
        """Whether items are left in the spool; None: only those that others are to send."""
        spool = self.spool
        if spool is None:
            return False
        try:
            if spool.any_of_ours_up_to(up_to):
                return True
            return None if spool.any_up_to(up_to) else False
        except SpoolBusy:
            return True
        except SpoolLost as error:
            self._lose_spool(error)
            return False

    def _hopeless(self, deadline: float) -> bool:
        """All that waits in memory is for servers that asked to be left alone for longer."""
        origins = self.memory.origins()
        return bool(origins) and self._pauses.all_asked_beyond(deadline, origins)

    # The thread's.

    def _run(self, until: float | None = None) -> None:
        """Deliver until the outbox is closed, or gone and empty, or it is ``until``."""
        before = _delivering.get()
        _delivering.set(True)
        try:
            while self._step_contained(until):
                pass
        finally:
            _delivering.set(before)
            self._notes.tell_dropped()
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
                spool = self.spool
                entry, waiting = self._look_into_spool(spool, skip)
            except SpoolFull as error:
                waiting = True
                self._spool_full(error)
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
            if spool.owes():
                # What was sent is still there: nobody else may find it.
                spool.catch_up()
                return None, True
            spool.release()
            return None, False
        self._others_deliver = not spool.lease()
        if self._others_deliver:
            return None, True
        entry = spool.head(skip, self._drop_row)
        if entry is None and (not skip or time.monotonic() > self._strangers_at):
            # Not at each look: with many of ours waiting, all of them are read for this.
            self._strangers_at = time.monotonic() + SPOOL_IDLE_LOOKS_EVERY
            strangers = spool.strangers()
            if strangers:
                self._notes.strangers(spool.path, strangers)
                if not spool.owes():
                    # Nothing to send now: the process that put those may.
                    spool.release()
                return None, bool(skip)
        return entry, True

    def _drop_row(self, reason: str) -> None:
        with self.changed:
            self._drop(reason)

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
            spool.remove(entry, refused)
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
