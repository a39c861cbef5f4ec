"""One process's part of an outbox: the methods that any thread may call."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Literal

from ..threads import patch_state
from . import request_end, spool_rows
from .delivery import REQUEST_WAIT, Delivery, running
from .item import Counters, Item, Outcome, Place, Ticket
from .spool_errors import SpoolBusy, SpoolFull, SpoolLost, SpoolReplaced

FLUSH_LOOKS_EVERY = 0.05


def _is_uwsgi_master() -> bool:
    """Whether this is uWSGI's master process, which forks without Python's knowledge.

    If a thread of it held the interpreter's lock at that moment, the lock would never be released
    in the workers, and they would answer no request.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and uwsgi.worker_id() == 0


class Worker(Delivery):
    """An ``Outbox`` makes one for each process in which it is used."""

    _is_putting = False

    def put(self, item: Item) -> Ticket | None:
        if not self.stops_between_requests or request_end.expected() or self._is_putting:
            return self._put(item)
        # No request is known whose end will be seen: a task of uWSGI's, or an app that the kit
        # does not wrap. Not within another put, which a signal handler or a finaliser may interrupt
        # while it holds ``changed``.
        self._is_putting = True
        try:
            ticket = self._put(item)
            self.deliver_now(time.monotonic() + REQUEST_WAIT)
            return ticket
        finally:
            self._is_putting = False

    def _put(self, item: Item) -> Ticket | None:
        if self.closed:
            self.refuse("the outbox is closed")
            return None
        ticket = None
        for request in item.requests:
            spool_rows.add_destination(request.origin)
        spool = self.spool
        place = self._put_on_disk(item)
        with self.changed:
            if isinstance(place, Place):
                look = None
                if spool is not None:
                    # Its row is forgotten after a while. Then nobody knows whether it is kept.
                    named = any(request.name for request in item.requests)
                    without_row = Outcome("passed" if named else "sent")
                    look = partial(spool.outcome, place, without_row)
                ticket = Ticket(self.changed, look)
                self._last_spooled = max(self._last_spooled, place.id)
            elif place == "memory":
                ticket = Ticket(self.changed)
                if not self.memory.add(item, ticket):
                    ticket = None
            if ticket is None:
                large = item.size > self.memory.max_bytes and (
                    spool is None or item.size > spool.max_bytes
                )
                self._log.dropped("larger than the whole queue" if large else "the queue is full")
            self._puts += 1
            started = self._start()
            self.changed.notify_all()
        if ticket is not None and item.kind == "event":
            self.acceptance.note(item.request.url, ticket)
        if not started:
            self._log.log_dropped()
        if not started and self.spool is not None:
            # A fork that runs no hooks must not find it open.
            self.spool.close()
        return ticket

    def refuse(self, reason: str) -> None:
        """Count an item that is not accepted, and have it logged."""
        with self.changed:
            self._log.dropped(reason)
            self._puts += 1
            self.changed.notify_all()
            logged_by_thread = self._thread is not None and self._thread.is_alive()
        if not logged_by_thread:
            self._log.log_dropped()

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

    def retry_until(self, until: float) -> None:
        """Until then (monotonic clock) retry at once, and again after short pauses."""
        with self.changed:
            self._backoff.retry_until(until)
            self._puts += 1
            self.changed.notify_all()

    def flush(self, timeout: float, at_exit: bool = False) -> bool:
        """Retry at once, and wait until all that is queued now is settled.

        :param at_exit: the process ends. What is in the spool is safe there, so the wait ends when
            an attempt fails, or when another process delivers.
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
        self.retry_until(deadline)
        spooled = self._last_spooled
        if spool is not None and not at_exit:
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
                    if at_exit and (
                        self._others_deliver
                        or self._failures > failures
                        or self._backoff.any_asked()
                    ):
                        return False
                if left <= 0 or self._all_wait_beyond(deadline):
                    return False
                if on_disk or self.memory.any_up_to(last):
                    self.changed.wait(min(left, FLUSH_LOOKS_EVERY) if on_disk else left)

    def close(self, timeout: float, at_exit: bool = False) -> bool:
        deadline = time.monotonic() + timeout
        done = self.flush(timeout, at_exit)
        if self._is_from_before_a_patch():
            return done
        with self.changed:
            self.closed = True
            thread = self._thread
            self.changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            # An idle thread ends at once. One that waits for a server is a daemon and may go on.
            thread.join(max(0.05, min(1.0, deadline - time.monotonic())))
        return done

    def count_what_is_lost(self) -> None:
        """The process ends, and what is still in memory ends with it."""
        if lost := len(self.memory):
            self._log.dropped("the process ended before it could be sent", lost)

    def release(self) -> None:
        """End when the queue is empty, since the outbox is gone."""
        if self._is_from_before_a_patch():
            return
        with self.changed:
            self.released = True
            self.changed.notify_all()

    def was_used(self) -> bool:
        """Whether anything was put here, or refused."""
        return self._puts > 0

    def _is_from_before_a_patch(self) -> bool:
        """Whether gevent has patched since this was made.

        Its thread is left alone then: ending it would print an error, and it is a daemon.
        """
        return self.home[1] != patch_state()

    def abandon(self) -> None:
        """Let go of the parent's connections and file, in a forked child. Takes no lock, since a
        thread that the child does not have may hold it."""
        self.sender.abandon()
        if self.spool is not None:
            self.spool.abandon()

    def counters(self, with_spool: bool = True) -> Counters:
        queued = len(self.memory)
        spool = self.spool if with_spool else None
        if spool is not None and os.path.exists(spool.path):
            with suppress(SpoolBusy, SpoolLost):
                queued += spool.count()
        reasons = self._log.counts()
        return Counters(queued, self._sent, self._retried, sum(reasons.values()), reasons)

    def _put_on_disk(self, item: Item) -> Place | Literal["memory"] | None:
        """Where the item is in the spool; None where the spool is full, "memory" where the item
        has to be queued there."""
        spool = self.spool
        if spool is None:
            return "memory"
        # Before the file is opened, so that a fork closes it.
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

    def _start(self) -> bool:
        """Have the thread run, with ``changed`` held. False: no thread can be started now."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # Even if none can be started: the queue is then emptied at exit.
        running.add(self)
        if _is_uwsgi_master() or self._is_from_before_a_patch():
            return False
        self._puts_at_start = self._puts
        thread = threading.Thread(target=self._run_in_thread, name="sentry-kit-outbox", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def _spool_holds(self, up_to: int) -> bool | None:
        """Whether items are left in the spool; None: only those that other processes send."""
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

    def _all_wait_beyond(self, deadline: float) -> bool:
        """Whether all servers of the items in memory asked to be left alone for longer."""
        origins = self.memory.origins()
        return bool(origins) and self._backoff.all_asked_beyond(deadline, origins)
