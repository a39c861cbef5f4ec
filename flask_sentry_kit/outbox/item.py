"""The values that go into the outbox and come out of it. Sends and stores nothing itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

State = Literal["waiting", "sent", "refused"]

# Bytes. Compressing a shorter body gains nothing: it fits one packet either way.
GZIP_FROM = 1024

# Seconds between a ticket's looks into the spool, from which another process may deliver.
TICKET_LOOKS_EVERY = 0.05


def origin_of(url: str) -> str:
    """``scheme://host[:port]`` of an address; empty where it has none, which sending it reports."""
    try:
        scheme, netloc = urlsplit(url)[:2]
    except ValueError:
        return ""
    return f"{scheme}://{netloc.rpartition('@')[2].lower()}"


@dataclass(frozen=True, slots=True)
class Request:
    """One POST. Headers hold the DSN's secret, so they are kept out of the ``repr``."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def origin(self) -> str:
        """``scheme://host[:port]``. Items with the same one are sent in order."""
        return origin_of(self.url)

    def packed(self) -> Request:
        """The same request with its body gzipped, if that makes it smaller."""
        if len(self.body) <= GZIP_FROM or any(
            name.lower() == "content-encoding" for name in self.headers
        ):
            return self
        import gzip  # loaded by the thread that delivers

        body = gzip.compress(self.body, compresslevel=5, mtime=0)
        return replace(self, headers={**self.headers, "Content-Encoding": "gzip"}, body=body)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one attempt."""

    status: int = 0
    """The HTTP status, or 0 when the server did not answer."""
    reason: str = ""
    """The message of the server or the network: one bounded line, without the secret."""
    wait: float | None = None
    """Seconds that the server asks for (Retry-After, X-Sentry-Rate-Limits), unbounded."""
    unsendable: bool = False
    """The request itself cannot be sent, now or later."""


class Place(NamedTuple):
    """Where an item is in a spool. Its id is only good for this file, not for a later one."""

    id: int
    file: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Item:
    """One event or one visitor's report, on its way.

    Give an event no more secret than its auth header needs: with a spool, all of it is on disk.
    """

    kind: Literal["event", "feedback"]
    event_id: str
    request: Request
    fallback: Request | None = None
    """Sent instead when the server answers 403, 404, 405 or 410 to ``request``."""

    @property
    def size(self) -> int:
        """Bytes that this item counts: its bodies, and about what is stored with them."""
        size = 1024 + len(self.request.body) + len(self.request.url)
        if self.fallback:
            size += len(self.fallback.body) + len(self.fallback.url)
        return size


class Counters(NamedTuple):
    """How many items are in each state: ``queued`` now, the others since the process began."""

    queued: int
    """With a spool, of all processes that share it."""
    sent: int
    retried: int
    """Attempts that failed and were or will be repeated."""
    dropped: int
    """Not accepted because the queue was full, refused by the server, or given up."""


@dataclass(slots=True)
class Entry:
    """An item in a queue."""

    id: int
    item: Item
    origin: str
    """Entries of one origin are sent in order, and are held back together."""
    tries: int = 0
    """5xx answers so far; a server that cannot be reached does not count."""
    use_fallback: bool = False
    ticket: Ticket | None = None
    file: tuple[int, int] | None = None
    """Device and inode of the spool that it is in."""

    @property
    def request(self) -> Request:
        if self.use_fallback and self.item.fallback:
            return self.item.fallback
        return self.item.request


class Ticket:
    """The state of one item that was accepted.

    It changes in the process that put the item. In a forked child it stays as it was.
    """

    __slots__ = ("_changed", "_look", "_pid", "_reason", "_state")

    def __init__(
        self,
        changed: threading.Condition,
        look: Callable[[], tuple[State, str | None]] | None = None,
    ) -> None:
        """
        :param changed: notified when items are settled.
        :param look: for an item in the spool, which any process may deliver.
        """
        self._changed = changed
        self._look = look
        self._pid = os.getpid()
        self._state: State = "waiting"
        self._reason: str | None = None

    def __repr__(self) -> str:
        return f"<Ticket {self._state}>"

    @property
    def state(self) -> State:
        """``"waiting"``, ``"sent"`` (the server took it) or ``"refused"`` (it never will)."""
        if self._state == "waiting" and self._look is not None and self._pid == os.getpid():
            self._state, self._reason = self._look()
        return self._state

    @property
    def reason(self) -> str | None:
        """Why it was refused, or why it is still queued; bounded, and without a secret."""
        return self._reason

    def settle(self, state: State, reason: str | None) -> None:
        """For the outbox only, with ``changed`` held."""
        self._state, self._reason = state, reason

    def wait(self, timeout: float) -> State:
        """Wait until the item is sent or refused, at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while self.state == "waiting" and self._pid == os.getpid():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if self._look is not None:
                left = min(left, TICKET_LOOKS_EVERY)
            with self._changed:
                if self._state == "waiting":
                    self._changed.wait(left)
        return self._state
