"""What the thread of an outbox does: it takes the next item, sends it, and acts on the answer.

Does not know how a request is sent (``send``) or how items are stored (``memory``, ``spool``).
"""

from __future__ import annotations

import os
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..threads import patch_state
from .acceptance import Acceptance
from .backoff import Backoff
from .delivery_log import FAILURES_LOGGED, DeliveryLog
from .item import Answer, Entry, Outcome, State
from .memory import MemoryQueue, packed
from .roads import Roads
from .send import Sender
from .spool_errors import SpoolBusy, SpoolFull, SpoolLost

if TYPE_CHECKING:
    from .spool import Spool

# After so many 5xx answers an item is given up, so that one which the server cannot handle does not
# hold up the others for ever. 502, 503 and 504 mean that the server is away, and say nothing about
# the item: a thousand waits are more than eight hours.
TRIES = 10
TRIES_AWAY = 1000
# Seconds between looks into a spool that several processes share: for items behind one that is
# waiting, for the end of the process that delivers, and for what a dead process left.
SPOOL_LOOKS_EVERY = 0.5
SPOOL_IDLE_LOOKS_EVERY = 5.0
# Seconds that a new thread waits before it begins.
ANSWER_FIRST = 0.02
# Seconds to wait after a fault of our own.
FAULT_WAIT = 0.5
# Where threads stop between requests (``request_end``): seconds that a request waits at its end,
# and that requests wait for one attempt in all.
REQUEST_WAIT = 0.5
# Seconds in which the thread takes an answer that has come since the last request.
SLICE = 0.005

# Set while a worker runs, so that what a worker logs does not become an event. Not a
# thread-local: one that was made before gevent patched would be set for every greenlet.
_delivering: ContextVar[bool] = ContextVar("flask_sentry_kit.delivering", default=False)

# The workers with something to do. They are flushed at exit, and their files closed before a fork.
running: set[Delivery] = set()


def is_delivering() -> bool:
    """Whether the code that asks runs within a delivery."""
    return _delivering.get()


