"""Remembers which reports this process has taken, so that the same words are one report however
often they are sent, and that no other words take the place of words that a server has."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, Final

from ..outbox import Ticket
from ..threads import lock_at_use
from .relay import Report

EVENTS_MAX: Final = 1000
"""Events whose reports are remembered: about 1 MB, and 7 MB with ``REPORTS_MAX`` of each."""

REPORTS_MAX: Final = 10
"""Reports that are remembered of one event. There is more than one only where the server refused
the words before, or keeps any number."""


class TakenReports:
    """The reports that this process has taken, by event; the oldest are forgotten.

    By event and not by token, since a page gets a new token for the same event when its own is old.

    :param events: how many events are remembered.
    :param reports: how many reports of each.
    """

    def __init__(self, events: int = EVENTS_MAX, reports: int = REPORTS_MAX) -> None:
        self._events_max = events
        self._reports_max = reports
        self._events: OrderedDict[str | None, OrderedDict[bytes, Ticket]] = OrderedDict()
        self._lock = lock_at_use()

    @property
    def lock(self) -> Any:
        """Held from ``find`` to ``note``, so that two clicks at the same time are one report."""
        return self._lock.get()

    def find(self, report: Report) -> Ticket | None:
        """The ticket of the same words, name and address; None if they were not taken before."""
        with self.lock:
            tickets = self._events.get(report.event_id)
            return tickets.get(_digest(report)) if tickets else None

    def takes_others(self, event_id: str) -> bool:
        """Whether other words than those that were taken last may be sent for an event.

        Not while these are queued. Not where they were posted as the hosted dialog's form posts
        them, and a server has them: Sentry would replace them, and GlitchTip drop the new ones.
        """
        with self.lock:
            tickets = self._events.get(event_id)
            if not tickets:
                return True
            last = next(reversed(tickets.values()))
            state = last.state
            return state in ("passed", "refused") or (state == "sent" and last.taken != "form")

    def note(self, report: Report, ticket: Ticket) -> None:
        """Remember a report that was accepted for sending."""
        with self.lock:
            tickets = self._events.setdefault(report.event_id, OrderedDict())
            tickets[_digest(report)] = ticket
            self._events.move_to_end(report.event_id)
            if len(tickets) > self._reports_max:
                tickets.popitem(last=False)
            while len(self._events) > self._events_max:
                self._events.popitem(last=False)

    def __len__(self) -> int:
        """How many reports are remembered."""
        return sum(map(len, self._events.values()))


def _digest(report: Report) -> bytes:
    words = "\0".join((report.comments, report.name, report.email))
    return hashlib.sha256(words.encode()).digest()
