"""The outbox: one thread of each process sends what is put into it, in order.

It does not know what an event is, only where a request goes and what the answer means.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..threads import patch_state
from . import delivery_log, diversion, request_end, spool_rows
from .connecting import Connection
from .delivery import is_delivering, running
from .item import Counters, Item, Ticket, origin_of
from .memory import MemoryQueue
from .roads import Roads
from .send import Sender, loading
from .worker import Worker

if TYPE_CHECKING:
    from .spool import Spool

# In memory: what a storm of crashes may cost. On disk: a weekend's outage.
MEMORY_ITEMS = 1000
MEMORY_BYTES = 5 * 2**20
SPOOL_ITEMS = 10_000
SPOOL_BYTES = 100 * 2**20

EXIT_TIMEOUT = 2.0


_without_resuming: ContextVar[bool] = ContextVar("flask_sentry_kit.without_resuming", default=False)


@contextmanager
def without_resuming() -> Iterator[None]:
    """For a command that only looks at an app: ``resume`` does nothing within the block."""
    before = _without_resuming.set(True)
    try:
        yield
    finally:
        _without_resuming.reset(before)


class Outbox:
    """A bounded queue of items, and the one thread that sends them.

    The oldest item of a server is sent first and keeps its place while it is retried. A server
    that cannot be reached does not hold up another server's items. 2xx: sent. 429, 5xx and no
    answer: retried with exponential back-off and full jitter, or when the server says (at most ten
    minutes later). Any other answer, redirects included, drops that item alone and is logged,
    unless the item has an alternative for it (``Item.alternatives``). An item that is answered 500
    ten times is given up; an item for a server that cannot be reached, or is away (502, 503, 504),
    stays queued. When the queue is full the newest item is refused, because
    the ids of the older ones have been shown already.

    At its end (``atexit``) a process spends at most two seconds on sending what is queued. A
    process that a signal ends before Python can act (SIGKILL; SIGTERM without a handler) sends
    nothing more: use a spool to keep its items.

    With a spool, all processes that name the same file share one queue. One of them delivers, with
    its own time-out, CAs and proxy, so give all of them the same. An item that the spool cannot
    take (it is full, locked or damaged) is queued in memory; its order among the rest is not kept.

    Without a spool every process has a queue of its own: a forked child begins with an empty one
    and neither sends nor sees what its parent queued. uWSGI's master process, which forks the
    workers, sends nothing: an item that is put there is sent by a worker if it is in the spool,
    and is lost if it is in memory.
    """

    def __init__(
        self,
        *,
        spool: str | None = None,
        timeout: float = 5.0,
        ca_certs: str | None = None,
        verify_ssl: bool = True,
        proxy: str | None = None,
        connection: Connection | None = None,
        max_items: int | None = None,
        max_bytes: int | None = None,
        envelopes: bool = False,
        destination: str | None = None,
    ) -> None:
        """Open nothing and start nothing before the first ``put``.

        :param spool: path of the file that holds the queue; its directory must exist.
        :param timeout: seconds for one attempt as a whole, from connecting to the last byte.
        :param ca_certs: file or directory of the CAs to trust instead of the system's.
        :param proxy: as in :class:`~.connecting.Connection`. The environment is never asked.
        :param connection: all of these, and more, instead of them.
        :param max_items: by default 1,000 in memory, 10,000 in a spool.
        :param max_bytes: by default 5 MiB in memory, 100 MiB in a spool.
        :param envelopes: send events as envelopes at once. Otherwise that is done where a server
            answers 404 to ``/store/``, and from then on.
        :param destination: an address of the server that items are for. ``resume`` then delivers
            what an earlier process left in the spool for it; without this, such items are
            delivered from the first ``put`` on. Items for servers that no outbox of this process
            sends to are left alone.
        :raises ValueError: for files that cannot be read, a proxy that is not a URL, or no time
            at all.
        """
        if connection is None:
            connection = Connection(timeout, ca_certs, verify_ssl, proxy)
        if not 0 < connection.timeout < float("inf"):
            raise ValueError("timeout takes seconds, more than 0")
        if request_end.threads_stop():
            timeout = max(connection.timeout, request_end.ATTEMPT_TIMEOUT)
            connection = connection._replace(timeout=timeout)
        self.connection = connection
        """How this outbox reaches a server."""
        # Made absolute now, since a daemon may change its directory.
        self._spool = None if spool is None else os.path.abspath(spool)
        self._envelopes = envelopes
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._closed = False
        if destination is not None:
            spool_rows.add_destination(origin_of(destination))
        # setdefault() on it is atomic: two threads of a child get the same worker.
        self._workers: dict[tuple[int, object], Worker] = {}
        self._worker = self._make_worker()
        weakref.finalize(self, _release, self._workers).atexit = False

    def put(self, item: Item) -> Ticket | None:
        """Accept an item for sending, or refuse it: None. Never blocks, never raises.

        With a spool, an item that is accepted is on disk when this returns.
        """
        try:
            if self._closed:
                self._current_worker().refuse("the outbox is closed")
                return None
            if self.connection.unusable:
                self._current_worker().refuse(self.connection.unusable)
                return None
            if is_delivering():
                # What the worker logs may become an event, whose delivery is logged too, and so on.
                self._current_worker().refuse("it came from the delivery of another")
                return None
            diverted = diversion.current(item.request.url)
            if diverted is not None:
                return diversion.take(diverted, item)
            return self._current_worker().put(item)
        except Exception:
            delivery_log.logger.warning("An item was not accepted", exc_info=True)
            self.refuse("a fault of the outbox")
            return None

    def refuse(self, reason: str) -> None:
        """Count an item that could not be put as dropped, and have it logged.

        Never raises.

        :param reason: continues "Not delivered: 3 × "; holds nothing secret.
        """
        try:
            self._current_worker().refuse(reason)
        except Exception:
            delivery_log.logger.warning(
                "An item that was refused could not be counted", exc_info=True
            )

    def is_refused(self, url: str) -> bool:
        """Whether the server refuses what is sent to an address, for the address or its key: 401,
        403, 404, 405 or 410 to the last event that was answered. Each process knows of the events
        that it has put. Never raises."""
        try:
            if diversion.current(url) is not None:
                return False
            return self._current_worker().acceptance.is_refused(url)
        except Exception:
            delivery_log.logger.warning("Whether events are refused is not known", exc_info=True)
            return False

    def is_glitchtip(self, url: str) -> bool:
        """Whether the server at an address for events is GlitchTip, as far as this process has seen
        from its answers. Never raises."""
        try:
            return self._current_worker().roads.is_glitchtip(url)
        except Exception:
            delivery_log.logger.warning("Which server it is is not known", exc_info=True)
            return False

    def resume(self) -> None:
        """Deliver what an earlier process left in the spool. Starts nothing if it is empty, or
        within ``without_resuming``, or while a test collects what is put."""
        if self._spool is None or self._closed or self.connection.unusable:
            return
        if not _without_resuming.get() and not diversion.holds_all():
            self._current_worker().resume()

    def flush(self, timeout: float = 2.0) -> bool:
        """Try again at once, and wait until all that is queued now has been settled.

        :returns: False when ``timeout`` seconds were not enough.
        """
        if diversion.holds_all():
            return True
        deadline = time.monotonic() + timeout
        # A list, since every worker is to be flushed, even if one returns False.
        done = [
            worker.flush(max(0.0, deadline - time.monotonic())) for worker in self._own_workers()
        ]
        return all(done)

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, then end the thread and close the file; nothing is accepted from then on.

        :returns: False when something was left. In the spool it stays queued; in memory it is lost.
        """
        deadline = time.monotonic() + timeout
        own = self._own_workers()
        self._closed = True
        done = [worker.close(max(0.0, deadline - time.monotonic())) for worker in own]
        return all(done)

    @property
    def counters(self) -> Counters:
        current = self._current_worker()
        each = [worker.counters(worker is current) for worker in self._own_workers()]
        reasons: Counter[str] = Counter()
        for one in each:
            reasons.update(one.reasons)
        queued, sent, retried, dropped = map(sum, zip(*each, strict=True))
        return Counters(queued, sent, retried, dropped, reasons)

    def _own_workers(self) -> list[Worker]:
        """This process's workers: one, and where gevent patched late the one used before that."""
        current = self._current_worker()
        return [
            worker
            for worker in list(self._workers.values())
            if worker is current or (worker.pid == current.pid and worker.was_used())
        ]

    def _current_worker(self) -> Worker:
        """The worker for this process, and for threads or greenlets.

        It is looked up at each use: no hook runs when uWSGI forks or when gevent patches.
        """
        worker = self._worker
        home = os.getpid(), patch_state()
        if worker.home != home:
            fresh = self._make_worker(register=False)
            self._worker = self._workers.setdefault(home, fresh)
            if self._worker is fresh:
                # Where gevent patched, the earlier worker goes on and sends what it has.
                if worker.pid != home[0]:
                    worker.abandon()
                    for old in [key for key in self._workers if key[0] != home[0]]:
                        self._workers.pop(old, None)
            worker = self._worker
        return worker

    def _make_worker(self, register: bool = True) -> Worker:
        on_disk = self._spool is not None
        memory = MemoryQueue(
            _least(self._max_items, MEMORY_ITEMS, on_disk),
            _least(self._max_bytes, MEMORY_BYTES, on_disk),
        )
        spool = None
        if self._spool is not None:
            from .spool import Spool  # and with it sqlite3

            spool = Spool(
                self._spool,
                SPOOL_ITEMS if self._max_items is None else self._max_items,
                SPOOL_BYTES if self._max_bytes is None else self._max_bytes,
            )
        changed = threading.Condition(threading.RLock())
        worker = Worker(Sender(self.connection), memory, spool, changed, Roads(self._envelopes))
        worker.stops_between_requests = request_end.threads_stop()
        if register:
            self._workers[worker.home] = worker
        return worker


