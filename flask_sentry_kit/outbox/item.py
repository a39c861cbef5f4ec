"""The values that go into the outbox and come out of it. Sends and stores nothing itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

State = Literal["waiting", "sent", "passed", "refused"]
"""``"sent"``: the server took the item and keeps it. ``"passed"``: it took the item, and whether it
keeps it is not known. ``"refused"``: it never will take it."""

# Bytes. Compressing a shorter body gains nothing: it fits one packet either way.
GZIP_FROM = 1024

FORM_TYPE = "application/x-www-form-urlencoded"

NO_CONTENT = 204

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
    name: str = ""
    """What ``Ticket.taken`` says if the server takes this request: small letters, or nothing."""
    keeps: bool = True
    """Whether a server that takes it is known to keep what is in it."""

    @property
    def origin(self) -> str:
        """``scheme://host[:port]``. Items with the same one are sent in order."""
        return origin_of(self.url)

    def packed(self) -> Request:
        """The same request with its body gzipped, if that makes it smaller.

        A form's stays as it is: no Sentry unpacks one.
        """
        if len(self.body) <= GZIP_FROM or any(
            name.lower() == "content-encoding" or value == FORM_TYPE
            for name, value in self.headers.items()
        ):
            return self
        import gzip  # loaded by the thread that delivers

        body = gzip.compress(self.body, compresslevel=5, mtime=0)
        return replace(self, headers={**self.headers, "Content-Encoding": "gzip"}, body=body)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one attempt."""

    status: int = 0
    """The HTTP status, or 0 when the server did not answer. A 200 without a body is a 204."""
    reason: str = ""
    """The message of the server or the network: one bounded line, without the secret."""
    wait: float | None = None
    """Seconds that the server asks for (Retry-After, X-Sentry-Rate-Limits), unbounded."""
    unsendable: bool = False
    """The request itself cannot be sent, now or later."""
    body: bytes = field(default=b"", repr=False)
    """Of a 2xx: its beginning."""


class Outcome(NamedTuple):
    """What became of an item so far."""

    state: State
    taken: str | None = None
    """The name of the request that the server took; None without one."""
    reason: str | None = None
    """Why it was refused, or why it is still queued; bounded, and without a secret."""

    @property
    def is_taken(self) -> bool:
        return self.state in ("sent", "passed")


class Place(NamedTuple):
    """Where an item is in a spool. Its id is only good for this file, not for a later one."""

    id: int
    file: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """A request that is sent in place of one before it, or besides it."""

    request: Request
    after: frozenset[int]
    """The HTTP statuses after which it is sent."""


@dataclass(frozen=True, slots=True)
class Item:
    """One event or one visitor's report, on its way.

    Give an event no more secret than its auth header needs: with a spool, all of it is on disk.
    """

    kind: Literal["event", "feedback"]
    event_id: str
    request: Request
    alternatives: tuple[Alternative, ...] = ()
    """In order: after an answer, the first one behind the request that got it and whose ``after``
    has its status is sent, also after a 2xx. An answer that none of them is for decides about the
    item."""
    said: object = None
    """What the requests were made of, for a test that looks at it. It is not stored."""

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests, in order."""
        return (self.request, *(other.request for other in self.alternatives))

    def next_after(self, at: int, status: int) -> int | None:
        """The place in ``requests`` of the one to send when the one at ``at`` was answered so."""
        for place, other in enumerate(self.alternatives[at:], at + 1):
            if status in other.after:
                return place
        return None

    @property
    def size(self) -> int:
        """Bytes that this item counts: its bodies, and about what is stored with them."""
        return 1024 + sum(len(request.body) + len(request.url) for request in self.requests)


class _Numbers(NamedTuple):
    queued: int
    """With a spool, of all processes that share it."""
    sent: int
    retried: int
    """Attempts that failed and were or will be repeated."""
    dropped: int
    """Not accepted because the queue was full, refused by the server, given up, or lost."""


class Counters(_Numbers):
    """How many items are in each state: ``queued`` now, the others since the process began.

    A tuple of these four numbers, which also has ``reasons``.
    """

    reasons: Mapping[str, int] = MappingProxyType({})
    """How many of ``dropped`` there were of each reason. After the first twenty reasons, all
    further ones are ``"other reasons"``."""

    def __new__(
        cls,
        queued: int,
        sent: int,
        retried: int,
        dropped: int,
        reasons: Mapping[str, int] | None = None,
    ) -> Counters:
        made = super().__new__(cls, queued, sent, retried, dropped)
        made.reasons = dict(reasons or {})
        return made


@dataclass(slots=True)
class Entry:
    """An item in a queue."""

    id: int
    item: Item
    origin: str
    """Entries of one origin are sent in order, and are held back together."""
    tries: int = 0
    """5xx answers so far; a server that cannot be reached does not count."""
    at: int = 0
    """The place in the item's ``requests`` of the one to send now."""
    ticket: Ticket | None = None
    file: tuple[int, int] | None = None
    """Device and inode of the spool that it is in."""

    @property
    def request(self) -> Request:
        return self.item.requests[self.at]


class Ticket:
    """The state of one item that was accepted.

    It changes in the process that put the item. In a forked child it stays as it was.
    """

    __slots__ = ("_changed", "_look", "_outcome", "_pid")

    def __init__(
        self,
        changed: threading.Condition,
        look: Callable[[], Outcome] | None = None,
    ) -> None:
        """
        :param changed: notified when items are settled.
        :param look: for an item in the spool, which any process may deliver.
        """
        self._changed = changed
        self._look = look
        self._pid = os.getpid()
        self._outcome = Outcome("waiting")

    def __repr__(self) -> str:
        return f"<Ticket {self._outcome.state}>"

    @property
    def state(self) -> State:
        """``"waiting"``, ``"sent"``, ``"passed"`` or ``"refused"``; see ``State``."""
        if self._outcome.state == "waiting" and self._look and self._pid == os.getpid():
            self._outcome = self._look()
        return self._outcome.state

    @property
    def taken(self) -> str | None:
        """The name of the request that the server took; None before that, and where it has none."""
        return self._outcome.taken

    @property
    def reason(self) -> str | None:
        """Why it was refused, or why it is still queued; bounded, and without a secret."""
        return self._outcome.reason

    def settle(self, outcome: Outcome) -> None:
        """For the outbox only, with ``changed`` held."""
        self._outcome = outcome

    def wait(self, timeout: float) -> State:
        """Wait until the item is settled, at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while self.state == "waiting" and self._pid == os.getpid():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if self._look is not None:
                left = min(left, TICKET_LOOKS_EVERY)
            with self._changed:
                if self._outcome.state == "waiting":
                    self._changed.wait(left)
        return self._outcome.state
