"""What changed lately, for pages and tools that wait for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

_LATEST: Final = 1_000

Kind = Literal[
    "event",
    "words",
    "read",
    "unread",
    "resolved",
    "reopened",
    "kept",
    "unkept",
    "deleted",
]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what is kept."""

    number: int
    """One more than the change before it."""
    kind: Kind
    crash: str
    """The crash's key; empty where it concerns no crash, or all of them."""
    event_id: str
    """Of the event that arrived, or that words are about; empty for none."""


class LiveChanges:
    """The latest changes that this process wrote, in order."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._latest: deque[Change] = deque(maxlen=_LATEST)
        self._last = 0
        self._closed = False

    def start(self, number: int) -> None:
        """Begin with the number of the last change that is in the file."""
        with self._news:
            self._latest.clear()
            self._last = number
            self._news.notify_all()

    def add(self, changes: Iterable[Change]) -> None:
        with self._news:
            for change in changes:
                if change.number != self._last + 1:
                    # Another process wrote in between.
                    self._latest.clear()
                self._latest.append(change)
                self._last = change.number
            self._news.notify_all()

    def close(self) -> None:
        """Wake all that wait, and let nobody wait any more."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def last(self) -> int:
        """The number of the latest change."""
        return self._last

    def wait(self, after: int, timeout: float) -> list[Change] | None:
        """Wait for changes with a higher number.

        :param after: the number of the last change that is known.
        :param timeout: seconds; 0 returns at once.
        :return: the changes in order, none if the time is over; None if some that came after
            `after` are no longer known, so that everything has to be read again.
        """
        until = time.monotonic() + timeout
        with self._news:
            while self._last == after and not self._closed:
                left = until - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    return [] if self._last == after else self._since(after)
            return self._since(after)

    def _since(self, after: int) -> list[Change] | None:
        if self._last == after:
            return []
        first = self._latest[0].number if self._latest else self._last + 1
        if after > self._last or after + 1 < first:
            return None
        return [change for change in self._latest if change.number > after]