class Delivery:
    """The queues of one process, and what empties them.

    Its locks and connections are right for threads, or for greenlets: where gevent patches later
    another one takes over.
    """

    def __init__(
        self,
        sender: Sender,
        memory: MemoryQueue,
        spool: Spool | None,
        changed: threading.Condition,
        roads: Roads,
    ) -> None:
        self.pid = os.getpid()
        self.home = self.pid, patch_state()
        self.sender = sender
        self.memory = memory
        self.spool = spool
        self.roads = roads
        # Guards everything here but the spool, which guards itself. Never held over I/O.
        self.changed = changed
        self.released = False
        self.closed = False
        self._thread: threading.Thread | None = None
        self._puts = self._puts_at_start = 0
        self._sent = self._retried = 0
        self._failures = 0
        self._backoff = Backoff()
        self._log = DeliveryLog()
        self.acceptance = Acceptance()
        self._last_spooled = 0
        self._others_deliver = False
        # Items are in a spool that can no longer be used.
        self._left_behind = False
        self._next_look_at_others = 0.0
        # Whether the thread runs only while a request does. If so: how many puts it has seen when
        # it began to wait for more, until when it waits, and when its attempt began.
        self.stops_between_requests = False
        self._idle_puts, self._idle_until = -1, 0.0
        self._attempt_began: float | None = None
        if spool is not None:
            spool.on_damage = self._spool_set_aside

    def _spool_full(self, error: SpoolFull) -> None:
        if self.spool is not None:
            self._log.trouble(
                f"The spool {self.spool.path} cannot be written now ({error}): events and"
                " feedback are queued in memory until it can."
            )

    def _spool_set_aside(self, path: str, aside: str, saved: int, lost: int) -> None:
        # With the spool's lock held, so that ``changed`` may not be taken here.
        self._log.spool_set_aside(path, aside, saved)
        if lost:
            self._log.dropped("lost with a damaged spool", lost)

    def _lose_spool(self, error: SpoolLost) -> None:
        with self.changed:
            spool, self.spool = self.spool, None
        if spool is not None:
            with self.changed:
                self._left_behind = self._last_spooled > 0
            spool.close()
            self._log.spool_lost(spool.path, error)

    def _run_in_thread(self) -> None:
        # The request that crashed is still to be answered, and would wait for this thread's
        # imports each time it reads a file.
        with self.changed:
            if (
                self._puts == self._puts_at_start
                and not self.closed
                and not self.stops_between_requests
            ):
                self.changed.wait(ANSWER_FIRST)
        self._run()

    def _run(self, until: float | None = None) -> None:
        """Deliver until the outbox is closed, or gone and empty, or it is ``until``."""
        before = _delivering.get()
        _delivering.set(True)
        try:
            while self._step_contained(until):
                pass
        finally:
            _delivering.set(before)
            self._log.log_dropped()
            self.sender.close()
            if self.spool is not None:
                self.spool.close()

    def _step_contained(self, until: float | None) -> bool:
        try:
            return self._step(until)
        except Exception:
            # No such error is known. The thread must survive one, or nothing would be sent again.
            self._log.trouble(
                "Delivery failed in a way that is a fault of the kit; the item will be retried",
                exc_info=True,
            )
            time.sleep(FAULT_WAIT)
            return not self.closed and (until is None or time.monotonic() < until)

    def _step(self, until: float | None) -> bool:
        """Deliver one item, or wait for one. False: there is nothing more to do here."""
        with self.changed:
            puts = self._puts
            skip, resume_at = self._backoff.now()
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
            self._attempt_began = time.monotonic()
            try:
                self._deliver(spool, entry)
            except SpoolBusy:
                pass
            except SpoolLost as error:
                self._lose_spool(error)
            finally:
                self._attempt_began = None
            self._log.log_dropped()
            return True
        self._log.log_dropped()
        if resume_at is not None and self._pack_one():
            return True
        if spool is not None and self.stops_between_requests and not spool.holds_settled():
            # This process may get no request for long, and another one has to deliver meanwhile.
            spool.release()
        with self.changed:
            if self.closed or (until is not None and (until <= time.monotonic() or not skip)):
                return self._end()
            if self.released and not len(self.memory) and not waiting:
                return self._end()
            if self._puts == puts:
                wait = self._idle_for(resume_at, waiting)
                if self.stops_between_requests:
                    self._note_idle(wait)
                self.changed.wait(wait)
        return True

    def _note_idle(self, wait: float | None) -> None:
        """With ``changed`` held: there is nothing to do now, so that no request waits for it."""
        self._idle_puts = self._puts
        self._idle_until = float("inf") if wait is None else time.monotonic() + wait
        self.changed.notify_all()

    def deliver_now(self, deadline: float) -> None:
        """Let the thread run, where it stops between requests, until it has nothing to do now.

        :param deadline: by the monotonic clock. An attempt that began longer than ``REQUEST_WAIT``
            ago only gets the time to take its answer, if that has come.
        """
        if not self.stops_between_requests:
            return
        has_run = False
        with self.changed:
            thread = self._thread
            while (
                thread is not None
                and thread.is_alive()
                and thread is not threading.current_thread()
            ):
                now = time.monotonic()
                if self._idle_puts == self._puts and now < self._idle_until:
                    return
                began = self._attempt_began
                wait = deadline - now
                if began is not None:
                    wait = min(wait, began + REQUEST_WAIT - now)
                if wait <= 0:
                    if has_run:
                        return
                    wait = SLICE
                has_run = True
                self.changed.wait(wait)

    def _end(self) -> bool:
        """With ``changed`` held: a ``put`` at the same time then starts a new thread."""
        running.discard(self)
        self._thread = None
        self._idle_puts = -1
        return False

    def _idle_for(self, resume_at: float | None, waiting: bool) -> float | None:
        """How long to wait for a change: None is for ever."""
        now = time.monotonic()
        waits = []
        if resume_at is not None:
            waits.append(resume_at - now)
        if self.spool is not None:
            waits.append(SPOOL_LOOKS_EVERY if waiting else SPOOL_IDLE_LOOKS_EVERY)
        next_line = self._log.next_line()
        if next_line is not None:
            waits.append(next_line - now)
        return max(0.01, min(waits)) if waits else None

    def _look_into_spool(self, spool: Spool, skip: set[str]) -> tuple[Entry | None, bool]:
        """The next item, if this process is to deliver it, and whether any item is in the spool."""
        if not spool.count():
            if spool.holds_settled():
                # What was sent is still in the file, where another process would send it again.
                spool.catch_up()
                return None, True
            spool.release()
            return None, False
        self._others_deliver = not spool.lease()
        if self._others_deliver:
            return None, True
        entry = spool.head(skip, self._log.dropped)
        if entry is None and (not skip or time.monotonic() > self._next_look_at_others):
            # Not at each look: with many of ours waiting, all of them are read for this.
            self._next_look_at_others = time.monotonic() + SPOOL_IDLE_LOOKS_EVERY
            others = spool.counts_for_other_servers()
            if others:
                self._log.left_for_other_processes(spool.path, others)
                if not spool.holds_settled():
                    # This process has nothing to send now; the one that put those items may.
                    spool.release()
                return None, bool(skip)
        return entry, True

    def _pack_one(self) -> bool:
        """While nothing can be sent, compress a queued event to make room for later ones."""
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
        answer = self.roads.post(request, self.sender.post)
        status = answer.status
        with self.changed:
            failures = self._backoff.failures(origin)
        following = entry.item.next_after(entry.at, status)
        if following is not None:
            entry.at, entry.tries = following, 0
            if spool is not None:
                spool.update(entry)
            return
        if 200 <= status < 300:
            state: State = "sent" if request.keeps else "passed"
            self._settle(spool, entry, Outcome(state, request.name or None))
        elif answer.unsendable or 300 <= status < 500 and status != 429:
            self._settle(spool, entry, Outcome("refused", reason=answer.reason))
        elif status >= 500 and self._is_given_up(entry, status):
            reason = f"{answer.reason} (given up after {entry.tries} tries)"
            self._settle(spool, entry, Outcome("refused", reason=reason))
        else:
            self._retry(spool, entry, answer, origin, failures + 1)
            return
        with self.changed:
            if answer.wait and status < 300:
                self._backoff.begin(origin, answer.wait, failures=0)
            else:
                self._backoff.end(origin)

    def _is_given_up(self, entry: Entry, status: int) -> bool:
        entry.tries += 1
        return entry.tries >= (TRIES_AWAY if status in (502, 503, 504) else TRIES)

    def _retry(
        self, spool: Spool | None, entry: Entry, answer: Answer, origin: str, failures: int
    ) -> None:
        asked = answer.wait if answer.status in (429, 503) else None
        with self.changed:
            self._retried += 1
            self._failures += 1
            self._backoff.begin(origin, asked, failures)
            if entry.ticket is not None:
                entry.ticket.settle(Outcome("waiting", reason=answer.reason))
            self.changed.notify_all()
        if spool is not None and answer.status >= 500:
            spool.update(entry)
        if failures >= FAILURES_LOGGED:
            spooled = " and what is in the spool" if self.spool else ""
            self._log.trouble(
                f"Nothing can be delivered to {origin} ({answer.reason}):"
                f" {len(self.memory)} queued in memory{spooled} will be retried."
            )

    def _settle(self, spool: Spool | None, entry: Entry, outcome: Outcome) -> None:
        if spool is not None:
            spool.remove(entry, outcome)
        with self.changed:
            if spool is None:
                self.memory.remove(entry)
            if entry.ticket is not None:
                entry.ticket.settle(outcome)
            if outcome.is_taken:
                self._sent += 1
            else:
                host = urlsplit(entry.origin).netloc or "an address that is none"
                self._log.dropped(f"{entry.item.kind} refused by {host}: {outcome.reason}")
            self.changed.notify_all()
