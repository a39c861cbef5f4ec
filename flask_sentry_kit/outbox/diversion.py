"""Where items go instead of into a queue, while a test looks at what its app reports.

For the whole process, since threads and servers of a test report too. The pytest plugin uses it;
nothing is ever diverted without it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from ..dsn import Dsn
from .item import Item, Outcome, Ticket, origin_of

logger = logging.getLogger("flask_sentry_kit.outbox")


class Diversion(Protocol):
    """Takes what would be sent."""

    @property
    def dsn(self) -> Dsn | None:
        """The DSN of apps that have none: without one nothing would be reported."""

    def take(self, item: Item) -> None:
        """Take an item. Called in the thread that puts it."""

    def take_event(self, event: Any) -> None:
        """Take an event of a client that has no outbox, as the JSON that it would send."""


class _Nowhere:
    """Drops what is still reported when a test or the process is over."""

    dsn: Final = None

    def take(self, item: Item) -> None:
        self.take_event(None)

    def take_event(self, event: Any) -> None:
        logger.info("The test is over that this was reported in: it is dropped, and not sent")


_nowhere: Final = _Nowhere()
_diversions: Final[list[Diversion]] = []
_let_through: Final[list[str]] = []
_left_over: Final[weakref.WeakSet[threading.Thread]] = weakref.WeakSet()


@contextmanager
def divert(to: Diversion) -> Iterator[None]:
    """Within the block all outboxes of the process give their items to ``to`` and send none.

    What threads report that were started in the block, and go on after it, is dropped from then
    on. Blocks may be nested: the innermost takes.
    """
    before = set(threading.enumerate())
    _diversions.append(to)
    try:
        yield
    finally:
        _left_over.update(thread for thread in threading.enumerate() if thread not in before)
        _diversions.remove(to)


def drop_from_now_on() -> None:
    """Send nothing more that is put in this process, which is about to end."""
    _diversions.insert(0, _nowhere)


@contextmanager
def let_through(origin: str) -> Iterator[None]:
    """Within the block what is for one server is sent all the same.

    :param origin: ``scheme://host[:port]``.
    """
    _let_through.append(origin)
    try:
        yield
    finally:
        _let_through.remove(origin)


def current(url: str = "") -> Diversion | None:
    """What takes the items that the current thread puts; None: they are sent.

    :param url: an address of the server that the item is for, or its DSN.
    """
    if url and _let_through and origin_of(url) in _let_through:
        return None
    if _diversions:
        return _diversions[-1]
    return _nowhere if _left_over and threading.current_thread() in _left_over else None


def is_open() -> bool:
    """Whether a block is open."""
    return bool(_diversions)


def may_be_needed() -> bool:
    """Whether a block is open, or a thread goes on that was started in one."""
    return bool(_diversions) or any(thread.is_alive() for thread in _left_over)


def holds_all() -> bool:
    """Whether nothing at all is sent now, what was queued before included."""
    return not _let_through and current() is not None


def dsn() -> Dsn | None:
    """The DSN of apps that have none; None if nothing is diverted."""
    diverted = current()
    return None if diverted is None else diverted.dsn


def take(diverted: Diversion, item: Item) -> Ticket:
    """Give an item away. It counts as sent at once, so that nobody waits for it."""
    diverted.take(item)
    ticket = Ticket(threading.Condition())
    ticket.settle(Outcome("sent", item.request.name or None))
    return ticket
