"""One process's share of an outbox: what any thread may ask of it."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Literal

from ..threads import patch_state
from . import rows
from .delivery import Delivery, running
from .errors import SpoolBusy, SpoolFull, SpoolLost, SpoolReplaced
from .item import Counters, Item, Place, Ticket

FLUSH_LOOKS_EVERY = 0.05


def _forks_unawares() -> bool:
    """Whether this is uWSGI's first process, which forks without Python's knowledge.

    A thread that runs in it at that moment would take the interpreter's lock along into every
    worker, where it is never released: not one request would be answered.
    """
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is not None and uwsgi.worker_id() == 0


class Worker(Delivery):
    """Made by an ``Outbox``, one for each process it is used in."""

    def put(self, item: Item) -> Ticket | None:
        if self.closed:
            self.refuse("the outbox is closed")
            return None
        ticket = None
        for request in (item.request, item.fallback):
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
            self._log.log_dropped()
        if not started and self.spool is not None:
            # Not left open across a fork that we may not hear of.
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
        """Try again at once what failed, and soon again, until this time of the clock."""
        with self.changed:
            self._backoff.retry_until(until)
            self._puts += 1
            self.changed.notify_all()

    def flush(self, timeout: float, leaving: bool = False) -> bool:
        """Retry at once, and wait until what is queued now has gone.

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
        self.retry_until(deadline)
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
                        or self._backoff.any_asked()
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

    def _start(self) -> bool:
        """With ``changed`` held. False: no thread can be started now."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # Whether or not it can be started: at exit the queue is emptied either way.
        running.add(self)
        if _forks_unawares() or self._is_from_before_a_patch():
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
        return bool(origins) and self._backoff.all_asked_beyond(deadline, origins)