def _least(given: int | None, default: int, on_disk: bool) -> int:
    """A bound of the queue in memory, which with a spool is at most what it is without one."""
    if given is None:
        return default
    return min(given, default) if on_disk else given


def _release(made: dict[tuple[int, object], Worker]) -> None:
    pid = os.getpid()
    for worker in list(made.values()):
        if worker.pid == pid:
            worker.release()


def _own() -> list[Worker]:
    pid = os.getpid()
    return [one for one in list(running) if isinstance(one, Worker) and one.pid == pid]


def _at_exit() -> None:
    """Spend at most two seconds on sending what all outboxes have, and print nothing."""
    delivery_log.Exit.begun = True
    deadline = time.monotonic() + EXIT_TIMEOUT
    try:
        own = _own()
        for worker in own:
            worker.retry_until(deadline)
        for worker in own:
            worker.close(max(0.0, deadline - time.monotonic()), at_exit=True)
            worker.count_what_is_lost()
        delivery_log.log_rest()
    except KeyboardInterrupt:
        # The developer has pressed Ctrl-C again and does not want to wait any longer.
        pass


_frozen: list[Spool] = []


_held: list[Any] = []


def _before_fork() -> None:
    lock = loading.get()
    lock.acquire()
    _held.append(lock)
    for worker in _own():
        if worker.spool is not None:
            worker.spool.freeze()
            _frozen.append(worker.spool)


def _after_fork_in_parent() -> None:
    while _frozen:
        _frozen.pop().thaw()
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    _frozen.clear()
    while _held:
        # The thread that forked took the lock, and it is the one that goes on in the child.
        _held.pop().release()
    for worker in list(running):
        if isinstance(worker, Worker):
            worker.abandon()
    running.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
