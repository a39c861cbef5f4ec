"""Which servers get no requests for now, and until when. The worker's lock guards it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass

# All times in seconds. Waits are drawn evenly from 0 to base * 2**failures ("full jitter"), so
# that the processes of many machines do not return to a server all at once.
BACKOFF_BASE = 1.0
BACKOFF_CAP = 60.0
# While somebody waits in flush() or the process ends.
BACKOFF_WHILE_FLUSHING = 0.2
# At most, however long a server asks to be left alone.
ASKED_CAP = 600.0

# Holds no state, so that forked processes never draw the same waits.
_random = random.SystemRandom()


def backoff(failures: int) -> float:
    # The exponent is bounded so that no float overflows. The cap is reached long before.
    return _random.uniform(0.0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(failures, 30)))


@dataclass(slots=True)
class _Pause:
    since: float
    until: float
    asked: bool
    """The server asked for it, so that a flush does not shorten it."""
    failures: int
    """In a row, until an answer settles an item."""


class Backoff:
    """The pauses, by origin (``scheme://host:port``)."""

    def __init__(self) -> None:
        self._backoff: dict[str, _Pause] = {}
        self._flushing_until = 0.0

    def failures(self, origin: str) -> int:
        pause = self._backoff.get(origin)
        return pause.failures if pause else 0

    def begin(self, origin: str, asked: float | None, failures: int) -> None:
        """Send a server nothing for the back-off's time, or for as long as it asked, if longer."""
        now = time.monotonic()
        wait = max(backoff(failures), min(asked or 0.0, ASKED_CAP))
        self._backoff[origin] = _Pause(now, now + wait, asked is not None, failures)

    def end(self, origin: str) -> None:
        self._backoff.pop(origin, None)

    def retry_until(self, until: float) -> None:
        """Until then (monotonic clock) retry at once, and again after short pauses."""
        self._flushing_until = max(self._flushing_until, until)

    def now(self) -> tuple[set[str], float | None]:
        """The origins that nothing is sent to now, and when the first of them is tried again."""
        now = time.monotonic()
        origins = set()
        first = None
        for origin, pause in self._backoff.items():
            until = pause.until
            if now < self._flushing_until and not pause.asked:
                until = min(until, pause.since + BACKOFF_WHILE_FLUSHING)
            if until > now:
                origins.add(origin)
                first = until if first is None else min(first, until)
        return origins, first

    def any_asked(self) -> bool:
        return any(pause.asked for pause in self._backoff.values())

    def all_asked_beyond(self, deadline: float, origins: Iterable[str]) -> bool:
        """Whether all these servers asked to be left alone for longer than that."""
        return all(
            (pause := self._backoff.get(origin)) is not None
            and pause.asked
            and pause.until > deadline
            for origin in origins
        )
