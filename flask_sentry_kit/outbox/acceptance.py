"""Whether a server takes the events that are sent to an address, as far as this process knows.

A wrong key, or a project that is gone, is known only from the answer to an event, which comes after
its id was shown. What is known then counts for the next ones, until one is taken.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from .item import Ticket

# What a server answers to a DSN that it does not know (401, 403), or where it has no such address.
# Other refusals, of an event that is too large, say, are about that event alone.
REFUSALS: Final = ("401", "403", "404", "405", "410")
# Events whose answer is waited for, of one address. Of those behind them nothing is noted.
PENDING_MAX: Final = 100


class Acceptance:
    """Of one process. Any thread may call it."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler, or a finaliser, may crash and put while this is held. It is
        # held over nothing but a look into the spool.
        self._lock = threading.RLock()
        self._pending: dict[str, deque[Ticket]] = {}
        self._refused: set[str] = set()

    def note(self, url: str, ticket: Ticket) -> None:
        """Remember an event that was accepted for sending."""
        with self._lock:
            pending = self._pending.setdefault(url, deque())
            self._settle(url, pending)
            if len(pending) < PENDING_MAX:
                pending.append(ticket)

    def is_refused(self, url: str) -> bool:
        """Whether the last event that was answered at this address was refused for the address or
        its key."""
        with self._lock:
            self._settle(url, self._pending.get(url, deque()))
            return url in self._refused

    def _settle(self, url: str, pending: deque[Ticket]) -> None:
        while pending and (state := pending[0].state) != "waiting":
            reason = pending.popleft().reason or ""
            if state in ("sent", "passed"):
                self._refused.discard(url)
            elif reason.startswith(REFUSALS):
                self._refused.add(url)
